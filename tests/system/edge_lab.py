# SPDX-License-Identifier: GPL-3.0-or-later
"""A real isochrone-edge on loopback for the system tests: its files, its process, questions to it."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import urllib.request

import dns.edns
import dns.message
import dns.query
import dns.rcode

from peer_servers import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin"))

ZONE = """$TTL 300
@ IN SOA ns1 hostmaster {serial} 7200 3600 1209600 60
@ IN NS ns1
ns1 IN A 192.0.2.250
static IN A 192.0.2.{serial}
www IN A 192.0.2.99
www IN AAAA 2001:db8::99
big IN TXT {big}
alias IN CNAME www
"""

MAPPER = """pops:
  fra: {location: [50.0, 8.6]}
  sin: {location: [1.3, 103.8]}
  nyc: {location: [40.7, -74.0]}
maps:
  web: {default: [nyc]}
overrides: pins.csv
"""

PINS = """prefix,pop
20.1.0.0/16,fra
20.2.0.0/16,sin
2400:1::/32,fra
2400:2::/32,sin
"""

SERVICES = """services:
  web:
    map: web
    ttl: 30
    ttl_min: 5
    pops:
      fra: ["192.0.2.10", "2001:db8:1::10"]
      sin: ["192.0.2.20", "2001:db8:2::10"]
      nyc: ["192.0.2.30", "2001:db8:3::10"]
  home:
    map: web
    on_empty: servfail
    pops:
      fra: ["192.0.2.40"]
names:
  www.example.com.: web
  home.example.com.: home
"""


def zone_text(serial, big="x"):
    return ZONE.format(serial=serial, big=big)


def build_map(folder, pins=PINS, as_of=1700000000):
    (folder / "mapper.yaml").write_text(MAPPER)
    (folder / "pins.csv").write_text(pins)
    subprocess.run([BIN / "isochrone-mapper", "build", "--config", folder / "mapper.yaml", "--output",
                    folder / "cdn.isomap", "--as-of", str(as_of)], check=True, capture_output=True, timeout=60)


class Edge:
    """isochrone-edge in `folder`, with what the keyword arguments add to its configuration (None: leave out)."""

    start_limit_s = 5

    def __init__(self, folder, **keys):
        self.folder = folder
        self.port = free_port()
        self.metrics_port = free_port()
        self.process = None
        self.keys = {
            "identity": "lab",
            "listen": [f"127.0.0.1@{self.port}", f"::1@{self.port}"],
            "workers": 2,
            "zones": [{"origin": "example.com.", "file": "example.com.zone"}],
            "control": "edge.sock",
            "metrics": f"127.0.0.1@{self.metrics_port}",
            "state_dir": "state",
        }
        if "san/" in str(BIN):
            self.keys["seccomp"] = False  # sanitizers trace their own process at its end
        self.configure(**keys)
        if not (folder / "example.com.zone").exists():
            (folder / "example.com.zone").write_text(zone_text(1))

    def configure(self, **keys):
        self.keys.update(keys)
        # JSON is YAML
        (self.folder / "edge.yaml").write_text(json.dumps({k: v for k, v in self.keys.items() if v is not None}))

    def command(self, *options):
        return [BIN / "isochrone-edge", "--config", self.folder / "edge.yaml", *options]

    def check(self):
        return subprocess.run(self.command("--check"), capture_output=True, text=True, timeout=20)

    def start(self, env=None, wrapper=(), **options):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([*wrapper, *self.command()], stdin=subprocess.DEVNULL, stderr=self.log,
                                        stdout=self.log, env={**os.environ, **(env or {})}, **options)
        for _ in range(self.start_limit_s * 100):
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.logged()}")
            if b": serving " in (self.folder / "log").read_bytes()[self.log_start():]:
                return self
            time.sleep(0.01)
        self.process.kill()
        self.process.wait(10)
        raise AssertionError(f"does not serve: {self.logged()}")

    def log_start(self):
        return getattr(self, "log_offset", 0)

    def logged(self):
        return (self.folder / "log").read_bytes()[self.log_start():].decode()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.log_offset = (self.folder / "log").stat().st_size

    def stop(self):
        """Gracefully; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(10)
        self.log_offset = (self.folder / "log").stat().st_size
        return status

    def replace(self, *options, program="isochrone-edge", env=None):
        """Another process takes the place of this one, and is what is meant from then on."""
        new = subprocess.Popen([BIN / program, "--config", self.folder / "edge.yaml", "--replace", *options],
                               stdin=subprocess.DEVNULL, stderr=self.log, stdout=self.log,
                               env={**os.environ, **(env or {})})
        for _ in range(1000):
            if self.process.poll() is not None:
                assert self.process.returncode == 0, self.logged()
                assert new.poll() is None, self.logged()
                self.process = new
                return self
            if new.poll() is not None:
                raise AssertionError(f"ended with {new.returncode}: {self.logged()}")
            time.sleep(0.005)
        new.kill()
        new.wait()
        raise AssertionError(f"does not replace: {self.logged()}")

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            assert self.stop() == 0
        self.log.close()

    # --- the operator's side

    def ctl(self, *words):
        return subprocess.run([BIN / "isochronectl", "--socket", self.folder / "edge.sock", *words],
                              capture_output=True, text=True, timeout=20)

    def data(self, *words):
        done = self.ctl("--json", *words)
        return json.loads(done.stdout)

    def metrics(self):
        """{'name{labels}': value} of one scrape."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as reply:
            lines = reply.read().decode().splitlines()
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def outcome(self, kind, transport="udp", family="ipv4"):
        key = f'isochrone_edge_queries_total{{outcome="{kind}",transport="{transport}",family="{family}"}}'
        return self.metrics()[key]

    # --- the client's side

    def query(self, name, rdtype="A", subnet=None, **options):
        return query(name, rdtype, subnet, **options)

    def ask(self, name, rdtype="A", subnet=None, where="127.0.0.1", tcp=False, source=None):
        message = query(name, rdtype, subnet)
        transport = dns.query.tcp if tcp else dns.query.udp
        return transport(message, where, port=self.port, timeout=3, source=source)

    def addresses(self, name, rdtype="A", subnet=None, **options):
        return sorted(item.to_text() for rrset in self.ask(name, rdtype, subnet, **options).answer for item in rrset)

    def ttl(self, name, **options):
        return self.ask(name, **options).answer[0].ttl

    def static(self):
        """The last number of static.example.com., which is the zone's serial."""
        return int(self.addresses("static.example.com.")[0].split(".")[-1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def total(self, values=None):
        """All queries that were counted."""
        values = values or self.metrics()
        return sum(value for key, value in values.items() if key.startswith("isochrone_edge_queries_total"))


def query(name, rdtype="A", subnet=None, use_edns=True):
    options = []
    if subnet:
        address, length = subnet.split("/")
        options = [dns.edns.ECSOption(address, int(length))]
    return dns.message.make_query(name, rdtype, use_edns=0 if use_edns else False, options=options)


def frame(wire):
    return struct.pack("!H", len(wire)) + wire


def read_exactly(connection, count):
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError(f"closed after {len(parts)} of {count} bytes")
        parts += part
    return parts


def read_frame(connection):
    return read_exactly(connection, struct.unpack("!H", read_exactly(connection, 2))[0])


def until(check, seconds=5):
    """Waits for what happens soon, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result or time.monotonic() > deadline:
            return result
        time.sleep(0.02)


def halt(process):
    """SIGSTOP, and every thread has stopped: until each has run once, it goes on serving."""
    process.send_signal(signal.SIGSTOP)
    tasks = f"/proc/{process.pid}/task"
    assert until(lambda: all(open(f"{tasks}/{task}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] == "T"
                             for task in os.listdir(tasks)))

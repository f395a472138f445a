# SPDX-License-Identifier: GPL-3.0-or-later
"""Knot, NSD and BIND as packaged, serving zone files on loopback for as long as a test asks them."""
import pathlib
import shutil
import socket
import subprocess
import time

import dns.exception
import dns.message

SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"

KNOT = """
server:
  listen: 127.0.0.1@{port}
  rundir: {dir}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: {dir}/knot.sock
database:
  storage: {dir}/knotdb
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {dir}
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
{zones}
"""
NSD = """
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{dir}"
  pidfile: "{dir}/nsd.pid"
  database: ""
  zonelistfile: "{dir}/zone.list"
  xfrdfile: "{dir}/xfrd.state"
  xfrdir: "{dir}"
  minimal-responses: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{zones}
"""
BIND = """
options {{ directory "{dir}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{dir}/named.pid"; session-keyfile "{dir}/session.key"; minimal-responses no-auth; minimal-any no;
  max-udp-size 1232; check-names primary ignore; check-integrity no; check-mx ignore; check-mx-cname ignore;
  check-srv-cname ignore; check-sibling no; check-dup-records ignore; check-spf ignore; check-wildcard no;
  notify no; empty-zones-enable no; zero-no-soa-ttl no; server-id none; dnssec-validation no; tcp-clients 500; }};
controls {{ }};
{zones}
"""

SERVERS = {  # name: configuration, how one zone stands in it, command
    "knot": (KNOT, "  - domain: {origin}\n    file: {file}\n", ["knotd", "-c"]),
    "nsd": (NSD, 'zone:\n  name: "{origin}"\n  zonefile: "{file}"\n', ["nsd", "-d", "-c"]),
    "bind": (BIND, 'zone "{origin}" {{ type primary; file "{file}"; }};\n', ["named", "-n", "1", "-f", "-g", "-c"]),
}


def free_port():
    """A port nobody uses on loopback, for UDP and TCP alike."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


def ask(port, wire, timeout=1.0):
    """What comes back over UDP; nothing is b""."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.sendto(wire, ("127.0.0.1", port))
        try:
            return sock.recv(65535)
        except (socket.timeout, ConnectionError):
            return b""


class Peer:
    """One of SERVERS with {origin: file} in `folder`, where the files are."""

    def __init__(self, name, folder, zones):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.zones = zones
        self.port = free_port()
        self.process = None
        self.log = self.folder / f"{name}.log"

    @staticmethod
    def installed(name):
        return shutil.which(SERVERS[name][2][0], path=SBIN)

    def start(self):
        text, zone, command = SERVERS[self.name]
        zones = "".join(zone.format(origin=origin, file=file) for origin, file in self.zones.items())
        path = self.folder / f"{self.name}.conf"
        path.write_text(text.format(port=self.port, dir=self.folder, zones=zones))
        (self.folder / "knotdb").mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([self.installed(self.name), *command[1:], path], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.folder)
        return self

    def wait(self, seconds=20):
        """Until every zone is answered with its SOA. The zones that are not, by then."""
        missing = list(self.zones)
        deadline = time.monotonic() + seconds
        while missing and time.monotonic() < deadline and self.process.poll() is None:
            probe = dns.message.make_query(missing[0], "SOA")
            try:
                reply = dns.message.from_wire(ask(self.port, probe.to_wire(), 0.2) or b"")
                if reply.rcode() == 0 and reply.answer:
                    missing.pop(0)
                    continue
            except dns.exception.DNSException:
                pass
            time.sleep(0.05)
        return missing

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

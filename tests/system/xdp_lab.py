# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and a client, joined by veth pairs, for tests of the kernel fast path.

    with XdpLab(folder) as lab:            # skipped where lab.why_not() says so
        lab.pass_on("v0")                  # a program on the client's end: XDP_TX is delivered only to one that has it
        driver = lab.driver()              # or: subprocess.Popen(lab.server_command("isochrone-edge", ...))
        client = lab.socket("192.0.2.2")

The server's namespace has 192.0.2.1 and 2001:db8::1 on v0, 198.51.100.1 and 2001:db8:1::1 on v1 and so on, the client's
.2 and ::2, and all of 10.0.0.0/8 and 2001:db8:c000::/36. `lab.pins` is a bpf file system of its own. Programs of the
server run in its network namespace, but with the mounts of the test, so that they share the pins.
"""
import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import socket
import subprocess
import tempfile

import dns.message
import dns.query

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()
NETWORKS = [("192.0.2", "2001:db8"), ("198.51.100", "2001:db8:1"), ("203.0.113", "2001:db8:2")]

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_IP_FREEBIND = 15
_LABS = itertools.count()


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, timeout=20).stdout


def tool(name):
    """A program of the tests: beside those that are tested or, if they were built without tests, of the debug build."""
    return next((path for path in (BIN / name, BIN.parents[1] / "dev/bin" / name) if path.exists()), BIN / name)


def why_not():
    """Why there can be no lab here; None: there can."""
    if os.geteuid() != 0:
        return "network namespaces and XDP need root"
    name = f"isoxprobe{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            run("ip", "netns", "add", name)
            run("ip", "netns", "del", name)
            run("mount", "-t", "bpf", "bpf", folder)
            run("umount", folder)
            run("bpftool", "prog")
        except (OSError, subprocess.SubprocessError) as why:
            return f"no network namespaces, bpf file system or BPF: {getattr(why, 'stderr', '') or why}"
    return None


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is there meanwhile; a socket stays where it was made."""
    def enter(path):
        with open(path, "rb") as file:
            if _LIBC.setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")
    with open("/proc/thread-self/ns/net", "rb") as home:
        enter(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            enter(f"/proc/self/fd/{home.fileno()}")


class Driver:
    """tests/system/xdp_driver.c: the fast path without the daemon."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words, code=0):
        """The answer to a command that ends with `code` (None: any)."""
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"{words}: the driver ended with {self.process.wait(10)}"
        answer = json.loads(line)
        assert code is None or answer["code"] == code, (words, answer)
        return answer

    def links(self):
        return {link["interface"]: link for link in self.ask("status")["links"]}

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class XdpLab:
    def __init__(self, folder, pairs=1):
        number = f"{os.getpid()}x{next(_LABS)}"
        self.server, self.client = f"isoxs{number}", f"isoxc{number}"
        self.pins = pathlib.Path(folder) / "bpf"
        self.pairs = pairs
        self.drivers = []

    def __enter__(self):
        try:
            self.pins.mkdir()
            run("mount", "-t", "bpf", "bpf", self.pins)
            for namespace in (self.server, self.client):
                run("ip", "netns", "add", namespace)
                self.ip(namespace, "link", "set", "lo", "up")
                with inside(namespace):
                    for which in ("all", "default"):
                        pathlib.Path(f"/proc/sys/net/ipv6/conf/{which}/accept_dad").write_text("0", encoding="ascii")
            for pair in range(self.pairs):
                self.join(pair)
            self.ip(self.client, "route", "add", "local", "10.0.0.0/8", "dev", "lo")
            self.ip(self.client, "route", "add", "local", "2001:db8:c000::/36", "dev", "lo")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill_drivers()
        for namespace in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        subprocess.run(["umount", "-l", self.pins], capture_output=True, check=False)

    @staticmethod
    def ip(namespace, *words):
        return run("ip", "-n", namespace, *words)

    def join(self, pair, *words):
        """A veth pair; again after cut()."""
        name, (v4, v6) = f"v{pair}", NETWORKS[pair]
        self.ip(self.server, "link", "add", name, *words, "type", "veth", "peer", "name", name, "netns", self.client)
        for namespace, last in ((self.server, 1), (self.client, 2)):
            self.ip(namespace, "address", "add", f"{v4}.{last}/24", "dev", name)
            self.ip(namespace, "address", "add", f"{v6}::{last}/64", "dev", name, "nodad")
            self.ip(namespace, "link", "set", name, "up")
        if pair == 0:
            self.ip(self.server, "route", "add", "10.0.0.0/8", "via", f"{v4}.2")
            self.ip(self.server, "route", "add", "2001:db8:c000::/36", "via", f"{v6}::2")

    def cut(self, pair):
        """The interface is gone, with all that is attached to it."""
        self.ip(self.server, "link", "del", f"v{pair}")

    def index(self, name):
        return json.loads(self.ip(self.server, "-j", "link", "show", name))[0]["ifindex"]

    def offload(self, name, *words):
        """ethtool -K on the client's end: ("tx", "off") makes checksums whole, as they come from a wire."""
        run("nsenter", f"--net=/run/netns/{self.client}", "ethtool", "-K", name, *words)

    def pass_on(self, name, namespace=None):
        """A program that passes everything, on the client's end unless told otherwise."""
        driver = Driver(self.command(namespace or self.client, tool("xdp-driver")))
        driver.ask("pass", name)
        driver.end()

    @staticmethod
    def command(namespace, *words):
        return ["nsenter", f"--net=/run/netns/{namespace}", *words]

    def server_command(self, *words):
        return self.command(self.server, *words)

    def driver(self):
        self.drivers.append(Driver(self.server_command(tool("xdp-driver"))))
        return self.drivers[-1]

    def kill_drivers(self):
        while self.drivers:
            self.drivers.pop().kill()

    def programs(self, name, namespace=None):
        """What is attached to an interface: {mode: id of the program}."""
        link = json.loads(self.ip(namespace or self.server, "-j", "-d", "link", "show", name))[0]
        xdp = link.get("xdp", {})
        if not xdp:
            return {}
        modes = {1: "native", 2: "generic"}
        return {modes.get(one["mode"], one["mode"]): one["prog"]["id"] for one in xdp.get("attached", [xdp])}

    def socket(self, source, timeout=2.0):
        """A client's, bound to any of the client's addresses."""
        with inside(self.client):
            client = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        client.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        client.bind((source, 0))
        client.settimeout(timeout)
        return client

    def ask(self, name, rdtype="A", source="192.0.2.2", server="192.0.2.1", port=53, timeout=2.0, **options):
        """The server's answer as a message, or None."""
        query = dns.message.make_query(name, rdtype, **options)
        with self.socket(source, timeout) as client:
            client.connect((server, port))
            client.send(query.to_wire())
            try:
                response = dns.message.from_wire(client.recv(4096))
            except (TimeoutError, ConnectionRefusedError):
                return None
        assert query.is_response(response)
        return response

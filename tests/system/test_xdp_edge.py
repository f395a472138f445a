# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-edge with its kernel path: what is answered there is what the server would say, and whatever happens to the
server, nobody outside notices. In namespaces joined by veth pairs."""
import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

import xdp_lab
from edge_lab import BIN, ROOT, SERVICES, Edge, build_map, halt, until, zone_text

from test_replace_faults import Successor

sys.path.insert(0, str(ROOT / "tests/golden"))

import test_socket as golden  # noqa: E402

WHY_NOT = xdp_lab.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

SERVER4, SERVER6 = "192.0.2.1", "2001:db8::1"


class XdpEdge(Edge):
    """In the lab's server namespace, answering on port 53 there."""

    start_limit_s = 15  # sanitizers, and the verifier
    dns_port = 53

    def __init__(self, lab, folder, **keys):
        self.lab = lab
        xdp = {"interfaces": ["v0"], "names": "all", "pin": str(lab.pins / folder.name), **keys.pop("xdp", {})}
        super().__init__(folder, **{"listen": [f"{SERVER4}@53", f"{SERVER6}@53", "127.0.0.1@53"], "xdp": xdp,
                                    "map": "cdn.isomap", "services": "services.yaml", **keys})
        if not (folder / "cdn.isomap").exists():
            build_map(folder)
        (folder / "services.yaml").write_text(SERVICES)

    def command(self, *options):
        return self.lab.server_command(*super().command(*options))

    def replace(self, *options, **settings):
        """As Edge.replace(), in the namespace."""
        new = subprocess.Popen(self.command("--replace", *options), stdin=subprocess.DEVNULL, stderr=self.log,
                               stdout=self.log)
        assert until(lambda: self.process.poll() is not None, 20), self.logged()
        assert self.process.returncode == 0 and new.poll() is None, self.logged()
        self.process = new
        return self

    def metrics(self):
        with xdp_lab.inside(self.lab.server):
            return super().metrics()

    def xdp(self):
        return self.data("xdp")

    def answered(self):
        return sum(self.xdp()["answered"].values())

    def userspace(self):
        return sum(sum(by.values()) for by in self.data("stats")["outcomes"].values())

    def exchange(self, wire, source="192.0.2.2", server=SERVER4, timeout=3.0):
        with self.lab.socket(source, timeout) as client:
            client.connect((server, self.dns_port))
            client.send(wire)
            return client.recv(4096)

    def asked(self, wire, **where):
        """The answer's bytes, and who gave it: "kernel" or "userspace"."""
        before = self.answered(), self.userspace()
        reply = self.exchange(wire, **where)
        now = self.answered(), self.userspace()
        assert (now[0] - before[0]) + (now[1] - before[1]) == 1, (before, now)
        return reply, "kernel" if now[0] > before[0] else "userspace"

    def ready(self):
        """The kernel answers."""
        assert until(lambda: self.data("status")["xdp"]["health"] == "answering" and self.xdp()["beat_left_seconds"] > 0,
                     10), self.ctl("xdp").stdout
        return self


def query(name, rdtype="A", options=(), payload=1232, flags=0, edns=True, ednsflags=0):
    message = dns.message.make_query(name, rdtype)
    message.flags = flags
    if edns:
        message.use_edns(0, ednsflags, payload, options=list(options))
    return message.to_wire()


def ecs(text):
    address, length = text.split("/")
    return dns.edns.ECSOption(address, int(length))


def addresses(reply):
    return sorted(item.to_text() for rrset in dns.message.from_wire(reply).answer for item in rrset)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with xdp_lab.XdpLab(tmp_path_factory.mktemp("lab"), pairs=2) as made:
        made.pass_on("v0")
        made.pass_on("v1")
        yield made


@pytest.fixture(scope="module")
def edge(lab, tmp_path_factory):
    with XdpEdge(lab, tmp_path_factory.mktemp("edge")) as started:
        yield started.ready()


# name, the query, who answers, and if userspace the reason
QUESTIONS = [
    ("a static name", query("static.example.com.", edns=False), "kernel", None),
    ("in other letters", query("sTaTiC.eXaMpLe.CoM.", flags=dns.flags.RD), "kernel", None),
    ("no such type", query("static.example.com.", "AAAA"), "kernel", None),
    ("no such type that nobody asks for", query("static.example.com.", "TYPE65280"), "userspace", "unknown"),
    ("no such name", query("none.example.com."), "userspace", "unknown"),
    ("a service, by its client", query("www.example.com.", options=[ecs("20.1.2.0/24")]), "kernel", None),
    ("another client", query("www.example.com.", options=[ecs("20.2.2.0/24")]), "kernel", None),
    ("a client of IPv6", query("www.example.com.", "AAAA", options=[ecs("2400:1::/56")]), "kernel", None),
    ("an alias of a service", query("alias.example.com.", options=[ecs("20.1.2.0/24")]), "kernel", None),
    ("an alias, for a client of IPv6", query("alias.example.com.", "AAAA", options=[ecs("2400:2::/56")]), "kernel", None),
    ("by who sends it", query("www.example.com."), "kernel", None),
    ("name server identity", query("www.example.com.", options=[dns.edns.GenericOption(3, b"")]), "kernel", None),
    ("a cookie", query("www.example.com.", options=[dns.edns.GenericOption(10, bytes(range(8)))]), "kernel", None),
    ("DO where nothing is signed", query("static.example.com.", ednsflags=dns.flags.DO), None, None),
    ("another version of EDNS", query("static.example.com.")[:-5] + b"\1" + query("static.example.com.")[-4:], "userspace",
     "edns"),
    ("a client subnet with bits too many", query("www.example.com.", options=[dns.edns.GenericOption(8, b"\0\1\30\0\24\1\2\3")]),
     "userspace", "ecs"),
    ("a cookie cut short", query("www.example.com.", options=[dns.edns.GenericOption(10, b"1234567")]), "userspace", "cookie"),
    ("class CH", dns.message.make_query("id.server.", "TXT", "CH").to_wire(), "userspace", "class"),
    ("an update", dns.message.make_query("static.example.com.", "A").to_wire()[:2] + b"\x28" +
     dns.message.make_query("static.example.com.", "A").to_wire()[3:], "userspace", "header"),
]


def without_time(reply):
    """A cookie's time and hash are as of now."""
    at = reply.find(b"\0\x0a\0\x18" + bytes(range(8)))
    return reply if at < 0 else reply[:at + 16] + bytes(12) + reply[at + 28:]


@pytest.mark.parametrize("what, wire, who, reason", QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_the_answer_is_the_servers_own(edge, what, wire, who, reason):
    passed = edge.xdp()["passed"]
    reply, by = edge.asked(wire)
    assert who is None or by == who, edge.ctl("xdp").stdout
    if reason:
        now = edge.xdp()["passed"]
        assert {key: now[key] - passed[key] for key in now if now[key] != passed[key] and key != "not_dns"} == {reason: 1}
    assert edge.ctl("xdp", "off").returncode == 0
    try:
        same, by = edge.asked(wire)
        assert by == "userspace"
    finally:
        assert edge.ctl("xdp", "on").returncode == 0
    assert without_time(reply) == without_time(same)


def test_over_ipv6(edge):
    reply, by = edge.asked(query("www.example.com.", "AAAA", options=[ecs("2400:2::/56")]), source="2001:db8::2",
                           server=SERVER6)
    assert (addresses(reply), by) == (["2001:db8:2::10"], "kernel")
    assert edge.xdp()["answered_ipv6"] > 0


def test_a_cookie_from_the_server_is_good_in_the_kernel_and_back(edge):
    def cookie(reply):
        return next(option.data for option in dns.message.from_wire(reply).options if int(option.otype) == 10)

    first, by = edge.asked(query("www.example.com.", options=[dns.edns.GenericOption(10, b"12345678")]))
    assert by == "kernel"
    again = query("www.example.com.", options=[dns.edns.GenericOption(10, cookie(first))])
    second, by = edge.asked(again)
    assert by == "kernel" and cookie(second) == cookie(first)
    valid = edge.data("stats")["cookie_valid"]
    assert edge.ctl("xdp", "off").returncode == 0
    third, by = edge.asked(again)
    assert edge.ctl("xdp", "on").returncode == 0
    assert by == "userspace" and cookie(third) == cookie(first)
    assert edge.data("stats")["cookie_valid"] == valid + 1


def test_a_state_holds_for_the_next_packet(edge):
    wire = query("www.example.com.", options=[ecs("20.1.2.0/24")])
    assert addresses(edge.exchange(wire)) == ["192.0.2.10"]
    for _ in range(5):
        assert edge.ctl("pop", "fra/web", "down").returncode == 0
        reply, by = edge.asked(wire)
        assert (addresses(reply), by) == (["192.0.2.30"], "kernel")
        assert edge.ctl("pop", "fra/web", "auto").returncode == 0
        reply, by = edge.asked(wire)
        assert (addresses(reply), by) == (["192.0.2.10"], "kernel")


def test_nobody_left_is_for_the_server(edge):
    wire = query("home.example.com.", options=[ecs("20.1.2.0/24")])
    assert edge.asked(wire)[1] == "kernel"
    assert edge.ctl("pop", "fra/home", "down", "--force").returncode == 0
    empty = edge.xdp()["passed"]["empty"]
    reply, by = edge.asked(wire)
    assert dns.message.from_wire(reply).rcode() == dns.rcode.SERVFAIL and by == "userspace"
    assert edge.xdp()["passed"]["empty"] == empty + 1
    assert edge.ctl("pop", "fra/home", "auto").returncode == 0
    assert edge.asked(wire)[1] == "kernel"


def test_a_reload_holds_for_the_next_packet(edge):
    wire = query("static.example.com.")
    for serial in (2, 3, 1):
        (edge.folder / "example.com.zone").write_text(zone_text(serial))
        assert edge.ctl("reload").returncode == 0
        reply, by = edge.asked(wire)
        assert (addresses(reply), by) == ([f"192.0.2.{serial}"], "kernel")


def explained(edge, *words):
    data = edge.data("explain", *words)
    return data["path"], data["kernel"]


def test_explain_says_who_would_answer(edge):
    for client, name, rdtype in (("20.1.2.0/24", "www.example.com.", "A"), ("2400:1::/56", "www.example.com.", "AAAA"),
                                 ("20.1.2.0/24", "static.example.com.", "A"),
                                 ("20.1.2.0/24", "static.example.com.", "TYPE65280"),
                                 ("20.1.2.0/24", "none.example.com.", "A"), ("20.1.2.0/24", "elsewhere.", "A")):
        path, kernel = explained(edge, client, name, rdtype, "--from", "192.0.2.2")
        passed = edge.xdp()["passed"]
        assert edge.asked(query(name, rdtype, options=[ecs(client)]))[1] == path, (name, rdtype, kernel)
        if path == "kernel":
            assert kernel["identical"] and kernel["class"] in ("geo", "positive", "nodata")
        else:
            now = edge.xdp()["passed"]
            assert now[kernel["reason"]] == passed[kernel["reason"]] + 1
    assert explained(edge, "20.1.2.3", "www.example.com.")[0] == "kernel"
    assert explained(edge, "192.0.2.2", "www.example.com.", "--resolver")[0] == "kernel"
    assert explained(edge, "127.0.0.1", "www.example.com.", "--resolver")[1]["reason"] == "source"
    assert "negative" in explained(edge, "20.1.2.3", "none.example.com.")[1]["text"]
    assert "path      kernel (geo)" in edge.ctl("explain", "20.1.2.3", "www.example.com.").stdout
    assert edge.ctl("pop", "fra/home", "down", "--force").returncode == 0
    assert explained(edge, "20.1.2.3", "home.example.com.")[1]["reason"] == "empty"
    assert edge.ctl("pop", "fra/home", "auto").returncode == 0
    assert edge.ctl("xdp", "off").returncode == 0
    assert explained(edge, "20.1.2.3", "www.example.com.")[1]["reason"] == "off"
    assert edge.ctl("xdp", "on").returncode == 0


def test_what_is_shown(edge):
    edge.exchange(query("www.example.com."))
    shown = edge.xdp()
    assert [(link["interface"], link["state"]) for link in shown["links"]] == [("v0", "native")]
    assert shown["health"] == "answering" and 0 < shown["beat_left_seconds"] <= 3
    assert shown["tables"]["geo"] > 0 and shown["tables"]["static"] > 0 and shown["tables"]["left_out"] == 0
    text = edge.ctl("xdp").stdout
    assert re.search(r"^answered +\d+ of \d+ queries", text, re.M) and re.search(r"^link +v0 +native", text, re.M)
    assert "xdp       answering; 1 of 1 interfaces" in edge.ctl("status").stdout
    metrics = edge.metrics()
    assert metrics["isochrone_edge_xdp_up"] == 1
    assert metrics['isochrone_edge_xdp_attached{interface="v0",state="native"}'] == 1
    assert metrics['isochrone_edge_xdp_answered_total{class="geo"}'] >= shown["answered"]["geo"]
    documented = (ROOT / "deploy/METRICS.md").read_text()
    assert sorted({key.split("{")[0] for key in metrics if f"`{key.split('{')[0]}`" not in documented}) == []
    reasons = {re.search(r'reason="(\w+)"', key)[1] for key in metrics if "xdp_passed_total" in key}
    assert {reason for reason in reasons if f"`{reason}`" not in documented} == set()


def test_the_tap_shows_what_tcpdump_does_not_see(edge, tmp_path):
    capture = tmp_path / "tap.pcap"
    taps = [subprocess.Popen([BIN / "isochronectl", "--socket", edge.folder / "edge.sock", "xdp", "tap", "--rate", "1",
                              "--count", "3", *more], stdout=subprocess.PIPE, text=True)
            for more in ((), ("--pcap", capture))]

    def ended():
        edge.exchange(query("www.example.com."))
        edge.exchange(query("none.example.com."))
        return all(tap.poll() == 0 for tap in taps)

    assert until(ended, 10)
    lines = [line for line in taps[0].communicate()[0].splitlines() if ".example.com." in line]
    assert lines and all(re.search(r" v0 192\.0\.2\.2:\d+ > 192\.0\.2\.1:53 ", line) for line in lines), lines
    for tap in taps:
        tap.wait(10)
    assert any("www.example.com. A: answered, geo" in line or "none.example.com. A: passed up, unknown" in line
               for line in lines), lines
    magic, _, _, _, _, link = struct.unpack("=IIIIII", capture.read_bytes()[:24])
    assert (magic, link) == (0xa1b23c4d, 1)
    replayed = subprocess.run([BIN / "isochronectl", "compare", "--old", "127.0.0.1@1", "--new", "127.0.0.1@1", "--queries",
                               capture, "--timeout", "10ms"], capture_output=True, text=True, timeout=20)
    assert "www.example.com." in replayed.stdout + replayed.stderr or replayed.returncode in (0, 1)


def test_rate_limit_is_not_gone_around(edge):
    wire = query("static.example.com.")
    edge.configure(rate_limit={"responses_per_second": 1000})
    try:
        done = edge.ctl("reload")
        assert done.returncode == 0 and "'xdp' answers nothing while 'rate_limit' is on" in done.stderr
        assert edge.asked(wire)[1] == "userspace"
        assert edge.data("status")["xdp"]["health"] == "off: rate_limit"
        assert "'xdp' answers nothing" in edge.check().stderr
    finally:
        edge.configure(rate_limit=None)
    assert edge.ctl("reload").returncode == 0
    assert edge.asked(wire)[1] == "kernel"


def test_what_needs_a_restart_is_said(edge):
    edge.configure(xdp={**edge.keys["xdp"], "interfaces": ["v1"]})
    try:
        done = edge.ctl("reload")
        assert "'xdp' takes effect at the next start only" in done.stderr
    finally:
        edge.configure(xdp={**edge.keys["xdp"], "interfaces": ["v0"]})
    assert edge.ctl("reload").returncode == 0


# --- life and death

@contextlib.contextmanager
def hot(edge, wire, source="192.0.2.2"):
    """Asks again and again meanwhile; every query must have its answer."""
    script = ("import socket, sys, time\n"
              "client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.settimeout(1)\n"
              f"client.connect(({SERVER4!r}, 53)); wire = bytes.fromhex(sys.argv[1]); n = lost = 0\n"
              "print('ready', flush=True)\n"
              "import select\n"
              "while not select.select([sys.stdin], [], [], 0.002)[0]:\n"
              "    n += 1\n"
              "    client.send(wire)\n"
              "    try:\n"
              "        assert client.recv(4096)[3] & 15 == 0\n"
              "    except (TimeoutError, ConnectionRefusedError):\n"
              "        lost += 1\n"
              "print(n, lost)\n")
    process = subprocess.Popen(edge.lab.command(edge.lab.client, sys.executable, "-c", script, wire.hex()),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    report = {}
    try:
        yield report
    finally:
        asked, lost = map(int, process.communicate("\n", timeout=20)[0].split())
        report.update(asked=asked, lost=lost)


def test_a_killed_server_is_not_missed(edge):
    wire = query("www.example.com.", options=[ecs("20.1.2.0/24")])
    answered = edge.answered()
    program = edge.lab.programs("v0")
    with hot(edge, wire) as report:
        time.sleep(0.2)
        edge.kill()
        time.sleep(0.5)
        assert edge.lab.programs("v0") == program
        edge.start()
        edge.ready()
        time.sleep(0.2)
    assert report["lost"] == 0 and report["asked"] > 50, report
    assert edge.lab.programs("v0") == program
    shown = edge.xdp()
    assert shown["links"][0]["adopted"]
    assert sum(shown["answered"].values()) >= answered + report["asked"] * 0.9


def test_nobody_waits_until_templates_are_rendered(edge):
    lines = edge.logged().splitlines()
    serving, attached = [next(i for i, line in enumerate(lines) if text in line)
                         for text in ("serving ", "v0: answers in the driver")]
    assert serving < attached, edge.logged()


def test_a_server_is_replaced_and_the_kernel_answers_all_along(edge):
    wire = query("www.example.com.", options=[ecs("20.1.2.0/24")])
    program = edge.lab.programs("v0")
    sequence = edge.xdp()["sequence"]
    with hot(edge, wire) as report:
        edge.replace()
        edge.ready()
        time.sleep(0.2)
    assert report["lost"] == 0 and report["asked"] > 20, report
    assert edge.lab.programs("v0") == program
    assert edge.xdp()["sequence"] > sequence
    assert edge.ctl("pop", "fra/web", "down").returncode == 0
    reply, by = edge.asked(wire)
    assert (addresses(reply), by) == (["192.0.2.30"], "kernel")
    assert edge.ctl("pop", "fra/web", "auto").returncode == 0


def test_other_capacities_make_other_tables(edge):
    wire = query("www.example.com.", options=[ecs("20.1.2.0/24")])
    edge.configure(xdp={**edge.keys["xdp"], "capacity": {"services": 300}})
    with hot(edge, wire) as report:
        edge.replace()
        edge.ready()
        time.sleep(0.2)
    assert report["lost"] == 0, report
    assert "new tables" in edge.logged() and edge.xdp()["refused"]
    assert edge.xdp()["tables"]["services"]["capacity"] == 300
    assert edge.asked(wire)[1] == "kernel"


def test_tables_are_taken_back_from_a_successor_that_died(edge):
    wire = query("static.example.com.")
    tables = edge.xdp()["tables"]
    victim = subprocess.Popen(["sleep", "60"])
    driver = edge.lab.driver()
    driver.ask("open", edge.keys["xdp"]["pin"], "native", *(tables[table]["capacity"] for table in (
        "image_blocks", "template_blocks", "services")), "v0")
    peer = Successor(edge, victim.pid)
    peer.reach("serving")
    driver.ask("publish", 1)
    victim.kill()
    victim.wait(10)
    driver.kill()
    peer.close()
    edge.ready()
    assert "this server goes on" in edge.logged()
    reply, by = edge.asked(wire)
    assert (addresses(reply), by) == (["192.0.2.1"], "kernel")
    assert edge.ctl("pop", "fra/web", "down").returncode == 0
    assert addresses(edge.asked(query("www.example.com.", options=[ecs("20.1.2.0/24")]))[0]) == ["192.0.2.30"]
    assert edge.ctl("pop", "fra/web", "auto").returncode == 0


def test_a_successor_without_a_kernel_path_ends_it(lab, tmp_path):
    with XdpEdge(lab, tmp_path, listen=["198.51.100.1@53"], xdp={"interfaces": ["v1"]}) as edge:
        edge.ready()
        assert lab.programs("v1") != {}
        edge.configure(xdp="off")
        edge.replace()
        assert until(lambda: lab.programs("v1") == {}, 5)
        with lab.socket("198.51.100.2") as client:
            client.connect(("198.51.100.1", 53))
            client.send(query("static.example.com."))
            assert addresses(client.recv(4096)) == ["192.0.2.1"]
        assert edge.data("status")["xdp"] is None and edge.ctl("xdp").returncode == 1


def test_a_server_that_stands_still_is_not_spoken_for(edge):
    halt(edge.process)
    try:
        time.sleep(3.2)
        with pytest.raises(TimeoutError):
            edge.exchange(query("static.example.com."), timeout=0.3)
    finally:
        edge.process.send_signal(signal.SIGCONT)
    edge.ready()
    assert edge.xdp()["passed"]["stale"] > 0
    assert edge.asked(query("static.example.com."))[1] == "kernel"


def test_the_server_goes_on_as_a_user_when_interfaces_come_and_go(lab, tmp_path):
    os.chmod(tmp_path, 0o777)
    for folder in list(tmp_path.parents)[:-2]:
        with contextlib.suppress(PermissionError):
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
    # "names: services" and a wildcard
    with XdpEdge(lab, tmp_path, user="nobody", listen=["0.0.0.0@5353", "::@5353"],
                 xdp={"interfaces": ["v1", "none0"], "names": "services"}) as edge:
        edge.dns_port = 5353
        edge.ready()
        assert "running as root" not in edge.logged()
        links = {link["interface"]: link["state"] for link in edge.xdp()["links"]}
        assert links == {"v1": "native", "none0": "absent"}
        where = {"source": "198.51.100.2", "server": "198.51.100.1"}
        wire = query("www.example.com.", options=[ecs("20.2.2.0/24")])
        assert edge.asked(wire, **where)[1] == "kernel"
        assert edge.asked(query("static.example.com."), **where)[1] == "userspace"
        # another address of the wildcard
        lab.ip(lab.server, "address", "add", "198.51.100.77/24", "dev", "v1")
        where["server"] = "198.51.100.77"
        assert until(lambda: edge.asked(wire, **where)[1] == "kernel", 5)
        lab.cut(1)
        assert until(lambda: {link["interface"]: link["state"] for link in edge.xdp()["links"]}["v1"] == "absent", 5)
        lab.join(1)
        lab.pass_on("v1")
        assert until(lambda: {link["interface"]: link["state"] for link in edge.xdp()["links"]}["v1"] == "native", 5)
        where["server"] = "198.51.100.1"
        assert until(lambda: edge.asked(wire, **where)[1] == "kernel", 5)
        if edge.keys.get("seccomp") is not False:
            assert "system calls cannot be confined" not in edge.logged()
    assert lab.programs("v1") == {}, "a server that is stopped takes its program along"


def test_hot_names_are_found(lab, tmp_path):
    with XdpEdge(lab, tmp_path, listen=["198.51.100.1@53"],
                 xdp={"interfaces": ["v1"], "names": "hot", "hot": {"names": 10, "sample": 1, "refresh": "1s"}}) as edge:
        edge.ready()
        where = {"source": "198.51.100.2", "server": "198.51.100.1"}
        wire = query("static.example.com.")
        assert edge.asked(wire, **where)[1] == "userspace"
        assert until(lambda: edge.asked(wire, **where)[1] == "kernel", 10), edge.ctl("xdp").stdout


def test_what_does_not_fit_is_answered_by_the_server(lab, tmp_path):
    with XdpEdge(lab, tmp_path, listen=["198.51.100.1@53"],
                 xdp={"interfaces": ["v1"], "capacity": {"services": 1}}) as edge:
        edge.ready()
        where = {"source": "198.51.100.2", "server": "198.51.100.1"}
        assert "not all fits" in edge.logged()
        assert edge.asked(query("static.example.com."), **where)[1] == "kernel"
        reply, by = edge.asked(query("www.example.com.", options=[ecs("20.1.2.0/24")]), **where)
        assert (addresses(reply), by) == (["192.0.2.10"], "userspace")
        assert edge.xdp()["passed"]["image"] == 1
        assert edge.metrics()['isochrone_edge_xdp_left_out{part="services"}'] == 1
        assert edge.ctl("reload").returncode == 0


def test_without_what_it_needs_the_server_serves_all_the_same(lab, tmp_path):
    with XdpEdge(lab, tmp_path, listen=["198.51.100.1@53"], xdp={"interfaces": ["v1"], "pin": str(tmp_path / "pin")}) as edge:
        assert "bpf file system" in edge.logged()
        status = edge.data("status")["xdp"]
        assert status["health"] == "unavailable" and "bpf file system" in status["fault"]
        with lab.socket("198.51.100.2") as client:
            client.connect(("198.51.100.1", 53))
            client.send(query("static.example.com."))
            assert addresses(client.recv(4096)) == ["192.0.2.1"]
        assert explained(edge, "20.1.2.3", "www.example.com.")[1]["reason"] == "unavailable"
        assert "unavailable" in edge.ctl("xdp").stdout


# --- the golden table, through the kernel

@pytest.fixture
def golden_edge(lab, tmp_path):
    here = golden.HERE
    for path in list(here.glob("*.zone")) + [here / "big.inc", here / "services.yaml"]:
        (tmp_path / path.name).write_text(path.read_text())
    subprocess.run([xdp_lab.tool("golden"), "--write-image", tmp_path / "cdn.isomap"], check=True)
    (tmp_path / "broken.zone").write_text("this is no zone\n")
    edge = XdpEdge(lab, tmp_path, identity="golden1", version="isochrone", xdp={"interfaces": ["v1"]},
                   listen=["198.51.100.1@53", "2001:db8:1::1@53"],
                   zones=[{"origin": origin, "file": origin + "zone"} for origin in golden.ZONES] +
                         [{"origin": "broken.example.", "file": "broken.zone"}])
    (tmp_path / "services.yaml").write_text((here / "services.yaml").read_text())
    for prefix, via in (("20.0.0.0/8", "198.51.100.2"), ("192.0.2.99", "198.51.100.2"), ("2001:db8:5::/48", "2001:db8:1::2")):
        lab.ip(lab.client, "route", "add", "local", prefix, "dev", "lo")
        lab.ip(lab.server, "route", "add", prefix, "via", via)
    with edge:
        edge.ready()
        for service in golden.DOWN:
            assert edge.ctl("pop", service, "down", "--force").returncode == 0
        yield edge


def senders(row):
    """Who asks in this row, and whom."""
    said = next((word[5:] for word in row.text.split() if word.startswith("from=")), "20.9.9.9")
    source = "20.9.9.9" if said.startswith("127.") else said  # neither is anybody the table knows
    return {"source": source, "server": "2001:db8:1::1" if ":" in source else "198.51.100.1"}


def test_the_golden_table_is_the_same_through_the_kernel(golden_edge):
    edge = golden_edge
    built = [(row, *golden.build(row)) for row in golden.read_table() if row.rcode != "nothing" and row.kind != "chaos"]
    rows = [(row, wire) for row, wire, only_tcp in built if not only_tcp and senders(row)["source"] != "2001:db8:1::1"]
    before = edge.answered()
    replies = [edge.exchange(wire, **senders(row)) for row, wire in rows]
    share = (edge.answered() - before) / len(rows)
    assert edge.ctl("xdp", "off").returncode == 0
    answered = edge.answered()
    for (row, wire), reply in zip(rows, replies):
        if senders(row)["source"] == "20.9.9.9":  # the others hold what dnspython cannot read
            golden.check(row, wire, reply, False)
        if "cookie" not in row.words:
            assert edge.exchange(wire, **senders(row)) == reply, row.line
    assert edge.answered() == answered
    print(f"{len(rows)} rows, {share:.0%} answered in the kernel")
    assert share > 0.25  # the table is mostly about what is not answered there

# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-bgp's checks of its own host, against the real things: isochrone-edge, processes, interfaces."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from edge_lab import BIN, SERVICES, Edge, build_map, halt, until, zone_text
from test_xdp_edge import SERVER4, SERVER6, XdpEdge
from xdp_lab import XdpLab, inside, why_not

NO_NAMESPACES = why_not()
SERVES = """  answers: {{type: dns, server: "127.0.0.1@{port}", name: static.example.com., interval: 30s, retry: 20ms,
            timeout: 400ms, rise: 1, fall: 2}}
"""


class Bgp:
    """isochrone-bgp --dry-run: checks and decides, and says to nobody what it would do. `checks`: lines of YAML."""

    def __init__(self, folder, checks, vip="127.0.0.1/32", requires="answers", wrapper=()):
        self.folder = folder
        self.config = folder / "bgp.yaml"
        self.wrapper = wrapper
        self.config.write_text(f"vips: [{{prefix: {vip}, requires: [{requires}]}}]\ncontrol: bgp.sock\nchecks:\n{checks}")

    def once(self):
        done = subprocess.run([*self.wrapper, BIN / "isochrone-bgp", "--config", self.config, "--once", "--json"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode in (0, 1), done.stderr
        return {check["check"]: check for check in json.loads(done.stdout)["checks"]}

    def __enter__(self):
        self.log = open(self.folder / "bgp.log", "wb")
        self.process = subprocess.Popen([*self.wrapper, BIN / "isochrone-bgp", "--config", self.config, "--dry-run"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        assert until(lambda: (self.folder / "bgp.sock").exists()), self.logged()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(10)
        self.log.close()
        assert status == 0, self.logged()

    def logged(self):
        return (self.folder / "bgp.log").read_text()

    def check(self, name):
        done = subprocess.run([BIN / "isochronectl", "--socket", self.folder / "bgp.sock", "--json", "vip", "status"],
                              capture_output=True, text=True, timeout=10, check=True)
        return next(check for check in json.loads(done.stdout)["checks"] if check["check"] == name)

    def evidence(self, name):
        return self.check(name)["evidence"]

    def says(self, name, text, seconds=5):
        """Whether the check's evidence is so, now or soon."""
        if not until(lambda: text in (self.evidence(name) or ""), seconds):
            print(self.evidence(name), self.logged())
            return False
        return True


@pytest.fixture
def world(tmp_path):
    build_map(tmp_path)
    (tmp_path / "services.yaml").write_text(SERVICES)
    return Edge(tmp_path, map="cdn.isomap", services="services.yaml", zones=[
        {"origin": "example.com.", "file": "example.com.zone"}, {"origin": "other.test.", "file": "other.zone"}])


# --- the server's process

def test_the_death_of_the_server_is_met_by_a_probe_at_once(tmp_path):
    with Edge(tmp_path) as server:
        checks = SERVES.format(port=server.port) + "  lives: {type: process, control: edge.sock}\n"
        with Bgp(tmp_path, checks) as bgp:
            assert bgp.says("lives", f"process {server.process.pid} lives")
            assert until(lambda: "dry run: announce" in bgp.logged()), bgp.logged()
            before = time.monotonic()
            server.kill()
            assert until(lambda: "dry run: withdraw" in bgp.logged(), 5), bgp.logged()
            print(f"\nwithdrawn {1000 * (time.monotonic() - before):.0f} ms after death, with probes every 30 s")
            assert bgp.says("lives", "nobody listens on")
            assert bgp.says("answers", "nobody listens")
            server.start()
            assert bgp.says("lives", f"process {server.process.pid} lives")


def test_a_replacement_is_no_death(tmp_path):
    with Edge(tmp_path) as server:
        checks = SERVES.format(port=server.port) + "  lives: {type: process, control: edge.sock, interval: 30s}\n"
        with Bgp(tmp_path, checks) as bgp:
            assert bgp.says("lives", f"process {server.process.pid} lives")
            for _ in range(2):
                old = server.process.pid
                server.replace()
                assert bgp.says("lives", f"process {server.process.pid} lives, and has taken over from {old}")
            assert ": down" not in bgp.logged() and "dry run: withdraw" not in bgp.logged(), bgp.logged()


# --- what it says of itself

def test_edge_says_how_old_and_how_whole_it_is(world):
    now = int(time.time())
    checks = SERVES.format(port=world.port)
    checks += "  seen: {type: edge, control: edge.sock}\n"
    checks += "  whole: {type: edge, control: edge.sock, failed_zones: 1, map_age: {stale: 2h, expired: 3h}}\n"
    (world.folder / "other.zone").write_text(zone_text(1))
    build_map(world.folder, as_of=now)
    bgp = Bgp(world.folder, checks)
    with world:
        found = bgp.once()
        assert found["whole"]["verdict"] == "pass" and f"map {now} is " in found["whole"]["evidence"], found
        for age, word in ((2, "stale"), (3, "expired")):
            build_map(world.folder, as_of=now - 3600 * age)
            assert world.ctl("reload").returncode == 0
            found = bgp.once()
            assert found["whole"]["verdict"] == "fail", found
            assert found["whole"]["evidence"].startswith(f"{word}: map {now - 3600 * age} is "), found
            assert found["seen"]["verdict"] == "pass"
        build_map(world.folder, as_of=now + 86400)  # a clock that jumped
        world.configure(zones=world.keys["zones"] + [{"origin": f"z{i}.test.", "file": f"z{i}.zone"} for i in range(2)])
        assert world.ctl("reload").returncode == 1
        found = bgp.once()
        assert found["seen"]["evidence"] == found["whole"]["evidence"] == "2 of 4 zones have no content"
        (world.folder / "z0.zone").write_text(zone_text(1))
        assert world.ctl("reload").returncode == 1
        found = bgp.once()
        assert found["whole"]["verdict"] == "pass" and "ahead" in found["whole"]["evidence"], found


def test_an_edge_that_hangs_is_silent_and_one_that_is_gone_dead(tmp_path):
    checks = "  whole: {type: edge, control: edge.sock, timeout: 100ms}\n"
    checks += "  busy: {type: traffic, control: edge.sock, timeout: 100ms}\n"
    with Edge(tmp_path) as server:
        bgp = Bgp(tmp_path, SERVES.format(port=server.port) + checks)
        server.process.send_signal(signal.SIGSTOP)
        try:
            found = bgp.once()
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert (found["whole"]["verdict"], found["whole"]["evidence"]) == ("fail", "no answer in 100 ms"), found
        assert (found["busy"]["verdict"], found["busy"]["evidence"]) == ("unknown", "no reply in 100 ms"), found
    found = bgp.once()
    for check, verdict in (("whole", "fail"), ("busy", "unknown")):
        assert found[check]["verdict"] == verdict and found[check]["evidence"].startswith("nobody listens on"), found


def test_traffic_vouches_for_what_clients_get_and_nothing_else(tmp_path):
    with Edge(tmp_path) as server:
        checks = SERVES.format(port=server.port)
        for family in ("ipv4", "ipv6"):
            checks += (f"  {family}: {{type: traffic, control: edge.sock, family: {family}, transport: udp, at_least: 20, "
                       "interval: 100ms}\n")
        with Bgp(tmp_path, checks) as bgp:
            assert bgp.says("ipv4", "that shows nothing")
            assert bgp.says("ipv6", "that shows nothing")

            def passes():
                for _ in range(50):
                    server.ask("static.example.com.")
                return bgp.check("ipv4")["last"] == "pass"
            assert until(passes), bgp.check("ipv4")
            assert bgp.check("ipv6")["last"] == "unknown"


# --- this host

def test_a_command_is_the_operators_own_check(tmp_path):
    probe = tmp_path / "probe.sh"
    probe.write_text("#!/bin/sh\necho \"$1: $(cat mood 2>/dev/null || echo fine)\"\ntest ! -e mood\n")
    probe.chmod(0o755)
    checks = ("  answers: {type: exec, command: [./probe.sh, mood], interval: 50ms, timeout: 10s, rise: 1, fall: 1}\n"
              "  slow: {type: exec, class: watch, command: [sleep, 60], timeout: 100ms}\n"
              "  broken: {type: exec, class: watch, command: [no-such-program]}\n"
              "  leaks: {type: exec, class: watch, command: [sh, -c, \"ls -l /proc/$$/fd | wc -l\"]}\n")
    cwd = os.getcwd()
    os.chdir(tmp_path)
    try:
        with Bgp(tmp_path, checks) as bgp:
            assert bgp.says("answers", "exit 0: mood: fine")
            assert bgp.says("slow", "not done in 100 ms")
            assert bgp.says("broken", "exit 127: No such file or directory")
            assert bgp.says("leaks", "exit 0: 4")  # a headline, 0, 1 and 2
            assert until(lambda: "dry run: announce" in bgp.logged())
            (tmp_path / "mood").write_text("bad\n")
            assert until(lambda: "dry run: withdraw" in bgp.logged()), bgp.logged()
            assert bgp.says("answers", "exit 1: mood: bad")
    finally:
        os.chdir(cwd)


@contextlib.contextmanager
def namespace(name):
    def ip(*words):
        subprocess.run(["ip", "-n", name, *words], check=True, capture_output=True, timeout=10)
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=10)
    try:
        ip("link", "set", "lo", "up")
        yield ip
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, timeout=10)


@pytest.mark.skipif(NO_NAMESPACES is not None, reason=f"SKIP: {NO_NAMESPACES}")
def test_an_address_that_goes_is_known_at_once(tmp_path):
    name = f"isobh{os.getpid()}"
    checks = "  here: {type: interface, address: 192.0.2.53, interface: vip0, interval: 60s, rise: 1, fall: 1}\n"
    checks += "  look: {type: interface, class: watch, address: 192.0.2.53, interface: vip0, interval: 50ms}\n"
    checks += "  look6: {type: interface, class: watch, address: \"2001:db8::53\", interval: 50ms}\n"
    with namespace(name) as ip:
        ip("link", "add", "vip0", "type", "veth", "peer", "name", "peer0")
        wrapper = ["nsenter", f"--net=/run/netns/{name}"]
        with Bgp(tmp_path, checks, vip="192.0.2.53/32", requires="here", wrapper=wrapper) as bgp:
            assert bgp.says("look", "192.0.2.53 is not on this host")
            ip("address", "add", "192.0.2.53/32", "dev", "vip0")
            assert bgp.says("look", "192.0.2.53 is on an interface that is down: vip0")
            ip("link", "set", "vip0", "up")
            assert bgp.says("here", "192.0.2.53 is on vip0")
            assert until(lambda: "dry run: announce" in bgp.logged()), bgp.logged()
            before = time.monotonic()
            ip("address", "del", "192.0.2.53/32", "dev", "vip0")
            assert until(lambda: "dry run: withdraw" in bgp.logged(), 5), bgp.logged()
            print(f"\nwithdrawn {1000 * (time.monotonic() - before):.0f} ms after its address, with probes every 60 s")
            ip("address", "add", "192.0.2.53/32", "dev", "lo")
            assert bgp.says("look", "192.0.2.53 is elsewhere: on lo")
            # an address that may not be used yet, since somebody else may have it
            ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
            with inside(name):
                pathlib.Path("/proc/sys/net/ipv6/conf/v0/dad_transmits").write_text("600", encoding="ascii")
            for end in ("v0", "v1"):
                ip("link", "set", end, "up")
            ip("address", "add", "2001:db8::53/64", "dev", "v0")
            assert bgp.says("look6", "2001:db8::53 is not usable (tentative, or found twice) on v0")
            ip("address", "del", "2001:db8::53/64", "dev", "v0")
            ip("address", "add", "2001:db8::53/64", "dev", "v0", "nodad")
            assert bgp.says("look6", "2001:db8::53 is on v0")


# --- the program in the kernel

@pytest.mark.skipif(NO_NAMESPACES is not None, reason=f"SKIP: {NO_NAMESPACES}")
def test_the_kernel_program_is_asked_itself(tmp_path):
    """What it answers, what it counts, and why it does not: its server dead, switched off, off the interface, not allowed."""
    (tmp_path / "edge").mkdir()
    (tmp_path / "bgp").mkdir()
    with XdpLab(tmp_path) as lab, XdpEdge(lab, tmp_path / "edge") as server:
        server.ready()
        checks = f"  answers: {{type: dns, server: {SERVER4}, name: static.example.com.}}\n"
        common = f"type: xdp, pin: {lab.pins}/edge"
        checks += (f"  kernel: {{{common}, interface: v0, server: {SERVER4}, name: static.example.com., expect: [192.0.2.1]}}\n"
                   f"  geo6: {{{common}, server: \"{SERVER6}\", name: www.example.com., qtype: AAAA, ecs: \"2400:1::/32\",\n"
                   "         expect: [\"2001:db8:1::10\"], client: \"2001:db8:c000::1\"}\n"
                   f"  wrong: {{{common}, server: {SERVER4}, name: static.example.com., expect: [192.0.2.77]}}\n"
                   f"  other: {{{common}, server: {SERVER4}, name: id.server.}}\n"
                   f"  nowhere: {{{common}, interface: v9, server: {SERVER4}, name: static.example.com.}}\n")
        bgp = Bgp(tmp_path / "bgp", checks, vip=f"{SERVER4}/32", wrapper=lab.server_command())

        def found(*wrapper):
            bgp.wrapper = lab.server_command(*wrapper)
            return {name: (check["verdict"], check["evidence"]) for name, check in bgp.once().items()}

        before = server.answered(), server.userspace()
        seen = found()
        assert seen["kernel"][0] == "pass" and "on v0: NOERROR, 1 records, 192.0.2.1" in seen["kernel"][1], seen
        assert seen["geo6"][0] == "pass" and "2001:db8:1::10" in seen["geo6"][1], seen
        assert seen["wrong"][0] == "fail" and "192.0.2.1, which is not expected" in seen["wrong"][1], seen
        assert seen["other"] == ("fail", "kernel program passes this query up, and its server lives")
        assert seen["nowhere"] == ("fail", f"no program of {lab.pins}/edge is on v9")
        assert server.answered() - before[0] == 4, "each counts; the one that was wrong was asked twice"
        assert server.userspace() - before[1] == 1, "of the dns check alone"

        powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        os.chown(lab.pins / "edge", 65534, 65534)
        seen = found(*powerless)
        assert seen["kernel"] == ("unknown", f"{lab.pins}/edge: Permission denied: what is pinned there must be ours to read and write")
        os.chown(lab.pins / "edge", 0, 0)
        seen = found(*powerless)
        assert seen["kernel"][0] == "pass", seen
        assert seen["other"] == ("fail", "kernel program passes this query up"), "nobody says why"

        halt(server.process)  # no heartbeat, and the program stays
        assert until(lambda: found()["kernel"][0] == "fail", 8)
        seen = found()
        assert seen["kernel"][1].startswith("kernel program passes: heartbeat over "), seen
        server.process.send_signal(signal.SIGCONT)
        assert until(lambda: found()["kernel"][0] == "pass", 8)
        server.kill()  # it answers on, for three seconds
        assert found()["kernel"][0] == "pass"
        lab.cut(0)
        assert found()["kernel"] == ("fail", f"no program of {lab.pins}/edge is on v0")
        lab.join(0)
        server.start()

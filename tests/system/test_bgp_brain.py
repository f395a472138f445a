# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides dies, hangs, cannot start and is replaced under real ExaBGP and BIRD: no route may notice."""
import os
import pathlib
import shutil
import signal
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()
RESPONDER = ROOT / "tests/lab/responder.py"
sys.path.insert(0, str(ROOT / "deploy/lab"))
import lab as viplab  # noqa: E402  pylint: disable=wrong-import-position
from lab import VIP4, VIP6  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.skipif(viplab.why_not() is not None, reason=f"SKIP: no lab: {viplab.why_not()}")


# In one batch ExaBGP 4.2 sends the last announcement before the withdrawal: it holds the route and the router does not.
OURS = f"announce route {VIP4} next-hop self med 100 community [ 65001:53 ] large-community [ 65001:1:7 ]"
LOSE = f"""cd "$(dirname "$0")"
until [ -e lose.mood ]; do sleep 0.02; done
printf 'withdraw route {VIP4}\\n'
sleep 0.05
printf '{OURS}\\nwithdraw route {VIP4}\\n{OURS}\\n'
cat >/dev/null
"""


class BrainLab(viplab.Lab):
    """One for all tests of this file: each leaves both VIPs announced."""

    def up(self):
        self.make()
        self.start_bird()
        for name, vip in (("answers4", VIP4), ("answers6", VIP6)):
            self.answer(name, vip)
        self.program = self.folder / "isochrone-bgp"
        shutil.copy(BIN / "isochrone-bgp", self.program)
        begin = time.time()
        self.start_exabgp(self.program)
        for vip in (VIP4, VIP6):
            self.wait_change(vip, "added", begin)
        self.configure("lease: 500ms\n")

    def restart_exabgp(self, more=None):
        (self.folder / "lose.conf").write_text(LOSE)
        exabgp = self.folder / "exabgp.conf"
        exabgp.write_text(exabgp.read_text().replace("processes [ isochrone ]", "processes [ isochrone lose ]") +
                          f"process lose {{\n    encoder text;\n    run /bin/sh {self.folder}/lose.conf;\n}}\n")
        super().restart_exabgp(more)

    def answer(self, name, vip):
        self.start(name, self.pop, ["/usr/bin/python3", RESPONDER, vip.split("/")[0], self.folder / f"{name}.mood"])

    def brain(self):
        """The process id of what decides, the child of ExaBGP's child; 0 if there is none."""
        holder = self.helper()
        for pid in self.pids(self.pop):
            try:
                if holder and viplab.parent_of(pid) == holder:
                    return pid
            except OSError:
                pass
        return 0

    def configure(self, more):
        """Puts lines at the end of the configuration, and has it read."""
        before, config = self.brain(), self.folder / "bgp.yaml"
        config.write_text(config.read_text() + more)
        os.kill(self.helper(), signal.SIGHUP)
        self.wait_leader(before)

    def wait_leader(self, before, seconds=10):
        """Another brain than `before` leads, and has decided."""
        return viplab.wait_for(lambda: self.brain() not in (0, before) and self.announced() and self.brain(), seconds,
                               "a new brain")

    def announced(self):
        try:
            vips = self.ask({"verb": "vip status"})["data"]["vips"]
        except OSError:
            return False
        return all(vip["state"] == "announced" for vip in vips)

    def told(self, *words, since=0):
        return any(all(word in line for word in words) for line in self.log("exabgp")[since:].splitlines())

    def removed(self):
        return [verb for vip in (VIP4, VIP6) for _, verb in self.route_changes(vip)].count("removed")


@pytest.fixture(name="brains", scope="module")
def brains_fixture(tmp_path_factory):
    lab = BrainLab(tmp_path_factory.mktemp("brains") / "lab")
    try:
        lab.up()
        yield lab
    finally:
        print(f"---- exabgp.log\n{lab.log('exabgp')[-9000:]}")
        for name in ("isochrone-bgp", "lose.conf", "answers4.mood", "answers6.mood"):
            (lab.folder / name).unlink(missing_ok=True)
        lab.down()


@pytest.fixture(name="lab")
def lab_fixture(brains):
    """With a place in the log, and the promise that nothing happened to a route or to the holder."""
    brains.since, brains.gone = len(brains.log("exabgp")), brains.removed()
    holder = brains.helper()
    yield brains
    assert brains.helper() == holder, "what ExaBGP started lives on"
    assert brains.removed() == brains.gone, "a route was withdrawn"
    assert brains.announced()


def test_a_killed_brain_is_replaced_at_once(lab):
    before = lab.brain()
    begin = time.monotonic()
    os.kill(before, signal.SIGKILL)
    viplab.wait_for(lambda: lab.brain() not in (0, before), 5, "a new brain")
    print(f"SIGKILL -> new brain: {(time.monotonic() - begin) * 1000:.0f} ms")
    lab.wait_leader(before)
    assert lab.told("ended by signal 9", since=lab.since)
    assert not lab.told("has not renewed its lease", since=lab.since)


def test_a_hung_brain_is_replaced(lab):
    before = lab.brain()
    os.kill(before, signal.SIGSTOP)
    viplab.wait_for(lambda: lab.told("has not renewed its lease", since=lab.since), 3, "the end of the lease")
    assert lab.brain() == before, "a pause is no reason to kill it"
    lab.wait_leader(before)
    assert lab.told("hangs, killed", since=lab.since) and lab.told("leads", since=lab.since)


def test_a_short_pause_costs_nothing(lab):
    before = lab.brain()
    os.kill(before, signal.SIGSTOP)
    viplab.wait_for(lambda: lab.told("has not renewed its lease", since=lab.since), 3, "the end of the lease")
    os.kill(before, signal.SIGCONT)
    viplab.wait_for(lambda: lab.told("leads again", since=lab.since), 3, "the lease")
    assert lab.brain() == before


def test_the_holder_withdraws_what_is_dead_while_the_brain_hangs(lab):
    os.kill(lab.brain(), signal.SIGSTOP)
    viplab.wait_for(lambda: lab.told("has not renewed its lease", since=lab.since), 3, "the end of the lease")
    before = lab.brain()
    gone = lab.wait_change(VIP4, "removed", lab.kill("answers4"))
    print(f"SIGKILL of what answers -> withdrawn by the holder alone: {gone * 1000:.0f} ms")
    assert lab.told(f"vip {VIP4}: withdraw: there is no brain", "nobody listens", since=lab.since)
    assert lab.routed(VIP6), "what still answers stays"
    assert not lab.routed(VIP4)
    lab.gone += 1
    begin = time.time()
    lab.answer("answers4", VIP4)
    lab.wait_change(VIP4, "added", begin)
    assert lab.brain() != before, "only a brain announces"
    lab.wait_leader(before)
    assert lab.ask({"verb": "vip status"})["data"]["exabgp"]["mismatches"] == 0


def test_a_wrong_configuration_changes_nothing(lab):
    before, config = lab.brain(), lab.folder / "bgp.yaml"
    good = config.read_text()
    config.write_text(good + "nonsense: 1\n")
    os.kill(lab.helper(), signal.SIGHUP)
    viplab.wait_for(lambda: lab.told("reload: nothing changed", "bgp.yaml:", "nonsense", since=lab.since), 5, "a refusal")
    assert lab.ask({"verb": "reload"})["ok"] is False
    assert lab.brain() == before
    # and a brain that dies now cannot be replaced: the routes stay all the same
    os.kill(before, signal.SIGKILL)
    viplab.wait_for(lambda: lab.told("trying again in 2 s", since=lab.since), 10, "two failed starts")
    assert lab.routed(VIP4) and lab.routed(VIP6)
    assert lab.told("brain: cannot start", "bgp.yaml:", "nonsense", since=lab.since)
    assert lab.told("has not renewed its lease", since=lab.since)
    config.write_text(good)
    os.kill(lab.helper(), signal.SIGHUP)
    lab.wait_leader(before)


def test_an_upgrade_takes_the_new_program(lab):
    before = lab.brain()
    lab.program.rename(lab.folder / "old")
    shutil.copy(BIN / "isochrone-bgp", lab.program)
    assert lab.ask({"verb": "reload"})["ok"] is True
    after = lab.wait_leader(before)
    assert os.stat(f"/proc/{after}/exe").st_ino == lab.program.stat().st_ino
    assert os.stat(f"/proc/{lab.helper()}/exe").st_ino == (lab.folder / "old").stat().st_ino
    (lab.folder / "old").unlink()


@pytest.mark.parametrize("text", ["#!/bin/false\n", "#!/bin/sleep 99\n", "nonsense", ""])
def test_a_program_that_does_not_work_is_not_taken(lab, text):
    before = lab.brain()
    good = lab.program.rename(lab.folder / "good")
    try:
        if text:
            lab.program.write_text(text)
            lab.program.chmod(0o755)
        os.kill(lab.helper(), signal.SIGHUP)
        viplab.wait_for(lambda: lab.told("reload: nothing changed", since=lab.since), 15, "a refusal")
        assert lab.brain() == before
        if not text:  # with none on disk, the holder's own image does
            os.kill(before, signal.SIGKILL)
            lab.wait_leader(before, 20)
    finally:
        good.rename(lab.program)


def test_a_vip_that_leaves_the_configuration_is_withdrawn(lab):
    config = lab.folder / "bgp.yaml"
    good = config.read_text()
    lines = [line for line in good.splitlines(keepends=True) if VIP6 not in line]
    config.write_text("".join(lines))
    begin = time.time()
    os.kill(lab.helper(), signal.SIGHUP)
    lab.wait_change(VIP6, "removed", begin)
    lab.gone += 1
    config.write_text(good)
    begin = time.time()
    os.kill(lab.helper(), signal.SIGHUP)
    lab.wait_change(VIP6, "added", begin)
    viplab.wait_for(lab.announced, 10, "both VIPs")


def test_a_second_one_waits(lab):
    """The one who holds the lock steers, whoever starts another."""
    ours, theirs = os.pipe()
    try:
        lab.start("second", lab.pop, ["/bin/sh", "-c", f"exec {lab.program} --config {lab.folder}/bgp.yaml "
                                      f"< /proc/{os.getpid()}/fd/{ours} > {lab.folder}/second.out"])
        viplab.wait_for(lambda: "another isochrone-bgp steers these VIPs" in lab.log("second"), 5, "a refusal")
        time.sleep(0.5)
        assert (lab.folder / "second.out").read_text() == ""
    finally:
        lab.kill("second")
        (lab.folder / "second.out").unlink(missing_ok=True)
        os.close(ours)
        os.close(theirs)


def test_graceful_restart_is_refused(lab):
    """Nothing new is announced while a session has it; what is announced stays."""
    exabgp = lab.folder / "exabgp.conf"
    good = exabgp.read_text()
    assert good.count("hold-time 9;") == 2
    exabgp.write_text(good.replace("hold-time 9;", "hold-time 9;\n    capability {\n        graceful-restart 20;\n    }"))
    os.kill(lab.processes["exabgp"][0], signal.SIGUSR1)
    viplab.wait_for(lambda: lab.told("neighbor 10.99.0.2: has graceful-restart", "Nothing is announced",
                                     since=lab.since), 10, "a refusal")
    viplab.wait_for(lambda: lab.routed(VIP4) and lab.routed(VIP6), 5, "the sessions")
    lab.wait_change(VIP4, "removed", lab.kill("answers4"))
    since = len(lab.log("exabgp"))
    lab.answer("answers4", VIP4)
    viplab.wait_for(lambda: lab.told(f"vip {VIP4}: announce:", since=since), 5, "a decision")
    time.sleep(0.5)
    assert not lab.routed(VIP4)
    before = lab.brain()
    lab.configure("graceful_restart: allow\n")
    lab.wait_leader(before)
    assert lab.routed(VIP4) and lab.told("has graceful-restart: its router keeps", since=since)
    exabgp.write_text(good)
    os.kill(lab.processes["exabgp"][0], signal.SIGUSR1)
    viplab.wait_for(lambda: "Graceful restart" not in lab.birdc("show", "protocols", "all", "pop4").partition(
        "Neighbor capabilities")[2].partition("Session")[0] and lab.announced(), 15, "sessions without it")
    lab.gone = lab.removed()


GLASS = """protocol bgp glass from pop {
    local 10.99.1.2 as 65000;
    neighbor 10.99.1.1 as 65001;
    ipv4 { import none; export all; };
}
"""


def test_a_route_that_got_lost_is_repaired(lab):
    """A session on which the router sends back what it has: what is missing is sent again."""
    for namespace, link, last in ((lab.pop, "ip", 1), (lab.router, "ir", 2)):
        viplab.run(*viplab.inside(namespace), "ip", "addr", "add", f"10.99.1.{last}/30", "dev", f"{link}{lab.tag}")
    bird, exabgp, trigger = lab.folder / "bird.conf", lab.folder / "exabgp.conf", lab.folder / "lose.mood"
    bird.write_text(bird.read_text() + GLASS)
    lab.birdc("configure")
    text = exabgp.read_text()
    first = text[text.index("neighbor 10.99.0.2"):text.index("neighbor fd99::2")]
    exabgp.write_text(text + first.replace("10.99.0.", "10.99.1."))
    try:
        os.kill(lab.processes["exabgp"][0], signal.SIGUSR1)
        viplab.wait_for(lambda: "Established" in lab.birdc("show", "protocols", "glass"), 10, "the session")
        lab.configure("instance: \"65001:1:7\"\nclosed_loop: {peers: [10.99.1.2], wait: 500ms, interval: 200ms}\n")
        viplab.wait_for(lambda: lab.ask({"verb": "vip status"})["data"]["vips"][0]["seen"] == "yes", 10, "the route back")
        status = lab.ask({"verb": "vip status"})["data"]
        assert status["vips"][1]["seen"] == "unknown", "no IPv6 session closes the loop"
        assert status["exabgp"]["repairs"] == 0
        assert "(65001, 1, 7)" in lab.birdc("show", "route", "all", VIP4)

        begin, lab.gone = time.time(), lab.gone + 1
        trigger.touch()
        lab.wait_change(VIP4, "removed", begin)
        viplab.wait_for(lambda: lab.told(f"vip {VIP4}: announced, and no router sends it back", since=lab.since), 10, "a finding")
        lab.wait_change(VIP4, "added", begin)
        viplab.wait_for(lambda: lab.told(f"vip {VIP4}: routers send it back again", since=lab.since), 10, "its end")
        status = lab.ask({"verb": "vip status"})["data"]
        assert status["exabgp"]["repairs"] == 1 and status["vips"][0]["seen"] == "yes"
        lab.gone = lab.removed()
    finally:
        trigger.unlink(missing_ok=True)

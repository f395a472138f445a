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
        for name in ("isochrone-bgp", "answers4.mood", "answers6.mood"):
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

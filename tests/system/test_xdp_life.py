# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of the kernel fast path, on real interfaces: attached, adopted, replaced, disturbed, taken off."""
import contextlib
import errno
import fcntl
import ipaddress
import os
import pathlib
import subprocess
import threading
import time

import dns.message
import pytest

from xdp_lab import BIN, XdpLab, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"SKIP: {why_not()}")

CAPACITY = (1000, 200, 8)  # blocks of image and templates, services
STALE = -errno.ESTALE

MAPPER = """pops:
  fra: {{location: [50.0, 8.6]}}
  sin: {{location: [1.3, 103.8]}}
maps:
  web: {{default: [{default}]}}
overrides: pins.csv
"""


@pytest.fixture(name="house", scope="module")
def house_fixture(tmp_path_factory):
    with XdpLab(tmp_path_factory.mktemp("house")) as lab:
        lab.pass_on("v0")
        yield lab


@pytest.fixture(name="lab")
def lab_fixture(house):
    """One after the other adopts what the one before has left behind, as daemons do; it also saves the verifier's time."""
    yield house
    house.kill_drivers()


@pytest.fixture(name="images", scope="module")
def images_fixture(tmp_path_factory):
    """Two images that send everybody elsewhere."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "pins.csv").write_text("prefix,pop\n20.1.0.0/16,fra\n")
    for default in ("fra", "sin"):
        (folder / "mapper.yaml").write_text(MAPPER.format(default=default))
        subprocess.run([BIN / "isochrone-mapper", "build", "--config", folder / "mapper.yaml", "--output",
                        folder / f"{default}.isomap", "--as-of", "1700000000"], check=True, capture_output=True)
    return [folder / "fra.isomap", folder / "sin.isomap"]


def opened(lab, *interfaces, mode="auto", capacity=CAPACITY):
    """A driver that has the path open and knows where it listens."""
    driver = lab.driver()
    driver.ask("open", lab.pins / "edge", mode, *capacity, *(interfaces or ("v0",)))
    for address in ("192.0.2.1", "198.51.100.1", "2001:db8::1"):
        driver.ask("listen", address, 53)
    return driver


def serving(lab, *interfaces, number=1, **options):
    driver = opened(lab, *interfaces, **options)
    driver.ask("attach", code=None)
    driver.ask("publish", number)
    return driver


def heard(lab, server="192.0.2.1", source="192.0.2.2", timeout=2.0):
    """The number of the publication that answers; None: nobody does."""
    response = lab.ask("k.example.", server=server, source=source, timeout=timeout)
    if response is None:
        return None
    (record,) = response.answer[0]
    return int(ipaddress.ip_address(record.address)) & 0xFFFF


def children(process):
    return [int(pid) for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def gone(pid, seconds=3):
    """Ended, whether or not somebody has taken note."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


class Asking:
    """Somebody who asks all the time, 32 questions at once, and notes what is lost and how each answer reads."""

    def __init__(self, lab, name="www.example."):
        self.answers = []  # (number in the address, pop, TTL)
        self.lost = 0
        self.wire = dns.message.make_query(name, "A").to_wire()
        self.lab = lab
        self.ending = False
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        with self.lab.socket("192.0.2.2", 1.0) as client:
            client.connect(("192.0.2.1", 53))
            while not self.ending:
                for number in range(32):
                    with contextlib.suppress(ConnectionRefusedError):  # of the one before; lost all the same
                        client.send(number.to_bytes(2, "big") + self.wire[2:])
                for _ in range(32):
                    try:
                        answer = client.recv(512)
                    except (TimeoutError, ConnectionRefusedError):
                        self.lost += 1
                        continue
                    ttl, address = answer[-10:-6], answer[-4:]
                    self.answers.append((int.from_bytes(address[2:], "big"), address[1], int.from_bytes(ttl, "big")))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join()


def test_attached_answering_and_taken_off_again(lab):
    driver = serving(lab, number=77)
    assert driver.links()["v0"] == {"interface": "v0", "state": "native", "adopted": False, "reason": ""}
    assert list(lab.programs("v0")) == ["native"]
    assert heard(lab) == 77
    assert heard(lab, "2001:db8::1", "2001:db8::2") == 77
    lab.offload("v0", "tx", "off")  # questions with whole checksums, as they come from a wire
    assert heard(lab) == 77
    assert heard(lab, "2001:db8::1", "2001:db8::2") == 77
    lab.offload("v0", "tx", "on")
    assert driver.ask("attach")["code"] == 0, "nothing changed"
    assert driver.ask("status")["answered"] == 4, "of the kernel's"
    driver.ask("close", "detach")
    assert lab.programs("v0") == {}
    assert not (lab.pins / "edge").exists()
    assert heard(lab, timeout=0.3) is None


def test_a_killed_daemon_leaves_answers_and_the_next_adopts_them(lab):
    driver = serving(lab, number=1)
    (helper,) = children(driver.process)
    before, answered = lab.programs("v0"), driver.ask("status")["answered"]
    driver.kill()
    assert gone(helper), "the helper ends with the daemon"
    assert heard(lab) == 1
    driver = opened(lab)
    driver.ask("attach", code=1)
    assert driver.links()["v0"]["adopted"] and driver.ask("status")["refused"] == ""
    driver.ask("beat", code=-errno.EAGAIN)  # nothing of the dead one is kept alive
    assert heard(lab) == 1
    driver.ask("publish", 2)
    driver.ask("beat")
    assert heard(lab) == 2
    assert lab.programs("v0") == before, "the program itself went on"
    assert driver.ask("status")["answered"] == answered + 3, "and its counters"


def test_without_a_beat_everything_is_passed_up(lab):
    driver = serving(lab)
    assert heard(lab) == 1
    driver.kill()
    time.sleep(3.05)
    assert heard(lab, timeout=0.3) is None
    driver = opened(lab)
    assert driver.ask("status")["stale"] > 0
    assert heard(lab, timeout=0.3) is None
    driver.ask("publish", 2)
    assert heard(lab) == 2


def test_tables_of_another_version_are_replaced_without_a_gap(lab):
    old = serving(lab, number=1)
    before = lab.programs("v0")
    old.ask("version", lab.pins / "edge")
    new = opened(lab)
    assert "its tables have version" in new.ask("status")["refused"]
    old.ask("beat")
    with Asking(lab, "k.example.") as asking:
        new.ask("attach", code=1)
        assert lab.programs("v0") == before, "until there is something to say, the other goes on"
        new.ask("beat", code=-errno.EAGAIN)
        old.ask("beat")
        time.sleep(0.1)
        new.ask("publish", 2)
        new.ask("beat")
        time.sleep(0.1)
    assert lab.programs("v0") != before
    assert asking.lost == 0
    assert [number for number, _, _ in asking.answers] == sorted(number for number, _, _ in asking.answers)
    assert {number for number, _, _ in asking.answers} == {1, 2}
    old.ask("attach", code=STALE)
    old.ask("close", "detach")
    assert heard(lab) == 2


def test_the_newer_of_two_daemons_owns_the_tables(lab):
    old = serving(lab, number=1)
    new = opened(lab)
    old.ask("states", 5)
    assert heard(lab) == 1, "one that has only opened changes nothing"
    new.ask("publish", 2)
    old.ask("states", 6, code=STALE)
    old.ask("publish", 7, code=STALE)
    old.ask("beat", code=STALE)
    new.ask("beat")
    old.ask("attach", code=STALE)
    old.ask("close", "detach")
    assert heard(lab) == 2
    assert list(lab.programs("v0")) == ["native"]


@pytest.mark.parametrize("version", [False, True])
def test_a_successor_that_fails_gives_back(lab, version):
    old = serving(lab, number=1)
    if version:
        old.ask("version", lab.pins / "edge")
    new = serving(lab, number=2)
    assert old.ask("beat", code=None)["code"] == (0 if version else STALE), "tables of its own, or not"
    new.kill()
    old.ask("reclaim")
    old.ask("publish", 3)
    assert heard(lab) == 3
    old.ask("attach")
    assert old.links()["v0"]["state"] == "native"


def test_somebody_elses_program_is_left_alone(lab):
    serving(lab).ask("close", "detach")
    lab.pass_on("v0", lab.server)
    foreign = lab.programs("v0")
    driver = serving(lab)
    link = driver.links()["v0"]
    assert link["state"] == "taken"
    assert f"id {foreign['native']}" in link["reason"] and "pass_all" in link["reason"], link
    driver.ask("close", "detach")
    assert lab.programs("v0") == foreign
    lab.ip(lab.server, "link", "set", "v0", "xdp", "off")
    assert serving(lab).links()["v0"]["state"] == "native"


def test_interfaces_come_and_go(tmp_path):
    with XdpLab(tmp_path, pairs=2) as lab:
        lab.pass_on("v0")
        lab.pass_on("v1")
        driver = serving(lab, "v0", "v1", "v7")
        assert [link["state"] for link in driver.links().values()] == ["native", "native", "absent"]
        assert heard(lab) == 1
        assert heard(lab, "198.51.100.1", "198.51.100.2") == 1, "both have the same tables"
        driver.ask("drop", 65534)  # the helper attaches, not we
        index = lab.index("v0")
        lab.cut(0)
        assert driver.ask("attach", code=1) and driver.links()["v0"]["state"] == "absent"
        driver.ask("states", 2)
        assert heard(lab, "198.51.100.1", "198.51.100.2") == 1
        lab.join(0, "index", index)  # the number of before does not make it the interface of before
        lab.pass_on("v0")
        driver.ask("attach", code=1)
        driver.ask("beat")
        assert heard(lab) == 1
        lab.ip(lab.server, "link", "set", "v0", "down")
        lab.ip(lab.server, "link", "set", "v0", "name", "v7")
        driver.ask("attach", code=2)
        assert [link["state"] for link in driver.links().values()] == ["absent", "native", "native"]
        # the next daemon is told of one interface alone: it lets the other go
        driver.kill()
        driver = serving(lab, "v7", number=3)
        assert driver.links()["v7"]["adopted"]
        assert lab.programs("v1") == {}


def test_generic_mode_is_a_choice_or_said_aloud(tmp_path):
    with XdpLab(tmp_path, pairs=2) as lab:
        driver = serving(lab, mode="generic")
        assert "generic" in driver.links()["v0"]["reason"]
        assert list(lab.programs("v0")) == ["generic"]
        assert heard(lab) == 1
        driver.ask("close", "detach")
        # a veth pair with frames that no page holds takes no native program
        for namespace in (lab.server, lab.client):
            lab.ip(namespace, "link", "set", "v0", "mtu", "9000")
        driver = serving(lab, number=2, mode="native")
        link = driver.links()["v0"]
        assert link["state"] == "failed" and "native" in link["reason"], link
        driver.ask("close", "detach")
        driver = serving(lab, number=2)
        link = driver.links()["v0"]
        assert link["state"] == "generic" and "native mode was refused" in link["reason"], link
        assert heard(lab) == 2


def test_the_helper_can_do_little(lab):
    driver = serving(lab)
    (helper,) = children(driver.process)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{helper}/status").read_text().splitlines())
    net_admin, bpf = 1 << 12, 1 << 39
    for which in ("CapPrm", "CapEff"):
        assert int(status[which], 16) == net_admin | bpf, which
    for which in ("CapBnd", "CapInh", "CapAmb"):
        assert int(status[which], 16) == 0, which
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert status["Name"] == "isochrone-xdp"
    os.kill(helper, 9)
    driver.ask("attach")
    assert "helper" in driver.links()["v0"]["reason"]
    driver.ask("states", 3)
    driver.ask("beat")
    assert heard(lab) == 1, "what is attached goes on"


def test_slots_are_waited_for_in_two_ways_and_not_without(lab):
    driver = serving(lab, number=1)
    (helper,) = children(driver.process)
    driver.ask("refuse-membarrier")
    for number in range(2, 8):
        driver.ask("publish", number)
        assert heard(lab) == number
    os.kill(helper, 9)
    answers = [driver.ask("publish", 50 + number, code=None) for number in range(4)]
    assert answers[-1]["code"] == -errno.EPIPE and "wait" in answers[-1]["reason"], answers
    driver.ask("beat")
    well = [50 + number for number, answer in enumerate(answers) if answer["code"] == 0]
    assert heard(lab) == (well[-1] if well else 7), "the last that was well"


def test_only_one_writes_at_a_time(lab):
    driver = serving(lab, number=1)
    folder = os.open(lab.pins / "edge", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        assert "locked" in driver.ask("publish", 2, code=-errno.EBUSY)["reason"]
        driver.ask("beat")
        assert heard(lab) == 1
    finally:
        os.close(folder)
    driver.ask("publish", 3)
    assert heard(lab) == 3


def test_samples_of_packets(lab):
    driver = serving(lab)
    assert heard(lab) == 1
    assert driver.ask("samples")["samples"] == []
    driver.ask("tap", 1)
    assert heard(lab) == 1
    assert lab.ask("other.example.", timeout=0.1) is None
    answer = driver.ask("samples", code=None)
    assert {14 + 20 + 8 + 12 + 11 + 4, 14 + 20 + 8 + 12 + 15 + 4} <= set(answer["samples"]), answer
    driver.ask("tap", 0)
    assert heard(lab) == 1
    assert driver.ask("samples")["samples"] == []


def test_what_does_not_fit_is_left_out_and_said(lab, images):
    driver = opened(lab, capacity=(1, 40, 2))
    answer = driver.ask("publish", 1, images[0])
    assert answer["left_out"] == 1 and "image" in answer["reason"], answer
    driver.ask("beat")
    assert heard(lab) == 1, "only services need it"
    assert lab.ask("www.example.", timeout=0.3) is None
    driver.ask("services", 3)
    answer = driver.ask("publish", 2)
    assert answer["left_out"] == 4 and "3 services" in answer["reason"], answer
    assert heard(lab) == 2
    # the operator gives more room: new tables
    driver.kill()
    driver = serving(lab, number=3)
    assert "another size" in driver.ask("status")["refused"]
    assert not driver.ask("publish", 4, images[0])["left_out"]
    assert heard(lab) == 4
    assert lab.ask("www.example.") is not None


def test_publications_change_under_load(lab, images):
    """Templates, image and states of one number go together, in each single answer; and none is lost."""
    driver = opened(lab)
    driver.ask("publish", 2, images[0])
    driver.ask("beat")
    with Asking(lab) as asking:
        for number in range(3, 63):
            driver.ask("publish", number, images[number % 2])
            driver.ask("beat")
    pops = {number % 2: pop for number, pop, _ in asking.answers}
    assert len(set(pops.values())) == 2
    assert asking.lost == 0
    assert [one for one in asking.answers if one != (one[2], pops[one[2] % 2], one[2])] == []
    assert len({number for number, _, _ in asking.answers}) > 20, "there were many to be mixed up"
    assert driver.ask("status")["broken"] == 0

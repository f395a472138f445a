# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-bgp under real ExaBGP, with BIRD as the router, in network namespaces."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()
RESPONDER = ROOT / "tests/lab/responder.py"
sys.path.insert(0, str(ROOT / "deploy/lab"))
import bgp_transitions  # noqa: E402  pylint: disable=wrong-import-position
import lab as viplab  # noqa: E402  pylint: disable=wrong-import-position
from lab import VIP4, VIP6  # noqa: E402  pylint: disable=wrong-import-position

pytestmark = pytest.mark.skipif(viplab.why_not() is not None, reason=f"SKIP: no lab: {viplab.why_not()}")


def start_responder(lab, name, vip):
    lab.start(name, lab.pop, ["/usr/bin/python3", RESPONDER, vip.split("/")[0], lab.folder / f"{name}.mood"])


@pytest.fixture(name="lab")
def lab_fixture(tmp_path):
    lab = viplab.Lab(tmp_path / "lab")
    try:
        lab.make()
        lab.start_bird()
        start_responder(lab, "answers4", VIP4)
        start_responder(lab, "answers6", VIP6)
        begin = time.time()
        lab.start_exabgp(BIN / "isochrone-bgp")
        lab.wait_change(VIP4, "added", begin)
        lab.wait_change(VIP6, "added", begin)
        yield lab
    except Exception:
        for name in ("exabgp", "bird"):
            print(f"---- {name}.log\n{lab.log(name)[-6000:]}")
        raise
    finally:
        for name in ("answers4", "answers6"):
            (lab.folder / f"{name}.mood").unlink(missing_ok=True)
        lab.down()
        for namespace in (lab.pop, lab.router):
            assert namespace not in viplab.run("ip", "netns", "list")
        assert not lab.folder.exists()


def told(lab, *words):
    """All words stand in one line of ExaBGP's log, which holds isochrone-bgp's."""
    return any(all(word in line for word in words) for line in lab.log("exabgp").splitlines())


def report(name, seconds):
    print(f"{name}: {seconds * 1000:.0f} ms")


def test_death_and_return_of_what_answers(lab):
    assert lab.routed(VIP4) and lab.routed(VIP6)
    route = lab.birdc("show", "route", "all", VIP4)
    assert "BGP.med: 100" in route and "(65001,53)" in route and "BGP.as_path: 65001" in route

    gone = lab.wait_change(VIP4, "removed", lab.kill("answers4"))
    report("SIGKILL -> withdrawn", gone)
    assert gone < 1.0
    assert not lab.routed(VIP4)
    assert lab.routed(VIP6), "the families are judged apart"
    assert told(lab, "check answers4: down after 2 failures", "nobody listens")
    assert told(lab, f"vip {VIP4}: withdraw: hard check answers4 down")

    begin = time.time()
    start_responder(lab, "answers4", VIP4)
    report("start -> announced", lab.wait_change(VIP4, "added", begin))
    assert lab.routed(VIP4)

    gone = lab.wait_change(VIP6, "removed", lab.kill("answers6"))
    report("SIGKILL -> withdrawn, IPv6", gone)
    assert gone < 1.0 and lab.routed(VIP4)
    assert lab.alive("answers4")


@pytest.mark.parametrize("mood, evidence", [("servfail", "SERVFAIL"), ("silent", "no answer in 500 ms"),
                                            ("wrong-id", "no answer in 500 ms"),
                                            ("wrong-question", "no answer in 500 ms"),
                                            ("late", "no answer in 500 ms")])
def test_answers_that_are_none(lab, mood, evidence):
    begin = time.time()
    (lab.folder / "answers4.mood").write_text(mood)
    report(mood, lab.wait_change(VIP4, "removed", begin))
    assert told(lab, "check answers4: down", evidence)
    (lab.folder / "answers4.mood").unlink()
    lab.wait_change(VIP4, "added", time.time() - 0.1)


def test_a_vip_that_left_the_host(lab):
    begin = time.time()
    lab.vip("del", VIP4)
    lab.wait_change(VIP4, "removed", begin)
    assert told(lab, "check answers4: down", "192.0.2.53 is not an address of this host") or \
        told(lab, "check answers4: down", "unreachable")


def test_a_killed_process_is_replaced_and_the_route_stays(lab):
    before = lab.helper()
    os.kill(before, signal.SIGKILL)
    after = viplab.wait_for(lambda: lab.helper() not in (0, before) and lab.helper(), 5, "a new isochrone-bgp")
    assert after != before
    viplab.wait_for(lambda: told(lab, f"vip {VIP4}: found announced in ExaBGP"), 5, "taking over")
    viplab.wait_for(lambda: told(lab, f"vip {VIP4}: announce: all 1 hard checks up"), 5, "a decision")
    viplab.wait_for(lambda: lab.ask({"verb": "vip status"})["data"]["vips"][0]["state"] == "announced", 10, "status")
    assert [verb for _, verb in lab.route_changes(VIP4)].count("removed") == 0
    assert lab.routed(VIP4)


def test_killed_together_with_what_it_watches(lab):
    """The successor withdraws on its first look, without waiting for `fall`."""
    begin = lab.kill("answers4")
    os.kill(lab.helper(), signal.SIGKILL)
    gone = lab.wait_change(VIP4, "removed", begin)
    report("both SIGKILLed -> withdrawn", gone)
    assert gone < 2.0
    viplab.wait_for(lambda: told(lab, "taken over, and hard check answers4 fails at once") or
                    told(lab, "check answers4: down"), 5, "a reason")


def test_death_of_exabgp_takes_routes_and_process_along(lab):
    helper = lab.helper()
    started = viplab.process_started(helper)
    begin = lab.kill("exabgp")
    report("ExaBGP SIGKILLed -> route gone", lab.wait_change(VIP4, "removed", begin))
    viplab.wait_for(lambda: viplab.process_started(helper) != started, 2, "the end of isochrone-bgp")
    assert not (lab.folder / "bgp.sock").exists()
    assert not lab.helper()


def test_sighup_starts_anew_in_the_same_process(lab):
    helper = lab.helper()
    config = lab.folder / "bgp.yaml"
    good = config.read_text()
    config.write_text(good + "nonsense: 1\n")
    os.kill(helper, signal.SIGHUP)
    viplab.wait_for(lambda: told(lab, "reload: nothing changed", "bgp.yaml:", "nonsense"), 5, "a refusal")
    config.write_text(good.replace("med: 100", "med: 200"))
    begin = time.time()
    os.kill(helper, signal.SIGHUP)
    viplab.wait_for(
        lambda: "BGP.med: 200" in lab.birdc("show", "route", "all", VIP4), 10, "the new MED")
    assert lab.helper() == helper
    assert [verb for _, verb in lab.route_changes(VIP4)].count("removed") == 0


def test_session_flap(lab):
    begin = time.time()
    lab.birdc("restart", "pop4")
    lab.wait_change(VIP4, "removed", begin)
    report("session flap -> route back", lab.wait_change(VIP4, "added", begin))
    viplab.wait_for(lambda: told(lab, "session 10.99.0.2: down") and told(lab, "session 10.99.0.2: up"), 5, "events")


def test_status_and_why(lab):
    status = viplab.wait_for(lambda: (reply := lab.ask({"verb": "vip status"})) and
                             all(vip["state"] == "announced" for vip in reply["data"]["vips"]) and
                             reply["data"]["vips"][0]["holders"] == 1 and reply, 5, "status")
    assert status["ok"] is True
    assert "192.0.2.53/32" in status["text"] and "announced" in status["text"]
    assert {session["peer"]: session["state"] for session in status["data"]["sessions"]} == \
        {"10.99.0.2": "up", "fd99::2": "up"}
    assert status["data"]["vips"][0]["holders"] == 1
    assert status["data"]["exabgp"]["timeouts"] == 0 and status["data"]["exabgp"]["mismatches"] == 0
    lab.wait_change(VIP4, "removed", lab.kill("answers4"))
    why = lab.ask({"verb": "vip why", "vip": "192.0.2.53"})
    assert why["data"]["vip"]["state"] in ("withdrawn", "withdrawing")
    assert "hard check answers4 down" in why["text"]
    assert why["data"]["checks"][0]["evidence"] == "nobody listens (refused)"
    assert lab.ask({"verb": "vip why", "vip": "198.51.100.1"}) == \
        {"ok": False, "errors": ["198.51.100.1 is no VIP of this host"]}
    assert lab.ask({"verb": "vip", "arguments": ["drain", "198.51.100.1"]})["ok"] is False


def test_many_flaps_end_right(lab):
    """The change that ExaBGP may send in the wrong order if it is given two at once."""
    for _ in range(8):
        (lab.folder / "answers4.mood").write_text("servfail")
        lab.wait_change(VIP4, "removed", time.time() - 0.05)
        (lab.folder / "answers4.mood").unlink()
        lab.wait_change(VIP4, "added", time.time() - 0.05)
    time.sleep(0.5)
    assert lab.routed(VIP4)
    assert lab.ask({"verb": "vip status"})["data"]["exabgp"]["mismatches"] == 0


def test_a_neighbor_added_later_hears_of_the_vip(lab):
    """ExaBGP reloads (SIGUSR1) without starting us again, and gives the new neighbor an empty table."""
    for namespace, link, last in ((lab.pop, "ip", 1), (lab.router, "ir", 2)):
        viplab.run("ip", "-n", namespace, "addr", "add", f"10.99.1.{last}/30", "dev", f"{link}{lab.tag}")
    bird = lab.folder / "bird.conf"
    bird.write_text(bird.read_text() + "protocol bgp second4 from pop {\n    local 10.99.1.2 as 65000;\n"
                    "    neighbor 10.99.1.1 as 65001;\n    ipv4 { import all; export none; };\n}\n")
    lab.birdc("configure")
    exabgp = lab.folder / "exabgp.conf"
    text = exabgp.read_text()
    first = text[text.index("neighbor 10.99.0.2"):text.index("neighbor fd99::2")]
    exabgp.write_text(text + first.replace("10.99.0.", "10.99.1."))
    helper = lab.helper()
    os.kill(lab.processes["exabgp"][0], signal.SIGUSR1)
    viplab.wait_for(lambda: "second4" in lab.birdc("show", "route", VIP4), 15, "the route from the second neighbor")
    assert lab.helper() == helper
    assert [verb for _, verb in lab.route_changes(VIP4)].count("removed") == 0
    viplab.wait_for(lambda: lab.ask({"verb": "vip status"})["data"]["vips"][0]["holders"] == 2, 5, "two holders")


def test_exabgp_frozen_while_everything_changes(lab):
    """It thaws to a pipe full of old commands, and to what is wished now."""
    exabgp = lab.processes["exabgp"][0]
    os.kill(exabgp, signal.SIGSTOP)
    try:
        lab.kill("answers4")
        viplab.wait_for(lambda: told(lab, f"vip {VIP4}: withdraw"), 5, "a decision")
        time.sleep(2.5)
        start_responder(lab, "answers4", VIP4)
        time.sleep(1)
        lab.kill("answers6")
        time.sleep(1)
    finally:
        os.kill(exabgp, signal.SIGCONT)
    viplab.wait_for(lambda: lab.routed(VIP4) and not lab.routed(VIP6) and
                    lab.ask({"verb": "vip status"})["data"]["exabgp"]["aligned"], 20, "what is wished")
    time.sleep(1)
    assert lab.routed(VIP4) and not lab.routed(VIP6)
    assert told(lab, "no reply to")


def test_a_few_hundred_transitions(tmp_path):
    """bgp_transitions.py in short: many VIPs at once, and the router has what is wanted after each round."""
    numbers = bgp_transitions.run(tmp_path / "lab", BIN / "isochrone-bgp", 400)
    print(numbers)
    assert numbers["transitions"] >= 400 and numbers["acknowledged"] == numbers["transitions"]
    assert [numbers[name] for name in ("refused", "timeouts", "strays", "mismatches")] == [0, 0, 0, 0]


def test_exabgp_stops_in_order(lab):
    helper, begin = lab.helper(), lab.kill("exabgp", signal.SIGTERM)
    report("ExaBGP SIGTERMed -> route gone", lab.wait_change(VIP4, "removed", begin))
    viplab.wait_for(lambda: not lab.alive("exabgp"), 5, "the end of ExaBGP")
    viplab.wait_for(lambda: not lab.pids(lab.pop) or all("isochrone-bgp" not in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
                                                         for pid in lab.pids(lab.pop)), 2, "the end of both processes")
    assert helper and not (lab.folder / "bgp.sock").exists()


def vip_lab(*arguments):
    done = subprocess.run([ROOT / "deploy/lab/vip-lab", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=90, check=False)
    print(done.stdout, done.stderr)
    return done


@pytest.mark.skipif(not (BIN / "isochrone-edge").exists(), reason="SKIP: isochrone-edge is not built")
def test_vip_lab_with_edge(tmp_path):
    """The command itself: edge up, killed, up again, and nothing left behind."""
    world, state = tmp_path / "world", tmp_path / "state"
    world.mkdir()
    (world / "edge.yaml").write_text(
        "listen:\n  - 127.0.0.1@5300\nzones:\n  - {origin: example.com., file: example.com.zone}\n"
        "control: edge.sock\nmetrics: \"127.0.0.1@9167\"\nstate_dir: state\n")
    (world / "example.com.zone").write_text(
        "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.10\n")
    before = sorted(path.name for path in world.iterdir())
    assert vip_lab("break", "--state", state).returncode == 1
    up = vip_lab("up", "--bin", BIN, "--edge-config", world / "edge.yaml", "--state", state)
    try:
        assert up.returncode == 0
        assert "edge answers example.com. SOA on both VIPs" in up.stdout
        assert vip_lab("up", "--bin", BIN, "--edge-config", world / "edge.yaml", "--state", state).returncode == 1
        broken = vip_lab("break", "--state", state)
        assert broken.returncode == 0
        for vip in (VIP4, VIP6):
            assert re.search(rf"^SIGKILL edge    birdc: {re.escape(vip)} withdrawn \+\d+ ms; restart: announced again "
                             r"\+[\d.]+ m?s$", broken.stdout, re.MULTILINE)
        status = vip_lab("status", "--state", state).stdout
        assert "192.0.2.53/32" in status and "announced" in status and "is dead" not in status
        namespaces = [viplab.Lab.open(state).pop, viplab.Lab.open(state).router]
    finally:
        down = vip_lab("down", "--state", state)
    assert down.returncode == 0 and not state.exists()
    assert not any(name in viplab.run("ip", "netns", "list") for name in namespaces)
    assert sorted(path.name for path in world.iterdir()) == before


def test_vip_lab_says_what_is_wrong_and_leaves_nothing(tmp_path):
    config = tmp_path / "edge.yaml"
    config.write_text("listen: [127.0.0.1@5300]\nnonsense: 1\nzones: []\n")
    if not (BIN / "isochrone-edge").exists():
        pytest.skip("SKIP: isochrone-edge is not built")
    up = vip_lab("up", "--bin", BIN, "--edge-config", config, "--state", tmp_path / "state")
    assert up.returncode == 1 and "nonsense" in up.stderr
    assert not (tmp_path / "state").exists()

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announces and withdraws many VIPs at random through real ExaBGP and BIRD, and asks after each round whether the
router has what is wanted.

    tests/system/bgp_transitions.py --transitions 100000 [--bin build/release/bin] [--minutes 60]

Each round, what answers on a random part of the VIPs changes its mind; the round ends when the router has exactly the
routes of those that answer. It fails if that takes more than a minute. Needs root.
"""
import argparse
import os
import pathlib
import random
import re
import selectors
import socket
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy/lab"), str(ROOT / "tests/lab")]
import lab as viplab  # noqa: E402  pylint: disable=wrong-import-position
import responder  # noqa: E402  pylint: disable=wrong-import-position

VIPS = 60
ROUND_SECONDS = 60

HEAD = """\
announce: {med: 100, communities: ["65001:53"]}
damping: off
neighbors:
  - {address: 10.99.0.2, local_address: 10.99.0.1, local_as: 65001, peer_as: 65000}
control: bgp.sock
"""


def address(vip):
    return f"198.18.0.{vip + 1}"


def config():
    lines = [HEAD, "vips:\n"]
    lines += [f"  - {{prefix: {address(vip)}/32, requires: [c{vip}]}}\n" for vip in range(VIPS)]
    lines += ["checks:\n"]
    lines += [f"  c{vip}: {{type: dns, server: \"{address(vip)}@53\", name: www.example.com., interval: 40ms, retry: 20ms, "
              "timeout: 5s, rise: 1, fall: 1, window: off}\n" for vip in range(VIPS)]
    return "".join(lines)


def answer(path):
    """One process for all VIPs; those whose number stands in the file answer, the others say SERVFAIL."""
    selector = selectors.DefaultSelector()
    for vip in range(VIPS):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((address(vip), 53))
        selector.register(server, selectors.EVENT_READ, vip)
    while True:
        for key, _ in selector.select():
            query, client = key.fileobj.recvfrom(4096)
            up = str(key.data) in path.read_text().split()
            key.fileobj.sendto(responder.answer(query, "" if up else "servfail"), client)


class Router:
    """BIRD's control socket, kept open: asking it costs no process."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.settimeout(10)
        self.read()

    def read(self):
        text = ""
        while not re.search(r"^(0001|0000|[89]\d\d\d) .*\n\Z", text, re.MULTILINE):
            text += self.socket.recv(65536).decode()
        return text

    def routes(self):
        self.socket.sendall(b"show route table master4\n")
        return {int(last) - 1 for last in re.findall(r"198\.18\.0\.(\d+)/32", self.read())}


def up(lab, program, moods):
    lab.make()
    viplab.run(*viplab.inside(lab.pop), "ip", "-batch", "-",
               text="".join(f"addr add {address(vip)}/32 dev lo\n" for vip in range(VIPS)))
    lab.start_bird()
    # nothing of each change into the log: it would be the largest part of the work
    lab.birdc("debug", "all", "off")
    moods.write_text("\n")
    lab.start("answers", lab.pop, ["/usr/bin/python3", __file__, "--answer", moods])
    (lab.folder / "bgp.yaml").write_text(config())
    text = viplab.run(program, "--config", lab.folder / "bgp.yaml", "--print-exabgp-config")
    (lab.folder / "exabgp.conf").write_text(text)
    lab.restart_exabgp({"exabgp.log.level": "CRIT"})


def wait_seen(router, wanted, when):
    """Time in which the whole machine stood still, as a virtual one may, is not counted."""
    left, before = ROUND_SECONDS, time.monotonic()
    while router.routes() != wanted:
        time.sleep(0.01)
        now = time.monotonic()
        left -= now - before if now - before < 2 else 0
        before = now
        if left < 0:
            raise viplab.LabError(f"{when}: the router has {sorted(router.routes() - wanted)} too many and lacks "
                                  f"{sorted(wanted - router.routes())}")


def played(lab, moods, transitions, minutes):
    """(transitions, rounds, slowest round in seconds)"""
    router, wanted, done, rounds, slowest = Router(lab.folder / "bird.ctl"), set(), 0, 0, 0.0
    end = time.monotonic() + minutes * 60
    told = time.monotonic()
    while done < transitions and time.monotonic() < end:
        before, begin = wanted, time.monotonic()
        wanted = {vip for vip in range(VIPS) if (vip in before) != (random.random() < 0.9)}
        temporary = moods.with_suffix(".new")
        temporary.write_text(" ".join(map(str, sorted(wanted))))
        os.replace(temporary, moods)
        wait_seen(router, wanted, f"after {done} transitions")
        done, rounds = done + len(before ^ wanted), rounds + 1
        slowest = max(slowest, time.monotonic() - begin)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"{done} transitions in {rounds} rounds", flush=True)
    return done, rounds, slowest


def acknowledged_at_rest(lab):
    """How many changes were acknowledged so far, once no more are under way; before that None."""
    try:
        exabgp = lab.ask({"verb": "vip status"})["data"]["exabgp"]
    except OSError:
        return None
    return exabgp["acknowledged"] if exabgp["aligned"] and not exabgp["in_flight"] else None


def run(folder, program, transitions, minutes=60):
    """What happened, in numbers; a LabError if what is wanted was not seen."""
    lab, begin = viplab.Lab(folder), time.monotonic()
    moods = lab.folder / "moods"
    try:
        up(lab, program, moods)
        # a start may withdraw what nobody had announced: that is no transition
        first = (viplab.wait_for(lambda: (count := acknowledged_at_rest(lab)) is not None and (count,), 20, "a start"))[0]
        done, rounds, slowest = played(lab, moods, transitions, minutes)
        status = lab.ask({"verb": "vip status"})["data"]
        seconds = time.monotonic() - begin
        numbers = {name: status["exabgp"][name] for name in ("commands", "acknowledged", "refused", "timeouts", "strays",
                                                            "mismatches")}
        numbers["acknowledged"] -= first
        return {"transitions": done, "rounds": rounds, "seconds": round(seconds, 1), "slowest_s": round(slowest, 2),
                **numbers}
    except viplab.LabError:
        print(lab.log("exabgp")[-4000:])
        raise
    finally:
        moods.unlink(missing_ok=True)
        lab.down()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transitions", type=int, default=100000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--answer", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer(arguments.answer)
    why = viplab.why_not()
    if why:
        print(f"SKIP: {why}")
        return 0
    with tempfile.TemporaryDirectory(prefix="isochrone-transitions-") as folder:
        numbers = run(pathlib.Path(folder) / "lab", arguments.bin.resolve() / "isochrone-bgp", arguments.transitions,
                      arguments.minutes)
    print(" ".join(f"{name}={value}" for name, value in numbers.items()))
    return 0 if numbers["transitions"] >= arguments.transitions else 1


if __name__ == "__main__":
    sys.exit(main())

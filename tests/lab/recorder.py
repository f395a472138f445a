# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in the lab, in order: what was done to it, and what routers and programs write into their logs."""
import re
import threading
import time
from dataclasses import dataclass

import plan
import routers
from spaces import LabError

POLL_S = 0.005
STALL_S = 0.1  # nobody here was let run for so long: what is seen then is the machine's doing
ANNOUNCER_LINE = re.compile(r"^\S+Z isochrone-bgp (\w+): (.*)$")
EDGE_LINE = re.compile(r"^\S+Z isochrone-edge (\w+): (.*)$")


@dataclass
class Event:
    time: float
    lane: str  # a node
    kind: str  # done: to it, by us; route: a router heard of it; said: a line of a log
    text: str
    peer: str = ""  # routes: from whom
    verb: str = ""  # added, removed, updated
    prefix: str = ""


class Recorder:
    """A thread that reads what is appended to the logs. Routers date their lines themselves, in ms; the others' are dated
    as they are found, POLL_S late at most."""

    def __init__(self, world):
        self.events = []
        self.lock = threading.Lock()
        self.files = {}
        for node in (*plan.ROUTERS, *plan.CLIENTS):
            frr = getattr(node, "kind", "") == "frr"
            self.files[world.node_folder(node.name) / ("bgpd.log" if frr else "bird.log")] = [
                node.name, self.frr_line if frr else self.bird_line, 0, b""]
        for server in plan.SERVERS:
            folder = world.node_folder(server.name)
            self.files[folder / "exabgp.log"] = [server.name, self.announcer_line, 0, b""]
            self.files[folder / "edge.log"] = [server.name, self.edge_line, 0, b""]
        self.stalls = []  # (time, seconds)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.ending.set()
        if self.thread.is_alive():
            self.thread.join()

    def follow(self):
        last = time.monotonic()
        while not self.ending.wait(POLL_S):
            for path, state in self.files.items():
                self.read(path, state)
            now = time.monotonic()
            if now - last > STALL_S:
                self.stalls.append((time.time(), now - last))
            last = now

    def read(self, path, state):
        lane, parse, offset, rest = state
        try:
            if path.stat().st_size <= offset:
                return
            with open(path, "rb") as file:
                file.seek(offset)
                data = file.read()
        except OSError:
            return
        lines = (rest + data).split(b"\n")
        state[2], state[3] = offset + len(data), lines.pop()
        for line in lines:
            event = parse(lane, line.decode(errors="replace"))
            if event:
                self.add(event)

    def add(self, event):
        with self.lock:
            self.events.append(event)

    def bird_line(self, lane, line):
        return self.route(lane, routers.bird_event(line))

    def frr_line(self, lane, line):
        return self.route(lane, routers.frr_event(line))

    @staticmethod
    def route(lane, found):
        if not found:
            return None
        when, peer, verb, prefix = found
        return Event(when, lane, "route", f"{prefix or 'all routes'} from {peer} {verb}", peer, verb, prefix)

    @staticmethod
    def announcer_line(lane, line):
        match = ANNOUNCER_LINE.match(line)
        return Event(time.time(), lane, "said", f"isochrone-bgp: {match.group(2)}") if match else None

    @staticmethod
    def edge_line(lane, line):
        match = EDGE_LINE.match(line)
        return Event(time.time(), lane, "said", f"isochrone-edge: {match.group(2)}") if match else None

    # ---- asking

    def stalled_ms(self, begin, end):
        """The longest time between the two in which the machine did other things."""
        return max((seconds * 1000 for when, seconds in self.stalls if begin <= when <= end + seconds), default=0.0)

    def between(self, begin, end):
        with self.lock:
            return sorted((event for event in self.events if begin <= event.time < end), key=lambda event: event.time)

    def said(self, lane, since, *words):
        """Whether one line of that lane has all the words."""
        return any(event.kind == "said" and event.lane == lane and all(word in event.text for word in words)
                   for event in self.between(since, float("inf")))

    def routes(self, until=float("inf")):
        """{prefix: {(router, server)}}: what PoP routers had from their servers at that time."""
        have = {prefix: set() for prefix in plan.VIPS}
        for event in self.between(0, until):
            self.apply(have, event)
        return have

    @staticmethod
    def apply(have, event):
        if event.kind != "route" or event.peer not in {server.name for server in plan.servers_of(event.lane)}:
            return
        for prefix in have:
            if event.prefix in ("", prefix):
                if event.verb == "removed":
                    have[prefix].discard((event.lane, event.peer))
                else:
                    have[prefix].add((event.lane, event.peer))

    def fewest_routes(self, begin, end):
        """The fewest servers that had a route for a VIP at any moment between the two."""
        have = self.routes(begin)
        fewest = min(len(routes) for routes in have.values())
        for event in self.between(begin, end):
            self.apply(have, event)
            fewest = min(fewest, *(len(routes) for routes in have.values()))
        return fewest

    def changes(self, begin, end, server=None, verb=None):
        """Route events between a PoP's router and its servers."""
        return [event for event in self.between(begin, end) if event.kind == "route" and
                event.peer in {one.name for one in plan.servers_of(event.lane)} and
                server in (None, event.peer) and verb in (None, event.verb)]

    def wait_route(self, server, verb, since, seconds=20):
        """{family: milliseconds} from `since` until the server's router had seen it of both VIPs."""
        deadline = time.monotonic() + seconds
        while True:
            seen = {}
            for event in self.changes(since - 0.001, float("inf"), server, verb):  # routers write whole milliseconds
                for prefix, family in plan.VIPS.items():
                    if event.prefix in ("", prefix):
                        seen.setdefault(family, max(event.time - since, 0.0) * 1000)
            if len(seen) == len(plan.VIPS):
                return seen
            if time.monotonic() > deadline:
                raise LabError(f"routes of {server} {verb}: {seen or 'none'} within {seconds} s")
            time.sleep(0.01)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The users: a steady stream of queries from each client network, and what became of every one."""
import collections
import pathlib
import signal
import time
from dataclasses import dataclass

import plan
from world import tool

LOST_S = 1.0  # as in stream.c
LATE_US = 250_000


@dataclass
class Query:
    sent: float
    latency_us: int
    family: int
    port: int
    verdict: str  # ok, wrong, lost
    who: str


class Clients:
    def __init__(self, world, rate):
        self.world, self.rate = world, rate
        self.queries = {client.name: [] for client in plan.CLIENTS}
        self.read_to = {client.name: 0 for client in plan.CLIENTS}

    def path(self, client):
        return self.world.node_folder(client.name) / "queries"

    def start(self):
        program = tool(pathlib.Path(self.world.programs), "lab-stream")
        for client in plan.CLIENTS:
            flows = [f"{source},{vip},{self.world.answers_expected(source)[family]}" for family, source, vip in
                     ((4, client.source4, plan.VIP4), (6, client.source6, plan.VIP6))]
            self.path(client).touch()
            self.world.begin(client.name, "stream", [program, self.path(client), self.rate, plan.NAME, *flows])

    def stop(self):
        for client in plan.CLIENTS:
            if self.world.alive(f"{client.name}.stream"):
                self.world.kill(f"{client.name}.stream", signal.SIGTERM)

    def read(self):
        for client in plan.CLIENTS:
            with open(self.path(client), "rb") as file:
                file.seek(self.read_to[client.name])
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self.read_to[client.name] += whole
            for line in data[:whole].decode().splitlines():
                sent, latency, flow, port, verdict, who = line.split()
                self.queries[client.name].append(
                    Query(int(sent) / 1e6, int(latency), 4 if flow == "0" else 6, int(port), verdict, who))

    def window(self, begin, end):
        """What was sent then; waits until all of it is known."""
        time.sleep(max(0.0, end + LOST_S + 0.1 - time.time()))
        self.read()
        return Window(self.rate, begin, end, {
            name: sorted((query for query in queries if begin <= query.sent < end), key=lambda query: query.sent)
            for name, queries in self.queries.items()})


class Window:
    """The queries of a time, by client."""

    def __init__(self, rate, begin, end, queries):
        self.rate, self.begin, self.end, self.queries = rate, begin, end, queries

    def of(self, client, family=None):
        return [query for query in self.queries[client] if family in (None, query.family)]

    def lost(self, client=None, family=None):
        """How many; of all clients unless said."""
        clients = [client] if client else list(self.queries)
        return sum(query.verdict == "lost" for name in clients for query in self.of(name, family))

    def wrong(self, client=None):
        clients = [client] if client else list(self.queries)
        return sum(query.verdict == "wrong" for name in clients for query in self.of(name))

    def late(self, client=None):
        clients = [client] if client else list(self.queries)
        return sum(query.latency_us > LATE_US for name in clients for query in self.of(name))

    def bad_ms(self, client):
        """For how long a user of one family would have been without a right answer: queries lost or answered wrongly, in
        time, the worse family."""
        return max(sum(query.verdict != "ok" for query in self.of(client, family)) for family in (4, 6)) * 1000 / self.rate

    def answered_by(self, client, family=None):
        return collections.Counter(query.who for query in self.of(client, family) if query.verdict != "lost")

    def line(self, client):
        queries = self.of(client)
        who = ", ".join(f"{name} {count}" for name, count in self.answered_by(client).most_common())
        bad = [f"{count} {word}" for word, count in (
            ("lost", self.lost(client)), ("wrong", self.wrong(client)), ("late", self.late(client))) if count]
        times = f" ({self.bad_ms(client):.0f} ms)" if self.lost(client) or self.wrong(client) else ""
        return f"{client}: {', '.join(bad) or 'none lost'}{times} of {len(queries)}; answered by {who or 'nobody'}"

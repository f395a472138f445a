# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded data: a static zone, a map of prefixes to PoPs, and the queries. The same seed gives the same bytes."""
import bisect
import ipaddress
import random
from dataclasses import dataclass, field

STATIC_ORIGIN, GEO_ORIGIN, GEO_NAME = "static.test", "geo.test", "www.geo.test"
GEO_TTL = 60
POP_N = 50
# First octets left out: not unicast, special-purpose, or used by the bench itself.
_NOT_DRAWN = {0, 10, 127, 169, 172, 192, 198, 203} | set(range(224, 256))


@dataclass
class World:
    names: int = 10_000
    v4_prefixes: int = 100_000
    v6_prefixes: int = 20_000
    queries: int = 200_000
    seed: int = 53
    v4: list = field(default_factory=list)  # (address as int, length, pop), disjoint, sorted
    v6: list = field(default_factory=list)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.v4 = self._draw_v4()
        self.v6 = self._draw_v6()
        self._v4_starts = [row[0] for row in self.v4]

    def _draw_v4(self):
        taken = bytearray(1 << 24)  # by /24
        for octet in _NOT_DRAWN:
            taken[octet << 16:(octet + 1) << 16] = b"\1" * 65536
        rows = []
        for length in sorted(self.random.randint(16, 24) for _ in range(self.v4_prefixes)):
            size = 1 << (24 - length)
            while True:
                start = self.random.randrange(1 << length) << (24 - length)
                if not any(taken[start:start + size]):
                    break
            taken[start:start + size] = b"\1" * size
            rows.append((start << 8, length, self.random.randrange(1, POP_N)))
        return sorted(rows)

    def _draw_v6(self):
        rows = {}
        while len(rows) < self.v6_prefixes:
            top = self.random.randrange(0x2400_0000, 0x2C00_0000)  # one prefix in a /32 keeps them disjoint
            length = self.random.randint(32, 48)
            address = (top << 96 | self.random.getrandbits(16) << 80) >> (128 - length) << (128 - length)
            rows.setdefault(top, (address, length, self.random.randrange(1, POP_N)))
        return sorted(rows.values())

    def prefixes(self):
        """(text, pop), v4 first. What no prefix covers belongs to pop 0."""
        for address, length, pop in self.v4:
            yield f"{ipaddress.IPv4Address(address)}/{length}", pop
        for address, length, pop in self.v6:
            yield f"{ipaddress.IPv6Address(address)}/{length}", pop

    def pop_of_v4(self, address):
        i = bisect.bisect_right(self._v4_starts, address) - 1
        if i < 0:
            return 0
        start, length, pop = self.v4[i]
        return pop if address >> (32 - length) == start >> (32 - length) else 0

    def _client_v4(self):
        """Nine in ten inside a prefix of the map, the others anywhere."""
        if self.random.random() < 0.9:
            address, length, _ = self.v4[self.random.randrange(len(self.v4))]
            return address | self.random.getrandbits(32 - length)
        while True:
            address = self.random.getrandbits(32)
            if address >> 24 not in _NOT_DRAWN:
                return address

    def static_queries(self, unknown_share):
        for _ in range(self.queries):
            kind = self.random.choice(("A", "AAAA"))
            if self.random.random() < unknown_share:
                yield f"x{self.random.getrandbits(32):08x}.{STATIC_ORIGIN} {kind}"
            else:
                yield f"h{self.random.randrange(self.names):05d}.{STATIC_ORIGIN} {kind}"

    def geo_ecs_queries(self):
        """(line, client prefix, pop): four in five IPv4 /24, the others IPv6 /56."""
        for _ in range(self.queries):
            if self.random.random() < 0.8:
                address = self._client_v4() & 0xFFFFFF00
                client, pop = f"{ipaddress.IPv4Address(address)}/24", self.pop_of_v4(address)
            else:
                address, length, pop = self.v6[self.random.randrange(len(self.v6))]
                address = (address | self.random.getrandbits(128 - length)) >> 72 << 72
                client = f"{ipaddress.IPv6Address(address)}/56"
            yield f"{GEO_NAME} A ecs={client}", client, pop

    def geo_plain_queries(self):
        """(line, client, pop): no ECS; the source address decides."""
        for _ in range(self.queries):
            address = self._client_v4()
            client = str(ipaddress.IPv4Address(address))
            yield f"{GEO_NAME} A from={client}", client, self.pop_of_v4(address)


def pop_v4(pop):
    return f"192.0.2.{pop + 1}"


def pop_v6(pop):
    return f"2001:db8:f::{pop + 1:x}"


def zone_text(origin, body=""):
    return (f"$ORIGIN {origin}.\n$TTL 3600\n@ SOA ns1 hostmaster 1 7200 1800 1209600 300\n@ NS ns1\n"
            f"ns1 A 192.0.2.250\n{body}")


def static_zone(world):
    rows = (f"h{i:05d} A 203.0.{113 + i // 250}.{i % 250 + 1}\nh{i:05d} AAAA 2001:db8::{i + 1:x}\n"
            for i in range(world.names))
    return zone_text(STATIC_ORIGIN, "".join(rows))


def write(world, directory):
    """Zones, the map and the query files, in `directory`."""
    (directory / "static.zone").write_text(static_zone(world))
    (directory / "geo.zone").write_text(zone_text(GEO_ORIGIN))
    (directory / "map.csv").write_text("".join(f"{prefix},{pop}\n" for prefix, pop in world.prefixes()))
    (directory / "static.queries").write_text("\n".join(world.static_queries(0)) + "\n")
    (directory / "nxd.queries").write_text("\n".join(world.static_queries(0.1)) + "\n")
    (directory / "nxd_all.queries").write_text("\n".join(world.static_queries(1)) + "\n")
    for case, rows in (("geo_ecs", world.geo_ecs_queries()), ("geo_plain", world.geo_plain_queries())):
        rows = list(rows)
        (directory / f"{case}.queries").write_text("".join(line + "\n" for line, _, _ in rows))
        (directory / f"{case}.expected").write_text("".join(f"{client} {pop}\n" for _, client, pop in rows[:3000]))

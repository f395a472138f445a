# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of these benches, seeded: a map of a million disjoint prefixes, a zone of 100,000 names, queries."""
import ipaddress
import random
import subprocess

POP_N = 50
STATIC_ORIGIN, GEO_ORIGIN, GEO_NAME = "static.test", "geo.test", "www.geo.test"
# First octets left out: not unicast, special-purpose, or used by the benches themselves.
NOT_DRAWN = {0, 10, 100, 127, 169, 172, 192, 198, 203}
LENGTHS_V4 = (24,) * 12 + (23,) * 3 + (22,) * 3 + (21, 20, 19, 18)
LENGTHS_V6 = (48,) * 8 + (44, 40, 36, 32)


class Map:
    """Disjoint prefixes, each with a PoP: (address as int, length, pop), sorted."""

    def __init__(self, blocks=1_000_000, seed=53):
        self.random = random.Random(seed)
        self.v4 = self._draw_v4(blocks * 4 // 5)
        self.v6 = self._draw_v6(blocks - len(self.v4))

    def _draw_v4(self, count):
        taken = bytearray(1 << 24)  # by /24
        for octet in NOT_DRAWN | set(range(224, 256)):
            taken[octet << 16:(octet + 1) << 16] = b"\1" * 65536
        rows = []
        for length in sorted(self.random.choice(LENGTHS_V4) for _ in range(count)):
            size = 1 << (24 - length)
            while True:
                start = self.random.randrange(1 << length) << (24 - length)
                if not any(taken[start:start + size]):
                    break
            taken[start:start + size] = b"\1" * size
            rows.append((start << 8, length, self.random.randrange(1, POP_N)))
        return sorted(rows)

    def _draw_v6(self, count):
        rows = {}
        while len(rows) < count:
            length = self.random.choice(LENGTHS_V6)
            top = self.random.randrange(0x2400_0000, 0x2C00_0000)  # one prefix in a /32 keeps them disjoint
            address = (top << 96 | self.random.getrandbits(16) << 80) >> (128 - length) << (128 - length)
            rows.setdefault(top, (address, length, self.random.randrange(1, POP_N)))
        return sorted(rows.values())

    def prefixes(self):
        for address, length, pop in self.v4:
            yield f"{ipaddress.IPv4Address(address)}/{length}", pop
        for address, length, pop in self.v6:
            yield f"{ipaddress.IPv6Address(address)}/{length}", pop

    def client_v4(self):
        address, length, _ = self.v4[self.random.randrange(len(self.v4))]
        return address | self.random.getrandbits(32 - length)

    def client_v6(self):
        address, length, _ = self.v6[self.random.randrange(len(self.v6))]
        return address | self.random.getrandbits(128 - length)

    def subnet(self):
        """A client's network as resolvers send it: four in five IPv4 /24, the others IPv6 /56."""
        if self.random.random() < 0.8:
            return f"{ipaddress.IPv4Address(self.client_v4() & 0xFFFFFF00)}/24"
        return f"{ipaddress.IPv6Address(self.client_v6() >> 72 << 72)}/56"


def pop_v4(pop):
    return f"192.0.2.{pop + 1}"


def pop_v6(pop):
    return f"2001:db8:f::{pop + 1:x}"


def write_map(directory, mapper, blocks, seed):
    """pins.csv and map.isomap; returns the Map."""
    drawn = Map(blocks, seed)
    with open(directory / "pins.csv", "w", encoding="ascii") as out:
        out.write("prefix,pop\n")
        out.writelines(f"{prefix},p{pop}\n" for prefix, pop in drawn.prefixes())
    pops = "".join(f"  p{i}: {{location: [0.0, {i}.0]}}\n" for i in range(POP_N))
    (directory / "mapper.yaml").write_text(f"pops:\n{pops}maps:\n  web: {{default: [p0]}}\noverrides: pins.csv\n")
    command = [mapper, "build", "--config", directory / "mapper.yaml", "--output", directory / "map.isomap"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError("isochrone-mapper build failed: " + done.stderr.strip()[-300:])
    return drawn


def zone_text(origin, body=""):
    return (f"$ORIGIN {origin}.\n$TTL 3600\n@ SOA ns1 hostmaster 1 7200 1800 1209600 300\n@ NS ns1\n"
            f"ns1 A 192.0.2.250\n{body}")


def host(i):
    return f"h{i:06d}"


def write_zones(directory, names):
    """Each name has an address of each family."""
    body = "".join(f"{host(i)} A 192.0.2.{i % 250 + 1}\n{host(i)} AAAA 2001:db8::{i >> 16:x}:{i & 65535:x}\n" for i in range(names))
    (directory / "static.zone").write_text(zone_text(STATIC_ORIGIN, body))
    (directory / "geo.zone").write_text(zone_text(GEO_ORIGIN))


def write_services(directory):
    addresses = "".join(f'      p{i}: ["{pop_v4(i)}", "{pop_v6(i)}"]\n' for i in range(POP_N))
    (directory / "services.yaml").write_text(
        f"services:\n  web:\n    map: web\n    ttl: 60\n    on_empty: nodata\n    pops:\n{addresses}"
        f"names:\n  {GEO_NAME}.: web\n")


def config_text(address, work, cookies=False, xdp=None):
    return (f'identity: bench\nlisten: ["{address}@53"]\nworkers: 1\ncontrol: {work}/edge.sock\n'
            f"state_dir: {work}/state\nrate_limit: off\ncookies: {'on' if cookies else 'off'}\n"
            f"zones:\n  - {{origin: {STATIC_ORIGIN}., file: static.zone}}\n"
            f"  - {{origin: {GEO_ORIGIN}., file: geo.zone}}\nmap: map.isomap\nservices: services.yaml\n"
            + (f"xdp: {xdp}\n" if xdp else ""))


def write_queries(directory, drawn, names, count=200_000):
    """Query files. They differ in who asks for what; each query has an OPT record."""
    def write(name, lines):
        with open(directory / f"{name}.queries", "w", encoding="ascii") as out:
            out.writelines(f"{line}\n" for line in lines)

    kinds = ("A", "AAAA")
    subnets = [drawn.subnet() for _ in range(count)]
    hot = subnets[:16]
    write("static", (f"{host(drawn.random.randrange(names))}.{STATIC_ORIGIN} {drawn.random.choice(kinds)}"
                     for _ in range(count)))
    write("static_hot", (f"{host(i % 16)}.{STATIC_ORIGIN} {kinds[i // 16 % 2]}" for i in range(1024)))
    write("geo_ecs", (f"{GEO_NAME} A ecs={subnet}" for subnet in subnets))
    write("geo_ecs_hot", (f"{GEO_NAME} A ecs={hot[i % len(hot)]}" for i in range(1024)))
    write("geo_plain", (f"{GEO_NAME} A from={ipaddress.IPv4Address(drawn.client_v4())}" for _ in range(count)))

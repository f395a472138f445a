# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones at random, from a seed: everything a master file may hold that makes answering hard. Nothing here that RFCs forbid (data
beside a CNAME, names below a DNAME), since what a server makes of that is its own business."""
import dataclasses
import subprocess

MAX_TTL = 2147483647  # RFC 2181 section 8
TTLS = [0, 1, 5, 60, 300, 300, 300, 3600, 3600, 86400, MAX_TTL]
LABELS = [b"a", b"b", b"c", b"www", b"mail", b"ns1", b"ns2", b"host", b"_tcp", b"_443", b"_dns", b"x-1", b"1", b"xn--bcher-kva",
          b"UPPER", b"MiXeD", b"l" * 63, b"m" * 62, b"\x00", b"\xff\xfe", b"with space", b"dot.in", b"semi;colon", b'quo"te', b"back\\slash",
          b"@", b"$", b"(", b"-", b"**", b"a*", b"\xc3\xa9", b"\x7f\x01"]
PLAIN = LABELS[:14]


def text_label(label):
    """Escaped so that every parser takes it: some refuse characters that RFC 1035 section 5.1 leaves open."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 or byte in b"-_*" else f"\\{byte:03d}" for byte in label)


def text(name):
    """Presentation form of a name, a tuple of labels."""
    return "".join(text_label(label) + "." for label in name) or "."


def unescape(plain):
    """A name from its presentation form."""
    labels, label, at = [], bytearray(), 0
    while at < len(plain):
        if plain[at] == "\\":
            digits = plain[at + 1:at + 4]
            byte, at = (int(digits), at + 4) if digits.isdigit() and len(digits) == 3 else (ord(plain[at + 1]), at + 2)
            label.append(byte)
        elif plain[at] == ".":
            if label:
                labels.append(bytes(label))
            label, at = bytearray(), at + 1
        else:
            label.append(ord(plain[at]))
            at += 1
    return tuple(labels + ([bytes(label)] if label else []))


def wire(name):
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def lower(name):
    return tuple(label.lower() for label in name)


def fits(name):
    return len(wire(name)) <= 255


def under(name, origin):
    return len(name) >= len(origin) and lower(name[len(name) - len(origin):]) == lower(origin)


def from_text(plain):
    return tuple(label.encode() for label in plain.rstrip(".").split("."))


@dataclasses.dataclass
class Zone:
    origin: tuple
    rrsets: dict = dataclasses.field(default_factory=dict)  # folded name -> (name, {type: (ttl, [rdata text])})
    cuts: set = dataclasses.field(default_factory=set)
    dnames: set = dataclasses.field(default_factory=set)
    signed: str = ""  # how, one of SIGNERS

    def types(self, name):
        return self.rrsets.get(lower(name), (name, {}))[1]

    def add(self, name, rtype, rdata, ttl):
        _, types = self.rrsets.setdefault(lower(name), (name, {}))
        _, items = types.setdefault(rtype, (ttl, []))
        if rdata not in items:
            items.append(rdata)

    def free(self, name):
        """Nothing stands at the name, nor anything above it that would hide it."""
        folded = lower(name)
        if not fits(name) or folded in self.rrsets:
            return False
        return not any(folded[i:] in self.cuts | self.dnames for i in range(1, len(folded)))

    def names(self):
        return [name for name, _ in self.rrsets.values()]

    def childless(self, name):
        folded = lower(name)
        return not any(other != folded and under(other, folded) for other in self.rrsets)

    def master_file(self):
        lines = []
        for name, types in self.rrsets.values():
            for rtype, (ttl, items) in types.items():
                lines += [(rtype != "SOA", f"{text(name)} {ttl} IN {rtype} {item}") for item in items]
        return "".join(line + "\n" for _, line in sorted(lines, key=lambda line: line[0]))


class Generator:
    def __init__(self, rng):
        self.rng = rng
        self.zones = []

    # --- names

    def label(self):
        return self.rng.choice(PLAIN if self.rng.random() < 0.7 else LABELS)

    def name_in(self, zone):
        """A name in the zone, mostly near those that exist."""
        rng = self.rng
        base = zone.origin if rng.random() < 0.4 else rng.choice(zone.names())
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            longer = (self.label(),) + base
            base = longer if fits(longer) else base
        return base

    def long_name(self, zone):
        """Exactly 255 bytes, or as near as labels allow."""
        name = zone.origin
        while len(wire(name)) + 65 <= 255:
            name = (b"n" * 63,) + name
        left = 255 - len(wire(name)) - 1
        return (b"z" * left,) + name if 0 < left <= 63 else name

    def some_name(self, zone):
        """For a target: here, in another zone, elsewhere; there or not."""
        rng = self.rng
        chance = rng.random()
        if chance < 0.45:
            return rng.choice(zone.names())
        if chance < 0.6:
            return self.name_in(zone)
        if chance < 0.8:
            other = rng.choice(self.zones)
            return rng.choice(other.names()) if rng.random() < 0.7 else self.name_in(other)
        if chance < 0.83:
            return ()
        if chance < 0.86:
            return self.long_name(zone)
        return (self.label(), b"elsewhere", b"invalid")

    # --- data

    def ip4(self):
        return f"192.0.2.{self.rng.randrange(256)}"

    def ip6(self):
        return f"2001:db8::{self.rng.randrange(65536):x}"

    def hexes(self, count):
        return "".join(f"{self.rng.randrange(256):02x}" for _ in range(count))

    def string(self):
        rng = self.rng
        return '"' + rng.choice(["", "text", "v=spf1 -all", "with \\\"quotes\\\"", "\\000\\255", "x" * 255, "a b;c"]) + '"'

    def rdata(self, rtype, zone):
        rng = self.rng
        name = text(self.some_name(zone))
        if rtype == "A":
            return self.ip4()
        if rtype == "AAAA":
            return self.ip6()
        if rtype in ("PTR", "NS"):
            return name
        if rtype in ("MX", "AFSDB", "KX"):
            return f"{rng.randrange(3)} {name}"
        if rtype == "SRV":
            return f"{rng.randrange(3)} {rng.randrange(3)} {rng.choice([0, 53, 443, 65535])} {name}"
        if rtype == "TXT":
            return " ".join(self.string() for _ in range(rng.choice([1, 1, 2, 5])))
        if rtype == "CAA":
            return f'{rng.choice([0, 128])} {rng.choice(["issue", "issuewild", "iodef"])} "ca.example; x=y"'
        if rtype == "TLSA":
            return f"3 1 1 {self.hexes(32)}"
        if rtype == "SSHFP":
            return f"4 2 {self.hexes(32)}"
        if rtype == "NAPTR":
            return f'{rng.randrange(3)} 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .' if rng.random() < 0.5 else \
                f'{rng.randrange(3)} 10 "S" "SIP+D2T" "" {name}'
        if rtype == "HINFO":
            return '"CPU" "OS"'
        if rtype == "RP":
            return f"{name} {text(self.some_name(zone))}"
        if rtype == "LOC":
            return "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"
        if rtype == "URI":
            return '10 1 "https://example.com/"'
        if rtype in ("SVCB", "HTTPS"):
            return rng.choice([f"0 {name}", f'1 . alpn="h2,h3" ipv4hint={self.ip4()}', f"2 {name} port=8443 ipv6hint={self.ip6()}",
                               f"3 {name} mandatory=alpn alpn=h2 key65280=abc"])
        if rtype == "DS":
            return f"{rng.randrange(65536)} 13 2 {self.hexes(32)}"
        return f"\\# 4 {self.hexes(4)}"  # TYPE65280, TYPE1234

    TYPES = ["A", "A", "A", "AAAA", "AAAA", "TXT", "TXT", "MX", "SRV", "CAA", "TLSA", "NAPTR", "HINFO", "PTR", "RP", "LOC", "URI",
             "SSHFP", "SVCB", "HTTPS", "HTTPS", "AFSDB", "KX", "TYPE65280", "TYPE1234"]

    def add_rrset(self, zone, name, rtype, count=None):
        ttl = self.rng.choice(TTLS)
        for _ in range(count or self.rng.choice([1, 1, 1, 2, 3, 8])):
            zone.add(name, rtype, self.rdata(rtype, zone), ttl)

    def data(self, zone, name):
        for rtype in self.rng.sample(self.TYPES, self.rng.choice([1, 1, 2, 3])):
            if rtype not in zone.types(name):
                self.add_rrset(zone, name, rtype)

    def bulk(self, zone, name):
        """More than UDP takes."""
        for number in range(self.rng.choice([20, 40, 90])):
            zone.add(name, "TXT", f'"{number} {"y" * 60}"', 300)

    def cname(self, zone, name):
        zone.add(name, "CNAME", text(self.some_name(zone)), self.rng.choice(TTLS))

    def chain(self, zone, name):
        """CNAMEs one after another, some of them in a circle."""
        names = [name]
        for _ in range(self.rng.choice([1, 2, 4, 7, 9, 14])):
            other = self.name_in(zone)
            if zone.free(other) and lower(other) not in map(lower, names):
                names.append(other)
        for here, there in zip(names, names[1:]):
            if zone.free(here):
                zone.add(here, "CNAME", text(there), 300)
        if zone.free(names[-1]):
            if self.rng.random() < 0.3:
                zone.add(names[-1], "CNAME", text(self.rng.choice(names)), 300)
            else:
                self.data(zone, names[-1])

    def dname(self, zone, name):
        if not zone.childless(name):
            return
        target = self.some_name(zone)
        if under(target, name) and self.rng.random() < 0.5:
            return
        zone.add(name, "DNAME", text(target), self.rng.choice(TTLS))
        zone.dnames.add(lower(name))
        if self.rng.random() < 0.4:
            self.add_rrset(zone, name, self.rng.choice(["A", "TXT", "MX"]))

    def wildcard(self, zone, name):
        star = (b"*",) + name[1:]
        if zone.free(star):
            if self.rng.random() < 0.2:
                self.cname(zone, star)
            else:
                self.data(zone, star)

    def cut(self, zone, name):
        """A delegation with one of the kinds of glue there are."""
        rng = self.rng
        if name == zone.origin or not zone.childless(name):
            return
        ttl = rng.choice(TTLS)
        zone.cuts.add(lower(name))
        for _ in range(rng.choice([1, 2, 2, 3, 6])):
            kind = rng.random()
            if kind < 0.45:  # below the cut itself, glue or not
                target = (self.label(),) + (name if rng.random() < 0.7 else (self.label(),) + name)
                if fits(target) and rng.random() < 0.9:
                    self.glue(zone, target)
            elif kind < 0.6 and len(zone.cuts) > 1:  # below another cut: sibling glue
                target = (b"ns",) + rng.choice(sorted(zone.cuts))
                if fits(target) and rng.random() < 0.8:
                    self.glue(zone, target)
            elif kind < 0.65:
                target = name
                self.glue(zone, target)
            else:
                target = self.some_name(zone)
            if fits(target):
                zone.add(name, "NS", text(target), ttl)
        if not zone.types(name).get("NS"):
            zone.add(name, "NS", "ns.elsewhere.invalid.", ttl)
        if rng.random() < 0.3:
            self.add_rrset(zone, name, "DS", 1)
        if rng.random() < 0.2 and fits((b"hidden",) + name):  # occluded
            zone.add((b"hidden",) + name, "TXT", '"below a cut"', 300)

    def glue(self, zone, target):
        for rtype in self.rng.choice([("A",), ("AAAA",), ("A", "AAAA")]):
            if rtype not in zone.types(target) and "CNAME" not in zone.types(target):
                self.add_rrset(zone, target, rtype, self.rng.choice([1, 1, 2]))

    # --- zones

    def new_zone(self, origin):
        rng = self.rng
        zone = Zone(origin)
        zone.add(origin, "SOA", f"{text((b'ns1',) + origin)} hostmaster.invalid. {rng.randrange(1, 4000000000)} 7200 3600 "
                 f"1209600 {rng.choice([0, 60, 300, 86400])}", rng.choice([0, 300, 3600]))
        zone.add(origin, "NS", text((b"ns1",) + origin), 3600)
        zone.add((b"ns1",) + origin, "A", self.ip4(), 3600)
        self.zones.append(zone)
        return zone

    def fill(self, zone, name_n):
        rng = self.rng
        kinds = [self.data] * 8 + [self.cname] * 4 + [self.chain, self.dname, self.wildcard, self.wildcard, self.wildcard, self.cut,
                                                      self.cut, self.bulk]
        for rtype in rng.sample(["A", "AAAA", "MX", "TXT", "CAA", "HTTPS"], rng.randrange(4)):
            self.add_rrset(zone, zone.origin, rtype)
        for other in rng.sample(self.zones, rng.randrange(3)):
            zone.add(zone.origin, "NS", text((b"ns1",) + other.origin), 3600)
        if rng.random() < 0.1:
            long = self.long_name(zone)
            if zone.free(long):
                self.data(zone, long)
        for _ in range(name_n):
            name = self.name_in(zone)
            if zone.free(name):
                rng.choice(kinds)(zone, name)

    def delegate(self, parent, child):
        """The parent's side of a zone that stands beside it."""
        zone = child.origin
        parent.cuts.add(lower(zone))
        parent.add(zone, "NS", text((b"ns1",) + zone), 300)
        if self.rng.random() < 0.7:
            parent.add((b"ns1",) + zone, "A", self.ip4(), 300)
        if self.rng.random() < 0.3:
            self.add_rrset(parent, zone, "DS", 1)


def make_world(rng, name_n=40):
    """Parents with children in them, neighbours, one at the depth of a reverse zone."""
    generator = Generator(rng)
    top = generator.new_zone(from_text("top.test."))
    child = generator.new_zone(from_text("child.top.test."))
    deep = generator.new_zone(from_text("a.b.c.top.test."))
    grandchild = generator.new_zone(from_text("grand.child.top.test."))
    mixed = generator.new_zone(from_text("MiXed.Test."))
    reverse = generator.new_zone(from_text("2.0.192.in-addr.arpa."))
    generator.delegate(top, child)
    generator.delegate(top, deep)
    generator.delegate(child, grandchild)
    if rng.random() < 0.5:
        dname = generator.new_zone(from_text("dname.test."))  # a DNAME at an apex
        dname.add(dname.origin, "DNAME", text(rng.choice([mixed.origin, top.origin, from_text("elsewhere.invalid.")])), 300)
        dname.rrsets.pop(lower((b"ns1",) + dname.origin))
        dname.types(dname.origin)["NS"] = (300, [text((b"ns1",) + mixed.origin)])
        dname.dnames.add(lower(dname.origin))
    for zone in (top, child, deep, grandchild, mixed, reverse):
        generator.fill(zone, name_n)
    return generator.zones


SIGNERS = {
    "nsec": ["dnssec-signzone"],
    "nsec3": ["dnssec-signzone", "-3", "-"],
    "salted": ["dnssec-signzone", "-3", "a1b2c3", "-H", "7"],
    "optout": ["dnssec-signzone", "-3", "-", "-A"],
}


def sign(folder, zone, file, how):
    """Signs the zone's file in place; says in zone.signed how. dnssec-signzone cannot hash a zone with names of 255 bytes: NSEC then."""
    origin = text(zone.origin)
    keys = [subprocess.run(["dnssec-keygen", "-q", "-K", folder, "-a", "ECDSAP256SHA256", *flag, origin], check=True,
                           capture_output=True, text=True, timeout=60).stdout.strip() for flag in (["-f", "KSK"], [])]
    path = folder / (file + ".unsigned")
    path.write_text(zone.master_file() + "".join((folder / (key + ".key")).read_text() for key in keys))
    for zone.signed in (how, "nsec"):
        done = subprocess.run([*SIGNERS[zone.signed], "-q", "-P", "-O", "full", "-o", origin, "-f", folder / file, "-k", keys[0], path,
                               keys[1]], capture_output=True, text=True, cwd=folder, timeout=60)
        if done.returncode == 0:
            return
        if "name too long" not in done.stderr:
            break
    raise AssertionError(f"{origin} cannot be signed: {done.stderr}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries at random about zones.py's zones, as lines of a query file of isochronectl compare."""
import struct

from differential.zones import LABELS, fits, lower, text, wire

COMMON = ["A", "A", "A", "AAAA", "NS", "SOA", "MX", "TXT", "CNAME", "DNAME", "DS", "SRV", "HTTPS", "SVCB", "CAA", "TLSA", "NAPTR",
          "PTR", "HINFO", "LOC", "TYPE65280", "TYPE1234", "TYPE65281"]
RARE = ["ANY", "ANY", "ANY", "DNSKEY", "NSEC", "NSEC3", "NSEC3PARAM", "RRSIG", "CDS", "CDNSKEY", "KEY", "SIG", "NULL", "TYPE30",
        "TYPE253", "TYPE254", "OPT", "TYPE0", "TYPE128", "TYPE65535", "TSIG", "TKEY"]


class Questions:
    def __init__(self, rng, zones):
        self.rng = rng
        self.zones = zones
        self.names = [name for zone in zones for name in zone.names()]
        self.ancestors = sorted({name[i:] for name in self.names for i in range(len(name))})

    def mangled(self, name):
        """Other letters, as resolvers send them (draft-vixie-dnsext-dns0x20)."""
        rng = self.rng
        return tuple(bytes(byte ^ 0x20 if chr(byte).isalpha() and byte < 128 and rng.random() < 0.5 else byte for byte in label)
                     for label in name)

    def name(self):
        rng = self.rng
        chance = rng.random()
        name = rng.choice(self.names)
        if chance < 0.4:
            pass
        elif chance < 0.5:
            name = rng.choice(self.ancestors)  # empty non-terminals among them
        elif chance < 0.75:  # below: wildcards, DNAMEs, delegations, nothing
            name = name[1:] if name[0] == b"*" else name
            for _ in range(rng.choice([1, 1, 1, 2, 4])):
                name = (rng.choice([b"absent", b"*", b"zz", rng.choice(LABELS)]),) + name
        elif chance < 0.9:  # beside
            name = (rng.choice([b"absent", b"aa", b"\x00", rng.choice(LABELS)]),) + name[1:]
        elif chance < 0.93:
            name = (b"q" * (254 - len(wire(name))),) + name if 64 > 254 - len(wire(name)) > 0 else name
        elif chance < 0.95:
            name = rng.choice(self.zones).origin
        elif chance < 0.97:
            name = rng.choice(self.zones).origin[1:]
        else:
            name = rng.choice([(), (b"test",), (b"other", b"test"), (b"com",), (b"absent",) + self.zones[0].origin[1:]])
        if not fits(name):
            name = name[1:] if fits(name[1:]) else ()
        return self.mangled(name) if rng.random() < 0.1 else name

    def type_for(self, name):
        rng = self.rng
        there = [rtype for zone in self.zones for rtype in zone.types(name)]
        chance = rng.random()
        if there and chance < 0.5:
            return rng.choice(there)
        return rng.choice(RARE) if chance > 0.9 else rng.choice(COMMON)

    def flags(self):
        rng = self.rng
        flags = []
        if rng.random() < 0.5:
            flags.append("+norec")
        if rng.random() < 0.1:
            flags.append("+cd")
        if rng.random() < 0.1:
            flags.append("+ad")
        if rng.random() < 0.02:
            flags.append(rng.choice(["+aa", "+tc", "+ra", "+z", "+rcode=3"]))
        if rng.random() < 0.1:
            flags.append("+tcp")
        return flags + self.edns()

    def edns(self):
        rng = self.rng
        if rng.random() < 0.35:
            return []
        flags = [f"+bufsize={rng.choice([512, 1232, 1232, 1232, 4096, 1400, 0, 100, 65535])}"]
        if rng.random() < 0.4:
            flags.append("+do")
        if rng.random() < 0.03:
            flags.append(f"+edns={rng.choice([1, 255])}")
        if rng.random() < 0.06:
            flags.append(rng.choice(["+nsid", "+opt=65001:0102", "+opt=65001", "+opt=0", "+opt=12:00000000", "+opt=11",
                                     "+subnet=192.0.2.0/24", "+subnet=2001:db8::/56", "+subnet=0.0.0.0/0", "+cookie"]))
        return flags

    def one(self):
        rng = self.rng
        chance = rng.random()
        if chance < 0.02:
            return self.raw()
        name = self.name()
        words = [text(name), self.type_for(name)]
        if chance < 0.04:
            words.append(rng.choice(["CH", "CLASS4", "ANY", "NONE", "CLASS7", "CLASS0"]))
        if chance < 0.05:
            words.append(f"+opcode={rng.choice([1, 2, 3, 6, 7, 15])}")
        return " ".join(words + self.flags())

    def many(self, count):
        lines = {}
        while len(lines) < count:
            lines[self.one()] = None
        return list(lines)

    # --- messages that are wrong

    def raw(self):
        rng = self.rng
        message = rng.choice(RAW)(rng, wire(rng.choice(self.names)) + b"\0\1\0\1")
        if len(message) > 2 and rng.random() < 0.1:
            message = message[:rng.randrange(2, len(message))]
        tcp = " +tcp" if rng.random() < 0.15 else ""
        return f"\\# {len(message)} {message.hex()}{tcp}"


def header(flags=0, qd=1, an=0, ns=0, ar=0):
    return struct.pack("!HHHHHH", 0, flags, qd, an, ns, ar)


OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
RECORD = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"



def tsig(name=b"\3key\0", algorithm=b"\x0bhmac-sha256\0", rclass=255, ttl=0, rest=b""):
    """A TSIG record (RFC 8945 section 4.2) made with no key that a server has."""
    rdata = algorithm + struct.pack("!HIHH", 0, 1700000000, 300, 4) + b"mac." + struct.pack("!HHH", 0, 0, 0) + rest
    return name + struct.pack("!HHIH", 250, rclass, ttl, len(rdata)) + rdata


EDNS1 = b"\0\0\x29\x04\xd0\0\1\0\0\0\0"
RAW = [
    lambda rng, question: header(qd=0),
    lambda rng, question: header(qd=0, ar=1) + OPT,
    lambda rng, question: header(qd=2) + question + question,
    lambda rng, question: header(qd=2) + question,
    lambda rng, question: header(),
    lambda rng, question: header() + question[:-2],
    lambda rng, question: header() + question + b"trailing",
    lambda rng, question: header(ar=2) + question + OPT + OPT,
    lambda rng, question: header(an=1) + question + OPT,
    lambda rng, question: header(ns=1) + question + OPT,
    lambda rng, question: header(ar=1) + question + b"\1x" + OPT,
    lambda rng, question: header(ar=1) + question + OPT[:-2] + b"\0\4\0\3\0\5",
    lambda rng, question: header(ar=1) + question + OPT[:-2] + b"\0\2\0\3",
    lambda rng, question: header(ar=1) + question + OPT[:-2] + b"\0\3\0\x0a\0",
    lambda rng, question: header(ar=1) + question + OPT[:-2] + b"\0\7\0\x0a\0\3abc",
    lambda rng, question: header(ar=1) + question + OPT[:-2] + b"\0\x0b\0\x08\0\7\0\1\x18\x18\xc0\0\2",
    lambda rng, question: header(ar=1) + question + OPT[:-2] + b"\0\x0b\0\x08\0\7\0\3\x18\0\xc0\0\2",
    lambda rng, question: header(ar=1) + question + OPT[:5],
    lambda rng, question: header(ar=1) + question,
    lambda rng, question: header(an=1) + question + RECORD,
    lambda rng, question: header(ns=1) + question + RECORD,
    lambda rng, question: header(ar=1) + question + RECORD,
    lambda rng, question: header(ar=2) + question + RECORD + OPT,
    lambda rng, question: header() + b"\xc0\x0c\0\1\0\1",
    lambda rng, question: header() + b"\1a\xc0\x0c\0\1\0\1",
    lambda rng, question: header() + b"\x40a\0\0\1\0\1",
    lambda rng, question: header() + b"\x80a\0\0\1\0\1",
    lambda rng, question: header() + b"\x3f" + b"a" * 20,
    lambda rng, question: header() + b"\x3f" + (b"a" * 63 + b"\x3f") * 3 + b"a" * 63 + b"\0\0\1\0\1",
    lambda rng, question: header(ar=1) + question + tsig(),
    lambda rng, question: header(ar=2) + question + OPT + tsig(),
    lambda rng, question: header(ar=2) + question + EDNS1 + tsig(),
    lambda rng, question: header(ar=1) + question + tsig(name=b"\3key\xc0\x0c", algorithm=b"\4some\0"),
    lambda rng, question: header(ar=1) + question[:-4] + b"\0\xfc\0\1" + tsig(),
    lambda rng, question: header(ar=2) + question + tsig() + OPT,
    lambda rng, question: header(ar=2) + question + tsig() + tsig(),
    lambda rng, question: header(ar=1) + question + tsig(**rng.choice([{"rclass": 1}, {"ttl": 1}, {"rest": b"x"},
                                                                       {"algorithm": b"\xc0\x0c"}, {"name": b"\xc0\x0d"}])),
    lambda rng, question: header(qd=2, ar=1) + question + question + OPT,
    lambda rng, question: header(rng.choice([1, 2, 3, 4, 5, 6, 7, 15]) << 11, ar=1) + question + rng.choice([OPT, EDNS1]),
    lambda rng, question: header(0x8000) + question,
    lambda rng, question: header(rng.randrange(65536)) + question,
    lambda rng, question: bytes(rng.randrange(256) for _ in range(rng.randrange(2, 40))),
]

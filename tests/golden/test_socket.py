# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden table over a socket: the daemon with the zones, services and map of this folder must answer every row of
queries.txt over UDP and over TCP, and count it as what the row says."""
import json
import os
import pathlib
import socket
import struct
import subprocess
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", HERE.parents[1] / "build/dev/bin"))
ZONES = ["example.com.", "example.net.", "child.example.com.", "child.broken.example.", "signed.example.",
         "hashed.example."]
CLASSES = {"CH": 3, "HS": 4, "CLASSANY": 255}
SECTIONS = {"an": "answer", "au": "authority", "ad": "additional"}
# What the world of world.h says about states; a fresh daemon has everything up.
DOWN = ["sin/empty-static", "sin/empty-servfail", "sin/empty-nodata", "fra/empty-byname"]


class Row:
    def __init__(self, line, text):
        self.line, self.text, self.records = line, text, {name: [] for name in SECTIONS.values()}
        self.rcode = self.kind = None
        self.words = []

    def scope(self):
        return next((int(word[6:]) for word in self.words if word.startswith("scope=")), None)


def read_table():
    rows, aliases = [], {}
    for number, line in enumerate((HERE / "queries.txt").read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        head, _, rest = line.partition(" ")
        if head == "?":
            rows.append(Row(number, rest))
        elif head == "=":
            rows[-1].rcode, *rest = rest.split()
            rows[-1].kind, rows[-1].words = (rest[0], rest[1:]) if rest else (None, [])
        elif head.rstrip("+") in SECTIONS:
            record = aliases.get(rest[1:], rest) if rest.startswith("@") else rest
            rows[-1].records[SECTIONS[head.rstrip("+")]].append((record, head.endswith("+")))
        else:
            aliases[head[1:]] = rest
    return rows


def build(row):
    """The query's bytes, and whether it asks for TCP."""
    name, *words = row.text.split()
    if name.startswith("raw="):
        digits = name[4:]
        return bytes.fromhex(digits[:len(digits) // 2 * 2]), False
    klass, flags, edns, ednsflags, version, options, tcp = 1, 0, None, 0, 0, [], False
    for word in words[1:]:
        key, _, value = word.partition("=")
        if key in CLASSES:
            klass = CLASSES[key]
        elif key in ("rd", "cd", "ad"):
            flags |= {"rd": dns.flags.RD, "cd": dns.flags.CD, "ad": dns.flags.AD}[key]
        elif key == "tcp":
            tcp = True
        elif key not in ("from", "udp"):
            edns = edns or 1232
            if key == "edns":
                edns = int(value)
            elif key == "do":
                ednsflags = dns.flags.DO
            elif key == "version":
                version = int(value)
            elif key == "nsid":
                options.append(dns.edns.GenericOption(3, b""))
            elif key == "option":
                options.append(dns.edns.GenericOption(65001, bytes.fromhex(value)))
            elif key == "keepalive":
                options.append(dns.edns.GenericOption(11, bytes.fromhex(value)))
            elif key == "padding":
                options.append(dns.edns.GenericOption(12, bytes(64)))
            elif key == "cookie":
                options.append(dns.edns.GenericOption(10, bytes.fromhex(value)))
            elif key == "ecshex":
                options.append(dns.edns.GenericOption(8, bytes.fromhex(value)))
            elif key == "ecs":
                address, _, bits = value.partition("/")
                options.append(dns.edns.GenericOption(8, ecs(address, int(bits))))
    query = dns.message.make_query(name, words[0], klass)
    query.id, query.flags = 0x1234, flags
    if edns:
        query.use_edns(version, ednsflags, edns, options=options)
    return query.to_wire(), tcp


def ecs(address, bits):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return struct.pack("!HBB", 2 if ":" in address else 1, bits, 0) + socket.inet_pton(family, address)[:(bits + 7) // 8]


def ask_udp(port, wire):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect(("127.0.0.1", port))
        sock.send(wire)
        return sock.recv(65535)


def ask_tcp(port, wire):
    with socket.create_connection(("127.0.0.1", port), 2) as sock:
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        stream = sock.makefile("rb")
        (length,) = struct.unpack("!H", stream.read(2))
        return stream.read(length)


def expected(records, got):
    """What must be there: the signatures over signed sets as they came, at least one each."""
    wanted = []
    for text, with_rrsig in records:
        owner, ttl, klass, rtype, data = text.split(" ", 4)
        rrset = dns.rrset.from_text(owner, int(ttl), dns.rdataclass.from_text(klass), rtype, data)
        wanted += flatten([rrset])
        if with_rrsig:
            rrsigs = [r for r in got if r[:2] == wanted[-1][:2] and r[3] == 46 and r[4][:2] == struct.pack("!H", rrset.rdtype)]
            assert rrsigs, "no RRSIG over " + text
            wanted += [rrsig for rrsig in rrsigs if rrsig not in wanted]
    return sorted(wanted)


def flatten(section):
    return sorted((rrset.name.to_text().lower(), rrset.ttl, int(rrset.rdclass), int(rrset.rdtype), rdata.to_digestable().lower())
                  for rrset in section for rdata in rrset)


def check(row, wire, reply, over_tcp):
    assert reply[:2] == wire[:2]
    assert len(reply) <= 1232 or over_tcp
    if reply[4:6] == b"\0\1":
        end = len(reply) if len(reply) < len(wire) else len(wire)
        question = 12
        while wire[question]:
            question += wire[question] + 1
        question += 5
        assert reply[12:min(end, question)] == wire[12:min(end, question)]
    if (reply[2] >> 3) & 15 > 5:  # dnspython does not read unknown opcodes
        assert reply[3] & 15 == 4 and row.rcode == "NOTIMP"
        return
    if row.rcode == "NOTAUTH":
        with pytest.raises(dns.tsig.PeerBadKey):
            dns.message.from_wire(reply, keyring=lambda _, name: dns.tsig.Key(name, b"secret"))
        return
    message = dns.message.from_wire(reply)
    assert dns.rcode.to_text(message.rcode()) == row.rcode
    for flag in ("aa", "tc", "rd", "cd"):
        # what a datagram has no room for fits over TCP
        wanted = flag in row.words and not (flag == "tc" and over_tcp)
        assert bool(message.flags & dns.flags.from_text(flag)) == wanted, flag
    scopes = [option for option in message.options if int(option.otype) == 8]
    if row.scope() is None:
        assert not scopes
    else:
        assert [option.scopelen for option in scopes] == [row.scope()]
    errors = [struct.unpack("!H", raw_option(option)[:2])[0] for option in message.options if int(option.otype) == 15]
    assert errors == [int(word[4:]) for word in row.words if word.startswith("ede=")]
    keepalive = [raw_option(option) for option in message.options if int(option.otype) == 11]
    assert keepalive == ([b"\0\x64"] if over_tcp and "keepalive=" in row.text and row.rcode != "FORMERR" else [])
    cookies = [option.data for option in message.options if int(option.otype) == 10]
    assert ("cookie" in row.words) == bool(cookies)
    for cookie in cookies:
        sent = next((word[7:23] for word in row.text.split() if word.startswith("cookie=")), None)
        assert len(cookie) == 24 and cookie[8] == 1 and (sent is None or cookie[:8].hex() == sent)
    if "any" not in row.words and not (over_tcp and ("tc" in row.words or "big" in row.text)):
        for section in SECTIONS.values():
            got = flatten(getattr(message, section))
            wanted = expected(row.records[section], got)
            if row.text.startswith("down"):  # the daemon serves a lower TTL for a while after a change of state
                assert all(mine[1] <= theirs[1] for mine, theirs in zip(got, wanted)), section
                got, wanted = [(r[0],) + r[2:] for r in got], [(r[0],) + r[2:] for r in wanted]
            assert got == wanted, section


def raw_option(option):
    return option.to_wire() or b""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    for path in list(HERE.glob("*.zone")) + [HERE / "big.inc", HERE / "services.yaml"]:
        (folder / path.name).write_text(path.read_text())
    subprocess.run([BIN / "golden", "--write-image", folder / "world.isomap"], check=True)
    (folder / "broken.zone").write_text("this is no zone\n")
    port = free_port()
    # without the system call filter, behind which a leak check at the end of a sanitized build never ends
    config = {"seccomp": False, "identity": "golden1", "version": "isochrone", "workers": 1, "listen": ["127.0.0.1@%d" % port],
              "map": "world.isomap", "services": "services.yaml", "control": str(folder / "edge.sock"),
              "state_dir": str(folder / "state"),
              "zones": [{"origin": origin, "file": origin + "zone"} for origin in ZONES] +
                       [{"origin": "broken.example.", "file": "broken.zone"}]}
    (folder / "edge.yaml").write_text(json.dumps(config))
    log = open(folder / "log", "wb")
    process = subprocess.Popen([BIN / "isochrone-edge", "--config", folder / "edge.yaml"], stderr=log)

    def control(*words):
        return subprocess.run([BIN / "isochronectl", "--socket", folder / "edge.sock", *words], capture_output=True, text=True)

    for _ in range(100):
        if control("status").returncode == 0:
            break
        assert process.poll() is None, (folder / "log").read_text()
        time.sleep(0.05)
    for service in DOWN:
        result = control("pop", service, "down", "--force", "--reason", "golden")
        assert result.returncode == 0, result.stderr
    yield port, control
    process.terminate()
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()


ROWS = [row for row in read_table() if "from=" not in row.text or "from=127." in row.text]


def counted(control):
    outcomes = json.loads(control("stats", "--json").stdout)["outcomes"]
    return {kind: sum(by.values()) for kind, by in outcomes.items()}


@pytest.mark.parametrize("over_tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("row", ROWS, ids=["%d" % row.line for row in ROWS])
def test_row(edge, row, over_tcp):
    port, control = edge
    wire, only_tcp = build(row)
    if row.rcode == "nothing":
        pytest.skip("a socket cannot show that nothing comes")
    if only_tcp and not over_tcp:
        pytest.skip("the row is about TCP")
    if over_tcp and "udp" in row.text.split():
        pytest.skip("the row is about UDP")
    reply = (ask_tcp if over_tcp else ask_udp)(port, wire)
    check(row, wire, reply, over_tcp)


def test_counters(edge):
    """Right answers by the wrong way would show here: each row is counted as its kind, once."""
    port, control = edge
    before = counted(control)
    wanted = dict.fromkeys(before, 0)
    for row in ROWS:
        wire, only_tcp = build(row)
        if row.rcode == "nothing":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(wire, ("127.0.0.1", port))
            wanted["dropped"] += 1
        elif not only_tcp:
            ask_udp(port, wire)
            wanted[row.kind] += 1
    after = counted(control)
    assert {kind: after[kind] - before[kind] for kind in after} == wanted

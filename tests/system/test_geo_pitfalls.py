# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers of geographic answers have got wrong, asked of ours on the wire: one test each, in the order in which an
answer is made. Scopes (RFC 7871) first, then zones, then answers as such. The rules behind them: edge/answer/answer_name.c,
answer_service.c, answer_svcb.c, and services.yaml(5)."""
import ipaddress
import random
import socket
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from edge_lab import Edge, build_map, query, read_frame, frame
from test_one_decision import random_client, random_networks

ZONE = """$TTL 3600
@        IN SOA  ns1 hostmaster 1 7200 3600 1209600 300
@        IN NS   ns1
@        IN MX   10 www
@        IN A    192.0.2.1
@        IN AAAA 2001:db8::1
ns1      IN A    192.0.2.250
www      IN A    192.0.2.99
www      IN AAAA 2001:db8::99
www      IN TXT  "beside"
www      IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.99 ipv6hint=2001:db8::99
web      IN CNAME www
_x._tcp  IN SRV  1 1 443 www
host.w   IN TXT  "blocks the wildcard"
d.e.w    IN TXT  "so does an empty non-terminal"
sub      IN NS   ns.sub
sub      IN DS   1 13 2 0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20
ns.sub   IN A    192.0.2.251
static   IN A    192.0.2.77
down     IN A    192.0.2.66
big      IN TXT  {big}
"""
SERVICES = """services:
  web:
    map: web
    pops: {fra: [192.0.2.10, "2001:db8::10"], sin: [192.0.2.20, "2001:db8::20"], nyc: [192.0.2.30]}
  two: {map: web, pops_per_answer: 2, on_empty: nodata, pops: {fra: [192.0.2.10], sin: [192.0.2.20], nyc: [192.0.2.30]}}
  named:
    map: web
    on_empty: nodata
    pops: {fra: {cname: www.example.com.}, sin: {cname: static.example.com.}, nyc: {cname: nyc.cdn.test.}}
  down: {map: web, ttl: 20, pops: {fra: [192.0.2.40]}}
  fail: {map: web, on_empty: servfail, pops: {fra: [192.0.2.40]}}
  none: {map: web, on_empty: nodata, pops: {fra: [192.0.2.40]}}
  many:
    map: web
    on_empty: nodata
    pops: {fra: [%s], sin: [192.0.2.20], nyc: [192.0.2.30]}
names:
  example.com.: web
  www.example.com.: web
  "*.w.example.com.": two
  two.example.com.: two
  named.example.com.: named
  deep.in.geo.example.com.: two
  down.example.com.: down
  fail.example.com.: fail
  none.example.com.: none
  many.example.com.: many
""" % ", ".join(f"203.0.113.{i}" for i in range(1, 65))
TAILORED = ["example.com.", "www.example.com.", "x.w.example.com.", "*.w.example.com.", "named.example.com.",
            "web.example.com.", "deep.in.geo.example.com.", "fail.example.com."]
POPS = ("fra", "sin", "nyc")
FRA, SIN, NYC = "20.250.1.0/24", "20.250.2.0/24", "20.250.3.0/24"


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pitfalls")
    chance = random.Random(28)
    rows = ["prefix,map,space,pops"] + [f"20.250.{1 + i}.0/24,,client,{pop}" for i, pop in enumerate(POPS)]
    for network in random_networks(chance):
        if not network.overlaps(ipaddress.ip_network("20.250.0.0/16")) if network.version == 4 else True:
            rows.append(f"{network},,client,{' '.join(chance.sample(POPS, chance.choice((1, 2, 3))))}")
    rows += ["127.0.0.1/32,,resolver,sin", "127.0.0.2/32,,resolver,fra"]
    build_map(folder, "\n".join(rows) + "\n")
    (folder / "services.yaml").write_text(SERVICES)
    (folder / "example.com.zone").write_text(ZONE.format(big=" ".join([f'"{i}{"x" * 240}"' for i in range(8)])))
    with Edge(folder, map="cdn.isomap", services="services.yaml") as server:
        for service in ("down", "fail", "none"):
            done = server.ctl("pop", "fra/" + service, "down", "--force", "--reason", "test")
            assert done.returncode == 0, done.stderr
        yield server


def ecs_of(message):
    return next((option for option in message.options if option.otype == dns.edns.ECS), None)


def texts(message):
    return sorted(item.to_text() for rrset in message.answer for item in rrset)


def clients(count, seed):
    chance = random.Random(seed)
    for i in range(count):
        version, bits = ((4, 32), (4, 24), (6, 56), (6, 128))[i % 4]
        yield str(ipaddress.ip_network((random_client(chance, version), bits), strict=False))


def scope_block(message, subnet):
    """The clients that the answer is for."""
    address, source = subnet.split("/")
    return ipaddress.ip_network((address, min(ecs_of(message).scopelen, int(source))), strict=False)


# --- scopes


@pytest.mark.parametrize("name", TAILORED)
def test_01_scopes_are_disjoint_and_promise_one_answer(edge, name):
    """1, 2, 9, 13: blocks never overlap, one answer each, none is 0, also at the apex, at wildcards, for CNAMEs."""
    blocks = {}
    for subnet in clients(80, name):
        message = edge.ask(name, subnet=subnet)
        block = scope_block(message, subnet)
        assert ecs_of(message).scopelen > 0
        answer = (message.rcode(), texts(message))
        assert blocks.setdefault(block, answer) == answer, block
    for block in blocks:
        above = [block.supernet(new_prefix=length) for length in range(block.prefixlen)]
        assert not set(above) & set(blocks), block
    assert len(blocks) > 15


def test_02_every_type_and_family_has_the_same_scope_of_a_client(edge):
    """2, 7: A, AAAA and HTTPS of one name are one decision."""
    for subnet in clients(40, 2):
        scopes = {ecs_of(edge.ask("www.example.com.", kind, subnet)).scopelen for kind in ("A", "AAAA", "HTTPS")}
        assert len(scopes) == 1, subnet


@pytest.mark.parametrize("name, rcode, keys", [
    ("www.example.com.", "NOERROR", {}), ("no.example.com.", "NXDOMAIN", {}), ("example.org.", "REFUSED", {}),
    ("www.example.com.", "BADVERS", {"version": 1}), ("big.example.com.", "NOERROR", {"kind": "TXT"}),
    ("fail.example.com.", "SERVFAIL", {}), ("x.sub.example.com.", "NOERROR", {})])
def test_03_the_client_subnet_comes_back_whatever_the_answer_is(edge, name, rcode, keys):
    """3: FAMILY, SOURCE and ADDRESS as they came, and nothing where nothing came."""
    for subnet in ("20.250.1.0/24", "2400:1:2:300::/56", "20.250.1.128/25", "0.0.0.0/0"):
        message = query(name, keys.get("kind", "A"), subnet)
        message.use_edns(keys.get("version", 0), options=message.options)
        reply = dns.message.from_wire(exchange(edge, message.to_wire()))
        assert dns.rcode.to_text(reply.rcode()) == rcode
        assert bool(reply.flags & dns.flags.TC) == (name == "big.example.com.")
        sent, got = ecs_of(message), ecs_of(reply)
        if rcode == "BADVERS":  # what the option means in that version, we do not know
            assert got is None
            continue
        assert (got.family, got.srclen, got.address) == (sent.family, sent.srclen, sent.address)
        if rcode != "NOERROR" and rcode != "SERVFAIL" or "sub" in name or subnet.endswith("/0"):
            assert got.scopelen == 0
    assert ecs_of(edge.ask(name, keys.get("kind", "A"))) is None


def exchange(edge, wire):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect(("127.0.0.1", edge.port))
        sock.send(wire)
        return sock.recv(65535)


def raw_ecs(data):
    message = dns.message.make_query("www.example.com.", "A", use_edns=0, options=[dns.edns.GenericOption(8, data)])
    return message.to_wire()


@pytest.mark.parametrize("data", [
    struct.pack("!HBB", 3, 24, 0) + b"\x14\xfa\1", struct.pack("!HBB", 0, 24, 0) + b"\x14\xfa\1",
    struct.pack("!HBB", 1, 24, 24) + b"\x14\xfa\1", struct.pack("!HBB", 1, 33, 0) + b"\x14\xfa\1\0\0",
    struct.pack("!HBB", 1, 24, 0) + b"\x14\xfa", struct.pack("!HBB", 1, 24, 0) + b"\x14\xfa\1\0",
    struct.pack("!HBB", 1, 20, 0) + b"\x14\xfa\1"])
def test_04_a_malformed_client_subnet_is_formerr(edge, data):
    """4: family, query scope, length, octets, trailing bits."""
    assert exchange(edge, raw_ecs(data))[3] & 15 == dns.rcode.FORMERR


def test_05_private_addresses_and_source_0_are_answered_for_the_resolver(edge):
    """4, 5: with the scope of the special block, or 0; 6to4 is the IPv4 network in it."""
    for source, address in (("127.0.0.1", "192.0.2.20"), ("127.0.0.2", "192.0.2.10")):
        for subnet, scope in (("10.1.2.0/24", 8), ("192.168.9.0/24", 16), ("0.0.0.0/0", 0), ("::/0", 0)):
            message = edge.ask("www.example.com.", subnet=subnet, source=source)
            assert (texts(message), ecs_of(message).scopelen) == ([address], scope), subnet
    folded = edge.ask("www.example.com.", subnet="2002:14fa:100::/48")
    assert (texts(folded), ecs_of(folded).scopelen) == (["192.0.2.10"], 16 + 24)


@pytest.mark.parametrize("name, kind", [
    ("example.com.", "SOA"), ("example.com.", "NS"), ("example.com.", "MX"), ("static.example.com.", "A"),
    ("www.example.com.", "TXT"), ("_x._tcp.example.com.", "SRV"), ("www.sub.example.com.", "A"), ("sub.example.com.", "DS"),
    ("in.geo.example.com.", "A"), ("www.example.com.", "MX"), ("web.example.com.", "CNAME")])
def test_06_what_is_the_same_for_all_has_scope_0(edge, name, kind):
    """6: and addresses of a service never go along with it."""
    message = edge.ask(name, kind, FRA)
    assert ecs_of(message).scopelen == 0
    added = {item.to_text() for rrset in message.additional for item in rrset}
    assert not added & {"192.0.2.10", "192.0.2.20", "192.0.2.30", "192.0.2.99"}


def test_07_a_chain_has_one_scope(edge):
    """7: the service's behind an alias; behind a service's CNAME no other choice is made."""
    assert ecs_of(edge.ask("web.example.com.", subnet=FRA)).scopelen == 24
    fra, sin, nyc = (edge.ask("named.example.com.", subnet=subnet) for subnet in (FRA, SIN, NYC))
    assert texts(fra) == ["www.example.com."]  # a service itself
    assert texts(sin) == ["192.0.2.77", "static.example.com."]
    assert texts(nyc) == ["nyc.cdn.test."]
    assert {ecs_of(message).scopelen for message in (fra, sin, nyc)} == {24}


def test_08_no_client_lacks_a_type_that_others_have(edge):
    """8, 20: a PoP without AAAA passes on to one that has it; hints stay where they are."""
    for subnet in [FRA, SIN, NYC, *clients(40, 8)]:
        assert texts(edge.ask("www.example.com.", "AAAA", subnet))
        for kind in ("A", "HTTPS"):
            assert len(texts(edge.ask("www.example.com.", kind, subnet))) == 1
        assert edge.ask("two.example.com.", "AAAA", subnet).rcode() == 0
    assert texts(edge.ask("www.example.com.", "AAAA", NYC)) < ["2001:db8::3"]


def test_10_a_source_shorter_than_the_block_is_told_to_ask_finer(edge):
    """10: SCOPE beyond SOURCE, the same at each time."""
    replies = [edge.ask("www.example.com.", subnet="20.250.0.0/16") for _ in range(3)]
    assert {ecs_of(reply).scopelen for reply in replies} == {ecs_of(replies[0]).scopelen}
    assert ecs_of(replies[0]).scopelen > 16 and len({tuple(texts(reply)) for reply in replies}) == 1


def test_11_every_way_to_us_gives_the_same_bytes(edge):
    """11, 13: UDP and TCP, whichever worker, in whatever order the clients come."""
    wires = [query(name, "A", subnet).to_wire() for name in TAILORED for subnet in (FRA, SIN, NYC)]
    over_udp = {wire: exchange(edge, wire) for wire in wires}
    for wire in reversed(wires):
        with edge.connect() as connection:
            connection.sendall(frame(wire))
            assert read_frame(connection) == over_udp[wire] == exchange(edge, wire)


def test_12_clients_are_not_in_the_log(edge):
    """12: and explain cuts an address to what resolvers send."""
    edge.ask("www.example.com.", subnet="20.250.1.77/32")
    assert "20.250.1.77" not in edge.logged()
    assert "20.250.1.0/24" in edge.ctl("explain", "20.250.1.77", "www.example.com.").stdout


def test_14_a_resolver_and_a_client_at_one_address_are_told_apart(edge):
    """14: where they are answered differently, explain says by which rule."""
    assert edge.data("explain", "20.250.1.1", "www.example.com.")["basis"] == "ecs"
    assert edge.data("explain", "--resolver", "127.0.0.1", "www.example.com.")["basis"] == "resolver"
    assert edge.data("explain", "--resolver", "20.250.1.1", "www.example.com.")["basis"] == "source"


# --- zones


@pytest.mark.parametrize("kind", ["A", "AAAA", "MX", "TXT", "NS", "SOA", "HTTPS", "CNAME", "ANY", "DS", "TYPE65400"])
def test_15_a_cname_of_a_service_answers_for_every_type(edge, kind):
    """15: alone (services.yaml with anything beside it, or at the apex, does not load: tests/unit/edge/test_services.c)."""
    message = edge.ask("named.example.com.", kind, NYC)
    assert [(rrset.name.to_text(), rrset.rdtype, len(rrset)) for rrset in message.answer] == [("named.example.com.", 5, 1)]
    assert texts(message) == ["nyc.cdn.test."]
    assert not message.authority and message.flags & dns.flags.AA


@pytest.mark.parametrize("name, answered", [
    ("x.w.example.com.", True), ("x.y.w.example.com.", True), ("*.w.example.com.", True), ("X.W.example.com.", True),
    ("host.w.example.com.", False), ("x.host.w.example.com.", None), ("e.w.example.com.", False),
    ("x.e.w.example.com.", None), ("w.example.com.", False), ("*.x.w.example.com.", True)])
def test_16_a_wildcard_service_follows_the_closest_encloser(edge, name, answered):
    """16: True is synthesised, False exists without the type, None does not exist."""
    message = edge.ask(name, subnet=FRA)
    assert message.rcode() == (dns.rcode.NXDOMAIN if answered is None else dns.rcode.NOERROR)
    assert bool(message.answer) == bool(answered)
    if answered:
        assert message.answer[0].name.to_text() == name
    else:
        assert ecs_of(message).scopelen == 0


def test_17_empty_non_terminals_above_a_service_exist(edge):
    """17: NODATA, not NXDOMAIN; beside them NXDOMAIN."""
    for name in ("in.geo.example.com.", "geo.example.com."):
        assert (edge.ask(name).rcode(), edge.ask(name).answer) == (dns.rcode.NOERROR, [])
    assert edge.ask("x.geo.example.com.").rcode() == dns.rcode.NXDOMAIN


def refused(edge, text, tmp_path, zone=None):
    """What --check says of a services file with this text."""
    other = Edge(tmp_path, map=str(edge.folder / "cdn.isomap"), services="services.yaml")
    (tmp_path / "example.com.zone").write_text(zone or (edge.folder / "example.com.zone").read_text())
    (tmp_path / "services.yaml").write_text(text)
    done = other.check()
    assert done.returncode == 1
    return done.stderr


def test_19_delegations_win_over_services(edge, tmp_path):
    """19: a referral without AA, glue and all; DS from above the cut; what lies below is no service's."""
    message = edge.ask("www.sub.example.com.", subnet=FRA)
    assert not message.answer and not message.flags & dns.flags.AA
    assert message.authority[0].to_text() == "sub.example.com. 3600 IN NS ns.sub.example.com."
    assert "192.0.2.251" in message.additional[0].to_text()
    assert edge.ask("sub.example.com.", "DS").flags & dns.flags.AA
    for name in ("www.sub.example.com.", "sub.example.com.", '"*.sub.example.com."'):
        said = refused(edge, SERVICES + f"  {name}: two\n", tmp_path)
        assert f"services.yaml:{SERVICES.count(chr(10)) + 1}:" in said and "lies in the delegation of sub.example.com." in said


@pytest.mark.parametrize("service, name, said", [
    ("two", "ns1.example.com.", None), ("named", "ns9.example.com.", "which cannot have a CNAME record"),
    ("web", "ns1.example.com.", "has no AAAA record"), ("two", "ns9.example.com.", "the zone must have A records for it, too"),
    ("two", '"*.example.com."', "is a name server of other.example.com.")])
def test_19_name_servers_need_addresses_that_depend_on_nobody(edge, tmp_path, service, name, said):
    """19: else those who ask for the name server have nobody to ask."""
    zone = (edge.folder / "example.com.zone").read_text() + "other IN NS ns9\n"
    if said is None:
        zone = zone.replace("other IN NS ns9", "other IN NS ns1")
        said = "never"
        text = SERVICES + f"  {name}: {service}\n  x..y: two\n"  # this one alone is wrong
        assert "x..y" in refused(edge, text, tmp_path, zone)
    else:
        stderr = refused(edge, SERVICES + f"  {name}: {service}\n", tmp_path, zone)
        assert f"services.yaml:{SERVICES.count(chr(10)) + 1}:" in stderr and said in stderr


def test_19_hosts_that_are_chosen_aliases_are_warned_of(edge, tmp_path):
    """19: RFC 2181 section 10.3: MX, SRV and NS name hosts, not aliases, be they exact, by wildcard or of another zone."""
    zone = (edge.folder / "example.com.zone").read_text()
    other = Edge(tmp_path, map=str(edge.folder / "cdn.isomap"), services="services.yaml")
    text = SERVICES + '  alias.example.com.: named\n  "*.aliases.example.com.": named\n'
    (tmp_path / "services.yaml").write_text(text)
    (tmp_path / "example.com.zone").write_text(zone)
    done = other.check()
    assert done.returncode == 0 and "RFC 2181" not in done.stderr, done.stderr
    for records, said in (
            ("x MX 10 two\nx MX 20 alias\n", "MX record of x.example.com. names alias.example.com., to which service named"),
            ("_s._tcp SRV 1 2 3 Alias\n", "the SRV record of _s._tcp.example.com. names alias.example.com."),
            ("*.wild MX 10 mail.aliases\n", "the MX record of *.wild.example.com. names mail.aliases.example.com."),
            ("x MX 10 alias\ny MX 10 alias\n", "and 1 more"),
            ("child NS alias.example.com.\n", None), ("x MX 10 here.aliases\nhere.aliases A 192.0.2.1\n", ""),
            ("x MX 10 below.here.aliases\nhere.aliases A 192.0.2.1\n", "")):
        (tmp_path / "example.com.zone").write_text(zone + records)
        done = other.check()
        if said is None:  # worse: nobody is left to ask
            assert done.returncode == 1 and "which cannot have a CNAME record" in done.stderr
        else:
            assert done.returncode == 0 and (said in done.stderr if said else "RFC 2181" not in done.stderr), done.stderr


def test_20_hints_are_the_addresses_this_client_gets(edge):
    """20: of HTTPS at a service's name; a service without HTTPS has none for anybody."""
    for subnet in [FRA, SIN, NYC, *clients(20, 20)]:
        (rdata,) = edge.ask("www.example.com.", "HTTPS", subnet).answer[0]
        assert [[str(a) for a in rdata.params[key].addresses] for key in (4, 6)] == [
            texts(edge.ask("www.example.com.", kind, subnet)) for kind in ("A", "AAAA")]
        assert not edge.ask("two.example.com.", "HTTPS", subnet).answer


# --- answers


def test_21_ttls(edge):
    """21: negative ones from the SOA, one for a whole set, never 0, not higher because everybody is down."""
    assert edge.ask("no.example.com.").authority[0].ttl == 300
    assert edge.ask("two.example.com.", subnet=FRA).answer[0].ttl == 30
    assert 5 <= edge.ask("down.example.com.", subnet=FRA).answer[0].ttl <= 20  # the zone says 3600
    assert edge.ask("none.example.com.", subnet=FRA).authority[0].ttl <= 30  # the zone says 300
    assert 5 <= edge.ask("www.example.com.", "HTTPS", FRA).answer[0].ttl <= 30


def test_22_any_is_small_and_the_same_for_all(edge):
    """22: RFC 8482, with DO as without."""
    for name in ("www.example.com.", "two.example.com.", "x.w.example.com."):
        for subnet in (FRA, SIN):
            message = edge.ask(name, "ANY", subnet)
            assert texts(message) == ['"RFC8482" ""'] and ecs_of(message).scopelen == 0


def test_23_whole_sets_are_left_out_and_opt_stays(edge):
    """23: TC over UDP with what the query asked of OPT; TCP has it all."""
    message = dns.message.from_wire(exchange(edge, query("many.example.com.", "A", FRA).to_wire()))
    assert message.flags & dns.flags.TC == 0  # 64 addresses fit into 1232 bytes
    small = dns.message.make_query("many.example.com.", "A", use_edns=0, payload=512,
                                   options=[dns.edns.ECSOption("20.250.1.0", 24)])
    message = dns.message.from_wire(exchange(edge, small.to_wire()))
    assert message.flags & dns.flags.TC and not message.answer and ecs_of(message).scopelen == 24
    assert len(texts(edge.ask("many.example.com.", subnet=FRA, tcp=True))) == 64


def test_24_case_is_ignored_and_kept(edge):
    """24: 0x20."""
    for name in ("wWw.eXample.COM.", "X.w.EXAMPLE.com.", "nAmEd.example.com."):
        message = edge.ask(name, subnet=SIN)
        assert message.question[0].name.to_text() == name and message.answer[0].name.to_text() == name


def test_25_odd_messages(edge):
    """25: two questions, two OPT records, options unknown."""
    wire = bytearray(query("www.example.com.", "A", FRA).to_wire())
    two_opt = bytes(wire[:11]) + b"\2" + bytes(wire[12:]) + b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    assert exchange(edge, two_opt)[3] & 15 == dns.rcode.FORMERR
    wire[5] = 2
    assert exchange(edge, bytes(wire))[3] & 15 == dns.rcode.FORMERR
    odd = dns.message.make_query("www.example.com.", "A", use_edns=0, options=[dns.edns.GenericOption(65001, b"x")])
    reply = dns.message.from_wire(exchange(edge, odd.to_wire()))
    assert reply.rcode() == 0 and not reply.options


def test_26_an_answer_does_not_depend_on_chance(edge):
    """26: the same records in the same order each time; nothing rotates under a cached scope."""
    for name in TAILORED + ["many.example.com."]:
        wire = query(name, "A", FRA).to_wire()
        assert len({exchange(edge, wire) for _ in range(10)}) == 1


def test_27_nobody_is_left_as_the_operator_said(edge):
    """27: static, servfail or nodata, the same for all clients, and so after a restart."""
    def seen():
        return [(m.rcode(), texts(m)) for name in ("down", "fail", "none") for subnet in (FRA, SIN, "2400:1::/56")
                for m in [edge.ask(name + ".example.com.", subnet=subnet)]]

    wanted = [(0, ["192.0.2.66"])] * 3 + [(2, [])] * 3 + [(0, [])] * 3
    assert seen() == wanted
    edge.kill()
    edge.start()
    assert seen() == wanted


def test_09_a_failover_changes_answers_but_no_scope(edge):
    """9: what caches hold stays right."""
    sample = [(name, subnet) for name in TAILORED for subnet in clients(12, 9)]
    before = {(name, subnet): edge.ask(name, subnet=subnet) for name, subnet in sample}
    assert edge.ctl("pop", "fra", "down", "--reason", "test").returncode == 0
    try:
        after = {(name, subnet): edge.ask(name, subnet=subnet) for name, subnet in sample}
    finally:
        assert edge.ctl("pop", "fra", "auto").returncode == 0
    assert all(ecs_of(before[at]).scopelen == ecs_of(after[at]).scopelen for at in sample)
    assert any(texts(before[at]) != texts(after[at]) for at in sample)

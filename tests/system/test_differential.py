# SPDX-License-Identifier: GPL-3.0-or-later
"""A fixed sample of tests/system/differential, whose long run is differential/run, and the harness itself: it can see."""
import collections
import shutil

import pytest

from differential.explained import RULES
from differential.harness import Round, describe, run_round
from differential.zones import Zone, from_text
from peer_servers import SERVERS, Peer

needs_peers = pytest.mark.skipif(not all(Peer.installed(name) for name in SERVERS),
                                 reason="knot, nsd and bind9 are not all installed")


needs_signer = pytest.mark.skipif(not shutil.which("dnssec-signzone"), reason="dnssec-signzone (bind9-utils) is not installed")


@needs_peers
@needs_signer
@pytest.mark.parametrize("seed", [11, 12])
def test_no_difference_without_explanation(seed):
    compared, unexplained = run_round(seed, 1000, collections.Counter(), signed=seed % 2 == 0)
    assert compared == 3000
    assert not unexplained, describe(unexplained)


@needs_peers
def test_a_fault_would_be_seen(tmp_path):
    """Our server has another zone than the peers: nothing explains that."""
    with Round(1, tmp_path, name_n=5) as world:
        (tmp_path / "other").write_text(world.zones[0].master_file() + "added.top.test. 300 IN A 192.0.2.1\n")
        world.edge.configure(zones=[{"origin": "top.test.", "file": "other"}])
        assert world.edge.ctl("reload").returncode == 0
        found = world.compare(["added.top.test. A", "top.test. SOA"], "--timeout", "2s", "--confirm", "0")
        for differences in found.values():
            assert [difference.question for difference in differences] == ["added.top.test. A"]
            assert differences[0].left(RULES, world, collections.Counter()) == differences[0].items


def zone_of(origin, records):
    """A zone from "name type RDATA", names relative to the origin, "@" for itself."""
    zone = Zone(from_text(origin))
    zone.add(zone.origin, "SOA", f"ns1.{origin} hostmaster.{origin} 1 7200 3600 1209600 300", 300)
    zone.add(zone.origin, "NS", f"ns1.{origin}", 300)
    zone.add((b"ns1",) + zone.origin, "A", "192.0.2.53", 300)
    for record in records:
        name, rtype, rdata = record.split(" ", 2)
        full = zone.origin if name == "@" else from_text(name) + zone.origin
        zone.add(full, rtype, rdata.replace("@", origin), 300)
    return zone


# What a long run meets once or never: (rule, the question, peers that it explains)
RARE = [
    ("knot-no-room", "srv.plain.test. SRV", {"knot"}),
    ("knot-empty", "alias.optout.test. A +do", {"knot"}),
    ("nsec-of-wildcard", "x.w.signed.test. NSEC +do", {"knot"}),
]


@needs_peers
@needs_signer
def test_rare_rules_are_about_what_the_peers_do(tmp_path):
    """Each explains a difference that is there, of these peers alone, and nothing else has to."""
    srv = [f"srv SRV 0 0 {port} a.@" for port in range(11)] + ["srv SRV 9 0 1 b.@", "a A 192.0.2.1", "b A 192.0.2.2"]
    made = [(zone_of("plain.test.", srv), None),
            (zone_of("optout.test.", ["* A 192.0.2.1", "alias CNAME x.ent.@", "cut.ent NS ns.elsewhere.invalid."]), "optout"),
            (zone_of("signed.test.", ["*.w A 192.0.2.1"]), "nsec")]
    with Round(0, tmp_path, made=made) as world:
        found = world.compare([question for _, question, _ in RARE], "--timeout", "2s", "--confirm", "1")
        for rule, question, peers in RARE:
            for peer, differences in found.items():
                hits = collections.Counter()
                left = [difference.left(RULES, world, hits) for difference in differences if difference.question == question]
                assert not any(left), (question, peer, left)
                assert (rule in hits) == (peer in peers), (question, peer, dict(hits))


def test_each_rule_says_why():
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert "RFC " in rule.reason and set(rule.peers) <= set(SERVERS)

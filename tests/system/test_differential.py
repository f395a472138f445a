# SPDX-License-Identifier: GPL-3.0-or-later
"""A fixed sample of tests/system/differential, whose long run is differential/run, and the harness itself: it can see."""
import collections
import shutil

import pytest

from differential.explained import RULES
from differential.harness import Round, describe, run_round
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


def test_each_rule_says_why():
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert "RFC " in rule.reason and set(rule.peers) <= set(SERVERS)

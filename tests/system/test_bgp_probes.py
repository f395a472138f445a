# SPDX-License-Identifier: GPL-3.0-or-later
"""What isochrone-bgp's checks say of real servers on loopback: a signed zone on Knot and on our edge."""
import json
import os
import pathlib
import subprocess

import pytest

from edge_lab import Edge, zone_text
from peer_servers import Peer
from signed_zones import sign, tools_missing

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()

ZONE = "nsec.example."
BIG = '"' + '" "'.join(["y" * 250] * 8) + '"'  # more than a datagram takes


def once(folder, **checks):
    """{check: what --once --json says of it}; `checks` are their keys."""
    config = {"vips": [{"prefix": "127.0.0.1/32"}, {"prefix": "192.0.2.53/32"}], "checks": checks}
    (folder / "bgp.yaml").write_text(json.dumps(config))  # JSON is YAML
    done = subprocess.run([BIN / "isochrone-bgp", "--config", folder / "bgp.yaml", "--once", "--json"],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout, done.stderr
    return {check["check"]: check for check in json.loads(done.stdout)["checks"]}


def said(check):
    return check["verdict"], check["cause"], check["evidence"]


@pytest.fixture(name="servers", scope="module")
def servers_fixture(tmp_path_factory):
    """An edge and a Knot with a zone whose signatures last three hours; Knot's other zone is newer than the edge's."""
    if tools_missing() or not Peer.installed("knot"):
        pytest.skip(f"not installed: {tools_missing() or 'knot'}")
    folder = tmp_path_factory.mktemp("servers")
    signed, _ = sign(folder, "nsec", until="now+11400")
    (folder / "example.com.zone").write_text(zone_text(41, BIG))
    (folder / "newer.zone").write_text(zone_text(44))
    knot = Peer("knot", folder, {ZONE: signed, "example.com.": folder / "newer.zone"}).start()
    edge = Edge(folder, zones=[{"origin": ZONE, "file": signed.name},
                               {"origin": "example.com.", "file": "example.com.zone"}])
    with edge:
        assert knot.wait() == []
        yield {"edge": f"127.0.0.1@{edge.port}", "knot": f"127.0.0.1@{knot.port}"}
    knot.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("server", ["edge", "knot"])
def test_answers_and_their_signatures(servers, tmp_path, server, transport):
    common = {"type": "dns", "server": servers[server], "transport": transport}
    checks = once(
        tmp_path,
        plain={**common, "name": "www." + ZONE, "expect": ["192.0.2.91", "192.0.2.92"]},
        wrong={**common, "name": "www." + ZONE, "expect": ["192.0.2.91"]},
        chain={**common, "name": "leads." + ZONE, "expect": ["192.0.2.91", "192.0.2.92"], "signature": "2h"},
        synthesized={**common, "name": "a.b.wdname." + ZONE, "expect": "NXDOMAIN", "signature": "2h"},
        denied={**common, "name": "nothing." + ZONE, "expect": "NXDOMAIN", "signature": "2h"},
        ends={**common, "name": "www." + ZONE, "signature": "1d"},
        unsigned={**common, "name": "static.example.com.", "signature": "1d"},
    )
    assert said(checks["plain"])[:2] == ("pass", "none")
    assert said(checks["wrong"]) == ("fail", "wrong", "NOERROR with 192.0.2.92, which is not expected")
    assert said(checks["chain"]) == ("pass", "none", "NOERROR, 2 records, 192.0.2.91, signed for 3 h")
    assert said(checks["synthesized"])[:2] == ("pass", "none"), checks["synthesized"]
    assert said(checks["denied"]) == ("pass", "none", "NXDOMAIN, signed for 3 h")
    assert said(checks["ends"]) == ("fail", "stale", f"signature of www.{ZONE} A ends in 3 h")
    assert said(checks["unsigned"]) == ("fail", "wrong", "no signature of static.example.com. A")


def test_serials(servers, tmp_path):
    common = {"type": "dns", "server": servers["edge"], "name": "example.com."}
    knot = servers["knot"].replace("@", ":")
    checks = once(
        tmp_path,
        enough={**common, "serial": {"at_least": 41}},
        old={**common, "serial": {"at_least": 42}},
        same={**common, "serial": {"as": servers["edge"]}},
        behind={**common, "serial": {"as": servers["knot"]}},
        behind_tcp={**common, "serial": {"as": servers["knot"]}, "transport": "tcp"},
        allowed={**common, "serial": {"as": servers["knot"], "lag": "5m"}},
        ahead={**common, "server": servers["knot"], "serial": {"as": servers["edge"]}},
        no_reference={**common, "serial": {"as": "127.0.0.1@9"}},
    )
    assert said(checks["enough"]) == ("pass", "none", "serial 41")
    assert said(checks["old"]) == ("fail", "stale", "serial 41, needed is 42 or later")
    assert checks["same"]["verdict"] == "pass"
    for name in ("behind", "behind_tcp"):
        assert said(checks[name]) == ("fail", "stale", f"serial 41 behind 44 of {knot} for 0 s")
    assert checks["allowed"]["verdict"] == "pass"
    assert checks["ahead"]["verdict"] == "pass"
    assert said(checks["no_reference"]) == ("pass", "none", "serial 41, 127.0.0.1:9 does not tell its own")


def test_what_does_not_fit_is_asked_for_over_tcp(servers, tmp_path):
    check = once(tmp_path, big={"type": "dns", "server": servers["edge"], "name": "big.example.com.", "qtype": "TXT"})["big"]
    assert said(check) == ("pass", "none", "NOERROR, 1 records")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_vip_is_never_asked_elsewhere(tmp_path, transport):
    check = once(tmp_path, vip={"type": "dns", "server": "192.0.2.53", "name": "example.com.", "transport": transport})["vip"]
    assert said(check)[:2] == ("fail", "dead")

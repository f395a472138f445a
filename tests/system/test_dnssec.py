# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones signed by real tools: Knot, NSD and BIND serving the same files must say the same with DO, section by section, and
unbound must validate what we say. With ISOCHRONE_LONG=1 every question is asked, else a fixed sample."""
import json
import os
import random
import shutil
import subprocess
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import signed_zones
from edge_lab import Edge, free_port
from peer_servers import SERVERS, Peer

LONG = bool(os.environ.get("ISOCHRONE_LONG"))
CUTS = ("secure", "insecure", "sub.optent", "deep.er.optent2", "mixed.optent3")
CHILD = """$TTL 300
@ IN SOA ns hostmaster 1 7200 3600 1209600 60
@ IN NS ns
ns IN A 192.0.2.97
www IN A 192.0.2.98
"""

missing = signed_zones.tools_missing()
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with zones signed in each way, an edge that serves them; zone -> file, zone -> trust anchor."""
    folder = tmp_path_factory.mktemp("dnssec")
    folder.chmod(0o755)
    files, anchors = {}, {}
    for way in signed_zones.SIGNERS:
        path, anchors[way + ".example."] = signed_zones.sign(folder, way)
        files[way + ".example."] = path.name
    (folder / "child.zone").write_text(CHILD)
    children = {"insecure." + zone: "child.zone" for zone in files}
    forged = (folder / "nsec.example.zone").read_text().replace("192.0.2.25", "192.0.2.26")
    (folder / "forged.zone").write_text(forged)
    edge = Edge(folder, zones=[{"origin": origin, "file": file} for origin, file in {**files, **children}.items()])
    check = edge.check()
    assert check.returncode == 0, check.stderr
    edge.start()
    edge.children = children
    yield folder, edge, files, anchors
    assert edge.stop() == 0


def queries(pairs):
    messages = []
    for number, (name, kind) in enumerate(pairs):
        messages.append(dns.message.make_query(name, kind, want_dnssec=True))
        messages[-1].id = number
        messages[-1].flags = 0
    return messages


def sample(pairs, count):
    return pairs if LONG else random.Random(1).sample(pairs, min(count, len(pairs)))


def excused(peer, zone, name, kind, ours):
    """Why this peer may answer otherwise, or None."""
    relative = name.relativize(dns.name.from_text(zone)).to_text().lower()
    hashed = zone != "nsec.example."
    labels = relative.split(".")
    if kind == dns.rdatatype.NSEC and relative in CUTS and peer == "bind":
        return "RFC 4035 section 3.1: NSEC of a delegation may be answered by either side, we refer to the child"
    if kind == dns.rdatatype.NSEC and peer == "nsd" and hashed:
        return "NSD follows a CNAME when asked for NSEC; RFC 4035 section 2.5 puts NSEC beside it"
    if peer == "nsd" and ours.rcode() == dns.rcode.NXDOMAIN and any(r.rdtype == dns.rdatatype.DNAME for r in ours.answer):
        return "NSD leaves out the NSEC that covers the name a DNAME leads to (RFC 4035 section 3.1.3.2)"
    if peer == "nsd" and hashed and labels[0] == "*":
        return "NSD adds a record that proves nothing more when a wildcard itself is asked for and has no such type"
    if peer == "nsd" and zone in ("optout.example.", "rsa.example.") and labels[-1] in ("optent", "optent2"):
        return "RFC 5155 section 7.2.1 has the closest provable encloser, NSD proves with names that have no NSEC3 record"
    if peer in ("bind", "knot") and not hashed and labels[-1] == "went":
        return "BIND and Knot do not prove that *.went is an empty non-terminal (RFC 4035 section 3.1.3.4)"
    if peer == "knot" and kind == dns.rdatatype.NSEC and labels[-1] in ("wild", "walias", "wwild"):
        return "Knot leaves a record of the answer out of the proof"
    return None


def differences(ours, theirs, peer):
    flags = dns.flags.AA | dns.flags.TC | dns.flags.AD | dns.flags.CD
    if ours.rcode() != theirs.rcode():
        yield "rcode", dns.rcode.to_text(ours.rcode()), dns.rcode.to_text(theirs.rcode())
    if (ours.flags ^ theirs.flags) & flags and not (peer != "bind" and (ours.flags ^ theirs.flags) & flags == dns.flags.CD):
        yield "flags", dns.flags.to_text(ours.flags), dns.flags.to_text(theirs.flags)
    # NSD and BIND have their own view of what is minimal in the additional section
    for section in ("answer", "authority", "additional") if peer == "knot" else ("answer", "authority"):
        mine, other = signed_zones.section(getattr(ours, section)), signed_zones.section(getattr(theirs, section))
        if mine != other:
            yield section, [r for r in mine if r not in other], [r for r in other if r not in mine]


@pytest.mark.parametrize("name", list(SERVERS))
def test_peers_say_the_same(world, name):
    folder, edge, files, _ = world
    if not Peer.installed(name):
        pytest.skip(f"{name} is not installed")
    peer = Peer(name, folder, files | edge.children).start()
    try:
        assert not peer.wait()
        wrong, asked = [], 0
        for zone in files:
            pairs = sample(signed_zones.questions(zone), 100)
            messages = queries(pairs)
            asked += len(pairs)
            for (owner, kind), ours, theirs in zip(pairs, signed_zones.ask(edge.port, messages), signed_zones.ask(peer.port, messages)):
                found = list(differences(ours, theirs, name))
                if found and not excused(name, zone, owner, kind, ours):
                    wrong.append((owner.to_text(), dns.rdatatype.to_text(kind), found))
        assert not wrong, f"{len(wrong)} of {asked}: {wrong[:3 if not LONG else 60]}"
    finally:
        peer.stop()


UNBOUND = """server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: "{dir}/unbound.pid"
  use-syslog: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "validator iterator"
  aggressive-nsec: no
  harden-below-nxdomain: no
  qname-minimisation: no
  target-fetch-policy: "0 0 0 0 0"
  local-zone: "example." nodefault
{anchors}
remote-control:
  control-enable: no
{stubs}
"""


class Unbound:
    """A validating resolver that knows the zones' keys and asks `ports` about them."""

    def __init__(self, folder, ports, anchors):
        self.port = free_port()
        path = folder / f"unbound-{self.port}.conf"
        path.write_text(UNBOUND.format(
            port=self.port, dir=folder,
            anchors="".join(f'  trust-anchor: "{anchor}"\n' for anchor in anchors),
            stubs="".join(f'stub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{port}\n' for zone, port in ports.items())))
        self.log = open(folder / "unbound.log", "a")
        self.process = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", path], stdout=self.log, stderr=self.log)
        for _ in range(200):
            try:
                self.ask(dns.name.from_text(next(iter(ports))), dns.rdatatype.SOA, 0.5)
                return
            except (dns.exception.Timeout, OSError):
                time.sleep(0.05)
        raise AssertionError("unbound does not answer")

    def ask(self, name, kind, timeout=5.0):
        query = dns.message.make_query(name, kind, want_dnssec=True)
        reply, _ = dns.query.udp_with_fallback(query, "127.0.0.1", timeout, self.port)
        return reply

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def below_a_cut(name, zone):
    cuts = [dns.name.from_text(cut + "." + zone) for cut in CUTS]
    return any(name.is_subdomain(cut) and name != cut for cut in cuts), name in cuts


@pytest.fixture()
def unbound_installed():
    if not shutil.which("/usr/sbin/unbound"):
        pytest.skip("unbound is not installed")


def test_a_validator_believes_every_answer(world, unbound_installed):
    folder, edge, files, anchors = world
    zones = [zone for zone in files if LONG or zone in ("nsec.example.", "salted.example.", "optout.example.", "ldnsopt.example.")]
    ports = {zone: edge.port for zone in zones} | {"insecure." + zone: edge.port for zone in zones}
    unbound = Unbound(folder, ports, [anchors[zone] for zone in zones])
    try:
        wrong, asked = [], 0
        for zone in zones:
            optout = "opt" in zone
            for name, kind in sample(signed_zones.questions(zone), 120):
                below, at = below_a_cut(name, zone)
                if below or at and kind != dns.rdatatype.DS or kind == dns.rdatatype.NSEC or name.to_text() == zone:
                    continue  # not there, or not asked of us
                asked += 1
                try:
                    reply = unbound.ask(name, kind)
                except dns.exception.Timeout:
                    wrong.append((name.to_text(), dns.rdatatype.to_text(kind), "no answer"))
                    continue
                # without AD only what an Opt-Out record covers (RFC 5155 section 9.2)
                covered = optout and any(rrset.rdtype == dns.rdatatype.NSEC3 for rrset in reply.authority)
                if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or \
                        not (reply.flags & dns.flags.AD or covered):
                    wrong.append((name.to_text(), dns.rdatatype.to_text(kind), reply.to_text()))
            www = unbound.ask(dns.name.from_text("www.insecure." + zone), dns.rdatatype.A)
            if www.rcode() != dns.rcode.NOERROR or not www.answer or www.flags & dns.flags.AD:
                wrong.append(("www.insecure." + zone, "A", www.to_text()))
        assert not wrong, f"{len(wrong)} of {asked}: {wrong[:3]}"
    finally:
        unbound.stop()


def test_the_validator_would_notice(world, tmp_path, unbound_installed):
    """The same zone with one address changed after signing."""
    folder, _, _, anchors = world
    (tmp_path / "forged.zone").write_text((folder / "forged.zone").read_text())
    edge = Edge(tmp_path, zones=[{"origin": "nsec.example.", "file": "forged.zone"}]).start()
    unbound = Unbound(tmp_path, {"nsec.example.": edge.port}, [anchors["nsec.example."]])
    try:
        assert unbound.ask(dns.name.from_text("mail.nsec.example."), dns.rdatatype.A).rcode() == dns.rcode.SERVFAIL
        assert unbound.ask(dns.name.from_text("www.nsec.example."), dns.rdatatype.A).flags & dns.flags.AD
    finally:
        unbound.stop()
        edge.stop()


def test_nothing_of_it_without_do(world):
    """DO clear: the same answers without signatures and proofs (RFC 3225 section 3, RFC 4035 section 3.1)."""
    _, edge, files, _ = world
    for zone in files:
        pairs = [(name, kind) for name, kind in sample(signed_zones.questions(zone), 100) if kind != dns.rdatatype.NSEC]
        messages = queries(pairs)
        plain = [dns.message.make_query(name, kind) for name, kind in pairs]
        for number, query in enumerate(plain):
            query.id = number
        for full, bare in zip(signed_zones.ask(edge.port, messages), signed_zones.ask(edge.port, plain)):
            assert full.ednsflags & dns.flags.DO and bare.ednsflags == 0 and not bare.flags & dns.flags.AD
            assert full.rcode() == bare.rcode()
            for section in ("answer", "authority", "additional"):
                proofs = (dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3)
                if section == "authority" and not any(r.rdtype == dns.rdatatype.SOA for r in bare.authority):
                    proofs += (dns.rdatatype.DS,)  # of a referral
                assert signed_zones.section(getattr(bare, section)) == \
                    signed_zones.section([r for r in getattr(full, section) if r.rdtype not in proofs])


def test_a_service_in_a_signed_zone_is_a_fault(world, tmp_path):
    folder, _, files, _ = world
    from edge_lab import SERVICES, build_map
    build_map(tmp_path)
    (tmp_path / "nsec.zone").write_text((folder / files["nsec.example."]).read_text())
    (tmp_path / "services.yaml").write_text(SERVICES.replace("example.com.", "nsec.example."))
    edge = Edge(tmp_path, map="cdn.isomap", services="services.yaml", zones=[{"origin": "nsec.example.", "file": "nsec.zone"}])
    check = edge.check()
    assert check.returncode == 1
    assert "services.yaml:16:22: " in check.stderr and "which is signed: a service cannot answer there" in check.stderr


def test_when_signatures_end(tmp_path):
    """A warning from three days before the first signature expires; in status and metrics all the time."""
    hours = {"nsec": 24 * 30, "nsec3": 71, "salted": -0.5}
    now = int(time.time())
    for name, left in hours.items():
        signed_zones.sign(tmp_path, name, until=time.strftime("%Y%m%d%H%M%S", time.gmtime(now + int(left * 3600))))
    (tmp_path / "plain.zone").write_text(CHILD)
    edge = Edge(tmp_path, zones=[{"origin": f"{name}.example.", "file": f"{name}.example.zone"} for name in hours] +
                [{"origin": "plain.example.", "file": "plain.zone"}])
    check = edge.check()
    assert check.returncode == 0, check.stderr
    assert "nsec3.example.zone: signatures of zone nsec3.example. expire from " in check.stderr
    assert "salted.example.zone: signatures of zone salted.example. have expired since " in check.stderr
    assert check.stderr.count("signatures of zone") == 2, check.stderr
    with edge:
        values = edge.metrics()
        for name, left in hours.items():
            until = values[f'isochrone_edge_zone_signature_expiry_timestamp_seconds{{zone="{name}.example."}}']
            assert until == now + left * 3600
        assert sum("signature_expiry" in key for key in values) == len(hours)
        status = edge.ctl("status").stdout
        assert status.count("signatures until 20") == 2 and status.count("! signatures have expired since 20") == 1, status
        zones = {zone["origin"]: zone["signed_until"] for zone in json.loads(edge.ctl("--json", "status").stdout)["zones"]}
        assert zones == {"plain.example.": None, **{f"{name}.example.": now + left * 3600 for name, left in hours.items()}}

# SPDX-License-Identifier: GPL-3.0-or-later
"""import-tinydns: what it writes answers as tinydns does, and what it cannot write it lists."""
import json
import shutil
import subprocess

import dns.rcode
import dns.rdatatype
import pytest

import edge_lab
import gdnsd_lab

DATA = """# every kind of line
%in:192.168
%in:10
%lo:127.1
%ex
.example.com:192.0.2.53:a
.example.com:192.0.2.54:b.ns.example.com
.2.0.192.in-addr.arpa::a.ns.example.com
Zother.example.org:ns.example.org.:host.other.example.org.:7:100:200:300:400:500
&other.example.org::ns.example.org.
=www.example.com:192.0.2.1
+alias.example.com:192.0.2.1:300
+alias.example.com:192.0.2.2:300
@example.com:192.0.2.25:a:10
@example.com::mail.example.net.:20
'txt.example.com:hello\\072 \\134"world:600
^9.2.0.192.in-addr.arpa:nine.example.com
Cweb.example.com:elsewhere.example.net
:srv.example.com:33:\\000\\001\\000\\002\\023\\304\\003www\\007example\\003com\\000
&child.example.com:192.0.2.60:ns1
+geo.example.com:192.0.2.71:60::in
+geo.example.com:192.0.2.72:60::lo
+geo.example.com:192.0.2.73:60::ex
+both.example.com:192.0.2.80:60
+both.example.com:192.0.2.81:60::in
-down.example.com:192.0.2.90
+*.wild.example.com:192.0.2.95
+\\052.oct.example.com:192.0.2.96
+old.example.com:192.0.2.97:0:4000000038af1379
+new.example.com:192.0.2.98:300:4000000038af1379
+upper.EXAMPLE.com:192.0.2.99
"""

NAMES = ["example.com", "www.example.com", "alias.example.com", "txt.example.com", "web.example.com", "srv.example.com",
         "geo.example.com", "both.example.com", "down.example.com", "a.wild.example.com", "b.c.wild.example.com",
         "x.oct.example.com", "old.example.com", "new.example.com", "upper.example.com", "nothing.example.com",
         "a.ns.example.com", "a.mx.example.com", "1.2.0.192.in-addr.arpa", "9.2.0.192.in-addr.arpa", "other.example.org",
         "none.other.example.org", "www.child.example.com"]
CLIENTS = ["192.168.3.4", "10.9.8.7", "127.1.2.3", "8.8.8.8"]


def import_data(folder, data, *options):
    folder.mkdir(exist_ok=True)
    (folder / "data").write_text(data)
    return subprocess.run([edge_lab.BIN / "isochrone-mapper", "import-tinydns", folder / "data", "--output", folder / "out",
                           *options], capture_output=True, text=True, timeout=60)


def ask_tinydns(get, folder, rdtype, name, client):
    """Rcode, whether it is authoritative, and the answer section."""
    said = subprocess.run([get, str(int(dns.rdatatype.from_text(rdtype))), name, client], cwd=folder, capture_output=True,
                          text=True, timeout=10, check=True).stdout
    answer = set()
    for line in said.splitlines():
        if line.startswith("answer: "):
            _, _, ttl, kind, rdata = line.split(" ", 4)
            answer.add((kind, int(ttl), rdata.lower().rstrip(".")))
    head = said.splitlines()[1]
    return ("NXDOMAIN" if "nxdomain" in head else "NOERROR"), "authoritative" in head, answer


def ask_edge(edge, rdtype, name, client):
    reply = edge.ask(name + ".", rdtype, subnet=f"{client}/32")
    answer = {(dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, item.to_text().lower().rstrip("."))
              for rrset in reply.answer for item in rrset}
    return dns.rcode.to_text(reply.rcode()), bool(reply.flags & dns.flags.AA), answer


def test_the_same_answers_as_tinydns(tmp_path):
    get = shutil.which("tinydns-get")
    maker = shutil.which("tinydns-data") or shutil.which("tinydns-data", path="/usr/sbin")
    if not get or not maker:
        pytest.skip("tinydns is not installed")
    done = import_data(tmp_path, DATA, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["zones"], report["names"], report["left_out"]) == (3, 2, 0)
    out = tmp_path / "out"
    subprocess.run([edge_lab.BIN / "isochrone-mapper", "build", "--config", out / "mapper.yaml", "--output",
                    out / "cdn.isomap"], check=True, capture_output=True, timeout=60)
    subprocess.run([maker], cwd=tmp_path, check=True, capture_output=True, timeout=20)
    compared = 0
    with gdnsd_lab.ImportedEdge(out) as edge:
        for name in NAMES:
            for rdtype in ("A", "MX", "NS", "CNAME", "PTR", "TXT", "SRV", "SOA"):
                for client in CLIENTS if rdtype == "A" else CLIENTS[:1]:
                    theirs = ask_tinydns(get, tmp_path, rdtype, name, client)
                    ours = ask_edge(edge, rdtype, name, client)
                    if rdtype in ("TXT", "SRV", "SOA"):  # tinydns-get writes these in a way of its own
                        theirs, ours = ((*reply[:2], len(reply[2])) for reply in (theirs, ours))
                    assert ours == theirs, (name, rdtype, client)
                    compared += 1
        assert edge.addresses("geo.example.com.", subnet="192.168.3.0/24") == ["192.0.2.71"]
        assert edge.addresses("both.example.com.", subnet="10.0.0.0/24") == ["192.0.2.80", "192.0.2.81"]
        assert edge.ask("txt.example.com.", "TXT").answer[0][0].strings == (b'hello: \\"world',)
        assert edge.ask("srv.example.com.", "SRV").answer[0][0].to_text() == "1 2 5060 www.example.com."
    assert compared == len(NAMES) * 11


def test_what_is_left_out_is_listed(tmp_path):
    done = import_data(tmp_path, """.example.com:192.0.2.53:a
+stray.example.net:192.0.2.1
+later.example.com:192.0.2.1:300:4fffffff38af1379
+ends.example.com:192.0.2.1:0:4fffffff38af1379
+bad.example.com:192.0.2.300
/nonsense
%in:10
'only.example.com:x:::in
+some.example.com:192.0.2.1:::in
""", "--as-of", "1700000000")
    assert done.returncode == 1
    assert [int(line.split(":")[1]) for line in done.stderr.splitlines()] == [3, 4, 5, 6, 2, 9, 8]
    assert import_data(tmp_path, ".example.com:192.0.2.53:a\n", "--partial").returncode == 0
    late = import_data(tmp_path, ".example.com:192.0.2.53:a\n+l.example.com:192.0.2.7:300:4000000038af1379\n", "--as-of", "5")
    assert late.returncode == 1
    assert "begins later" in late.stderr

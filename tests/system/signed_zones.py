# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones signed by real tools, with everything in them that a proof can be about, the questions that need the proofs, and a
way to ask them all."""
import shutil
import socket
import struct
import subprocess

import dns.message
import dns.name
import dns.rdatatype
import dns.zone

# One name per case: wildcards and what blocks them, empty non-terminals, chains, delegations of all kinds, glue.
BODY = """$TTL 600
@ IN SOA ns1 hostmaster 7 7200 3600 1209600 300
@ IN NS ns1
@ IN NS ns2.example.net.
@ IN MX 10 mail
@ IN CDS 0 0 0 00
ns1 IN A 192.0.2.53
ns1 IN AAAA 2001:db8::53
mail IN A 192.0.2.25
www 900 IN A 192.0.2.91
www 900 IN A 192.0.2.92
www IN AAAA 2001:db8::91
alias IN CNAME www
miss IN CNAME nowhere
leads IN CNAME x.walias
*.wild IN A 192.0.2.93
*.wild IN MX 10 mail
exact.wild IN A 192.0.2.94
*.walias IN CNAME www
*.wwild IN CNAME y.wild
below.*.went IN A 192.0.2.99
a.b.ent IN A 192.0.2.95
dname IN DNAME ent
wdname IN CNAME q.dname
secure IN NS ns.secure
secure IN DS 12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns.secure IN A 192.0.2.96
insecure IN NS ns.insecure
insecure IN NS ns1
ns.insecure IN A 192.0.2.97
sub.optent IN NS ns.secure
deep.er.optent2 IN NS ns1
mixed.optent3 IN NS ns1
with.optent3 IN A 192.0.2.98
zz\\000z IN A 192.0.2.100
UPPER IN TXT "case"
"""

TYPES = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "CNAME", "DNAME", "DS", "DNSKEY", "NSEC", "NSEC3PARAM", "CDS"]

# How a zone is signed: the command's options after the keys.
SIGNERS = {
    "nsec": ["dnssec-signzone"],
    "nsec3": ["dnssec-signzone", "-3", "-"],
    "salted": ["dnssec-signzone", "-3", "a1b2c3", "-H", "7"],
    "optout": ["dnssec-signzone", "-3", "-", "-A"],
    "rsa": ["dnssec-signzone", "-3", "-", "-A"],
    "ldns": ["ldns-signzone", "-n", "-t", "0"],
    "ldnsopt": ["ldns-signzone", "-n", "-p", "-t", "0"],
}


def sign(folder, name, body=BODY, until=None):
    """Signs `body` as zone NAME.example. in the way NAME, with signatures until `until` (as in "now+3600"); the zone's file and its key signing key's DNSKEY record."""
    zone = name + ".example."
    command = SIGNERS[name]
    algorithm = ["-a", "RSASHA256", "-b", "2048"] if name == "rsa" else ["-a", "ECDSAP256SHA256"]
    keys = [subprocess.run(["dnssec-keygen", "-q", "-K", folder, *algorithm, *flag, zone], check=True, capture_output=True,
                           text=True, timeout=60).stdout.strip() for flag in (["-f", "KSK"], [])]
    records = "".join((folder / (key + ".key")).read_text() for key in keys)
    (folder / (name + ".in")).write_text(body + records)
    output = folder / (zone + "zone")
    if command[0] == "dnssec-signzone":
        arguments = [*command, *(["-e", until] if until else []), "-q", "-P", "-O", "full", "-o", zone, "-f", output, "-k", keys[0], name + ".in", keys[1]]
    else:
        arguments = [*command, "-o", zone, "-f", output, name + ".in", *keys]
    subprocess.run(arguments, check=True, capture_output=True, cwd=folder, timeout=60)
    anchor = next(line for line in (folder / (keys[0] + ".key")).read_text().splitlines() if not line.startswith(";"))
    return output, anchor


def tools_missing():
    return [tool for tool in ("dnssec-keygen", "dnssec-signzone", "ldns-signzone") if not shutil.which(tool)]


def questions(zone, body=BODY):
    """(name, type) of everything the zone has, and of names beside, above and below."""
    origin = dns.name.from_text(zone)
    names = {origin}
    for record in dns.zone.from_text(body, origin, relativize=False, check_origin=False).keys():
        while record != origin:
            names.add(record)
            record = record.parent()
    for name in list(names):
        for label in (b"0", b"zzzz", b"a", b"*", b"-.x"):
            names.add(dns.name.Name((label,) + name.labels))
        names.add(dns.name.Name((b"two", b"labels") + name.labels))
        if name != origin:
            names.add(dns.name.Name((name.labels[0] + b"-",) + name.labels[1:]))
    return [(name, dns.rdatatype.from_text(kind)) for name in sorted(names) for kind in TYPES]


def ask(port, queries, window=50):
    """The responses to the queries, in order, asked over one TCP connection, some at a time."""
    replies = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as stream, stream.makefile("rb") as reader:
        for start in range(0, len(queries), window):
            part = queries[start:start + window]
            stream.sendall(b"".join(struct.pack("!H", len(wire)) + wire for wire in (q.to_wire() for q in part)))
            answers = {}
            for _ in part:
                head = reader.read(2)
                if len(head) < 2:
                    raise EOFError
                reply = dns.message.from_wire(reader.read(struct.unpack("!H", head)[0]), one_rr_per_rrset=False)
                answers.setdefault(reply.id, reply)
            replies += [answers[query.id] for query in part]
    return replies


def section(rrsets):
    """Records as comparable text."""
    return sorted(f"{rrset.name.to_text().lower()} {rrset.ttl} {rrset.rdtype} {rdata.to_text().lower()}"
                  for rrset in rrsets for rdata in rrset)

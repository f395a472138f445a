#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks Knot, NSD and BIND what the golden table asks, and prints where their answers differ from ours.

usage: peers.py path/to/golden

Only the static part can be compared: rows about services, client subnet and the identity of the server are left out. A
difference is no failure by itself. Those known with Knot 3.2, NSD 4.6 and BIND 9.18, and why ours stays:

  CD is copied into the response (RFC 4035 section 3.1.6); Knot and NSD clear it
  MX and SRV targets go along where the zone has them, as Knot does; never those of a service
  a CNAME into another zone of ours is followed (RFC 1034 section 4.3.2), as NSD does; Knot and BIND stop
  a CNAME loop ends as an answer, as in Knot and NSD; BIND fails
  a DNAME that makes too long a name is YXDOMAIN (RFC 6672 section 2.2); Knot says NXDOMAIN
  ANY gets HINFO (RFC 8482 section 4.2), the others give one or all sets; RRSIG one set's signatures, as in Knot
  NSEC at a CNAME or a delegation, signatures as such: see tests/system/test_dnssec.py
  transfers are REFUSED, types that are no question FORMERR or NOTIMP; the others differ among themselves
  required glue that does not fit sets TC (RFC 9471), as Knot does
  malformed queries get FORMERR with the question where there is one; Knot and BIND overlook some, Knot drops some
  unknown opcodes get NOTIMP without a question (RFC 8906), as in NSD
"""
import os
import shutil
import subprocess
import sys
import tempfile

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

from peer_servers import SERVERS, Peer, ask  # noqa: E402

ZONES = ["example.com.", "example.net.", "child.example.com.", "signed.example.", "hashed.example."]
SERVICES = ["www.example.com", "pair.", "v4only.", "down", "services.example.com", "cdn.example.com", "alias.example.com",
            "alias2.example.com", "back.example.net", "geo.wild", "both.example.com", "crowd"]


def queries():
    for line in open(os.path.join(HERE, "queries.txt")):
        if not line.startswith("? "):
            continue
        words = line[2:].split()
        if words[0].startswith("raw="):
            yield line.strip(), bytes.fromhex(words[0][4:][: len(words[0][4:]) // 2 * 2])
            continue
        name, rtype, options = words[0], words[1], words[2:]
        if any(word.split("=")[0] in ("ecs", "ecshex", "from", "tcp", "CH", "nsid") for word in options):
            continue
        if any(service in name.lower() for service in SERVICES) or "broken" in name:
            continue
        klass = {"HS": 4, "CLASSANY": 255}.get(next((w for w in options if w in ("HS", "CLASSANY")), ""), 1)
        query = dns.message.make_query(name, rtype, klass)
        query.flags = 0
        for word in options:
            key, _, value = word.partition("=")
            if key == "rd":
                query.flags |= dns.flags.RD
            elif key == "cd":
                query.flags |= dns.flags.CD
            elif key == "ad":
                query.flags |= dns.flags.AD
            elif key == "edns":
                query.use_edns(0, 0, int(value))
            elif key == "do":
                query.use_edns(0, dns.flags.DO, 1232)
            elif key == "version":
                query.use_edns(int(value), 0, 1232)
        yield line.strip(), query.to_wire()


def describe(wire):
    """What of a response is compared."""
    if not wire:
        return {"": "no response"}
    try:
        message = dns.message.from_wire(wire, ignore_trailing=False)
    except (dns.exception.DNSException, ValueError) as error:
        return {"": "malformed: %s" % error}
    result = {"rcode": dns.rcode.to_text(message.rcode()),
              "flags": dns.flags.to_text(message.flags & (dns.flags.AA | dns.flags.TC | dns.flags.RD | dns.flags.CD | dns.flags.RA
                                                          | dns.flags.AD)),
              "opt": message.edns >= 0, "questions": len(message.question)}
    for section in ("answer", "authority", "additional"):
        result[section] = sorted("%s %d %s %s" % (rrset.name.to_text().lower(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype),
                                                  rdata.to_text().lower())
                                 for rrset in getattr(message, section) for rdata in rrset)
    return result


def main():
    folder = tempfile.mkdtemp(prefix="peers")
    for name in os.listdir(HERE):
        if name.endswith((".zone", ".inc")):
            shutil.copy(os.path.join(HERE, name), folder)
    ours = subprocess.Popen([sys.argv[1], "--ask", HERE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    peers = [Peer(name, folder, {zone: zone + "zone" for zone in ZONES}).start() for name in SERVERS if Peer.installed(name)]
    try:
        for peer in peers:
            for zone in peer.wait():
                print("%s does not serve %s; see %s" % (peer.name, zone, folder))
        for text, wire in queries():
            ours.stdin.write(wire.hex() + "\n")
            ours.stdin.flush()
            mine = describe(bytes.fromhex(ours.stdout.readline().strip()))
            for peer in peers:
                theirs = describe(ask(peer.port, wire, 0.3))
                if theirs != mine:
                    print(text)
                    for key in sorted(set(mine) | set(theirs)):
                        if mine.get(key) != theirs.get(key):
                            print("    %-4s %-10s ours %s" % (peer.name, key, mine.get(key)))
                            print("    %-4s %-10s      %s" % ("", "", theirs.get(key)))
    finally:
        ours.stdin.close()
        ours.wait()
        for peer in peers:
            peer.stop()


if __name__ == "__main__":
    main()

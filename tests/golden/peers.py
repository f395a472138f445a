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
import socket
import subprocess
import sys
import tempfile
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype

HERE = os.path.dirname(os.path.abspath(__file__))
ZONES = ["example.com.", "example.net.", "child.example.com.", "signed.example.", "hashed.example."]
PORTS = {"knot": 5301, "nsd": 5302, "bind": 5303}
SERVICES = ["www.example.com", "pair.", "v4only.", "down", "services.example.com", "cdn.example.com", "alias.example.com",
            "alias2.example.com", "back.example.net", "geo.wild", "both.example.com", "crowd"]

KNOT = """
server:
  listen: 127.0.0.1@{port}
  rundir: {dir}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: {dir}/knot.sock
database:
  storage: {dir}/knotdb
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {dir}
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
{zones}
"""
NSD = """
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{dir}"
  pidfile: "{dir}/nsd.pid"
  database: ""
  zonelistfile: "{dir}/zone.list"
  xfrdfile: "{dir}/xfrd.state"
  xfrdir: "{dir}"
  minimal-responses: yes
remote-control:
  control-enable: no
{zones}
"""
BIND = """
options {{ directory "{dir}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{dir}/named.pid"; session-keyfile "{dir}/session.key"; minimal-responses yes; minimal-any no; max-udp-size 1232;
  check-names primary ignore; notify no; empty-zones-enable no; }};
controls {{ }};
{zones}
"""


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


def start(name, folder):
    port = PORTS[name]
    if name == "knot":
        zones = "".join('  - domain: %s\n    file: %szone\n' % (z, z) for z in ZONES)
        text, command = KNOT, ["knotd", "-c"]
    elif name == "nsd":
        zones = "".join('zone:\n  name: "%s"\n  zonefile: "%szone"\n' % (z, z) for z in ZONES)
        text, command = NSD, ["nsd", "-d", "-c"]
    else:
        zones = "".join('zone "%s" { type primary; file "%szone"; };\n' % (z, z) for z in ZONES)
        text, command = BIND, ["named", "-f", "-g", "-c"]
    path = os.path.join(folder, name + ".conf")
    with open(path, "w") as file:
        file.write(text.format(port=port, dir=folder, zones=zones))
    log = open(os.path.join(folder, name + ".log"), "w")
    return subprocess.Popen([shutil.which(command[0], path="/usr/sbin:/usr/bin")] + command[1:] + [path], stdout=log, stderr=log,
                            cwd=folder)


def ask(port, wire, timeout=1.0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.sendto(wire, ("127.0.0.1", port))
        try:
            return sock.recv(65535)
        except (socket.timeout, ConnectionError):
            return b""


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
    for extra in ("knotdb",):
        os.mkdir(os.path.join(folder, extra))
    os.chmod(folder, 0o755)
    ours = subprocess.Popen([sys.argv[1], "--ask", HERE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    peers = {name: start(name, folder) for name in PORTS}
    try:
        probe = dns.message.make_query("mail.example.com.", "A").to_wire()
        silent = set()
        for name, port in PORTS.items():
            for _ in range(50):
                reply = ask(port, probe, 0.2)
                if reply and dns.message.from_wire(reply).rcode() == 0:
                    break
                time.sleep(0.1)
            else:
                print("%s does not answer; see %s" % (name, folder))
                silent.add(name)
        for text, wire in queries():
            ours.stdin.write(wire.hex() + "\n")
            ours.stdin.flush()
            mine = describe(bytes.fromhex(ours.stdout.readline().strip()))
            for name, port in ((n, p) for n, p in PORTS.items() if n not in silent):
                theirs = describe(ask(port, wire, 0.3))
                if theirs != mine:
                    print(text)
                    for key in sorted(set(mine) | set(theirs)):
                        if mine.get(key) != theirs.get(key):
                            print("    %-4s %-10s ours %s" % (name, key, mine.get(key)))
                            print("    %-4s %-10s      %s" % ("", "", theirs.get(key)))
    finally:
        ours.stdin.close()
        ours.wait()
        for peer in peers.values():
            peer.terminate()
            peer.wait()


if __name__ == "__main__":
    main()

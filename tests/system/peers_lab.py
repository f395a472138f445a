# SPDX-License-Identifier: GPL-3.0-or-later
"""Knot, NSD and BIND on loopback, serving given zone files, and many questions over one TCP connection to a server."""
import os
import shutil
import socket
import struct
import subprocess
import time

import dns.message
import dns.rcode

from edge_lab import free_port

KNOT = """server:
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
NSD = """server:
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
BIND = """options {{ directory "{dir}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{dir}/named.pid"; session-keyfile "{dir}/session.key"; minimal-responses no-auth; minimal-any no; zero-no-soa-ttl no;
  check-names primary ignore; check-integrity no; notify no; empty-zones-enable no; dnssec-validation no; }};
controls {{ }};
{zones}
"""
PEERS = {
    "knot": (KNOT, "  - domain: {origin}\n    file: {file}\n", ["knotd", "-c"]),
    "nsd": (NSD, 'zone:\n  name: "{origin}"\n  zonefile: "{file}"\n', ["nsd", "-d", "-c"]),
    "bind": (BIND, 'zone "{origin}" {{ type primary; file "{file}"; }};\n', ["named", "-f", "-g", "-n", "1", "-c"]),
}


def installed():
    return [name for name, (_, _, command) in PEERS.items() if shutil.which(command[0], path="/usr/sbin:/usr/bin")]


class Peer:
    """A server of `zones` ({origin: file}) in `folder`; silent ones are an error."""

    def __init__(self, name, folder, zones):
        text, zone, command = PEERS[name]
        self.name, self.port = name, free_port()
        (folder / "knotdb").mkdir(exist_ok=True)
        lines = "".join(zone.format(origin=origin, file=file) for origin, file in zones.items())
        path = folder / (name + ".conf")
        path.write_text(text.format(port=self.port, dir=folder, zones=lines))
        self.log = open(folder / (name + ".log"), "w")
        self.process = subprocess.Popen([shutil.which(command[0], path="/usr/sbin:/usr/bin")] + command[1:] + [path],
                                        stdout=self.log, stderr=self.log, cwd=folder)
        probe = [dns.message.make_query(origin, "SOA") for origin in zones]
        for _ in range(200):
            try:
                if all(reply.rcode() == dns.rcode.NOERROR for reply in ask(self.port, probe)):
                    return
            except (OSError, EOFError):
                pass
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"{name} does not serve: {(folder / (name + '.log')).read_text()[-2000:]}")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


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

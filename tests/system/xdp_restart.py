#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What do clients notice of a server that dies? isochrone-edge answers with its kernel path while it is killed and started
again, and replaced by --replace, many times; a constant load asks for hot names, over IPv4 and IPv6, with and without a
client subnet. Printed is how many questions were sent, answered and lost, and how many the kernel answered.

Usage: tests/system/xdp_restart.py [--kills N] [--replaces N] [--rate N] [--json]     needs root; exit 1 if any was lost
"""
import argparse
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import dns.edns
import dns.message

from edge_lab import BIN, SERVICES, Edge, build_map
from xdp_lab import XdpLab, why_not

TAIL_S = 2
ASKERS = [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--replaces", type=int, default=5)
    parser.add_argument("--rate", type=int, default=4000, help="questions per second (%(default)s)")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


class LabEdge(Edge):
    """In the lab's server namespace."""

    start_limit_s = 20

    def __init__(self, lab, folder):
        self.lab = lab
        super().__init__(folder, listen=["192.0.2.1@53", "2001:db8::1@53"], map="cdn.isomap", services="services.yaml",
                         xdp={"interfaces": ["v0"], "names": "all", "pin": str(lab.pins / "edge")})
        build_map(folder)
        (folder / "services.yaml").write_text(SERVICES)

    def command(self, *options):
        return self.lab.server_command(*super().command(*options))

    def take_over(self):
        """Another process takes the place of this one; `nsenter` has become the server, so its process is the server's."""
        new = subprocess.Popen(self.command("--replace"), stdin=subprocess.DEVNULL, stderr=self.log, stdout=self.log)
        self.process.wait(30)
        self.process = new

    def kernel(self):
        said = subprocess.run([BIN / "isochronectl", "--socket", self.folder / "edge.sock", "--json", "xdp"], check=True,
                              capture_output=True, text=True, timeout=10)
        return json.loads(said.stdout)


def questions():
    wires = []
    for name, rdtype in (("www.example.com.", "A"), ("static.example.com.", "A"), ("www.example.com.", "AAAA")):
        wires.append(dns.message.make_query(name, rdtype).to_wire())
        wires.append(dns.message.make_query(name, rdtype, use_edns=0).to_wire())
        for subnet in ("20.1.2.0", "20.2.3.0"):
            option = dns.edns.ECSOption(subnet, 24)
            wires.append(dns.message.make_query(name, rdtype, use_edns=0, options=[option]).to_wire())
    return wires


class Load:
    """A constant rate of questions, each accounted for by its socket and id."""

    def __init__(self, lab, rate):
        self.rate, self.ending = rate, False
        self.sent, self.answered = 0, [0 for _ in ASKERS]
        self.waiting = [set() for _ in ASKERS]
        self.sockets = []
        for source, server in ASKERS:
            client = lab.socket(source, 0.2)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            client.connect((server, 53))
            self.sockets.append(client)
        self.threads = [threading.Thread(target=self.send)]
        self.threads += [threading.Thread(target=self.receive, args=(index,)) for index in range(len(ASKERS))]

    def send(self):
        wires, draw, begin = questions(), random.Random(1), time.monotonic()
        while not self.ending:
            due = int((time.monotonic() - begin) * self.rate)
            while self.sent < due:
                index, ident = self.sent % len(ASKERS), self.sent // len(ASKERS) % 65536
                self.waiting[index].add(ident)
                self.sent += 1
                try:
                    self.sockets[index].send(ident.to_bytes(2, "big") + draw.choice(wires)[2:])
                except ConnectionRefusedError:  # what came back for an earlier one, which is lost
                    self.sockets[index].send(ident.to_bytes(2, "big") + wires[0][2:])
            time.sleep(0.001)

    def receive(self, index):
        client, waiting = self.sockets[index], self.waiting[index]
        while not self.ending or waiting:
            try:
                answer = client.recv(4096)
            except TimeoutError:
                if self.ending and time.monotonic() > self.until:
                    return
                continue
            except ConnectionRefusedError:
                continue
            ident = int.from_bytes(answer[:2], "big")
            if ident in waiting and answer[3] & 15 == 0:
                waiting.remove(ident)
                self.answered[index] += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.until = time.monotonic() + TAIL_S
        self.ending = True
        for thread in self.threads:
            thread.join()
        for client in self.sockets:
            client.close()


def measure(lab, folder, options):
    edge = LabEdge(lab, folder)
    edge.start()
    time.sleep(0.5)
    before = edge.kernel()
    with Load(lab, options.rate) as load:
        for _ in range(options.kills):
            time.sleep(0.3)
            edge.process.send_signal(signal.SIGKILL)
            edge.process.wait(10)
            edge.log_offset = (folder / "log").stat().st_size
            edge.start()
        for _ in range(options.replaces):
            time.sleep(0.3)
            edge.take_over()
        time.sleep(0.3)
    time.sleep(0.2)
    after = edge.kernel()
    edge.stop()
    kernel = sum(after["answered"].values()) - sum(before["answered"].values())
    answered = sum(load.answered)
    return {"kills": options.kills, "replaces": options.replaces, "sent": load.sent, "answered": answered,
            "lost": load.sent - answered, "kernel": kernel}


def main():
    options = arguments()
    if why_not():
        raise SystemExit(f"SKIP: {why_not()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        with XdpLab(folder) as lab:
            lab.pass_on("v0")
            result = measure(lab, folder, options)
    if options.json:
        print(json.dumps(result))
    else:
        print(f"killed {result['kills']} times, replaced {result['replaces']} times: {result['sent']} questions, "
              f"{result['lost']} lost; the kernel answered {result['kernel']}")
    raise SystemExit(1 if result["lost"] else 0)


if __name__ == "__main__":
    main()

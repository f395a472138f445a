#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Floods a server on loopback from many addresses of one network, as spoofed sources would, while polite clients of other
networks, and some of that network, ask what they always ask. Prints what came back as JSON.

Run it where 198.51.100.0/24 and 203.0.0.0/16 are local (see test_rate_limit.py)."""
import argparse
import json
import random
import selectors
import socket
import struct
import time

VICTIMS = [f"198.51.100.{i}" for i in range(1, 101)]
POLITE = [f"203.0.{i}.1" for i in range(1, 41)]
INSIDE = ["198.51.100.200"]


def query(name):
    wire = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"
    return struct.pack("!HHHHHH", random.randrange(65536), 0, 1, 0, 0, 0) + wire + struct.pack("!HH", 1, 1)


class Group:
    def __init__(self, addresses, server, selector):
        self.tally = {"sent": 0, "sent_bytes": 0, "whole": 0, "short": 0, "other": 0, "received_bytes": 0}
        self.sockets = []
        for address in addresses:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.setblocking(False)
            sock.bind((address, 0))
            sock.connect(server)
            selector.register(sock, selectors.EVENT_READ, self)
            self.sockets.append(sock)

    def ask(self, name):
        wire = query(name)
        random.choice(self.sockets).send(wire)
        self.tally["sent"] += 1
        self.tally["sent_bytes"] += len(wire)

    def take(self, sock):
        while True:
            try:
                reply = sock.recv(4096)
            except BlockingIOError:
                return
            truncated, rcode, answers = reply[2] & 2, reply[3] & 15, struct.unpack("!H", reply[6:8])[0]
            kind = "short" if truncated else "whole" if answers or rcode == 3 else "other"
            self.tally[kind] += 1
            self.tally["received_bytes"] += len(reply)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=1.2)
    parser.add_argument("--rate", type=int, default=5000, help="queries of the flood per second")
    parser.add_argument("--name", default="big.example.com.", help="what the flood asks; %%r becomes random")
    parser.add_argument("--polite", default="static.example.com.")
    options = parser.parse_args()
    selector = selectors.DefaultSelector()
    server = ("127.0.0.1", options.port)
    groups = {"victim": Group(VICTIMS, server, selector), "polite": Group(POLITE, server, selector),
              "inside": Group(INSIDE, server, selector)}
    start, sent, polite = time.monotonic(), 0, 0
    while (now := time.monotonic() - start) < options.seconds:
        for _ in range(min(64, int(now * options.rate) - sent)):
            groups["victim"].ask(options.name.replace("%r", "%016x" % random.getrandbits(64)))
            sent += 1
        if polite < now * 100:
            groups["polite"].ask(options.polite)
            polite += 1
            if polite % 10 == 0:
                groups["inside"].ask(options.polite)
        for key, _ in selector.select(0.001):
            key.data.take(key.fileobj)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        for key, _ in selector.select(0.05):
            key.data.take(key.fileobj)
    print(json.dumps({name: group.tally for name, group in groups.items()}))


if __name__ == "__main__":
    main()

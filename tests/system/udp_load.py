#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A constant load of DNS queries over UDP, each of them accounted for.

Usage: udp_load.py PORT QUERIES-PER-SECOND SOCKETS, until standard input ends

Every query has a message id that is free on its socket and asks for a name of its own, so that an answer belongs to
one query and an answer to nothing is noticed. Prints one line of JSON: how many were sent, answered, lost, answered
twice or wrongly, and the longest times: from a query to its answer, and between two answers.
"""
import json
import select
import socket
import struct
import sys
import time

TAIL_S = 3  # what has not come by then is lost


class Load:
    def __init__(self, port, sockets):
        self.sockets = []
        self.waiting = {}  # (socket, id): (name, sent at)
        self.answered = set()
        self.poll = select.epoll()
        self.report = dict.fromkeys(("sent", "answered", "lost", "twice", "wrong", "unsent"), 0)
        self.longest_ms = self.gap_ms = 0.0
        self.last = None
        for _ in range(sockets):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            one.connect(("127.0.0.1", port))
            one.setblocking(False)
            self.poll.register(one.fileno(), select.EPOLLIN)
            self.sockets.append(one)
        self.by_fd = {one.fileno(): index for index, one in enumerate(self.sockets)}

    def send(self):
        number = self.report["sent"]
        index, message_id = number % len(self.sockets), number // len(self.sockets) % 65536
        name = b"\x06q%05x\x06static\x07example\x03com\x00" % (number % 0x100000)
        query = struct.pack("!6H", message_id, 0, 1, 0, 0, 0) + name + b"\x00\x01\x00\x01"
        try:
            self.sockets[index].send(query)
        except OSError:
            self.report["unsent"] += 1
            return
        self.report["sent"] += 1
        self.waiting[index, message_id] = query[12:], time.monotonic()

    def receive(self, seconds):
        for fd, _ in self.poll.poll(seconds):
            index = self.by_fd[fd]
            try:
                answer = self.sockets[index].recv(4096)
            except BlockingIOError:
                continue
            except OSError:  # nobody listens
                self.report["wrong"] += 1
                continue
            self.take(index, answer, time.monotonic())

    def take(self, index, answer, now):
        key = index, struct.unpack("!H", answer[:2])[0]
        question, sent = self.waiting.pop(key, (None, 0))
        if question is None:
            self.report["twice" if key in self.answered else "wrong"] += 1
        elif answer[12:12 + len(question)] != question or answer[3] & 15 != 3:  # NXDOMAIN
            self.report["wrong"] += 1
        else:
            self.report["answered"] += 1
            self.answered.add(key)
            self.longest_ms = max(self.longest_ms, (now - sent) * 1000)
            if self.last:
                self.gap_ms = max(self.gap_ms, (now - self.last) * 1000)
            self.last = now

    def run(self, rate):
        start = time.monotonic()
        due = 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            # what came late is not made up for in one burst longer than the sockets' queues
            due = min((time.monotonic() - start) * rate, due + 200)
            while self.report["sent"] + self.report["unsent"] < int(due):
                self.send()
            self.receive(0.001)
        end = time.monotonic() + TAIL_S
        while self.waiting and time.monotonic() < end:
            self.receive(0.05)
        self.report["lost"] = len(self.waiting)
        self.report["longest_ms"] = round(self.longest_ms, 1)
        self.report["longest_gap_ms"] = round(self.gap_ms, 1)
        self.report["per_second"] = round(self.report["sent"] / (end - TAIL_S - start))
        print(json.dumps(self.report))


if __name__ == "__main__":
    Load(int(sys.argv[1]), int(sys.argv[3])).run(float(sys.argv[2]))

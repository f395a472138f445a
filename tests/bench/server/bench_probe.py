# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady trickle of one question while a server starts or reloads: when the first answer of each kind came, which
questions had none, which had theirs late. One thread; the questions come from the load's namespace."""
import os
import select
import socket
import threading
import time

import dns.edns
import dns.message

import bench_cpu
import bench_net as net

STEP_S = 0.001
LATE_S = 0.020
LOST_S = 1.0


def question(name, kind, client=None):
    options = []
    if client:
        address, length = client.split("/")
        options.append(dns.edns.ECSOption(address, int(length)))
    message = dns.message.make_query(name, kind, use_edns=0, payload=1232, options=options)
    message.flags = 0
    return message.to_wire()[2:]


def address(answer):
    """The IPv4 address of an answer with one; None for anything else."""
    if len(answer) < 12 or answer[3] & 15 or answer[6:8] != b"\0\1":
        return None
    at = 12
    while answer[at]:
        at += 1 + answer[at]
    return ".".join(map(str, answer[at + 5 + 12:at + 5 + 16]))


class Prober:
    """`tell` makes of an answer's bytes what tells answers apart, None for one that does not count."""

    def __init__(self, query, tell, port=53):
        with net.inside(net.LOAD_NS):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.server, self.query, self.tell = (net.SERVER_ADDRESS, port), query, tell
        self.sent, self.waits, self.first, self.last = {}, {}, {}, {}
        self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.socket.close()

    def _receive(self, timeout):
        """All that is there: whoever holds the interpreter may have kept us away for long."""
        if not select.select([self.socket], [], [], max(0.0, timeout))[0]:
            return
        while True:
            try:
                data = self.socket.recv(4096)
            except OSError:  # no more, or nobody listens yet
                return
            now, number = time.monotonic(), int.from_bytes(data[:2], "big")
            value = self.tell(data)
            if number in self.sent and number not in self.waits and value is not None:
                self.waits[number] = now - self.sent[number]
                self.first.setdefault(value, now)
                self.last[value] = now

    def _run(self):
        next_s, number = time.monotonic(), 0
        while not self.over and number < 65535:
            if time.monotonic() >= next_s:
                number += 1
                self.sent[number] = time.monotonic()
                try:
                    self.socket.sendto(number.to_bytes(2, "big") + self.query, self.server)
                except OSError:
                    pass
                next_s = max(next_s + STEP_S, time.monotonic() - STEP_S)
            self._receive(next_s - time.monotonic())
        end = time.monotonic() + LOST_S
        while time.monotonic() < end and len(self.waits) < len(self.sent):
            self._receive(0.01)

    def wait_for(self, value, limit_s):
        """The moment an answer said `value`."""
        limit = time.monotonic() + limit_s
        while value not in self.first:
            if time.monotonic() > limit:
                raise RuntimeError(f"no answer {value!r} within {limit_s} s; there were {sorted(map(str, self.first))[:3]}")
            time.sleep(STEP_S)
        return self.first[value]

    def since(self, start):
        """(asked, lost, late) of the questions after `start`; call when the prober is over."""
        asked = [n for n, sent in self.sent.items() if sent >= start]
        return (len(asked), sum(n not in self.waits for n in asked),
                sum(self.waits.get(n, 0) > LATE_S for n in asked))


def memory_mb(pids):
    """(proportional set, peak) in MB of all these processes together; pages they share count once."""
    total, peak = 0, 0
    for pid in pids:
        for path, key in ((f"/proc/{pid}/smaps_rollup", "Pss:"), (f"/proc/{pid}/status", "VmHWM:")):
            try:
                with open(path, encoding="ascii") as file:
                    value = next((int(line.split()[1]) for line in file if line.startswith(key)), 0)
            except OSError:
                value = 0
            if key == "Pss:":
                total += value
            else:
                peak = max(peak, value)
    return total / 1024, peak / 1024


def cpu_s(pids):
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def server_pids():
    """Everything that runs in the servers' namespace, whoever forked it."""
    return sorted({pid for found in net.processes(net.SERVER_NS) for pid in bench_cpu.family(found)})

# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, probing and stopping a server in the servers' namespace; running the load in the other one."""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode

import bench_cpu
import bench_data as data
import bench_net as net

_IP_TRANSPARENT = 19
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def _child(ns, core, realtime):
    def prepare():
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nothing outlives the bench
        net.enter(ns)
        os.sched_setaffinity(0, {core})
        if realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    return prepare


def ask(name, kind, client=None, source=None, port=53, timeout=0.5):
    """One query from the load's namespace; `client` is an ECS prefix, `source` the address it comes from."""
    options = []
    if client:
        address, length = client.split("/")
        options.append(dns.edns.ECSOption(address, int(length)))
    query = dns.message.make_query(name, kind, use_edns=0, payload=1232, options=options)
    query.flags = 0
    with net.inside(net.LOAD_NS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        if source:
            sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
            sock.bind((source, 0))
        sock.setblocking(False)
        return dns.query.udp(query, net.SERVER_ADDRESS, timeout, port, sock=sock)


class Running:
    """A server in the foreground, one at a time; leaves nothing behind."""

    def __init__(self, server, directory, geo, realtime, wrapper=()):
        self.server, self.realtime = server, realtime
        self.geo = geo
        self.work = directory / "work" / server.name
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.command = list(wrapper) + server.prepare(directory, self.work, geo)
        self.process = None

    def __enter__(self):
        with open(self.work / "log", "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=_child(net.SERVER_NS, net.SERVER_CORE, self.realtime))
        return self

    def wait(self, limit_s=None):
        """Until it answers."""
        name = data.GEO_NAME if self.geo else f"h00000.{data.STATIC_ORIGIN}"
        limit = time.monotonic() + (limit_s or self.server.start_limit_s)
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                break
            try:
                answer = ask(name, "A", timeout=0.2)
                if answer.rcode() == dns.rcode.NOERROR and answer.answer:
                    return
            except (dns.exception.DNSException, OSError):
                pass
            time.sleep(0.02)
        log = (self.work / "log").read_text(errors="replace").strip()[-400:]
        raise RuntimeError(f"{self.server.name} does not answer: {log}")

    def pids(self):
        return bench_cpu.family(self.process.pid)

    def __exit__(self, *_):
        pids = self.pids()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        for pid in pids:  # children that did not follow
            if pid in net.processes(net.SERVER_NS):
                os.kill(pid, signal.SIGKILL)


def load(directory, case, seconds, port=53, realtime=False, queries=0, window=192, connections=0, rate=0):
    command = [str(directory / "load"), "-s", net.SERVER_ADDRESS, "-p", str(port), "-f",
               str(directory / f"{case}.queries"), "-d", str(seconds), "-w", str(window)]
    if queries:
        command += ["-n", str(queries)]
    if rate:
        command += ["-r", str(rate)]
    if connections:
        command += ["-t", str(connections)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30,
                          preexec_fn=_child(net.LOAD_NS, net.LOAD_CORE, realtime))
    if done.returncode != 0:
        raise RuntimeError("load: " + done.stderr.strip())
    return json.loads(done.stdout)


def check(directory, case, count):
    """How many of `count` geo answers are not the map's; each server is asked what the data says it must know."""
    if case not in ("geo_ecs", "geo_plain"):
        return 0
    wrong = 0
    with open(directory / f"{case}.expected", encoding="ascii") as rows:
        for row, _ in zip(rows, range(count)):
            client, pop = row.split()
            answer = ask(data.GEO_NAME, "A", **({"client": client} if "/" in client else {"source": client}))
            texts = [rdata.to_text() for rrset in answer.answer for rdata in rrset]
            wrong += texts != [data.pop_v4(int(pop))]
    return wrong

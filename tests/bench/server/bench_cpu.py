# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time of one server and of the kernel threads that work for it, in nanoseconds, from schedstat."""
import contextlib
import os
import time
from dataclasses import dataclass

import bench_net as net

_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


def _read(path):
    try:
        with open(path, encoding="ascii") as f:
            return f.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _ran_ns(path):
    words = _read(path + "/schedstat").split()
    return int(words[0]) if words else 0


def family(pid):
    """`pid` and all its descendants."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in _read(f"/proc/{pid}/task/{thread}/children").split():
                found += family(int(child))
    return found


def kernel_threads():
    """name -> pid of ksoftirqd of each core and the NAPI threads of our two interfaces."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        name = _read(f"/proc/{entry}/comm").strip()
        if name.startswith("ksoftirqd/"):
            found[name] = int(entry)
        elif name.startswith("napi/") and name[5:].split("-")[0] in (net.SERVER_IF, net.LOAD_IF):
            found["napi/" + name[5:].split("-")[0]] = int(entry)
    return found


def pin(pids, realtime):
    """All threads of the server on the server's core (some servers pin their own threads elsewhere); each end's
    receive thread on its end's core. FIFO keeps other work of the machine from mixing in while we run."""
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), {net.SERVER_CORE})
                if realtime:
                    os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))
    threads = kernel_threads()
    for interface, core in ((net.SERVER_IF, net.SERVER_CORE), (net.LOAD_IF, net.LOAD_CORE)):
        pid = threads.get("napi/" + interface)
        if pid is None:
            raise RuntimeError(f"no threaded NAPI for {interface}: the server's receive path cannot be measured")
        os.sched_setaffinity(pid, {core})
        os.sched_setscheduler(pid, os.SCHED_FIFO if realtime else os.SCHED_OTHER, os.sched_param(1 if realtime else 0))
    return threads


@dataclass
class Cpu:
    """Totals; subtract two of them."""
    wall_ns: int
    process_ns: int  # the server's own threads
    kernel_ns: int   # receiving for it: NAPI thread and ksoftirqd of its core
    load_ns: int     # the kernel threads of the load's side
    busy_ns: int     # both cores, everything on the machine

    def __sub__(self, other):
        return Cpu(*(getattr(self, f) - getattr(other, f) for f in self.__dataclass_fields__))


def _processes_ns(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            threads = sum(_ran_ns(f"/proc/{pid}/task/{t}") for t in os.listdir(f"/proc/{pid}/task"))
            ticks = sum(map(int, _read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[11:13])) * _TICK_NS
            # A thread that ended meanwhile is only in the process's ticks, which are coarse.
            total += threads if ticks < threads * 1.1 + 20 * _TICK_NS else ticks
    return total


def _busy_ns():
    total = 0
    for line in _read("/proc/stat").splitlines():
        words = line.split()
        if words[0] in (f"cpu{net.LOAD_CORE}", f"cpu{net.SERVER_CORE}"):
            total += sum(map(int, words[1:4])) + sum(map(int, words[6:9]))
    return total * _TICK_NS


def read(pids, threads):
    def thread_ns(name):
        return _ran_ns(f"/proc/{threads[name]}") if name in threads else 0
    return Cpu(time.monotonic_ns(), _processes_ns(pids),
               thread_ns("napi/" + net.SERVER_IF) + thread_ns(f"ksoftirqd/{net.SERVER_CORE}"),
               thread_ns("napi/" + net.LOAD_IF) + thread_ns(f"ksoftirqd/{net.LOAD_CORE}"), _busy_ns())

# SPDX-License-Identifier: GPL-3.0-or-later
"""One measurement of one running server: answers, and the CPU that everything on the server's side spent on them."""
import math

import bench_cpu
import bench_process

ECHO_PORT = 5399
RATE = 30_000  # queries a second of the latency cases


def load(options, case, seconds, port):
    """The echo knows no TCP: for it a TCP case is the UDP case with the same queries."""
    tcp, latency = case.endswith("_tcp") and port != ECHO_PORT, case.endswith("_lat")
    return bench_process.load(options.dir, case.removesuffix("_tcp").removesuffix("_lat"), seconds, port,
                              not options.no_realtime, window=1000 if tcp or latency else options.window,
                              connections=10 if tcp else 0, rate=RATE if latency else 0)


class Meter:
    def __init__(self, options):
        self.options, self.threads = options, {}

    def settle(self, running):
        """Servers start threads late and pin them themselves, so after the warm-up."""
        self.threads = bench_cpu.pin(running.pids(), not self.options.no_realtime)

    def __call__(self, running, case, port):
        options, pids = self.options, running.pids()
        before = bench_cpu.read(pids, self.threads)
        result = load(options, case, options.seconds, port)
        cpu = bench_cpu.read(pids, self.threads) - before
        load_ns = result["cpu_ns"]
        n = max(1, result["answered"])
        own = cpu.process_ns + cpu.kernel_ns + cpu.load_ns + load_ns
        return {"ns": (cpu.process_ns + cpu.kernel_ns) / n, "process_ns": cpu.process_ns / n,
                "kernel_ns": cpu.kernel_ns / n, "qps": result["answered"] / result["seconds"],
                "server_busy": (cpu.process_ns + cpu.kernel_ns) / 1e9 / result["seconds"],
                "load_busy": (cpu.load_ns + load_ns) / 1e9 / result["seconds"],
                "other_busy": max(0.0, cpu.busy_ns - own) / cpu.wall_ns,
                "answered": result["answered"] / max(1, result["sent"]), "rcodes": result["rcodes"],
                "p50_us": result["p50_us"], "p99_us": result["p99_us"],
                "unexpected": 0 if port == ECHO_PORT else unexpected(case, result)}


def unexpected(case, result):
    if case == "nxd_all":
        return sum(v for k, v in result["rcodes"].items() if k != "3") + result["truncated"]
    wrong = sum(v for k, v in result["rcodes"].items() if k != "0" and (case, k) != ("nxd", "3"))
    return wrong + (result["empty"] if case != "nxd" else 0) + result["truncated"]


def median_interval(values):
    """The order statistics that hold the median with 95 %; of fewer than six values, their range."""
    values, n, low = sorted(values), len(values), 0
    tail = 0.5 ** n
    while low + 1 < n / 2 and 2 * (tail + math.comb(n, low + 1) * 0.5 ** n) <= 0.05:
        low += 1
        tail += math.comb(n, low) * 0.5 ** n
    return values[low], values[n - 1 - low]

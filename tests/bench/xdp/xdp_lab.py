# SPDX-License-Identifier: GPL-3.0-or-later
"""One isochrone-edge with its kernel path on the veth of tests/bench/server, for what happens under load."""
import contextlib
import os
import signal
import subprocess
import threading
import time

import xdp_data
import xdp_servers  # finds the modules of tests/bench/server

import bench_cpu
import bench_net
import bench_process
import bench_setup

PIN = "/sys/fs/bpf/isochrone-bench-lab"
START_LIMIT_S = 60
LAST_BEAT_S = 3.5  # so long after its end a server's tables are good for nothing


class Edge:
    def __init__(self, options, names):
        self.options, self.work = options, options.dir / "lab"
        subprocess.run(["rm", "-rf", self.work], check=True)
        (self.work / "state").mkdir(parents=True)
        for name in ("static.zone", "geo.zone", "map.isomap", "services.yaml"):
            os.link(options.dir / name, self.work / name)
        xdp = f"{{interfaces: [{bench_net.SERVER_IF}], mode: native, names: {names}, pin: {PIN}}}"
        (self.work / "edge.yaml").write_text(xdp_data.config_text(bench_net.SERVER_ADDRESS, self.work, xdp=xdp))
        self.process = None

    def start(self):
        with open(self.work / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.options.build / "bin/isochrone-edge", "--config", self.work / "edge.yaml"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
                preexec_fn=bench_process._child(bench_net.SERVER_NS, bench_net.SERVER_CORE, False))

    def wait(self):
        """Until the kernel answers."""
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit and self.process.poll() is None:
            with contextlib.suppress(subprocess.SubprocessError, ValueError):
                if self.status()["health"] == "answering":
                    return
            time.sleep(0.05)
        raise RuntimeError("edge does not answer in the kernel: " + (self.work / "log").read_text()[-400:])

    def status(self):
        return xdp_servers.status(self.options.build / "bin", self.work / "edge.sock")

    def control(self, *words):
        return subprocess.run([self.options.build / "bin/isochronectl", "--socket", self.work / "edge.sock", *words],
                              capture_output=True, text=True, timeout=120)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()


@contextlib.contextmanager
def lab(options, names):
    """Namespaces and an edge that answers; all gone afterwards."""
    made_net = not bench_net.exists()
    subprocess.run([bench_setup.HERE / "compile", options.dir], check=True)  # the load
    if made_net:
        bench_net.up()
    edge = Edge(options, names)
    try:
        bench_net.sweep()
        xdp_servers.open_way_back(options.dir)
        edge.start()
        edge.wait()
        # as in an interrupt: nothing the server does, however busy, comes before receiving
        bench_cpu.pin([], True)
        yield edge
    finally:
        edge.stop()
        bench_net.sweep()
        if made_net:
            bench_net.down()
        subprocess.run(["rm", "-rf", PIN], check=False)


class Load(threading.Thread):
    """The load generator, at `rate` queries a second (0: as fast as answers come); its figures are in `result`. More in
    flight than a veth's ring has places (256) would be lost in bursts, whoever answers. It must not run at the priority of the thread that receives its answers: with
    that many in flight it waits for them without sleeping."""

    def __init__(self, options, queries, seconds, rate=0, window=192):
        super().__init__(daemon=True)
        self.arguments = (options.dir, queries, seconds)
        self.keywords = {"rate": rate, "window": window, "realtime": False}
        self.result = None

    def run(self):
        self.result = bench_process.load(*self.arguments, **self.keywords)

    def finish(self):
        self.join()
        if self.result is None:
            raise RuntimeError("the load has failed")
        return self.result

# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers on the veth of tests/bench/server: the floor, our kernel path, Knot's, and both without."""
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))

import bench_process
import bench_servers
from bench_net import LOAD_IF, LOAD_NS, SERVER_IF, SERVER_NS


def _ip(*words, ns):
    subprocess.run(["ip", "-n", ns, *words], check=True, capture_output=True, text=True)


def attach(tools, interface, ns, program):
    _ip("link", "set", "dev", interface, "xdpdrv", "obj", str(tools / "reflector.bpf.o"), "program", program, ns=ns)


def detach(interface, ns):
    """Whatever is there: Knot leaves its filter behind when it ends."""
    subprocess.run(["ip", "-n", ns, "link", "set", "dev", interface, "xdp", "off"], check=False, capture_output=True)


def open_way_back(tools):
    """veth hands XDP_TX packets only to a peer that has a program of its own."""
    attach(tools, LOAD_IF, LOAD_NS, "pass")


def moderate(microseconds):
    """Lets both ends collect packets for so long before their thread is woken, as a network card does with its
    interrupts: otherwise what is measured of a fast server is waking and falling asleep, for every packet or two."""
    for ns, interface in ((SERVER_NS, SERVER_IF), (LOAD_NS, LOAD_IF)):
        folder = f"/sys/class/net/{interface}"
        script = f"echo {1000 * microseconds} >{folder}/gro_flush_timeout && echo 10 >{folder}/napi_defer_hard_irqs"
        subprocess.run(["ip", "netns", "exec", ns, "sh", "-c", script], check=True)


class Reflector:
    """Everything that answers from the kernel costs at least this."""
    name = "reflector"
    answers_geo = True
    start_limit_s = 5

    def __init__(self, tools):
        self.tools = tools

    def prepare(self, _directory, _work, _geo):
        return ["sleep", "3600"]


class KnotXdp(bench_servers.Knot):
    """AF_XDP, copy mode: veth has no other."""
    name = "knot-xdp"

    def prepare(self, directory, work, geo):
        command = super().prepare(directory, work, geo)
        config = work / "knot.conf"
        config.write_text(config.read_text().replace("database:\n", f"xdp:\n  listen: {SERVER_IF}@53\ndatabase:\n", 1))
        return command


class IsochroneXdp(bench_servers.Isochrone):
    name = "isochrone-xdp"

    def prepare(self, directory, work, geo):
        command = super().prepare(directory, work, geo)
        with open(work / "edge.yaml", "a", encoding="ascii") as config:
            config.write(f"xdp: {{interfaces: [{SERVER_IF}], mode: native, names: all, pin: /sys/fs/bpf/isochrone-veth}}\n")
        return command

    def status(self, work):
        return status(self.programs, work / "edge.sock")


def status(programs, socket):
    """What `isochronectl xdp` says."""
    done = subprocess.run([programs / "isochronectl", "--socket", socket, "xdp", "--json"], capture_output=True, text=True,
                          timeout=10, check=True)
    return json.loads(done.stdout)


class Prepared:
    """A server whose configuration and map are made once, however often it is started."""

    def __init__(self, server, directory, geo):
        self.server, self.name, self.start_limit_s = server, server.name, server.start_limit_s
        self.work = directory / "xdp" / f"{server.name}-{'geo' if geo else 'static'}"
        subprocess.run(["rm", "-rf", str(self.work)], check=True)
        self.work.mkdir(parents=True)
        self.command = server.prepare(directory, self.work, geo)

    def prepare(self, _directory, _work, _geo):
        return list(self.command)


class Running(bench_process.Running):
    def __enter__(self):
        super().__enter__()
        if isinstance(self.server.server, Reflector):
            attach(self.server.server.tools, SERVER_IF, SERVER_NS, "reflector")
        return self

    def wait(self, limit_s=None):
        if not isinstance(self.server.server, Reflector):
            super().wait(limit_s)

    def __exit__(self, *why):
        super().__exit__(*why)
        detach(SERVER_IF, SERVER_NS)


def servers(build, tools):
    return [Reflector(tools), IsochroneXdp(build / "bin"), KnotXdp(), bench_servers.Knot(), bench_servers.Isochrone(build / "bin")]

# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: namespaces, links, routers, PoPs and clients, made and taken down."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy/lab"))
import spaces  # noqa: E402
from spaces import LabError, Spaces, find, inside, run, wait_for  # noqa: E402

import plan  # noqa: E402
import routers  # noqa: E402

NEEDED = ["ip", "nsenter", "bird", "birdc", "exabgp", "zebra", "bgpd", "bfdd", "vtysh"]
SAMPLE = ROOT / "maps/sample"
MAP_FILES = ["mapper.yaml", "pins.csv", "services.yaml", "example.com.zone", "*.mmdb", "asn-*.csv", "*.csv.zst"]
DRAIN_WAIT_S, GRACE_S = 1, 2
CANARY = "58.27.134.0/24"  # whom the checks ask for: its answer comes from the map

EDGE_CONFIG = """\
identity: {name}
pop: {pop}
listen: ["{vip4}@53", "{vip6}@53", "127.0.0.1@53"]
workers: 1
zones:
  - {{origin: example.com., file: example.com.zone}}
map: cdn.isomap
services: services.yaml
states: [states.yaml]
control: edge.sock
state_dir: state
"""

SYSCTL = {
    "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1, "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0, "net/ipv6/conf/all/accept_dad": 0, "net/ipv6/conf/default/accept_dad": 0, "net/ipv6/conf/all/keep_addr_on_down": 1,
    "net/ipv4/fib_multipath_hash_policy": 1, "net/ipv6/fib_multipath_hash_policy": 1,
}


def why_not(programs):
    reason = spaces.why_not(NEEDED)
    if reason:
        return reason
    for name in ("isochrone-edge", "isochrone-bgp", "isochrone-mapper"):
        if not (programs / name).exists():
            return f"{programs / name} is not built"
    if not tool(programs, "lab-stream").exists():
        return "lab-stream is not built (cmake --build --preset dev)"
    return None


def favour(pid):
    """Or, on a machine that does other things besides, those would be measured."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, -15)
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-15")  # a session's, where the kernel weighs sessions
    except OSError:
        pass


def tool(programs, name):
    """A program of the tests: beside those that are tested or, if they were built without tests, of the debug build."""
    places = (programs / name, programs.parents[1] / "dev/bin" / name)
    return next((path for path in places if path.exists()), places[0])


class World(Spaces):
    """Processes are named NODE.PROGRAM, and so are their logs: NODE/PROGRAM.log."""

    def __init__(self, folder):
        super().__init__(folder)
        self.programs = None
        self.interval_ms, self.timeout_ms = 50, 250
        self.canary = {}  # what the checks expect, by family
        self.notes = []  # what is other than planned, in words
        self.xdp_mounted = False

    def kept_keys(self):
        return [*super().kept_keys(), "programs", "interval_ms", "timeout_ms", "canary", "notes", "xdp_mounted"]

    def space(self, node):
        return f"iso-{self.tag}-{node}"

    def node_folder(self, node):
        """FRR's daemons take on the user frr, who need not be able to enter our folder."""
        return pathlib.Path(f"/run/{self.space(node)}") if getattr(plan.node(node), "kind", "") == "frr" else self.folder / node

    # ---- up

    def up(self, programs, interval_ms=50, timeout_ms=250):
        self.programs, self.interval_ms, self.timeout_ms = str(programs), interval_ms, timeout_ms
        self.folder_make()
        for node in plan.NODES:
            self.namespace_make(self.space(node))
            self.node_folder(node).mkdir(mode=0o700)
            run(*inside(self.space(node)), "sh", "-c", "".join(
                f"echo {value} >/proc/sys/{key}; " for key, value in SYSCTL.items()))
        self.links_make()
        mapper = self.map_begin()
        try:
            for client in plan.CLIENTS:
                self.bird_start(client.name, routers.bird_client(client, self.node_folder(client.name)))
            for router in plan.ROUTERS:
                self.router_start(router.name)
            if mapper.wait() != 0:
                raise LabError(f"the map could not be built: {self.log('mapper')}")
        finally:
            mapper.kill()
            mapper.wait()
        self.canary = self.answers_expected(CANARY)
        for server in plan.SERVERS:
            self.server_start(server)
        self.keep()

    def links_make(self):
        batches = {node: [] for node in plan.NODES}
        for link in plan.LINKS:
            run("ip", "link", "add", link.second, "netns", self.space(link.first), "type", "veth", "peer", "name",
                link.first, "netns", self.space(link.second))
            for node in (link.first, link.second):
                device = link.other(node)
                batches[node] += [f"address add {link.address(node, 4)}/30 dev {device}",
                                  f"address add {link.address(node, 6)}/64 dev {device} nodad", f"link set {device} up"]
        for server in plan.SERVERS:
            link = plan.link_between(server.pop, server.name)
            batches[server.name] += [f"address add {plan.VIP4}/32 dev lo", f"address add {plan.VIP6}/128 dev lo nodad",
                                     f"route add default via {link.address(server.pop, 4)}",
                                     f"route add ::/0 via {link.address(server.pop, 6)}"]
            if server.through_bird:
                self.nowhere_make(self.space(server.name))
                batches[server.name] += [f"address add {address} dev isochrone0" for address in
                                         ("169.254.53.1/29", "169.254.53.2/29", "fd53::1/64 nodad", "fd53::2/64 nodad")]
        for client in plan.CLIENTS:
            batches[client.name] += [f"address add {client.source4}/32 dev lo",
                                     f"address add {client.source6}/128 dev lo nodad"]
        for node, lines in batches.items():
            run(*inside(self.space(node)), "ip", "-batch", "-", text="\n".join(lines) + "\n")

    @staticmethod
    def nowhere_make(space):
        """The interface that leads nowhere: a dummy or, where the kernel has none, a veth nobody listens behind."""
        try:
            run(*inside(space), "ip", "link", "add", "isochrone0", "type", "dummy")
        except LabError:
            run(*inside(space), "ip", "link", "add", "isochrone0", "type", "veth", "peer", "name", "isochrone1")
            run(*inside(space), "ip", "link", "set", "isochrone1", "up")
        run(*inside(space), "ip", "link", "set", "isochrone0", "up")

    def map_begin(self, name="cdn.isomap", age_s=0):
        """The sample world, built once for all PoPs, as if its measurements were so old."""
        world = self.folder / "world"
        world.mkdir(exist_ok=True)
        for pattern in MAP_FILES:
            for path in SAMPLE.glob(pattern):
                if not (world / path.name).exists():
                    (world / path.name).symlink_to(path)
        with open(self.folder / "mapper.log", "wb") as log:
            return subprocess.Popen([f"{self.programs}/isochrone-mapper", "build", "--config", world / "mapper.yaml",
                                     "--output", world / name, "--as-of", str(int(time.time()) - age_s)],
                                    stdout=log, stderr=log)

    def answers_expected(self, client):
        """What a client is to be told, by the mapper and the services file: {family: address}."""
        said = json.loads(run(f"{self.programs}/isochrone-mapper", "lookup", self.folder / "world/cdn.isomap", client,
                              "--map", "web", "--json").splitlines()[0])
        addresses = re.search(rf'^      {said["ranking"][0]}: \["([^"]+)", "([^"]+)"\]',
                              (SAMPLE / "services.yaml").read_text(), re.MULTILINE)
        return {4: addresses.group(1), 6: addresses.group(2)}

    def begin(self, node, program, command, environment=None):
        """Starts it, and leaves NODE/PROGRAM.pid and a script NODE/PROGRAM.run that starts it again."""
        folder = self.node_folder(node)
        pid = self.start(f"{node}.{program}", self.space(node), command, environment, log=folder / f"{program}.log")
        favour(pid)
        (folder / f"{program}.pid").write_text(f"{pid}\n")
        script = folder / f"{program}.run"
        words = [f"{key}={value}" for key, value in (environment or {}).items()]
        script.write_text("#!/bin/sh\n" + f"exec >>{folder}/{program}.log 2>&1\n" + f"echo $$ >{folder}/{program}.pid\n" +
                          shlex.join(["exec", *inside(self.space(node)), "env", *words, *map(str, command)]) + "\n")
        script.chmod(0o700)
        return pid

    # ---- routers

    def bird_start(self, node, config):
        folder = self.node_folder(node)
        (folder / "bird.conf").write_text(config)
        self.begin(node, "bird", [find("bird"), "-f", "-c", folder / "bird.conf", "-s", folder / "bird.ctl"])
        if not wait_for(lambda: self.birdc(node, "show", "status") or not self.alive(f"{node}.bird") and "dead", 10,
                        f"{node}.bird").startswith("BIRD"):
            raise LabError(f"{node}: BIRD does not start: {(folder / 'bird.log').read_text()[-500:]}")

    def router_start(self, name):
        router = plan.node(name)
        folder = self.node_folder(name)
        if router.kind == "frr":
            self.frr_start(router, folder)
        elif router.pop:
            self.bird_start(name, routers.bird_pop(router, folder))
        else:
            self.bird_start(name, routers.bird_core(router, folder))

    def frr_start(self, router, folder):
        """Its daemons as our own children, with sockets of their own, no service."""
        shutil.chown(folder, "frr", "frrvty")
        (folder / "frr.conf").write_text(routers.frr_pop(router))
        common = ["--log", "stdout", "--log-level", "debug", "--vty_socket", folder, "-z", folder / "zserv.api", "-f", "/dev/null"]
        for daemon, more in (("zebra", []), ("bfdd", ["--bfdctl", folder / "bfdd.sock"]), ("bgpd", [])):
            self.begin(router.name, daemon, [find(daemon), *common, "-i", folder / f"{daemon}.lock", *more])
            wait_for(lambda daemon=daemon: (folder / f"{daemon}.vty").exists(), 10, daemon)
        run(*inside(self.space(router.name)), find("vtysh"), "--vty_socket", folder, "-f", folder / "frr.conf")

    def router_programs(self, name):
        return ("zebra", "bfdd", "bgpd") if plan.node(name).kind == "frr" else ("bird",)

    def birdc(self, node, *words):
        """What birdc prints, without its greeting; "" if BIRD does not answer."""
        done = subprocess.run([find("birdc"), "-s", str(self.node_folder(node) / "bird.ctl"), *words],
                              capture_output=True, text=True, check=False, timeout=10)
        return "".join(done.stdout.splitlines(keepends=True)[1:]) if done.returncode == 0 else ""

    def vtysh(self, node, command):
        return run(*inside(self.space(node)), find("vtysh"), "--vty_socket", self.node_folder(node), "-c", command)

    # ---- servers

    def server_start(self, server):
        folder = self.node_folder(server.name)
        for name in ("example.com.zone", "services.yaml", "cdn.isomap"):
            shutil.copy(self.folder / "world" / name, folder / name)
        (folder / "states.yaml").write_text("pops: {}\n")
        (folder / "state").mkdir(mode=0o700)
        config = EDGE_CONFIG.format(name=server.name, pop=server.pop, vip4=plan.VIP4, vip6=plan.VIP6)
        if server.xdp and self.xdp_prepare(server):
            config += f"xdp: {{interfaces: [{server.pop}], names: all, pin: {self.folder}/bpf/{server.name}}}\n"
        (folder / "edge.yaml").write_text(config)
        self.edge_start(server.name)
        if server.through_bird:
            self.bird_start(server.name, routers.bird_host(server, folder))
        self.announcer_configure(server)
        self.exabgp_start(server.name)

    def edge_start(self, name):
        now = time.time()
        self.begin(name, "edge", [f"{self.programs}/isochrone-edge", "--config", self.node_folder(name) / "edge.yaml"])
        return now

    def announcer_configure(self, server, requires="", checks="", more=""):
        """bgp.yaml from the example, with more checks, which the VIPs may require, and more keys; and what ExaBGP needs."""
        link = plan.link_between(server.pop, server.name)
        example = "host-bird/bgp.yaml" if server.through_bird else "bgp.yaml"
        pace = f"interval: {self.interval_ms}ms, timeout: {self.timeout_ms}ms, retry: 10ms"
        words = {f"qtype: {qtype}, interval: 1s, timeout: 500ms":
                 f'qtype: {qtype}, ecs: {CANARY}, expect: ["{self.canary[family]}"], {pace}'
                 for qtype, family in (("A", 4), ("AAAA", 6))}
        words["wait: 60s"] = f"wait: {DRAIN_WAIT_S}s"
        words["/run/isochrone/edge.sock"] = self.node_folder(server.name) / "edge.sock"
        words["/var/lib/isochrone-bgp"] = self.node_folder(server.name) / "bgp-state"
        words["/run/isochrone/bgp.sock"] = self.node_folder(server.name) / "bgp.sock"
        if not server.through_bird:
            words |= {"peer_as: 65000": f"peer_as: {plan.node(server.pop).asn}",
                      **routers.example_words(link, server.name)}
        text = routers.substituted((routers.EXAMPLES / example).read_text(), words)
        if server.xdp:  # the kernel answers on for some seconds, and a check asks it
            text += f"restart_grace: {GRACE_S}s\n"
            if self.xdp_mounted:
                checks += "".join(
                    f'  kernel{family}: {{type: xdp, server: "{vip}@53", name: {plan.NAME}, qtype: {qtype}, '
                    f"interval: 200ms, interface: {server.pop}, pin: {self.folder}/bpf/{server.name}}}\n"
                    for family, vip, qtype in ((4, plan.VIP4, "A"), (6, plan.VIP6, "AAAA")))
        text = text.replace("\nchecks:\n", f"\nchecks:\n{checks}") + more
        for name in ("answers", "answers6"):
            text = text.replace(f"requires: [{name}]", f"requires: [{name}{requires}]")
        folder = self.node_folder(server.name)
        (folder / "bgp.yaml").write_text(text)
        (folder / "exabgp.conf").write_text(run(f"{self.programs}/isochrone-bgp", "--config", folder / "bgp.yaml",
                                                "--print-exabgp-config"))

    def exabgp_start(self, name):
        # Elsewhere ExaBGP should run as its own user; here the folder and the programs may be readable by root only.
        return self.begin(name, "exabgp", [find("exabgp"), self.node_folder(name) / "exabgp.conf"], {
            "exabgp.api.ack": "true", "exabgp.api.cli": "false", "exabgp.daemon.user": "root",
            "exabgp.log.destination": "stdout", "exabgp.tcp.bind": ""})

    def xdp_prepare(self, server):
        """A bpf file system of the lab's own, and a program on the router's end: a veth delivers what was sent back by a
        program only to an end that has one."""
        driver = tool(pathlib.Path(self.programs), "xdp-driver")
        folder = self.folder / "bpf"
        folder.mkdir()
        try:
            run("mount", "-t", "bpf", "bpf", folder)
            self.xdp_mounted = True
            run(*inside(self.space(server.pop)), driver, text=f"pass {server.name}\n")
        except (LabError, OSError) as error:
            self.notes.append(f"no XDP on {server.name}: {error}")
            return False
        return True

    # ---- down

    def down(self):
        self.processes_end()
        if self.xdp_mounted:
            subprocess.run(["umount", "-l", self.folder / "bpf"], capture_output=True, check=False)
        for node in plan.NODES:
            shutil.rmtree(self.node_folder(node), ignore_errors=True)
        for name in ("world", "bpf"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("lab.json", "mapper.log", "stays"):
            (self.folder / name).unlink(missing_ok=True)
        if self.made_folder and self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A PoP and its router in two network namespaces, with real ExaBGP and BIRD.

    PoP namespace                                router namespace
      lo: the VIPs                                 BIRD, AS 65000
      what answers on them (edge, or a test's)
      ExaBGP, AS 65001 -> isochrone-bgp
      veth 10.99.0.1, fd99::1  ------------------  veth 10.99.0.2, fd99::2

Everything lives in the namespaces and below one folder, is named after it in lab.json, and goes with down(). Nothing of
the host is listened on or changed. Needs root. Only the standard library is used.
"""
import datetime
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time

VIP4, VIP6 = "192.0.2.53/32", "2001:db8::53/128"
NEEDED = ["ip", "nsenter", "bird", "birdc", "exabgp"]

BIRD_CONFIG = """\
log "{folder}/bird.log" all;
timeformat log iso long ms;
router id 10.99.0.2;
protocol device {{ }}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol kernel {{ ipv6 {{ export all; }}; }}
template bgp pop {{
    debug {{ states, routes }};
    passive yes;
    connect delay time 1;
    error wait time 1, 2;
    error forget time 2;
}}
protocol bgp pop4 from pop {{
    local 10.99.0.2 as 65000;
    neighbor 10.99.0.1 as 65001;
    ipv4 {{ import all; export none; }};
}}
protocol bgp pop6 from pop {{
    local fd99::2 as 65000;
    neighbor fd99::1 as 65001;
    ipv6 {{ import all; export none; }};
}}
"""

CHECK = '{{type: dns, server: "{server}@53", name: {name}, qtype: {qtype}, {more}interval: {interval}, ' \
    "timeout: {timeout}, retry: 10ms, rise: 3, fall: 2}}"

BGP_CONFIG = """\
vips:
  - {{prefix: {vip4}, announce: {{med: 100, communities: ["65001:53"]}}, requires: [answers4]}}
  - {{prefix: "{vip6}", requires: [answers6]}}
checks:
  answers4: {check4}
  answers6: {check6}
neighbors:
  - {{address: 10.99.0.2, local_address: 10.99.0.1, local_as: 65001, peer_as: 65000}}
  - {{address: "fd99::2", local_address: "fd99::1", local_as: 65001, peer_as: 65000, router_id: 10.99.0.1}}
control: bgp.sock
"""


class LabError(Exception):
    """What cannot be set up or did not happen, in words."""


def why_not():
    """Why the lab cannot run here, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    for program in NEEDED:
        if not find(program):
            return f"{program} is not installed"
    probe = f"isochrone-probe-{secrets.token_hex(3)}"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        done = subprocess.run(["ip", "netns", "del", probe], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"network namespaces cannot be made here ({done.stderr.strip()})"
    return None


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin")


def inside(namespace):
    """What to put before a command. Not `ip netns exec` and `ip -n`: they remount /, which a chroot may not be able to."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


def run(*command):
    """Its output; a LabError with what it complained about if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def process_started(pid):
    """When a process was started, in clock ticks: with it a process id names one process only."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for(condition, seconds, what, step=0.01):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(step)


class Lab:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.tag = ""
        self.processes = {}  # name -> [pid, started]
        self.made_folder = False

    # ---- what is kept between calls

    @classmethod
    def open(cls, folder):
        lab = cls(folder)
        try:
            kept = json.loads((lab.folder / "lab.json").read_text())
        except OSError as error:
            raise LabError(f"{lab.folder}: no lab is up here ({error.strerror})") from error
        lab.tag, lab.processes, lab.made_folder = kept["tag"], kept["processes"], kept["made_folder"]
        return lab

    def keep(self):
        text = json.dumps({"tag": self.tag, "processes": self.processes, "made_folder": self.made_folder})
        (self.folder / "lab.json").write_text(text + "\n")

    @property
    def pop(self):
        return f"isochrone-pop-{self.tag}"

    @property
    def router(self):
        return f"isochrone-router-{self.tag}"

    # ---- up and down

    def make(self):
        """Namespaces, addresses and the link; no program yet."""
        if (self.folder / "lab.json").exists():
            raise LabError(f"{self.folder}: a lab is up here already (down first)")
        self.made_folder = not self.folder.exists()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tag = secrets.token_hex(3)
        self.keep()
        for namespace in (self.pop, self.router):
            run("ip", "netns", "add", namespace)
            run(*inside(namespace), "ip", "link", "set", "lo", "up")
        run("ip", "link", "add", f"ip{self.tag}", "netns", self.pop, "type", "veth", "peer", "name", f"ir{self.tag}",
            "netns", self.router)
        for namespace, link, last in ((self.pop, "ip", 1), (self.router, "ir", 2)):
            run(*inside(namespace), "ip", "addr", "add", f"10.99.0.{last}/30", "dev", f"{link}{self.tag}")
            run(*inside(namespace), "ip", "addr", "add", f"fd99::{last}/64", "dev", f"{link}{self.tag}", "nodad")
            run(*inside(namespace), "ip", "link", "set", f"{link}{self.tag}", "up")
        self.vip("add", VIP4)
        self.vip("add", VIP6, "nodad")

    def vip(self, verb, prefix, *more):
        run(*inside(self.pop), "ip", "addr", verb, prefix, "dev", "lo", *more)

    def start(self, name, namespace, command, environment=None):
        """A program in a namespace that outlives us; its output goes to NAME.log."""
        with open(self.folder / f"{name}.log", "ab") as log:
            child = subprocess.Popen(
                [*inside(namespace), *map(str, command)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, cwd="/", env={**os.environ, **(environment or {})})
        self.processes[name] = [child.pid, process_started(child.pid)]
        self.keep()
        return child.pid

    def start_bird(self):
        (self.folder / "bird.conf").write_text(BIRD_CONFIG.format(folder=self.folder))
        self.start("bird", self.router, [find("bird"), "-f", "-c", self.folder / "bird.conf", "-s",
                                         self.folder / "bird.ctl", "-P", self.folder / "bird.pid"])
        wait_for(lambda: self.birdc("show", "status"), 10, "bird")

    def start_exabgp(self, bgp, name="www.example.com.", qtype="A", interval="50ms", timeout="500ms", more=""):
        check4, check6 = (CHECK.format(server=vip.split("/")[0], name=name, qtype=qtype, interval=interval,
                                       timeout=timeout, more=more) for vip in (VIP4, VIP6))
        (self.folder / "bgp.yaml").write_text(BGP_CONFIG.format(vip4=VIP4, vip6=VIP6, check4=check4, check6=check6))
        config = run(bgp, "--config", self.folder / "bgp.yaml", "--print-exabgp-config")
        (self.folder / "exabgp.conf").write_text(config)
        self.restart_exabgp()

    def restart_exabgp(self):
        # Elsewhere ExaBGP should run as its own user; here the folder and the programs may be readable by root only.
        self.start("exabgp", self.pop, [find("exabgp"), self.folder / "exabgp.conf"], {
            "exabgp.api.ack": "true", "exabgp.api.cli": "false", "exabgp.daemon.user": "root",
            "exabgp.log.destination": "stdout", "exabgp.tcp.bind": ""})

    def down(self):
        """Ends what is inside the namespaces, then removes them and the folder's content."""
        for namespace in (self.router, self.pop):
            for pid in self.pids(namespace):
                self.signal_quietly(pid, signal.SIGTERM)
        deadline = time.monotonic() + 3
        while any(self.pids(space) for space in (self.router, self.pop)) and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.02)
        for namespace in (self.router, self.pop):
            for pid in self.pids(namespace):
                self.signal_quietly(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        self.reap()
        for name in list(self.processes) + ["bird", "bgp", "exabgp", "lab"]:
            for ending in ("log", "conf", "ctl", "pid", "yaml", "sock", "json"):
                (self.folder / f"{name}.{ending}").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "edge", ignore_errors=True)
        if self.made_folder and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def pids(self, namespace):
        done = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
        return [int(word) for word in done.stdout.split()]

    @staticmethod
    def signal_quietly(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def reap(self):
        for pid, _ in self.processes.values():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    # ---- looking and breaking

    def alive(self, name):
        pid, started = self.processes.get(name, (0, None))
        self.reap()
        return pid if started and process_started(pid) == started else 0

    def kill(self, name, number=signal.SIGKILL):
        """The wall-clock time just before."""
        pid = self.alive(name)
        if not pid:
            raise LabError(f"{name} does not run")
        now = time.time()
        os.kill(pid, number)
        return now

    def helper(self):
        """The process id of isochrone-bgp, a child of ExaBGP; 0 if there is none."""
        for pid in self.pids(self.pop):
            try:
                if parent_of(pid) == self.processes["exabgp"][0] and \
                        "isochrone-bgp" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                    return pid
            except OSError:
                pass
        return 0

    def birdc(self, *words):
        """What birdc prints, without its greeting; "" if BIRD does not answer."""
        done = subprocess.run([find("birdc"), "-s", str(self.folder / "bird.ctl"), *words], capture_output=True,
                              text=True, check=False)
        return "".join(done.stdout.splitlines(keepends=True)[1:]) if done.returncode == 0 else ""

    def routed(self, prefix):
        """Whether the router has the route, as birdc says."""
        return prefix in self.birdc("show", "route")

    def route_changes(self, prefix):
        """[(time, "added"|"removed")] from BIRD's own log, with its millisecond clock."""
        found = re.findall(r"^(\S+ \S+) \S+ pop[46]\.ipv[46] > (added|removed) \S+ " + re.escape(prefix) + " ",
                           self.log("bird"), re.MULTILINE)
        return [(datetime.datetime.fromisoformat(when).timestamp(), verb) for when, verb in found]

    def wait_change(self, prefix, verb, since, seconds=20):
        """Seconds from `since` to the first such line that is younger."""
        def seen():
            # BIRD writes whole milliseconds
            return [when for when, what in self.route_changes(prefix) if what == verb and when >= since - 0.001]
        when = wait_for(seen, seconds, f"{prefix} {verb}")[0]
        return max(when - since, 0.0)

    def log(self, name):
        try:
            return (self.folder / f"{name}.log").read_text(errors="replace")
        except OSError:
            return ""

    def ask(self, request):
        """One request to isochrone-bgp's control socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(str(self.folder / "bgp.sock"))
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile("rb") as reply:
                return json.loads(reply.readline())

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
import pathlib
import re
import shutil
import subprocess
import time

import spaces
from spaces import LabError, Spaces, find, inside, parent_of, process_started, run, wait_for

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


def why_not():
    """Why the lab cannot run here, or None."""
    return spaces.why_not(NEEDED)


class Lab(Spaces):
    @property
    def pop(self):
        return f"isochrone-pop-{self.tag}"

    @property
    def router(self):
        return f"isochrone-router-{self.tag}"

    # ---- up and down

    def make(self):
        """Namespaces, addresses and the link; no program yet."""
        self.folder_make()
        for namespace in (self.pop, self.router):
            self.namespace_make(namespace)
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

    def restart_exabgp(self, more=None):
        # Elsewhere ExaBGP should run as its own user; here the folder and the programs may be readable by root only.
        self.start("exabgp", self.pop, [find("exabgp"), self.folder / "exabgp.conf"], {
            "exabgp.api.ack": "true", "exabgp.api.cli": "false", "exabgp.daemon.user": "root",
            "exabgp.log.destination": "stdout", "exabgp.tcp.bind": "", **(more or {})})

    def down(self):
        """Ends what is inside the namespaces, then removes them and the folder's content."""
        self.processes_end()
        for name in list(self.processes) + ["bird", "bgp", "exabgp", "lab"]:
            for ending in ("log", "conf", "ctl", "pid", "yaml", "sock", "sock.lock", "json"):
                (self.folder / f"{name}.{ending}").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "edge", ignore_errors=True)
        if self.made_folder and not any(self.folder.iterdir()):
            self.folder.rmdir()

    # ---- looking and breaking

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

    def ask(self, request):
        """One request to isochrone-bgp's control socket."""
        return spaces.control_ask(self.folder / "bgp.sock", request)

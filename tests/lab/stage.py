# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios are played on: the lab, its clients and its recorder, and words for what is done to them."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import plan
import spaces
from recorder import Event
from spaces import LabError, inside, parent_of, run, wait_for

# One observation on a machine that does other things besides; medians are tests/bench/bgp/failover's.
SLACK_MS = 250
FALL, RISE = 2, 3  # of deploy/examples


class Stage:
    def __init__(self, world, clients, recorder, say=print):
        self.world, self.clients, self.recorder, self.say = world, clients, recorder, say
        self.results = []  # (ok, text) of the scenario that is played
        self.figures = []  # (name, milliseconds)

    # ---- words of the scenarios

    def done(self, lane, text):
        """Notes what is done to a node, and when."""
        event = Event(time.time(), lane, "done", text)
        self.recorder.add(event)
        return event.time

    def check(self, holds, text):
        self.results.append((bool(holds), text))

    def figure(self, name, milliseconds):
        self.figures.append((name, milliseconds))

    @property
    def dead_limit_ms(self):
        return 100

    @property
    def silent_limit_ms(self):
        """The next probe, then FALL that wait in vain."""
        return self.world.interval_ms + FALL * self.world.timeout_ms + 50

    @property
    def rise_limit_ms(self):
        return RISE * self.world.interval_ms + 100

    def signal(self, server, program, number):
        at = self.done(server, f"{signal.Signals(number).name} {program}")
        os.kill(self.pid(server, program), number)
        return at

    def pid(self, server, program):
        """Of isochrone-bgp the holder is ExaBGP's child, and the brain the holder's."""
        if program in ("edge", "exabgp", "bird"):
            return self.world.alive(f"{server}.{program}")
        holder = self.child(server, self.world.alive(f"{server}.exabgp"))
        return holder if program == "holder" else self.child(server, holder)

    def child(self, server, parent):
        """It may be about to be started again."""
        def found():
            for pid in self.world.pids(self.world.space(server)):
                try:
                    if parent_of(pid) == parent and "isochrone-bgp" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                        return pid
                except OSError:
                    pass
            return 0
        return wait_for(found, 20, f"{server}: an isochrone-bgp below {parent}")

    def gone(self, server, since, name):
        took = self.recorder.wait_route(server, "removed", since)
        self.figure(f"{name} -> route gone", max(took.values()))
        return max(took.values())

    def back(self, server, since, name):
        took = self.recorder.wait_route(server, "added", since)
        self.figure(f"{name} -> route back", max(took.values()))
        return max(took.values())

    def edge_start(self, server):
        at = self.done(server, "start edge")
        self.world.edge_start(server)
        return at

    def edge_replace(self, server):
        """A new process takes over from the one that runs."""
        old = self.world.alive(f"{server}.edge")
        started = spaces.process_started(old)
        self.done(server, "isochrone-edge --replace")
        self.world.begin(server, "edge", [f"{self.world.programs}/isochrone-edge", "--config",
                                          self.world.node_folder(server) / "edge.yaml", "--replace"])
        wait_for(lambda: self.reaped(old, started), 20, f"{server}: the replacement")
        if not self.world.alive(f"{server}.edge"):
            raise LabError(f"{server}: the replacement ended: {self.edge_log(server)}")

    @staticmethod
    def reaped(pid, started):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        return spaces.process_started(pid) != started

    def edge_log(self, server):
        return (self.world.node_folder(server) / "edge.log").read_text()[-600:]

    def control(self, server, *words):
        """isochronectl at an edge; its exit status."""
        return subprocess.run([f"{self.world.programs}/isochronectl", "--socket",
                               self.world.node_folder(server) / "edge.sock", *words], capture_output=True, text=True,
                              timeout=20, check=False)

    def vip(self, server, *words):
        """isochronectl vip at an announcer."""
        return subprocess.run([f"{self.world.programs}/isochronectl", "--socket",
                               self.world.node_folder(server) / "bgp.sock", "vip", *words], capture_output=True,
                              text=True, timeout=20, check=False)

    def drain(self, server):
        """Until its routes are gone, and what was under way to it has come."""
        at = self.done(server, "isochronectl vip drain all")
        self.vip_do(server, "drain", "all", "--for", "10m", "--reason", "maintenance", "--owner", "lab")
        self.recorder.wait_route(server, "removed", at)
        time.sleep(0.2)
        return at

    def edge_stop(self, server):
        self.signal(server, "edge", signal.SIGTERM)
        wait_for(lambda: not self.world.alive(f"{server}.edge"), 10, f"{server}: the end of edge")

    def undrain(self, server):
        """Leaves it to its checks again, once edge serves and isochrone-bgp can be spoken to; until the routes are back."""
        wait_for(lambda: self.control(server, "status").returncode == 0, 20, f"{server}: an edge that serves", 0.05)
        wait_for(lambda: self.vip(server, "status").returncode == 0, 20, f"{server}: an isochrone-bgp", 0.05)
        at = self.done(server, "isochronectl vip auto all")
        self.vip_do(server, "auto", "all")
        self.recorder.wait_route(server, "added", at)

    def vip_do(self, server, *words):
        done = self.vip(server, *words)
        if done.returncode != 0:
            raise LabError(f"{server}: vip {' '.join(words)}: {done.stdout}{done.stderr}")

    def reconfigure(self, servers, settings=lambda server: {}):
        """isochrone-bgp's configuration with what settings() adds (see announcer_configure); no route may notice."""
        at = self.done(servers[0].name, f"bgp.yaml changed and read again: {', '.join(server.name for server in servers)}")
        for server in servers:
            self.world.announcer_configure(server, **settings(server))
            os.kill(self.pid(server.name, "holder"), signal.SIGHUP)
        for server in servers:
            wait_for(lambda server=server: all(self.recorder.said(server.name, at, f"vip {prefix}: announce")
                                               for prefix in plan.VIPS), 20,
                     f"{server.name}: a brain with the new configuration that has judged for itself")

    def stays_script(self):
        """Whether another server's announcer says of all its VIPs that they stay."""
        script = self.world.folder / "stays"
        if not script.exists():
            script.write_text(f"""#!/bin/sh
said=$({self.world.programs}/isochronectl --socket {self.world.folder}/$1/bgp.sock --json vip status | tr -d ' \\n') || exit 1
case $said in
*'"stays":false'*) exit 1 ;;
*'"stays":true'*) exit 0 ;;
esac
exit 1
""")
            script.chmod(0o700)
        return script

    def map_load(self, servers, name):
        at = self.done(servers[0].name, f"{name} loaded: {', '.join(server.name for server in servers)}")
        for server in servers:
            shutil.copy(self.world.folder / "world" / name, self.world.node_folder(server.name) / "cdn.isomap")
            done = self.control(server.name, "reload")
            if done.returncode != 0:
                raise LabError(f"{server.name}: reload: {done.stderr}")
        return at

    def inside(self, node, *command):
        return run(*inside(self.world.space(node)), *command)

    # ---- rest

    def settle(self, seconds=60):
        """Until every server's routes are at its router and every network is served by its own PoP again."""
        def settled():
            have = self.recorder.routes()
            if any(len(routes) != len(plan.SERVERS) for routes in have.values()):
                return False
            self.clients.read()
            return all(self.at_home(client) for client in plan.CLIENTS)
        try:
            wait_for(settled, seconds, "all routes and clients where they belong", step=0.05)
        except LabError as error:
            have = {prefix: sorted(server for _, server in routes) for prefix, routes in self.recorder.routes().items()}
            away = {client.name: [(query.family, query.verdict, query.who) for query in
                                  self.clients.queries[client.name][-4:]] for client in plan.CLIENTS
                    if not self.at_home(client)}
            raise LabError(f"{error}: routes {have}; not at home: {away}") from error

    def at_home(self, client):
        last = self.clients.queries[client.name][-30:]
        homes = {server.name for server in plan.servers_of(client.home)}
        return len(last) == 30 and all(query.verdict == "ok" and query.who in homes for query in last) and \
            time.time() - last[-1].sent < 1.0

    # ---- what is expected of clients

    def only(self, window, *clients):
        """Nobody else has lost anything or was told anything wrong."""
        for client in plan.CLIENTS:
            if client.name not in clients:
                bad = window.lost(client.name) + window.wrong(client.name)
                self.check(bad == 0, f"client {client.name}: nothing lost ({len(window.of(client.name))} queries)"
                           if bad == 0 else f"client {window.line(client.name)}")

    def at_most(self, window, client, limit_ms):
        self.check(window.bad_ms(client) <= limit_ms, f"client {window.line(client)}; at most {limit_ms:.0f} ms")

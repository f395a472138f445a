# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to PoPs, and what clients and routers are to notice of it.

A scenario is a generator: it breaks and mends the lab, yields once all is over, is given back the queries that clients
sent meanwhile (clients.Window), and then says with stage.check() what must hold.
"""
import os
import signal
import time

import plan
from stage import SLACK_MS
from spaces import LabError, wait_for
from world import GRACE_S

SCENARIOS = []  # (title, function, in the short form)


def scenario(title, ci=False):
    def add(function):
        SCENARIOS.append((title, function, ci))
        return function
    return add


@scenario("all is well", ci=True)
def all_is_well(stage):
    time.sleep(1)
    window = yield
    stage.only(window)
    for client in plan.CLIENTS:
        homes = {server.name for server in plan.servers_of(client.home)}
        for family in (4, 6):
            who = window.answered_by(client.name, family)
            stage.check(set(who) <= homes, f"{client.name} ({client.city}) is served by {client.home} over IPv{family}")
    shares = window.answered_by("dub")
    stage.check(min(shares.values()) * 6 > sum(shares.values()) and len(shares) == 2,
                f"both servers of fra answer: {dict(shares)}")
    for router in plan.ROUTERS:
        if router.pop and router.kind == "bird":
            said = stage.world.birdc(router.name, "show", "route", "all")
            stage.check(all(said.count(f"{server.name}_{family}") for server in plan.servers_of(router.name)
                            for family in (4, 6)), f"birdc of {router.name} shows its servers' routes")


def broken_and_mended(stage, server, what, break_it, mend_it, limit_ms, from_mending=True):
    """Returns (gone, back) in milliseconds and the window; to be used with `yield from`."""
    at = break_it()
    gone = stage.gone(server, at, what)
    time.sleep(0.5)
    at = mend_it()
    back = stage.back(server, at, f"mended after {what}" if from_mending else "start")
    stage.settle()
    window = yield
    stage.check(gone <= limit_ms + SLACK_MS, f"route of {server} gone after {gone:.0f} ms (aim {limit_ms} ms)")
    if from_mending:
        stage.check(back <= stage.rise_limit_ms + SLACK_MS,
                    f"and back {back:.0f} ms after the mending (aim {stage.rise_limit_ms} ms)")
    return window


@scenario("edge of the only server of sin is killed", ci=True)
def edge_killed(stage):
    window = yield from broken_and_mended(
        stage, "sin1", "edge killed", lambda: stage.signal("sin1", "edge", signal.SIGKILL),
        lambda: stage.edge_start("sin1"), stage.dead_limit_ms, from_mending=False)
    stage.at_most(window, "isb", stage.dead_limit_ms + SLACK_MS)
    stage.only(window, "isb")


@scenario("edge of one of two servers of fra is killed", ci=True)
def ecmp_edge_killed(stage):
    window = yield from broken_and_mended(
        stage, "fra1", "edge killed (ECMP)", lambda: stage.signal("fra1", "edge", signal.SIGKILL),
        lambda: stage.edge_start("fra1"), stage.dead_limit_ms, from_mending=False)
    stage.at_most(window, "dub", stage.dead_limit_ms + SLACK_MS)
    stage.check(set(window.answered_by("dub")) == {"fra1", "fra2"}, "nobody left fra")
    stage.only(window, "dub")


@scenario("edge of the server that answers in the kernel is killed, and started within its grace", ci=True)
def xdp_edge_restarted(stage):
    at = stage.signal("nyc1", "edge", signal.SIGKILL)
    time.sleep(0.3)
    stage.edge_start("nyc1")
    wait_for(lambda: stage.control("nyc1", "status").returncode == 0, 10, "an edge that serves")
    time.sleep(1)
    stage.settle()
    window = yield
    stage.check(not stage.recorder.changes(at, window.end), f"no route changed (restart_grace {GRACE_S} s)")
    if stage.world.notes:
        for client in ("chi", "bue"):
            stage.at_most(window, client, 1000)
        stage.only(window, "chi", "bue")
    else:
        stage.only(window)


@scenario("edge of the server that answers in the kernel is killed for good")
def xdp_edge_killed(stage):
    # without the kernel the grace decides; with it, that it falls silent 3 s after its server's last word
    limit = GRACE_S * 1000 + stage.dead_limit_ms if stage.world.notes else 3300
    window = yield from broken_and_mended(
        stage, "nyc1", "edge killed (XDP)", lambda: stage.signal("nyc1", "edge", signal.SIGKILL),
        lambda: stage.edge_start("nyc1"), limit, from_mending=False)
    for client in ("chi", "bue"):
        stage.at_most(window, client, limit + SLACK_MS if stage.world.notes else 400 + SLACK_MS)
    stage.only(window, "chi", "bue")


@scenario("both servers of fra are killed")
def pop_killed(stage):
    at = stage.signal("fra1", "edge", signal.SIGKILL)
    stage.signal("fra2", "edge", signal.SIGKILL)
    gone = max(stage.gone(server, at, "PoP killed") for server in ("fra1", "fra2"))
    time.sleep(0.5)
    for server in ("fra1", "fra2"):
        stage.edge_start(server)
    stage.settle()
    window = yield
    stage.check(gone <= stage.dead_limit_ms + SLACK_MS, f"routes of fra gone after {gone:.0f} ms")
    stage.check(window.answered_by("dub")["nyc1"] > 0, "Dublin was served by nyc meanwhile")
    stage.at_most(window, "dub", stage.dead_limit_ms + 2 * SLACK_MS)
    stage.only(window, "dub")


@scenario("every edge is killed: nobody can answer, and nothing is announced")
def all_killed(stage):
    at = time.time()
    for server in plan.SERVERS:
        stage.signal(server.name, "edge", signal.SIGKILL)
    for server in plan.SERVERS:
        stage.gone(server.name, at, "all killed")  # nyc1 after its grace
    for server in plan.SERVERS:
        stage.edge_start(server.name)
    stage.settle()
    window = yield
    stage.check(stage.recorder.fewest_routes(at, window.end) == 0, "no route was left")
    for client in plan.CLIENTS:
        stage.at_most(window, client.name, 5000)


@scenario("edge hangs (SIGSTOP)", ci=True)
def edge_hung(stage):
    window = yield from broken_and_mended(
        stage, "sin1", "edge hung", lambda: stage.signal("sin1", "edge", signal.SIGSTOP),
        lambda: stage.signal("sin1", "edge", signal.SIGCONT), stage.silent_limit_ms)
    stage.at_most(window, "isb", stage.silent_limit_ms + SLACK_MS)
    stage.only(window, "isb")


@scenario("one PoP answers wrongly (a services file with other addresses)", ci=True)
def wrong_answers(stage):
    services = stage.world.node_folder("sin1") / "services.yaml"
    good = services.read_text()

    def load(text, what):
        services.write_text(text)
        at = stage.done("sin1", what)
        stage.control("sin1", "reload")
        return at

    window = yield from broken_and_mended(
        stage, "sin1", "wrong answers",
        lambda: load(good.replace('"192.0.2.1', '"198.51.100.1').replace('"2001:db8:1:', '"2001:db8:bad:'), "wrong services.yaml"),
        lambda: load(good, "right services.yaml"), stage.silent_limit_ms)
    stage.at_most(window, "isb", stage.silent_limit_ms + SLACK_MS)
    stage.check(window.wrong("isb") > 0, "some were told the wrong address before the route was gone")
    stage.only(window, "isb")


@scenario("the control plane is gone: fleet file, map and services vanish everywhere", ci=True)
def control_plane_gone(stage):
    begin = time.time()
    names = ("states.yaml", "cdn.isomap", "services.yaml")
    for server in plan.SERVERS:
        folder = stage.world.node_folder(server.name)
        stage.done(server.name, "states, map and services removed; reload")
        for name in names:
            (folder / name).rename(folder / f"{name}.gone")
        stage.control(server.name, "reload")
    time.sleep(1)
    for server in plan.SERVERS:
        folder = stage.world.node_folder(server.name)
        for name in names:
            (folder / f"{name}.gone").rename(folder / name)
        stage.done(server.name, "files are back; reload")
        stage.control(server.name, "reload")
    stage.settle()
    window = yield
    changes = stage.recorder.changes(begin, window.end, verb="removed")
    stage.check(not changes, f"{len(changes)} routes withdrawn")
    stage.only(window)


@scenario("rolling restart of every server: isochrone-edge --replace", ci=True)
def rolling_replace(stage):
    begin = time.time()
    for server in plan.SERVERS:
        stage.edge_replace(server.name)
        time.sleep(0.2)
    stage.settle()
    window = yield
    stage.check(not stage.recorder.changes(begin, window.end), "no route changed")
    stage.only(window)


@scenario("rolling restart of every server: drain, stop, start", ci=True)
def rolling_restart(stage):
    begin = time.time()
    for server in plan.SERVERS:
        stage.drain(server.name)
        stage.edge_stop(server.name)
        stage.edge_start(server.name)
        stage.undrain(server.name)
    stage.settle()
    window = yield
    stage.check(stage.recorder.fewest_routes(begin, window.end) == len(plan.SERVERS) - 1, "one server at a time was gone")
    for client in ("chi", "bue"):  # on a slow machine FRR announces nyc's return a moment before its kernel knows
        stage.at_most(window, client, 50)
    stage.only(window, "chi", "bue")


@scenario("a PoP is drained for maintenance, its server replaced, ExaBGP too")
def maintenance(stage):
    stage.drain("sin1")
    stage.edge_stop("sin1")
    stage.signal("sin1", "exabgp", signal.SIGTERM)
    wait_for(lambda: not stage.world.alive("sin1.exabgp"), 10, "the end of ExaBGP")
    stage.edge_start("sin1")
    stage.done("sin1", "start ExaBGP")
    stage.world.exabgp_start("sin1")
    stage.undrain("sin1")
    stage.settle()
    window = yield
    stage.check(window.answered_by("isb")["nyc1"] > 0, "Islamabad was served by nyc meanwhile")
    stage.only(window)


@scenario("a PoP is withdrawn at once, without a drain")
def withdrawn_at_once(stage):
    at = stage.done("nyc1", "isochronectl vip withdraw all")
    stage.vip_do("nyc1", "withdraw", "all", "--for", "10m", "--reason", "to compare", "--owner", "lab")
    gone = stage.gone("nyc1", at, "vip withdraw")
    time.sleep(0.5)
    stage.undrain("nyc1")
    stage.settle()
    window = yield
    stage.check(gone <= 100 + SLACK_MS, f"route gone after {gone:.0f} ms")
    for client in ("chi", "bue"):  # routers look for another way only now: a drain lets them find it first
        stage.at_most(window, client, SLACK_MS)
    stage.only(window, "chi", "bue")


@scenario("ExaBGP of one server is killed", ci=True)
def exabgp_killed(stage):
    at = stage.signal("fra1", "exabgp", signal.SIGKILL)
    gone = stage.gone("fra1", at, "ExaBGP killed")
    time.sleep(0.3)
    stage.done("fra1", "start ExaBGP")
    stage.world.exabgp_start("fra1")
    stage.settle()
    window = yield
    stage.check(gone <= 100 + SLACK_MS, f"route of fra1 gone after {gone:.0f} ms, the other server has the traffic")
    stage.only(window)


@scenario("ExaBGP freezes (SIGSTOP), until the hold time is over")
def exabgp_frozen(stage):
    at = stage.signal("fra1", "exabgp", signal.SIGSTOP)
    gone = stage.gone("fra1", at, "ExaBGP frozen (hold time 9 s)")
    stage.signal("fra1", "exabgp", signal.SIGCONT)
    stage.settle()
    window = yield
    stage.check(gone <= 15000, f"route of fra1 gone after {gone:.0f} ms: hold time 9 s")
    stage.only(window)


@scenario("a whole server freezes; its BIRD has BFD with the router", ci=True)
def server_frozen(stage):
    begin = time.time()
    for program in ("bird", "exabgp", "holder", "brain", "edge"):
        stage.signal("sin1", program, signal.SIGSTOP)
    gone = stage.gone("sin1", begin, "server frozen (BFD)")
    time.sleep(0.3)
    for program in ("edge", "brain", "holder", "exabgp", "bird"):
        stage.signal("sin1", program, signal.SIGCONT)
    stage.settle()
    window = yield
    stage.check(gone <= 1000 + SLACK_MS, f"route of sin1 gone after {gone:.0f} ms (BFD: 5 x 200 ms)")
    stage.at_most(window, "isb", 1000 + 2 * SLACK_MS)
    stage.only(window, "isb")


@scenario("a core router stops forwarding and is silent", ci=True)
def router_lost(stage):
    core = "core1"
    at = stage.done(core, "SIGSTOP BIRD, forwarding off")
    stage.world.kill(f"{core}.bird", signal.SIGSTOP)
    stage.inside(core, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding")
    wait_for(lambda: time.time() > at + 2, 5, "")
    stage.done(core, "forwards again")
    stage.inside(core, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    stage.world.kill(f"{core}.bird", signal.SIGCONT)
    stage.settle()
    window = yield
    stage.check(not stage.recorder.changes(at, window.end, verb="removed"), "no PoP withdrew anything")
    stage.at_most(window, "bue", 1000 + 2 * SLACK_MS)  # BFD: 5 x 200 ms
    stage.only(window, "bue")


def nothing_happens(stage, begin, window):
    stage.check(not stage.recorder.changes(begin, window.end), "no route changed")
    stage.only(window)


@scenario("the holder is killed, and the brain with it", ci=True)
def holder_killed(stage):
    at = stage.signal("sin1", "holder", signal.SIGKILL)
    wait_for(lambda: stage.recorder.said("sin1", at, "found announced"), 10, "a successor that takes over")
    time.sleep(0.5)
    stage.settle()
    window = yield
    nothing_happens(stage, at, window)


@scenario("the holder is killed together with the edge")
def holder_and_edge_killed(stage):
    window = yield from broken_and_mended(
        stage, "sin1", "holder and edge killed",
        lambda: (stage.signal("sin1", "holder", signal.SIGKILL), stage.signal("sin1", "edge", signal.SIGKILL))[1],
        lambda: stage.edge_start("sin1"), 1000, from_mending=False)
    stage.at_most(window, "isb", 1000 + SLACK_MS)
    stage.only(window, "isb")


@scenario("the holder hangs for three seconds")
def holder_hung(stage):
    at = stage.signal("sin1", "holder", signal.SIGSTOP)
    time.sleep(3)
    stage.signal("sin1", "holder", signal.SIGCONT)
    time.sleep(1)
    stage.settle()
    window = yield
    nothing_happens(stage, at, window)


@scenario("the brain is killed, again and again", ci=True)
def brain_killed(stage):
    begin = time.time()
    for _ in range(3):
        at = stage.signal("sin1", "brain", signal.SIGKILL)
        wait_for(lambda at=at: stage.recorder.said("sin1", at, "brain: process", "leads"), 20, "a new brain")
    time.sleep(0.5)
    stage.settle()
    window = yield
    nothing_happens(stage, begin, window)


@scenario("the brain hangs until the holder kills it")
def brain_hung(stage):
    at = stage.signal("sin1", "brain", signal.SIGSTOP)
    wait_for(lambda: stage.recorder.said("sin1", at, "brain: process", "leads"), 40, "a new brain")
    time.sleep(0.5)
    stage.settle()
    window = yield
    nothing_happens(stage, at, window)


@scenario("the brain hangs, and then the edge dies", ci=True)
def brain_hung_edge_killed(stage):
    brain = stage.pid("sin1", "brain")
    stage.signal("sin1", "brain", signal.SIGSTOP)
    time.sleep(0.1)
    at = stage.signal("sin1", "edge", signal.SIGKILL)
    gone = stage.gone("sin1", at, "brain hung, edge killed (lease 2 s)")
    stage.edge_start("sin1")
    stage.done("sin1", "SIGCONT brain")
    os.kill(brain, signal.SIGCONT)
    stage.settle()
    window = yield
    limit = 2000 + stage.silent_limit_ms + 500
    stage.check(gone <= limit + SLACK_MS, f"the holder withdrew after {gone:.0f} ms, by its own probe (lease 2 s)")
    stage.at_most(window, "isb", limit + SLACK_MS)
    stage.only(window, "isb")


@scenario("edge flaps, and our own damping comes before the network's")
def flapping(stage):
    servers = [plan.node("sin1")]
    stage.reconfigure(servers, lambda server: {
        "more": "damping: {penalty: 1000, suppress: 2000, reuse: 750, half_life: 2s, max: 20s}\n"})
    stage.settle()
    begin = time.time()
    gone, back = [], []
    for _ in range(3):
        at = stage.signal("sin1", "edge", signal.SIGKILL)
        gone.append(stage.gone("sin1", at, "edge killed (flapping)"))
        back.append(stage.back("sin1", stage.edge_start("sin1"), "start (flapping)"))
    stage.reconfigure(servers)
    stage.settle()
    window = yield
    stage.check(max(gone) <= stage.dead_limit_ms + SLACK_MS, f"no withdrawal was delayed: {max(gone):.0f} ms at most")
    stage.check(back[0] < 2000 < back[2], f"announced {', '.join(f'{ms:.0f}' for ms in back)} ms after the starts")
    stage.check(stage.recorder.fewest_routes(begin, window.end) >= len(plan.SERVERS) - 1, "only sin was gone")
    stage.only(window, "isb")


# ---- soft causes: a map that nobody renews

OLD_S = 30 * 86400
SETTLE_S, JITTER_S = 4, 1


def soft_settings(stage):
    """Of a server: the age of its map is a soft check, and the others are asked whether they stay."""
    def settings(server):
        peers = [other.name for other in plan.SERVERS if other is not server]
        checks = f"  map: {{type: edge, control: {stage.world.node_folder(server.name) / 'edge.sock'}, interval: 500ms, " \
            "timeout: 400ms, rise: 2, fall: 2, map_age: {stale: 7d, expired: 14d}}\n"
        for peer in peers:
            checks += f"  peer_{peer}: {{type: exec, class: peer, interval: 1s, timeout: 900ms, rise: 1, fall: 1, " \
                f"command: [{stage.stays_script()}, {peer}]}}\n"
        return {"requires": ", map", "checks": checks, "more":
                f"last_pop: {{peers: [{', '.join(f'peer_{peer}' for peer in peers)}], at_least: 1, settle: {SETTLE_S}s}}\n"
                f"soft_withdraw: {{allow: 2, per: 1h, of: all, jitter: {JITTER_S}s}}\ndamping: off\n"}
    return settings


def with_old_maps(stage, servers):
    """The maps of these servers are a month old for a while; yields meanwhile. All is as before in the end."""
    old = stage.world.map_begin("old.isomap", OLD_S)
    stage.reconfigure(plan.SERVERS, soft_settings(stage))
    if old.wait() != 0:
        raise LabError("an old map could not be built")
    time.sleep(2)  # peers are known
    at = stage.map_load(servers, "old.isomap")
    yield at
    stage.map_load(servers, "cdn.isomap")
    yield at
    stage.settle()
    stage.reconfigure(plan.SERVERS)
    stage.settle()


@scenario("every map is a month old: all PoPs fail the same soft check at once", ci=True)
def soft_everywhere(stage):
    begin = time.time()
    steps = with_old_maps(stage, plan.SERVERS)
    next(steps)
    time.sleep(SETTLE_S + 2 * JITTER_S)
    next(steps)
    next(steps, None)
    window = yield
    degraded = [server.name for server in plan.SERVERS if stage.recorder.said(server.name, begin, "check map: down")]
    stage.check(len(degraded) == len(plan.SERVERS), f"the age was noticed by {', '.join(degraded) or 'nobody'}")
    removed = stage.recorder.changes(begin, window.end, verb="removed")
    stage.check(not removed, f"{len(removed)} routes withdrawn")
    stage.only(window)


@scenario("one PoP's map is a month old: it leaves, since others stay, and comes back")
def soft_at_one(stage):
    begin = time.time()
    steps = with_old_maps(stage, [plan.node("sin1")])
    at = next(steps)
    gone = stage.gone("sin1", at, "old map")
    at = time.time()
    next(steps)
    back = stage.back("sin1", at, "fresh map")
    next(steps, None)
    window = yield
    stage.check(SETTLE_S * 1000 <= gone <= (SETTLE_S + JITTER_S + 3) * 1000, f"route of sin1 gone after {gone:.0f} ms: "
                f"{SETTLE_S} s to settle, and a jitter of {JITTER_S} s")
    stage.check(back <= (JITTER_S + 3) * 1000, f"and back {back:.0f} ms after a fresh map")
    others = [event for event in stage.recorder.changes(begin, window.end, verb="removed") if event.peer != "sin1"]
    stage.check(not others, "nobody else left")
    stage.only(window)

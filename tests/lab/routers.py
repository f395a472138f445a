# SPDX-License-Identifier: GPL-3.0-or-later
"""What the routers are told, and what they say: configurations of BIRD and FRR, and the events of their logs.

What faces a server is the text of deploy/examples with the lab's addresses in place of the example's; what faces the
core and the users is written here.
"""
import datetime
import pathlib
import re

import plan
from spaces import LabError

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "deploy/examples"

BIRD_HEAD = """\
log "{folder}/bird.log" all;
timeformat log iso long ms;
debug protocols {{ states, routes }};
"""

# Routers between the PoPs and the users, and the users' own: BFD everywhere, as links may fail without a sign.
BIRD_FABRIC = """\
protocol bfd { interface "*" { interval 200 ms; multiplier 5; }; }
filter fabric_in { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }
template bgp fabric {
    hold time 9;
    bfd yes;
    connect delay time 1;
    connect retry time 1;
    error wait time 1, 2;
    error forget time 2;
    graceful restart aware;
}
"""

BIRD_NEIGHBOR = """\
protocol bgp {name}_{family} from fabric {{
    local {local} as {local_as};
    neighbor {peer} as {peer_as};
    ipv{family} {{ import filter fabric_in; export {export}; next hop self; }};
}}
"""

BIRD_PLAIN = """\
router id {router_id};
protocol device {{ }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; }}; }}
protocol kernel {{ ipv6 {{ export where source = RTS_BGP; }}; }}
"""

BIRD_OWN = """\
protocol static own4 {{ ipv4; route {prefix4} unreachable; }}
protocol static own6 {{ ipv6; route {prefix6} unreachable; }}
"""

FRR_HEAD = """\
log timestamp precision 3
debug bgp updates in
debug bgp neighbor-events
"""

FRR_FABRIC = """\
route-map fabric_in permit 10
 match community drained
 set local-preference 0
route-map fabric_in permit 20
route-map fabric_out permit 10
!
router bgp {asn}
 neighbor fabric peer-group
 neighbor fabric timers 3 9
 neighbor fabric timers connect 1
 neighbor fabric bfd profile fabric
{neighbors}
 address-family ipv4 unicast
{activate4}
 exit-address-family
 address-family ipv6 unicast
{activate6}
 exit-address-family
!
bfd
 profile fabric
  detect-multiplier 5
  receive-interval 200
  transmit-interval 200
"""


def substituted(text, words):
    """`text` with the lab's words for the example's; an example that has lost one is an error, so that they stay in step."""
    for old in words:
        if old not in text:
            raise LabError(f"the example has no {old!r} any more")
    # all at once: a new word may look like another's old one
    pattern = re.compile("|".join(re.escape(old) for old in sorted(words, key=len, reverse=True)))
    return pattern.sub(lambda match: str(words[match.group(0)]), text)


def block_of(text, start):
    """The lines from the one that starts with `start` to its closing brace."""
    begin = text.index(start)
    return text[begin:text.index("\n}\n", begin) + 3]


def example_words(link, server):
    """The example's addresses are a router's .1 and a host's .2."""
    router = link.other(server)
    return {
        "198.51.100.1": link.address(router, 4), "198.51.100.2": link.address(server, 4),
        "2001:db8:ffff::1": link.address(router, 6), "2001:db8:ffff::2": link.address(server, 6),
    }


# ---- BIRD

def bird_neighbors(name, export):
    """Sessions with every router and user network this one is linked to; export(other) is what it is told."""
    text = BIRD_FABRIC
    own = plan.node(name)
    for link in plan.links_of(name):
        other = plan.node(link.other(name))
        if isinstance(other, plan.Server):
            continue
        for family in (4, 6):
            text += BIRD_NEIGHBOR.format(name=other.name, family=family, local=link.address(name, family),
                                         local_as=own.asn, peer=link.address(other.name, family), peer_as=other.asn,
                                         export=export)
    return text


def bird_core(router, folder):
    return BIRD_HEAD.format(folder=folder) + BIRD_PLAIN.format(router_id=router.router_id) + \
        bird_neighbors(router.name, "where source = RTS_BGP")


def bird_client(client, folder):
    return BIRD_HEAD.format(folder=folder) + BIRD_PLAIN.format(router_id=client.router_id) + \
        BIRD_OWN.format(prefix4=client.prefix4, prefix6=client.prefix6) + \
        bird_neighbors(client.name, 'where proto ~ "own*"')


def bird_pop(router, folder):
    """The example, its two protocols once for each server, and the core and the users beside it."""
    servers = plan.servers_of(router.name)
    through_bird = servers[0].through_bird
    text = (EXAMPLES / ("host-bird/router.conf" if through_bird else "bird.conf")).read_text()
    site = "pop_sin" if through_bird else "pop_fra"
    blocks = [block_of(text, f"protocol bgp {site}{family} ") for family in (4, 6)]
    for block in blocks:
        text = text.replace(block, "")
    text = substituted(text, {"log syslog all;": "", "router id 198.51.100.1;": f"router id {router.router_id};",
                              **({'"eth1"': f'"{servers[0].name}"'} if through_bird else {})})
    for server in servers:
        link = plan.link_between(router.name, server.name)
        words = {"as 65000": f"as {router.asn}", f"{site}4": f"{server.name}_4", f"{site}6": f"{server.name}_6",
                 **example_words(link, server.name)}
        text += substituted("".join(blocks), words)
    fabric = bird_neighbors(router.name, "where source = RTS_BGP")
    if through_bird:  # one BFD protocol serves all
        fabric = fabric.replace('protocol bfd { interface "*" { interval 200 ms; multiplier 5; }; }\n', "")
        text = substituted(text, {"multiplier 5; }; }": 'multiplier 5; }; interface "*" { interval 200 ms; multiplier 5; }; }'})
    return BIRD_HEAD.format(folder=folder) + text + fabric


def bird_host(server, folder):
    """The BIRD on a server."""
    link = plan.link_between(server.pop, server.name)
    text = substituted((EXAMPLES / "host-bird/bird.conf").read_text(), {
        "log syslog all;": "", '"eth0"': f'"{server.pop}"', "as 65000": f"as {plan.node(server.pop).asn}",
        **example_words(link, server.name)})
    return BIRD_HEAD.format(folder=folder) + text


# ---- FRR

def frr_pop(router):
    server, = plan.servers_of(router.name)
    link = plan.link_between(router.name, server.name)
    text = substituted((EXAMPLES / "frr.conf").read_text(), {
        "log syslog informational": FRR_HEAD, "router bgp 65000": f"router bgp {router.asn}",
        "bgp router-id 198.51.100.1": f"bgp router-id {router.router_id}",
        **{old: new for old, new in example_words(link, server.name).items() if old.endswith("2")}})
    neighbors, activate = [], {4: [], 6: []}
    for other in plan.links_of(router.name):
        peer = plan.node(other.other(router.name))
        if isinstance(peer, plan.Server):
            continue
        for family in (4, 6):
            address = other.address(peer.name, family)
            neighbors += [f" neighbor {address} remote-as {peer.asn}", f" neighbor {address} peer-group fabric",
                          f" neighbor {address} description {peer.name}"]
            activate[family] += [f"  neighbor {address} activate", f"  neighbor {address} route-map fabric_in in",
                                 f"  neighbor {address} route-map fabric_out out"]
    return text + FRR_FABRIC.format(asn=router.asn, neighbors="\n".join(neighbors), activate4="\n".join(activate[4]),
                                    activate6="\n".join(activate[6]))


# ---- what they say: (time, neighbor, "added"|"removed"|"updated", prefix), prefix "" for all of that neighbor's

VIP = "|".join(re.escape(prefix) for prefix in plan.VIPS)
BIRD_LINE = re.compile(rf"^(\S+ \S+) <TRACE> (\w+)_[46]\.ipv[46] > (added|removed|updated)[^/]*? ({VIP}) ")
FRR_ROUTE = re.compile(rf"^(\d{{4}}/\S+ \S+) BGP: \S+ (\S+?)(?:\(\S+\))? rcvd (?:UPDATE about )?({VIP}) (.*)$")
FRR_DOWN = re.compile(r"^(\d{4}/\S+ \S+) BGP: .*%ADJCHANGE: neighbor (\S+?)(?:\(.*)? (?:in vrf \S+ )?Down ")


def bird_event(line):
    match = BIRD_LINE.match(line)
    if not match:
        return None
    when, peer, verb, prefix = match.groups()
    return datetime.datetime.fromisoformat(when).timestamp(), peer, verb, prefix


def frr_event(line):
    match = FRR_ROUTE.match(line) or FRR_DOWN.match(line)
    if not match:
        return None
    when = datetime.datetime.strptime(match.group(1), "%Y/%m/%d %H:%M:%S.%f").timestamp()
    peer = PEERS.get(match.group(2))
    if peer is None or match.re is FRR_ROUTE and "DENIED" in match.group(4):
        return None
    if match.re is FRR_DOWN:
        return when, peer, "removed", ""
    return when, peer, "removed" if "withdrawn" in match.group(4) else "added", match.group(3)


PEERS = {link.address(node, family): node for link in plan.LINKS for node in (link.first, link.second)
         for family in (4, 6)}

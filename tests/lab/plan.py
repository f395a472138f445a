# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab consists of, as data: nodes, links, addresses, AS numbers.

      client dub        client isb        client chi            client bue
        |   \\  \\         |   \\  \\         |   \\  \\              |    |
       fra   c1 c2      sin   c1 c2      nyc   c1 c2            c1   c2      c1, c2: core1, core2
      /   \\               |                |
    fra1  fra2          sin1              nyc1

A PoP is a top-of-rack router and its servers. Every router and every client network speaks BGP in an AS of its own, so
the nearest PoP is the one with the shortest AS path: each of three client networks is attached to a PoP, the fourth to
the core only; where paths are equally long the lower router id decides, so that nyc is everybody's second choice.
"""
from dataclasses import dataclass, field

VIP4, VIP6 = "192.0.2.53", "2001:db8::53"
VIPS = {f"{VIP4}/32": 4, f"{VIP6}/128": 6}
NAME = "www.example.com."
ANYCAST_AS = 65001


@dataclass
class Router:
    name: str
    asn: int
    router_id: str
    kind: str = "bird"  # or "frr"
    pop: bool = False  # a PoP's; the others are the core


@dataclass
class Server:
    """edge, isochrone-bgp and ExaBGP in one namespace."""
    name: str
    pop: str  # its router too
    through_bird: bool = False  # ExaBGP speaks to a BIRD on the server, that one to the router
    xdp: bool = False


@dataclass
class Client:
    """A network of users; it reaches the VIPs over the routers it is attached to."""
    name: str
    asn: int
    router_id: str
    prefix4: str
    prefix6: str
    routers: list = field(default_factory=list)
    home: str = ""  # the PoP that serves it while all is well
    city: str = ""

    @property
    def source4(self):
        return self.prefix4.replace(".0/24", ".10")

    @property
    def source6(self):
        return self.prefix6.replace("/48", "10")


ROUTERS = [
    Router("nyc", 65011, "10.255.0.11", kind="frr", pop=True),
    Router("fra", 65012, "10.255.0.12", pop=True),
    Router("sin", 65013, "10.255.0.13", pop=True),
    Router("core1", 65101, "10.255.0.101"),
    Router("core2", 65102, "10.255.0.102"),
]
SERVERS = [
    Server("fra1", "fra"),
    Server("fra2", "fra"),
    Server("sin1", "sin", through_bird=True),
    Server("nyc1", "nyc", xdp=True),
]
# Real networks of the sample world, so that the map has something to say about them; IPv6 is documentation (RFC 3849).
CLIENTS = [
    Client("dub", 65021, "10.255.0.21", "194.125.165.0/24", "2001:db8:c1::/48", ["fra", "core1", "core2"], "fra", "Dublin"),
    Client("isb", 65022, "10.255.0.22", "202.92.24.0/24", "2001:db8:c2::/48", ["sin", "core1", "core2"], "sin", "Islamabad"),
    Client("chi", 65023, "10.255.0.23", "75.34.16.0/24", "2001:db8:c3::/48", ["nyc", "core1", "core2"], "nyc", "Chicago"),
    Client("bue", 65024, "10.255.0.24", "190.221.199.0/24", "2001:db8:c4::/48", ["core1", "core2"], "nyc", "Buenos Aires"),
]
POPS = ["fra", "sin", "nyc"]


@dataclass
class Link:
    """A veth pair; each end is named after the node at the other."""
    number: int
    first: str
    second: str

    def address(self, node, family):
        last = 1 if node == self.first else 2
        return f"10.64.{self.number}.{last}" if family == 4 else f"fd64:0:0:{self.number:x}::{last}"

    def other(self, node):
        return self.second if node == self.first else self.first


def links_plan():
    pairs = [(server.pop, server.name) for server in SERVERS]
    pairs += [(router.name, core) for router in ROUTERS if router.pop for core in ("core1", "core2")]
    pairs += [(router, client.name) for client in CLIENTS for router in client.routers]
    return [Link(number, first, second) for number, (first, second) in enumerate(pairs)]


LINKS = links_plan()
NODES = [node.name for node in (*ROUTERS, *SERVERS, *CLIENTS)]


def link_between(one, other):
    return next(link for link in LINKS if {link.first, link.second} == {one, other})


def links_of(node):
    return [link for link in LINKS if node in (link.first, link.second)]


def node(name):
    return next(node for node in (*ROUTERS, *SERVERS, *CLIENTS) if node.name == name)


def servers_of(pop):
    return [server for server in SERVERS if server.pop == pop]

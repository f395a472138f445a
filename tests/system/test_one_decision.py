# SPDX-License-Identifier: GPL-3.0-or-later
"""What isochrone-mapper says about a client is what isochrone-edge answers it: PoP and scope, from both spaces."""
import ipaddress
import json
import random
import subprocess

import dns.edns
import pytest

from edge_lab import BIN, Edge, build_map

ADDRESS = {"fra": "192.0.2.10", "sin": "192.0.2.20", "nyc": "192.0.2.30"}
CLIENTS = 1000  # of each family
SERVICES = """services:
  web: {map: web, pops: {fra: [192.0.2.10], sin: [192.0.2.20], nyc: [192.0.2.30]}}
names: {www.example.com.: web}
"""


def random_networks(chance):
    """Nested networks of either family, down to single addresses, in a part of the space that clients hit."""
    lengths = {4: [6, 12, 16, 19, 22, 24, 24, 27, 32], 6: [12, 20, 29, 32, 40, 48, 48, 56, 64]}
    found = set()
    while len(found) < 1200:
        version = chance.choice((4, 6))
        address = random_client(chance, version)
        found.add(ipaddress.ip_network((address, chance.choice(lengths[version])), strict=False))
    return sorted(found, key=str)


def random_client(chance, version):
    if version == 4:
        return ipaddress.IPv4Address(0x14000000 | chance.getrandbits(10) << 16 | chance.getrandbits(16))
    return ipaddress.IPv6Address(0x2400 << 112 | chance.getrandbits(4) << 92 | chance.getrandbits(88))


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decision")
    chance = random.Random(7871)
    rows = ["prefix,map,space,pops"]
    for network in random_networks(chance):
        order = chance.sample(sorted(ADDRESS), chance.choice((1, 2, 3)))
        rows.append(f"{network},,client,{' '.join(order)}")
    # resolvers on loopback: some listed, some only as clients, the rest nowhere
    rows += ["127.0.0.0/26,,resolver,sin", "127.0.0.64/26,,resolver,nyc", "127.0.0.128/26,,client,fra"]
    build_map(folder, "\n".join(rows) + "\n")
    (folder / "services.yaml").write_text(SERVICES)
    with Edge(folder, map="cdn.isomap", services="services.yaml") as server:
        yield server


def lookup(edge, *words):
    done = subprocess.run([BIN / "isochrone-mapper", "lookup", edge.folder / "cdn.isomap", "--json", *words],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def scope_of(response):
    return next(option.scopelen for option in response.options if isinstance(option, dns.edns.ECSOption))


@pytest.mark.parametrize("version", [4, 6])
def test_clients_behind_ecs(edge, version):
    chance = random.Random(version)
    clients = [str(random_client(chance, version)) for _ in range(CLIENTS)]
    said = lookup(edge, *clients)
    assert [item["client"] for item in said] == clients
    assert len({item["ranking"][0] for item in said}) == 3 and len({item["scope"] for item in said}) > 5
    full, usual = (32, 24) if version == 4 else (128, 56)
    for client, item in zip(clients, said):
        for source in (full, usual):
            if source < item["scope"]:
                continue  # asked too coarsely for this block
            response = edge.ask("www.example.com.", subnet=f"{client}/{source}")
            assert response.answer[0][0].to_text() == ADDRESS[item["ranking"][0]], item
            assert scope_of(response) == item["scope"], item


def test_prefixes_have_the_blocks_that_are_answered(edge):
    blocks = lookup(edge, "20.0.0.0/7")
    networks = [ipaddress.ip_network(item["block"]) for item in blocks]
    assert networks[0][0] == ipaddress.ip_address("20.0.0.0") and networks[-1][-1] == ipaddress.ip_address("21.255.255.255")
    assert all(int(a[-1]) + 1 == int(b[0]) for a, b in zip(networks, networks[1:]))
    chance = random.Random(1)
    for item, network in chance.sample(list(zip(blocks, networks)), 500):
        for address in {network[0], network[-1]}:
            response = edge.ask("www.example.com.", subnet=f"{address}/32")
            assert response.answer[0][0].to_text() == ADDRESS[item["ranking"][0]], (address, item)
            assert scope_of(response) == item["scope"] == network.prefixlen


def test_resolvers_without_ecs(edge):
    resolvers = [f"127.0.0.{last}" for last in range(1, 255)]
    said = lookup(edge, "--resolver", *resolvers)
    assert {item["ranking"][0] for item in said} == {"fra", "sin", "nyc"}
    for resolver, item in zip(resolvers, said):
        response = edge.ask("www.example.com.", source=resolver)
        assert response.answer[0][0].to_text() == ADDRESS[item["ranking"][0]], item
        assert not [option for option in response.options if isinstance(option, dns.edns.ECSOption)]

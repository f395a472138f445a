# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample world agrees with itself, and its generator's database writer with other readers of the format."""

import bisect
import csv
import ipaddress
import lzma
import os
import re
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
WORLD = os.path.join(ROOT, "maps/sample")
sys.path.insert(0, os.path.join(ROOT, "tests/world"))

import mmdb  # noqa: E402

DOCUMENTATION = [ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


def text_of(name):
    with open(os.path.join(WORLD, name), encoding="utf-8") as stream:
        return stream.read()


@pytest.fixture(scope="module")
def truth():
    with lzma.open(os.path.join(WORLD, "truth.csv.xz"), "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def rows():
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    found = []
    for number in (1, 2):
        text = subprocess.check_output(["zstd", "-dcq", os.path.join(WORLD, f"measurements-{number}.csv.zst")], text=True)
        found += csv.DictReader(text.splitlines())
    return found


def pops():
    return re.findall(r"^  (\w+): \{location", text_of("mapper.yaml"), re.M)


def test_fits_the_repository():
    assert sum(os.path.getsize(os.path.join(WORLD, name)) for name in os.listdir(WORLD)
               if not name.endswith(".isomap")) <= 8_000_000


def test_truth_names_the_fastest_pop(truth):
    names = pops()
    assert len(names) == 31 and len(truth) > 20000
    for row in truth:
        assert float(row[row["best"]]) == min(float(row[name]) for name in names), row["client"]


def test_held_out_networks_have_no_rows(truth, rows):
    measured = {row["client"] for row in rows}
    held = {row["client"] for row in truth if row["held_out"]}
    assert len(held) > 2000
    assert not measured & held
    assert measured <= {row["client"] for row in truth}


def test_rows_are_the_truth_plus_noise(truth, rows):
    """Noise is only ever added, and half of it is below 5 ms: queueing has a median of 4.2, one row in ten a burst."""
    by_client = {row["client"]: row for row in truth}
    noise = [float(row["rtt_ms"]) - float(by_client[row["client"]][row["pop"]]) for row in rows]
    assert min(noise) >= -0.11  # both are rounded to 0.1 ms
    assert 4.0 < sorted(noise)[len(noise) // 2] < 6.0


def test_geography_knows_every_client(truth):
    """Reduction kept the place of every sampled network: the country the truth was made with is found again."""
    readers = {4: mmdb.Reader(os.path.join(WORLD, "city-ipv4.mmdb")), 6: mmdb.Reader(os.path.join(WORLD, "city-ipv6.mmdb"))}
    for row in truth:
        network = ipaddress.ip_network(row["client"])
        record = readers[network.version].find(int(network.network_address))
        country = record["country_code"] if network.version == 4 else record["country"]["iso_code"]
        assert country == row["country"], row["client"]


def test_autonomous_systems_know_every_client(truth):
    ranges = {}
    for family in (4, 6):
        lines = csv.reader(text_of(f"asn-ipv{family}.csv").splitlines())
        ranges[family] = sorted((int(ipaddress.ip_address(a)), int(ipaddress.ip_address(b)), asn) for a, b, asn, _ in lines)
    for row in truth:
        network = ipaddress.ip_network(row["client"])
        table = ranges[network.version]
        first, last, asn = table[bisect.bisect_right(table, (int(network.network_address), 1 << 129)) - 1]
        assert first <= int(network.network_address) <= last and asn == row["asn"], row["client"]


def test_services_only_use_documentation_addresses():
    addresses = [ipaddress.ip_address(text) for text in re.findall(r'"([0-9a-f.:]+)"', text_of("services.yaml"))]
    assert len(addresses) > 80
    assert [a for a in addresses if not any(a.version == n.version and a in n for n in DOCUMENTATION)] == []


def test_pins_are_about_sampled_networks(truth):
    networks = {row["client"] for row in truth}
    pins = list(csv.DictReader(line for line in text_of("pins.csv").splitlines() if not line.startswith("#")))
    assert pins and all(pin["prefix"] in networks for pin in pins)


@pytest.mark.skipif(not shutil.which("mmdblookup"), reason="mmdblookup is not installed")
@pytest.mark.parametrize("name, path, kind", [("city-ipv4.mmdb", ["latitude"], "float"),
                                              ("city-ipv6.mmdb", ["location", "latitude"], "double")])
def test_libmaxminddb_reads_the_databases_alike(truth, name, path, kind):
    family = 4 if "ipv4" in name else 6
    reader = mmdb.Reader(os.path.join(WORLD, name))
    clients = [row["client"] for row in truth if ipaddress.ip_network(row["client"]).version == family][::500]
    for client in clients:
        address = ipaddress.ip_network(client)[1]
        text = subprocess.check_output(["mmdblookup", "--file", os.path.join(WORLD, name), "--ip", str(address), *path], text=True)
        value, found_kind = re.search(r"(-?[\d.]+) <(\w+)>", text).groups()
        record = reader.find(int(address))
        for key in path:
            record = record[key]
        assert found_kind == kind and abs(float(value) - record) < 1e-5, client


def test_a_more_specific_network_carves_out_of_a_wider_one(tmp_path):
    writer = mmdb.Writer(32)
    writer.insert(0x0A000000, 8, "wide")
    writer.insert(0x0A010200, 24, "narrow")
    writer.insert(0x0A010300, 24, "wide")  # says nothing new: it merges again
    path = tmp_path / "own.mmdb"
    writer.save(path, 24, lambda value: {"name": value}, "test", "test", 1)
    reader = mmdb.Reader(path)
    assert reader.find(0x0A010203) == {"name": "narrow"}
    assert reader.find(0x0A010303) == {"name": "wide"}
    assert reader.find(0x0B000000) is None
    starts, lengths, _ = reader.networks()
    assert (starts[0], lengths[0]) == (0x0A000000, 16)
    assert sum(1 << (32 - length) for length in lengths) == 1 << 24


@pytest.mark.parametrize("record_bits", [24, 28, 32])
@pytest.mark.parametrize("value", ["x" * 28, "x" * 29, "x" * 284, "x" * 285, "é"])
def test_every_string_length_survives(tmp_path, record_bits, value):
    writer = mmdb.Writer(128)
    writer.insert(0x2001 << 112, 16, value)
    path = tmp_path / "own.mmdb"
    writer.save(path, record_bits, lambda text: {"name": text, "again": {"name": text}, "at": mmdb.Float(1.5)}, "t", "t", 1)
    assert mmdb.Reader(path).find(0x2001 << 112) == {"name": value, "again": {"name": value}, "at": 1.5}

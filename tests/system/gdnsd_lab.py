#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gdnsd with a configuration of everything that import-gdnsd converts, and the comparison of what it answers with what
isochrone-edge answers from the imported one.

Usage: tests/system/gdnsd_lab.py [--queries N] [--networks N] [--seed N] [--keep FOLDER]
"""
import argparse
import collections
import ipaddress
import json
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import edge_lab

sys.path.insert(0, str(edge_lab.ROOT / "tests/world"))
import mmdb  # noqa: E402

CITIES = {  # continent, country, subdivisions, city, latitude, longitude
    "London": ("EU", "GB", ["ENG"], 51.51, -0.13), "Boxford": ("EU", "GB", ["ENG", "WBK"], 51.75, -1.25),
    "Paris": ("EU", "FR", ["IDF", "75"], 48.86, 2.35), "Berlin": ("EU", "DE", ["BE"], 52.52, 13.4),
    "Oslo": ("EU", "NO", [], 59.91, 10.75), "Moscow": ("EU", "RU", ["MOW"], 55.75, 37.62),
    "New York": ("NA", "US", ["NY"], 40.71, -74.0), "Dallas": ("NA", "US", ["TX"], 32.78, -96.8),
    "Seattle": ("NA", "US", ["WA"], 47.61, -122.33), "Toronto": ("NA", "CA", ["ON"], 43.65, -79.38),
    "São Paulo": ("SA", "BR", ["SP"], -23.55, -46.63), "Lima": ("SA", "PE", ["LMA"], -12.05, -77.04),
    "Tokyo": ("AS", "JP", ["13"], 35.69, 139.69), "Beijing": ("AS", "CN", ["BJ"], 39.9, 116.4),
    "Mumbai": ("AS", "IN", ["MH"], 19.08, 72.88), "Dubai": ("AS", "AE", ["DU"], 25.2, 55.27),
    "Sydney": ("OC", "AU", ["NSW"], -33.87, 151.21), "Dunedin": ("OC", "NZ", ["OTA"], -45.87, 170.5),
    "Lagos": ("AF", "NG", ["LA"], 6.45, 3.39), "Nowhere": ("AF", "KE", [], None, None),
}

CONFIG = """# everything that import-gdnsd converts
options => {
  listen => 127.0.0.1:%(port)u ; the only address
  run_dir => "%(folder)s/run", state_dir => "%(folder)s/state"
  nsid_ascii = lab, udp_threads = 1
}
service_types => { web => { plugin => static, state => UP, ttl => 1000000 } }
plugins => {
  geoip => {
    maps => {
      auto => {
        geoip2_db => city.mmdb
        datacenters => [ lon, nyc, tyo, syd, sao ]
        auto_dc_coords => { lon => [51.5, -0.1], nyc => [40.7, -74.0], tyo => [35.7, 139.7], syd => [-33.9, 151.2],
          sao => [ -23.6, -46.6 ] }
        map => {
          AS => { CN => [syd, tyo], JP => { default => auto, Tokyo => [tyo, lon] } }
          EU => { GB => { ENG => { Boxford => [nyc], London => [syd, lon] } } FR => { Paris => [lon, sao] } }
          NA => { US => { default => [nyc, sao], WA => tyo } }
        }
        nets => {
          10.0.0.0/8 => [ syd, lon ], 10.9.0.0/16 => nyc, 127.1.0.0/16 => [ tyo, nyc ], 127.1.128.0/17 => [ sao ]
          2001:db8::/32 => [tyo, nyc], 2001:db8:1::/48 => [nyc], ::c000:0200/120 => [ lon ], 2600::/12 => [ nyc, tyo ]
        }
      }
      farther => {
        geoip2_db => city.mmdb, datacenters => [ lon, nyc, tyo, syd, sao ], auto_dc_limit => 0
        auto_dc_coords => { syd => [-33.9, 151.2], lon => [51.5, -0.1], nyc => [40.7, -74.0], tyo => [35.7, 139.7] }
      }
      land => {
        geoip2_db => country.mmdb
        datacenters => [ lon, nyc, tyo ]
        map => { default => [nyc, lon, tyo], EU => [lon, nyc, tyo], AS => { default => [tyo, nyc], IN => [lon] } }
        nets => land.nets
      }
      flat => { datacenters => [ lon, nyc ], nets => { ::/0 => [ nyc, lon ], 100.0.0.0/8 => lon } }
    }
    resources => $include{resources}
  }
  multifo => {
    syd => { addrs_v4 => [ 192.0.2.4, 192.0.2.44 ], addrs_v6 => 2001:db8:53::4 }
    many => [ 203.0.113.1, 203.0.113.2, 203.0.113.3 ]
    crowd => { addrs_v4 => [ %(crowd)s ], addrs_v6 => { a => 2001:db8:54::1, b => 2001:db8:54::2 } }
  }
  simplefo => { pair => { primary => 198.51.100.3, secondary => 198.51.100.33 }
    both => { addrs_v4 => { primary => 198.51.100.5, secondary => 198.51.100.55 }
              addrs_v6 => { primary => 2001:db8:55::1, secondary => 2001:db8:55::2 } } }
  metafo => { resources => {
    ordered => { datacenters => [one, two], dcmap => { one => 203.0.113.11, two => [ 203.0.113.12, 203.0.113.13 ] } }
    around => { datacenters => [real, backup], dcmap => { real => %%geoip!app, backup => 203.0.113.99 } }
    named => { datacenters => [ gone, kept ], dcmap => { gone => gone.example.net., kept => kept.example.net. } }
    down => { datacenters => [ gone, here ], dcmap => { gone => 203.0.113.71, here => 203.0.113.72 } }
  } }
  weighted => { level => { multi => true, a => [203.0.113.31, 2], b => [203.0.113.32, 2] } }
  static => { "here" => 203.0.113.51, there => elsewhere.example.net. }
  null => {}
}
"""

RESOURCES = """www => { map => auto, service_types => web, dcmap => {
    lon => { addrs_v4 => [192.0.2.1, 192.0.2.11], addrs_v6 => [ 2001:db8:53::1 ] },
    nyc => { addrs_v4 => [192.0.2.2], addrs_v6 => { a => 2001:db8:53::2 } },
    tyo => { addrs_v4 => 192.0.2.3, addrs_v6 => 2001:db8:53::3 }, syd => %multifo!syd,
    sao => { addrs_v4 => 192.0.2.5, addrs_v6 => 2001:db8:53::5 } } }
app => { map => land, dcmap => { lon => 198.51.100.1, nyc => 198.51.100.2, tyo => %simplefo!pair } }
second => { map => auto, skip_first => true, dcmap => { lon => 192.0.2.61, nyc => 192.0.2.62, tyo => 192.0.2.63,
    syd => 192.0.2.64, sao => [ 192.0.2.65, 192.0.2.66 ] } }
six => { map => farther, dcmap => { lon => 2001:db8:66::1, nyc => 2001:db8:66::2, tyo => 2001:db8:66::3,
    syd => 2001:db8:66::4, sao => 2001:db8:66::5 } }
drained => { map => farther, dcmap => { lon => 192.0.2.91, nyc => 192.0.2.92, tyo => 192.0.2.93, syd => 192.0.2.94,
    sao => 192.0.2.95 } }
flat => { map => flat, dcmap => { lon => 192.0.2.71, nyc => 192.0.2.72 } }
cdn => { map => auto, dcmap => { lon => lon.cdn.example.net., nyc => nyc.cdn.example.net., tyo => "tyo.cdn.example.net.",
    syd => syd.cdn.example.net., sao => sao\\.paulo.cdn.example.net. } }
"""

# lists of all datacenters with coordinates: gdnsd answers from the first of a list if all of it is down, isochrone-edge from
# the next PoP behind it
ADMIN_STATE = """geoip/drained/nyc => DOWN
metafo/*/gone => DOWN
*/sao => UP
geoip/drained/tyo => DOWN
"""

ZONE = """$TTL 300
@ SOA ns1 hostmaster ( 1 ; serial
  7200 30M 3D 900 )
@ NS ns1
  NS ns2.@Z
ns1 A 192.0.2.53
ns2 A 192.0.2.54
www 600/600 DYNA geoip!www
*.wild 60 DYNA geoip!www
app 300/300 DYNA geoip!app
second 300 IN DYNA geoip!second
six DYNA geoip!six
drained DYNA geoip!drained
flat DYNA geoip!flat
around DYNC metafo!around
www-syd DYNA geoip!www/syd
ordered 120/120 DYNA metafo!ordered
shifted DYNA metafo!down
many DYNA multifo!many
crowd DYNA multifo!crowd
pair DYNA simplefo!pair
both DYNA simplefo!both
level DYNA weighted!level
here DYNA static!here
there DYNC static!there
cdn 120/120 DYNC geoip!cdn
named DYNC metafo!named
*.cdn2 DYNC geoip!cdn
null DYNA null
text TXT "a b" "c;d" "\\"\\\\" %(long)s
mail MX 10 mx.@Z
mx 1D A 192.0.2.25
_sip._tcp SRV 1 2 5060 sip
sip AAAA 2001:db8::5060
odd\\.name\\032x A 192.0.2.77
$ORIGIN sub.@Z
@ A 192.0.2.80
www DYNA geoip!app
$INCLUDE ../parts/more deep
back.@Z A 192.0.2.81
@ CAA 0 issue "ca.example.net"
unknown TYPE65280 \\# 4 0A0b 0C0d
"""

MORE = """inner A 192.0.2.82
x.@F A 192.0.2.83
$ORIGIN further
@ A 192.0.2.84
up.@Z DYNA geoip!flat
"""

DYNAMIC = ["www", "a.wild", "b.c.wild", "app", "second", "six", "drained", "flat", "around", "www-syd", "ordered", "shifted",
           "many", "crowd", "pair", "both", "level", "here", "null", "www.sub", "up", "cdn", "named",
           "x.cdn2"]
STATIC = ["ns1", "mx", "sip", "sub", "back", "inner.deep.sub", "x.deep.sub", "further.deep.sub", "there", "nothing", "deep.sub",
          "odd\\.name\\032x", "text", "mail", "_sip._tcp", "unknown.sub", ""]
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "CAA": 257, "TYPE65280": 65280}


def place_record(name, country_only):
    continent, country, subdivisions, latitude, longitude = CITIES[name]
    record = {"continent": {"code": continent}, "country": {"iso_code": country}}
    if country_only:
        return record
    record["city"] = {"names": {"en": name}}
    if subdivisions:
        record["subdivisions"] = [{"iso_code": code} for code in subdivisions]
    if latitude is not None:
        record["location"] = {"latitude": latitude, "longitude": longitude}
    return record


def draw_prefix(draw, v6):
    """Somewhere, but never where IPv6 stands for IPv4."""
    if v6:
        length = draw.choice([19, 20, 28, 29, 32, 32, 36, 40, 44, 48, 52, 56, 64])
        return (draw.choice([0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00]) << 112 | draw.getrandbits(108)) >> (128 - length) << (
            128 - length), length
    length = draw.choice([8, 12, 14, 16, 16, 18, 20, 22, 23, 24, 24, 24, 25, 28, 32])
    return (draw.randrange(1, 224) << 24 | draw.getrandbits(24)) >> (32 - length) << (32 - length), length


def write_databases(folder, networks, draw):
    """city.mmdb and country.mmdb with the same networks; returns addresses worth asking about."""
    tree = mmdb.Writer(128)
    some = []
    drawn = sorted((draw_prefix(draw, i % 3 == 0) + (i % 3 == 0,) for i in range(networks)), key=lambda item: item[1])
    for start, length, v6 in drawn:
        tree.insert(start, length if v6 else length + 96, draw.choice(list(CITIES)))
        some.append((6 if v6 else 4, start, length))
    tree.save(folder / "city.mmdb", 28, lambda name: place_record(name, False), "GeoIP2-City", "generated", 1500000000)
    tree.save(folder / "country.mmdb", 28, lambda name: place_record(name, True), "GeoIP2-Country", "generated", 1500000000)
    return some


def write_world(folder, port, networks=3000, seed=1):
    """A configuration folder of gdnsd. Returns the networks of its databases."""
    draw = random.Random(seed)
    for name in ("zones", "geoip", "run", "state", "parts"):
        (folder / name).mkdir(parents=True)
    crowd = " ".join(f"203.0.113.{200 + i}," for i in range(12))
    (folder / "config").write_text(CONFIG % {"port": port, "folder": folder, "crowd": crowd})
    (folder / "resources").write_text(RESOURCES)
    (folder / "state/admin_state").write_text(ADMIN_STATE)
    (folder / "zones/example.com").write_text(ZONE % {"long": "x" * 600})
    (folder / "parts/more").write_text(MORE)
    some = write_databases(folder / "geoip", networks, draw)
    nets = dict((f"{ipaddress.ip_address(start)}/{length}" if v == 4 else f"{ipaddress.IPv6Address(start)}/{length}",
                 draw.choice(["[ tyo ]", "[ nyc, tyo ]", "lon"]))
                for v, start, length in draw.sample(some, max(1, len(some) // 20)))
    (folder / "geoip/land.nets").write_text("".join(f"{net} => {dcs}\n" for net, dcs in nets.items()))
    return some


def gdnsd_path():
    return shutil.which("gdnsd") or shutil.which("gdnsd", path="/usr/sbin")


class Gdnsd:
    """The packaged server on `folder`, in the foreground."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def __enter__(self):
        self.log = open(self.folder / "log", "w+")
        self.process = subprocess.Popen([gdnsd_path(), "-c", self.folder, "start"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        for _ in range(600):
            if self.process.poll() is not None:
                raise AssertionError(f"gdnsd ended: {(self.folder / 'log').read_text()}")
            if exchange(self.port, question("ns1.example.com", "A"), timeout=0.05):
                return self
            time.sleep(0.02)
        raise AssertionError(f"gdnsd does not answer: {(self.folder / 'log').read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def wire_name(text):
    wire, label, at = b"", bytearray(), 0
    while at < len(text):
        byte = text[at]
        if byte == "\\" and text[at + 1].isdigit():
            label.append(int(text[at + 1:at + 4]))
            at += 4
            continue
        if byte == "\\":
            at += 1
            label += text[at].encode()
        elif byte == ".":
            wire += bytes([len(label)]) + label
            label = bytearray()
        else:
            label += byte.encode()
        at += 1
    return wire + (bytes([len(label)]) + label if label else b"") + b"\0"


def question(name, rdtype, subnet=None):
    """`subnet`: (4 or 6, address as a number, source length)"""
    option = b""
    if subnet:
        version, address, length = subnet
        octets = address.to_bytes(4 if version == 4 else 16, "big")[:(length + 7) // 8]
        option = struct.pack(">HHHBB", 8, 4 + len(octets), 1 if version == 4 else 2, length, 0) + octets
    return (struct.pack(">HHHHHH", 0x1234, 0, 1, 0, 0, 1) + wire_name(name) + struct.pack(">HH", TYPES[rdtype], 1)
            + struct.pack(">BHHIH", 0, 41, 4096, 0, len(option)) + option)


def exchange(port, message, source=None, timeout=2.0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        if source:
            client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        try:
            client.send(message)
            return client.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


def read_name(message, at):
    """The labels in lower case, and where the next field starts."""
    labels, after = [], None
    while message[at]:
        if message[at] >= 0xC0:
            after = after or at + 2
            at = (message[at] & 0x3F) << 8 | message[at + 1]
            continue
        labels.append(message[at + 1:at + 1 + message[at]].lower())
        at += 1 + message[at]
    return tuple(labels), after or at + 1


Reply = collections.namedtuple("Reply", "rcode flags answer scope")


def read_reply(message):
    """Rcode, flags that matter, the answer section as a set, the scope of the client subnet (None without one)."""
    _, flags, _, answers, authorities, additionals = struct.unpack_from(">HHHHHH", message)
    _, at = read_name(message, 12)
    at += 4
    answer, scope = set(), None
    for i in range(answers + authorities + additionals):
        owner, at = read_name(message, at)
        rdtype, _, ttl, size = struct.unpack_from(">HHIH", message, at)
        at += 10
        rdata = message[at:at + size]
        if rdtype == 41:
            while len(rdata) >= 4:
                code, length = struct.unpack_from(">HH", rdata)
                scope = rdata[7] if code == 8 else scope
                rdata = rdata[4 + length:]
        elif i < answers:
            if rdtype in (2, 5):
                rdata = read_name(message, at)[0]
            elif rdtype == 15:
                rdata = rdata[:2], read_name(message, at + 2)[0]
            elif rdtype == 6:
                mname, after = read_name(message, at)
                rname, after = read_name(message, after)
                rdata = mname, rname, message[after:at + size]
            answer.add((owner, rdtype, ttl, rdata))
        at += size
    return Reply(flags & 15, flags & 0x8600, frozenset(answer), scope)


def draw_subnet(draw, networks):
    """A client subnet: near a border of the databases, or anywhere; IPv6 that stands for IPv4 at full length."""
    kind = draw.random()
    if kind < 0.06:
        inner = draw.getrandbits(32)
        return draw.choice([(6, 0xFFFF << 32 | inner, 128), (6, 0x64FF9B << 96 | inner, 128),
                            (6, 0x2002 << 112 | inner << 80, draw.choice([48, 56, 64]))])
    if kind < 0.16:
        version = draw.choice([4, 6])
        bits = 32 if version == 4 else 128
        length = draw.choice([8, 16, 20, 24, 32] if version == 4 else [19, 32, 48, 56, 64])
        address = draw.getrandbits(bits) if version == 4 else 0x2000 << 112 | draw.getrandbits(125)
        while version == 6 and address >> 112 in (0x2002, 0x2001):
            address = 0x2000 << 112 | draw.getrandbits(125)
    elif kind < 0.2:
        version, address, length = draw.choice([(4, 0x0A090001, 24), (4, 0x0A010000, 16), (6, 0x20010DB8 << 96, 56),
                                                (6, 0x20010DB80001 << 80, 64), (4, 0xC0000207, 32), (4, 0xC0A80101, 24),
                                                (6, 0xFD00 << 112 | 5, 56), (4, 0x01020304, 0)])
        bits = 32 if version == 4 else 128
    else:
        version, start, own = draw.choice(networks)
        bits = 32 if version == 4 else 128
        address = start + draw.choice([0, -1, 1 << (bits - own), (1 << (bits - own)) - 1,
                                       draw.getrandbits(bits - own) if own < bits else 0])
        address %= 1 << bits
        length = draw.choice([16, 20, 22, 24, 24, 24, 32] if version == 4 else [32, 40, 48, 56, 56, 64, 128])
        if version == 6 and (address >> 112 in (0x2001, 0x2002) or address >> 96 in (0, 0x64FF9B)):
            length = 56
            address = 0x2A00 << 112
    return version, address >> (bits - length) << (bits - length), length


def read_or_none(message):
    return read_reply(message) if message else None


def compare(gdnsd_port, edge_port, networks, queries, seed=1, report=print):
    """Asks both the same; returns counters. Every difference of an answer is reported."""
    draw = random.Random(seed)
    count = collections.Counter()
    for i in range(queries):
        static = draw.random() < 0.1
        name = draw.choice(STATIC if static else DYNAMIC)
        rdtype = draw.choice(list(TYPES) if static else ["A", "A", "AAAA"])
        subnet = None if draw.random() < 0.1 else draw_subnet(draw, networks)
        source = None if subnet else f"127.{draw.choice([0, 1, 2])}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
        message = question(name + ".example.com" if name else "example.com", rdtype, subnet)
        theirs = read_or_none(exchange(gdnsd_port, message, source))
        ours = read_or_none(exchange(edge_port, message, source))
        count["asked"] += 1
        if not theirs or not ours or theirs[:3] != ours[:3]:
            count["different"] += 1
            if count["different"] <= 20:
                where = f"{ipaddress.ip_address(subnet[1]) if subnet[0] == 4 else ipaddress.IPv6Address(subnet[1])}" \
                    f"/{subnet[2]}" if subnet else source
                report(f"{name} {rdtype} for {where}:\n  gdnsd     {theirs}\n  isochrone {ours}")
            continue
        if subnet:
            count_scopes(count, gdnsd_port, name, rdtype, subnet, theirs, ours, draw, report)
    return count


def count_scopes(count, gdnsd_port, name, rdtype, subnet, theirs, ours, draw, report):
    """A longer scope promises less. A shorter one promises more: gdnsd must answer alike all over it."""
    count["with subnet"] += 1
    if ours.scope is None or theirs.scope is None:
        count["different"] += 1
        report(f"{name} {rdtype} for {subnet}: no scope: gdnsd {theirs.scope}, isochrone {ours.scope}")
    elif ours.scope == theirs.scope:
        count["same scope"] += 1
    elif ours.scope > theirs.scope:
        count["longer scope"] += 1
    else:
        count["shorter scope"] += 1
        version, address, length = subnet
        bits = 32 if version == 4 else 128
        scope = min(ours.scope, length)
        other = (address >> (bits - scope) << (bits - scope)) + (draw.getrandbits(bits - scope) if scope < bits else 0)
        again = read_or_none(exchange(gdnsd_port, question(name + ".example.com", rdtype, (version, other, bits))))
        if not again or again[:3] != theirs[:3]:
            count["broken promise"] += 1
            report(f"{name} {rdtype} for {subnet}: scope {ours.scope} of isochrone holds {other:x}, where gdnsd says "
                   f"{again}")


def import_world(folder, output):
    """Imports and builds. Returns the report of the import."""
    done = subprocess.run([edge_lab.BIN / "isochrone-mapper", "import-gdnsd", folder, "--output", output, "--json"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    build = subprocess.run([edge_lab.BIN / "isochrone-mapper", "build", "--config", output / "mapper.yaml", "--output",
                            output / "cdn.isomap"], capture_output=True, text=True, timeout=600)
    assert build.returncode == 0, build.stderr
    return json.loads(done.stdout)


class ImportedEdge(edge_lab.Edge):
    """isochrone-edge on an imported configuration as it is, but for where it listens and keeps things."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.port = edge_lab.free_port()
        import yaml
        self.keys = yaml.safe_load((folder / "edge.yaml").read_text())
        self.configure(listen=[f"127.0.0.1@{self.port}"], control="edge.sock", workers=1)
        if "san/" in str(edge_lab.BIN):
            self.configure(seccomp=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=100000)
    parser.add_argument("--networks", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="folder to work in and leave behind")
    arguments = parser.parse_args()
    if not gdnsd_path():
        print("SKIP: gdnsd is not installed")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or pathlib.Path(scratch)
        port = edge_lab.free_port()
        networks = write_world(folder / "gdnsd", port, arguments.networks, arguments.seed)
        imported = import_world(folder / "gdnsd", folder / "imported")
        print(f"imported: {imported['names']} dynamic names, {imported['maps']} maps, {imported['pins']} pins")
        with Gdnsd(folder / "gdnsd", port), ImportedEdge(folder / "imported") as edge:
            count = compare(port, edge.port, networks, arguments.queries, arguments.seed)
    print(", ".join(f"{count[key]} {key}" for key in ("asked", "different", "with subnet", "same scope", "longer scope",
                                                      "shorter scope", "broken promise")))
    return 1 if count["different"] or count["broken promise"] else 0


if __name__ == "__main__":
    sys.exit(main())

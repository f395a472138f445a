# SPDX-License-Identifier: GPL-3.0-or-later
"""Small databases out of large ones: exact around the chosen blocks, coarse everywhere else.

Coarse means one place for each /16 of IPv4 and each /29 of IPv6, the one that covers most of it. The IPv4 file has
DB-IP's layout (flat, 32-bit floats, records of 24 bits), the IPv6 file MaxMind's (nested, doubles, 28 bits), so that
readers meet both.
"""

import bisect
import collections

import mmdb
from databases import KEY_BITS, parse_key

COARSE = {4: 16, 6: 29}
DETAIL = {4: 20, 6: 40}
EPOCH = 1780666922  # of the database we start from: its build, not ours
DESCRIPTION = ("Reduced by the Isochrone project from DB-IP IP to City Lite 2026-06, IP Geolocation by DB-IP "
               "(https://db-ip.com), CC BY 4.0")


def _flat(place):
    country, latitude, longitude, city = place
    return {"city": city, "country_code": country, "latitude": mmdb.Float(latitude), "longitude": mmdb.Float(longitude)}


def _nested(place):
    country, latitude, longitude, city = place
    return {"city": {"names": {"en": city}}, "country": {"iso_code": country},
            "location": {"latitude": float(latitude), "longitude": float(longitude)}}


def _coarse(geography, family):
    """(start, length, place) of the places that cover most of each coarse block. Cities are left out: they would lie."""
    width, bits = KEY_BITS[family], COARSE[family]
    shift = width - bits
    cover, current = {}, -1
    for start, length, pointer in zip(geography.starts, geography.lengths, geography.pointers):
        if start >> shift != current:
            if cover:
                yield current << shift, bits, _main_place(geography, cover)
            cover, current = {}, start >> shift
        if length > bits:
            cover[pointer] = cover.get(pointer, 0) + (1 << (width - length))
        elif geography.place(pointer):
            yield start, length, _blur(geography.place(pointer))
    if cover:
        yield current << shift, bits, _main_place(geography, cover)


def _blur(place):
    return place[0], round(place[1], 1), round(place[2], 1), ""


def _main_place(geography, cover):
    total = collections.Counter()
    for pointer, size in cover.items():
        place = geography.place(pointer)
        if place:
            total[_blur(place)] += size
    return total.most_common(1)[0][0] if total else None


def write_geography(path, geography, blocks, family):
    width = KEY_BITS[family]
    address_bits = 32 if family == 4 else 128
    writer = mmdb.Writer(address_bits)
    for start, length, place in _coarse(geography, family):
        writer.insert(start << (address_bits - width), length, place)
    areas = sorted({block.key >> (width - DETAIL[family]) for block in blocks})
    for area in areas:
        first = area << (width - DETAIL[family])
        last = first + (1 << (width - DETAIL[family])) - 1
        index = geography.index(first)
        if index < 0:
            index = bisect.bisect_left(geography.starts, first)
        while index < len(geography.starts) and geography.starts[index] <= last:
            place = geography.place(geography.pointers[index])
            if place:
                writer.insert(max(geography.starts[index], first) << (address_bits - width),
                              max(geography.lengths[index], DETAIL[family]), place)
            index += 1
    if family == 4:
        return writer.save(path, 24, _flat, "Isochrone-Sample-City flat", DESCRIPTION, EPOCH)
    return writer.save(path, 28, _nested, "Isochrone-Sample-City nested", DESCRIPTION, EPOCH)


def write_origins(path, origins, blocks, source):
    """The lines of the ranges that hold a chosen block, as they stand in the source."""
    wanted = {origins.index(block.key) for block in blocks}
    wanted = {(origins.starts[at], origins.asns[at]) for at in wanted}
    family, kept = blocks[0].family, 0
    with open(source, encoding="utf-8") as lines, open(path, "w", encoding="utf-8") as out:
        for line in lines:
            first, _, asn = line.split(",")[:3]
            start = parse_key(first, family)
            if (start, int(asn)) in wanted:
                out.write(line)
                kept += 1
    return kept

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks the world consists of. Real prefixes of real ASes; nothing here knows about RTTs."""

import collections
import random

from databases import BLOCK, KEY_BITS

# A block: the unit that is measured. `network` is the first key of the announced range it lies in and names that range;
# `held` says how it is kept from the measurements: "" not at all, "prefix" its announced range, "as" its AS in this country.
Block = collections.namedtuple("Block", "family key place asn network held")


def block_size(family):
    return 1 << (KEY_BITS[family] - BLOCK[family])


def first_block(start, family):
    size = block_size(family)
    return (start + size - 1) // size * size


def places_by_country(geographies, seed, per_country=400):
    """Coordinates of networks of each country, drawn from the list of networks at even steps."""
    draw = random.Random(f"{seed} places")
    found = collections.defaultdict(list)
    for geography in geographies:
        step = max(1, len(geography.starts) // 400000)
        for index in range(draw.randrange(step), len(geography.starts), step):
            place = geography.place(geography.pointers[index])
            if place:
                found[place[0]].append(place[1:3])
    return {country: draw.sample(items, min(per_country, len(items))) for country, items in sorted(found.items())}


def choose_blocks(geography, origins, family, total, seed):
    """About `total` blocks: countries by the root of their size, ASes and ranges in them by size, few blocks of each."""
    draw = random.Random(f"{seed} blocks {family}")
    ranges = _ranges_by_country(geography, origins, family)
    weight = {country: sum(size for ases in by_as.values() for _, size in ases) ** 0.45 for country, by_as in ranges.items()}
    scale = total / sum(weight.values())
    blocks = []
    for country in sorted(ranges):
        wanted = max(4, round(scale * weight[country]))
        blocks += _choose_in_country(ranges[country], wanted, geography, origins, family, draw)
    return blocks


def _ranges_by_country(geography, origins, family):
    """country -> asn -> [(position in origins, size in blocks)]"""
    size = block_size(family)
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for index, start in enumerate(origins.starts):
        room = (origins.ends[index] + 1 - first_block(start, family)) // size
        if room < 1 or origins.asns[index] == 0:
            continue
        place = geography.place_of(first_block(start, family))
        if place:
            found[place[0]][origins.asns[index]].append((index, min(room, 65536)))
    return found


def _weighted_order(items, weights, draw):
    """All items, in an order where heavy ones tend to come first (Efraimidis and Spirakis)."""
    keyed = sorted(((-draw.random() ** (1.0 / w), item) for item, w in zip(items, weights)))
    return [item for _, item in keyed]


def _choose_in_country(by_as, wanted, geography, origins, family, draw):
    asns = sorted(by_as)
    weights = [max(1.0, sum(size for _, size in by_as[asn])) ** 0.7 for asn in asns]
    blocks = []
    for asn in _weighted_order(asns, weights, draw):
        held_as = draw.random() < 0.03
        ranges = _weighted_order(by_as[asn], [size ** 0.7 for _, size in by_as[asn]], draw)[:8]
        for index, room in ranges:
            held = "as" if held_as else "prefix" if draw.random() < 0.08 else ""
            blocks += _blocks_of_range(geography, origins, family, index, room, held, draw)
        if len(blocks) >= wanted:
            break
    return blocks


def _blocks_of_range(geography, origins, family, index, room, held, draw):
    first, size = first_block(origins.starts[index], family), block_size(family)
    chosen = []
    for number in sorted(draw.sample(range(room), min(room, 1 + draw.randrange(5)))):
        key = first + number * size
        at = geography.index(key)
        place = geography.place(geography.pointers[at]) if at >= 0 else None
        # A block that the database spreads over several places has no one true RTT; the large world has some.
        if place and geography.lengths[at] <= BLOCK[family]:
            chosen.append(Block(family, key, place, origins.asns[index], origins.starts[index], held))
    return chosen


def choose_large(geography, origins, family, total, seed):
    """`total` blocks drawn evenly over all networks of the geography; a tenth of the announced ranges is held out."""
    draw = random.Random(f"{seed} large {family}")
    size = block_size(family)
    seen, blocks, held = set(), [], {}
    order = list(range(len(geography.starts)))
    draw.shuffle(order)
    for index in order:
        key = geography.starts[index] // size * size
        if key in seen:
            continue
        seen.add(key)
        place = geography.place(geography.pointers[index])
        origin = origins.index(key)
        if not place or origin < 0:
            continue
        network = origins.starts[origin]
        if network not in held:
            held[network] = "prefix" if draw.random() < 0.1 else ""
        blocks.append(Block(family, key, place, origins.asns[origin], network, held[network]))
        if len(blocks) == total:
            break
    return sorted(blocks, key=lambda block: block.key)

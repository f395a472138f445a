# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurement rows as beacons would have logged them, and the truth they were drawn from."""

import bisect
import collections
import random

from databases import address_text, block_text
from internet import distance_km

END = 1795305600          # newest possible row, 2026-11-22 00:00 UTC
WINDOW_S = 3 * 86400
NEAREST = 5               # beacons try these, and now and then any other
ROWS_PER_DEMAND = 2.0
ROWS_MAX = 36             # a busier block logs one measurement in `count`
DEMAND_MAX = 400.0
OPEN_RESOLVER_ASNS = {13335, 15169, 19281, 36692}
OPEN_RESOLVER_SHARE = 0.08

ROW_HEADER = "time,client,pop,rtt_ms,resolver,count\n"

# What PoPs a measurement goes to: the five nearest in this order, else anyone.
NEAREST_SHARES = (0.30, 0.50, 0.66, 0.78, 0.88)


class Resolvers:
    """Who asks on behalf of a block: one of up to three of its AS in its country, or the nearest of an open service."""

    def __init__(self, blocks):
        self.of_as = collections.defaultdict(list)
        self.open = []
        for block in blocks:
            address = address_text(block.key + 53, 4) if block.family == 4 else address_text(block.key, 6) + "53"
            if block.asn in OPEN_RESOLVER_ASNS:
                self.open.append((block.place, address))
            known = self.of_as[block.family, block.asn, block.place[0]]
            if len(known) < 3:
                known.append(address)
        self.near = {}

    def pick(self, block, draw):
        if self.open and draw.random() < OPEN_RESOLVER_SHARE:
            spot = round(block.place[1] / 3), round(block.place[2] / 3)
            if spot not in self.near:
                self.near[spot] = min(self.open, key=lambda item: distance_km(*item[0][1:3], *block.place[1:3]))[1]
            return self.near[spot]
        known = self.of_as.get((block.family, block.asn, block.place[0]))
        return draw.choice(known) if known else ""


class Measurer:
    def __init__(self, internet, seed):
        self.internet, self.seed = internet, seed
        self.orders = {}

    def nearest(self, place):
        """PoP numbers by distance."""
        found = self.orders.get(place)
        if found is None:
            pops = self.internet.pops
            found = sorted(range(len(pops)), key=lambda i: distance_km(*place[1:3], pops[i].latitude, pops[i].longitude))
            self.orders[place] = found
        return found

    def draw_block(self, block):
        """(demand, true RTTs, generator for the rows): depends on the seed and the block, not on its neighbours."""
        draw = random.Random(f"{self.seed} {block.family} {block.key}")
        demand = min(DEMAND_MAX, draw.paretovariate(1.3))
        access = draw.lognormvariate(1.8, 0.5)
        prefix = random.Random(f"{self.seed} {block.family} network {block.network}")
        return demand, self.internet.truth(block.place, block.asn, prefix, access), draw

    def rows(self, block, demand, truth, draw, resolvers):
        """CSV lines of one block, in no order of time."""
        samples = demand * ROWS_PER_DEMAND
        samples = int(samples) + (draw.random() < samples % 1)
        count = -(-samples // ROWS_MAX)
        client, order, pops = block_text(block.key, block.family), self.nearest(block.place), self.internet.pops
        lines = []
        for _ in range(samples // count if count else 0):
            at = bisect.bisect_right(NEAREST_SHARES, draw.random())
            pop = order[at] if at < NEAREST else draw.choice(order[NEAREST:])
            rtt = truth[pop] + draw.expovariate(1 / 6)
            if draw.random() < 0.1:
                rtt += draw.lognormvariate(3.5, 0.8)
            time = END - draw.randrange(WINDOW_S // 60) * 60
            lines.append(f"{time},{client},{pops[pop].name},{rtt:.1f},{resolvers.pick(block, draw)},{count}\n")
        return lines


def truth_header(pops):
    return "client,asn,country,city,demand,held_out,best," + ",".join(pop.name for pop in pops) + "\n"


def truth_line(block, demand, truth, pops):
    best = min(range(len(pops)), key=lambda i: round(truth[i], 1))
    city = block.place[3].replace('"', "").replace(",", " ")
    return (f"{block_text(block.key, block.family)},{block.asn},{block.place[0]},{city},{demand:.1f},{block.held},"
            f"{pops[best].name}," + ",".join(f"{rtt:.1f}" for rtt in truth) + "\n")

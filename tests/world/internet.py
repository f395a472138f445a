# SPDX-License-Identifier: GPL-3.0-or-later
"""The true round-trip time between a network and a PoP.

What is real: where the networks and PoPs are, and how far countries are from each other in time (RIPE Atlas, five days of
2025, as count, mean, deviation, minimum and maximum per pair of countries). What is modelled: how a pair's figure spreads
over the places of the two countries, and how much an AS, a prefix and an access line add. In order:

  fibre(d)        light in fibre there and back over d km, times 1.4 for the way cables lie
  pair figure     floor + excess / (1 + (std / excess)^2)^(1/4), floor = max(minimum, fibre(typical distance)),
                  excess = mean - floor: the published means carry broken hosts (US-US 108 ms), and this pulls a mean the
                  further towards its floor the less its deviation lets it be trusted
  place to place  fibre(d) + (pair figure - fibre(typical distance) - ACCESS) x how much of the detour depends on distance:
                  much of it inside a country, little of it between countries (India to Dubai goes where it goes)
  AS x PoP        x exp(N(0, 0.15)), one draw per (AS, country, PoP)
  prefix x PoP    x exp(N(0, 0.04)), one draw per (announced network, PoP); never faster than light in fibre
  access          + lognormal(1.8, 0.5) ms, one draw per block: the same to all PoPs
"""

import csv
import gzip
import math
import random
import statistics

LIGHT_MS_PER_KM = 2 / 200   # in fibre, there and back, as the crow flies
FIBRE_MS_PER_KM = LIGHT_MS_PER_KM * 1.4
ACCESS_MS = 6.0        # what an Atlas probe's own line adds to a published mean: the median of our access draw
PAIR_COUNT_MIN = 30    # pairs seen less often hang on one host, often a misplaced one
PAIR_SAMPLE = 24
LOCAL_KM, REMOTE_KM = 300.0, 2500.0


def distance_km(a_lat, a_lon, b_lat, b_lon):
    a_lat, a_lon, b_lat, b_lon = map(math.radians, (a_lat, a_lon, b_lat, b_lon))
    half = math.sin((a_lat - b_lat) / 2) ** 2 + math.cos(a_lat) * math.cos(b_lat) * math.sin((a_lon - b_lon) / 2) ** 2
    return 12742.0 * math.asin(math.sqrt(min(1.0, half)))


class Internet:
    def __init__(self, atlas_path, pops, places_by_country, seed):
        """`places_by_country`: country -> coordinates of some of its networks, drawn by size."""
        self.pops, self.seed = pops, seed
        self.places = places_by_country
        self.pairs = _read_pairs(atlas_path)
        self.known = {}
        self.measured_n = self.asked_n = 0  # (country, PoP country) pairs with a published figure, and all
        self.fallback = {}
        self.bases = {}
        self.paths = {}
        for country in {pop.country for pop in pops}:
            self.places.setdefault(country, [(p.latitude, p.longitude) for p in pops if p.country == country])
        self._learn_fallback()

    def _typical_km(self, a, b):
        draw = random.Random(f"{self.seed} {a} {b}")
        left, right = self.places[a], self.places[b]
        return statistics.median(distance_km(*draw.choice(left), *draw.choice(right)) for _ in range(PAIR_SAMPLE * 4))

    def _pair_excess(self, country, other):
        """(typical distance, ms above fibre at that distance) from the published pair, or None."""
        if country not in self.places or (country, other) not in self.pairs:
            return None
        mean, deviation, minimum = self.pairs[country, other]
        km = self._typical_km(country, other)
        floor = max(minimum, FIBRE_MS_PER_KM * km)
        above = max(mean - floor, 1.0)
        figure = floor + above / (1 + (deviation / above) ** 2) ** 0.25
        if country == other:
            # Inside a country no sane path takes more than this; the means of large countries carry more broken hosts.
            figure = min(figure, 1.6 * FIBRE_MS_PER_KM * km + 12.0)
        return km, max(figure - FIBRE_MS_PER_KM * km - ACCESS_MS, 1.5)

    def _learn_fallback(self):
        """Median excess of each country towards the PoPs' countries, for pairs nobody measured."""
        hosts = sorted({pop.country for pop in self.pops})
        for country in sorted(self.places):
            known = []
            for host in hosts:
                found = self._pair_excess(country, host)
                self.asked_n += 1
                if not found:
                    continue
                self.known[country, host] = found
                self.measured_n += 1
                if country != host:
                    known.append(found[1])
            if len(known) >= 3:
                self.fallback[country] = statistics.median(known)
        self.fallback_all = statistics.median(self.fallback.values())

    def _excess(self, country, host):
        found = self.known.get((country, host))
        if not found:
            found = self.known[country, host] = self._guess(country, host)
        return found

    def _guess(self, country, host):
        km = self._typical_km(country, host) if country in self.places else 1500.0
        if country == host:
            return km, 0.6 * FIBRE_MS_PER_KM * km + 6.0
        mean = (self.fallback.get(country, self.fallback_all) + self.fallback.get(host, self.fallback_all)) / 2
        return km, mean

    def base(self, place):
        """For every PoP: RTT in ms from a place without AS, prefix and access, and the least there can be."""
        found = self.bases.get(place)
        if found is None:
            country, latitude, longitude, _ = place
            found = []
            for pop in self.pops:
                typical, excess = self._excess(country, pop.country)
                km = distance_km(latitude, longitude, pop.latitude, pop.longitude)
                own = LOCAL_KM if country == pop.country else REMOTE_KM
                share = min(1.3, max(0.15, (km + own) / (typical + own)))
                found.append((FIBRE_MS_PER_KM * km + excess * share, LIGHT_MS_PER_KM * km))
            self.bases[place] = found
        return found

    def path(self, asn, country):
        """How an AS reaches each PoP, as a factor."""
        found = self.paths.get((asn, country))
        if found is None:
            draw = random.Random(f"{self.seed} {asn} {country}")
            found = [math.exp(draw.gauss(0, 0.15)) for _ in self.pops]
            self.paths[asn, country] = found
        return found

    def truth(self, place, asn, prefix_draw, access_ms):
        """True RTT in ms to every PoP. `prefix_draw` is a fresh generator seeded by the announced network."""
        return [max(base * path * math.exp(prefix_draw.gauss(0, 0.04)), least) + access_ms
                for (base, least), path in zip(self.base(place), self.path(asn, place[0]))]


def _read_pairs(path):
    pairs = {}
    with gzip.open(path, "rt", newline="") as stream:
        for row in csv.DictReader(stream):
            if int(row["rtt_cnt"]) < PAIR_COUNT_MIN:
                continue
            figure = float(row["rtt_avg"]), float(row["rtt_std"]), max(float(row["rtt_min"]), 0.0)
            pairs[row["cty1"], row["cty2"]] = figure
            pairs[row["cty2"], row["cty1"]] = figure
    return pairs

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "oracle.h"

#include <string.h>

wide oracle_wide(const struct map_key *key)
{
    return ((wide)key->hi << 64) + key->lo;
}

struct map_key oracle_key(wide value)
{
    struct map_key key = {(uint64_t)(value >> 64), (uint64_t)value};

    return key;
}

/* 0 outside of the ranges whose clients count as IPv4, else the number of the range. */
static int folded_range(wide address)
{
    uint64_t hi = (uint64_t)(address >> 64);
    uint64_t upper_lo = (uint64_t)address >> 32;

    if (hi == 0 && upper_lo == 0xffff) {
        return 1;
    }
    if (hi == 0x0064ff9b00000000 && upper_lo == 0) {
        return 2;
    }
    return hi >> 48 == 0x2002 ? 3 : 0;
}

static uint32_t record_at(const struct oracle *oracle, wide address)
{
    size_t low = 0;
    size_t high = oracle->run_n;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (oracle_wide(&oracle->runs[middle].start) <= address) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return oracle->runs[low].record;
}

/* Whether every address of [first, last] has this record: no run that starts inside has another. */
static bool is_uniform(const struct oracle *oracle, wide first, wide last, uint32_t record)
{
    size_t low = 0;
    size_t high = oracle->run_n;

    while (low < high) { /* the first run that starts after `first` */
        size_t middle = (low + high) / 2;

        if (oracle_wide(&oracle->runs[middle].start) <= first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (record_at(oracle, first) != record) {
        return false;
    }
    for (; low < oracle->run_n && oracle_wide(&oracle->runs[low].start) <= last; low++) {
        if (oracle->runs[low].record != record) {
            return false;
        }
    }
    return true;
}

static bool meets_folded_border(wide first, wide last)
{
    static const uint64_t probes[][2] = {
        {0, 0x0000ffff00000000}, {0x0064ff9b00000000, 0}, {0x2002000000000000, 0}};
    int range = folded_range(first);

    if (folded_range(last) != range) {
        return true;
    }
    for (size_t i = 0; !range && i < 3; i++) {
        wide probe = ((wide)probes[i][0] << 64) + probes[i][1];

        if (first <= probe && probe <= last) {
            return true;
        }
    }
    return false;
}

struct oracle_block oracle_lookup(const struct oracle *oracle, wide address)
{
    struct oracle_block block = {.record = record_at(oracle, address)};
    unsigned bits = oracle->ipv6 ? 128 : 32;

    for (unsigned depth = oracle->whole ? 0 : 1; depth <= bits; depth++) {
        wide size = depth ? (wide)1 << (128 - depth) : 0; /* 0: all 2^128 */
        wide first = address & ~(size - 1) & (depth ? ~(wide)0 : 0);
        wide last = first + (size - 1);

        if (oracle->ipv6 && !oracle->whole && meets_folded_border(first, last)) {
            continue;
        }
        if (depth == bits || is_uniform(oracle, first, last, block.record)) {
            block.first = first;
            block.last = last;
            block.depth = depth;
            return block;
        }
    }
    return block;
}

size_t oracle_select(const struct map_record *record, const uint8_t *states, const uint8_t *tail,
                     size_t tail_n, size_t want, uint8_t ret_pops[MAP_PICKS_MAX], int *ret_tier)
{
    uint8_t order[8 + 256];
    bool seen[256] = {false};
    size_t order_n = 0;

    for (size_t i = 0; i < 8 + tail_n; i++) {
        uint8_t pop = i < 8 ? (uint8_t)(record->pops >> (8 * i)) : tail[i - 8];

        if (pop != 255 && !seen[pop]) {
            seen[pop] = true;
            order[order_n++] = pop;
        }
    }
    for (int tier = 0; tier < 3; tier++) {
        size_t n = 0;

        for (size_t i = 0; i < order_n && n < want; i++) {
            uint8_t state = states[order[i]];
            bool takes = state <= 100 && record->shed_class >= state;
            bool sheds = state <= 100 && record->shed_class < state;
            bool drains = state == 128;

            if ((tier == 0 && takes) || (tier == 1 && sheds) || (tier == 2 && drains)) {
                ret_pops[n++] = order[i];
            }
        }
        if (n) {
            *ret_tier = tier;
            return n;
        }
    }
    *ret_tier = 3;
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/special.h"

#define SPECIAL_MAX 24

struct special_block {
    uint64_t hi;
    uint64_t lo;
    uint8_t len;
    uint8_t kind;
};

#define BLOCK4(a, b, c, bits, kind)                                                                \
    {                                                                                              \
        (uint64_t)(a) << 56 | (uint64_t)(b) << 48 | (uint64_t)(c) << 40, 0, bits, kind             \
    }

static const struct special_block special_ipv4[] = {
    BLOCK4(0, 0, 0, 8, SPECIAL_PURPOSE),             /* RFC 791: this network */
    BLOCK4(10, 0, 0, 8, SPECIAL_PURPOSE),            /* RFC 1918 */
    BLOCK4(100, 64, 0, 10, SPECIAL_PURPOSE),         /* RFC 6598: shared address space */
    BLOCK4(127, 0, 0, 8, SPECIAL_PURPOSE),           /* RFC 1122: loopback */
    BLOCK4(169, 254, 0, 16, SPECIAL_PURPOSE),        /* RFC 3927: link local */
    BLOCK4(172, 16, 0, 12, SPECIAL_PURPOSE),         /* RFC 1918 */
    BLOCK4(192, 0, 0, 24, SPECIAL_PURPOSE),          /* RFC 6890: protocol assignments */
    BLOCK4(192, 0, 2, 24, SPECIAL_DOCUMENTATION),    /* RFC 5737 */
    BLOCK4(192, 88, 99, 24, SPECIAL_PURPOSE),        /* RFC 7526: 6to4 relays, deprecated */
    BLOCK4(192, 168, 0, 16, SPECIAL_PURPOSE),        /* RFC 1918 */
    BLOCK4(198, 18, 0, 15, SPECIAL_PURPOSE),         /* RFC 2544: benchmarking */
    BLOCK4(198, 51, 100, 24, SPECIAL_DOCUMENTATION), /* RFC 5737 */
    BLOCK4(203, 0, 113, 24, SPECIAL_DOCUMENTATION),  /* RFC 5737 */
    BLOCK4(224, 0, 0, 4, SPECIAL_PURPOSE),           /* RFC 5771: multicast, never a source */
    BLOCK4(240, 0, 0, 4, SPECIAL_PURPOSE),           /* RFC 1112 section 4: reserved */
};

static const struct special_block special_ipv6[] = {
    {0, 0, 127, SPECIAL_PURPOSE},                       /* RFC 4291: ::, ::1 */
    {0, 0x0000ffff00000000, 96, SPECIAL_FOLDED},        /* RFC 4291: v4-mapped */
    {0x0064ff9b00000000, 0, 96, SPECIAL_FOLDED},        /* RFC 6052: NAT64 */
    {0x0064ff9b00010000, 0, 48, SPECIAL_PURPOSE},       /* RFC 8215: local NAT64 */
    {0x0100000000000000, 0, 64, SPECIAL_PURPOSE},       /* RFC 6666: discard */
    {0x2001000000000000, 0, 23, SPECIAL_PURPOSE},       /* RFC 2928: protocol assignments, Teredo */
    {0x20010db800000000, 0, 32, SPECIAL_DOCUMENTATION}, /* RFC 3849 */
    {0x2002000000000000, 0, 16, SPECIAL_FOLDED},        /* RFC 3056: 6to4 */
    {0x3fff000000000000, 0, 20, SPECIAL_DOCUMENTATION}, /* RFC 9637 */
    {0x5f00000000000000, 0, 16, SPECIAL_PURPOSE},       /* RFC 9602: segment routing */
    {0xfc00000000000000, 0, 7, SPECIAL_PURPOSE},        /* RFC 4193: unique local */
    {0xfe80000000000000, 0, 10, SPECIAL_PURPOSE},       /* RFC 4291: link local */
    {0xff00000000000000, 0, 8, SPECIAL_PURPOSE},        /* RFC 4291: multicast */
};

static size_t special_table(enum map_family family, const struct special_block **ret_blocks)
{
    if (family == MAP_FAMILY_IPV4) {
        *ret_blocks = special_ipv4;
        return sizeof(special_ipv4) / sizeof(special_ipv4[0]);
    }
    *ret_blocks = special_ipv6;
    return sizeof(special_ipv6) / sizeof(special_ipv6[0]);
}

int special_steps(enum map_family family, struct steps *ret_steps)
{
    const struct special_block *blocks;
    struct steps_prefix prefixes[SPECIAL_MAX];
    size_t n = special_table(family, &blocks);
    unsigned cap = family == MAP_FAMILY_IPV4 ? 24 : 56;

    for (size_t i = 0; i < n; i++) {
        struct map_key key = {blocks[i].hi, blocks[i].lo};
        unsigned len = blocks[i].len < cap ? blocks[i].len : cap;

        prefixes[i] = (struct steps_prefix){
            .first = key_first(key, len), .len = len, .value = blocks[i].kind};
    }
    return steps_from_prefixes(prefixes, n, ret_steps);
}

int special_find(enum map_family family, struct map_key key)
{
    const struct special_block *blocks;
    size_t n = special_table(family, &blocks);

    /* ordered by first address and disjoint */
    for (size_t i = 0; i < n; i++) {
        struct map_key first = {blocks[i].hi, blocks[i].lo};

        if (key_compare(first, key) > 0) {
            break;
        }
        if (key_compare(key_last(first, blocks[i].len), key) >= 0) {
            return blocks[i].kind;
        }
    }
    return 0;
}

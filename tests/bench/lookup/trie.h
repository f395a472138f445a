/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The plain binary trie the lookup table is measured against: one bit per node, two 32-bit words
 * each, blocks stored once.
 */
#ifndef TESTS_BENCH_LOOKUP_TRIE_H
#define TESTS_BENCH_LOOKUP_TRIE_H

#include <stdint.h>

#include "maps/lookup_core.h"

#define TRIE_LEAF                                                                                  \
    0x80000000u /* word: leaf with a record id; else the index of a node; 0: nothing */

struct trie {
    uint32_t (*nodes)[2];
    uint32_t node_n;
    uint32_t node_max;
};

/* The root is node 0. Both return 0 or -ENOMEM. */
int trie_init(struct trie *trie);
int trie_add(struct trie *trie, const struct map_key *start, uint32_t depth, uint32_t record);

void trie_done(struct trie *trie);

/* The record of the block that holds `key`. */
static inline uint32_t trie_lookup(const struct trie *trie, const struct map_key *key)
{
    uint32_t word = 0;
    uint64_t bits = key->hi;

    for (unsigned depth = 0; depth < 128; depth++) {
        word = trie->nodes[word][bits >> 63];
        if (word & TRIE_LEAF) {
            return word & ~TRIE_LEAF;
        }
        bits = depth == 63 ? key->lo : bits << 1;
    }
    return UINT32_MAX;
}

#endif

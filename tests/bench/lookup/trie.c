/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trie.h"

#include <errno.h>
#include <stdlib.h>

static int trie_grow(struct trie *trie)
{
    uint32_t node_max = trie->node_max ? trie->node_max * 2 : 1024;
    uint32_t(*nodes)[2] = realloc(trie->nodes, node_max * sizeof(*nodes));

    if (!nodes) {
        return -ENOMEM;
    }
    trie->nodes = nodes;
    trie->node_max = node_max;
    return 0;
}

static int trie_new_node(struct trie *trie, uint32_t *ret_node)
{
    if (trie->node_n == trie->node_max && trie_grow(trie) < 0) {
        return -ENOMEM;
    }
    *ret_node = trie->node_n++;
    trie->nodes[*ret_node][0] = 0;
    trie->nodes[*ret_node][1] = 0;
    return 0;
}

int trie_init(struct trie *trie)
{
    uint32_t root;

    *trie = (struct trie){0};
    return trie_new_node(trie, &root);
}

int trie_add(struct trie *trie, const struct map_key *start, uint32_t depth, uint32_t record)
{
    uint32_t node = 0;

    for (uint32_t at = 0; at < depth; at++) {
        uint32_t bit = (uint32_t)((at < 64 ? start->hi >> (63 - at) : start->lo >> (127 - at)) & 1);
        uint32_t child = trie->nodes[node][bit];

        if (at + 1 == depth) {
            trie->nodes[node][bit] = TRIE_LEAF | record;
            return 0;
        }
        if (!child) {
            if (trie_new_node(trie, &child) < 0) {
                return -ENOMEM;
            }
            trie->nodes[node][bit] = child;
        }
        node = child;
    }
    return 0;
}

void trie_done(struct trie *trie)
{
    free(trie->nodes);
}

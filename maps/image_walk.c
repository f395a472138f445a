/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All blocks of a table in address order. The image was checked, so words, offsets and depths are
 * what they should be.
 */
#include "maps/image.h"

#include <assert.h>

#include "maps/wide_key.h"

struct walk {
    const struct map_region *region;
    uint32_t first_block;
    enum map_family family;
    image_block_visit visit;
    void *context;
};

static int walk_word(const struct walk *walk, uint32_t word, wide_key start, unsigned depth);

/* Visits the slots of a node or flat array; `words` has one word per slot or, with a bitmap, one
 * per run. */
static int walk_slots(const struct walk *walk, const uint32_t *words, const uint64_t *bitmap,
                      wide_key start, unsigned depth, unsigned slot_bits)
{
    unsigned address_bits = walk->family == MAP_FAMILY_IPV4 ? 32 : 128;
    unsigned left = address_bits - depth;
    unsigned beyond = left < slot_bits ? slot_bits - left : 0; /* bits past the address's end */
    uint32_t slot = 0;

    while (slot < 1u << slot_bits) {
        wide_key at =
            start | ((wide_key)(slot >> beyond) << (WIDE_KEY_BITS - depth - slot_bits + beyond));
        uint32_t index = bitmap ? map_popcount(*bitmap & ((2ULL << slot) - 1)) - 1 : slot;
        uint32_t word = words[index];
        unsigned leaf_depth = (word >> MAP_LEAF_DEPTH_SHIFT) & MAP_LEAF_DEPTH_MASK;
        int result;

        if (!(word & MAP_LEAF)) {
            result = walk_word(walk, word, at, depth + slot_bits);
            slot++;
        } else {
            struct map_key key = wide_key_to(at);

            leaf_depth = depth && !leaf_depth ? 128 : leaf_depth;
            assert(leaf_depth >= depth && leaf_depth <= depth + slot_bits);
            result = walk->visit(walk->context, &key, leaf_depth, word & MAP_LEAF_RECORD_MASK);
            slot += 1u << (depth + slot_bits - leaf_depth);
        }
        if (result) {
            return result;
        }
    }
    return 0;
}

/* Into the node that a child word of `depth` bits refers to. */
static int walk_word(const struct walk *walk, uint32_t word, wide_key start, unsigned depth)
{
    const uint64_t *units = map_region_block(walk->region, walk->first_block + (word >> 9));

    assert(units);
    units += word & 511u;
    if (walk->family == MAP_FAMILY_IPV6 && depth == MAP_ROOT6_BITS) {
        return walk_slots(walk, (const uint32_t *)units, NULL, start, depth, 8);
    }
    return walk_slots(walk, (const uint32_t *)(units + 1), units, start, depth, 6);
}

int image_walk(const struct image *image, uint32_t map, enum map_space space,
               enum map_family family, image_block_visit visit, void *context)
{
    struct walk walk = {
        .region = image_region(image),
        .first_block = image_map(image, map)->tables[space][family].first_block,
        .family = family,
        .visit = visit,
        .context = context,
    };
    const uint32_t *root;

    root = map_region_block(walk.region, walk.first_block);
    assert(root);
    return walk_slots(&walk, root, NULL, 0, 0,
                      family == MAP_FAMILY_IPV4 ? MAP_ROOT4_BITS : MAP_ROOT6_BITS);
}

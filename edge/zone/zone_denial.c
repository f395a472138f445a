/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/zone/zone_denial.h"

#include <string.h>

#include "edge/wire/name.h"

/* Where the labels of a name start; their number. */
static unsigned denial_labels(const uint8_t *name, uint8_t ret_offsets[static NAME_LABELS_MAX])
{
    unsigned label_n = 0;

    for (unsigned at = 0; name[at] != 0; at += name[at] + 1u) {
        ret_offsets[label_n++] = (uint8_t)at;
    }
    return label_n;
}

int zone_denial_compare(const uint8_t *a, const uint8_t *b)
{
    uint8_t a_offsets[NAME_LABELS_MAX], b_offsets[NAME_LABELS_MAX];
    unsigned a_n = denial_labels(a, a_offsets);
    unsigned b_n = denial_labels(b, b_offsets);

    while (a_n && b_n) { /* from the root downwards */
        const uint8_t *left = a + a_offsets[--a_n];
        const uint8_t *right = b + b_offsets[--b_n];
        int order = memcmp(left + 1, right + 1, left[0] < right[0] ? left[0] : right[0]);

        if (order == 0) {
            order = left[0] - right[0];
        }
        if (order != 0) {
            return order;
        }
    }
    return (a_n > 0) - (b_n > 0);
}

struct denial_key {
    uint64_t bytes;
    unsigned left;
};

static void denial_key_put(struct denial_key *key, uint8_t byte)
{
    if (key->left) {
        key->left--;
        key->bytes |= (uint64_t)byte << (8 * key->left);
    }
}

/* Labels from the origin downwards, each ended by a zero byte; bytes 0 and 1 are escaped with a 1,
 * so that nothing in a label sorts before its end. */
uint64_t zone_denial_prefix(const uint8_t *name, unsigned origin_label_n)
{
    struct denial_key key = {0, 8};
    uint8_t offsets[NAME_LABELS_MAX];
    unsigned label_n = denial_labels(name, offsets);

    for (unsigned i = label_n - origin_label_n; i-- > 0 && key.left;) {
        const uint8_t *label = name + offsets[i];

        for (unsigned k = 1; k <= label[0] && key.left; k++) {
            if (label[k] <= 1) {
                denial_key_put(&key, 1);
                denial_key_put(&key, (uint8_t)(label[k] + 1));
            } else {
                denial_key_put(&key, label[k]);
            }
        }
        denial_key_put(&key, 0);
    }
    return key.bytes;
}

const struct zone_node *zone_denial_nsec(const struct zone *zone, const uint8_t *name)
{
    const struct zone_nsec *nsecs = zone->denial->nsecs;
    uint64_t prefix = zone_denial_prefix(name, zone->apex->label_n);
    uint32_t low = 1, high = zone->denial->count; /* the first is the origin, before all */

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (nsecs[middle].prefix < prefix ||
            (nsecs[middle].prefix == prefix &&
             zone_denial_compare(nsecs[middle].node->name, name) <= 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return nsecs[low - 1].node;
}

uint32_t zone_denial_search(const struct zone_denial *denial,
                            const uint8_t hash[static NSEC3_HASH_LEN], bool *ret_match)
{
    uint32_t low = 0, high = denial->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (memcmp(denial->nsec3s[middle].hash, hash, NSEC3_HASH_LEN) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low = low ? low - 1 : denial->count - 1; /* the last one closes the circle */
    *ret_match = memcmp(denial->nsec3s[low].hash, hash, NSEC3_HASH_LEN) == 0;
    return low;
}

const struct zone_nsec3 *zone_denial_nsec3(const struct zone *zone, const uint8_t *name, size_t len,
                                           bool *ret_match)
{
    uint8_t hash[NSEC3_HASH_LEN];

    nsec3_hash(&zone->denial->params, name, len, hash);
    return &zone->denial->nsec3s[zone_denial_search(zone->denial, hash, ret_match)];
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/mmdb_walk.h"

#include <errno.h>
#include <stdbool.h>

/* A sound tree reaches each node once, aliases aside; some writers share equal subtrees, which this
 * leaves room for. */
#define WALK_VISITS_PER_NODE 4u
#define WALK_VISITS_SPARE 1024u

struct walker {
    const MMDB_s *mmdb;
    const char *path;
    struct failure *failure;
    mmdb_visit visit;
    void *context;
    unsigned bits;   /* of an address in this walk */
    bool skip_alias; /* an IPv6 walk of a combined tree: the IPv4 tree and its aliases are not ours
                      */
    uint64_t visits_left;
};

static int walk_fail(const struct walker *walker, const char *reason)
{
    return failure_set(walker->failure, -EINVAL, "%s: corrupt search tree: %s", walker->path,
                       reason);
}

static int node_walk(struct walker *walker, uint32_t number, struct map_key first, unsigned len);

static int record_walk(struct walker *walker, uint8_t type, uint64_t record, MMDB_entry_s *entry,
                       struct map_key first, unsigned len)
{
    switch (type) {
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        return node_walk(walker, (uint32_t)record, first, len);
    case MMDB_RECORD_TYPE_EMPTY:
        return walker->visit(walker->context, first, len, NULL);
    case MMDB_RECORD_TYPE_DATA:
        return walker->visit(walker->context, first, len, entry);
    default:
        return walk_fail(walker, "a record points nowhere");
    }
}

/* Recursion ends at the length of an address. */
static int node_walk(struct walker *walker, uint32_t number, struct map_key first, unsigned len)
{
    MMDB_search_node_s node;
    struct map_key right = first;
    int err;

    if (walker->skip_alias && number == walker->mmdb->ipv4_start_node.node_value) {
        return walker->visit(walker->context, first, len, NULL);
    }
    if (len >= walker->bits) {
        return walk_fail(walker, "it is deeper than an address");
    }
    if (walker->visits_left-- == 0) {
        walker->visits_left = 0;
        return walk_fail(walker, "it has a cycle or shares too much");
    }
    if (MMDB_read_node(walker->mmdb, number, &node) != MMDB_SUCCESS) {
        return walk_fail(walker, "a node cannot be read");
    }
    if (len < 64) {
        right.hi |= UINT64_C(1) << (63 - len);
    } else {
        right.lo |= UINT64_C(1) << (127 - len);
    }
    err = record_walk(walker, node.left_record_type, node.left_record, &node.left_record_entry,
                      first, len + 1);
    return err ? err
               : record_walk(walker, node.right_record_type, node.right_record,
                             &node.right_record_entry, right, len + 1);
}

int mmdb_walk(const MMDB_s *mmdb, const char *path, enum map_family family, mmdb_visit visit,
              void *context, struct failure *failure)
{
    struct walker walker = {.mmdb = mmdb,
                            .path = path,
                            .failure = failure,
                            .visit = visit,
                            .context = context,
                            .bits = family == MAP_FAMILY_IPV4 ? 32 : 128,
                            .visits_left =
                                (uint64_t)mmdb->metadata.node_count * WALK_VISITS_PER_NODE +
                                WALK_VISITS_SPARE};
    bool combined = mmdb->metadata.ip_version == 6 && mmdb->ipv4_start_node.netmask == 96 &&
                    mmdb->ipv4_start_node.node_value < mmdb->metadata.node_count;
    struct map_key first = {0, 0};

    if (mmdb->metadata.node_count == 0) {
        return 0;
    }
    if (family == MAP_FAMILY_IPV6) {
        walker.skip_alias = combined;
        return mmdb->metadata.ip_version == 6 ? node_walk(&walker, 0, first, 0) : 0;
    }
    if (mmdb->metadata.ip_version == 4) {
        return node_walk(&walker, 0, first, 0);
    }
    return combined ? node_walk(&walker, mmdb->ipv4_start_node.node_value, first, 0) : 0;
}

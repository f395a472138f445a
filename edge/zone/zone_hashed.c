/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Intake of NSEC3 records: their owners are hashes, kept apart from the names of the zone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone_builder_parts.h"

#define HASHED_MAX (UINT32_MAX / 2)

int zone_builder_add_hashed(struct zone_builder *builder, const struct name_key *key,
                            const struct builder_record *record, struct failure *failure)
{
    struct builder_hashed add = {.record = *record};

    if (key->label_n != builder->origin.label_n + 1u || !nsec3_from_label(key->bytes, add.hash)) {
        return zone_builder_fail(record, failure,
                                 "owner of an NSEC3 record is no hash right below the zone's "
                                 "origin (RFC 5155 section 3)");
    }
    if (builder->hashed_n == builder->hashed_max) {
        uint32_t hashed_max = builder->hashed_max ? builder->hashed_max * 2 : 64;
        struct builder_hashed *hashed =
            hashed_max > HASHED_MAX ? NULL : realloc(builder->hashed, hashed_max * sizeof(*hashed));

        if (!hashed) {
            return failure_set(failure, -ENOMEM, "%s: out of memory", record->file);
        }
        builder->hashed = hashed;
        builder->hashed_max = hashed_max;
    }
    add.record.rdata = arena_copy(builder->arena, record->rdata, record->rdata_len);
    if (!add.record.rdata) {
        return failure_set(failure, -ENOMEM, "%s: out of memory", record->file);
    }
    builder->hashed[builder->hashed_n++] = add;
    return 0;
}

/* By hash, then signatures before what they sign. */
static int hashed_compare(const void *a, const void *b)
{
    const struct builder_hashed *left = a;
    const struct builder_hashed *right = b;
    uint32_t len = left->record.rdata_len < right->record.rdata_len ? left->record.rdata_len
                                                                    : right->record.rdata_len;
    int order = memcmp(left->hash, right->hash, NSEC3_HASH_LEN);

    if (order == 0) {
        order = (left->record.type > right->record.type) - (left->record.type < right->record.type);
    }
    if (order == 0) {
        order = memcmp(left->record.rdata, right->record.rdata, len);
    }
    return order ? order
                 : (left->record.rdata_len > right->record.rdata_len) -
                       (left->record.rdata_len < right->record.rdata_len);
}

void zone_builder_sort_hashed(struct zone_builder *builder)
{
    uint32_t kept = 0;

    if (builder->hashed_n) {
        qsort(builder->hashed, builder->hashed_n, sizeof(*builder->hashed), hashed_compare);
    }
    for (uint32_t i = 0; i < builder->hashed_n; i++) {
        if (kept == 0 || hashed_compare(&builder->hashed[kept - 1], &builder->hashed[i]) != 0) {
            builder->hashed[kept++] = builder->hashed[i];
        }
    }
    builder->hashed_n = kept;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "mapper/import/gdnsd_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What a standard master file needs of each record: one line, an absolute owner in the zone. */
static int take(void *context, const struct gdnsd_record *record)
{
    const struct domain *origin = context;
    struct domain owner;

    if (domain_parse(record->owner, strlen(record->owner), NULL, &owner) != 0 ||
        !domain_within(&owner, origin) || record->ttl_min_s > record->ttl_s ||
        (strncmp(record->type, "DYN", 3) != 0 && strpbrk(record->rdata, "\n\r"))) {
        abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct gdnsd_zone_options options = {.default_ttl_s = 86400,
                                               .min_ttl_s = 5,
                                               .max_ttl_s = 3600000,
                                               .max_negative_s = 10800,
                                               .no_text_split = len & 1};
    struct notes notes = {0};
    struct failure failure;
    struct domain origin;

    if (domain_parse("example.com.", 12, NULL, &origin) == 0) {
        (void)gdnsd_zone_read_bytes("fuzz", bytes, len, &origin, &options, take, &origin, &notes,
                                    &failure);
    }
    notes_done(&notes);
    return 0;
}

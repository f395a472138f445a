/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/answer/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "edge/answer/admission.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/zone/zone_set.h"

struct snapshot *snapshot_new(struct zone_set *zones, struct services *services,
                              struct image *image, struct state_set *states,
                              const struct snapshot_info *info)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (!snapshot) {
        return NULL;
    }
    snapshot->zones = zone_set_ref(zones);
    snapshot->services = services_ref(services);
    snapshot->image = image ? image_ref(image) : NULL;
    snapshot->states = state_set_ref(states);
    snapshot->info = *info;
    snapshot->admission = info->admission ? admission_ref(info->admission) : NULL;
    snapshot->identity_len = (uint32_t)strnlen(info->identity, sizeof(info->identity));
    return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot) {
        zone_set_unref(snapshot->zones);
        services_unref(snapshot->services);
        image_unref(snapshot->image);
        state_set_unref(snapshot->states);
        admission_unref(snapshot->admission);
        explicit_bzero(&snapshot->info.cookies, sizeof(snapshot->info.cookies));
        free(snapshot);
    }
}

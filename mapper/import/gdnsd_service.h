/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a plan (gdnsd_resource.h) to the model: PoPs, the map that ranks them as gdnsd would, the
 * service, and the records that stand in the zone for when nobody is left.
 */
#ifndef MAPPER_IMPORT_GDNSD_SERVICE_H
#define MAPPER_IMPORT_GDNSD_SERVICE_H

#include "base/failure.h"
#include "mapper/import/gdnsd_resource.h"
#include "mapper/import/gdnsd_zone.h"
#include "mapper/import/model.h"

/* What a service was made from, for admin_state and for the list of what was watched. */
struct gdnsd_made {
    const char *reference; /* "PLUGIN!RESOURCE" */
    uint32_t line;         /* of the record that was the first to name it */
    uint32_t ttl_s;
    uint32_t ttl_min_s;
    bool is_cname;    /* a DYNC record */
    uint32_t service; /* MODEL_NONE: the records in the zone are all */
    struct gdnsd_plan plan;
    uint32_t *pop; /* of each choice; malloc'ed */
    bool usable;   /* else nothing could be made of the reference */
};

struct gdnsd_services {
    struct model *model;
    struct gdnsd_resources resources;
    struct gdnsd_made *made;
    size_t n;
    size_t capacity;
    struct gdnsd_map_use *use; /* which model map stands for which use of a gdnsd map */
    size_t use_n;
};

/* PoPs of all datacenters, in the order of the maps, with coordinates where they are known. */
int gdnsd_services_init(struct gdnsd_services *services, struct model *model,
                        const struct gdnsd_resources *resources);
void gdnsd_services_done(struct gdnsd_services *services);

/* Takes a DYNA or DYNC record of `zone`: a name of its service, and its records in the zone.
 * -ENOMEM only; anything else is noted. */
int gdnsd_service_take(struct gdnsd_services *services, struct model_zone *zone,
                       const struct gdnsd_record *record);

#endif

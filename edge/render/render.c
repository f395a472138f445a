/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which names and types are rendered, the most asked for first: services, what is hot, the zones'
 * RRsets, and then what is asked for at names that do not have it.
 */
#include "edge/render/render.h"

#include <errno.h>
#include <stdlib.h>

#include "edge/answer/snapshot.h"
#include "edge/render/render_work.h"
#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"

/* What browsers ask for, of every name. */
static const uint16_t render_usual[] = {WIRE_TYPE_A, WIRE_TYPE_AAAA, WIRE_TYPE_HTTPS};

#define RENDER_USUAL_N (sizeof(render_usual) / sizeof(render_usual[0]))

static void render_count(struct render_work *work, struct render_report *report,
                         const uint8_t *name, uint16_t qtype)
{
    if (work->failed) {
        return;
    }
    report->outcomes[render_one(work, name, qtype)]++;
}

static void render_services(struct render_work *work, const struct overlay *overlay,
                            struct render_report *report)
{
    for (uint32_t i = 0; i < overlay_count(overlay); i++) {
        const struct overlay_node *node = overlay_item(overlay, i);

        if (!node->service || name_is_wildcard(node->name)) {
            continue; /* below a wildcard the names are not known */
        }
        for (size_t k = 0; k < RENDER_USUAL_N; k++) {
            render_count(work, report, node->name, render_usual[k]);
        }
        if (node->service->is_alias) {
            render_count(work, report, node->name, WIRE_TYPE_CNAME);
        }
    }
}

static void render_hot(struct render_work *work, const struct render_request *request,
                       struct render_report *report)
{
    for (size_t i = 0; i < request->hot_n && request->mode != RENDER_SERVICES; i++) {
        uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1] = {0};

        name_fold(name, request->hot[i].name, name_len(request->hot[i].name));
        render_count(work, report, name, request->hot[i].qtype);
    }
}

/* Types that nobody asks for or that are no question (RFC 6895 section 3.1). Signatures and their
 * chain go along with what they prove. */
static bool render_type_skip(uint16_t type)
{
    return type == WIRE_TYPE_RRSIG || type == WIRE_TYPE_NSEC || type == WIRE_TYPE_OPT ||
           (type >= 128 && type <= 255);
}

static void render_node_positive(struct render_work *work, const struct zone_node *node,
                                 struct render_report *report)
{
    for (unsigned i = 0; i < node->rrset_n; i++) {
        uint16_t type = node->rrsets[i].type;

        /* at a delegation, only DS is ours to answer (RFC 4035 section 3.1.4.1) */
        if (!render_type_skip(type) && (!node->cut || type == WIRE_TYPE_DS)) {
            render_count(work, report, node->name, type);
        }
    }
    if ((node->flags & ZONE_NODE_CNAME) && !node->cut) {
        for (size_t i = 0; i < RENDER_USUAL_N; i++) {
            render_count(work, report, node->name, render_usual[i]);
        }
    }
}

static void render_node_nodata(struct render_work *work, const struct zone_node *node,
                               struct render_report *report)
{
    if (node->cut || (node->flags & ZONE_NODE_CNAME)) {
        return;
    }
    for (size_t i = 0; i < RENDER_USUAL_N; i++) {
        if (!zone_node_rrset(node, render_usual[i])) {
            render_count(work, report, node->name, render_usual[i]);
        }
    }
}

typedef void (*render_node)(struct render_work *work, const struct zone_node *node,
                            struct render_report *report);

static void render_zones(struct render_work *work, const struct zone_set *zones, render_node node,
                         struct render_report *report)
{
    for (uint32_t z = 0; z < zone_set_count(zones); z++) {
        const struct zone *zone = zone_set_get(zones, z, NULL);

        for (uint32_t i = 0; zone && i < zone->node_n && !work->failed; i++) {
            if (zone->nodes[i].flags & ZONE_NODE_WILDCARD) {
                continue;
            }
            if (template_builder_is_full(work->builder)) {
                report->not_tried_n += node == render_node_positive ? zone->nodes[i].rrset_n : 0;
            } else {
                node(work, &zone->nodes[i], report);
            }
        }
    }
}

int render_templates(const struct render_request *request, struct template_table **ret_table,
                     struct render_report *ret_report, struct failure *failure)
{
    const struct snapshot *snapshot = request->snapshot;
    struct render_work *work = malloc(sizeof(*work));
    int status;

    *ret_report = (struct render_report){0};
    if (!work || render_work_init(work, snapshot, request->block_max, request->seed) < 0) {
        free(work);
        return failure_set(failure, -ENOMEM, "out of memory for templates");
    }
    render_services(work, services_overlay(snapshot->services), ret_report);
    render_hot(work, request, ret_report);
    if (request->mode == RENDER_ALL) {
        render_zones(work, snapshot->zones, render_node_positive, ret_report);
        render_zones(work, snapshot->zones, render_node_nodata, ret_report);
    }
    ret_report->asked_n = work->ask.asked_n;
    if (work->failed) {
        status = failure_set(failure, -ENOMEM, "out of memory for templates");
    } else {
        status = template_builder_finish(work->builder, ret_table, failure);
        work->builder = NULL;
        if (status == 0) {
            template_table_counts(*ret_table, &ret_report->counts);
        }
    }
    render_work_done(work);
    free(work);
    return status;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Renders the templates of one zone and its services, ROUNDS times, and prints what came of it and
 * the least time as JSON. The map is that of the golden world.
 *
 *   render_bench ZONE ORIGIN SERVICES services|all BLOCKS ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "edge/answer/snapshot.h"
#include "edge/render/render.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"
#include "edge/zone/zone_set.h"
#include "world.h"

static void need(bool condition, const char *what, const struct failure *failure)
{
    if (!condition) {
        fprintf(stderr, "render_bench: %s: %s\n", what, failure->text);
        exit(1);
    }
}

static struct zone_set *read_zone(const char *path, const char *origin, uint32_t *ret_node_n)
{
    struct zone_set *zones = zone_set_new();
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
    struct failure failure = {{0}};
    struct zone *zone;

    need(name_from_text(origin, name) == 0, origin, &failure);
    need(zone_load_file(path, name, &zone, NULL, &failure) == 0, path, &failure);
    need(zone_set_add(zones, name, zone) == 0 && zone_set_finish(zones) == 0, "zones", &failure);
    *ret_node_n = zone->node_n;
    zone_unref(zone);
    return zones;
}

/* By this name callgrind finds what it is to count. */
__attribute__((noinline, noclone)) int render_timed(const struct render_request *request,
                                                    struct template_table **ret_table,
                                                    struct render_report *ret_report,
                                                    struct failure *failure);

__attribute__((noinline, noclone)) int render_timed(const struct render_request *request,
                                                    struct template_table **ret_table,
                                                    struct render_report *ret_report,
                                                    struct failure *failure)
{
    return render_templates(request, ret_table, ret_report, failure);
}

static void print(const struct render_report *report, uint32_t node_n, int64_t best_ns)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    printf("{\"names\": %u, \"static\": %lu, \"geo\": %lu, \"blocks\": %lu, \"left_out\": %lu, "
           "\"not_tried\": %lu, \"asked\": %lu, \"ms\": %.1f, \"rss_kb\": %ld, \"outcomes\": {",
           node_n, report->counts.static_n, report->counts.geo_n, report->counts.block_n,
           report->counts.left_out_n, report->not_tried_n, report->asked_n, (double)best_ns / 1e6,
           usage.ru_maxrss);
    for (unsigned i = 0; i < RENDER_REASONS; i++) {
        printf("%s\"%s\": %lu", i ? ", " : "", render_reason_name((enum render_reason)i),
               report->outcomes[i]);
    }
    printf("}}\n");
}

int main(int argc, char **argv)
{
    const struct snapshot_info info = {.identity = "bench"};
    struct render_request request = {.seed = 1};
    struct render_report report = {0};
    struct failure failure = {{0}};
    struct services *services;
    struct zone_set *zones;
    struct snapshot *snapshot;
    int64_t best_ns = INT64_MAX;
    uint32_t node_n;

    if (argc != 7) {
        fprintf(stderr, "usage: render_bench ZONE ORIGIN SERVICES services|all BLOCKS ROUNDS\n");
        return 2;
    }
    zones = read_zone(argv[1], argv[2], &node_n);
    need(services_load(argv[3], world_image(), zones, &services, &failure) == 0, argv[3], &failure);
    snapshot = snapshot_new(zones, services, world_image(), world_states(services), &info);
    request.snapshot = snapshot;
    request.mode = strcmp(argv[4], "all") ? RENDER_SERVICES : RENDER_ALL;
    request.block_max = (uint32_t)atoi(argv[5]);
    for (int i = atoi(argv[6]); i > 0; i--) {
        int64_t start_ns = clock_monotonic_ns();
        struct template_table *table;
        int64_t took_ns;

        need(render_timed(&request, &table, &report, &failure) == 0, "render", &failure);
        took_ns = clock_monotonic_ns() - start_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
        template_table_free(table);
    }
    print(&report, node_n, best_ns);
    return 0;
}

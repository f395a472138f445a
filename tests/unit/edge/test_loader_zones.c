/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "edge/daemon/loader_zones.h"
#include "edge/zone/zone.h"

#define ZONES 60

static char folder[] = "/tmp/isochrone-zones-XXXXXX";

/* By the last digit of a zone's number. */
static const char *const kinds[10] = {
    [1] = "www 60 A 192.0.2.2\nwww 70 A 192.0.2.3\n", /* a warning */
    [3] = "www A 192.0.2.\n",                         /* a fault of the text */
    [5] = "www CNAME ns1\nwww A 192.0.2.1\n",         /* of the zone */
    [6] = "$INCLUDE more.inc\n",
    [9] = "$INCLUDE missing.inc\n",
};

static void put(const char *name, const char *text)
{
    char path[128];
    struct failure failure;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    cr_assert_eq(fd_replace_file(path, text, strlen(text), 0600, &failure), 0, "%s", failure.text);
}

static void put_zone(int number, int serial, const char *more)
{
    char name[32];
    char text[256];

    snprintf(name, sizeof(name), "zone%d", number);
    snprintf(text, sizeof(text),
             "@ 60 IN SOA ns1 host %d 2 3 4 5\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n%s", serial,
             more ? more : "");
    put(name, text);
}

static void setup(void)
{
    char text[ZONES * 48] = "listen: [\"127.0.0.1@5300\"]\nzones:\n";
    size_t len = strlen(text);

    cr_assert_not_null(mkdtemp(folder));
    put("more.inc", "more 60 A 192.0.2.4\n");
    for (int i = 0; i < ZONES; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "  - {origin: z%d.test., file: zone%d}\n", i, i);
        if (i % 10 != 7) { /* missing */
            put_zone(i, i + 1, kinds[i % 10]);
        }
    }
    put("edge.yaml", text);
}

static void teardown(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}

static struct loaded *load(const struct loaded *previous, unsigned thread_n, struct report *report)
{
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    struct failure failure = {{0}};
    char path[64];

    snprintf(path, sizeof(path), "%s/edge.yaml", folder);
    cr_assert_eq(config_load(path, &loaded->config, &failure), 0, "%s", failure.text);
    cr_assert_eq(loader_zones_load_by(loaded, previous, thread_n, report), 0);
    return loaded;
}

static void expect_same(const struct loaded *a, const struct report *a_report,
                        const struct loaded *b, const struct report *b_report, unsigned thread_n)
{
    cr_assert_eq(a_report->kept, b_report->kept, "%u threads", thread_n);
    for (size_t i = 0; i < a_report->kept; i++) {
        cr_expect_str_eq(a_report->texts[i], b_report->texts[i], "%u threads", thread_n);
    }
    cr_assert_eq(a_report->warning_kept, b_report->warning_kept, "%u threads", thread_n);
    for (size_t i = 0; i < a_report->warning_kept; i++) {
        cr_expect_str_eq(a_report->warnings[i], b_report->warnings[i], "%u threads", thread_n);
    }
    cr_expect_eq(a->zone_failed_n, b->zone_failed_n);
    cr_expect_eq(a->zone_missing_n, b->zone_missing_n);
    for (uint32_t i = 0; i < ZONES; i++) {
        const uint8_t *a_origin;
        const uint8_t *b_origin;
        const struct zone *a_zone = zone_set_get(a->zone_set, i, &a_origin);
        const struct zone *b_zone = zone_set_get(b->zone_set, i, &b_origin);

        cr_expect_eq(memcmp(a_origin, b_origin, strlen((const char *)a_origin)), 0);
        cr_expect_eq(a_zone ? a_zone->serial : 0, b_zone ? b_zone->serial : 0, "zone %u", i);
    }
}

/* Zones fail alone and are reported in the order of the configuration, whoever read them. */
Test(loader_zones, any_number_of_threads_gives_the_same, .init = setup, .fini = teardown)
{
    struct report first_report = {0};
    struct report next_report = {0};
    struct loaded *first = load(NULL, 1, &first_report);
    struct loaded *next;

    cr_assert_eq(first_report.kept, 4 * ZONES / 10);
    cr_assert_eq(first_report.warning_kept, ZONES / 10);
    cr_expect(strstr(first_report.texts[0], "/zone3:4: "), "%s", first_report.texts[0]);
    cr_expect(strstr(first_report.texts[1], "/zone5:5: other data"), "%s", first_report.texts[1]);
    cr_expect(strstr(first_report.texts[2], "edge.yaml:10:"), "%s", first_report.texts[2]);
    cr_expect(strstr(first_report.texts[2], "/zone7: No such file"), "%s", first_report.texts[2]);
    cr_expect(strstr(first_report.texts[3], "missing.inc"), "%s", first_report.texts[3]);
    cr_expect(strstr(first_report.texts[3], "(zone z9.test. answers SERVFAIL)"));
    cr_expect(strstr(first_report.warnings[1], "/zone11:5: TTLs differ"), "%s",
              first_report.warnings[1]);
    for (unsigned thread_n = 2; thread_n <= 6; thread_n++) {
        struct report report = {0};
        struct loaded *loaded = load(NULL, thread_n, &report);

        expect_same(first, &first_report, loaded, &report, thread_n);
        loaded_free(loaded);
        report_done(&report);
    }

    put_zone(0, 1000, NULL);
    put_zone(2, 2000, kinds[3]); /* broken: keeps its last good content */
    put_zone(3, 3000, NULL);     /* repaired */
    next = load(first, 1, &next_report);
    cr_expect_eq(zone_set_get(next->zone_set, 0, NULL)->serial, 1000);
    cr_expect_eq(zone_set_get(next->zone_set, 2, NULL), zone_set_get(first->zone_set, 2, NULL));
    cr_expect_eq(zone_set_get(next->zone_set, 3, NULL)->serial, 3000);
    cr_expect_eq(zone_set_get(next->zone_set, 4, NULL), zone_set_get(first->zone_set, 4, NULL),
                 "its file is as it was");
    cr_expect_neq(zone_set_get(next->zone_set, 6, NULL), zone_set_get(first->zone_set, 6, NULL),
                  "what it includes may have changed");
    cr_expect(strstr(next_report.texts[0], "(zone z2.test. keeps serial 3)"), "%s",
              next_report.texts[0]);
    for (unsigned thread_n = 2; thread_n <= 4; thread_n++) {
        struct report report = {0};
        struct loaded *loaded = load(first, thread_n, &report);

        expect_same(next, &next_report, loaded, &report, thread_n);
        loaded_free(loaded);
        report_done(&report);
    }
    loaded_free(next);
    loaded_free(first);
    report_done(&first_report);
    report_done(&next_report);
}

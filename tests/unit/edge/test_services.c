/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"
#include "edge/zone/zone_set.h"
#include "maps/image.h"
#include "world.h"

#define GOLDEN TEST_SOURCE_DIR "/tests/golden"

static char folder[] = "/tmp/servicesXXXXXX";
static struct image *image;
static struct zone_set *zones;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(folder));
    image = world_image();
    zones = world_zones(GOLDEN);
}

static void teardown(void)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
    zone_set_unref(zones);
    image_unref(image);
}

static const char *put(const char *name, const char *text)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

/* A service whose keys and names the row chooses. */
#define SERVICE(keys, names) "services:\n  s:\n    map: web\n" keys "names:\n" names
#define POPS "    pops: {fra: [192.0.2.1]}\n"
#define ALIAS "    pops: {fra: {cname: target.example.org.}}\n"
#define NODATA "    on_empty: nodata\n"

Test(services, faults_name_place_and_reason, .init = setup, .fini = teardown)
{
    static const struct {
        const char *text;
        const char *failure; /* after the path */
    } rows[] = {
        {"services: 1\n", ":1:11: services is not a map"},
        {"names: [a]\n", ":1:8: names is not a map"},
        {"service: {}\n", ":1:1: "},
        {"services:\n  s: {}\n", ": service s names no map"},
        {"services:\n  s:\n    map: nope\n", ":3:10: no map nope in world.isomap"},
        {SERVICE("    tll: 3\n" POPS, "  {}\n"), ":4:5: "},
        {SERVICE("    ttl: 0\n" POPS, "  {}\n"), ":4:10: "},
        {SERVICE("    ttl: many\n" POPS, "  {}\n"), ":4:10: "},
        {SERVICE("    ttl: 10\n    ttl_min: 11\n" POPS, "  {}\n"), ":5:14: "},
        {SERVICE("    pops_per_answer: 9\n" POPS, "  {}\n"), ":4:22: "},
        {SERVICE("    pops_per_answer: 0\n" POPS, "  {}\n"), ":4:22: "},
        {SERVICE("    on_empty: maybe\n" POPS, "  {}\n"),
         ":4:15: on_empty is \"maybe\", expected static, servfail or nodata"},
        {SERVICE("", "  {}\n"), ": service s needs pops"},
        {SERVICE("    pops: {}\n", "  {}\n"), ": service s needs pops"},
        {SERVICE("    pops: [fra]\n", "  {}\n"), ": service s needs pops"},
        {SERVICE("    pops: {lon: [192.0.2.1]}\n", "  {}\n"), ": PoP lon is not in map web"},
        {SERVICE("    pops: {fra: []}\n", "  {}\n"), ": expected a list of addresses for PoP fra"},
        {SERVICE("    pops: {fra: 192.0.2.1}\n", "  {}\n"), ": expected a list of addresses"},
        {SERVICE("    pops: {fra: {address: [192.0.2.1]}}\n", "  {}\n"), ": "},
        {SERVICE("    pops: {fra: [192.0.2.1, nothing]}\n", "  {}\n"), ":4:29: "},
        {SERVICE("    pops: {fra: [192.0.2.1, 192.0.2.1]}\n", "  {}\n"),
         ":4:29: the address is listed twice"},
        {SERVICE(POPS NODATA, "  www.example.com.: t\n"), ":7:21: no service t in this file"},
        {SERVICE(POPS NODATA, "  www.example.org.: s\n"),
         "www.example.org. lies in no zone of ours"},
        {SERVICE(POPS NODATA, "  a..b.: s\n"), ":7:10: a..b. is no domain name"},
        {SERVICE(POPS NODATA, "  www.sub.example.com.: s\n"),
         ":7:25: www.sub.example.com. lies in the delegation of sub.example.com."},
        {SERVICE(POPS NODATA, "  sub.example.com.: s\n"), "lies in the delegation of"},
        {SERVICE(POPS NODATA, "  ns.sub.example.com.: s\n"), "lies in the delegation of"},
        {SERVICE(POPS NODATA, "  x.dname.example.com.: s\n"), "lies below the DNAME record of"},
        {SERVICE(POPS NODATA, "  alias.example.com.: s\n"), "the zone has a CNAME record at"},
        {SERVICE(POPS NODATA, "  \"*.cname-wild.example.com.\": s\n"), "has a CNAME record at"},
        {SERVICE(POPS NODATA, "  new.signed.example.: s\n"),
         ":7:24: new.signed.example. lies in the zone signed.example., which is signed"},
        {SERVICE(POPS NODATA, "  www.signed.example.: s\n"), "which is signed: a service cannot"},
        {SERVICE(POPS, "  new.example.com.: s\n"), "the zone has no A record at new.example.com."},
        {SERVICE(POPS, "  multi.example.com.: s\n"), "the zone has no A record at"},
        {SERVICE("    pops: {fra: [192.0.2.1, \"2001:db8::1\"]}\n", "  mail.example.com.: s\n"),
         "the zone has no AAAA record at"},
        {SERVICE(POPS, "  www.example.com.: s\n  WWW.example.com: s\n"),
         ":7:20: WWW.example.com already belongs to service s"},
        {"services:\n  s: {map: web, pops: {fra: [192.0.2.1]}}\n  s: {}\n", ":3:3: "},
        /* services of names */
        {SERVICE("    pops: {fra: {cname: a.b.}, sin: [192.0.2.1]}\n", "  {}\n"),
         ":4:37: the PoPs of a service give either addresses or a cname, not both"},
        {SERVICE("    pops: {fra: {addresses: [192.0.2.1], cname: a.b.}}\n", "  {}\n"),
         ": the PoPs of a service give either addresses or a cname"},
        {SERVICE("    pops: {fra: [192.0.2.1], sin: {cname: a.b.}}\n", "  {}\n"),
         ": the PoPs of a service give either addresses or a cname"},
        {SERVICE("    pops: {fra: {cname: a..b.}}\n", "  {}\n"), ":4:25: a..b. is no domain name"},
        {SERVICE("    pops_per_answer: 2\n" ALIAS, "  {}\n"), ":4:22: a name has one CNAME record"},
        {SERVICE(ALIAS NODATA, "  example.com.: s\n"),
         "which cannot stand at the apex example.com."},
        {SERVICE(ALIAS NODATA, "  mail.example.com.: s\n"),
         "which allow no other data, but the zone has records at mail.example.com."},
        {SERVICE(ALIAS, "  new.example.com.: s\n"),
         "the zone has no CNAME record at new.example.com."},
        {SERVICE(ALIAS NODATA, "  target.example.org.: s\n"),
         "leads from target.example.org. back"},
        /* name servers */
        {SERVICE("    pops: {fra: [\"2001:db8::1\"]}\n" NODATA, "  ns.sibling.example.com.: s\n"),
         "lies in the delegation of sibling.example.com."},
        {SERVICE(POPS NODATA, "  ns1.child.example.com.: s\n"),
         ":7:27: ns1.child.example.com. is a name server of"},
        {SERVICE(ALIAS NODATA, "  ns1.child.example.com.: s\n"),
         "ns1.child.example.com. is a name server of lower.child.example.com., which cannot have a "
         "CNAME"},
        {SERVICE(POPS NODATA, "  \"*.child.example.com.\": s\n"),
         "*.child.example.com. is a name server of lower.child.example.com."},
        {"services: {s: {map: web, pops: {fra: [192.0.2.1]}}\n", ": "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = put("s.yaml", rows[i].text);
        struct services *services = NULL;
        struct failure failure = {{0}};
        int status = services_load(path, image, zones, &services, &failure);

        cr_expect_lt(status, 0, "row %zu: %s", i, rows[i].failure);
        cr_expect(strstr(failure.text, rows[i].failure) &&
                      !strncmp(failure.text, path, strlen(path)),
                  "row %zu: expected \"%s\", got \"%s\"", i, rows[i].failure, failure.text);
        services_unref(services);
    }
}

Test(services, values_and_defaults, .init = setup, .fini = teardown)
{
    const char *path = put(
        "s.yaml", "services:\n"
                  "  plain: {map: web, on_empty: nodata, x-note: any, pops: {sin: [192.0.2.1]}}\n"
                  "  quick: {map: web, ttl: 3, on_empty: servfail, pops: {sin: [\"::1\"]}}\n"
                  "  full:\n"
                  "    {map: web, ttl: 60, ttl_min: 10, pops_per_answer: 3, on_empty: static,\n"
                  "     pops: {nyc: {addresses: [\"2001:db8::2\", 192.0.2.2, 192.0.2.3]}}}\n"
                  "names: {www.example.com.: full}\n");
    struct services *services = NULL;
    struct failure failure = {{0}};
    const struct service *service;

    cr_assert_eq(services_load(path, image, zones, &services, &failure), 0, "%s", failure.text);
    cr_expect_eq(services_count(services), 3);
    service = services_find(services, "plain");
    cr_assert_not_null(service);
    cr_expect(service->ttl == 30 && service->ttl_min == 5 && service->pops_per_answer == 1);
    cr_expect_eq(service->on_empty, SERVICE_ON_EMPTY_NODATA);
    cr_expect(service->has_family[MAP_FAMILY_IPV4] && !service->has_family[MAP_FAMILY_IPV6]);
    cr_expect_eq(services_find(services, "quick")->ttl_min, 3, "ttl_min is never above ttl");
    service = services_find(services, "full");
    cr_expect_eq(services_get(services, service->index), service);
    cr_expect(service->ttl == 60 && service->ttl_min == 10 && service->pops_per_answer == 3);
    cr_expect_eq(service->addresses[MAP_FAMILY_IPV4][2].count, 2);
    cr_expect_arr_eq(service->addresses[MAP_FAMILY_IPV4][2].bytes, "\300\0\2\2\300\0\2\3", 8);
    cr_expect_eq(service->addresses[MAP_FAMILY_IPV6][2].count, 1);
    cr_expect_eq(service->addresses[MAP_FAMILY_IPV4][0].count, 0);
    cr_expect_str_eq(service->map_entry->name, "web");
    cr_expect_eq(strlen(services_digest(services)), 16);
    cr_expect_null(services_find(services, "absent"));
    services_unref(services);
}

Test(services, without_a_map_only_emptiness_loads, .init = setup, .fini = teardown)
{
    struct services *services = NULL;
    struct failure failure = {{0}};

    cr_expect_eq(services_load(put("s.yaml", "services: {}\n"), NULL, zones, &services, &failure),
                 0, "%s", failure.text);
    cr_expect_eq(services_count(services), 0);
    cr_expect(overlay_is_empty(services_overlay(services)));
    services_unref(services);
    cr_expect_lt(
        services_load(put("s.yaml", SERVICE(POPS, "  {}\n")), NULL, zones, &services, &failure), 0);
    cr_expect(strstr(failure.text, "no map is loaded"), "%s", failure.text);
    cr_expect_lt(services_load("/nonexistent.yaml", image, zones, &services, &failure), 0);
    cr_expect(strstr(failure.text, "/nonexistent.yaml"), "%s", failure.text);
}

/* --- files of a folder, each its own unit of failure --- */

#define ONE(service, name)                                                                         \
    "services: {" service ": {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}}\n"            \
    "names: {" name ": " service "}\n"

static struct services *open_folder(const struct services_policy *policy,
                                    const struct services *previous)
{
    struct services_request request = {.path = folder,
                                       .place = "edge.yaml:7:11",
                                       .policy = policy,
                                       .image = image,
                                       .zones = zones,
                                       .previous = previous};
    struct services *services = NULL;
    struct failure failure = {{0}};

    cr_assert_eq(services_open(&request, &services, &failure), 0, "%s", failure.text);
    return services;
}

static const struct overlay_node *name_of(const struct services *services, const char *text)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    struct name_key key;

    cr_assert_eq(name_from_text(text, wire), 0);
    name_key_make(&key, wire);
    return overlay_get(services_overlay(services), &key, key.label_n);
}

static void expect_file(const struct services *services, const char *name,
                        enum services_file_state state, const char *fault)
{
    for (uint32_t i = 0; i < services_file_count(services); i++) {
        const struct services_file *file = services_file_get(services, i);

        if (!strcmp(file->name, name)) {
            cr_expect_eq(file->state, state, "%s: %s", name, services_file_state_name(file->state));
            cr_expect(fault ? file->fault && strstr(file->fault, fault) : !file->fault,
                      "%s: expected \"%s\", got \"%s\"", name, fault, file->fault);
            return;
        }
    }
    cr_expect(false, "no file %s", name);
}

Test(services, a_folder_is_read_in_name_order, .init = setup, .fini = teardown)
{
    struct services *services, *later;

    put("b.yaml", ONE("b", "b.example.com."));
    put("a.yaml", ONE("a", "a.example.com."));
    put("ignored.txt", "not: yaml: at: all");
    put(".hidden.yaml", "not: yaml: at: all");
    services = open_folder(NULL, NULL);
    cr_expect_eq(services_file_count(services), 2);
    expect_file(services, "a.yaml", SERVICES_FILE_FRESH, NULL);
    cr_expect_str_eq(services_get(services, 0)->name, "a");
    cr_expect_eq(services_count(services), 2);
    put("b.yaml", "services: {}\n");
    later = open_folder(NULL, services);
    cr_expect_str_neq(services_digest(services), services_digest(later));
    cr_expect_null(name_of(later, "b.example.com."));
    services_unref(services);
    services_unref(later);
}

Test(services, a_wrong_file_keeps_its_last_good_content_alone, .init = setup, .fini = teardown)
{
    struct services *first, *second, *third;

    put("a.yaml", ONE("a", "a.example.com."));
    put("b.yaml", ONE("b", "b.example.com."));
    first = open_folder(NULL, NULL);
    put("a.yaml", "services: [");
    put("b.yaml", ONE("b", "new.example.com."));
    put("c.yaml", "names: {c.example.com.: nobody}\n");
    second = open_folder(NULL, first);
    services_unref(first);
    expect_file(second, "a.yaml", SERVICES_FILE_KEPT, "/a.yaml:");
    expect_file(second, "b.yaml", SERVICES_FILE_FRESH, NULL);
    expect_file(second, "c.yaml", SERVICES_FILE_REFUSED, "/c.yaml:1:25: no service nobody");
    cr_expect_not_null(name_of(second, "a.example.com."));
    cr_expect_not_null(name_of(second, "new.example.com."));
    cr_expect_null(name_of(second, "b.example.com."));
    cr_expect_null(name_of(second, "c.example.com."), "a new file that is wrong changes nothing");
    third = open_folder(NULL, second); /* and again */
    services_unref(second);
    expect_file(third, "a.yaml", SERVICES_FILE_KEPT, "/a.yaml:");
    cr_expect_str_eq(name_of(third, "a.example.com.")->service->name, "a");
    services_unref(third);
}

Test(services, a_file_wrong_at_the_start_has_its_names_held, .init = setup, .fini = teardown)
{
    static uint8_t suffix[] = "\x04test\x07"
                              "example\x03"
                              "com\0slack---";
    static const uint8_t *const suffixes[] = {suffix};
    static const struct services_tenant tenants[] = {{"lost.yaml", suffixes, 1, 9, 9, 9},
                                                     {"*", NULL, 0, 9, 9, 9}};
    static const struct services_policy policy = {tenants, 2};
    struct services *first, *second;

    put("a.yaml", "services: {a: {}}\nnames: {a.example.com.: a, b.example.com.: a}\n");
    put("b.yaml", ONE("b", "b.example.com."));
    put("lost.yaml", "services: [");
    first = open_folder(&policy, NULL);
    expect_file(first, "a.yaml", SERVICES_FILE_HELD, "names no map");
    cr_assert_not_null(name_of(first, "a.example.com."));
    cr_expect(name_of(first, "a.example.com.")->service->is_held);
    cr_expect_str_eq(name_of(first, "b.example.com.")->service->name, "b",
                     "a good file comes before one that is not");
    expect_file(first, "lost.yaml", SERVICES_FILE_HELD, "lost.yaml");
    cr_expect(name_of(first, "*.test.example.com.")->service->is_held);
    cr_expect_eq(services_count(first), 1);
    second = open_folder(&policy, first);
    services_unref(first);
    expect_file(second, "a.yaml", SERVICES_FILE_HELD, "names no map");
    cr_expect(name_of(second, "a.example.com.")->service->is_held, "a reload changes nothing");
    services_unref(second);
}

Test(services, what_two_files_claim_is_the_first_ones, .init = setup, .fini = teardown)
{
    struct services *first, *second;

    put("a.yaml", ONE("a", "a.example.com."));
    put("b.yaml", ONE("a", "b.example.com."));
    put("c.yaml", "services: {c: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}}\n"
                  "names: {c.example.com.: c, A.example.com.: c}\n");
    put("d.yaml", "names: {d.example.com.: a}\n");
    first = open_folder(NULL, NULL);
    expect_file(first, "a.yaml", SERVICES_FILE_FRESH, NULL);
    expect_file(first, "b.yaml", SERVICES_FILE_HELD, "/b.yaml:1:15: service a is defined twice, ");
    expect_file(first, "b.yaml", SERVICES_FILE_HELD, "/a.yaml:1:15");
    expect_file(first, "c.yaml", SERVICES_FILE_HELD,
                "/c.yaml:2:44: A.example.com. already belongs to service a at ");
    expect_file(first, "c.yaml", SERVICES_FILE_HELD, "/a.yaml:2:25");
    expect_file(first, "d.yaml", SERVICES_FILE_HELD, "/d.yaml:1:25: no service a in this file");
    cr_expect_str_eq(name_of(first, "a.example.com.")->service->name, "a");
    services_unref(first);

    /* what was good before and is claimed by another now goes on without that name */
    cr_expect_eq(unlink(put("a.yaml", "")), 0);
    cr_expect_eq(unlink(put("d.yaml", "")), 0);
    put("b.yaml", ONE("b", "b.example.com."));
    first = open_folder(NULL, NULL);
    expect_file(first, "c.yaml", SERVICES_FILE_FRESH, NULL);
    put("b.yaml", ONE("b", "c.example.com."));
    second = open_folder(NULL, first);
    expect_file(second, "c.yaml", SERVICES_FILE_KEPT,
                "c.example.com. already belongs to service b");
    cr_expect_str_eq(name_of(second, "c.example.com.")->service->name, "b");
    cr_expect_str_eq(name_of(second, "a.example.com.")->service->name, "c");
    services_unref(first);
    services_unref(second);
}

Test(services, a_policy_bounds_what_a_file_may_hold, .init = setup, .fini = teardown)
{
    static uint8_t suffix[] = "\x04Test\x07"
                              "example\x03"
                              "com\0slack---";
    static const uint8_t *const suffixes[] = {suffix};
    static const struct {
        const char *text;
        const char *fault; /* NULL: good */
    } rows[] = {
        {ONE("s", "test.example.com."), NULL},
        {ONE("s", "\"*.x.TEST.example.com.\""), NULL},
        {ONE("s", "nottest.example.com."),
         ":2:31: nottest.example.com. is below none of the suffixes this file may use"},
        {ONE("s", "example.com."), "below none of the suffixes"},
        {"services:\n"
         "  a: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}\n"
         "  b: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}\n"
         "  c: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}\n",
         ":4:6: more than the 2 services this file may have"},
        {"services: {a: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1], sin: [192.0.2.2]},\n"
         "  ttl: 3}, b: {map: web, on_empty: nodata, pops: {fra: [192.0.2.3, 192.0.2.4]}}}\n",
         ": more than the 3 addresses this file may have"},
        {"services: {a: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}}\n"
         "names: {1.test.example.com.: a, 2.test.example.com.: a, 3.test.example.com.: a}\n",
         ":2:78: more than the 2 names this file may have"},
    };
    static const struct services_tenant tenant = {"a.yaml", suffixes, 1, 2, 2, 3};
    static const struct services_policy policy = {&tenant, 1};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct services *services;

        put("a.yaml", rows[i].text);
        services = open_folder(&policy, NULL);
        expect_file(services, "a.yaml", rows[i].fault ? SERVICES_FILE_HELD : SERVICES_FILE_FRESH,
                    rows[i].fault);
        services_unref(services);
    }
    put("b.yaml", ONE("s", "stranger.test.example.com."));
    {
        struct services *services = open_folder(&policy, NULL);

        expect_file(services, "b.yaml", SERVICES_FILE_HELD,
                    "b.yaml: is the file of no tenant that edge.yaml:7:11 names");
        cr_expect_null(name_of(services, "stranger.test.example.com."));
        services_unref(services);
    }
}

Test(services, copies_survive_a_restart, .init = setup, .fini = teardown)
{
    struct services_request request = {
        .path = folder, .place = "e:1:1", .image = image, .zones = zones};
    struct failure failure = {{0}};
    struct services *services;
    char copies[64] = "/tmp/copiesXXXXXX";
    char command[100];

    cr_assert_not_null(mkdtemp(copies));
    put("a.yaml", ONE("a", "a.example.com."));
    put("b.yaml", ONE("b", "b.example.com."));
    services = open_folder(NULL, NULL);
    cr_expect_eq(services_keep_copies(services, copies, &failure), 0, "%s", failure.text);
    services_unref(services);
    put("a.yaml", "- x\n");
    request.copies = copies;
    cr_assert_eq(services_open(&request, &services, &failure), 0, "%s", failure.text);
    expect_file(services, "a.yaml", SERVICES_FILE_KEPT, "/a.yaml:");
    cr_expect(services_file_get(services, 0)->from_copy);
    cr_expect_not_null(name_of(services, "a.example.com."));
    services_unref(services);

    /* a folder that is gone takes nothing away */
    request.path = "/nonexistent/folder";
    cr_assert_eq(services_open(&request, &services, &failure), 0, "%s", failure.text);
    expect_file(services, "b.yaml", SERVICES_FILE_KEPT, "e:1:1: /nonexistent/folder: No such file");
    cr_expect_eq(services_count(services), 2);
    services_unref(services);

    /* a file that is gone does */
    request.path = folder;
    cr_expect_eq(unlink(put("a.yaml", "")), 0);
    cr_assert_eq(services_open(&request, &services, &failure), 0, "%s", failure.text);
    cr_expect_eq(services_count(services), 1);
    cr_expect_eq(services_keep_copies(services, copies, &failure), 0, "%s", failure.text);
    services_unref(services);
    snprintf(command, sizeof(command), "%s/last-good-services-a.yaml", copies);
    cr_expect_neq(access(command, F_OK), 0);
    snprintf(command, sizeof(command), "rm -r %s", copies);
    cr_expect_eq(system(command), 0);
}

Test(services, many_are_all_found, .init = setup, .fini = teardown)
{
    enum { N = 500 };
    char *text = malloc(100 + N * 120);
    struct services *services = NULL;
    struct failure failure = {{0}};
    size_t len = (size_t)sprintf(text, "services:\n");

    for (int i = 0; i < N; i++) {
        len += (size_t)sprintf(
            text + len, "  s%d: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}\n", i);
    }
    len += (size_t)sprintf(text + len, "names:\n");
    for (int i = 0; i < N; i++) {
        len += (size_t)sprintf(text + len, "  n%d.example.com.: s%d\n", i, i);
    }
    cr_assert_eq(services_load(put("s.yaml", text), image, zones, &services, &failure), 0, "%s",
                 failure.text);
    for (int i = 0; i < N; i++) {
        char name[16];

        sprintf(name, "s%d", i);
        cr_assert_eq(services_find(services, name), services_get(services, (uint32_t)i));
    }
    cr_expect_null(services_find(services, "s500"));
    services_unref(services);
    free(text);
}

/* A zone that is not loaded cannot be checked against, and answers SERVFAIL anyway. */
Test(services, names_in_a_zone_that_never_loaded_pass, .init = setup, .fini = teardown)
{
    const char *path = put("s.yaml", SERVICE(POPS, "  www.broken.example.: s\n"));
    struct services *services = NULL;
    struct failure failure = {{0}};

    cr_expect_eq(services_load(path, image, zones, &services, &failure), 0, "%s", failure.text);
    services_unref(services);
}

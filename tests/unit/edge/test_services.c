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

Test(services, a_folder_is_one_unit_read_in_name_order, .init = setup, .fini = teardown)
{
    static const char a[] =
        "services: {a: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}}\n"
        "names: {a.example.com.: a}\n";
    static const char b[] =
        "services: {b: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}}\n"
        "names: {b.example.com.: b}\n";
    struct services *services = NULL;
    struct failure failure = {{0}};
    char digest[17];

    put("b.yaml", b);
    put("a.yaml", a);
    put("ignored.txt", "not: yaml: at: all");
    put(".hidden.yaml", "not: yaml: at: all");
    cr_assert_eq(services_load(folder, image, zones, &services, &failure), 0, "%s", failure.text);
    cr_expect_eq(services_count(services), 2);
    cr_expect_str_eq(services_get(services, 0)->name, "a");
    snprintf(digest, sizeof(digest), "%s", services_digest(services));
    services_unref(services);

    put("b.yaml", "services: {a: {map: web, on_empty: nodata, pops: {fra: [192.0.2.1]}}}\n");
    cr_expect_lt(services_load(folder, image, zones, &services, &failure), 0);
    cr_expect(strstr(failure.text, "/b.yaml:1:15: service a is defined twice"), "%s", failure.text);

    put("b.yaml", "names: {b.example.com.: a}\n"); /* another tenant's service */
    cr_expect_lt(services_load(folder, image, zones, &services, &failure), 0);
    cr_expect(strstr(failure.text, "/b.yaml:1:25: no service a in this file"), "%s", failure.text);

    put("b.yaml", "services: {}\n");
    cr_assert_eq(services_load(folder, image, zones, &services, &failure), 0, "%s", failure.text);
    cr_expect_str_neq(services_digest(services), digest);
    services_unref(services);
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"

#define APEX "$TTL 300\n@ IN SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"

static struct zone *load(const char *text, struct zone_report *ret_report, struct failure *failure)
{
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    struct zone *zone = NULL;

    name_from_text("example.com.", origin);
    failure->text[0] = '\0';
    return zone_load_bytes("z", text, strlen(text), origin, &zone, ret_report, failure) ? NULL
                                                                                        : zone;
}

static const struct zone_node *find(const struct zone *zone, const char *name, bool *ret_exact)
{
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    struct name_key key;

    cr_assert_eq(name_from_text(name, wire), 0);
    cr_assert_gt(name_key_parse(&key, wire, sizeof(wire)), 0);
    return zone_find(zone, &key, ret_exact);
}

Test(zone_loader, what_was_asked_for_a_name_may_be_of_another)
{
    static const char text[] = APEX "a A 192.0.2.1\nb A 192.0.2.2\n";
    struct zone_report report;
    struct failure failure;
    struct zone *zone = load(text, &report, &failure);
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
    const struct zone_node *a, *b;
    struct name_key key;
    bool exact;

    cr_assert_not_null(zone, "%s", failure.text);
    a = find(zone, "a.example.com.", &exact);
    b = find(zone, "b.example.com.", &exact);
    cr_assert_neq(a, b);
    cr_assert_eq(name_from_text("b.example.com.", wire), 0);
    cr_assert_gt(name_key_parse(&key, wire, sizeof(wire)), 0);
    cr_assert_eq(zone_ask_node(zone, name_key_hash(&key)), b);
    cr_assert_eq(zone_find_asked(zone, &key, a, &exact), b);
    cr_assert(exact);
    cr_assert_eq(name_from_text("x.b.example.com.", wire), 0);
    cr_assert_gt(name_key_parse(&key, wire, sizeof(wire)), 0);
    cr_assert_eq(zone_find_asked(zone, &key, a, &exact), b);
    cr_assert(!exact);
    zone_unref(zone);
}

Test(zone_loader, faults_name_file_line_and_reason)
{
    static const struct {
        const char *text;
        const char *failure;
    } rows[] = {
        {"@ NS ns\n", "z:1: no SOA record at the zone's origin"},
        {"", "z:1: no SOA record at the zone's origin"},
        {"@ 300 IN SOA ns h 1 2 3 4 5\n", "z:1: no NS record at the zone's origin"},
        {APEX "@ IN SOA ns h 2 2 3 4 5\n", "z:5: more than one SOA record"},
        {APEX "x IN SOA ns h 2 2 3 4 5\n", "z:5: SOA record below the zone's origin"},
        {APEX "x.example.org. A 192.0.2.1\n", "z:5: x.example.org. lies outside the zone"},
        {APEX "com. A 192.0.2.1\n", "z:5: com. lies outside the zone"},
        {APEX "x CNAME y\nx A 192.0.2.1\n", "z:6: other data beside a CNAME record"},
        {APEX "x CNAME y\nx CNAME z\n", "z:6: more than one CNAME record at a name"},
        {APEX "@ CNAME z\n", "other data beside a CNAME record"},
        {APEX "x DNAME y\nx DNAME z\n", "z:6: more than one DNAME record at a name"},
        {APEX "x DNAME y\na.b.x A 192.0.2.1\n", "z:6: data below a DNAME record"},
        {APEX "x DNAME y\nx NS ns\n", "z:5: DNAME record at a delegation"},
        {APEX "*.x NS ns\n", "z:5: NS or DNAME record at a wildcard"},
        {APEX "*.x DNAME ns\n", "z:5: NS or DNAME record at a wildcard"},
        {APEX "x A 192.0.2.300\n", "z:5: "},
        {APEX "x A\n", "z:5: "},
        {APEX "x BOGUS 1\n", "z:5: "},
        {APEX "x CH A 192.0.2.1\n", "z:5: "},
        {APEX "x NS \\# 1 ff\n", "z:5: "},
        {APEX "x MX \\# 3 000a01\n", "z:5: "},
        {APEX "x A \\# 3 010203\n", "z:5: "},
        {APEX "x 4294967295 A 192.0.2.1\n", "z:5: TTL is over 2147483647"},
        {APEX "$INCLUDE other\n", "z:5: $INCLUDE is not possible here"},
        {APEX "x TXT ( \"open\"\n", "z:"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct failure failure;
        struct zone *zone = load(rows[i].text, NULL, &failure);

        cr_expect_null(zone, "loaded, not failed: %s", rows[i].failure);
        cr_expect(strstr(failure.text, rows[i].failure), "expected \"%s\", got \"%s\"",
                  rows[i].failure, failure.text);
        zone_unref(zone);
    }
}

Test(zone_loader, accepts_what_is_legal_but_rare)
{
    static const char *const rows[] = {
        APEX "x CNAME y\nx NSEC y CNAME NSEC\n",
        APEX "x TYPE65280 \\# 3 010203\n",
        "@ 300 SOA ns.example. h 1 2 3 4 5\n@ 300 NS ns.example.\n@ 300 DNAME elsewhere.example.\n",
        APEX "x HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1\nx CAA 0 issue \"ca\"\nx TLSA 3 1 1 00\n",
        APEX "x A \\# 4 c0000201\n",
        APEX "* A 192.0.2.1\n*.* A 192.0.2.2\na.*.b A 192.0.2.3\n",
        APEX "x TXT no-newline-at-the-end",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct failure failure;
        struct zone *zone = load(rows[i], NULL, &failure);

        cr_expect_not_null(zone, "%s: %s", rows[i], failure.text);
        zone_unref(zone);
    }
}

Test(zone_loader, duplicates_are_dropped_and_ttls_made_equal)
{
    struct zone_report report;
    struct failure failure;
    struct zone *zone = load(APEX "x 300 A 192.0.2.9\nx 100 A 192.0.2.8\nX 300 A 192.0.2.9\n"
                                  "x 200 A 192.0.2.7\n",
                             &report, &failure);
    const struct zone_rrset *rrset;
    bool exact;

    cr_assert_not_null(zone, "%s", failure.text);
    rrset = zone_node_rrset(find(zone, "x.example.com.", &exact), WIRE_TYPE_A);
    cr_assert_not_null(rrset);
    cr_expect_eq(rrset->rr_n, 3);
    cr_expect_eq(rrset->ttl, 100, "the lowest of the TTLs (RFC 2181 section 5.2)");
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(wire_get_u32(rrset->wire + 16 * i + 6), 100);
    }
    cr_expect_gt(report.warning_n, 0);
    cr_expect(strstr(report.first_warning, "TTLs differ within an RRset"), "%s",
              report.first_warning);
    zone_unref(zone);
}

Test(zone_loader, negative_ttl_is_the_lower_of_ttl_and_minimum)
{
    static const struct {
        const char *text;
        uint32_t ttl;
    } rows[] = {
        {"@ 300 IN SOA ns h 1 2 3 4 50\n@ 300 NS ns\n", 50},
        {"@ 30 IN SOA ns h 1 2 3 4 50\n@ 30 NS ns\n", 30},
    };

    for (size_t i = 0; i < 2; i++) {
        struct failure failure;
        struct zone *zone = load(rows[i].text, NULL, &failure);

        cr_assert_not_null(zone, "%s", failure.text);
        cr_expect_eq(zone->soa_negative->ttl, rows[i].ttl);
        cr_expect_eq(wire_get_u32(zone->soa_negative->wire + 6), rows[i].ttl);
        cr_expect_eq(zone->serial, 1);
        zone_unref(zone);
    }
}

Test(zone_loader, names_between_exist)
{
    struct failure failure;
    struct zone *zone = load(APEX "a.b.c.d A 192.0.2.1\n*.w A 192.0.2.2\n", NULL, &failure);
    static const struct {
        const char *name;
        bool exact;
        unsigned label_n; /* of the node or closest encloser */
    } rows[] = {
        {"a.b.c.d.example.com.", true, 6},
        {"b.c.d.example.com.", true, 5},
        {"d.example.com.", true, 3},
        {"x.c.d.example.com.", false, 4},
        {"x.y.z.c.d.example.com.", false, 4},
        {"x.example.com.", false, 2},
        {"1.2.3.4.5.6.7.a.b.c.d.example.com.", false, 6},
    };

    cr_assert_not_null(zone, "%s", failure.text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool exact;
        const struct zone_node *node = find(zone, rows[i].name, &exact);

        cr_expect_eq(exact, rows[i].exact, "%s", rows[i].name);
        cr_expect_eq(node->label_n, rows[i].label_n, "%s: %u", rows[i].name, node->label_n);
        cr_expect_eq(node->rrset_n != 0, node->label_n == 6 || node->label_n == 2, "%s",
                     rows[i].name);
    }
    zone_unref(zone);
}

Test(zone_loader, many_names_are_all_found)
{
    enum { N = 5000 };
    char *text = malloc(200 + N * 40);
    struct failure failure;
    struct zone *zone;
    size_t len = (size_t)sprintf(text, "%s", APEX);

    for (int i = 0; i < N; i++) {
        len +=
            (size_t)sprintf(text + len, "h%d.p%d A 10.0.%d.%d\n", i, i % 7, i / 250, i % 250 + 1);
    }
    zone = load(text, NULL, &failure);
    cr_assert_not_null(zone, "%s", failure.text);
    cr_expect_eq(zone->record_n, N + 3);
    cr_expect_eq(zone->node_n, N + 7 + 2);
    for (int i = 0; i < N; i++) {
        char name[64];
        bool exact;
        const struct zone_rrset *rrset;

        sprintf(name, "H%d.p%d.EXAMPLE.com.", i, i % 7);
        rrset = zone_node_rrset(find(zone, name, &exact), WIRE_TYPE_A);
        cr_assert(exact && rrset, "%s", name);
        cr_assert_eq(rrset->wire[15], i % 250 + 1);
        sprintf(name, "h%d.p%d.example.com.", i, (i + 1) % 7);
        find(zone, name, &exact);
        cr_assert_not(exact, "%s", name);
    }
    zone_unref(zone);
    free(text);
}

static char folder[] = "/tmp/zone_loaderXXXXXX";

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static int load_file(struct zone **ret_zone, struct failure *failure)
{
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    char path[128];

    snprintf(path, sizeof(path), "%s/main.zone", folder);
    name_from_text("Example.com.", origin);
    return zone_load_file(path, origin, ret_zone, NULL, failure);
}

static void remove_folder(void)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_expect_eq(system(command), 0);
}

Test(zone_loader, includes_follow_the_folder_and_keep_the_origin, .fini = remove_folder)
{
    struct failure failure = {{0}};
    struct zone *zone = NULL;
    char many[4096];
    bool exact;

    cr_assert_not_null(mkdtemp(folder));
    put("main.zone",
        APEX "$INCLUDE part.inc\n$INCLUDE part.inc deeper.example.com.\nafter A 192.0.2.3\n");
    put("part.inc", "in.sub A 192.0.2.2\n$ORIGIN changed.example.com.\n");
    cr_assert_eq(load_file(&zone, &failure), 0, "%s", failure.text);
    find(zone, "in.sub.example.com.", &exact);
    cr_expect(exact, "relative to the origin of the including file");
    find(zone, "in.sub.deeper.example.com.", &exact);
    cr_expect(exact, "relative to the origin in the directive");
    find(zone, "after.example.com.", &exact);
    cr_expect(exact, "$ORIGIN ends with the included file");
    zone_unref(zone);

    put("part.inc", "ok A 192.0.2.2\nbad A 1.2.3\n");
    cr_expect_lt(load_file(&zone, &failure), 0);
    cr_expect(strstr(failure.text, "/part.inc:2: "), "%s", failure.text);

    put("part.inc", "$INCLUDE part.inc\n");
    cr_expect_lt(load_file(&zone, &failure), 0);
    cr_expect(strstr(failure.text, "nested too deep"), "%s", failure.text);

    put("main.zone", APEX "$INCLUDE part.inc\n");
    put("part.inc", "$INCLUDE more.inc\n$INCLUDE more.inc\n$INCLUDE more.inc\n$INCLUDE more.inc\n");
    put("more.inc",
        "$INCLUDE least.inc\n$INCLUDE least.inc\n$INCLUDE least.inc\n$INCLUDE least.inc\n");
    put("least.inc", "x A 192.0.2.1\n");
    cr_expect_eq(load_file(&zone, &failure), 0, "%s", failure.text); /* 1 + 4 + 16 */
    zone_unref(zone);
    for (int i = 0; i < 6; i++) { /* 4 to the power of 5 and more */
        char name[16], text[128];

        snprintf(name, sizeof(name), "f%d", i);
        snprintf(text, sizeof(text), "$INCLUDE f%d\n$INCLUDE f%d\n$INCLUDE f%d\n$INCLUDE f%d\n",
                 i + 1, i + 1, i + 1, i + 1);
        put(name, i < 5 ? text : "x A 192.0.2.1\n");
    }
    put("main.zone", APEX "$INCLUDE f0\n");
    cr_expect_lt(load_file(&zone, &failure), 0);
    cr_expect(strstr(failure.text, "too many files are included"), "%s", failure.text);

    snprintf(many, sizeof(many), "%s", APEX);
    for (int i = 0; i < 50; i++) {
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "$INCLUDE f5\ny%d A 192.0.2.1\n",
                 i);
    }
    put("main.zone", many);
    cr_expect_eq(load_file(&zone, &failure), 0, "as many as one likes: %s", failure.text);
    find(zone, "y49.example.com.", &exact);
    cr_expect(exact);
    zone_unref(zone);

    put("main.zone", APEX "$INCLUDE missing.inc\n");
    cr_expect_lt(load_file(&zone, &failure), 0);
    cr_expect(strstr(failure.text, "missing.inc"), "%s", failure.text);
}

/* Who reads one zone after another must not carry anything from one to the next. */
static int read_next(struct zone_loader *loader, const char *origin_text, const char *text,
                     struct zone **ret_zone, struct failure *failure)
{
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    char path[128];
    struct zone_text source = {.path = path, .bytes = text, .len = strlen(text), .includes = true};
    int status;

    snprintf(path, sizeof(path), "%s/main.zone", folder);
    name_from_text(origin_text, origin);
    failure->text[0] = '\0';
    status = zone_loader_read(loader, &source, origin, failure);
    return status ? status : zone_loader_finish(loader, ret_zone, NULL, failure);
}

static uint32_t ttl_of(const struct zone *zone, const char *name)
{
    bool exact;
    const struct zone_rrset *rrset = zone_node_rrset(find(zone, name, &exact), WIRE_TYPE_A);

    return exact && rrset ? wire_get_u32(rrset->wire + 6) : 0;
}

Test(zone_loader, nothing_of_one_file_reaches_the_next, .fini = remove_folder)
{
    static const struct {
        const char *first;
        bool good;
        const char *why;
    } rows[] = {
        {APEX, true, "good"},
        {APEX "x A 192.0.2.1", true, "no newline at its end"},
        {APEX "x ( A\n 192.0.2.1 )", true, "ends with a record of two lines"},
        {APEX "$ORIGIN y.example.com.\n$TTL 77\nx A 192.0.2.1\n", true, "origin and TTL"},
        {APEX "; comment", true, "ends in a comment"},
        {APEX "x 99 CH A 192.0.2.1\n", false, "class"},
        {APEX "x ( A\n", false, "a parenthesis is left open"},
        {APEX "x ( A 192.0.2.1\n 192.0.2.2", false, "too much within parentheses"},
        {APEX "x TXT \"open", false, "a string is left open"},
        {APEX "x TXT \\", false, "ends with an escape"},
        {APEX "x A 192.0.2.300\nz A 192.0.2.1\n", false, "an address that is none"},
        {APEX "$ORIGIN \nx A 192.0.2.1\n", false, "a bad directive"},
        {APEX "$TTL 5 5\n", false, "a bad TTL"},
        {APEX "x 5", false, "ends within a record"},
        {APEX "x.example.org. A 192.0.2.1\n", false, "outside the zone"},
        {"$TTL 5\n@ NS ns\n", false, "no SOA"},
        {APEX "$INCLUDE good.inc\n", true, "one that includes"},
        {APEX "$INCLUDE bad.inc\n", false, "one that includes one that is bad"},
        {APEX "$INCLUDE missing.inc\n", false, "one that includes one that is not there"},
    };
    struct zone_loader *loader = zone_loader_new();
    struct failure failure;

    cr_assert_not_null(mkdtemp(folder));
    put("good.inc", "$ORIGIN inc.example.com.\n$TTL 55\nx A 192.0.2.5\n");
    put("bad.inc", "$ORIGIN inc.example.com.\n$TTL 55\nx ( A 192.0.2.5\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct zone *zone = NULL;
        int status = read_next(loader, "example.com.", rows[i].first, &zone, &failure);

        cr_expect_eq(status == 0, rows[i].good, "%s: %s", rows[i].why, failure.text);
        zone_unref(zone);
        zone = NULL;
        status = read_next(loader, "Other.org.",
                           "@ 60 SOA ns h 1 2 3 4 5\n NS ns\nns A 192.0.2.1\n"
                           "$INCLUDE good.inc other.org.\nlast A 192.0.2.2\n",
                           &zone, &failure);
        cr_expect_lt(status, 0, "after %s: outside this zone", rows[i].why);
        cr_expect(strstr(failure.text, "/good.inc:3: x.inc.example.com. lies outside the zone"),
                  "after %s: %s", rows[i].why, failure.text);
        cr_assert_eq(read_next(loader, "Other.org.",
                               "@ 60 SOA ns h 1 2 3 4 5\n NS ns\nns A 192.0.2.1\n", &zone,
                               &failure),
                     0, "after %s: %s", rows[i].why, failure.text);
        cr_expect_eq(ttl_of(zone, "ns.other.org."), ZONE_LOADER_DEFAULT_TTL, "after %s",
                     rows[i].why);
        zone_unref(zone);
        cr_expect_lt(read_next(loader, "example.com.", " A 192.0.2.1\n", &zone, &failure), 0);
        cr_expect(strstr(failure.text, "/main.zone:1: "), "after %s: %s", rows[i].why,
                  failure.text);
        cr_expect(strstr(failure.text, "owner"), "after %s: %s", rows[i].why, failure.text);
    }
    zone_loader_free(loader);
}

Test(zone_loader, what_was_read_may_be_left_unfinished, .fini = remove_folder)
{
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    struct zone_text text = {.path = "z", .bytes = APEX, .len = sizeof(APEX) - 1};
    struct zone_loader *loader = zone_loader_new();
    struct failure failure;
    struct zone *zone = NULL;

    cr_assert_not_null(mkdtemp(folder));
    name_from_text("example.com.", origin);
    cr_assert_eq(zone_loader_read(loader, &text, origin, &failure), 0);
    cr_assert_eq(read_next(loader, "example.com.", APEX "x A 192.0.2.2\n", &zone, &failure), 0);
    cr_expect_eq(ttl_of(zone, "x.example.com."), 300);
    zone_unref(zone);
    cr_assert_eq(zone_loader_read(loader, &text, origin, &failure), 0);
    zone_loader_free(loader);
    zone_loader_free(NULL);
}

Test(zone_loader, too_large_sets_are_refused)
{
    enum { N = 4300 };
    char *text = malloc(200 + N * 40);
    struct failure failure;
    size_t len = (size_t)sprintf(text, "%s", APEX);

    for (int i = 0; i < N; i++) {
        len += (size_t)sprintf(text + len, "x A 10.1.%d.%d\n", i / 250, i % 250 + 1);
    }
    cr_expect_null(load(text, NULL, &failure));
    cr_expect(strstr(failure.text, "RRset is too large"), "%s", failure.text);
    free(text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/answer/answer.h"
#include "edge/render/render.h"
#include "edge/render/render_ask.h"
#include "edge/service/overlay.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/edns.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_set.h"
#include "world.h"

#define SEED 77
#define GOLDEN TEST_SOURCE_DIR "/tests/golden"

static struct template_table *render(const struct snapshot *snapshot, enum render_mode mode,
                                     uint32_t block_max, struct render_report *ret_report)
{
    const struct render_request request = {
        .snapshot = snapshot, .mode = mode, .block_max = block_max, .seed = SEED};
    struct failure failure = {{0}};
    struct template_table *table;

    cr_assert_eq(render_templates(&request, &table, ret_report, &failure), 0, "%s", failure.text);
    return table;
}

static const struct fast_template *find(const struct template_table *table, const char *text,
                                        uint16_t qtype)
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];

    cr_assert_eq(name_from_text(text, name), 0);
    return template_table_find(table, name, qtype);
}

/* A query with letters in both cases; `size` 0: no EDNS. */
static size_t query_make(uint8_t *query, const uint8_t *name, uint16_t qtype, unsigned size,
                         bool dnssec)
{
    size_t len = name_len(name);
    uint8_t *at = query + WIRE_HEADER_LEN;

    memset(query, 0, WIRE_HEADER_LEN);
    wire_put_u16(query, 0x1234);
    query[5] = 1;
    memcpy(at, name, len);
    for (size_t i = 0; i < len; i += at[i] + 1u) {
        for (unsigned k = 1; k <= at[i]; k += 2) {
            if (at[i + k] >= 'a' && at[i + k] <= 'z') {
                at[i + k] = (uint8_t)(at[i + k] - 32);
            }
        }
    }
    at += len;
    wire_put_u16(at, qtype);
    wire_put_u16(at + 2, WIRE_CLASS_IN);
    at += 4;
    if (size) {
        const uint8_t opt[] = {0, 0, 41, (uint8_t)(size >> 8), (uint8_t)size, 0, 0, dnssec << 7,
                               0, 0, 0};

        query[11] = 1;
        memcpy(at, opt, sizeof(opt));
        at += sizeof(opt);
    }
    return (size_t)(at - query);
}

/* What a template says for those whom the trace says were picked. Returns its length; counts to
 * `ret_rr_n`. */
static size_t compose(const struct template_table *table, const struct fast_template *template,
                      const struct answer_trace *trace, uint8_t *body, uint16_t ret_counts[3])
{
    const struct fast_variant *variants;
    size_t len = template->body_len;

    ret_counts[0] = template->answer_n;
    ret_counts[1] = template->authority_n;
    ret_counts[2] = template->additional_n;
    memcpy(body, template->name + (template->name_len + 7u) / 8 * 8, template->body_len);
    if (template->kind == FAST_STATIC) {
        return len;
    }
    cr_assert_eq(template->service, trace->service->index);
    cr_assert_eq(template->map, trace->service->map);
    cr_assert_eq(template->family, trace->family);
    variants = template_table_at(table, template->variants_block << 8);
    for (unsigned i = 0; i < trace->picks.count && i < template->want; i++) {
        const struct fast_variant *variant = &variants[trace->picks.pop[i]];

        cr_assert_gt(variant->len, 0);
        if (variant->len > FAST_BODY_MAX) {
            return variant->len;
        }
        memcpy(body + len, template_table_at(table, variant->place), variant->len);
        for (size_t k = 0; k < variant->ttl_n; k++) {
            wire_put_u32(body + len + 6 + k * variant->ttl_stride, trace->ttl);
        }
        len += variant->len;
        ret_counts[0] = (uint16_t)(ret_counts[0] + variant->rr_n);
    }
    return len;
}

struct check {
    struct answer_scratch *scratch;
    struct answer_trace trace;
    const struct snapshot *snapshot;
    const struct template_table *table;
    unsigned templates, compared, truncated, empty;
};

/* answer() under the real states, over UDP, against the template. */
static void check_query(struct check *check, const struct fast_template *template,
                        const struct address *client, unsigned size, bool dnssec)
{
    static uint8_t query[600], response[ANSWER_RESPONSE_MAX], body[65536];
    struct answer_request request = {
        .query = query,
        .query_len = query_make(query, template->name, template->qtype, size, dnssec),
        .client = *client,
        .transport = ANSWER_UDP};
    struct answer_outcome outcome;
    size_t len =
        answer(check->scratch, check->snapshot, &request, response, sizeof(response), &outcome);
    size_t head = WIRE_HEADER_LEN + (size_t)outcome.question_len;
    uint16_t counts[3];
    size_t body_len;
    char text[NAME_TEXT_LEN];

    name_to_text(template->name, text);
    if (outcome.kind == ANSWER_GEO_EMPTY) {
        check->empty++;
        return;
    }
    body_len = compose(check->table, template, &check->trace, body, counts);
    if (head + body_len + (size ? 11 : 0) > (size > 1232 ? 1232 : size < 512 ? 512 : size)) {
        check->truncated++; /* passed up */
        return;
    }
    check->compared++;
    cr_assert_eq(len, head + body_len + (size ? 11 : 0), "%s %u: %zu bytes", text, template->qtype,
                 len);
    cr_assert_eq(memcmp(response + head, body, body_len), 0, "%s %u", text, template->qtype);
    cr_assert_eq(wire_get_u16(response + 2), template->flags);
    cr_assert_eq(wire_get_u16(response + 6), counts[0]);
    cr_assert_eq(wire_get_u16(response + 8), counts[1]);
    cr_assert_eq(wire_get_u16(response + 10), counts[2] + (size != 0));
    cr_assert_eq(check->trace.geo, template->kind == FAST_GEO);
    cr_assert_eq(outcome.kind, template->answer == FAST_ANSWER_POSITIVE ? ANSWER_POSITIVE
                               : template->answer == FAST_ANSWER_NODATA ? ANSWER_NODATA
                                                                        : ANSWER_GEO);
    if (template->kind == FAST_STATIC && size) {
        cr_assert_eq(memcmp(response + len - 11, "\0\0\51\4\320\0\0", 7), 0);
    }
}

static void check_template(struct check *check, const struct fast_template *template)
{
    static const struct address clients[] = {{ADDRESS_IPV4, {198, 51, 100, 1}},
                                             {ADDRESS_IPV4, {198, 51, 100, 200}},
                                             {ADDRESS_IPV4, {203, 0, 113, 9}},
                                             {ADDRESS_IPV4, {192, 0, 2, 1}},
                                             {ADDRESS_IPV6, {0x20, 1, 0xd, 0xb8, 0, 2}}};

    check->templates++;
    for (unsigned i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        check_query(check, template, &clients[i], 0, false);
        check_query(check, template, &clients[i], 100, false);
        check_query(check, template, &clients[i], 1232, false);
        check_query(check, template, &clients[i], 4096, false);
        if (template->attributes & FAST_DO_SAME) {
            check_query(check, template, &clients[i], 1232, true);
        }
    }
}

/* Every template of the table, found through its buckets. */
static void check_table(struct check *check)
{
    struct fast_policy policy;
    uint32_t block_n;
    const uint8_t *blocks = template_table_blocks(check->table, &block_n);
    const struct fast_bucket *buckets;

    template_table_policy(check->table, &policy);
    buckets = (const void *)(blocks + policy.bucket_block * FAST_BLOCK_SIZE);
    for (uint32_t b = 0; b <= policy.bucket_mask; b++) {
        for (unsigned i = 0; i < FAST_BUCKET_ENTRIES; i++) {
            if (buckets[b].tags[i]) {
                check_template(check, template_table_at(check->table, buckets[b].places[i]));
            }
        }
    }
}

static void check_open(struct check *check, const struct snapshot *snapshot,
                       const struct template_table *table)
{
    *check = (struct check){.scratch = answer_scratch_new(), .snapshot = snapshot, .table = table};
    answer_scratch_trace(check->scratch, &check->trace);
}

Test(render, every_template_says_what_the_server_says)
{
    struct render_report report;
    struct world world;
    struct template_table *table;
    struct check check;

    world_open(&world, GOLDEN);
    table = render(world.snapshot, RENDER_ALL, 4096, &report);
    check_open(&check, world.snapshot, table);
    check_table(&check);
    cr_assert_eq(check.templates, report.counts.static_n + report.counts.geo_n);
    cr_assert_eq(check.templates, report.outcomes[RENDER_TAKEN]);
    cr_assert_gt(report.counts.static_n, 300, "%lu", report.counts.static_n);
    cr_assert_gt(report.counts.geo_n, 20, "%lu", report.counts.geo_n);
    cr_assert_gt(check.compared, 20 * check.templates, "%u of %u", check.compared, check.templates);
    cr_assert_gt(check.truncated, 10, "%u", check.truncated);
    cr_assert_gt(check.empty, 10, "%u", check.empty);
    answer_scratch_free(check.scratch);
    template_table_free(table);
    world_close(&world);
}

/* The services of the world become others. */
static void world_serve(struct world *world, const char *text)
{
    char path[] = "/tmp/render-services-XXXXXX";
    struct failure failure = {{0}};
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snapshot_free(world->snapshot);
    state_set_unref(world->states);
    services_unref(world->services);
    cr_assert_eq(services_load(path, world->image, world->zones, &world->services, &failure), 0,
                 "%s", failure.text);
    unlink(path);
    world->states = world_states(world->services);
    world->snapshot = snapshot_new(world->zones, world->services, world->image, world->states,
                                   &(struct snapshot_info){.identity = "proof"});
    cr_assert(world->snapshot);
}

/* What goes along with an alias depends on the name that was asked for when the chain comes back to
 * it: to-byname is an alias of byname. */
Test(render, names_of_one_length_that_a_chain_may_come_back_to)
{
    static const char services[] = "services:\n"
                                   "  s:\n"
                                   "    map: web\n"
                                   "    ttl: 20\n"
                                   "    on_empty: nodata\n"
                                   "    pops:\n"
                                   "      fra: {cname: mail.example.com.}\n"
                                   "      sin: {cname: to-byname.example.com.}\n"
                                   "names:\n"
                                   "  byname.example.com.: s\n"
                                   "  azname.example.com.: s\n"
                                   "  zzname.example.com.: s\n";
    struct render_report report;
    struct world world;
    struct template_table *table;
    struct check check;

    world_open(&world, GOLDEN);
    world_serve(&world, services);
    table = render(world.snapshot, RENDER_SERVICES, 4096, &report);
    check_open(&check, world.snapshot, table);
    check_table(&check);
    answer_scratch_free(check.scratch);
    template_table_free(table);
    world_close(&world);
}

/* What goes along with an alias has signatures for those who ask for them, from one PoP. */
Test(render, an_alias_into_a_signed_zone_differs_with_do)
{
    static const char services[] = "services:\n"
                                   "  s:\n"
                                   "    map: web\n"
                                   "    on_empty: nodata\n"
                                   "    pops:\n"
                                   "      fra: {cname: mail.example.com.}\n"
                                   "      sin: {cname: mail.signed.example.}\n"
                                   "names:\n"
                                   "  signedname.example.com.: s\n";
    const struct fast_template *template;
    struct render_report report;
    struct world world;
    struct template_table *table;
    struct check check;

    world_open(&world, GOLDEN);
    world_serve(&world, services);
    table = render(world.snapshot, RENDER_SERVICES, 4096, &report);
    check_open(&check, world.snapshot, table);
    check_table(&check);
    template = find(table, "signedname.example.com.", WIRE_TYPE_A);
    cr_assert(template);
    cr_assert_not(template->attributes & FAST_DO_SAME);
    template = find(table, "signedname.example.com.", WIRE_TYPE_CNAME);
    cr_assert(template);
    cr_assert(template->attributes & FAST_DO_SAME);
    answer_scratch_free(check.scratch);
    template_table_free(table);
    world_close(&world);
}

/* Of one PoP additional records come along, which no piece of an answer has. */
Test(render, an_alias_with_more_than_answers_has_no_template)
{
    static const char services[] = "services:\n"
                                   "  s:\n"
                                   "    map: web\n"
                                   "    on_empty: nodata\n"
                                   "    pops:\n"
                                   "      fra: {cname: mail.example.com.}\n"
                                   "      sin: {cname: https-alias.example.com.}\n"
                                   "names:\n"
                                   "  morethan.example.com.: s\n";
    struct render_report report;
    struct world world;
    struct template_table *table;
    struct check check;

    world_open(&world, GOLDEN);
    world_serve(&world, services);
    table = render(world.snapshot, RENDER_SERVICES, 4096, &report);
    check_open(&check, world.snapshot, table);
    check_table(&check);
    cr_assert(find(table, "morethan.example.com.", WIRE_TYPE_A));
    cr_assert_not(find(table, "morethan.example.com.", WIRE_TYPE_HTTPS));
    cr_assert_eq(report.outcomes[RENDER_MIXED], 1);
    answer_scratch_free(check.scratch);
    template_table_free(table);
    world_close(&world);
}

Test(render, what_has_a_template_and_what_has_not)
{
    static const struct {
        const char *name;
        uint16_t type;
        int kind; /* 0: none */
    } rows[] = {
        {"www.example.com.", WIRE_TYPE_A, FAST_GEO},
        {"www.example.com.", WIRE_TYPE_AAAA, FAST_GEO},
        {"pair.example.com.", WIRE_TYPE_A, FAST_GEO},
        {"pair.example.com.", WIRE_TYPE_AAAA, FAST_STATIC}, /* NODATA */
        {"down.example.com.", WIRE_TYPE_A, FAST_GEO},       /* whoever is up now */
        {"byname.example.com.", WIRE_TYPE_A, FAST_GEO},
        {"byname.example.com.", WIRE_TYPE_CNAME, FAST_GEO},
        {"crowd.example.com.", WIRE_TYPE_A, FAST_GEO},
        {"nobody.cdn.example.com.", WIRE_TYPE_A, 0}, /* a wildcard's */
        {"*.cdn.example.com.", WIRE_TYPE_A, 0},
        {"example.com.", WIRE_TYPE_SOA, FAST_STATIC},
        {"example.com.", WIRE_TYPE_NS, FAST_STATIC},
        {"example.com.", WIRE_TYPE_HTTPS, FAST_STATIC},
        {"missing.example.com.", WIRE_TYPE_A, 0},
        {"missing.example.org.", WIRE_TYPE_A, 0},
        {"broken.example.", WIRE_TYPE_SOA, 0},
    };
    struct render_report report;
    struct world world;
    struct template_table *table;

    world_open(&world, GOLDEN);
    table = render(world.snapshot, RENDER_ALL, 4096, &report);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct fast_template *template = find(table, rows[i].name, rows[i].type);

        cr_assert_eq(template ? template->kind : 0, rows[i].kind, "%s %u", rows[i].name,
                     rows[i].type);
    }
    template_table_free(table);
    world_close(&world);
}

/* Names whose owners are not known before somebody asks: rendered by the name that is asked. */
Test(render, hot_names_may_stand_behind_wildcards)
{
    static const struct {
        const char *name;
        uint16_t type;
        int kind; /* 0: none */
        enum render_reason reason;
    } rows[] = {
        {"Somebody.CDN.example.com.", WIRE_TYPE_A, FAST_GEO, RENDER_TAKEN},
        {"other.cdn.example.com.", WIRE_TYPE_A, FAST_GEO, RENDER_TAKEN},
        {"other.cdn.example.com.", WIRE_TYPE_AAAA, FAST_STATIC, RENDER_TAKEN},
        {"x.byname.example.com.", WIRE_TYPE_A, FAST_GEO, RENDER_TAKEN},
        {"yy.byname.example.com.", WIRE_TYPE_A, FAST_GEO, RENDER_TAKEN},
        {"x.wild.example.com.", WIRE_TYPE_A, FAST_STATIC, RENDER_TAKEN},
        {"x.cname-wild.example.com.", WIRE_TYPE_A, FAST_STATIC, RENDER_TAKEN},
        {"www.dname.example.com.", WIRE_TYPE_A, 0, RENDER_SPELLING},
        {"dname.example.com.", WIRE_TYPE_TXT, FAST_STATIC, RENDER_TAKEN},
        {"missing.example.com.", WIRE_TYPE_A, 0, RENDER_NEGATIVE},
        {"dangling.example.com.", WIRE_TYPE_A, 0, RENDER_NEGATIVE},
        {"host.sub.example.com.", WIRE_TYPE_A, 0, RENDER_ELSEWHERE},
        {"www.example.org.", WIRE_TYPE_A, 0, RENDER_ELSEWHERE},
        {"www.broken.example.", WIRE_TYPE_A, 0, RENDER_FAILING},
        {"alias.example.com.", WIRE_TYPE_A, FAST_GEO, RENDER_TAKEN},
        {"hint.example.com.", WIRE_TYPE_HTTPS, 0, RENDER_BEHIND},
        {"www.example.com.", WIRE_TYPE_OPT, 0, RENDER_UNUSUAL},
        {"www.example.com.", WIRE_TYPE_AXFR, 0, RENDER_ELSEWHERE},
        {"www.example.com.", WIRE_TYPE_A, FAST_GEO, RENDER_TAKEN},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    static uint8_t names[ROWS][NAME_LEN_MAX + NAME_SLACK + 1];
    struct render_question hot[ROWS];
    struct render_request request = {
        .mode = RENDER_HOT, .hot = hot, .hot_n = ROWS, .block_max = 4096, .seed = SEED};
    struct render_report report;
    struct failure failure;
    struct world world;
    struct template_table *table;
    struct check check;

    world_open(&world, GOLDEN);
    for (unsigned i = 0; i < ROWS; i++) {
        cr_assert_eq(name_from_text(rows[i].name, names[i]), 0);
        hot[i] = (struct render_question){names[i], rows[i].type};
        cr_assert_eq(render_judge(world.snapshot, &hot[i]), rows[i].reason, "%s %u: %s",
                     rows[i].name, rows[i].type,
                     render_reason_name(render_judge(world.snapshot, &hot[i])));
    }
    request.snapshot = world.snapshot;
    cr_assert_eq(render_templates(&request, &table, &report, &failure), 0);
    for (unsigned i = 0; i < ROWS; i++) {
        const struct fast_template *template;
        uint8_t folded[NAME_LEN_MAX + 1];

        name_fold(folded, names[i], name_len(names[i]));
        template = template_table_find(table, folded, rows[i].type);
        cr_assert_eq(template ? template->kind : 0, rows[i].kind, "%s %u", rows[i].name,
                     rows[i].type);
    }
    check_open(&check, world.snapshot, table);
    check_table(&check);
    cr_assert_gt(check.compared, 20 * 10);
    answer_scratch_free(check.scratch);
    template_table_free(table);
    request.mode = RENDER_SERVICES;
    cr_assert_eq(render_templates(&request, &table, &report, &failure), 0);
    cr_assert_null(find(table, "other.cdn.example.com.", WIRE_TYPE_A), "hot names are not wanted");
    cr_assert_not_null(find(table, "pair.example.com.", WIRE_TYPE_A));
    cr_assert_null(find(table, "example.com.", WIRE_TYPE_SOA));
    template_table_free(table);
    world_close(&world);
}

/* Templates know no states: one table is right under all of them, whoever is down, drains or
 * sheds, and whatever the TTLs. */
Test(render, templates_hold_under_all_states)
{
    static const uint8_t some[] = {0, 0, 0, 30, 70, 100, MAP_STATE_DRAIN, MAP_STATE_DOWN};
    uint32_t random = 12345;
    struct render_report report;
    struct world world;
    struct template_table *table;

    world_open(&world, GOLDEN);
    table = render(world.snapshot, RENDER_SERVICES, 4096, &report);
    for (unsigned round = 0; round < 200; round++) {
        struct state_set *states = world_states(world.services);
        struct snapshot *snapshot;
        struct check check;

        for (uint32_t i = 0; i < states->service_n; i++) {
            uint8_t *bytes = &states->tables[i].states[0][0];

            for (unsigned k = 0; k < MAP_FAMILIES * MAP_STATES; k++) {
                random = random * 1664525 + 1013904223;
                bytes[k] = bytes[k] == MAP_STATE_ABSENT ? bytes[k] : some[random >> 29];
            }
            states->tables[i].ttl = random >> 8;
        }
        snapshot =
            snapshot_new(world.zones, world.services, world.image, states, &world.snapshot->info);
        check_open(&check, snapshot, table);
        check_table(&check);
        cr_assert_gt(check.compared, 100);
        answer_scratch_free(check.scratch);
        snapshot_free(snapshot);
        state_set_unref(states);
    }
    template_table_free(table);
    world_close(&world);
}

Test(render, what_is_served_is_not_touched)
{
    struct render_report report;
    struct world world;
    size_t len;
    struct state_set *before;

    world_open(&world, GOLDEN);
    len = sizeof(*before) + world.states->service_n * sizeof(before->tables[0]);
    before = malloc(len);
    memcpy(before, world.states, len);
    template_table_free(render(world.snapshot, RENDER_ALL, 4096, &report));
    cr_assert_eq(memcmp(before, world.states, len), 0);
    free(before);
    world_close(&world);
}

Test(render, stops_where_the_table_is_full)
{
    struct render_report whole, report;
    struct world world;

    uint64_t full_n = 0;

    world_open(&world, GOLDEN);
    template_table_free(render(world.snapshot, RENDER_ALL, 4096, &whole));
    for (uint32_t block_max = 1; block_max <= whole.counts.block_n; block_max++) {
        struct template_table *table = render(world.snapshot, RENDER_ALL, block_max, &report);
        uint32_t block_n;

        (void)template_table_blocks(table, &block_n);
        cr_assert_leq(block_n, block_max);
        cr_assert_leq(report.counts.static_n + report.counts.geo_n, report.outcomes[RENDER_TAKEN]);
        if (block_max < whole.counts.block_n / 2) {
            full_n += report.outcomes[RENDER_FULL];
            cr_assert_gt(report.not_tried_n, 0);
            cr_assert_lt(report.asked_n, whole.asked_n);
        }
        template_table_free(table);
    }
    cr_assert_gt(full_n, 0);
    world_close(&world);
}

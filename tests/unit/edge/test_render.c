/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/answer/answer.h"
#include "edge/render/render.h"
#include "edge/render/render_ask.h"
#include "edge/service/overlay.h"
#include "edge/service/services.h"
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
    size_t len = 0;

    ret_counts[0] = template->answer_n;
    ret_counts[1] = template->authority_n;
    ret_counts[2] = template->additional_n;
    if (template->kind == FAST_STATIC) {
        memcpy(body, template->name + (template->name_len + 7u) / 8 * 8, template->body_len);
        return template->body_len;
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

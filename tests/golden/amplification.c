/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much larger than the query a response over UDP can get: every name of the golden table, the
 * types that are asked for that purpose, EDNS with DO and the largest size, no cookie. Prints the
 * worst, and what rate limiting makes of it. Exit 1 if a response is larger than we ever send, or a
 * short one larger than its query.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/answer/admission.h"
#include "edge/answer/answer.h"
#include "edge/wire/edns.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"

#include "table.h"
#include "world.h"

static const struct {
    uint16_t type;
    const char *name;
} types[] = {{255, "ANY"}, {48, "DNSKEY"}, {16, "TXT"},   {1, "A"},      {28, "AAAA"}, {2, "NS"},
             {6, "SOA"},   {15, "MX"},     {46, "RRSIG"}, {65, "HTTPS"}, {43, "DS"}};

#define TYPES (sizeof(types) / sizeof(types[0]))

struct worst {
    double ratio;
    double short_ratio;
    size_t query_len, response_len;
    char name[NAME_TEXT_LEN];
};

/* The question of a row as a query of its own; 0: the row has none. */
static size_t make_query(const struct table_row *row, uint16_t type, uint8_t query[512])
{
    size_t name_n = row->query_len > WIRE_HEADER_LEN
                        ? name_check(row->query + WIRE_HEADER_LEN, row->query_len - WIRE_HEADER_LEN)
                        : 0;
    uint8_t *at = query + WIRE_HEADER_LEN + name_n;

    if (!name_n) {
        return 0;
    }
    memset(query, 0, 512);
    query[5] = 1;
    query[11] = 1;
    memcpy(query + WIRE_HEADER_LEN, row->query + WIRE_HEADER_LEN, name_n);
    wire_put_u16(at, type);
    wire_put_u16(at + 2, WIRE_CLASS_IN);
    wire_put_u16(at + 5, WIRE_TYPE_OPT);
    wire_put_u16(at + 7, 65535);
    wire_put_u16(at + 11, 0x8000);
    return WIRE_HEADER_LEN + name_n + 4 + EDNS_OPT_LEN;
}

/* Answers with data count by their type, all others by what they are. */
static bool ask(struct answer_scratch *scratch, const struct snapshot *snapshot,
                const struct table_row *row, size_t type_at, struct worst *by_type,
                struct worst *by_kind)
{
    static uint8_t query[512], response[ANSWER_RESPONSE_MAX];
    struct answer_request request = {
        .query = query, .client = row->client, .transport = ANSWER_UDP, .now_wall_s = 1};
    struct answer_outcome outcome;
    struct worst *worst;
    size_t len, short_len;

    request.query_len = make_query(row, types[type_at].type, query);
    if (!request.query_len) {
        return true;
    }
    len = answer(scratch, snapshot, &request, response, sizeof(response), &outcome);
    worst = outcome.kind == ANSWER_POSITIVE || outcome.kind == ANSWER_GEO ? &by_type[type_at]
                                                                          : &by_kind[outcome.kind];
    if ((double)len / (double)request.query_len > worst->ratio) {
        worst->ratio = (double)len / (double)request.query_len;
        worst->query_len = request.query_len;
        worst->response_len = len;
        (void)name_to_text(query + WIRE_HEADER_LEN, worst->name);
    }
    short_len = admission_shorten(response, len, &outcome);
    if ((double)short_len / (double)request.query_len > worst->short_ratio) {
        worst->short_ratio = (double)short_len / (double)request.query_len;
    }
    /* an extended error is six bytes that the query did not have */
    return len <= EDNS_UDP_MAX && short_len <= request.query_len + EDNS_ERROR_LEN;
}

static void show(const char *what, const struct worst *worst)
{
    if (worst->response_len) {
        printf("%-10s %6.2f %6zu %6.2f  %s\n", what, worst->ratio, worst->response_len,
               worst->short_ratio, worst->name);
    }
}

int main(int argc, char **argv)
{
    struct answer_scratch *scratch = answer_scratch_new();
    struct worst by_type[TYPES] = {0}, by_kind[ANSWER_KINDS] = {0};
    static struct table_row row;
    struct world world;
    char path[4096];
    bool good = true;
    FILE *file;

    snprintf(path, sizeof(path), "%s/queries.txt", argc == 2 ? argv[1] : ".");
    file = fopen(path, "r");
    if (argc != 2 || !file || !scratch) {
        fprintf(stderr, "usage: amplification FOLDER\n");
        return 2;
    }
    world_open(&world, argv[1]);
    while (table_next(file, &row)) {
        for (size_t i = 0; i < TYPES; i++) {
            good &= ask(scratch, world.snapshot, &row, i, by_type, by_kind);
        }
    }
    printf("%-10s %6s %6s %6s  %s\n", "", "ratio", "bytes", "short", "name");
    for (size_t i = 0; i < TYPES; i++) {
        show(types[i].name, &by_type[i]);
    }
    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        show(answer_kind_name((enum answer_kind)kind), &by_kind[kind]);
    }
    world_close(&world);
    answer_scratch_free(scratch);
    fclose(file);
    return good ? 0 : 1;
}

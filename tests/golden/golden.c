/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runs the golden table against answer() in this process: every row of queries.txt, and for every
 * row what must hold for all responses. With --write-image PATH it writes the map of the test world
 * instead, for the run over a socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/answer/answer.h"
#include "edge/wire/edns.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"

#include "message.h"
#include "table.h"
#include "world.h"

static const char *const rcodes[16] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                       "NOTIMP",  "REFUSED", "YXDOMAIN", [9] = "NOTAUTH"};

static void show_record(const char *label, const struct table_record *record)
{
    char owner[NAME_TEXT_LEN];

    fprintf(stderr, "    %s %s %u CLASS%u TYPE%u \\# %zu ", label,
            name_to_text(record->owner, owner), record->ttl, record->class, record->type,
            record->rdata_len);
    for (size_t i = 0; i < record->rdata_len; i++) {
        fprintf(stderr, "%02x", record->rdata[i]);
    }
    fputc('\n', stderr);
}

static bool record_equal(const struct table_record *a, const struct table_record *b)
{
    uint8_t left[TABLE_RDATA_MAX], right[TABLE_RDATA_MAX];

    if (a->type != b->type || a->class != b->class || a->ttl != b->ttl ||
        a->rdata_len != b->rdata_len || !name_equal(a->owner, b->owner)) {
        return false;
    }
    if (a->type == WIRE_TYPE_TXT || a->type == WIRE_TYPE_A || a->type == WIRE_TYPE_AAAA) {
        return !memcmp(a->rdata, b->rdata, a->rdata_len);
    }
    name_fold(left, a->rdata, a->rdata_len); /* names in it may be in the query's case */
    name_fold(right, b->rdata, b->rdata_len);
    return !memcmp(left, right, a->rdata_len);
}

/* Marks the signatures over the set that `record` belongs to. */
static bool check_rrsig(const struct table_record *record, const struct table_list *got, bool *used)
{
    bool found = false;

    for (size_t k = 0; k < got->count; k++) {
        const struct table_record *rrsig = &got->records[k];

        if (rrsig->type == WIRE_TYPE_RRSIG && wire_get_u16(rrsig->rdata) == record->type &&
            rrsig->ttl == record->ttl && name_equal(rrsig->owner, record->owner)) {
            used[k] = found = true;
        }
    }
    return found;
}

static bool check_section(const struct table_list *wanted, const struct table_list *got)
{
    bool used[TABLE_RECORDS_MAX] = {false};
    bool good = true;

    for (size_t i = 0; i < wanted->count; i++) {
        size_t k = 0;

        while (k < got->count &&
               (used[k] || !record_equal(&wanted->records[i], &got->records[k]))) {
            k++;
        }
        if (k < got->count) {
            used[k] = true;
        } else {
            show_record("missing", &wanted->records[i]);
            good = false;
        }
        if (wanted->records[i].with_rrsig && !check_rrsig(&wanted->records[i], got, used)) {
            show_record("no RRSIG over", &wanted->records[i]);
            good = false;
        }
    }
    for (size_t k = 0; k < got->count; k++) {
        if (!used[k]) {
            show_record("not wanted", &got->records[k]);
            good = false;
        }
    }
    return good;
}

static bool expect(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "    %s\n", what);
    }
    return condition;
}

/* RFC 7871 section 7.2.1: the option comes back as it was sent, but for its scope. */
static bool check_ecs(const struct table_row *row, const struct message *message)
{
    size_t len = 0;
    const uint8_t *option = message_option(message, 8, &len);
    uint8_t sent[64];

    if (row->scope < 0) {
        return expect(!option, "there is an ECS option");
    }
    if (!option || len != row->ecs_len || !row->ecs) {
        return expect(false, option ? "ECS option of another length" : "no ECS option");
    }
    memcpy(sent, row->query + row->ecs_at, len);
    sent[3] = (uint8_t)row->scope;
    if (memcmp(sent, option, len) != 0) {
        fprintf(stderr, "    ECS differs: family %u source %u scope %u\n", wire_get_u16(option),
                option[2], option[3]);
        return false;
    }
    return true;
}

/* RFC 7873 section 5.2.3: the client's cookie comes back, with one of ours. */
static bool check_cookie(const struct table_row *row, const struct message *message)
{
    size_t len = 0;
    const uint8_t *option = message_option(message, 10, &len);

    if (!row->cookie || !option) {
        return expect(!row->cookie && !option, option ? "there is a cookie" : "no cookie");
    }
    return expect(len == 24 && option[8] == 1, "no server cookie of version 1") &&
           expect(!row->cookie_at || !memcmp(option, row->query + row->cookie_at, 8),
                  "another client cookie");
}

/* RFC 8914 and RFC 7828: what is expected, and nothing else. */
static bool check_hints(const struct table_row *row, const struct message *message)
{
    size_t error_len = 0, keepalive_len = 0, padding_len = 0;
    const uint8_t *error = message_option(message, 15, &error_len);
    const uint8_t *keepalive = message_option(message, 11, &keepalive_len);
    bool good = expect(
        row->error < 0 ? !error : error && error_len == 2 && wire_get_u16(error) == row->error,
        error ? "an extended error, or another one" : "no extended error");

    good &= expect(row->keepalive == (keepalive && keepalive_len == 2 && keepalive[1] == 100),
                   "keepalive");
    return good & expect(!message_option(message, 12, &padding_len), "padding");
}

static bool check_rcode(const struct table_row *row, const struct message *message)
{
    unsigned rcode = message->flags & 15u;

    if (message->has_opt && message->opt_ttl >> 24) {
        rcode += (message->opt_ttl >> 24) * 16;
        return expect((rcode == 16 && !strcmp(row->rcode, "BADVERS")) ||
                          (rcode == 23 && !strcmp(row->rcode, "BADCOOKIE")),
                      "extended rcode");
    }
    if (!rcodes[rcode] || strcmp(rcodes[rcode], row->rcode) != 0) {
        fprintf(stderr, "    rcode %u\n", rcode);
        return false;
    }
    return true;
}

static bool check_response(const struct table_row *row, const uint8_t *bytes, size_t len,
                           const struct answer_outcome *outcome)
{
    static struct message message;
    const char *wrong = message_parse(bytes, len, &message);
    bool good = true;

    if (wrong) {
        return expect(false, wrong);
    }
    good &= check_rcode(row, &message);
    good &= expect(!strcmp(answer_kind_name(outcome->kind), row->kind),
                   answer_kind_name(outcome->kind));
    good &= expect(outcome->truncated == ((message.flags & WIRE_FLAG_TC) != 0), "outcome: TC");
    good &= expect(wire_get_u16(row->query) == message.id, "id");
    good &= expect((message.flags & WIRE_FLAG_QR) != 0, "QR");
    good &= expect((message.flags & 0x00e0u) == 0, "RA, AD or Z is set");
    if ((message.flags & 0x0710u) != row->flags) {
        fprintf(stderr, "    flags %04x, expected %04x\n", message.flags & 0x0710u, row->flags);
        good = false;
    }
    good &= expect(row->tcp || len <= row->udp_limit, "longer than allowed");
    good &= expect(message.question_len == 0 ||
                       !memcmp(bytes + 12, row->query + 12, message.question_len),
                   "question not repeated byte for byte");
    good &= expect(message.has_opt == row->edns, row->edns ? "no OPT" : "unasked OPT");
    good &= expect(!message.has_opt || message.opt_size == EDNS_UDP_MAX, "our EDNS size");
    good &= check_ecs(row, &message);
    good &= check_cookie(row, &message);
    good &= check_hints(row, &message);
    for (unsigned s = 0; !row->any_records && s < TABLE_SECTIONS; s++) {
        good &= check_section(&row->sections[s], &message.sections[s]);
    }
    return good;
}

/* What goes over UDP goes over TCP, byte for byte, unless it was truncated or its additional
 * section found no room. */
static bool check_transports(struct answer_scratch *scratch, const struct snapshot *snapshot,
                             const struct table_row *row, struct answer_request *request,
                             const uint8_t *udp, size_t udp_len)
{
    static uint8_t tcp[ANSWER_RESPONSE_MAX];
    struct answer_outcome outcome;
    size_t counts_end = 10; /* of the header, up to NSCOUNT */
    size_t tcp_len;

    request->transport = ANSWER_TCP;
    tcp_len = answer(scratch, snapshot, request, tcp, sizeof(tcp), &outcome);
    if (udp_len == tcp_len) {
        return expect(!memcmp(udp, tcp, udp_len), "TCP says something else than UDP");
    }
    if (!expect(udp_len < tcp_len && tcp_len > row->udp_limit, "TCP says more than UDP")) {
        return false;
    }
    if (!expect((udp[3] & 15) == (tcp[3] & 15), "TCP has another rcode")) {
        return false;
    }
    return (udp[2] & 0x02) ||
           expect(!memcmp(udp, tcp, counts_end), "left out without TC, and not additional");
}

/* Rows answered one at a time, to be answered once more together. */
struct batch {
    unsigned n;
    struct answer_request requests[ANSWER_AHEAD];
    uint8_t *queries[ANSWER_AHEAD];
    uint8_t *responses[ANSWER_AHEAD];
    size_t lens[ANSWER_AHEAD];
};

static uint8_t *copy(const uint8_t *bytes, size_t len)
{
    uint8_t *own = malloc(len + 1);

    if (!own) {
        perror("golden");
        exit(2);
    }
    memcpy(own, bytes, len);
    return own;
}

/* Returns how many are answered differently in a batch. */
static unsigned batch_run(struct batch *batch, struct answer_scratch *scratch,
                          const struct snapshot *snapshot)
{
    static uint8_t bytes[ANSWER_RESPONSE_MAX];
    unsigned failed = 0;

    answer_read(scratch, snapshot, batch->requests, batch->n);
    for (unsigned i = 0; i < batch->n; i++) {
        struct answer_outcome outcome;
        size_t len = answer_write(scratch, i, bytes, sizeof(bytes), &outcome);

        failed += !expect(len == batch->lens[i] && !memcmp(bytes, batch->responses[i], len),
                          "another answer in a batch");
        free(batch->queries[i]);
        free(batch->responses[i]);
    }
    batch->n = 0;
    return failed;
}

static void batch_add(struct batch *batch, const struct answer_request *request,
                      const uint8_t *response, size_t len)
{
    unsigned i = batch->n++;

    batch->requests[i] = *request;
    batch->queries[i] = copy(request->query, request->query_len);
    batch->requests[i].query = batch->queries[i];
    batch->responses[i] = copy(response, len);
    batch->lens[i] = len;
}

static bool run_row(struct answer_scratch *scratch, const struct snapshot *snapshot,
                    const struct table_row *row, struct batch *batch)
{
    static uint8_t bytes[ANSWER_RESPONSE_MAX];
    struct answer_request request = {.query = row->query,
                                     .query_len = row->query_len,
                                     .client = row->client,
                                     .transport = row->tcp ? ANSWER_TCP : ANSWER_UDP,
                                     .tcp_idle_ds = 100};
    struct answer_outcome outcome;
    size_t len = answer(scratch, snapshot, &request, bytes, sizeof(bytes), &outcome);

    batch_add(batch, &request, bytes, len);
    if (row->dropped || len == 0) {
        return expect(row->dropped && len == 0 && outcome.kind == ANSWER_DROPPED,
                      len ? "answered" : "not answered");
    }
    return check_response(row, bytes, len, &outcome) &&
           (row->tcp || row->udp || check_transports(scratch, snapshot, row, &request, bytes, len));
}

static int run_table(const char *folder)
{
    struct answer_scratch *scratch = answer_scratch_new();
    static struct table_row row;
    static struct batch batch;
    struct world world;
    unsigned rows = 0, failed = 0;
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/queries.txt", folder);
    file = fopen(path, "r");
    if (!file || !scratch) {
        perror(path);
        return 2;
    }
    world_open(&world, folder);
    while (table_next(file, &row)) {
        rows++;
        if (!run_row(scratch, world.snapshot, &row, &batch)) {
            fprintf(stderr, "queries.txt:%u: %s\n", row.line, row.text);
            failed++;
        }
        if (batch.n == ANSWER_AHEAD) {
            failed += batch_run(&batch, scratch, world.snapshot);
        }
    }
    failed += batch_run(&batch, scratch, world.snapshot);
    world_close(&world);
    answer_scratch_free(scratch);
    fclose(file);
    printf("golden: %u queries, %u wrong\n", rows, failed);
    return failed || !rows;
}

static int ask(const char *folder)
{
    static uint8_t query[ANSWER_QUERY_MAX], bytes[ANSWER_RESPONSE_MAX];
    static char line[2 * ANSWER_QUERY_MAX + 2];
    struct answer_scratch *scratch = answer_scratch_new();
    struct world world;

    world_open(&world, folder);
    while (scratch && fgets(line, sizeof(line), stdin)) {
        struct answer_request request = {
            .query = query, .client = {ADDRESS_IPV4, {127, 0, 0, 1}}, .transport = ANSWER_UDP};
        struct answer_outcome outcome;
        size_t len;

        request.query_len = table_hex(line, query, sizeof(query));
        len = answer(scratch, world.snapshot, &request, bytes, sizeof(bytes), &outcome);
        for (size_t i = 0; i < len; i++) {
            printf("%02x", bytes[i]);
        }
        printf("\n");
        fflush(stdout);
    }
    world_close(&world);
    answer_scratch_free(scratch);
    return 0;
}

static int write_image(const char *path)
{
    size_t len;
    uint8_t *bytes = world_image_bytes(&len);
    FILE *file = fopen(path, "wb");
    int status = !file || fwrite(bytes, 1, len, file) != len;

    if (file && fclose(file)) {
        status = 1;
    }
    free(bytes);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--write-image")) {
        return write_image(argv[2]);
    }
    if (argc == 3 && !strcmp(argv[1], "--ask")) {
        return ask(argv[2]);
    }
    if (argc != 2) {
        fprintf(stderr, "usage: golden FOLDER | golden --ask FOLDER | golden --write-image PATH\n");
        return 2;
    }
    return run_table(argv[1]);
}

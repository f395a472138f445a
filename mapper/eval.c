/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/eval.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "mapper/csv.h"
#include "mapper/line_stream.h"
#include "maps/select_core.h"

#define EVAL_HARM_MS 5.0
#define EVAL_NEAR_MS 5.0

struct eval_client {
    float loss_ms;
    float baseline_ms; /* its loss */
    float demand;
    uint8_t group;
};

enum eval_group {
    GROUP_MEASURED, /* nothing was kept back */
    GROUP_HELD_OUT,
    GROUPS,
    GROUP_ALL = GROUPS,
};

static const char *const group_names[] = {"measured", "held out", "all"};

struct eval {
    const struct eval_options *options;
    FILE *out;
    struct failure *failure;
    const struct image *image[2]; /* judged, baseline or NULL */
    const struct map_entry *map[2];
    int column_client;
    int column_demand;
    int column_held_out;
    int column_pop[2][MAP_MAX_POPS]; /* by PoP id of each image; -1 none */
    struct eval_client *client;
    size_t n;
    size_t capacity;
};

static int row_fail(const struct eval *eval, uint64_t line, size_t column, const char *reason,
                    const char *what)
{
    return failure_set(eval->failure, -EINVAL, "%s:%" PRIu64 ":%zu: %s%s%.60s",
                       eval->options->truth, line, column, reason, what ? ": " : "",
                       what ? what : "");
}

static int header_read(struct eval *eval, uint64_t line, const struct csv_field *fields, size_t n)
{
    size_t found = 0;

    eval->column_client = csv_find(fields, n, "client");
    eval->column_demand = csv_find(fields, n, "demand");
    eval->column_held_out = csv_find(fields, n, "held_out");
    for (int i = 0; i < 2 && eval->image[i]; i++) {
        for (uint32_t pop = 0; pop < image_pop_count(eval->image[i]); pop++) {
            eval->column_pop[i][pop] = csv_find(fields, n, image_pop(eval->image[i], pop)->name);
            found += eval->column_pop[i][pop] >= 0;
        }
    }
    if (eval->column_client < 0 || found == 0) {
        return row_fail(eval, line, 1, "the header needs client and names of PoPs", NULL);
    }
    return 0;
}

/* The RTT of a PoP in this row; false when the row has none. */
static bool rtt_get(const struct eval *eval, int which, uint8_t pop, const struct csv_field *fields,
                    int n, double *ret_ms)
{
    int column = eval->column_pop[which][pop];

    return column >= 0 && column < n &&
           number_parse_double(fields[column].text, fields[column].len, 0, 1e6, ret_ms) == 0;
}

/* Where the image sends a client: the PoP the servers would pick with every PoP up. */
static uint8_t pop_pick(const struct eval *eval, int which, const struct map_address *address)
{
    struct map_client client = {.ecs = *address, .source.family = MAP_ADDRESS_NONE};
    const struct map_entry *map = eval->map[which];
    struct map_verdict verdict;

    map_decide(image_region(eval->image[which]), map, image_records_block(eval->image[which]),
               &client, &verdict);
    for (uint32_t i = 0; i < MAP_RECORD_POPS + map->tail_n; i++) {
        uint8_t pop = map_candidate(verdict.record.pops, map->tail, i);

        if (pop != MAP_POP_NONE) {
            return pop;
        }
    }
    return MAP_POP_NONE;
}

static int loss_find(const struct eval *eval, int which, const struct map_address *address,
                     uint64_t line, const struct csv_field *fields, int n, float *ret_loss_ms)
{
    const struct map_entry *map = eval->map[which];
    uint8_t pick = pop_pick(eval, which, address);
    double best = 1e9;
    double ms;

    for (uint32_t i = 0; i < map->tail_n; i++) {
        if (rtt_get(eval, which, map->tail[i], fields, n, &ms) && ms < best) {
            best = ms;
        }
    }
    if (pick == MAP_POP_NONE || !rtt_get(eval, which, pick, fields, n, &ms)) {
        return row_fail(eval, line, 1, "no RTT for the PoP this client is sent to",
                        pick == MAP_POP_NONE ? NULL : image_pop(eval->image[which], pick)->name);
    }
    *ret_loss_ms = (float)(ms - best);
    return 0;
}

static int client_push(struct eval *eval, const struct eval_client *client)
{
    if (eval->n == eval->capacity) {
        size_t capacity = eval->capacity ? eval->capacity * 2 : 4096;
        struct eval_client *grown = realloc(eval->client, capacity * sizeof(*grown));

        if (!grown) {
            return failure_set(eval->failure, -ENOMEM, "out of memory");
        }
        eval->client = grown;
        eval->capacity = capacity;
    }
    eval->client[eval->n++] = *client;
    return 0;
}

static int row_read(struct eval *eval, uint64_t line, const struct csv_field *fields, int n)
{
    struct eval_client client = {.demand = 1};
    struct map_address address;
    struct prefix prefix;
    double demand = 1;
    int err;

    if (n <= eval->column_client ||
        prefix_parse(fields[eval->column_client].text, false, &prefix) != 0) {
        return row_fail(eval, line,
                        n > eval->column_client ? fields[eval->column_client].column : 1,
                        "client is not an address or prefix", NULL);
    }
    if (eval->column_demand >= 0 && eval->column_demand < n &&
        number_parse_double(fields[eval->column_demand].text, fields[eval->column_demand].len, 0,
                            1e15, &demand) != 0) {
        return row_fail(eval, line, fields[eval->column_demand].column, "demand is not a number",
                        NULL);
    }
    image_address_from(&prefix.address, &address);
    client.demand = (float)demand;
    client.group =
        eval->column_held_out >= 0 && eval->column_held_out < n && fields[eval->column_held_out].len
            ? GROUP_HELD_OUT
            : GROUP_MEASURED;
    err = loss_find(eval, 0, &address, line, fields, n, &client.loss_ms);
    if (!err && eval->image[1]) {
        err = loss_find(eval, 1, &address, line, fields, n, &client.baseline_ms);
    }
    return err ? err : client_push(eval, &client);
}

static int truth_read(struct eval *eval)
{
    struct csv_field fields[CSV_MAX_FIELDS];
    struct line_stream *stream;
    bool first = true;
    struct line line;
    int err = line_stream_open(eval->options->truth, &stream, eval->failure);

    if (err) {
        return err;
    }
    while ((err = line_stream_next(stream, &line, eval->failure)) == 1) {
        int n = line.too_long ? -1 : csv_split(line.text, line.len, fields);

        if (n < 0) {
            err = row_fail(eval, line.number, 1, "not a row of comma-separated values", NULL);
        } else {
            err = first ? header_read(eval, line.number, fields, (size_t)n)
                        : row_read(eval, line.number, fields, n);
        }
        if (err) {
            break;
        }
        first = false;
    }
    line_stream_close(stream);
    return err;
}

struct eval_figures {
    size_t clients;
    double mean_ms;
    double p95_ms;
    double p99_ms;
    double near_percent; /* within EVAL_NEAR_MS of the best */
    double baseline_ms;  /* its mean loss */
    double harm_percent; /* more than EVAL_HARM_MS worse than the baseline */
};

static int loss_order(const void *left, const void *right)
{
    const struct eval_client *a = left;
    const struct eval_client *b = right;

    return a->loss_ms < b->loss_ms ? -1 : a->loss_ms > b->loss_ms;
}

/* Over clients sorted by loss. */
static struct eval_figures figures_of(const struct eval *eval, int group)
{
    struct eval_figures figures = {0};
    double total = 0;
    double passed = 0;

    for (size_t i = 0; i < eval->n; i++) {
        const struct eval_client *client = &eval->client[i];

        if (group == GROUP_ALL || client->group == group) {
            double demand = (double)client->demand;

            figures.clients++;
            total += demand;
            figures.mean_ms += demand * (double)client->loss_ms;
            figures.near_percent += (double)client->loss_ms <= EVAL_NEAR_MS ? 100 * demand : 0;
            figures.baseline_ms += demand * (double)client->baseline_ms;
            figures.harm_percent +=
                (double)client->loss_ms > (double)client->baseline_ms + EVAL_HARM_MS ? 100 * demand
                                                                                     : 0;
        }
    }
    for (size_t i = 0; i < eval->n && total > 0; i++) {
        const struct eval_client *client = &eval->client[i];

        if (group == GROUP_ALL || client->group == group) {
            double before = passed;

            passed += (double)client->demand;
            if (before < 0.95 * total && passed >= 0.95 * total) {
                figures.p95_ms = (double)client->loss_ms;
            }
            if (before < 0.99 * total && passed >= 0.99 * total) {
                figures.p99_ms = (double)client->loss_ms;
            }
        }
    }
    if (total > 0) {
        figures.mean_ms /= total;
        figures.near_percent /= total;
        figures.baseline_ms /= total;
        figures.harm_percent /= total;
    }
    return figures;
}

static void figures_print(const struct eval *eval, const char *name,
                          const struct eval_figures *figures)
{
    json_t *object;

    if (!eval->options->json) {
        (void)fprintf(eval->out,
                      "%-9s %8zu clients  mean loss %6.2f ms  p95 %6.1f  p99 %6.1f  "
                      "within 5 ms %5.1f %%",
                      name, figures->clients, figures->mean_ms, figures->p95_ms, figures->p99_ms,
                      figures->near_percent);
        if (eval->image[1]) {
            (void)fprintf(eval->out, "  baseline %6.2f ms, worse than it for %.1f %%",
                          figures->baseline_ms, figures->harm_percent);
        }
        (void)fputc('\n', eval->out);
        return;
    }
    object = json_pack("{s:s, s:I, s:f, s:f, s:f, s:f}", "group", name, "clients",
                       (json_int_t)figures->clients, "mean_loss_ms", figures->mean_ms,
                       "p95_loss_ms", figures->p95_ms, "p99_loss_ms", figures->p99_ms,
                       "within_5_ms_percent", figures->near_percent);
    if (object && eval->image[1]) {
        (void)json_object_set_new(object, "baseline_mean_loss_ms", json_real(figures->baseline_ms));
        (void)json_object_set_new(object, "harm_percent", json_real(figures->harm_percent));
    }
    (void)json_dumpf(object, eval->out, JSON_COMPACT | JSON_REAL_PRECISION(6));
    (void)fputc('\n', eval->out);
    json_decref(object);
}

static int maps_find(struct eval *eval)
{
    for (int i = 0; i < 2 && eval->image[i]; i++) {
        int map = eval->options->map ? image_find_map(eval->image[i], eval->options->map) : 0;

        if (map < 0) {
            return failure_set(eval->failure, -ENOENT, "%s: no map \"%s\"",
                               image_path(eval->image[i]), eval->options->map);
        }
        eval->map[i] = image_map(eval->image[i], (uint32_t)map);
    }
    return 0;
}

int eval_run(const struct image *image, const struct image *baseline,
             const struct eval_options *options, FILE *out, struct failure *failure)
{
    struct eval eval = {
        .options = options, .out = out, .failure = failure, .image = {image, baseline}};
    int err = maps_find(&eval);

    err = err ? err : truth_read(&eval);
    if (!err && eval.n == 0) {
        err = failure_set(failure, -EINVAL, "%s: holds no client", options->truth);
    }
    if (!err) {
        qsort(eval.client, eval.n, sizeof(*eval.client), loss_order);
        for (int group = 0; group <= GROUP_ALL; group++) {
            struct eval_figures figures = figures_of(&eval, group);

            if (figures.clients) {
                figures_print(&eval, group_names[group], &figures);
            }
        }
        err = ferror(out) ? failure_set(failure, -EIO, "cannot write") : 0;
    }
    free(eval.client);
    return err;
}

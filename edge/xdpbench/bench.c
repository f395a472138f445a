/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/xdpbench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/daemon/fast_listen.h"
#include "edge/daemon/publisher.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "xdp/xdp_publish.h"

#define TEMPLATE_BLOCKS_MOST (1u << 20) /* 4 GiB, unless configured */
#define QUERIES_MAX 4000000u
#define MISS_BYTES ((size_t)256 << 20)
#define PIN_FOLDER "/sys/fs/bpf/isochrone-bench-"

struct bench {
    const struct bench_options *options;
    struct bench_result *result;
    struct failure *failure;
    struct publisher *publisher;
    struct queries queries;
    struct template_table *templates;
    struct fast_policy policy;
    struct mix_target target;
    struct xdp_path *path;
    struct packet_bench *packets;
    char folder[sizeof(PIN_FOLDER) + 16];
};

/* --- what would be published --- */

static int read_names(const struct bench *bench, enum config_xdp_names *ret_names)
{
    static const char *const texts[] = {
        [CONFIG_XDP_SERVICES] = "services", [CONFIG_XDP_ALL] = "all", [CONFIG_XDP_HOT] = "hot"};
    const struct config_xdp *xdp = &bench->publisher->started->xdp;

    *ret_names = xdp->on ? xdp->names : CONFIG_XDP_ALL;
    for (unsigned i = 0; bench->options->names && i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!strcmp(texts[i], bench->options->names)) {
            *ret_names = (enum config_xdp_names)i;
            return 0;
        }
    }
    return bench->options->names
               ? failure_set(bench->failure, -EINVAL, "\"%s\": names are services, hot or all",
                             bench->options->names)
               : 0;
}

/* The question of a plain query, for what would have been counted as hot. */
static bool read_question(const struct queries *queries, const struct query_bytes *query,
                          struct render_question *ret_question)
{
    const uint8_t *bytes = queries->bytes + query->at;
    size_t at = WIRE_HEADER_LEN;

    while (at < query->len && bytes[at] != 0) {
        if (bytes[at] > NAME_LABEL_LEN_MAX) {
            return false;
        }
        at += 1u + bytes[at];
    }
    if (at + 5 > query->len || at - WIRE_HEADER_LEN >= NAME_LEN_MAX) {
        return false;
    }
    ret_question->name = bytes + WIRE_HEADER_LEN;
    ret_question->qtype = (uint16_t)(bytes[at + 1] << 8 | bytes[at + 2]);
    return true;
}

static int render_with(struct bench *bench, struct render_request *request,
                       struct render_question *hot)
{
    const struct config_xdp *xdp = &bench->publisher->started->xdp;
    size_t hot_max = xdp->on && xdp->hot_names ? xdp->hot_names : SIZE_MAX;
    int64_t start = clock_monotonic_ns();
    int error;

    for (size_t i = 0; hot && i < bench->queries.ranking_n && request->hot_n < hot_max; i++) {
        const struct query_bytes *query = &bench->queries.list[bench->queries.ranking[i]];

        request->hot_n += read_question(&bench->queries, query, &hot[request->hot_n]);
    }
    error = render_templates(request, &bench->templates, &bench->result->rendered, bench->failure);
    bench->result->render_ns = clock_monotonic_ns() - start;
    return error;
}

static int render(struct bench *bench)
{
    static const enum render_mode modes[] = {[CONFIG_XDP_SERVICES] = RENDER_SERVICES,
                                             [CONFIG_XDP_ALL] = RENDER_ALL,
                                             [CONFIG_XDP_HOT] = RENDER_HOT};
    const struct config_xdp *xdp = &bench->publisher->started->xdp;
    struct render_question *hot = NULL;
    enum config_xdp_names names;
    int error = read_names(bench, &names);

    if (error == 0 && names == CONFIG_XDP_HOT) {
        hot = calloc(bench->queries.ranking_n, sizeof(*hot));
        error = hot ? 0 : failure_set(bench->failure, -ENOMEM, "out of memory");
    }
    if (error == 0) {
        struct render_request request = {
            .snapshot = bench->publisher->current,
            .mode = modes[names],
            .hot = hot,
            .block_max = xdp->on && xdp->templates_mb ? xdp->templates_mb * 256u /* of 4 KiB */
                                                      : TEMPLATE_BLOCKS_MOST,
            .seed = bench->options->seed,
        };
        error = render_with(bench, &request, hot);
    }
    free(hot);
    return error;
}

static int open_publisher(struct bench *bench)
{
    struct report report = {0};
    struct config *config;
    int error = config_load(bench->options->config, &config, bench->failure);

    if (error < 0) {
        return error;
    }
    /* as a server that is to take another's place: whatever is wrong is a reason not to */
    error = publisher_open(config, PUBLISHER_REPLACE, &bench->publisher, &report);
    for (size_t i = 0; error < 0 && i + 1 < report.kept; i++) {
        log_error("%s", report.texts[i]);
    }
    if (error < 0) {
        failure_set(bench->failure, error, "%s",
                    report.kept ? report.texts[report.kept - 1] : strerror(-error));
    }
    report_done(&report);
    return error;
}

/* The first address of a family. Where all are listened on, one for documentation stands for
 * them. */
static void choose_target(const struct bench *bench, const struct address *own, size_t own_n,
                          struct mix_target *ret_target)
{
    const struct config *config = bench->publisher->started;

    *ret_target = (struct mix_target){0};
    for (size_t i = 0; i < config->listen_n; i++) {
        const struct endpoint *listen = &config->listen[i];
        struct endpoint *target =
            listen->address.family == ADDRESS_IPV4 ? &ret_target->ipv4 : &ret_target->ipv6;
        bool wild = fast_listen_is_wild(listen, 1);

        if (target->address.family != ADDRESS_NONE) {
            continue;
        }
        *target = *listen;
        for (size_t j = 0; wild && j < own_n; j++) {
            if (own[j].family == listen->address.family) {
                target->address = own[j];
            }
        }
    }
}

static void make_policy(struct bench *bench)
{
    static const struct address own[] = {
        {ADDRESS_IPV4, {192, 0, 2, 53}}, /* RFC 5737, RFC 3849 */
        {ADDRESS_IPV6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53}}};
    const struct snapshot *snapshot = bench->publisher->current;
    const struct config *config = bench->publisher->started;

    bench->policy.nsid_len = snapshot->identity_len;
    memcpy(bench->policy.nsid, snapshot->info.identity, snapshot->identity_len);
    bench->policy.cookies = snapshot->info.cookies;
    (void)fast_listen(config->listen, config->listen_n, own, sizeof(own) / sizeof(own[0]),
                      &bench->policy);
    choose_target(bench, own, sizeof(own) / sizeof(own[0]), &bench->target);
}

static int publish(struct bench *bench)
{
    const struct snapshot *snapshot = bench->publisher->current;
    const struct xdp_publication publication = {
        .templates = bench->templates,
        .image = snapshot->image,
        .states = (const struct fast_state *)(const void *)snapshot->states->tables,
        .service_n = snapshot->states->service_n,
        .policy = &bench->policy,
    };
    struct xdp_published published = {0};
    int error = xdp_path_publish(bench->path, &publication, &published, bench->failure);

    bench->result->publish_ns = published.took_ns;
    bench->result->left_out = published.left_out;
    return error;
}

/* A program and tables of our own, pinned where no server looks. */
static int open_path(struct bench *bench)
{
    const struct image *image = bench->publisher->current->image;
    struct xdp_settings settings = {
        .mode = XDP_MODE_AUTO,
        .pin_folder = bench->folder,
        .image_blocks = image ? image_region(image)->block_n : 1,
        .services = bench->publisher->current->states->service_n,
    };
    int error;

    settings.services += settings.services == 0;
    (void)template_table_blocks(bench->templates, &settings.template_blocks);
    snprintf(bench->folder, sizeof(bench->folder), PIN_FOLDER "%ld", (long)getpid());
    bench->result->image_blocks = settings.image_blocks;
    error = xdp_path_open(&settings, &bench->path, bench->failure);
    if (error == 0) {
        error = publish(bench);
    }
    if (error == 0) {
        error = packet_bench_open_pinned(bench->folder, bench->options->packet_n, &bench->packets,
                                         bench->failure);
    }
    return error;
}

/* --- measuring --- */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof(*values), compare_doubles);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static void summarize(const struct packet_bench_times *rounds, uint32_t n,
                      struct bench_times *times, double *ret_whole)
{
    double values[BENCH_ROUNDS_MAX];

    for (uint32_t i = 0; i < n; i++) {
        values[i] = rounds[i].p50;
    }
    times->p50 = median(values, n);
    for (uint32_t i = 0; i < n; i++) {
        values[i] = rounds[i].p99;
    }
    times->p99 = median(values, n);
    for (uint32_t i = 0; i < n; i++) {
        values[i] = rounds[i].whole;
    }
    *ret_whole = median(values, n);
    for (uint32_t i = 0; i < n; i++) {
        values[i] = rounds[i].mean;
    }
    times->mean = median(values, n);
    times->mean_least = values[0];
    times->mean_most = values[n - 1];
}

static void subtract_counters(struct fast_counters *counters, const struct fast_counters *before)
{
    uint64_t *sums = (uint64_t *)counters;
    const uint64_t *less = (const uint64_t *)before;

    for (size_t i = 0; i < sizeof(*counters) / sizeof(*sums); i++) {
        sums[i] -= less[i];
    }
}

/* A pass in each round by each program in turn, so that what changes on the machine changes for all
 * of them. */
static int measure(struct bench *bench, struct bench_mix *mix)
{
    static struct packet_bench_times rounds[PACKET_BENCH_PROGRAMS][BENCH_ROUNDS_MAX];
    uint32_t round_n = bench->options->round_n;
    struct packet_bench_times warm;
    struct xdp_status before;
    struct xdp_status after;
    int error = xdp_path_beat(bench->path, clock_wall_s());

    error = error ? error
                  : packet_bench_pass(bench->packets, PACKET_BENCH_ANSWER, mix->packet_n, &warm,
                                      bench->failure);
    xdp_path_status(bench->path, &before);
    for (uint32_t round = 0; error == 0 && round < round_n; round++) {
        for (unsigned program = 0; error == 0 && program < PACKET_BENCH_PROGRAMS; program++) {
            error = xdp_path_beat(bench->path, clock_wall_s());
            error = error
                        ? error
                        : packet_bench_pass(bench->packets, (enum packet_bench_program)program,
                                            mix->packet_n, &rounds[program][round], bench->failure);
            mix->disturbed_n += rounds[program][round].disturbed_n;
        }
        mix->run_n += mix->packet_n;
    }
    xdp_path_status(bench->path, &after);
    mix->counters = after.counters;
    subtract_counters(&mix->counters, &before.counters);
    for (unsigned program = 0; error == 0 && program < PACKET_BENCH_PROGRAMS; program++) {
        summarize(rounds[program], round_n, &mix->times[program], &mix->whole[program]);
    }
    mix->measured = error == 0;
    return error;
}

static int measure_mix(struct bench *bench, enum mix which)
{
    struct bench_mix *mix = &bench->result->mixes[which];
    int64_t passed_over =
        mix_fill(which, &bench->queries, &bench->target, bench->options->seed,
                 packet_bench_packets(bench->packets), bench->options->packet_n, bench->failure);

    if (passed_over < 0) {
        return (int)passed_over;
    }
    mix->packet_n = bench->options->packet_n;
    mix->passed_over_n = (uint64_t)passed_over;
    return measure(bench, mix);
}

static int run(struct bench *bench)
{
    const struct queries_options queries = {
        .path = bench->options->queries,
        .flags = bench->options->flags,
        .port = bench->options->port,
        .max = QUERIES_MAX,
    };
    int error = queries_read(&queries, &bench->queries, bench->failure);

    error = error ? error : open_publisher(bench);
    error = error ? error : render(bench);
    if (error < 0) {
        return error;
    }
    bench->result->query_n = bench->queries.n;
    bench->result->distinct_n = bench->queries.ranking_n;
    bench->result->left_out_n = bench->queries.left_out_n;
    make_policy(bench);
    error = open_path(bench);
    if (error < 0) {
        return error;
    }
    bench->result->miss_ns = packet_bench_miss_ns(MISS_BYTES);
    for (unsigned which = 0; error == 0 && which < MIXES; which++) {
        if (bench->options->mixes[which]) {
            error = measure_mix(bench, (enum mix)which);
        }
    }
    return error;
}

int bench_run(const struct bench_options *options, struct bench_result *ret_result,
              struct failure *failure)
{
    struct bench bench = {.options = options, .result = ret_result, .failure = failure};
    int error;

    *ret_result = (struct bench_result){0};
    error = run(&bench);
    packet_bench_close(bench.packets);
    xdp_path_close(bench.path, true);
    if (*bench.folder) {
        (void)rmdir(bench.folder); /* where it could not be opened */
    }
    template_table_free(bench.templates);
    publisher_free(bench.publisher);
    queries_done(&bench.queries);
    explicit_bzero(&bench.policy.cookies, sizeof(bench.policy.cookies));
    return error;
}

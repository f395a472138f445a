/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/xdpbench/report.h"

#include <stdio.h>

#include <jansson.h>

#include "base/log.h"
#include "edge/daemon/fast_words.h"
#include "xdp/xdp_publish.h"

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static uint64_t asked(const struct bench_mix *mix)
{
    return fast_answered(&mix->counters) + fast_passed(&mix->counters) +
           mix->counters.passed[FAST_PASS_NOT_DNS];
}

/* Over the empty program. */
static double net(const struct bench_mix *mix, double figure)
{
    return figure - mix->times[PACKET_BENCH_EMPTY].mean;
}

static void table_tables(const struct bench_result *result)
{
    const struct template_counts *counts = &result->rendered.counts;

    printf("tables     %llu static and %llu geo templates in %llu blocks, map in %u blocks of 4096 "
           "bytes\n",
           (unsigned long long)counts->static_n, (unsigned long long)counts->geo_n,
           (unsigned long long)counts->block_n, result->image_blocks);
    printf("           rendered in %.0f ms, published in %.0f ms\n",
           (double)result->render_ns / 1e6, (double)result->publish_ns / 1e6);
    if (counts->left_out_n || result->left_out) {
        printf("           %llu templates and what is numbered %u did not fit: passed up\n",
               (unsigned long long)counts->left_out_n, result->left_out);
    }
    printf("memory     a load that misses every cache costs %.0f ns here\n", result->miss_ns);
}

static void table_times(const struct bench_result *result)
{
    printf(
        "\nnanoseconds per query over an empty program, medians of the rounds\n"
        "| mix | answered | mean | rounds | p50 | p99 | reflector | empty | making the packet |\n"
        "|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned i = 0; i < MIXES; i++) {
        const struct bench_mix *mix = &result->mixes[i];
        const struct bench_times *answer = &mix->times[PACKET_BENCH_ANSWER];

        if (!mix->measured) {
            continue;
        }
        printf("| %s | %.2f %% | %.0f | %.0f..%.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n",
               mix_name((enum mix)i), percent(fast_answered(&mix->counters), asked(mix)),
               net(mix, answer->mean), net(mix, answer->mean_least), net(mix, answer->mean_most),
               net(mix, answer->p50), net(mix, answer->p99),
               net(mix, mix->times[PACKET_BENCH_REFLECTOR].mean),
               mix->times[PACKET_BENCH_EMPTY].mean, mix->whole[PACKET_BENCH_ANSWER] - answer->mean);
    }
}

static void table_passed(const struct bench_result *result)
{
    printf("\n| mix | passed up | share | |\n|---|---|---|---|\n");
    for (unsigned i = 0; i < MIXES; i++) {
        const struct bench_mix *mix = &result->mixes[i];

        for (unsigned reason = 0; mix->measured && reason < FAST_PASS_REASONS; reason++) {
            if (mix->counters.passed[reason]) {
                printf("| %s | %s | %.2f %% | %s |\n", mix_name((enum mix)i),
                       fast_reason_name((enum fast_reason)reason),
                       percent(mix->counters.passed[reason], asked(mix)),
                       fast_reason_text((enum fast_reason)reason));
            }
        }
        if (mix->passed_over_n) {
            log_warning("%s: %llu queries are of a family that is not listened on: left out",
                        mix_name((enum mix)i), (unsigned long long)mix->passed_over_n);
        }
        if (mix->disturbed_n * 1000 > mix->run_n) {
            log_warning("%s: %llu runs were interrupted by something else: left out",
                        mix_name((enum mix)i), (unsigned long long)mix->disturbed_n);
        }
    }
}

void report_table(const struct bench_options *options, const struct bench_result *result)
{
    printf("queries    %s: %llu, of them %llu distinct, %llu left out; %u packets in each mix, %u "
           "rounds\n",
           options->queries, (unsigned long long)result->query_n,
           (unsigned long long)result->distinct_n, (unsigned long long)result->left_out_n,
           options->packet_n, options->round_n);
    table_tables(result);
    table_times(result);
    table_passed(result);
}

static json_t *json_times(const struct bench_mix *mix, enum packet_bench_program program)
{
    const struct bench_times *times = &mix->times[program];

    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f}", "mean_ns", times->mean, "mean_least_ns",
                     times->mean_least, "mean_most_ns", times->mean_most, "p50_ns", times->p50,
                     "p99_ns", times->p99, "with_packet_ns", mix->whole[program]);
}

static json_t *json_mix(const struct bench_mix *mix)
{
    json_t *passed = json_object();
    json_t *answered = json_object();

    for (unsigned i = 0; i < FAST_PASS_REASONS; i++) {
        if (mix->counters.passed[i]) {
            json_object_set_new(passed, fast_reason_name((enum fast_reason)i),
                                json_real(percent(mix->counters.passed[i], asked(mix)) / 100));
        }
    }
    for (unsigned i = 0; i < FAST_ANSWERS; i++) {
        json_object_set_new(answered, fast_answer_name((enum fast_answer)i),
                            json_real(percent(mix->counters.answered[i], asked(mix)) / 100));
    }
    return json_pack(
        "{s:I,s:I,s:I,s:f,s:o,s:o,s:o,s:o,s:o,s:f,s:f,s:f}", "packets", (json_int_t)mix->packet_n,
        "runs", (json_int_t)mix->run_n, "interrupted", (json_int_t)mix->disturbed_n,
        "answered_share", percent(fast_answered(&mix->counters), asked(mix)) / 100, "answered",
        answered, "passed", passed, "empty", json_times(mix, PACKET_BENCH_EMPTY), "reflector",
        json_times(mix, PACKET_BENCH_REFLECTOR), "answer", json_times(mix, PACKET_BENCH_ANSWER),
        "ns", net(mix, mix->times[PACKET_BENCH_ANSWER].mean), "p50_ns",
        net(mix, mix->times[PACKET_BENCH_ANSWER].p50), "p99_ns",
        net(mix, mix->times[PACKET_BENCH_ANSWER].p99));
}

void report_json(const struct bench_options *options, const struct bench_result *result)
{
    const struct template_counts *counts = &result->rendered.counts;
    json_t *mixes = json_object();
    json_t *root;

    for (unsigned i = 0; i < MIXES; i++) {
        if (result->mixes[i].measured) {
            json_object_set_new(mixes, mix_name((enum mix)i), json_mix(&result->mixes[i]));
        }
    }
    root = json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:f,s:{s:I,s:I,s:I,s:I,s:I,s:f,s:f},s:o}", "path",
                     "packets", "queries_file", options->queries, "queries",
                     (json_int_t)result->query_n, "distinct", (json_int_t)result->distinct_n,
                     "left_out", (json_int_t)result->left_out_n, "rounds",
                     (json_int_t)options->round_n, "miss_ns", result->miss_ns, "tables", "static",
                     (json_int_t)counts->static_n, "geo", (json_int_t)counts->geo_n, "left_out",
                     (json_int_t)counts->left_out_n, "template_blocks", (json_int_t)counts->block_n,
                     "image_blocks", (json_int_t)result->image_blocks, "render_ms",
                     (double)result->render_ns / 1e6, "publish_ms",
                     (double)result->publish_ns / 1e6, "mixes", mixes);
    if (root) {
        json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(root);
    }
}

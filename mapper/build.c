/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/build.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "mapper/ingest.h"
#include "maps/image.h"

/* Everything read and made on the way, freed together. */
struct build {
    const struct config *config;
    const struct build_options *options;
    struct build_report *report;
    struct failure *failure;
    struct overrides overrides;
    struct geo geo;
    struct asn_table asn;
    struct cell_table cells;
    struct infer *infer;
    struct image_builder *builder;
};

static void stage_show(const struct build *build, const char *stage)
{
    if (build->options->progress) {
        (void)fprintf(stderr, "\r\033[K%s", stage);
        (void)fflush(stderr);
    }
}

static int bad_rows_check(const struct build *build)
{
    const struct samples_report *samples = &build->report->samples;
    double allowed = build->options->max_bad_percent < 0 ? build->config->max_bad_percent
                                                         : build->options->max_bad_percent;
    uint64_t bad = samples_report_bad(samples);
    double percent = samples->rows ? 100.0 * (double)bad / (double)samples->rows : 0;

    if (percent <= allowed) {
        return 0;
    }
    return failure_set(build->failure, -EINVAL,
                       "%s (%.1f %% of %llu rows are bad, %.1f %% allowed)", samples->notes[0],
                       percent, (unsigned long long)samples->rows, allowed);
}

/* Given, else the newest row's time, else one more than the previous image's: no clock, so that
 * equal input gives equal bytes. */
static int generation_find(struct build *build)
{
    struct build_report *report = build->report;
    struct image *previous = NULL;

    if (build->config->previous) {
        int err = image_open(build->config->previous, &previous, build->failure);

        if (err && err != -ENOENT) { /* the first build has none */
            return err;
        }
    }
    if (previous) {
        report->parent_generation = image_header(previous)->generation;
        image_unref(previous);
    }
    report->generation = build->options->as_of_s    ? build->options->as_of_s
                         : report->samples.newest_s ? report->samples.newest_s
                                                    : report->parent_generation + 1;
    return 0;
}

static int inputs_read(struct build *build)
{
    const struct config *config = build->config;
    unsigned threads = build->options->threads;
    int err = overrides_load(config, &build->overrides, build->failure);

    stage_show(build, "reading geography");
    err = err ? err : geo_load(config, threads, &build->geo, build->failure);
    stage_show(build, "reading origin ASes");
    err = err ? err : asn_load(config, &build->asn, build->failure);
    stage_show(build, "reading measurements");
    err = err ? err
              : ingest_run(config, &build->geo, threads, build->options->progress, &build->cells,
                           &build->report->samples, build->failure);
    err = err ? err : bad_rows_check(build);
    return err ? err : generation_find(build);
}

static int image_compile(struct build *build)
{
    struct compile_input input = {.config = build->config,
                                  .geo = &build->geo,
                                  .asn = &build->asn,
                                  .overrides = &build->overrides,
                                  .cells = &build->cells,
                                  .generation = build->report->generation,
                                  .threads = build->options->threads};

    stage_show(build, "estimating");
    if (infer_fit(build->config, &build->geo, &build->asn, &build->cells, &build->infer) != 0) {
        return failure_set(build->failure, -ENOMEM, "out of memory");
    }
    build->report->prior = *infer_prior_get(build->infer);
    build->builder = image_builder_new(build->report->generation, build->report->parent_generation);
    if (!build->builder) {
        return failure_set(build->failure, -ENOMEM, "out of memory");
    }
    input.infer = build->infer;
    stage_show(build, "compiling tables");
    return compile_image(&input, build->builder, &build->report->compile, build->failure);
}

struct block_count {
    const struct image *image;
    struct build_report *report;
    struct steps_cursor source;
};

static int block_visit(void *context, const struct map_key *start, uint32_t depth, uint32_t record)
{
    struct block_count *count = context;
    const struct map_record *stored;

    (void)depth;
    if (record > MAP_RECORD_MAX) {
        return 0; /* nobody's block */
    }
    steps_cursor_move(&count->source, *start);
    stored = map_record_get(image_region(count->image), image_records_block(count->image), record);
    count->report->blocks++;
    if (stored && stored->flags & MAP_RECORD_OVERRIDE) {
        count->report->sources[MAP_SOURCE_OVERRIDE]++;
    } else {
        count->report->sources[count->source.value]++;
    }
    return 0;
}

/* Reads the finished bytes as the servers will, so that no image is written that they would refuse,
 * and counts. */
static int image_verify(struct build *build, const uint8_t *bytes, size_t len)
{
    struct block_count count = {.report = build->report};
    struct image *image = NULL;
    int err = image_from_bytes(build->options->output, bytes, len, &image, build->failure);

    count.image = image;
    for (uint32_t map = 0; !err && map < image_map_count(image); map++) {
        for (int family = 0; family < MAP_FAMILIES && !err; family++) {
            steps_cursor_init(&count.source, &build->report->compile.sources[family]);
            err = image_walk(image, map, MAP_SPACE_CLIENT, (enum map_family)family, block_visit,
                             &count);
        }
    }
    image_unref(image);
    return err;
}

static int image_write(struct build *build)
{
    const uint8_t *bytes;
    size_t len;
    int err;

    stage_show(build, "checking and writing");
    err = image_builder_finish(build->builder, &bytes, &len, &build->report->image, build->failure);
    err = err ? err : image_verify(build, bytes, len);
    return err ? err : image_builder_write(build->builder, build->options->output, build->failure);
}

int build_run(const struct config *config, const struct build_options *options,
              struct build_report *ret_report, struct failure *failure)
{
    struct build build = {
        .config = config, .options = options, .report = ret_report, .failure = failure};
    int64_t start = clock_monotonic_ns();
    int err;

    *ret_report = (struct build_report){.pop_n = config->pop_n};
    err = inputs_read(&build);
    err = err ? err : image_compile(&build);
    ret_report->block_n = build.cells.block_n;
    ret_report->override_n = build.overrides.n;
    ret_report->finer_n = build.overrides.finer_n;
    ret_report->finer = build.overrides.finer;
    /* what only the tables were made of, before the image needs its room */
    infer_free(build.infer);
    cell_table_done(&build.cells);
    geo_done(&build.geo);
    asn_done(&build.asn);
    err = err ? err : image_write(&build);
    stage_show(&build, "");
    overrides_done(&build.overrides);
    compile_report_done(&ret_report->compile);
    image_builder_free(build.builder);
    ret_report->seconds = (double)(clock_monotonic_ns() - start) / (double)CLOCK_NS_PER_S;
    return err;
}

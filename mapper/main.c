/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isochrone-mapper: the verbs of the command line. Exit codes: 0 done, 1 the input is wrong, 2
 * usage.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "mapper/build.h"
#include "mapper/config.h"
#include "mapper/eval.h"
#include "mapper/explain.h"
#include "mapper/export.h"
#include "mapper/import/import.h"
#include "mapper/overrides.h"
#include "mapper/show.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_INPUT = 1,
    EXIT_USAGE = 2,
};

static const char usage[] =
    "usage: isochrone-mapper build --config FILE --output FILE [--as-of SECONDS] [--threads N]\n"
    "                              [--max-bad PERCENT] [--json]\n"
    "       isochrone-mapper build --config FILE --check\n"
    "       isochrone-mapper lookup IMAGE ADDRESS|PREFIX... [--map NAME] [--resolver] [--json]\n"
    "       isochrone-mapper show IMAGE [--json]\n"
    "       isochrone-mapper export-nets IMAGE [--map NAME] [--top N]\n"
    "       isochrone-mapper eval IMAGE --truth FILE [--baseline IMAGE] [--map NAME] [--json]\n"
    "       isochrone-mapper import-gdnsd FOLDER --output FOLDER [--state FILE] [--partial] "
    "[--json]\n"
    "       isochrone-mapper --help | --version\n";

struct arguments {
    const char *config;
    const char *output;
    const char *map;
    const char *truth;
    const char *baseline;
    const char *state;
    uint64_t as_of_s;
    uint64_t threads;
    uint64_t top;
    double max_bad_percent;
    bool check;
    bool resolver;
    bool json;
    bool partial;
    char **operand;
    int operand_n;
};

enum option_id {
    OPTION_CONFIG = 256,
    OPTION_OUTPUT,
    OPTION_AS_OF,
    OPTION_THREADS,
    OPTION_MAX_BAD,
    OPTION_CHECK,
    OPTION_MAP,
    OPTION_RESOLVER,
    OPTION_TOP,
    OPTION_TRUTH,
    OPTION_BASELINE,
    OPTION_STATE,
    OPTION_PARTIAL,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"as-of", required_argument, NULL, OPTION_AS_OF},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"max-bad", required_argument, NULL, OPTION_MAX_BAD},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"map", required_argument, NULL, OPTION_MAP},
    {"resolver", no_argument, NULL, OPTION_RESOLVER},
    {"top", required_argument, NULL, OPTION_TOP},
    {"truth", required_argument, NULL, OPTION_TRUTH},
    {"baseline", required_argument, NULL, OPTION_BASELINE},
    {"state", required_argument, NULL, OPTION_STATE},
    {"partial", no_argument, NULL, OPTION_PARTIAL},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int usage_fail(const char *reason, const char *what)
{
    (void)fprintf(stderr, "isochrone-mapper: %s%s%s\n%s", reason, what ? ": " : "",
                  what ? what : "", usage);
    return EXIT_USAGE;
}

static int input_fail(const struct failure *failure)
{
    (void)fprintf(stderr, "%s\n", failure->text);
    return EXIT_INPUT;
}

static bool take_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    return number_parse_u64(text, strlen(text), min, max, ret_value) == 0;
}

static bool take_percent(const char *text, double *ret_value)
{
    size_t len = strlen(text);

    len -= len && text[len - 1] == '%';
    return number_parse_double(text, len, 0, 100, ret_value) == 0;
}

/* One option into `arguments`; false when its value is none. */
static bool option_take(int id, const char *value, struct arguments *arguments)
{
    switch (id) {
    case OPTION_CONFIG:
        arguments->config = value;
        return true;
    case OPTION_OUTPUT:
        arguments->output = value;
        return true;
    case OPTION_MAP:
        arguments->map = value;
        return true;
    case OPTION_TRUTH:
        arguments->truth = value;
        return true;
    case OPTION_BASELINE:
        arguments->baseline = value;
        return true;
    case OPTION_AS_OF:
        return take_u64(value, 1, INT64_MAX, &arguments->as_of_s);
    case OPTION_THREADS:
        return take_u64(value, 1, 1024, &arguments->threads);
    case OPTION_TOP:
        return take_u64(value, 1, MAP_RECORD_POPS, &arguments->top);
    case OPTION_MAX_BAD:
        return take_percent(value, &arguments->max_bad_percent);
    case OPTION_CHECK:
        arguments->check = true;
        return true;
    case OPTION_RESOLVER:
        arguments->resolver = true;
        return true;
    case OPTION_STATE:
        arguments->state = value;
        return true;
    case OPTION_PARTIAL:
        arguments->partial = true;
        return true;
    default:
        arguments->json = true;
        return true;
    }
}

/* EXIT_DONE and *ret_stop when --help or --version was all that was wanted. */
static int arguments_take(int argc, char **argv, struct arguments *ret_arguments, bool *ret_stop)
{
    int id;

    *ret_arguments = (struct arguments){.max_bad_percent = -1};
    *ret_stop = true;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (id == OPTION_HELP) {
            (void)fputs(usage, stdout);
            return EXIT_DONE;
        }
        if (id == OPTION_VERSION) {
            (void)puts("isochrone-mapper " ISOCHRONE_VERSION);
            return EXIT_DONE;
        }
        if (id == '?') {
            (void)fputs(usage, stderr);
            return EXIT_USAGE;
        }
        if (!option_take(id, optarg, ret_arguments)) {
            return usage_fail("not a value for this option", optarg);
        }
    }
    ret_arguments->operand = &argv[optind];
    ret_arguments->operand_n = argc - optind;
    *ret_stop = false;
    return EXIT_DONE;
}

/* "1.9M", "512k", "7" */
static const char *count_format(uint64_t count, char ret_text[static 16])
{
    if (count >= 999500) {
        (void)snprintf(ret_text, 16, "%.1fM", (double)count / 1e6);
    } else if (count >= 1000) {
        (void)snprintf(ret_text, 16, "%.0fk", (double)count / 1e3);
    } else {
        (void)snprintf(ret_text, 16, "%" PRIu64, count);
    }
    return ret_text;
}

static void summary_print(const struct build_report *report)
{
    static const struct {
        enum map_source source;
        const char *name;
    } parts[] = {{MAP_SOURCE_OVERRIDE, "pinned"},
                 {MAP_SOURCE_MEASURED, "measured"},
                 {MAP_SOURCE_INFERRED, "inferred"},
                 {MAP_SOURCE_GEO, "geography"},
                 {MAP_SOURCE_DEFAULT, "default"}};
    const char *separator = " (";
    char text[16];

    (void)printf("%s blocks from %zu PoPs in %.*f s, generation %" PRIu64,
                 count_format(report->blocks, text), report->pop_n, report->seconds < 10 ? 1 : 0,
                 report->seconds, report->generation);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (report->sources[parts[i].source]) {
            (void)printf("%s%s %s", separator, count_format(report->sources[parts[i].source], text),
                         parts[i].name);
            separator = ", ";
        }
    }
    (void)printf("%s\n", separator[0] == ',' ? ")" : "");
}

static json_t *faults_json(const struct samples_report *samples)
{
    json_t *faults = json_object();

    for (int i = SAMPLE_GOOD + 1; i < SAMPLE_FAULTS; i++) {
        if (samples->faults[i]) {
            (void)json_object_set_new(faults, sample_fault_text((enum sample_fault)i),
                                      json_integer((json_int_t)samples->faults[i]));
        }
    }
    return faults;
}

static void summary_json(const struct build_report *report)
{
    json_t *sources = json_object();
    json_t *root;

    for (int i = 0; i <= MAP_SOURCE_OVERRIDE; i++) {
        (void)json_object_set_new(sources, explain_source_name((uint8_t)i),
                                  json_integer((json_int_t)report->sources[i]));
    }
    root = json_pack(
        "{s:I, s:I, s:i, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:f, s:f, s:f}",
        "generation", (json_int_t)report->generation, "parent_generation",
        (json_int_t)report->parent_generation, "pops", (int)report->pop_n, "blocks",
        (json_int_t)report->blocks, "sources", sources, "measured_blocks",
        (json_int_t)report->block_n, "resolvers", (json_int_t)report->compile.resolvers, "pins",
        (json_int_t)report->override_n, "records", (json_int_t)report->image.records, "bytes",
        (json_int_t)report->image.total_bytes, "rows", (json_int_t)report->samples.rows, "bad_rows",
        (json_int_t)samples_report_bad(&report->samples), "bad_rows_by_reason",
        faults_json(&report->samples), "prior_base_ms", report->prior.base_ms,
        "prior_ms_per_1000_km", report->prior.ms_per_km * 1000, "seconds", report->seconds);
    if (root) {
        (void)json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    }
    (void)putchar('\n');
    json_decref(root);
}

/* What an operator should know about the rows, whether the build stood or not. */
static void rows_report(const struct samples_report *samples)
{
    for (int i = SAMPLE_GOOD + 1; i < SAMPLE_FAULTS; i++) {
        if (samples->faults[i]) {
            log_warning("%" PRIu64 " of %" PRIu64 " rows: %s", samples->faults[i], samples->rows,
                        sample_fault_text((enum sample_fault)i));
        }
    }
    for (size_t i = 0; i < samples->note_n; i++) {
        log_warning("%s", samples->notes[i]);
    }
}

static int config_check(const struct config *config, struct failure *failure)
{
    struct overrides overrides;

    if (overrides_load(config, &overrides, failure) != 0) {
        return input_fail(failure);
    }
    overrides_done(&overrides);
    return EXIT_DONE;
}

static int build_verb(const struct arguments *arguments)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct build_options build = {.output = arguments->output,
                                  .as_of_s = arguments->as_of_s,
                                  .threads = online > 0 ? (unsigned)online : 1,
                                  .max_bad_percent = arguments->max_bad_percent,
                                  .progress = isatty(STDERR_FILENO) == 1};
    struct build_report report;
    struct config *config = NULL;
    struct failure failure;
    int status = EXIT_DONE;

    if (!arguments->config || (!arguments->output && !arguments->check) || arguments->operand_n) {
        return usage_fail("build needs --config and --output", NULL);
    }
    if (config_load(arguments->config, &config, &failure) != 0) {
        return input_fail(&failure);
    }
    if (arguments->check) {
        status = config_check(config, &failure);
        config_free(config);
        return status;
    }
    if (arguments->threads) {
        build.threads = (unsigned)arguments->threads;
    }
    if (build_run(config, &build, &report, &failure) != 0) {
        rows_report(&report.samples);
        status = input_fail(&failure);
    } else {
        rows_report(&report.samples);
        if (report.finer_n) {
            log_warning("%s (%zu such pins)", report.finer.text, report.finer_n);
        }
        if (arguments->json) {
            summary_json(&report);
        } else {
            summary_print(&report);
        }
    }
    config_free(config);
    return status;
}

/* Opens the image that the first operand names and finds the map (the first one unless named). */
static int image_take(const struct arguments *arguments, struct image **ret_image,
                      uint32_t *ret_map)
{
    struct failure failure;
    int map = 0;

    if (image_open(arguments->operand[0], ret_image, &failure) != 0) {
        return input_fail(&failure);
    }
    if (arguments->map) {
        map = image_find_map(*ret_image, arguments->map);
    }
    if (map < 0) {
        (void)fprintf(stderr, "%s: no map \"%s\"\n", arguments->operand[0], arguments->map);
        image_unref(*ret_image);
        return EXIT_INPUT;
    }
    *ret_map = (uint32_t)map;
    return EXIT_DONE;
}

static int lookup_verb(const struct arguments *arguments)
{
    struct explain_options explain = {.resolver = arguments->resolver, .json = arguments->json};
    struct image *image;
    struct failure failure;
    int status;

    if (arguments->operand_n < 2) {
        return usage_fail("lookup needs an image and an address or prefix", NULL);
    }
    status = image_take(arguments, &image, &explain.map);
    if (status != EXIT_DONE) {
        return status;
    }
    if (!explain.json) {
        explain_head(stdout);
    }
    for (int i = 1; i < arguments->operand_n && status == EXIT_DONE; i++) {
        if (explain_text(image, &explain, arguments->operand[i], stdout, &failure) != 0) {
            status = input_fail(&failure);
        }
    }
    image_unref(image);
    return status;
}

static int show_verb(const struct arguments *arguments)
{
    struct image *image;
    struct failure failure;
    uint32_t map;
    int status;

    if (arguments->operand_n != 1) {
        return usage_fail("show needs an image", NULL);
    }
    status = image_take(arguments, &image, &map);
    if (status != EXIT_DONE) {
        return status;
    }
    if (show_image(image, arguments->json, stdout, &failure) != 0) {
        status = input_fail(&failure);
    }
    image_unref(image);
    return status;
}

static int export_verb(const struct arguments *arguments)
{
    struct image *image;
    struct failure failure;
    uint32_t map;
    int status;

    if (arguments->operand_n != 1) {
        return usage_fail("export-nets needs an image", NULL);
    }
    status = image_take(arguments, &image, &map);
    if (status != EXIT_DONE) {
        return status;
    }
    if (export_nets(image, map, (unsigned)arguments->top, stdout, &failure) != 0) {
        status = input_fail(&failure);
    }
    image_unref(image);
    return status;
}

static int eval_verb(const struct arguments *arguments)
{
    const struct eval_options eval = {
        .truth = arguments->truth, .map = arguments->map, .json = arguments->json};
    struct image *image = NULL;
    struct image *baseline = NULL;
    struct failure failure;
    int err;

    if (arguments->operand_n != 1 || !arguments->truth) {
        return usage_fail("eval needs an image and --truth", NULL);
    }
    err = image_open(arguments->operand[0], &image, &failure);
    if (!err && arguments->baseline) {
        err = image_open(arguments->baseline, &baseline, &failure);
    }
    err = err ? err : eval_run(image, baseline, &eval, stdout, &failure);
    image_unref(image);
    image_unref(baseline);
    return err ? input_fail(&failure) : EXIT_DONE;
}

typedef int (*import_function)(const struct import_options *options, FILE *out, FILE *faults,
                               size_t *ret_left_out, struct failure *failure);

static int import_verb(const struct arguments *arguments, import_function run, const char *needs)
{
    struct import_options import = {.output = arguments->output,
                                    .state_file = arguments->state,
                                    .now_s = arguments->as_of_s ? (int64_t)arguments->as_of_s
                                                                : clock_wall_s(),
                                    .json = arguments->json};
    struct failure failure;
    size_t left_out = 0;

    if (arguments->operand_n != 1 || !arguments->output) {
        return usage_fail(needs, NULL);
    }
    import.source = arguments->operand[0];
    if (run(&import, stdout, stderr, &left_out, &failure) != 0) {
        return input_fail(&failure);
    }
    return left_out && !arguments->partial ? EXIT_INPUT : EXIT_DONE;
}

static int import_gdnsd_verb(const struct arguments *arguments)
{
    return import_verb(arguments, import_gdnsd,
                       "import-gdnsd needs a configuration folder and --output");
}

static int import_tinydns_verb(const struct arguments *arguments)
{
    return import_verb(arguments, import_tinydns, "import-tinydns needs a data file and --output");
}

static const struct {
    const char *name;
    int (*run)(const struct arguments *arguments);
} verbs[] = {
    {"build", build_verb},
    {"lookup", lookup_verb},
    {"show", show_verb},
    {"export-nets", export_verb},
    {"eval", eval_verb},
    {"import-gdnsd", import_gdnsd_verb},
    {"import-tinydns", import_tinydns_verb},
};

int main(int argc, char **argv)
{
    struct arguments arguments;
    bool stop;
    int status;

    log_open("isochrone-mapper", LOG_LEVEL_INFO);
    status = arguments_take(argc, argv, &arguments, &stop);
    if (stop) {
        return status;
    }
    if (arguments.operand_n == 0) {
        return usage_fail("what shall be done?", NULL);
    }
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(arguments.operand[0], verbs[i].name) == 0) {
            arguments.operand++;
            arguments.operand_n--;
            status = verbs[i].run(&arguments);
            if (fflush(stdout) != 0) {
                (void)fprintf(stderr, "isochrone-mapper: cannot write: %s\n", strerror(errno));
                return EXIT_INPUT;
            }
            return status;
        }
    }
    return usage_fail("no such verb", arguments.operand[0]);
}

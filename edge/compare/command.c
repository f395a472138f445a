/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/command.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "edge/compare/engine.h"
#include "edge/compare/question.h"
#include "edge/compare/question_text.h"
#include "edge/compare/report.h"
#include "edge/compare/source.h"

#define DNS_PORT 53

const char compare_usage[] =
    "  compare --old SERVER --new SERVER --queries FILE\n"
    "                                  asks both the same and says what differs; FILE is a query\n"
    "                                  file, a packet capture, or a master file; - is stdin\n"
    "      --origin NAME               FILE is the master file of this zone\n"
    "      --follow                    go on as FILE grows\n"
    "      --flags \"+do ...\"           for every query, as in query files\n"
    "      --ecs-from-source           captures: client subnet from the client's address\n"
    "      --port N                    captures: where the queries went (default 53)\n"
    "      --ignore CLASS,...          do not compare; --strict: also letters, options\n"
    "      --rate N                    queries a second (default 500, 0: unlimited)\n"
    "      --concurrency N             in flight (default 16)\n"
    "      --timeout TIME, --tries N   of each try (default 2s, 3)\n"
    "      --confirm N                 ask again before believing a difference (default 1)\n"
    "      --count N                   stop after so many queries\n"
    "      --limit N                   differences shown (default 100, 0: all)\n";

enum option_id {
    OPTION_OLD = 256,
    OPTION_NEW,
    OPTION_QUERIES,
    OPTION_ORIGIN,
    OPTION_FOLLOW,
    OPTION_FLAGS,
    OPTION_ECS,
    OPTION_PORT,
    OPTION_IGNORE,
    OPTION_STRICT,
    OPTION_RATE,
    OPTION_CONCURRENCY,
    OPTION_TIMEOUT,
    OPTION_TRIES,
    OPTION_CONFIRM,
    OPTION_COUNT,
    OPTION_LIMIT,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"old", required_argument, NULL, OPTION_OLD},
    {"new", required_argument, NULL, OPTION_NEW},
    {"queries", required_argument, NULL, OPTION_QUERIES},
    {"origin", required_argument, NULL, OPTION_ORIGIN},
    {"follow", no_argument, NULL, OPTION_FOLLOW},
    {"flags", required_argument, NULL, OPTION_FLAGS},
    {"ecs-from-source", no_argument, NULL, OPTION_ECS},
    {"port", required_argument, NULL, OPTION_PORT},
    {"ignore", required_argument, NULL, OPTION_IGNORE},
    {"strict", no_argument, NULL, OPTION_STRICT},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"tries", required_argument, NULL, OPTION_TRIES},
    {"confirm", required_argument, NULL, OPTION_CONFIRM},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct arguments {
    struct engine_options engine;
    struct source_options source;
    bool json;
    bool has_old;
    bool has_new;
    uint64_t limit;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static int parse_classes(const char *text, uint32_t *ret_classes)
{
    for (;;) {
        const size_t len = strcspn(text, ",");
        enum difference_class class;

        if (difference_class_parse(text, len, &class)) {
            return -EINVAL;
        }
        *ret_classes |= UINT32_C(1) << class;
        if (!text[len]) {
            return 0;
        }
        text += len + 1;
    }
}

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    return number_parse_u64(text, strlen(text), min, max, ret_value);
}

/* Options with a number; -EINVAL when it is none, or out of range. */
static int take_number(struct arguments *arguments, int option, const char *text)
{
    uint64_t value = 0;
    int status;

    switch (option) {
    case OPTION_PORT:
        status = parse_number(text, 1, 65535, &value);
        arguments->source.port = (uint16_t)value;
        return status;
    case OPTION_RATE:
        return parse_number(text, 0, 10000000, &arguments->engine.rate);
    case OPTION_CONCURRENCY:
        status = parse_number(text, 1, ENGINE_CONCURRENCY_MAX, &value);
        arguments->engine.concurrency = (unsigned)value;
        return status;
    case OPTION_TRIES:
        status = parse_number(text, 1, 100, &value);
        arguments->engine.limits.tries = (unsigned)value;
        return status;
    case OPTION_CONFIRM:
        status = parse_number(text, 0, 100, &value);
        arguments->engine.confirm = (unsigned)value;
        return status;
    case OPTION_COUNT:
        return parse_number(text, 1, UINT64_MAX, &arguments->engine.count);
    case OPTION_LIMIT:
        return parse_number(text, 0, UINT64_MAX, &arguments->limit);
    case OPTION_TIMEOUT:
        status = number_parse_duration_ns(text, strlen(text), &arguments->engine.limits.timeout_ns);
        return status || arguments->engine.limits.timeout_ns <= 0 ||
                       arguments->engine.limits.timeout_ns > 3600 * CLOCK_NS_PER_S
                   ? -EINVAL
                   : 0;
    default:
        return -EINVAL;
    }
}

static int take_option(struct arguments *arguments, int option, const char *text)
{
    switch (option) {
    case OPTION_OLD:
        arguments->has_old = true;
        return endpoint_parse(text, DNS_PORT, &arguments->engine.old_server);
    case OPTION_NEW:
        arguments->has_new = true;
        return endpoint_parse(text, DNS_PORT, &arguments->engine.new_server);
    case OPTION_QUERIES:
        arguments->source.path = text;
        return 0;
    case OPTION_ORIGIN:
        arguments->source.origin = text;
        return 0;
    case OPTION_FOLLOW:
        arguments->source.follow = true;
        return 0;
    case OPTION_FLAGS:
        arguments->source.flags = text;
        return 0;
    case OPTION_ECS:
        arguments->source.ecs_from_source = true;
        return 0;
    case OPTION_IGNORE:
        return parse_classes(text, &arguments->engine.rules.ignored);
    case OPTION_STRICT:
        arguments->engine.rules.strict = true;
        arguments->engine.fold = false;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    default:
        return take_number(arguments, option, text);
    }
}

#define ARGUMENTS_HELP (-1)

/* 0, ARGUMENTS_HELP, or 2 after saying what is wrong. */
static int take_arguments(struct arguments *arguments, int argc, char **argv)
{
    struct failure failure;
    struct question question;
    int option;
    int index = 0;

    optind = 0; /* glibc: start anew, with another list of options */
    while ((option = getopt_long(argc, argv, "j", long_options, &index)) != -1) {
        option = option == 'j' ? OPTION_JSON : option;
        if (option == '?') {
            return 2;
        }
        if (option == OPTION_HELP) {
            return ARGUMENTS_HELP;
        }
        if (take_option(arguments, option, optarg)) {
            fprintf(stderr, "isochronectl compare: --%s: \"%s\" is not valid\n",
                    long_options[index].name, optarg);
            return 2;
        }
    }
    if (optind != argc || !arguments->has_old || !arguments->has_new || !arguments->source.path) {
        fputs("isochronectl compare: needs --old, --new and --queries\n", stderr);
        return 2;
    }
    question_init(&question, (const uint8_t *)"", 1);
    if (arguments->source.flags &&
        question_text_flags(&question, arguments->source.flags, &failure)) {
        fprintf(stderr, "isochronectl compare: --flags: %s\n", failure.text);
        return 2;
    }
    return 0;
}

static int run(const struct arguments *arguments)
{
    struct report report = {.out = stdout, .json = arguments->json, .limit = arguments->limit};
    struct source *source = NULL;
    struct failure failure = {{0}};
    int status = source_open(&arguments->source, &source, &failure);

    if (!status) {
        status = engine_run(&arguments->engine, source, &report, &failure);
        source_close(source);
        report_summary(&report);
    }
    if (status) {
        fprintf(stderr, "%s\n", failure.text);
    }
    status = status || !report_is_clean(&report) ? 1 : 0;
    report_done(&report);
    return status;
}

int compare_command(int argc, char **argv)
{
    struct arguments arguments = {
        .engine = {.limits = {.timeout_ns = 2 * CLOCK_NS_PER_S, .tries = 3},
                   .fold = true,
                   .concurrency = 16,
                   .confirm = 1,
                   .confirm_delay_ns = CLOCK_NS_PER_S / 2,
                   .rate = 500,
                   .stop = &stop_asked},
        .source = {.port = DNS_PORT},
        .limit = 100,
    };
    const struct sigaction action = {.sa_handler = on_signal};
    const int status = take_arguments(&arguments, argc, argv);

    if (status == ARGUMENTS_HELP) {
        printf("Usage: isochronectl [--json] compare ...\n\n%s", compare_usage);
        return 0;
    }
    if (status) {
        return status;
    }
    sigaction(SIGINT, &action, NULL); /* the table is printed all the same */
    sigaction(SIGTERM, &action, NULL);
    return run(&arguments);
}

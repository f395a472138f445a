/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "edge/compare/judge.h"
#include "edge/compare/question.h"
#include "edge/compare/report.h"
#include "edge/compare/source.h"

#define SOURCE_PAUSE_NS                                                                            \
    (20 * CLOCK_NS_PER_MS)              /* until a source without questions is asked again         \
                                         */
#define BURST_NS (50 * CLOCK_NS_PER_MS) /* what may be caught up with after a delay */

enum pair_state {
    PAIR_FREE,
    PAIR_ASKED,
    PAIR_PAUSE, /* before it is asked again */
};

struct pair {
    enum pair_state state;
    unsigned confirmed; /* how often the difference was there again */
    uint64_t number;
    int64_t again_ns;
    struct exchange exchanges[2]; /* old, new */
    struct question question;
};

struct engine {
    const struct engine_options *options;
    struct source *source;
    struct report *report;
    struct failure *failure;
    struct pair *pairs;
    struct pollfd *polls; /* two for each pair */
    unsigned busy_n;
    bool ended; /* the source has nothing more, or nothing more is to be asked */
    int status;
    int64_t next_ns;   /* when the rate allows the next question */
    int64_t source_ns; /* when the source is to be asked again */
};

static uint16_t random_id(void)
{
    uint16_t id = 0;

    if (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
        id = (uint16_t)clock_monotonic_ns();
    }
    return id;
}

static void pair_ask(struct pair *pair, int64_t now_ns)
{
    pair->state = PAIR_ASKED;
    for (int i = 0; i < 2; i++) {
        exchange_start(&pair->exchanges[i], &pair->question, random_id(), now_ns);
    }
}

static bool pair_is_done(const struct pair *pair)
{
    return pair->exchanges[0].state == EXCHANGE_DONE && pair->exchanges[1].state == EXCHANGE_DONE;
}

static void pair_free(struct engine *engine, struct pair *pair)
{
    exchange_done(&pair->exchanges[0]);
    exchange_done(&pair->exchanges[1]);
    pair->state = PAIR_FREE;
    engine->busy_n--;
}

/* Both answers are there. */
static void pair_judge(struct engine *engine, struct pair *pair, int64_t now_ns)
{
    const struct engine_options *options = engine->options;
    struct report *report = engine->report;
    struct difference difference = {0};
    const bool answered = judge(&difference, &options->rules, options->fold, &pair->exchanges[0],
                                &pair->exchanges[1]);
    const bool same = !difference.classes && !difference.failed;

    if (!same && pair->confirmed < options->confirm && !*options->stop) {
        pair->confirmed++;
        pair->state = PAIR_PAUSE;
        pair->again_ns = now_ns + options->confirm_delay_ns;
    } else {
        if (!same) {
            report_difference(report, pair->number, &pair->question, &difference);
        } else if (!answered) {
            report->unanswered++;
        } else if (pair->confirmed) {
            report->unstable++;
        } else {
            report->equal++;
        }
        pair_free(engine, pair);
    }
    difference_done(&difference);
}

/* Takes the next question into a free pair. False: none for now. */
static bool pair_fill(struct engine *engine, struct pair *pair, int64_t now_ns)
{
    switch (source_next(engine->source, &pair->question, engine->failure)) {
    case SOURCE_QUESTION:
        break;
    case SOURCE_WRONG:
        engine->report->wrong++;
        fprintf(stderr, "%s\n", engine->failure->text);
        return true;
    case SOURCE_WAIT:
        engine->source_ns = now_ns + SOURCE_PAUSE_NS;
        return false;
    case SOURCE_FAILED:
        engine->status = -EIO;
        engine->ended = true;
        return false;
    case SOURCE_END:
        engine->ended = true;
        return false;
    }
    engine->busy_n++;
    pair->number = ++engine->report->asked;
    pair->confirmed = 0;
    if (engine->options->rate) {
        const int64_t gap_ns = CLOCK_NS_PER_S / (int64_t)engine->options->rate;

        engine->next_ns =
            (engine->next_ns > now_ns - BURST_NS ? engine->next_ns : now_ns - BURST_NS) + gap_ns;
    }
    pair_ask(pair, now_ns);
    return true;
}

static void engine_fill(struct engine *engine, int64_t now_ns)
{
    const struct engine_options *options = engine->options;

    for (unsigned i = 0; i < options->concurrency; i++) {
        struct pair *pair = &engine->pairs[i];

        if (pair->state == PAIR_PAUSE && now_ns >= pair->again_ns) {
            pair_ask(pair, now_ns);
        }
        while (pair->state == PAIR_FREE && !engine->ended && now_ns >= engine->source_ns &&
               now_ns >= engine->next_ns) {
            if (*options->stop || (options->count && engine->report->asked == options->count)) {
                engine->ended = true;
            } else if (!pair_fill(engine, pair, now_ns)) {
                break;
            }
        }
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Fills the poll list; returns when something is due at the latest. */
static int64_t engine_wants(struct engine *engine, int64_t now_ns, nfds_t *ret_n)
{
    int64_t due_ns = now_ns + CLOCK_NS_PER_S;
    bool free_pair = false;
    nfds_t n = 0;

    for (unsigned i = 0; i < engine->options->concurrency; i++) {
        const struct pair *pair = &engine->pairs[i];

        free_pair |= pair->state == PAIR_FREE;
        if (pair->state == PAIR_PAUSE) {
            due_ns = earlier(due_ns, pair->again_ns);
        }
        for (int side = 0; pair->state == PAIR_ASKED && side < 2; side++) {
            const struct exchange *exchange = &pair->exchanges[side];

            if (exchange->state == EXCHANGE_DONE) {
                due_ns = pair_is_done(pair) ? now_ns : due_ns;
                continue;
            }
            due_ns = earlier(due_ns, exchange->deadline_ns);
            engine->polls[n++] =
                (struct pollfd){.fd = exchange->fd, .events = exchange_events(exchange)};
        }
    }
    if (free_pair && !engine->ended) {
        due_ns = earlier(due_ns,
                         engine->next_ns > engine->source_ns ? engine->next_ns : engine->source_ns);
    }
    *ret_n = n;
    return due_ns;
}

/* What poll() found, in the order engine_wants() put it there. */
static void engine_events(struct engine *engine, int64_t now_ns)
{
    const struct pollfd *polled = engine->polls;

    for (unsigned i = 0; i < engine->options->concurrency; i++) {
        struct pair *pair = &engine->pairs[i];

        if (pair->state != PAIR_ASKED) {
            continue;
        }
        for (int side = 0; side < 2; side++) {
            struct exchange *exchange = &pair->exchanges[side];

            if (exchange->state == EXCHANGE_DONE) {
                continue;
            }
            if ((polled++)->revents) {
                exchange_ready(exchange, now_ns);
            }
            exchange_tick(exchange, now_ns);
        }
        if (pair_is_done(pair)) {
            pair_judge(engine, pair, now_ns);
        }
    }
}

static void engine_loop(struct engine *engine)
{
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        int64_t wait_ns;
        struct timespec wait;
        nfds_t n;

        engine_fill(engine, now_ns);
        if (engine->ended && engine->busy_n == 0) {
            return;
        }
        wait_ns = engine_wants(engine, now_ns, &n) - now_ns;
        wait_ns = wait_ns > 0 ? wait_ns : 0;
        wait = (struct timespec){.tv_sec = wait_ns / CLOCK_NS_PER_S,
                                 .tv_nsec = wait_ns % CLOCK_NS_PER_S};
        if (ppoll(engine->polls, n, &wait, NULL) < 0) { /* a signal */
            for (nfds_t i = 0; i < n; i++) {
                engine->polls[i].revents = 0;
            }
        }
        engine_events(engine, clock_monotonic_ns());
    }
}

int engine_run(const struct engine_options *options, struct source *source, struct report *report,
               struct failure *failure)
{
    struct engine engine = {
        .options = options, .source = source, .report = report, .failure = failure};

    engine.pairs = calloc(options->concurrency, sizeof(*engine.pairs));
    engine.polls = calloc(options->concurrency, 2 * sizeof(*engine.polls));
    if (!engine.pairs || !engine.polls) {
        free(engine.pairs);
        free(engine.polls);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (unsigned i = 0; i < options->concurrency; i++) {
        exchange_init(&engine.pairs[i].exchanges[0], &options->old_server, &options->limits);
        exchange_init(&engine.pairs[i].exchanges[1], &options->new_server, &options->limits);
    }
    engine_loop(&engine);
    report->left_out = source_left_out(source);
    free(engine.pairs);
    free(engine.polls);
    return engine.status;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * When probes are made: a type of our own that only counts, in virtual time.
 */
#include "bgp/probe/prober.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

#define MS CLOCK_NS_PER_MS
#define CHECKS 4

static struct {
    int started[CHECKS], ended[CHECKS], observed[CHECKS];
    int idle_fd; /* watched by check 0 from its first probe on */
} seen;

static size_t number(const struct probe *probe)
{
    return (size_t)(probe->check->name[0] - 'a');
}

static bool counter_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    (void)now_ns;
    seen.started[number(probe)]++;
    if (number(probe) == 0 && seen.idle_fd < 0) {
        seen.idle_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        cr_assert_eq(probe_watch(probe, seen.idle_fd, EPOLLIN), 0);
    }
    return number(probe) == 0 && outcome_pass(ret_outcome, "fine");
}

static bool counter_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                          struct probe_outcome *ret_outcome)
{
    uint64_t value;

    (void)now_ns;
    cr_assert_eq(number(probe), 0);
    cr_assert_eq(fd, seen.idle_fd);
    cr_assert(events & EPOLLIN);
    cr_assert_eq(read(fd, &value, sizeof(value)), (ssize_t)sizeof(value));
    probe->trigger(probe->context, probe, ADDRESS_IPV4);
    return outcome_fail(ret_outcome, PROBE_CAUSE_DEAD, "gone");
}

static void counter_end(struct probe *probe)
{
    seen.ended[number(probe)]++;
}

static const struct probe_type counter = {
    .name = "counter", .start = counter_start, .ready = counter_ready, .end = counter_end};

struct play {
    struct config *config;
    struct prober *prober;
    int epoll_fd;
    struct probe_outcome last;
};

static int64_t observed(void *context, size_t check, const struct probe_outcome *outcome,
                        int64_t started_ns, int64_t now_ns)
{
    struct play *play = context;

    (void)now_ns;
    seen.observed[check]++;
    play->last = *outcome;
    return started_ns + 1000 * MS;
}

/* a: no family, answers at once; b: IPv4, c: IPv6, d: none, never answer. */
static void play_open(struct play *play)
{
    static const char *const names[CHECKS] = {"a", "b", "c", "d"};
    static const enum address_family families[CHECKS] = {ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6,
                                                         ADDRESS_NONE};

    memset(&seen, 0, sizeof(seen));
    seen.idle_fd = -1;
    play->config = calloc(1, sizeof(*play->config));
    play->config->checks_n = CHECKS;
    for (size_t i = 0; i < CHECKS; i++) {
        play->config->checks[i] = (struct config_check){
            .name = names[i], .type = &counter, .family = families[i], .timeout_ns = 500 * MS};
    }
    play->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    play->prober = prober_new(play->config, play->epoll_fd, 3, observed, play, 0);
    cr_assert(play->prober);
}

static void play_close(struct play *play)
{
    prober_free(play->prober);
    free(play->config);
    close(play->epoll_fd);
    close(seen.idle_fd);
}

Test(prober, starts_are_spread_and_periods_vary_a_little)
{
    struct play play;

    play_open(&play);
    prober_run(play.prober, 50 * MS);
    for (size_t i = 0; i < CHECKS; i++) {
        cr_assert_eq(seen.started[i], 1);
    }
    cr_assert_eq(seen.observed[0], 1);
    prober_run(play.prober, 549 * MS);
    cr_assert_eq(seen.observed[1], 0);
    prober_run(play.prober, 550 * MS);
    cr_assert_eq(seen.observed[1], 1);
    cr_assert_eq(play.last.cause, PROBE_CAUSE_SILENT);
    cr_assert_eq(play.last.elapsed_ns, 500 * MS);
    prober_run(play.prober, 1049 * MS);
    cr_assert_eq(seen.started[0], 1);
    prober_run(play.prober, 1100 * MS);
    cr_assert_eq(seen.started[0], 2);
    cr_assert_eq(seen.started[1], 2);
    play_close(&play);
    for (size_t i = 0; i < CHECKS; i++) {
        cr_assert_geq(seen.ended[i], seen.started[i]);
    }
}

Test(prober, a_trigger_makes_checks_anew_at_once)
{
    struct play play;

    play_open(&play);
    prober_run(play.prober, 50 * MS);
    prober_trigger(play.prober, ADDRESS_IPV4);
    cr_assert_eq(prober_deadline_ns(play.prober), 0);
    prober_run(play.prober, 60 * MS);
    cr_assert_eq(seen.started[0], 2, "idle: started");
    cr_assert_eq(seen.started[1], 2, "in flight: given up and started anew");
    cr_assert_eq(seen.started[2], 1, "another family");
    cr_assert_eq(seen.started[3], 2);
    cr_assert_eq(seen.observed[1], 0, "given up is no outcome");
    /* what was triggered is not given up again: its outcome comes, and then the next */
    prober_trigger(play.prober, ADDRESS_IPV4);
    prober_run(play.prober, 100 * MS);
    cr_assert_eq(seen.started[1], 2);
    cr_assert_gt(prober_deadline_ns(play.prober), 100 * MS);
    prober_run(play.prober, 560 * MS);
    cr_assert_eq(seen.observed[1], 1);
    prober_run(play.prober, 560 * MS);
    cr_assert_eq(seen.started[1], 3);
    prober_trigger(play.prober, ADDRESS_NONE);
    prober_run(play.prober, 570 * MS);
    cr_assert_geq(seen.started[2], 2);
    play_close(&play);
}

Test(prober, what_is_watched_between_probes_gives_outcomes_and_triggers_the_others)
{
    const uint64_t one = 1;
    struct epoll_event event;
    struct play play;

    play_open(&play);
    prober_run(play.prober, 50 * MS);
    cr_assert_eq(epoll_wait(play.epoll_fd, &event, 1, 0), 0);
    cr_assert_eq(write(seen.idle_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
    cr_assert_eq(epoll_wait(play.epoll_fd, &event, 1, 1000), 1);
    prober_ready(play.prober, event.data.u64 - 3, event.events, 70 * MS);
    cr_assert_eq(seen.observed[0], 2);
    cr_assert_eq(play.last.cause, PROBE_CAUSE_DEAD);
    cr_assert_eq(play.last.elapsed_ns, 0);
    prober_run(play.prober, 71 * MS);
    cr_assert_eq(seen.started[0], 1, "not itself");
    cr_assert_eq(seen.started[1], 2);
    cr_assert_eq(seen.started[2], 1);
    cr_assert_eq(seen.started[3], 2);
    play_close(&play);
}

Test(prober, events_of_nobody_are_nobodys)
{
    struct play play;

    play_open(&play);
    prober_ready(play.prober, UINT64_C(900) << 32, EPOLLIN, 0);
    prober_ready(play.prober, UINT64_MAX, EPOLLIN, 0);
    play_close(&play);
}

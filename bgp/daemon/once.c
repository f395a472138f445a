/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/once.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bgp/decide/policy.h"
#include "bgp/probe/prober.h"

struct once {
    const struct config *config;
    size_t waiting_n;
    struct health healths[CONFIG_CHECKS_MAX];
    struct probe_outcome outcomes[CONFIG_CHECKS_MAX];
};

static int64_t observed(void *context, size_t check, const struct probe_outcome *outcome,
                        int64_t started_ns, int64_t now_ns)
{
    static const struct health_limits first = {.rise = 1, .fall = 1};
    struct once *once = context;

    (void)started_ns;
    if (once->healths[check].observations_n == 0) {
        once->waiting_n--;
    }
    once->outcomes[check] = *outcome;
    health_observe(&once->healths[check], &first, outcome->observation, now_ns);
    return INT64_MAX / 2; /* no second one */
}

static int checks_run(struct once *once, struct failure *failure)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct prober *prober =
        epoll_fd < 0 ? NULL
                     : prober_new(once->config, epoll_fd, 0, observed, once, clock_monotonic_ns());

    while (prober && once->waiting_n > 0) {
        struct epoll_event events[16];
        const int64_t left_ns = prober_deadline_ns(prober) - clock_monotonic_ns();
        const int count = epoll_wait(epoll_fd, events, 16,
                                     left_ns > 0 ? (int)(left_ns / CLOCK_NS_PER_MS) + 1 : 0);

        for (int i = 0; i < count; i++) {
            prober_ready(prober, events[i].data.u64, events[i].events, clock_monotonic_ns());
        }
        prober_run(prober, clock_monotonic_ns());
    }
    fd_close(&epoll_fd);
    if (!prober) {
        return failure_set(failure, -ENOMEM, "cannot set up the probes: %s", strerror(errno));
    }
    prober_free(prober);
    return 0;
}

/* Only what the checks say: no memory, no other PoPs, no operator. */
static enum route_wish vip_decide(const struct once *once, size_t vip, bool *ret_degraded,
                                  char reason[static POLICY_REASON_LEN])
{
    const struct config_vip *governed = &once->config->vips[vip];
    const struct policy_settings settings = {.attributes = governed->settings.attributes};
    const struct override override = {.action = OVERRIDE_AUTO};
    const struct grace grace = {0};
    struct budget budget = {0};
    const struct quota quota = budget_quota(&budget);
    struct policy_check checks[CONFIG_CHECKS_MAX];
    const struct policy_input input = {
        .checks_n = governed->checks_n, .checks = checks, .override = &override, .quota = &quota};
    struct policy_verdict verdict;
    struct policy policy;

    for (size_t i = 0; i < governed->checks_n; i++) {
        const size_t check = governed->checks[i];

        checks[i] = (struct policy_check){.name = once->config->checks[check].name,
                                          .hard = once->config->checks[check].class == CHECK_HARD,
                                          .health = &once->healths[check],
                                          .grace = &grace,
                                          .evidence = once->outcomes[check].evidence};
    }
    policy_init(&policy, 0, 0);
    policy_decide(&policy, &settings, &input, 0, &verdict);
    policy_explain(&policy, &settings, &input, &verdict, 0, reason);
    *ret_degraded = verdict.degraded;
    return verdict.want.wish;
}

static json_t *check_json(const struct once *once, size_t check)
{
    const struct config_check *config = &once->config->checks[check];
    const struct probe_outcome *outcome = &once->outcomes[check];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:f}", "check", config->name, "class",
                     check_class_name(config->class), "verdict",
                     health_observation_name(outcome->observation), "cause",
                     probe_cause_name(outcome->cause), "evidence", outcome->evidence, "elapsed_ms",
                     (double)outcome->elapsed_ns / (double)CLOCK_NS_PER_MS);
}

static void table_print(FILE *file, const struct once *once, bool *good)
{
    char text[ADDRESS_TEXT_LEN];

    for (size_t i = 0; i < once->config->checks_n; i++) {
        const struct probe_outcome *outcome = &once->outcomes[i];

        fprintf(file, "check  %-24s %-9s %s, %.1f ms\n", once->config->checks[i].name,
                health_observation_name(outcome->observation), outcome->evidence,
                (double)outcome->elapsed_ns / (double)CLOCK_NS_PER_MS);
    }
    for (size_t i = 0; i < once->config->vips_n; i++) {
        char reason[POLICY_REASON_LEN];
        bool degraded;
        const enum route_wish wish = vip_decide(once, i, &degraded, reason);

        *good = *good && wish == ROUTE_ANNOUNCE;
        fprintf(file, "vip    %-24s %-9s %s\n",
                prefix_format(&once->config->routes[i].prefix, text), route_wish_name(wish),
                reason);
    }
}

static int json_print(FILE *file, const struct once *once, bool *good)
{
    json_t *checks = json_array(), *vips = json_array(), *root;
    char text[ADDRESS_TEXT_LEN];
    int result;

    for (size_t i = 0; i < once->config->checks_n; i++) {
        json_array_append_new(checks, check_json(once, i));
    }
    for (size_t i = 0; i < once->config->vips_n; i++) {
        char reason[POLICY_REASON_LEN];
        bool degraded;
        const enum route_wish wish = vip_decide(once, i, &degraded, reason);

        *good = *good && wish == ROUTE_ANNOUNCE;
        json_array_append_new(vips, json_pack("{s:s, s:s, s:b, s:s}", "vip",
                                              prefix_format(&once->config->routes[i].prefix, text),
                                              "wish", route_wish_name(wish), "degraded", degraded,
                                              "reason", reason));
    }
    root = json_pack("{s:o, s:o}", "checks", checks, "vips", vips);
    result =
        root && json_dumpf(root, file, JSON_COMPACT) == 0 && fputc('\n', file) != EOF ? 0 : -EIO;
    json_decref(root);
    return result;
}

int once_run(const struct config *config, FILE *file, bool json, bool *ret_good,
             struct failure *failure)
{
    struct once once = {.config = config, .waiting_n = config->checks_n};
    const int64_t now_ns = clock_monotonic_ns();
    int result;

    for (size_t i = 0; i < config->checks_n; i++) {
        health_init(&once.healths[i], now_ns);
    }
    result = checks_run(&once, failure);
    if (result < 0) {
        return result;
    }
    *ret_good = true;
    if (!json) {
        table_print(file, &once, ret_good);
        return 0;
    }
    result = json_print(file, &once, ret_good);
    return result ? failure_set(failure, result, "cannot print") : 0;
}

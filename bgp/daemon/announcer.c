/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/announcer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define LINE_LEN 512

struct announcer {
    const struct config *config;
    announcer_log *log;
    void *context;
    int64_t now_ns;                /* of the call being served, for notices */
    struct speaker_status speaker; /* as last heard */
    struct announcer_check checks[CONFIG_CHECKS_MAX];
    struct announcer_vip vips[CONFIG_VIPS_MAX];
};

static void say(struct announcer *announcer, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct announcer *announcer, enum log_level level, const char *format, ...)
{
    char line[LINE_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    announcer->log(announcer->context, level, line);
}

static const char *vip_name(const struct announcer *announcer, size_t vip,
                            char text[static ADDRESS_TEXT_LEN])
{
    return prefix_format(&announcer->config->routes[vip].prefix, text);
}

static double milliseconds(int64_t ns)
{
    return (double)ns / (double)CLOCK_NS_PER_MS;
}

/* ---- deciding ---- */

static void vip_judge(const struct announcer *announcer, size_t vip, struct policy_verdict *verdict)
{
    const struct config_vip *governed = &announcer->config->vips[vip];
    struct policy_check checks[CONFIG_CHECKS_MAX];

    for (size_t i = 0; i < governed->checks_n; i++) {
        const size_t check = governed->checks[i];

        checks[i] = (struct policy_check){
            .name = announcer->config->checks[check].name,
            .hard = announcer->config->checks[check].class == CHECK_HARD,
            .health = &announcer->checks[check].health,
            .evidence = announcer->checks[check].outcome.evidence,
        };
    }
    policy_decide(checks, governed->checks_n, announcer->vips[vip].adopted, verdict);
}

/* A withdrawal that changes nothing, as at every start with nothing to take over, is no news. */
static void wish_say(struct announcer *announcer, size_t vip, const struct policy_verdict *verdict)
{
    const bool idle = verdict->wish == ROUTE_WITHDRAW &&
                      announcer->speaker.routes[vip].known == EXABGP_KNOWN_WITHDRAWN;
    enum log_level level = LOG_LEVEL_NOTICE;
    char name[ADDRESS_TEXT_LEN];

    if (idle || verdict->wish == ROUTE_HOLD) {
        level = LOG_LEVEL_INFO;
    } else if (verdict->wish == ROUTE_WITHDRAW) {
        level = LOG_LEVEL_WARNING;
    }
    say(announcer, level, "vip %s: %s: %s", vip_name(announcer, vip, name),
        route_wish_name(verdict->wish), verdict->reason);
}

static void vip_decide(struct announcer *announcer, size_t vip, bool first)
{
    struct announcer_vip *state = &announcer->vips[vip];
    struct policy_verdict verdict;
    char name[ADDRESS_TEXT_LEN];

    vip_judge(announcer, vip, &verdict);
    if (first || verdict.wish != state->verdict.wish) {
        state->wish_since_ns = announcer->now_ns;
        memcpy(state->wish_reason, verdict.reason, sizeof(state->wish_reason));
        wish_say(announcer, vip, &verdict);
    } else if (verdict.degraded != state->verdict.degraded) {
        say(announcer, verdict.degraded ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "vip %s: %s: %s",
            vip_name(announcer, vip, name), verdict.degraded ? "degraded" : "no longer degraded",
            verdict.reason);
    }
    state->verdict = verdict;
    /* Taking over ends with the first decision of our own. */
    if (verdict.settled || verdict.wish == ROUTE_WITHDRAW) {
        state->adopted = false;
    }
    state->want.wish = verdict.wish;
}

static void vips_decide(struct announcer *announcer)
{
    for (size_t i = 0; i < announcer->config->vips_n; i++) {
        vip_decide(announcer, i, false);
    }
}

/* ---- calls ---- */

static void check_say(struct announcer *announcer, size_t check)
{
    const struct announcer_check *state = &announcer->checks[check];
    const struct config_check *config = &announcer->config->checks[check];
    const bool up = state->health.state == HEALTH_UP;

    say(announcer, up ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING,
        "check %s: %s after %u %s (%s, %.1f ms)", config->name,
        health_state_name(state->health.state), up ? state->health.passes_n : state->health.fails_n,
        up ? "passes" : "failures", state->outcome.evidence,
        milliseconds(state->outcome.elapsed_ns));
}

void announcer_observe(struct announcer *announcer, size_t check,
                       const struct probe_outcome *outcome, int64_t now_ns)
{
    struct announcer_check *state = &announcer->checks[check];
    const struct config_check *config = &announcer->config->checks[check];

    announcer->now_ns = now_ns;
    state->outcome = *outcome;
    if (health_observe(&state->health, &config->limits, outcome->observation, now_ns)) {
        check_say(announcer, check);
    } else if (outcome->observation == HEALTH_UNKNOWN && state->health.unknowns_n == 1) {
        say(announcer, LOG_LEVEL_ERROR, "check %s: cannot be made, it stays %s (%s)", config->name,
            health_state_name(state->health.state), outcome->evidence);
    }
    say(announcer, LOG_LEVEL_DEBUG, "check %s: %s (%s, %.1f ms)", config->name,
        health_observation_name(outcome->observation), outcome->evidence,
        milliseconds(outcome->elapsed_ns));
    vips_decide(announcer);
}

/* Whether there was anything to take over shows when ExaBGP's table is read for the first time. */
static void table_seen(struct announcer *announcer, size_t vip,
                       const struct exabgp_route_status *route)
{
    struct announcer_vip *state = &announcer->vips[vip];
    char name[ADDRESS_TEXT_LEN];

    if (route->holders_n > 0) {
        say(announcer, LOG_LEVEL_NOTICE, "vip %s: found announced in ExaBGP, %s",
            vip_name(announcer, vip, name), state->adopted ? "taking it over" : "already decided");
    } else if (state->adopted) {
        state->adopted = false;
        vip_decide(announcer, vip, false);
    }
}

void announcer_hear(struct announcer *announcer, const struct speaker_status *status,
                    int64_t now_ns)
{
    const struct speaker_status before = announcer->speaker;

    announcer->now_ns = now_ns;
    announcer->speaker = *status;
    for (size_t i = 0; i < announcer->config->vips_n; i++) {
        if (status->routes[i].read && !before.routes[i].read) {
            table_seen(announcer, i, &status->routes[i]);
        }
    }
}

const struct want *announcer_want(const struct announcer *announcer, size_t vip)
{
    return &announcer->vips[vip].want;
}

int64_t announcer_next_probe_ns(const struct announcer *announcer, size_t check, int64_t started_ns)
{
    const struct health *health = &announcer->checks[check].health;
    const struct config_check *config = &announcer->config->checks[check];
    const bool confirm = health->state == HEALTH_UP && health->last == HEALTH_FAIL;

    return started_ns + (confirm ? config->retry_ns : config->interval_ns);
}

struct announcer *announcer_new(const struct config *config, announcer_log *log, void *context,
                                int64_t now_ns)
{
    struct announcer *announcer = calloc(1, sizeof(*announcer));

    if (!announcer) {
        return NULL;
    }
    announcer->config = config;
    announcer->log = log;
    announcer->context = context;
    announcer->now_ns = now_ns;
    announcer->speaker.routes_n = config->vips_n;
    for (size_t i = 0; i < config->checks_n; i++) {
        health_init(&announcer->checks[i].health, now_ns);
    }
    for (size_t i = 0; i < config->vips_n; i++) {
        announcer->vips[i].adopted = true;
        announcer->vips[i].want.attributes = config->routes[i].attributes;
        vip_decide(announcer, i, true);
    }
    return announcer;
}

const struct config *announcer_config(const struct announcer *announcer)
{
    return announcer->config;
}

const struct announcer_check *announcer_check(const struct announcer *announcer, size_t check)
{
    return &announcer->checks[check];
}

const struct announcer_vip *announcer_vip(const struct announcer *announcer, size_t vip)
{
    return &announcer->vips[vip];
}

const struct speaker_status *announcer_speaker(const struct announcer *announcer)
{
    return &announcer->speaker;
}

void announcer_free(struct announcer *announcer)
{
    free(announcer);
}

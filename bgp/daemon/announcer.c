/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/announcer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/decide/vouch.h"

#define LINE_LEN 640
#define TICK_NS CLOCK_NS_PER_S /* what was observed grows old, also if nothing else happens */

struct announcer {
    const struct config *config;
    announcer_log *log;
    void *context;
    int64_t now_ns;                /* of the call being served, for notices */
    int64_t decided_ns;            /* last */
    struct speaker_status speaker; /* as last heard */
    struct budget budget;
    struct quota quota; /* who permits SOFT withdrawals: the budget */
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

static bool passes(const struct announcer *announcer, size_t check)
{
    return vouch_covers(&announcer->checks[check].health, announcer->config->checks[check].fresh_ns,
                        announcer->now_ns);
}

struct scene {
    struct policy_check checks[CONFIG_CHECKS_MAX];
    struct guard_peer peers[CONFIG_CHECKS_MAX];
    struct policy_input input;
};

static void scene_make(const struct announcer *announcer, size_t vip, struct scene *scene)
{
    const struct config_vip *config = &announcer->config->vips[vip];

    for (size_t i = 0; i < config->checks_n; i++) {
        const size_t check = config->checks[i];
        const struct announcer_check *state = &announcer->checks[check];

        scene->checks[i] = (struct policy_check){
            .name = announcer->config->checks[check].name,
            .hard = announcer->config->checks[check].class == CHECK_HARD,
            .health = &state->health,
            .grace = &state->grace,
            .aging = state->aging,
            .silent = state->silent,
            .vouched = state->vouched,
            .evidence = state->outcome.evidence,
        };
    }
    for (size_t i = 0; i < config->peers_n; i++) {
        scene->peers[i] = (struct guard_peer){
            .health = &announcer->checks[config->peers[i]].health,
            .fresh_ns = announcer->config->checks[config->peers[i]].fresh_ns,
        };
    }
    scene->input = (struct policy_input){
        .checks_n = config->checks_n,
        .checks = scene->checks,
        .peers_n = config->peers_n,
        .peers = scene->peers,
        .adopted = announcer->vips[vip].adopted,
        .override = &announcer->vips[vip].override,
        .quota = &announcer->quota,
        .vip = vip,
    };
    for (size_t i = 0; i < config->heartbeats_n; i++) {
        const size_t check = config->heartbeats[i];

        scene->input.heartbeat =
            scene->input.heartbeat ||
            (announcer->checks[check].health.state == HEALTH_UP && passes(announcer, check));
    }
}

/* A withdrawal that changes nothing, as at every start with nothing to take over, is no news. */
static void wish_say(struct announcer *announcer, size_t vip, enum route_wish wish)
{
    const bool idle =
        wish == ROUTE_WITHDRAW && announcer->speaker.routes[vip].known == EXABGP_KNOWN_WITHDRAWN;
    enum log_level level = LOG_LEVEL_NOTICE;
    char name[ADDRESS_TEXT_LEN];

    if (idle || wish == ROUTE_HOLD) {
        level = LOG_LEVEL_INFO;
    } else if (wish == ROUTE_WITHDRAW) {
        level = LOG_LEVEL_WARNING;
    }
    say(announcer, level, "vip %s: %s: %s", vip_name(announcer, vip, name), route_wish_name(wish),
        announcer->vips[vip].reason);
}

/* One line per transition: of the wish, of who decides, of its degradation, of the attributes. */
static void verdict_say(struct announcer *announcer, size_t vip,
                        const struct policy_verdict *before)
{
    const struct announcer_vip *state = &announcer->vips[vip];
    const struct policy_verdict *verdict = &state->verdict;
    char name[ADDRESS_TEXT_LEN];

    vip_name(announcer, vip, name);
    if (verdict->want.wish != before->want.wish) {
        wish_say(announcer, vip, verdict->want.wish);
    } else if (verdict->degraded != before->degraded) {
        say(announcer, verdict->degraded ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "vip %s: %s: %s",
            name, verdict->degraded ? "degraded" : "no longer degraded", state->reason);
    } else if (verdict->code != before->code) {
        say(announcer, LOG_LEVEL_NOTICE, "vip %s: still %s: %s", name,
            route_wish_name(verdict->want.wish), state->reason);
    } else if (verdict->want.wish == ROUTE_ANNOUNCE &&
               !route_attributes_equal(&verdict->want.attributes, &before->want.attributes)) {
        say(announcer, LOG_LEVEL_NOTICE, "vip %s: announce anew: %s", name, state->reason);
    }
}

static void vip_decide(struct announcer *announcer, size_t vip, bool first)
{
    struct announcer_vip *state = &announcer->vips[vip];
    const struct policy_settings *settings = &announcer->config->vips[vip].settings;
    const struct policy_verdict before = state->verdict;
    struct scene scene;

    scene_make(announcer, vip, &scene);
    policy_decide(&state->policy, settings, &scene.input, announcer->now_ns, &state->verdict);
    policy_explain(&state->policy, settings, &scene.input, &state->verdict, announcer->now_ns,
                   state->reason);
    if (first || state->verdict.want.wish != before.want.wish) {
        state->wish_since_ns = announcer->now_ns;
        memcpy(state->wish_reason, state->reason, sizeof(state->wish_reason));
    }
    if (first) {
        wish_say(announcer, vip, state->verdict.want.wish);
    } else {
        verdict_say(announcer, vip, &before);
    }
    /* Taking over ends with the first decision of our own. */
    if (state->verdict.settled || state->verdict.want.wish == ROUTE_WITHDRAW) {
        state->adopted = false;
    }
}

static void override_end(struct announcer *announcer, size_t vip)
{
    const struct override ended = announcer->vips[vip].override;
    char name[ADDRESS_TEXT_LEN];

    if (override_expire(&announcer->vips[vip].override, announcer->now_ns)) {
        say(announcer, LOG_LEVEL_NOTICE, "vip %s: %s by %s is over", vip_name(announcer, vip, name),
            override_action_name(ended.action), ended.owner[0] ? ended.owner : "an operator");
    }
}

static void vips_decide(struct announcer *announcer)
{
    for (size_t i = 0; i < announcer->config->vips_n; i++) {
        override_end(announcer, i);
        vip_decide(announcer, i, false);
    }
    announcer->decided_ns = announcer->now_ns;
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

/* Silence while clients are being answered, or may be for all we know yet, says nothing about the
 * service. */
static enum health_observation observation_judge(const struct announcer *announcer, size_t check,
                                                 const struct probe_outcome *outcome,
                                                 bool *ret_vouched)
{
    const size_t by = announcer->config->checks[check].vouched_by;
    const bool silent = outcome->observation == HEALTH_FAIL && outcome->cause == PROBE_CAUSE_SILENT;

    *ret_vouched = silent && by != POLICY_NONE && passes(announcer, by);
    if (silent && by != POLICY_NONE &&
        vouch_waits(&announcer->checks[by].health, announcer->checks[check].blind_n)) {
        return HEALTH_UNKNOWN;
    }
    return *ret_vouched ? HEALTH_UNKNOWN : outcome->observation;
}

void announcer_observe(struct announcer *announcer, size_t check,
                       const struct probe_outcome *outcome, int64_t now_ns)
{
    struct announcer_check *state = &announcer->checks[check];
    const struct config_check *config = &announcer->config->checks[check];
    enum health_observation observation;

    announcer->now_ns = now_ns;
    state->outcome = *outcome;
    if (outcome->observation == HEALTH_FAIL) {
        state->aging = outcome->cause == PROBE_CAUSE_AGING;
        state->silent = outcome->cause == PROBE_CAUSE_SILENT;
    }
    if (outcome->observation == HEALTH_UNKNOWN && config->vouched_by != POLICY_NONE) {
        state->blind_n = announcer->checks[config->vouched_by].health.observations_n;
    }
    observation = observation_judge(announcer, check, outcome, &state->vouched);
    if (health_observe(&state->health, &config->limits, observation, now_ns)) {
        check_say(announcer, check);
    } else if (outcome->observation == HEALTH_UNKNOWN && state->health.unknowns_n == 1) {
        say(announcer, LOG_LEVEL_ERROR, "check %s: cannot be made, it stays %s (%s)", config->name,
            health_state_name(state->health.state), outcome->evidence);
    }
    grace_observe(&state->grace, &state->health, outcome->cause == PROBE_CAUSE_DEAD, now_ns);
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
    announcer_run(announcer, now_ns);
}

/* The first VIP this order would take away although too few other PoPs stay; vips_n if none. */
static size_t order_last(const struct announcer *announcer, const struct announcer_order *order)
{
    const struct config *config = announcer->config;
    size_t vip = 0;

    if (order->force || (order->action != OVERRIDE_WITHDRAW && order->action != OVERRIDE_DRAIN)) {
        return config->vips_n;
    }
    while (vip < config->vips_n && !(override_names(order->vips, &config->routes[vip].prefix) &&
                                     policy_is_last(&announcer->vips[vip].verdict))) {
        vip++;
    }
    return vip;
}

static void order_take(struct announcer *announcer, size_t vip, const struct announcer_order *order)
{
    struct override *override = &announcer->vips[vip].override;
    char name[ADDRESS_TEXT_LEN];

    *override = override_make(order->action, order->force, order->for_ns, order->reason,
                              order->owner, announcer->now_ns);
    say(announcer, LOG_LEVEL_NOTICE, "vip %s: %s says %s%s%s%s", vip_name(announcer, vip, name),
        override->owner[0] ? override->owner : "an operator", override_action_name(order->action),
        order->force ? ", forced" : "", override->reason[0] ? ": " : "", override->reason);
    vip_decide(announcer, vip, false);
}

int announcer_override(struct announcer *announcer, const struct announcer_order *order,
                       int64_t now_ns, size_t *ret_vips_n, struct failure *failure)
{
    const struct config *config = announcer->config;
    char name[ADDRESS_TEXT_LEN];
    size_t last, named_n = 0;

    announcer->now_ns = now_ns;
    vips_decide(announcer);
    last = order_last(announcer, order);
    if (last < config->vips_n) {
        const struct guard *guard = &announcer->vips[last].verdict.guard;

        return failure_set(failure, -EBUSY,
                           "%s would be left to %zu of %zu peers, it takes %zu (or force)",
                           vip_name(announcer, last, name), guard->staying_n, guard->peers_n,
                           config->vips[last].settings.guard.at_least);
    }
    for (size_t i = 0; i < config->vips_n; i++) {
        if (override_names(order->vips, &config->routes[i].prefix)) {
            order_take(announcer, i, order);
            named_n++;
        }
    }
    *ret_vips_n = named_n;
    return named_n ? 0 : failure_set(failure, -ENOENT, "%s is no VIP of this host", order->vips);
}

void announcer_run(struct announcer *announcer, int64_t now_ns)
{
    if (now_ns >= announcer_deadline_ns(announcer)) {
        announcer->now_ns = now_ns;
        vips_decide(announcer);
    }
}

int64_t announcer_deadline_ns(const struct announcer *announcer)
{
    int64_t deadline_ns = announcer->decided_ns + TICK_NS;

    for (size_t i = 0; i < announcer->config->vips_n; i++) {
        const struct announcer_vip *state = &announcer->vips[i];
        const int64_t ends_ns =
            state->override.action == OVERRIDE_AUTO ? INT64_MAX : state->override.expires_ns;

        deadline_ns = state->verdict.next_ns < deadline_ns ? state->verdict.next_ns : deadline_ns;
        deadline_ns = ends_ns < deadline_ns ? ends_ns : deadline_ns;
    }
    return deadline_ns;
}

const struct want *announcer_want(const struct announcer *announcer, size_t vip)
{
    return &announcer->vips[vip].verdict.want;
}

bool announcer_stays(const struct announcer *announcer, size_t vip)
{
    return announcer->vips[vip].verdict.stays &&
           announcer->speaker.routes[vip].known == EXABGP_KNOWN_ANNOUNCED &&
           exabgp_sessions_up(&announcer->speaker.sessions) > 0;
}

double announcer_penalty(const struct announcer *announcer, size_t vip, int64_t now_ns)
{
    return damping_penalty(&announcer->vips[vip].policy.damping,
                           &announcer->config->vips[vip].settings.damping, now_ns);
}

uint32_t announcer_budget_left(const struct announcer *announcer, size_t vip, int64_t now_ns)
{
    return budget_left(&announcer->budget, vip, now_ns);
}

/* ---- memory ---- */

void announcer_remember(const struct announcer *announcer, size_t vip, int64_t now_ns,
                        struct announcer_memory *ret_memory)
{
    const struct announcer_vip *state = &announcer->vips[vip];
    const struct budget_vip *budget = &announcer->budget.vips[vip];

    *ret_memory = (struct announcer_memory){
        .override = state->override,
        .penalty = announcer_penalty(announcer, vip, now_ns),
        .suppressed_age_ns =
            state->policy.damping.suppressed ? now_ns - state->policy.damping.suppressed_ns : -1,
        .begins_n = budget->begins_n,
    };
    ret_memory->override.since_ns = now_ns - state->override.since_ns;
    if (state->override.expires_ns != OVERRIDE_FOR_EVER) {
        ret_memory->override.expires_ns = state->override.expires_ns - now_ns;
    }
    for (size_t i = 0; i < budget->begins_n; i++) {
        ret_memory->begins_age_ns[i] = now_ns - budget->begins_ns[i];
    }
}

void announcer_recall(struct announcer *announcer, size_t vip,
                      const struct announcer_memory *memory, int64_t now_ns)
{
    struct announcer_vip *state = &announcer->vips[vip];

    announcer->now_ns = now_ns;
    state->override = memory->override;
    state->override.since_ns = now_ns - memory->override.since_ns;
    if (memory->override.expires_ns != OVERRIDE_FOR_EVER) {
        state->override.expires_ns = now_ns + memory->override.expires_ns;
    }
    state->policy.damping = (struct damping){
        .penalty = memory->penalty,
        .at_ns = now_ns,
        .suppressed = memory->suppressed_age_ns >= 0,
        .suppressed_ns = now_ns - memory->suppressed_age_ns,
    };
    for (size_t i = 0; i < memory->begins_n && i < BUDGET_ALLOW_MAX; i++) {
        budget_recall(&announcer->budget, vip, now_ns - memory->begins_age_ns[i]);
    }
    override_end(announcer, vip);
    vip_decide(announcer, vip, false);
}

/* ---- life ---- */

int64_t announcer_next_probe_ns(const struct announcer *announcer, size_t check, int64_t started_ns)
{
    const struct health *health = &announcer->checks[check].health;
    const struct config_check *config = &announcer->config->checks[check];
    const bool confirm = health->state == HEALTH_UP && health->last == HEALTH_FAIL;

    return started_ns + (confirm ? config->retry_ns : config->interval_ns);
}

struct announcer *announcer_new(const struct config *config, announcer_log *log, void *context,
                                uint64_t seed, int64_t now_ns)
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
    announcer->budget.limits = config->budget;
    announcer->quota = budget_quota(&announcer->budget);
    for (size_t i = 0; i < config->checks_n; i++) {
        health_init(&announcer->checks[i].health, now_ns);
    }
    for (size_t i = 0; i < config->vips_n; i++) {
        announcer->vips[i].adopted = true;
        policy_init(&announcer->vips[i].policy, seed ^ (i + 1) * UINT64_C(0x9e3779b97f4a7c15),
                    now_ns);
        vip_decide(announcer, i, true);
    }
    announcer->decided_ns = now_ns;
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

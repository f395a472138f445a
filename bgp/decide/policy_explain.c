/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A verdict in words: what won, by which evidence and until when, and what it overrode.
 */
#include "bgp/decide/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define SPAN_LEN 24

struct words {
    char *bytes; /* POLICY_REASON_LEN */
    size_t len;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *words, const char *format, ...)
{
    const size_t room = POLICY_REASON_LEN - words->len;
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(words->bytes + words->len, room, format, arguments);
    va_end(arguments);
    if (len > 0) {
        words->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

static const char *span(int64_t ns, char text[static SPAN_LEN])
{
    const long long s = ns < 0 ? 0 : (long long)((ns + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S);

    if (s < 60) {
        snprintf(text, SPAN_LEN, "%.1f s", ns < 0 ? 0.0 : (double)ns / (double)CLOCK_NS_PER_S);
    } else if (s < 3600) {
        snprintf(text, SPAN_LEN, "%lld min", (s + 59) / 60);
    } else {
        snprintf(text, SPAN_LEN, "%lld h %lld min", s / 3600, s % 3600 / 60);
    }
    return text;
}

static void add_evidence(struct words *words, const struct policy_check *check)
{
    if (check->evidence[0]) {
        add(words, " (%s)", check->evidence);
    }
}

static void add_left(struct words *words, const struct policy_verdict *verdict, int64_t now_ns)
{
    char text[SPAN_LEN];

    if (verdict->until_ns != INT64_MAX) {
        add(words, ", for %s more", span(verdict->until_ns - now_ns, text));
    }
}

static void add_operator(struct words *words, const struct override *override, const char *what,
                         int64_t now_ns)
{
    char text[SPAN_LEN];

    add(words, "%s by %s%s", what, override->owner[0] ? override->owner : "an operator",
        override->force ? ", forced" : "");
    if (override->expires_ns != OVERRIDE_FOR_EVER) {
        add(words, ", for %s more", span(override->expires_ns - now_ns, text));
    }
    if (override->reason[0]) {
        add(words, ": %s", override->reason);
    }
}

static void add_guard(struct words *words, const struct guard *guard)
{
    add(words, "%zu of %zu peers stay", guard->staying_n, guard->peers_n);
}

static void add_down(struct words *words, const struct policy_check *check)
{
    const struct health *health = check->health;

    if (health->fails_n > 0) {
        add(words, "hard check %s down after %u failures", check->name, health->fails_n);
    } else {
        add(words, "hard check %s down, passed %u times since", check->name, health->passes_n);
    }
    add_evidence(words, check);
}

static void add_grace(struct words *words, const struct policy_input *input,
                      const struct policy_verdict *verdict, int64_t now_ns)
{
    const struct policy_check *check = &input->checks[verdict->check];
    char text[SPAN_LEN];

    add(words, "restart grace: %s died %s ago", check->name,
        span(now_ns - check->grace->since_ns, text));
    add_evidence(words, check);
    if (input->heartbeat) {
        add(words, ", the kernel answers meanwhile");
    }
    add_left(words, verdict, now_ns);
}

static void add_starting(struct words *words, const struct policy_check *check)
{
    add(words, "starting: check %s has passed %u times in a row", check->name,
        check->health->passes_n);
    add_evidence(words, check);
}

static void add_drain(struct words *words, const struct policy_settings *settings,
                      const struct policy_input *input, const struct policy_verdict *verdict,
                      int64_t now_ns)
{
    const struct drain_plan *plan = &settings->drain;

    add_operator(words, input->override, "drained", now_ns);
    if (verdict->drain_step < plan->steps_n) {
        add(words, "; step %zu of %zu, %s", verdict->drain_step + 1, plan->steps_n,
            drain_step_name(plan->steps[verdict->drain_step].kind));
        add_left(words, verdict, now_ns);
    } else {
        add(words, "; all %zu steps done", plan->steps_n);
    }
}

static void add_soft_down(struct words *words, const struct policy_input *input,
                          const struct policy_verdict *verdict)
{
    add(words, "soft check %s down", input->checks[verdict->soft].name);
    add_evidence(words, &input->checks[verdict->soft]);
    if (verdict->softs_n > 1) {
        add(words, " and %zu more", verdict->softs_n - 1);
    }
}

static void add_refusal(struct words *words, const struct leave *leave, const struct guard *guard)
{
    switch (leave->refusal) {
    case LEAVE_REFUSED_NOT:
        add(words, "%s", leave->state == LEAVE_LEAVING ? "; about to leave" : "");
        return;
    case LEAVE_REFUSED_GUARD:
        add(words, "; stays: ");
        add_guard(words, guard);
        return;
    case LEAVE_REFUSED_QUOTA:
        add(words, "; stays: the quota of withdrawals is used up");
        return;
    case LEAVE_REFUSED_UNREACHABLE:
        add(words, "; stays: nobody there to permit a withdrawal");
        return;
    }
}

static void add_up(struct words *words, const struct policy *policy,
                   const struct policy_input *input, const struct policy_verdict *verdict)
{
    size_t hard_n = 0;

    for (size_t i = 0; i < input->checks_n; i++) {
        hard_n += input->checks[i].hard;
    }
    add(words, "all %zu hard checks up", hard_n);
    if (verdict->soft != POLICY_NONE) {
        add(words, "; degraded: ");
        add_soft_down(words, input, verdict);
        add_refusal(words, &policy->leave, &verdict->guard);
    }
    if (verdict->vouched != POLICY_NONE) {
        add(words, "; degraded: %s silent while clients are answered",
            input->checks[verdict->vouched].name);
    }
}

static void add_damped(struct words *words, const struct policy *policy,
                       const struct policy_settings *settings, const struct policy_verdict *verdict,
                       int64_t now_ns)
{
    add(words, "flapped too often: penalty %.0f, announced again below %.0f",
        damping_penalty(&policy->damping, &settings->damping, now_ns), settings->damping.reuse);
    add_left(words, verdict, now_ns);
}

static void add_soft(struct words *words, const struct policy *policy,
                     const struct policy_input *input, const struct policy_verdict *verdict,
                     int64_t now_ns)
{
    if (policy->leave.state == LEAVE_RETURNING) {
        add(words, "soft checks up again: coming back");
        add_left(words, verdict, now_ns);
        return;
    }
    if (verdict->soft != POLICY_NONE) {
        add_soft_down(words, input, verdict);
        add(words, "; permitted, and ");
    }
    add_guard(words, &verdict->guard);
}

static void add_overruled(struct words *words, const struct policy_input *input,
                          const struct policy_verdict *verdict)
{
    switch (verdict->overruled) {
    case POLICY_HARD:
    case POLICY_TAKEOVER_FAILS:
    case POLICY_UNGOVERNED:
        add(words, "; overrides the hard checks");
        return;
    case POLICY_OPERATOR_WITHDRAWS:
    case POLICY_OPERATOR_DRAINS:
    case POLICY_OPERATOR_WAITS:
    case POLICY_OPERATOR_ANNOUNCES:
    case POLICY_FORCED:
        add(words, "; overrides %s's %s",
            input->override->owner[0] ? input->override->owner : "an operator",
            override_action_name(input->override->action));
        return;
    case POLICY_GRACE:
        add(words, "; overrides the restart grace");
        return;
    case POLICY_GATED:
    case POLICY_STARTING:
    case POLICY_TAKEN_OVER:
        add(words, "; overrides the start");
        return;
    case POLICY_DAMPED:
        add(words, "; overrides the flap damping");
        return;
    case POLICY_SOFT:
        add(words, "; overrides the soft checks");
        return;
    case POLICY_UP:
        add(words, "; overrides good checks");
        return;
    }
}

static void add_verdict(struct words *words, const struct policy *policy,
                        const struct policy_settings *settings, const struct policy_input *input,
                        const struct policy_verdict *verdict, int64_t now_ns)
{
    switch (verdict->code) {
    case POLICY_FORCED:
    case POLICY_OPERATOR_ANNOUNCES:
        add_operator(words, input->override, "announced", now_ns);
        return;
    case POLICY_HARD:
        add_down(words, &input->checks[verdict->check]);
        return;
    case POLICY_UNGOVERNED: /* without any proof of life the only safe answer is no */
        add(words, "no hard check governs it");
        return;
    case POLICY_TAKEOVER_FAILS:
        add(words, "taken over, and hard check %s fails at once",
            input->checks[verdict->check].name);
        add_evidence(words, &input->checks[verdict->check]);
        return;
    case POLICY_OPERATOR_WITHDRAWS:
        add_operator(words, input->override,
                     input->override->action == OVERRIDE_DRAIN ? "drained and withdrawn"
                                                               : "withdrawn",
                     now_ns);
        return;
    case POLICY_OPERATOR_DRAINS:
        add_drain(words, settings, input, verdict, now_ns);
        return;
    case POLICY_OPERATOR_WAITS:
        add_operator(words, input->override, "to be withdrawn", now_ns);
        add(words, "; stays: ");
        add_guard(words, &verdict->guard);
        return;
    case POLICY_GRACE:
        add_grace(words, input, verdict, now_ns);
        return;
    case POLICY_TAKEN_OVER:
        add(words, "taken over: kept as it is until check %s decides",
            input->checks[verdict->check].name);
        return;
    case POLICY_STARTING:
        add_starting(words, &input->checks[verdict->check]);
        return;
    case POLICY_GATED:
        add(words, "hard checks up, waiting for the soft ones before the first announcement");
        add_left(words, verdict, now_ns);
        return;
    case POLICY_DAMPED:
        add_damped(words, policy, settings, verdict, now_ns);
        return;
    case POLICY_SOFT:
        add_soft(words, policy, input, verdict, now_ns);
        return;
    case POLICY_UP:
        add_up(words, policy, input, verdict);
        return;
    }
}

void policy_explain(const struct policy *policy, const struct policy_settings *settings,
                    const struct policy_input *input, const struct policy_verdict *verdict,
                    int64_t now_ns, char ret_reason[static POLICY_REASON_LEN])
{
    struct words words = {.bytes = ret_reason};

    ret_reason[0] = '\0';
    add_verdict(&words, policy, settings, input, verdict, now_ns);
    if (verdict->overrode) {
        add_overruled(&words, input, verdict);
    }
}

const char *policy_code_name(enum policy_code code)
{
    static const char *const names[POLICY_CODES_N] = {
        [POLICY_FORCED] = "forced",
        [POLICY_HARD] = "hard",
        [POLICY_UNGOVERNED] = "ungoverned",
        [POLICY_TAKEOVER_FAILS] = "takeover_fails",
        [POLICY_OPERATOR_WITHDRAWS] = "operator_withdraws",
        [POLICY_OPERATOR_DRAINS] = "operator_drains",
        [POLICY_OPERATOR_WAITS] = "operator_waits",
        [POLICY_GRACE] = "grace",
        [POLICY_TAKEN_OVER] = "taken_over",
        [POLICY_STARTING] = "starting",
        [POLICY_OPERATOR_ANNOUNCES] = "operator_announces",
        [POLICY_GATED] = "gated",
        [POLICY_DAMPED] = "damped",
        [POLICY_SOFT] = "soft",
        [POLICY_UP] = "up",
    };

    return code < POLICY_CODES_N ? names[code] : "?";
}

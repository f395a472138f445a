/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/outcome.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void outcome_set(struct probe_outcome *outcome, enum health_observation observation,
                        enum probe_cause cause, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

static void outcome_set(struct probe_outcome *outcome, enum health_observation observation,
                        enum probe_cause cause, const char *format, va_list arguments)
{
    *outcome = (struct probe_outcome){.observation = observation, .cause = cause};
    vsnprintf(outcome->evidence, sizeof(outcome->evidence), format, arguments);
    for (char *at = outcome->evidence; *at; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
}

bool outcome_pass(struct probe_outcome *ret_outcome, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    outcome_set(ret_outcome, HEALTH_PASS, PROBE_CAUSE_NONE, format, arguments);
    va_end(arguments);
    return true;
}

bool outcome_fail(struct probe_outcome *ret_outcome, enum probe_cause cause, const char *format,
                  ...)
{
    va_list arguments;

    va_start(arguments, format);
    outcome_set(ret_outcome, HEALTH_FAIL, cause, format, arguments);
    va_end(arguments);
    return true;
}

bool outcome_unknown(struct probe_outcome *ret_outcome, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    outcome_set(ret_outcome, HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL, format, arguments);
    va_end(arguments);
    return true;
}

bool outcome_errno(struct probe_outcome *ret_outcome, const char *what, int error)
{
    switch (error) {
    case ECONNREFUSED:
        return outcome_fail(ret_outcome, PROBE_CAUSE_DEAD, "nobody listens (refused)");
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ECONNRESET:
    case EPIPE:
        return outcome_fail(ret_outcome, PROBE_CAUSE_DEAD, "%s: %s", what, strerror(error));
    case ETIMEDOUT:
        return outcome_fail(ret_outcome, PROBE_CAUSE_SILENT, "%s: %s", what, strerror(error));
    default:
        return outcome_unknown(ret_outcome, "%s: %s", what, strerror(error));
    }
}

const char *outcome_span(int64_t seconds, char ret_text[static OUTCOME_SPAN_LEN])
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    size_t i = 0;

    while (units[i].seconds > 1 && seconds < 2 * units[i].seconds) {
        i++;
    }
    snprintf(ret_text, OUTCOME_SPAN_LEN, "%lld %s", (long long)(seconds / units[i].seconds),
             units[i].name);
    return ret_text;
}

const char *probe_cause_name(enum probe_cause cause)
{
    switch (cause) {
    case PROBE_CAUSE_NONE:
        return "none";
    case PROBE_CAUSE_DEAD:
        return "dead";
    case PROBE_CAUSE_SILENT:
        return "silent";
    case PROBE_CAUSE_WRONG:
        return "wrong";
    case PROBE_CAUSE_AGING:
        return "aging";
    case PROBE_CAUSE_STALE:
        return "stale";
    case PROBE_CAUSE_INTERNAL:
        return "internal";
    }
    return "?";
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/outcome.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* What the network says is about the service; what this process or this host cannot do is not. */
Test(outcome, whose_fault_an_errno_is)
{
    static const struct {
        int error;
        enum probe_cause cause;
    } rows[] = {
        {ECONNREFUSED, PROBE_CAUSE_DEAD},   {EHOSTUNREACH, PROBE_CAUSE_DEAD},
        {ENETUNREACH, PROBE_CAUSE_DEAD},    {ENETDOWN, PROBE_CAUSE_DEAD},
        {ECONNRESET, PROBE_CAUSE_DEAD},     {EPIPE, PROBE_CAUSE_DEAD},
        {ETIMEDOUT, PROBE_CAUSE_SILENT},    {EMFILE, PROBE_CAUSE_INTERNAL},
        {ENFILE, PROBE_CAUSE_INTERNAL},     {ENOMEM, PROBE_CAUSE_INTERNAL},
        {ENOBUFS, PROBE_CAUSE_INTERNAL},    {EPERM, PROBE_CAUSE_INTERNAL},
        {EACCES, PROBE_CAUSE_INTERNAL},     {EADDRNOTAVAIL, PROBE_CAUSE_INTERNAL},
        {EADDRINUSE, PROBE_CAUSE_INTERNAL}, {EAFNOSUPPORT, PROBE_CAUSE_INTERNAL},
        {EINVAL, PROBE_CAUSE_INTERNAL},     {ENOSPC, PROBE_CAUSE_INTERNAL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe_outcome outcome;

        cr_expect(outcome_errno(&outcome, "trying", rows[i].error));
        cr_expect_eq(outcome.cause, rows[i].cause, "%s", strerror(rows[i].error));
        cr_expect_eq(outcome.observation,
                     rows[i].cause == PROBE_CAUSE_INTERNAL ? HEALTH_UNKNOWN : HEALTH_FAIL);
    }
}

Test(outcome, evidence_is_printable_and_fits)
{
    struct probe_outcome outcome;
    char much[2 * PROBE_EVIDENCE_LEN];

    outcome_fail(&outcome, PROBE_CAUSE_WRONG, "%s", "a\033[2J\n\377z");
    cr_assert_str_eq(outcome.evidence, "a?[2J??z");
    memset(much, 'x', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    outcome_pass(&outcome, "%s", much);
    cr_assert_eq(strlen(outcome.evidence), PROBE_EVIDENCE_LEN - 1);
    cr_assert_eq(outcome.cause, PROBE_CAUSE_NONE);
}

Test(outcome, spans)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {{0, "0 s"},    {119, "119 s"},   {120, "2 min"},  {7199, "119 min"},
                {7200, "2 h"}, {172799, "47 h"}, {172800, "2 d"}, {86400 * 400, "400 d"}};
    char text[OUTCOME_SPAN_LEN];

    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_str_eq(outcome_span(rows[i].seconds, text), rows[i].text);
    }
}

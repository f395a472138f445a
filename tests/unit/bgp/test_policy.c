/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/policy.h"

#include <criterion/criterion.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define CHECKS_MAX 4

/* A check per letter pair: H or S for its class, then u up, d down, s starting, f starting after a
 * failure. */
static size_t checks_make(const char *text, struct policy_check checks[CHECKS_MAX],
                          struct health healths[CHECKS_MAX])
{
    static const char *const names[CHECKS_MAX] = {"one", "two", "three", "four"};
    size_t count = 0;

    for (; *text; text += 2) {
        struct health *health = &healths[count];

        health_init(health, 0);
        health->state = text[1] == 'u' ? HEALTH_UP : text[1] == 'd' ? HEALTH_DOWN : HEALTH_STARTING;
        health->fails_n = text[1] == 'd' || text[1] == 'f';
        checks[count] = (struct policy_check){
            .name = names[count], .hard = text[0] == 'H', .health = health, .evidence = "SERVFAIL"};
        count++;
    }
    return count;
}

Test(policy, what_to_do)
{
    static const struct {
        const char *checks;
        bool adopted;
        enum route_wish wish;
        bool degraded, settled;
        const char *reason; /* must contain */
    } rows[] = {
        {"Hu", false, ROUTE_ANNOUNCE, false, true, "all 1 hard checks up"},
        {"HuHu", false, ROUTE_ANNOUNCE, false, true, "all 2 hard"},
        {"HuHd", false, ROUTE_WITHDRAW, false, true, "two down"},
        {"Hd", false, ROUTE_WITHDRAW, false, true, "SERVFAIL"},
        {"Hs", false, ROUTE_WITHDRAW, false, false, "starting"},
        {"HuHs", false, ROUTE_WITHDRAW, false, false, "starting: check two"},
        {"HuSd", false, ROUTE_ANNOUNCE, true, true, "degraded: soft check two down (SERVFAIL)"},
        {"HuSdSd", false, ROUTE_ANNOUNCE, true, true, "and more"},
        {"HuSs", false, ROUTE_ANNOUNCE, false, true, "all 1 hard"},
        {"HdSd", false, ROUTE_WITHDRAW, true, true, "one down"},
        {"Hs", true, ROUTE_HOLD, false, false, "taken over"},
        {"HuHs", true, ROUTE_HOLD, false, false, "until check two decides"},
        {"Hf", true, ROUTE_WITHDRAW, false, false, "fails at once (SERVFAIL)"},
        {"HuHf", true, ROUTE_WITHDRAW, false, false, "check two fails at once"},
        {"HsSf", true, ROUTE_HOLD, false, false, "taken over"},
        {"Hu", true, ROUTE_ANNOUNCE, false, true, "all 1 hard"},
        {"Hf", false, ROUTE_WITHDRAW, false, false, "starting"},
        /* the configuration refuses these; they must still fail closed */
        {"Su", false, ROUTE_WITHDRAW, false, true, "no hard check"},
        {"", true, ROUTE_WITHDRAW, false, true, "no hard check"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct health healths[CHECKS_MAX];
        struct policy_check checks[CHECKS_MAX];
        const size_t count = checks_make(rows[i].checks, checks, healths);
        struct policy_verdict verdict;

        policy_decide(checks, count, rows[i].adopted, &verdict);
        cr_expect_eq(verdict.wish, rows[i].wish, "%s: %s", rows[i].checks, verdict.reason);
        cr_expect_eq(verdict.degraded, rows[i].degraded, "%s", rows[i].checks);
        cr_expect_eq(verdict.settled, rows[i].settled, "%s", rows[i].checks);
        cr_expect(strstr(verdict.reason, rows[i].reason), "%s: %s", rows[i].checks, verdict.reason);
    }
}

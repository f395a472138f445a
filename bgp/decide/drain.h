/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a VIP is emptied before its route goes: steps that make the path worse, waits in which
 * traffic moves away, and the withdrawal at the end. Pure: where a drain stands is a function of
 * the plan and of how long ago it began, so nothing has to be remembered but its beginning.
 *
 *     prepend 3 | communities 65535:0 | wait 60s | withdraw
 *     \______ at once, together _____/ \_ here _/ \_ then, if the last-PoP guard has no objection
 *
 * Steps add up: a later one does not undo an earlier one. A plan without a withdrawal leaves the
 * VIP announced with the worse path.
 */
#ifndef BGP_DRAIN_H
#define BGP_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/speak/route.h"

#define DRAIN_STEPS_MAX 8

enum drain_step_kind {
    DRAIN_PREPEND,     /* `count` more of our own AS before the path */
    DRAIN_COMMUNITIES, /* those added, RFC 1997; 65535:0 asks for a graceful shutdown, RFC 8326 */
    DRAIN_LARGE_COMMUNITIES, /* those added, RFC 8092 */
    DRAIN_MED,               /* instead of the usual one */
    DRAIN_WAIT,
    DRAIN_WITHDRAW, /* the last step, if there is one */
};

struct drain_step {
    enum drain_step_kind kind;
    uint32_t number; /* PREPEND: how often; MED: the metric */
    int64_t wait_ns; /* WAIT */
    size_t count;    /* of the communities */
    struct route_community communities[ROUTE_COMMUNITIES_MAX];
    struct route_large_community large_communities[ROUTE_COMMUNITIES_MAX];
};

struct drain_plan {
    uint32_t local_as; /* PREPEND needs it */
    size_t steps_n;
    struct drain_step steps[DRAIN_STEPS_MAX];
};

struct drain_position {
    size_t step;                        /* waited in, or `steps_n` when all are done */
    bool withdraw;                      /* the withdrawal is due */
    int64_t next_ns;                    /* from its beginning to the next change; INT64_MAX: none */
    struct route_attributes attributes; /* worse than the usual ones by all steps done */
};

/* 65535:0, wait a minute, withdraw: what is done where no plan was given. */
struct drain_plan drain_plan_usual(void);

/* The attributes after all steps, or false if they have no room (the configuration refuses such a
 * plan). `ret_attributes` may be NULL. */
bool drain_fits(const struct drain_plan *plan, const struct route_attributes *usual,
                struct route_attributes *ret_attributes);

/* Where a drain stands that began `elapsed_ns` ago. The plan must fit. */
void drain_at(const struct drain_plan *plan, const struct route_attributes *usual,
              int64_t elapsed_ns, struct drain_position *ret_position);

/* "prepend", "communities", ..., for people. */
const char *drain_step_name(enum drain_step_kind kind);

#endif

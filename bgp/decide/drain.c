/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/drain.h"

#include <string.h>

#include "base/clock.h"

struct drain_plan drain_plan_usual(void)
{
    return (struct drain_plan){
        .steps_n = 3,
        .steps = {{.kind = DRAIN_COMMUNITIES, .count = 1, .communities = {{65535, 0}}},
                  {.kind = DRAIN_WAIT, .wait_ns = 60 * CLOCK_NS_PER_S},
                  {.kind = DRAIN_WITHDRAW}},
    };
}

/* ExaBGP sends the path as it is written, so it has to be the whole one, our own AS included; none
 * means ExaBGP's own, which is our AS once (RFC 4271 section 5.1.2). */
static bool prepend(struct route_attributes *attributes, uint32_t local_as, size_t count)
{
    if (attributes->as_path_n == 0) {
        attributes->as_path[attributes->as_path_n++] = local_as;
    }
    if (count > ROUTE_AS_PATH_MAX - attributes->as_path_n) {
        return false;
    }
    memmove(attributes->as_path + count, attributes->as_path,
            attributes->as_path_n * sizeof(attributes->as_path[0]));
    for (size_t i = 0; i < count; i++) {
        attributes->as_path[i] = local_as;
    }
    attributes->as_path_n += count;
    return true;
}

static bool step_apply(const struct drain_step *step, uint32_t local_as,
                       struct route_attributes *attributes)
{
    switch (step->kind) {
    case DRAIN_PREPEND:
        return prepend(attributes, local_as, step->number);
    case DRAIN_COMMUNITIES:
        if (step->count > ROUTE_COMMUNITIES_MAX - attributes->communities_n) {
            return false;
        }
        memcpy(attributes->communities + attributes->communities_n, step->communities,
               step->count * sizeof(step->communities[0]));
        attributes->communities_n += step->count;
        return true;
    case DRAIN_LARGE_COMMUNITIES:
        if (step->count > ROUTE_COMMUNITIES_MAX - attributes->large_communities_n) {
            return false;
        }
        memcpy(attributes->large_communities + attributes->large_communities_n,
               step->large_communities, step->count * sizeof(step->large_communities[0]));
        attributes->large_communities_n += step->count;
        return true;
    case DRAIN_MED:
        attributes->has_med = true;
        attributes->med = step->number;
        return true;
    case DRAIN_WAIT:
    case DRAIN_WITHDRAW:
        return true;
    }
    return false;
}

bool drain_fits(const struct drain_plan *plan, const struct route_attributes *usual,
                struct route_attributes *ret_attributes)
{
    struct route_attributes attributes = *usual;

    for (size_t i = 0; i < plan->steps_n; i++) {
        if (!step_apply(&plan->steps[i], plan->local_as, &attributes)) {
            return false;
        }
    }
    if (ret_attributes) {
        *ret_attributes = attributes;
    }
    return true;
}

void drain_at(const struct drain_plan *plan, const struct route_attributes *usual,
              int64_t elapsed_ns, struct drain_position *ret_position)
{
    int64_t over_ns = 0; /* when the waits so far are over */

    ret_position->withdraw = false;
    ret_position->next_ns = INT64_MAX;
    ret_position->attributes = *usual;
    for (size_t i = 0; i < plan->steps_n; i++) {
        const struct drain_step *step = &plan->steps[i];

        ret_position->step = i;
        if (step->kind == DRAIN_WAIT) {
            over_ns += step->wait_ns;
            if (elapsed_ns < over_ns) {
                ret_position->next_ns = over_ns;
                return;
            }
        }
        if (step->kind == DRAIN_WITHDRAW) {
            ret_position->withdraw = true;
            return;
        }
        (void)step_apply(step, plan->local_as, &ret_position->attributes);
    }
    ret_position->step = plan->steps_n;
}

const char *drain_step_name(enum drain_step_kind kind)
{
    switch (kind) {
    case DRAIN_PREPEND:
        return "prepend";
    case DRAIN_COMMUNITIES:
        return "communities";
    case DRAIN_LARGE_COMMUNITIES:
        return "large_communities";
    case DRAIN_MED:
        return "med";
    case DRAIN_WAIT:
        return "wait";
    case DRAIN_WITHDRAW:
        return "withdraw";
    }
    return "?";
}

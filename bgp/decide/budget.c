/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/budget.h"

#include <string.h>

uint32_t budget_left(const struct budget *budget, size_t vip, int64_t now_ns)
{
    const size_t first = budget->limits.each ? vip : 0;
    const size_t end = budget->limits.each ? vip + 1 : BUDGET_VIPS_MAX;
    uint32_t held_n = 0, begun_n = 0, used_n;

    for (size_t i = first; i < end; i++) {
        held_n += budget->vips[i].held;
        for (size_t k = 0; k < budget->vips[i].begins_n; k++) {
            begun_n += now_ns - budget->vips[i].begins_ns[k] < budget->limits.per_ns;
        }
    }
    used_n = held_n > begun_n ? held_n : begun_n;
    return used_n < budget->limits.allow ? budget->limits.allow - used_n : 0;
}

void budget_recall(struct budget *budget, size_t vip, int64_t began_ns)
{
    struct budget_vip *state = &budget->vips[vip];

    if (state->begins_n == BUDGET_ALLOW_MAX) {
        state->begins_n--;
        memmove(state->begins_ns, state->begins_ns + 1,
                state->begins_n * sizeof(state->begins_ns[0]));
    }
    state->begins_ns[state->begins_n++] = began_ns;
}

static enum quota_answer hold(void *context, size_t vip, int64_t now_ns)
{
    struct budget *budget = context;

    if (!budget->vips[vip].held) {
        if (budget_left(budget, vip, now_ns) == 0) {
            return QUOTA_REFUSED;
        }
        budget->vips[vip].held = true;
        budget_recall(budget, vip, now_ns);
    }
    return QUOTA_GRANTED;
}

static void release(void *context, size_t vip, int64_t now_ns)
{
    struct budget *budget = context;

    (void)now_ns;
    budget->vips[vip].held = false;
}

struct quota budget_quota(struct budget *budget)
{
    return (struct quota){.hold = hold, .release = release, .context = budget};
}

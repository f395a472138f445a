/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/leave.h"

/* splitmix64: every seed gives a good sequence, and it is three lines. */
static int64_t jitter(struct leave *leave, int64_t below_ns)
{
    uint64_t word = leave->random += UINT64_C(0x9e3779b97f4a7c15);

    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    word ^= word >> 31;
    return below_ns > 0 ? (int64_t)(word % (uint64_t)below_ns) : 0;
}

static void go(struct leave *leave, enum leave_state state, int64_t until_ns)
{
    leave->state = state;
    leave->until_ns = until_ns;
    leave->refusal = LEAVE_REFUSED_NOT;
}

static void refuse(struct leave *leave, const struct leave_limits *limits,
                   enum leave_refusal refusal, int64_t now_ns)
{
    go(leave, LEAVE_STAYING, now_ns + limits->retry_ns + jitter(leave, limits->jitter_ns));
    leave->refusal = refusal;
}

static enum leave_refusal permission(const struct leave_view *view, int64_t now_ns)
{
    if (!view->guard->met) {
        return LEAVE_REFUSED_GUARD;
    }
    switch (view->quota->hold(view->quota->context, view->vip, now_ns)) {
    case QUOTA_GRANTED:
        return LEAVE_REFUSED_NOT;
    case QUOTA_REFUSED:
        return LEAVE_REFUSED_QUOTA;
    case QUOTA_UNREACHABLE:
        break;
    }
    return LEAVE_REFUSED_UNREACHABLE;
}

static void staying_step(struct leave *leave, const struct leave_limits *limits,
                         const struct leave_view *view, int64_t now_ns)
{
    if (!view->wanted) {
        leave->refusal = LEAVE_REFUSED_NOT;
    } else if (limits->allowed && view->may_start && now_ns >= leave->until_ns) {
        go(leave, LEAVE_LEAVING, now_ns + view->settle_ns + jitter(leave, limits->jitter_ns));
    }
}

static void leaving_step(struct leave *leave, const struct leave_limits *limits,
                         const struct leave_view *view, int64_t now_ns)
{
    enum leave_refusal refusal;

    if (!view->wanted || !view->may_start) {
        go(leave, LEAVE_STAYING, now_ns);
        return;
    }
    if (now_ns < leave->until_ns) {
        return;
    }
    refusal = permission(view, now_ns);
    if (refusal == LEAVE_REFUSED_NOT) {
        go(leave, LEAVE_LEFT, INT64_MAX);
    } else {
        refuse(leave, limits, refusal, now_ns);
    }
}

/* Withdrawn, and able to answer: only as long as everything that allowed it still does. */
static void left_step(struct leave *leave, const struct leave_limits *limits,
                      const struct leave_view *view, int64_t now_ns)
{
    const enum leave_refusal refusal = permission(view, now_ns);

    if (refusal != LEAVE_REFUSED_NOT) {
        refuse(leave, limits, refusal, now_ns);
    } else if (view->wanted) {
        go(leave, LEAVE_LEFT, INT64_MAX);
    } else if (leave->state == LEAVE_LEFT) {
        go(leave, LEAVE_RETURNING, now_ns + jitter(leave, limits->jitter_ns));
    } else if (now_ns >= leave->until_ns) {
        go(leave, LEAVE_STAYING, now_ns);
    }
}

void leave_step(struct leave *leave, const struct leave_limits *limits,
                const struct leave_view *view, int64_t now_ns)
{
    switch (leave->state) {
    case LEAVE_STAYING:
        staying_step(leave, limits, view, now_ns);
        break;
    case LEAVE_LEAVING:
        leaving_step(leave, limits, view, now_ns);
        break;
    case LEAVE_LEFT:
    case LEAVE_RETURNING:
        left_step(leave, limits, view, now_ns);
        break;
    }
    if (leave->state == LEAVE_STAYING || leave->state == LEAVE_LEAVING) {
        view->quota->release(view->quota->context, view->vip, now_ns);
    }
}

int64_t leave_deadline_ns(const struct leave *leave, int64_t now_ns)
{
    return leave->until_ns > now_ns ? leave->until_ns : INT64_MAX;
}

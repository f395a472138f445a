/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an operator said about a VIP: withdraw it, drain it, announce it, or leave it to the checks
 * again; with who, why and until when. Pure; times are monotonic nanoseconds.
 *
 * An operator's word beats everything that is a matter of judgement (degradation, damping, the
 * start-up gate, budgets). Two things it does not beat unless it was FORCED: `announce` does not
 * keep a VIP announced whose hard checks are down, because that is a black hole nobody asked for;
 * `withdraw` and `drain` do not take away the last PoP's route.
 */
#ifndef BGP_OVERRIDE_H
#define BGP_OVERRIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define OVERRIDE_REASON_LEN 128
#define OVERRIDE_OWNER_LEN 64
#define OVERRIDE_FOR_EVER INT64_MAX

enum override_action {
    OVERRIDE_AUTO, /* none: the checks decide */
    OVERRIDE_WITHDRAW,
    OVERRIDE_DRAIN,
    OVERRIDE_ANNOUNCE,
};

struct override {
    enum override_action action;
    bool force;
    int64_t since_ns;
    int64_t expires_ns; /* OVERRIDE_FOR_EVER: when it is taken back */
    char reason[OVERRIDE_REASON_LEN];
    char owner[OVERRIDE_OWNER_LEN];
};

/* A word given now. `for_ns` is how long it holds, OVERRIDE_FOR_EVER if no end was named. The texts
 * are cut to their room, and what is not printable in them becomes '?'; NULL is "". */
struct override override_make(enum override_action action, bool force, int64_t for_ns,
                              const char *reason, const char *owner, int64_t now_ns);

/* Ends it if its time is over; true if that happened just now. */
bool override_expire(struct override *override, int64_t now_ns);

/* Whether `pattern` means this VIP: "all", a glob over "192.0.2.53/32", or the same without its
 * length. */
bool override_names(const char *pattern, const struct prefix *vip);

/* "auto", "withdraw", "drain", "announce". */
const char *override_action_name(enum override_action action);

#endif

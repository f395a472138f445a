/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The whole decision, from what probes observed to what is wanted of each route: health per check,
 * policy per VIP. Pure like its parts (no clock, no I/O), so a test can play any history through
 * it. The loop gives it observations and the speaker's status, and the speaker what it wants.
 *
 * A VIP is taken over ("adopted") at the start: a process before us may have announced it and died.
 * The speaker's first reading of ExaBGP's table says whether there is anything to take over.
 */
#ifndef BGP_ANNOUNCER_H
#define BGP_ANNOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "bgp/config/config.h"
#include "bgp/decide/health.h"
#include "bgp/decide/policy.h"
#include "bgp/probe/probe.h"
#include "bgp/speak/speaker.h"

struct announcer_check {
    struct health health;
    struct probe_outcome outcome; /* the last one */
};

struct announcer_vip {
    bool adopted;
    struct want want;
    struct policy_verdict verdict; /* now */
    int64_t wish_since_ns;
    char wish_reason[POLICY_REASON_LEN]; /* when the wish last changed */
};

typedef void announcer_log(void *context, enum log_level level, const char *text);

struct announcer;

/* `config` is borrowed and must outlive it. `log` gets one line per transition. NULL when out of
 * memory. */
struct announcer *announcer_new(const struct config *config, announcer_log *log, void *context,
                                int64_t now_ns);

/* What a probe of this check (index) found. */
void announcer_observe(struct announcer *announcer, size_t check,
                       const struct probe_outcome *outcome, int64_t now_ns);

/* How the speaker stands; to be told after each change, and as often as one likes. */
void announcer_hear(struct announcer *announcer, const struct speaker_status *status,
                    int64_t now_ns);

/* What the speaker should make so; after each other call. */
const struct want *announcer_want(const struct announcer *announcer, size_t vip);

/* When a check should be probed again, given when its last probe was started and what it gave. */
int64_t announcer_next_probe_ns(const struct announcer *announcer, size_t check,
                                int64_t started_ns);

const struct config *announcer_config(const struct announcer *announcer);
const struct announcer_check *announcer_check(const struct announcer *announcer, size_t check);
const struct announcer_vip *announcer_vip(const struct announcer *announcer, size_t vip);
const struct speaker_status *announcer_speaker(const struct announcer *announcer);

void announcer_free(struct announcer *announcer);

#endif

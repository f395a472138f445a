/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What one probe found: whether the service did what was asked, the kind of trouble if not, and the
 * evidence for people. Every setter returns true, so that a function that says "there is an
 * outcome" can end with it. Evidence is made printable: bytes of others may go into it.
 */
#ifndef BGP_OUTCOME_H
#define BGP_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "bgp/decide/health.h"

#define PROBE_EVIDENCE_LEN 160
#define OUTCOME_SPAN_LEN 24

enum probe_cause {
    PROBE_CAUSE_NONE,     /* it passed */
    PROBE_CAUSE_DEAD,     /* nobody is there: refused, process gone, address not on this host */
    PROBE_CAUSE_SILENT,   /* nothing came in time */
    PROBE_CAUSE_WRONG,    /* something came, and not what it should be */
    PROBE_CAUSE_AGING,    /* getting old: reason enough to degrade, never to withdraw */
    PROBE_CAUSE_STALE,    /* right once, too old now */
    PROBE_CAUSE_INTERNAL, /* ours, not the service's; goes with UNKNOWN and only with it */
};

struct probe_outcome {
    enum health_observation observation;
    enum probe_cause cause;
    int64_t elapsed_ns; /* from the start of the probe */
    int64_t generation; /* of the map that was seen, to be compared with that of peers; 0: none */
    char evidence[PROBE_EVIDENCE_LEN];
};

bool outcome_pass(struct probe_outcome *ret_outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The service's fault; `cause` is neither NONE nor INTERNAL. */
bool outcome_fail(struct probe_outcome *ret_outcome, enum probe_cause cause, const char *format,
                  ...) __attribute__((format(printf, 3, 4)));

/* Our own trouble: it says nothing about the service. */
bool outcome_unknown(struct probe_outcome *ret_outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What an errno value of a socket call means: what the network says (refused, unreachable) is
 * evidence about the service; everything else (no descriptor, no memory, no port, forbidden by the
 * local firewall) is our own trouble. `what` was tried: "connecting". */
bool outcome_errno(struct probe_outcome *ret_outcome, const char *what, int error);

/* Seconds for people, by the largest unit that leaves two or more: "90 s", "5 min", "3 h", "10 d".
 */
const char *outcome_span(int64_t seconds, char ret_text[static OUTCOME_SPAN_LEN]);

/* "none", "dead", "silent", "wrong", "aging", "stale", "internal". */
const char *probe_cause_name(enum probe_cause cause);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The templates of the fast path (xdp/template_table.h), rendered by answer() itself: it is asked
 * once per name and type, and what it says between question and OPT record is the template. So a
 * template can only say what the server says. For services it is asked once per PoP, with states
 * under which nobody else is left.
 *
 * Templates depend on zones and services, not on states, TTLs of services, secrets or the identity:
 * a publication that changed only these needs no new ones. Nothing in the snapshot is written to;
 * any thread may render while others answer.
 */
#ifndef EDGE_RENDER_H
#define EDGE_RENDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "xdp/template_table.h"

struct snapshot;

enum render_mode {
    RENDER_SERVICES, /* A, AAAA, HTTPS and CNAME of the names of services */
    RENDER_HOT,      /* these, and the names and types in `hot` */
    RENDER_ALL,      /* these, and whatever else the zones have */
};

/* Why a name and type have no template. */
enum render_reason {
    RENDER_TAKEN,     /* they have one */
    RENDER_TWICE,     /* they had one already */
    RENDER_FULL,      /* the table has no room left */
    RENDER_LARGE,     /* more bytes than any answer over UDP may have */
    RENDER_NEGATIVE,  /* there is no such name */
    RENDER_ELSEWHERE, /* a referral, or no zone of ours */
    RENDER_FAILING,   /* SERVFAIL */
    RENDER_UNUSUAL,   /* another type of answer: not authoritative, an extended error ... */
    RENDER_BEHIND,    /* a service's choice in a form that no template has: in an HTTPS record, in
                         a loop of aliases */
    RENDER_MIXED,     /* a service's choice with records in other sections */
    RENDER_SPELLING,  /* the answer repeats how the query spelt the name (RFC 6672 section 2.2) */
    RENDER_REASONS,
};

/* snake_case name, for metrics and explanations. */
const char *render_reason_name(enum render_reason reason);

struct render_question {
    const uint8_t *name; /* wire form, any case; any name, wildcards may stand behind it */
    uint16_t qtype;
};

/* Borrowed for the call. */
struct render_request {
    const struct snapshot *snapshot;
    enum render_mode mode;
    const struct render_question *hot;
    size_t hot_n;
    uint32_t block_max; /* of the table */
    uint64_t seed;
};

struct render_report {
    uint64_t outcomes[RENDER_REASONS]; /* names and types by what became of them */
    uint64_t not_tried_n;              /* RRsets of zones that were left when the table was full */
    uint64_t asked_n;                  /* calls of answer() */
    struct template_counts counts;     /* of the table */
};

/* 0, or -ENOMEM. */
int render_templates(const struct render_request *request, struct template_table **ret_table,
                     struct render_report *ret_report, struct failure *failure);

/* Whether a name and type could have a template, with all the room of the world: for explanations.
 * RENDER_FULL: out of memory. */
enum render_reason render_judge(const struct snapshot *snapshot,
                                const struct render_question *question);

#endif

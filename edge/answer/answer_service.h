/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a service says of the current name: whom it sends this client to, and the answer made of it.
 */
#ifndef EDGE_ANSWER_SERVICE_H
#define EDGE_ANSWER_SERVICE_H

#include "edge/answer/answer_work.h"
#include "edge/answer/geo_answer.h"

/* Tells the trace. */
void answer_trace_choice(struct answer_trace *trace, const struct service *service,
                         enum map_family family, const struct geo_choice *choice);

/* Whom the service sends this client to. Sets the scope of the answer. */
static inline void answer_choose(struct answer_scratch *work, const struct service *service,
                                 enum map_family family, struct geo_choice *ret_choice)
{
    geo_client(&work->query->edns, &work->request->client, &ret_choice->client);
    geo_choose(work->snapshot, service, family, ret_choice);
    work->ecs_scope = ret_choice->verdict.scope;
    if (work->trace) {
        answer_trace_choice(work->trace, service, family, ret_choice);
    }
}

/* Answers with addresses of the matched service, which has this family. */
enum answer_step answer_service(struct answer_scratch *work, const struct answer_match *match,
                                enum map_family family);

/* The same with the name that the matched service of names has for this client. */
enum answer_step answer_alias(struct answer_scratch *work, const struct answer_match *match);

/* Answers with an SVCB or HTTPS RRset of the zone at the current name, its address hints made true
 * (answer_svcb.c). False: they are, nothing was done. */
bool answer_svcb(struct answer_scratch *work, const struct answer_match *match,
                 const struct zone_rrset *rrset);

#endif

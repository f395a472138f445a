/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "edge/answer/answer.h"
#include "edge/daemon/explain_kernel.h"
#include "edge/daemon/explain_query.h"
#include "edge/daemon/status.h"
#include "edge/serve/counters.h"
#include "maps/image.h"

#define EXPLAIN_OVERRIDES 8u
#define EXPLAIN_NEXT_SHOWN 3u /* who would be next, in the text; JSON has everybody */

/* One explanation while it is put together. */
struct explanation {
    const struct publisher *publisher;
    struct fast *fast;
    const struct snapshot *snapshot;
    const struct answer_trace *trace;
    struct image_provenance provenance;
    bool has_provenance;
    bool from_named; /* who sends the query */
    int64_t now_s;
    FILE *out;
    json_t *data;
};

static const char *explain_basis_name(uint8_t basis)
{
    static const char *const names[] = {"ecs", "resolver", "source", "default"};

    return basis < sizeof(names) / sizeof(names[0]) ? names[basis] : "unknown";
}

static const char *explain_source_name(uint8_t source)
{
    static const char *const names[] = {"default", "geo", "inferred", "measured", "override"};

    return source < sizeof(names) / sizeof(names[0]) ? names[source] : "unknown";
}

/* The address whose block decided. */
static const struct map_address *explain_decider(const struct answer_trace *trace)
{
    return trace->verdict.basis == MAP_BASIS_ECS ? &trace->client.ecs : &trace->client.source;
}

static void explain_block(const struct answer_trace *trace, struct prefix *ret_prefix)
{
    const struct map_key *key = &explain_decider(trace)->key;

    *ret_prefix = (struct prefix){.len = trace->verdict.depth};
    ret_prefix->address.family =
        trace->verdict.family == MAP_FAMILY_IPV4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    for (unsigned i = 0; i < (trace->verdict.family == MAP_FAMILY_IPV4 ? 4u : 16u); i++) {
        ret_prefix->address.bytes[i] =
            (uint8_t)((i < 8 ? key->hi : key->lo) >> (56u - 8u * (i % 8u)));
    }
    prefix_mask(ret_prefix);
}

static void explain_find_provenance(struct explanation *explanation)
{
    const struct answer_trace *trace = explanation->trace;

    if (trace->verdict.basis != MAP_BASIS_DEFAULT) {
        explanation->has_provenance = image_find_provenance(
            explanation->snapshot->image,
            trace->verdict.basis == MAP_BASIS_RESOLVER ? MAP_SPACE_RESOLVER : MAP_SPACE_CLIENT,
            explain_decider(trace), &explanation->provenance);
    }
}

static const char *explain_source(const struct explanation *explanation)
{
    if (explanation->trace->verdict.basis == MAP_BASIS_DEFAULT) {
        return "default";
    }
    if (explanation->trace->verdict.record.flags & MAP_RECORD_OVERRIDE) {
        return "override";
    }
    return explanation->has_provenance ? explain_source_name(explanation->provenance.row->source)
                                       : "unknown";
}

/* --- candidates --- */

static const struct map_estimate *explain_estimate(const struct explanation *explanation,
                                                   uint8_t pop)
{
    if (explanation->has_provenance) {
        for (unsigned i = 0; i < explanation->provenance.row->estimate_n; i++) {
            if (explanation->provenance.estimates[i].pop == pop) {
                return &explanation->provenance.estimates[i];
            }
        }
    }
    return NULL;
}

static bool explain_is_picked(const struct map_picks *picks, uint8_t pop)
{
    for (unsigned i = 0; i < picks->count; i++) {
        if (picks->pop[i] == pop) {
            return true;
        }
    }
    return false;
}

/* Why the candidate was or was not taken, in one word for programs. */
static const char *explain_fate(const struct explanation *explanation, uint8_t pop, uint8_t state)
{
    const struct answer_trace *trace = explanation->trace;
    uint64_t tier = map_tier_of(state, trace->verdict.record.shed_class);

    if (explain_is_picked(&trace->picks, pop)) {
        return "chosen";
    }
    if (state == MAP_STATE_ABSENT) {
        const struct service *service = trace->service;

        return service->is_alias ? "not in this service"
               : service->addresses[MAP_FAMILY_IPV4][pop].count ||
                       service->addresses[MAP_FAMILY_IPV6][pop].count
                   ? "no address of this family"
                   : "not in this service";
    }
    if (tier == MAP_TIERS) {
        return "down";
    }
    if (tier > trace->picks.tier) {
        return tier == MAP_TIER_DRAINS ? "drains" : "sheds this block";
    }
    return "next in line";
}

static json_t *explain_candidate_object(const struct explanation *explanation, uint8_t pop,
                                        uint8_t state, const struct states_entry *const *by,
                                        size_t by_n)
{
    const struct map_estimate *estimate = explain_estimate(explanation, pop);
    char text[POP_STATE_TEXT_LEN];
    json_t *list = json_array();

    for (size_t i = 0; i < by_n; i++) {
        json_array_append_new(list, status_entry(by[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:s?}", "pop",
                     image_pop(explanation->snapshot->image, pop)->name, "fate",
                     explain_fate(explanation, pop, state), "state", pop_state_format(state, text),
                     "by", list, "rtt_ms",
                     estimate ? json_real((double)estimate->rtt_ticks / 10) : json_null(),
                     "samples", (json_int_t)(estimate ? estimate->samples : 0), "estimate",
                     estimate ? explain_source_name(estimate->source) : NULL);
}

static void explain_candidate_text(const struct explanation *explanation, uint8_t pop,
                                   uint8_t state, const struct states_entry *const *by, size_t by_n)
{
    const struct map_estimate *estimate = explain_estimate(explanation, pop);
    FILE *out = explanation->out;

    fprintf(out, "  %-10s ", image_pop(explanation->snapshot->image, pop)->name);
    if (estimate) {
        fprintf(out, "%7.1f ms  %-9s", (double)estimate->rtt_ticks / 10,
                explain_source_name(estimate->source));
    } else {
        fprintf(out, "%7s     %-9s", "-", "");
    }
    if (estimate && estimate->samples) {
        fprintf(out, " n=%-7" PRIu32, (uint32_t)estimate->samples);
    } else {
        fprintf(out, " %-9s", "");
    }
    fprintf(out, " %s", explain_fate(explanation, pop, state));
    for (size_t i = 0; i < by_n; i++) {
        char said[POP_STATE_TEXT_LEN];

        bool obvious = i == 0 && by[i]->state > MAP_STATE_SHED_MAX; /* the fate says it */

        fprintf(out, "%s%s%s", i ? "; overrides " : " (",
                obvious ? "" : pop_state_format(by[i]->state, said), obvious ? "" : ", ");
        status_write_origin(out, by[i]);
    }
    fputs(by_n ? ")\n" : "\n", out);
}

static json_t *explain_candidate(const struct explanation *explanation, uint8_t pop, bool shown)
{
    const struct answer_trace *trace = explanation->trace;
    const struct states_entry *by[EXPLAIN_OVERRIDES];
    uint8_t state =
        explanation->snapshot->states->tables[trace->service->index].states[trace->family][pop];
    size_t by_n = 0;

    if (state != MAP_STATE_ABSENT) {
        by_n = states_find(explanation->publisher->states,
                           image_pop(explanation->snapshot->image, pop)->name, trace->service->name,
                           explanation->now_s, by, EXPLAIN_OVERRIDES);
    }
    if (shown) {
        explain_candidate_text(explanation, pop, state, by, by_n);
    }
    return explain_candidate_object(explanation, pop, state, by, by_n);
}

/* Everybody in the order selection asks them: the record, then the map's tail. */
static void explain_candidates(const struct explanation *explanation)
{
    const struct answer_trace *trace = explanation->trace;
    const struct map_entry *map = trace->service->map_entry;
    const uint8_t *states =
        explanation->snapshot->states->tables[trace->service->index].states[trace->family];
    bool seen[MAP_STATES] = {false};
    json_t *list = json_array();
    unsigned next = 0;
    unsigned picked = 0;

    for (unsigned i = 0; i < MAP_RECORD_POPS + map->tail_n; i++) {
        uint8_t pop = map_candidate(trace->verdict.record.pops, map->tail, i);

        if (pop >= image_pop_count(explanation->snapshot->image) || seen[pop]) {
            continue;
        }
        seen[pop] = true;
        /* people want the chosen, those passed over, and who would be next */
        json_array_append_new(list, explain_candidate(explanation, pop, next < EXPLAIN_NEXT_SHOWN));
        picked += explain_is_picked(&trace->picks, pop);
        next += picked > 0 && picked == trace->picks.count && states[pop] != MAP_STATE_ABSENT &&
                !explain_is_picked(&trace->picks, pop);
    }
    json_object_set_new(explanation->data, "candidates", list);
}

/* --- the decision --- */

static void explain_ttl(const struct explanation *explanation)
{
    const struct answer_trace *trace = explanation->trace;
    int64_t until_s = 0;
    enum states_ttl_reason reason = states_ttl_reason(explanation->publisher->states,
                                                      trace->service, explanation->now_s, &until_s);
    static const char *const words[] = {
        [STATES_TTL_NORMAL] = "normal",
        [STATES_TTL_RECENT] = "lowered: a state changed recently",
        [STATES_TTL_PENDING] = "lowered: a state expires soon",
    };

    fprintf(explanation->out, "ttl       %" PRIu32 " s, %s\n", trace->ttl, words[reason]);
    json_object_set_new(explanation->data, "ttl", json_integer(trace->ttl));
    json_object_set_new(explanation->data, "ttl_reason", json_string(words[reason]));
}

static void explain_rule(const struct explanation *explanation)
{
    static const char *const rules[] = {
        [MAP_BASIS_ECS] = "for the client subnet of the query",
        [MAP_BASIS_RESOLVER] = "for the resolver's address, as the best for the users behind it",
        [MAP_BASIS_SOURCE] = "for the sender's own address, as a client",
        [MAP_BASIS_DEFAULT] = "the map's default order, since it knows nothing better",
    };
    const struct answer_trace *trace = explanation->trace;
    const struct map_verdict *verdict = &trace->verdict;
    struct prefix block;
    char text[ADDRESS_TEXT_LEN] = "none";

    if (verdict->basis != MAP_BASIS_DEFAULT) {
        explain_block(trace, &block);
        (void)prefix_format(&block, text);
    }
    if (trace->service->is_alias) {
        fprintf(explanation->out, "service   %s (%s), map %s, a CNAME per PoP\n",
                trace->service->name, trace->service->place, trace->service->map_entry->name);
    } else {
        fprintf(explanation->out, "service   %s (%s), map %s, %" PRIu32 " PoP%s per answer\n",
                trace->service->name, trace->service->place, trace->service->map_entry->name,
                trace->service->pops_per_answer, trace->service->pops_per_answer == 1 ? "" : "s");
    }
    fprintf(explanation->out, "rule      %s: %s%s; block %s, shed class %u\n",
            explain_source(explanation), rules[verdict->basis & 3u],
            verdict->special ? " (the client subnet is special-purpose)" : "", text,
            verdict->record.shed_class);
    json_object_update_new(
        explanation->data,
        json_pack(
            "{s:s, s:o, s:s, s:s, s:s, s:s, s:s?, s:b, s:i, s:i, s:I}", "service",
            trace->service->name, "defined", control_text(trace->service->place), "gives",
            trace->service->is_alias ? "cname" : "addresses", "map",
            trace->service->map_entry->name, "basis", explain_basis_name(verdict->basis), "source",
            explain_source(explanation), "block", verdict->basis == MAP_BASIS_DEFAULT ? NULL : text,
            "special", verdict->special, "shed_class", verdict->record.shed_class, "confidence",
            verdict->record.confidence, "asn",
            (json_int_t)(explanation->has_provenance ? explanation->provenance.row->asn : 0)));
}

static void explain_generation(const struct explanation *explanation)
{
    const struct map_header *header = image_header(explanation->snapshot->image);
    char when[24];

    clock_format_utc((int64_t)header->generation, when);
    fprintf(explanation->out, "map       generation %" PRIu64 " (%s)%s\n",
            (uint64_t)header->generation, when,
            explanation->publisher->loaded->image_fault
                ? "  ! an older map: the configured one is broken"
                : "");
    json_object_set_new(explanation->data, "generation",
                        json_integer((json_int_t)header->generation));
}

static void explain_picks(const struct explanation *explanation)
{
    const struct map_picks *picks = &explanation->trace->picks;
    json_t *list = json_array();

    for (unsigned i = 0; i < picks->count; i++) {
        json_array_append_new(
            list, json_string(image_pop(explanation->snapshot->image, picks->pop[i])->name));
    }
    json_object_set_new(explanation->data, "pops", list);
}

static void explain_decision(struct explanation *explanation)
{
    explain_find_provenance(explanation);
    explain_picks(explanation);
    explain_rule(explanation);
    explain_generation(explanation);
    explain_ttl(explanation);
    explain_candidates(explanation);
}

/* Nobody chose: whose data it is, and why not a service's. */
static void explain_static(const struct explanation *explanation, uint16_t type,
                           enum answer_kind kind)
{
    const struct service *service = explanation->trace->service;
    char text[16];

    if (service && service->is_held) {
        fprintf(explanation->out,
                "service   none can be read: %s was wrong at the start, its names are held\n",
                service->place);
    } else if (service) {
        fprintf(explanation->out, "service   %s (%s) has no %s: the zone's data\n", service->name,
                service->place, explain_type_format(type, text));
    } else if (kind == ANSWER_REFERRAL) {
        fputs("service   none: the name is delegated\n", explanation->out);
    } else {
        fputs("service   none has the name: the zone's data\n", explanation->out);
    }
    if (service) {
        json_object_update_new(explanation->data,
                               json_pack("{s:s, s:o, s:b}", "service", service->name, "defined",
                                         control_text(service->place), "held", service->is_held));
    }
}

/* --- the answer --- */

static void explain_headline(const struct explanation *explanation, const char *question,
                             const struct answer_outcome *outcome,
                             const struct explain_response *response)
{
    const struct answer_trace *trace = explanation->trace;
    json_t *answers = json_array();
    char type[16];

    fprintf(explanation->out, "%s -> ", question);
    for (unsigned i = 0; trace->geo && i < trace->picks.count; i++) {
        fprintf(explanation->out, "%s%s", i ? ", " : "",
                image_pop(explanation->snapshot->image, trace->picks.pop[i])->name);
    }
    fprintf(explanation->out, "%s%s (%s)", trace->geo && trace->picks.count ? ": " : "",
            counter_rcode_name(outcome->rcode), answer_kind_name(outcome->kind));
    for (size_t i = 0; i < response->record_n; i++) {
        const struct explain_record *record = &response->records[i];

        fprintf(explanation->out, "%s %s", i ? "," : "", record->rdata);
        json_array_append_new(answers, json_pack("{s:s, s:I, s:s}", "type",
                                                 explain_type_format(record->type, type), "ttl",
                                                 (json_int_t)record->ttl, "rdata", record->rdata));
    }
    fputs("\n", explanation->out);
    if (response->has_scope) {
        fprintf(explanation->out,
                "scope     /%u (asked /%u): every client in it gets this answer\n",
                response->scope_len, response->source_len);
    } else {
        fputs("scope     none: the query has no client subnet\n", explanation->out);
    }
    json_object_update_new(
        explanation->data,
        json_pack("{s:s, s:s, s:b, s:o, s:o}", "outcome", answer_kind_name(outcome->kind), "rcode",
                  counter_rcode_name(outcome->rcode), "geo", trace->geo, "answers", answers,
                  "scope", response->has_scope ? json_integer(response->scope_len) : json_null()));
}

/* The addresses the query carries: `*ret_prefix` for ECS (family NONE: no option), `*ret_source`.
 */
static int explain_parse_client(const struct explain_request *request, struct prefix *ret_prefix,
                                struct address *ret_source, struct failure *failure)
{
    const char *from = request->from ? request->from : "127.0.0.1";

    if (request->resolver) {
        ret_prefix->address.family = ADDRESS_NONE;
        return address_parse(request->client, ret_source) < 0
                   ? failure_set(failure, -EINVAL, "'%s' is no address", request->client)
                   : 0;
    }
    if (prefix_parse(request->client, false, ret_prefix) < 0) {
        return failure_set(failure, -EINVAL, "'%s' is no address or prefix", request->client);
    }
    if (!strchr(request->client, '/')) {
        /* what resolvers send of an address, RFC 7871 section 11.1 */
        ret_prefix->len = ret_prefix->address.family == ADDRESS_IPV4 ? 24 : 56;
        prefix_mask(ret_prefix);
    }
    return address_parse(from, ret_source) < 0
               ? failure_set(failure, -EINVAL, "'%s' is no address", from)
               : 0;
}

static int explain_run(struct explanation *explanation, const uint8_t *query, size_t query_len,
                       const struct address *source, const char *question)
{
    struct answer_scratch *scratch = answer_scratch_new();
    uint8_t *response = malloc(ANSWER_RESPONSE_MAX);
    struct explain_response parsed = {0};
    struct answer_trace trace = {0};
    struct answer_outcome outcome = {0};
    int code = scratch && response ? 0 : -ENOMEM;

    if (code == 0) {
        struct answer_request request = {
            .query = query, .query_len = query_len, .client = *source, .transport = ANSWER_TCP};
        size_t len;

        answer_scratch_trace(scratch, &trace);
        len = answer(scratch, explanation->snapshot, &request, response, ANSWER_RESPONSE_MAX,
                     &outcome);
        code = explain_response_read(response, len, &parsed);
    }
    if (code == 0) {
        explanation->trace = &trace;
        explain_headline(explanation, question, &outcome, &parsed);
        if (trace.geo) {
            explain_decision(explanation);
        } else {
            explain_static(explanation, outcome.qtype, outcome.kind);
        }
        explain_kernel(explanation->fast, explanation->snapshot, query, query_len,
                       explanation->from_named ? source : NULL, explanation->out,
                       explanation->data);
        explanation->trace = NULL;
    }
    free(response);
    answer_scratch_free(scratch);
    return code;
}

int explain(const struct publisher *publisher, struct fast *fast,
            const struct explain_request *request, int64_t now_s, json_t **ret_reply,
            struct failure *failure)
{
    struct explanation explanation = {
        .publisher = publisher,
        .fast = fast,
        .snapshot = publisher->current,
        .from_named = request->from || request->resolver,
        .now_s = now_s,
    };
    uint8_t query[EXPLAIN_QUERY_MAX];
    struct prefix prefix = {0};
    struct address source = {0};
    char question[2048];
    char client[ADDRESS_TEXT_LEN];
    char type_text[16];
    uint16_t type;
    char *text = NULL;
    size_t text_len = 0;
    int query_len;
    int code = explain_parse_client(request, &prefix, &source, failure);
    bool ipv6 = (request->resolver ? source.family : prefix.address.family) == ADDRESS_IPV6;

    if (code < 0) {
        return code;
    }
    if (explain_type_parse(request->type ? request->type : (ipv6 ? "AAAA" : "A"), &type) < 0) {
        return failure_set(failure, -EINVAL, "'%s' is no type", request->type);
    }
    query_len = explain_query_build(request->name, type, request->resolver ? NULL : &prefix, query,
                                    failure);
    if (query_len < 0) {
        return query_len;
    }
    snprintf(question, sizeof(question), "%s %s for %s%s", request->name,
             explain_type_format(type, type_text), request->resolver ? "resolver " : "",
             request->resolver ? address_format(&source, client) : prefix_format(&prefix, client));
    explanation.data = json_object();
    explanation.out = open_memstream(&text, &text_len);
    if (!explanation.data || !explanation.out) {
        json_decref(explanation.data);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    code = explain_run(&explanation, query, (size_t)query_len, &source, question);
    fclose(explanation.out);
    json_object_set_new(explanation.data, "question", json_string(question));
    *ret_reply = code == 0 ? json_pack("{s:b, s:o, s:O}", "ok", 1, "text", control_text(text),
                                       "data", explanation.data)
                           : NULL;
    json_decref(explanation.data);
    free(text);
    return code < 0
               ? failure_set(failure, code, "the answer cannot be explained: %s", strerror(-code))
               : 0;
}

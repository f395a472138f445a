/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/answer.h"
#include "edge/counters.h"
#include "edge/explain_query.h"
#include "edge/status.h"
#include "maps/image.h"

#define EXPLAIN_OVERRIDES 8u
#define EXPLAIN_NEXT_SHOWN 3u /* who would be next, in the text; JSON has everybody */

/* One explanation while it is put together. */
struct explanation {
    const struct publisher *publisher;
    const struct snapshot *snapshot;
    const struct answer_trace *trace;
    struct image_provenance provenance;
    bool has_provenance;
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

        return service->addresses[MAP_FAMILY_IPV4][pop].count ||
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

static void explain_rtt(const struct explanation *explanation, uint8_t pop, json_t *object)
{
    const struct map_estimate *estimate = explain_estimate(explanation, pop);

    if (!estimate) {
        fputs("         -              ", explanation->out);
        json_object_set_new(object, "rtt_ms", json_null());
        return;
    }
    fprintf(explanation->out, "%7.1f ms  %-9s", (double)estimate->rtt_ticks / 10,
            explain_source_name(estimate->source));
    if (estimate->samples) {
        fprintf(explanation->out, " n=%-6" PRIu32, (uint32_t)estimate->samples);
    } else {
        fputs("         ", explanation->out);
    }
    json_object_set_new(object, "rtt_ms", json_real((double)estimate->rtt_ticks / 10));
    json_object_set_new(object, "samples", json_integer(estimate->samples));
    json_object_set_new(object, "estimate", json_string(explain_source_name(estimate->source)));
}

/* Who set the state, and what that overrides. */
static void explain_state(const struct explanation *explanation, const char *pop, uint8_t state,
                          json_t *object)
{
    const struct states_entry *found[EXPLAIN_OVERRIDES];
    char text[POP_STATE_TEXT_LEN];
    json_t *by = json_array();
    size_t n = 0;

    json_object_set_new(object, "state", json_string(pop_state_format(state, text)));
    if (state != MAP_STATE_ABSENT) {
        n = states_find(explanation->publisher->states, pop, explanation->trace->service->name,
                        explanation->now_s, found, EXPLAIN_OVERRIDES);
    }
    for (size_t i = 0; i < n; i++) {
        char said[POP_STATE_TEXT_LEN];

        fprintf(explanation->out, i ? "; overrides %s, " : " (%s, ",
                pop_state_format(found[i]->state, said));
        status_write_origin(explanation->out, found[i]);
        json_array_append_new(by, status_entry(found[i]));
    }
    fputs(n ? ")" : "", explanation->out);
    json_object_set_new(object, "by", by);
}

static json_t *explain_candidate(const struct explanation *explanation, uint8_t pop, bool shown)
{
    const struct answer_trace *trace = explanation->trace;
    const char *name = image_pop(explanation->snapshot->image, pop)->name;
    uint8_t state =
        explanation->snapshot->states->tables[trace->service->index].states[trace->family][pop];
    const char *fate = explain_fate(explanation, pop, state);
    json_t *object = json_pack("{s:s, s:s}", "pop", name, "fate", fate);
    struct explanation quiet = *explanation;
    FILE *nowhere = shown ? NULL : fopen("/dev/null", "w");

    if (nowhere) {
        quiet.out = nowhere;
    }
    fprintf(quiet.out, "  %-12s ", name);
    explain_rtt(&quiet, pop, object);
    fprintf(quiet.out, " %s", fate);
    explain_state(&quiet, name, state, object);
    fputs("\n", quiet.out);
    if (nowhere) {
        fclose(nowhere);
    }
    return object;
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

    for (unsigned i = 0; i < MAP_RECORD_POPS + map->tail_n; i++) {
        uint8_t pop = map_candidate(trace->verdict.record.pops, map->tail, i);
        bool shown;

        if (pop >= image_pop_count(explanation->snapshot->image) || seen[pop]) {
            continue;
        }
        seen[pop] = true;
        shown = explain_is_picked(&trace->picks, pop) || next < EXPLAIN_NEXT_SHOWN;
        json_array_append_new(list, explain_candidate(explanation, pop, shown));
        if (!explain_is_picked(&trace->picks, pop) && states[pop] <= MAP_STATE_SHED_MAX &&
            explain_is_picked(&trace->picks, trace->picks.pop[0])) {
            next++;
        }
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
        [MAP_BASIS_ECS] = "the client subnet of the query",
        [MAP_BASIS_RESOLVER] = "the resolver's address, as the best for the users behind it",
        [MAP_BASIS_SOURCE] = "the sender's own address, as a client",
        [MAP_BASIS_DEFAULT] = "nothing the map knows: its default order",
    };
    const struct answer_trace *trace = explanation->trace;
    const struct map_verdict *verdict = &trace->verdict;
    struct prefix block;
    char text[ADDRESS_TEXT_LEN] = "none";

    if (verdict->basis != MAP_BASIS_DEFAULT) {
        explain_block(trace, &block);
        (void)prefix_format(&block, text);
    }
    fprintf(explanation->out, "service   %s, map %s, %" PRIu32 " PoP%s per answer\n",
            trace->service->name, trace->service->map_entry->name, trace->service->pops_per_answer,
            trace->service->pops_per_answer == 1 ? "" : "s");
    fprintf(explanation->out, "rule      %s by %s%s; block %s, shed class %u\n",
            explain_source(explanation), rules[verdict->basis & 3u],
            verdict->special ? " (the client subnet is special-purpose)" : "", text,
            verdict->record.shed_class);
    json_object_update_new(
        explanation->data,
        json_pack(
            "{s:s, s:s, s:s, s:s, s:s?, s:b, s:i, s:i, s:I}", "service", trace->service->name,
            "map", trace->service->map_entry->name, "basis", explain_basis_name(verdict->basis),
            "source", explain_source(explanation), "block",
            verdict->basis == MAP_BASIS_DEFAULT ? NULL : text, "special", verdict->special,
            "shed_class", verdict->record.shed_class, "confidence", verdict->record.confidence,
            "asn",
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
    fputs("path      userspace\n", explanation->out);
    json_object_update_new(
        explanation->data,
        json_pack("{s:s, s:s, s:b, s:o, s:o, s:s}", "outcome", answer_kind_name(outcome->kind),
                  "rcode", counter_rcode_name(outcome->rcode), "geo", trace->geo, "answers",
                  answers, "scope",
                  response->has_scope ? json_integer(response->scope_len) : json_null(), "path",
                  "userspace"));
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
        }
        explanation->trace = NULL;
    }
    free(response);
    answer_scratch_free(scratch);
    return code;
}

int explain(const struct publisher *publisher, const struct explain_request *request, int64_t now_s,
            json_t **ret_reply, struct failure *failure)
{
    struct explanation explanation = {
        .publisher = publisher, .snapshot = publisher->current, .now_s = now_s};
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
    *ret_reply = code == 0
                     ? json_pack("{s:b, s:s, s:O}", "ok", 1, "text", text, "data", explanation.data)
                     : NULL;
    json_decref(explanation.data);
    free(text);
    return code < 0
               ? failure_set(failure, code, "the answer cannot be explained: %s", strerror(-code))
               : 0;
}

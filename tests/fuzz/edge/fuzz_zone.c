/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A master file. What loads must be found again, name by name, and be answered with well-formed
 * messages, with DNSSEC and without; what a signed zone denies it proves. Where the bytes hold a
 * NUL, what stands before it is read as another zone first, which must change nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/answer/answer.h"
#include "edge/answer/snapshot.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"
#include "edge/zone/zone_loader.h"
#include "edge/zone/zone_set.h"
#include "message.h"

#define NODES_MAX 200 /* names asked for, so that a run stays short */

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static bool has_type(const struct table_list *list, uint16_t type)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->records[i].type == type) {
            return true;
        }
    }
    return false;
}

/* RFC 4035 section 3.1: signatures and proofs with DO, and only with DO. */
static void check_dnssec(const struct zone *zone, const struct message *message,
                         const struct answer_outcome *outcome, uint16_t type, bool dnssec)
{
    const struct table_list *authority = &message->sections[TABLE_AUTHORITY];
    bool proved = has_type(authority, WIRE_TYPE_NSEC) || has_type(authority, WIRE_TYPE_NSEC3);
    bool denied = outcome->kind == ANSWER_NXDOMAIN || outcome->kind == ANSWER_NODATA;

    if (!dnssec) {
        need(!proved && !has_type(authority, WIRE_TYPE_RRSIG), "no proof unasked");
        need(type == WIRE_TYPE_ANY || type == WIRE_TYPE_RRSIG ||
                 !has_type(&message->sections[TABLE_ANSWER], WIRE_TYPE_RRSIG),
             "no signature unasked");
    }
    need(!dnssec || !zone->denial || !denied || outcome->truncated || proved, "a proof");
}

static void ask(struct answer_scratch *scratch, const struct snapshot *snapshot,
                const struct zone *zone, const uint8_t *name, size_t name_len, uint16_t type)
{
    static uint8_t response[ANSWER_RESPONSE_MAX];
    static struct message message;
    static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0}; /* 1232 bytes, DO */
    uint8_t query[WIRE_HEADER_LEN + NAME_LEN_MAX + 4 + sizeof(opt)] = {0, 1, 0, 0, 0, 1};
    struct answer_request request = {.query = query, .client = {ADDRESS_IPV4, {127, 0, 0, 1}}};
    struct answer_outcome outcome;
    size_t len;

    memcpy(query + WIRE_HEADER_LEN, name, name_len);
    wire_put_u16(query + WIRE_HEADER_LEN + name_len, type);
    wire_put_u16(query + WIRE_HEADER_LEN + name_len + 2, WIRE_CLASS_IN);
    memcpy(query + WIRE_HEADER_LEN + name_len + 4, opt, sizeof(opt));
    for (int way = 0; way < 4; way++) {
        bool dnssec = way & 2, tcp = way & 1;
        const char *wrong;

        query[11] = dnssec; /* records in the additional section */
        request.query_len = WIRE_HEADER_LEN + name_len + 4 + (dnssec ? sizeof(opt) : 0);
        request.transport = tcp ? ANSWER_TCP : ANSWER_UDP;
        len = answer(scratch, snapshot, &request, response, sizeof(response), &outcome);
        need(len >= WIRE_HEADER_LEN && (tcp || len <= (dnssec ? 1232 : 512)), "size");
        need(outcome.kind != ANSWER_SERVFAIL && outcome.kind != ANSWER_REFUSED, "a zone we have");
        wrong = message_parse(response, len, &message);
        need(!wrong || strstr(wrong, "for this test"), wrong ? wrong : "");
        if (!wrong) {
            check_dnssec(zone, &message, &outcome, type, dnssec);
        }
    }
}

static void ask_all(const struct zone *zone, const struct snapshot *snapshot)
{
    struct answer_scratch *scratch = answer_scratch_new();

    for (uint32_t i = 0; i < zone->node_n && i < NODES_MAX; i++) {
        const struct zone_node *node = &zone->nodes[i];
        uint8_t below[NAME_LEN_MAX + 2] = {1, 'x'};
        struct name_key key;
        bool exact;

        need(name_key_parse(&key, node->name, node->name_len) == node->name_len, "a name");
        need(zone_find(zone, &key, &exact) == node && exact, "it is found");
        for (unsigned k = 0; k < node->rrset_n; k++) {
            ask(scratch, snapshot, zone, node->name, node->name_len, node->rrsets[k].type);
        }
        ask(scratch, snapshot, zone, node->name, node->name_len, WIRE_TYPE_ANY);
        ask(scratch, snapshot, zone, node->name, node->name_len, WIRE_TYPE_A);
        if (node->name_len + 2u <= NAME_LEN_MAX) {
            memcpy(below + 2, node->name, node->name_len);
            ask(scratch, snapshot, zone, below, node->name_len + 2u, WIRE_TYPE_AAAA);
        }
    }
    answer_scratch_free(scratch);
}

static int load(struct zone_loader *loader, const char *bytes, size_t len, const uint8_t *origin,
                struct zone **ret_zone, struct zone_report *report, struct failure *failure)
{
    struct zone_text text = {.path = "zone", .bytes = bytes, .len = len};
    int status = zone_loader_read(loader, &text, origin, failure);

    return status ? status : zone_loader_finish(loader, ret_zone, report, failure);
}

/* After another zone, and alone. */
static int load_twice(const uint8_t *bytes, size_t len, const uint8_t *origin,
                      struct zone **ret_zone, struct zone_report *report, struct failure *failure)
{
    const char *first = (const char *)bytes;
    const char *text = memchr(first, 0, len);
    struct zone_loader *loader = zone_loader_new();
    struct zone_report alone_report;
    struct failure alone_failure = {{0}};
    struct zone *alone = NULL;
    struct zone *other = NULL;
    int status;

    if (text) {
        (void)load(loader, first, (size_t)(text - first), origin, &other, NULL, failure);
        zone_unref(other);
        text++;
    } else {
        text = first;
    }
    len -= (size_t)(text - first);
    failure->text[0] = '\0';
    status = load(loader, text, len, origin, ret_zone, report, failure);
    need(zone_load_bytes("zone", text, len, origin, &alone, &alone_report, &alone_failure) ==
                 status &&
             strcmp(failure->text, alone_failure.text) == 0,
         "the same as alone");
    need(status || ((*ret_zone)->node_n == alone->node_n && (*ret_zone)->serial == alone->serial &&
                    report->warning_n == alone_report.warning_n &&
                    strcmp(report->first_warning, alone_report.first_warning) == 0),
         "the zone is the same as alone");
    zone_unref(alone);
    zone_loader_free(loader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct snapshot_info info = {.identity = ""};
    uint8_t origin[NAME_LEN_MAX + NAME_SLACK + 1];
    struct failure failure = {{0}};
    struct zone_report report;
    struct zone *zone = NULL;
    int status;

    name_from_text("example.com.", origin);
    status = load_twice(bytes, len, origin, &zone, &report, &failure);
    need(status == 0 || (status < 0 && failure.text[0]), "a failure has a reason");
    if (status == 0) {
        struct zone_set *zones = zone_set_new();
        struct services *services = services_empty();
        struct state_set *states = state_set_new(0);
        struct snapshot *snapshot;

        need(zone_set_add(zones, origin, zone) == 0 && zone_set_finish(zones) == 0, "zone set");
        snapshot = snapshot_new(zones, services, NULL, states, &info);
        ask_all(zone, snapshot);
        snapshot_free(snapshot);
        state_set_unref(states);
        services_unref(services);
        zone_set_unref(zones);
        zone_unref(zone);
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One function per value does both directions, so that they cannot come apart: `coder` either
 * writes what the value holds or reads it, and remembers if it ever met something bad. All numbers
 * are little-endian.
 */
#include "bgp/link/link.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/probe/dns_exchange.h"

#define MAGIC 0x4942u /* "BI" */
#define TIME_MAX_NS (3600 * CLOCK_NS_PER_S)

struct coder {
    bool write, bad;
    uint8_t *to;
    const uint8_t *from;
    size_t at, len;
};

static struct coder writer(uint8_t *bytes)
{
    return (struct coder){.write = true, .to = bytes, .len = LINK_MESSAGE_MAX};
}

static struct coder reader(const uint8_t *bytes, size_t len)
{
    return (struct coder){.from = bytes, .len = len};
}

static void must(struct coder *coder, bool condition)
{
    coder->bad = coder->bad || !condition;
}

static void code_bytes(struct coder *coder, void *bytes, size_t len)
{
    must(coder, len <= coder->len - coder->at);
    if (coder->bad && !coder->write) {
        memset(bytes, 0, len);
    } else if (coder->bad) {
        return;
    } else if (coder->write) {
        memcpy(coder->to + coder->at, bytes, len);
    } else {
        memcpy(bytes, coder->from + coder->at, len);
    }
    coder->at += coder->bad ? 0 : len;
}

static uint64_t code_number(struct coder *coder, uint64_t value, size_t len)
{
    uint8_t bytes[8] = {0};

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    code_bytes(coder, bytes, len);
    value = 0;
    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static void code_u16(struct coder *coder, uint16_t *value)
{
    *value = (uint16_t)code_number(coder, *value, 2);
}

static void code_u32(struct coder *coder, uint32_t *value)
{
    *value = (uint32_t)code_number(coder, *value, 4);
}

static void code_u64(struct coder *coder, uint64_t *value)
{
    *value = code_number(coder, *value, 8);
}

static void code_time(struct coder *coder, int64_t *value)
{
    *value = (int64_t)code_number(coder, (uint64_t)*value, 8);
}

static void code_bool(struct coder *coder, bool *value)
{
    const uint64_t number = code_number(coder, *value, 1);

    must(coder, number <= 1);
    *value = number == 1;
}

/* A number of things, or an enumeration's last value. */
static size_t code_count(struct coder *coder, size_t value, size_t max)
{
    const uint64_t number = code_number(coder, value, 2);

    must(coder, number <= max);
    return coder->bad ? 0 : (size_t)number;
}

static void code_address(struct coder *coder, struct address *address, bool may_be_none)
{
    const size_t family = code_number(coder, address->family, 1);

    must(coder, family == ADDRESS_IPV4 || family == ADDRESS_IPV6 ||
                    (may_be_none && family == ADDRESS_NONE));
    if (!coder->write) {
        *address = (struct address){.family = (uint8_t)(coder->bad ? ADDRESS_NONE : family)};
    }
    if (family != ADDRESS_NONE) {
        code_bytes(coder, address->bytes, address_bits(address) / 8);
    }
}

static void code_prefix(struct coder *coder, struct prefix *prefix)
{
    struct prefix masked;

    code_address(coder, &prefix->address, false);
    prefix->len = (uint8_t)code_count(coder, prefix->len, address_bits(&prefix->address));
    masked = *prefix;
    if (!coder->bad) {
        prefix_mask(&masked);
        must(coder, prefix_compare(&masked, prefix) == 0);
    }
}

/* ---- PLAN ---- */

/* RFC 1035 section 3.1: labels of at most 63 octets up to the empty one. */
static bool name_is_whole(const uint8_t name[static DNS_CHECK_NAME_LEN])
{
    size_t at = 0;

    while (at < DNS_CHECK_NAME_LEN && name[at] > 0 && name[at] < 64) {
        at += 1u + name[at];
    }
    return at < DNS_CHECK_NAME_LEN && name[at] == 0;
}

static void code_check(struct coder *coder, struct dns_check *check)
{
    code_bytes(coder, check->qname, sizeof(check->qname));
    must(coder, coder->bad || name_is_whole(check->qname));
    code_u16(coder, &check->qtype);
    code_bool(coder, &check->has_subnet);
    if (check->has_subnet) {
        code_prefix(coder, &check->subnet);
    }
    check->expect =
        (enum dns_check_expect)code_count(coder, check->expect, DNS_CHECK_EXPECT_ADDRESSES);
    code_u16(coder, &check->rcode);
    check->addresses_n = code_count(coder, check->addresses_n, DNS_CHECK_ADDRESSES_MAX);
    for (size_t i = 0; i < check->addresses_n; i++) {
        code_address(coder, &check->addresses[i], false);
    }
}

static void code_sentry(struct coder *coder, struct link_sentry *sentry)
{
    code_address(coder, &sentry->server.address, false);
    code_u16(coder, &sentry->server.port);
    code_bool(coder, &sentry->server_is_vip);
    code_time(coder, &sentry->interval_ns);
    code_time(coder, &sentry->retry_ns);
    code_time(coder, &sentry->timeout_ns);
    must(coder, sentry->interval_ns > 0 && sentry->interval_ns <= TIME_MAX_NS &&
                    sentry->retry_ns > 0 && sentry->retry_ns <= TIME_MAX_NS &&
                    sentry->timeout_ns > 0 && sentry->timeout_ns <= TIME_MAX_NS);
    code_u32(coder, &sentry->fall);
    code_u32(coder, &sentry->tries);
    code_bool(coder, &sentry->tcp);
    must(coder, sentry->fall > 0 && sentry->tries > 0 && sentry->tries <= DNS_EXCHANGE_TRIES_MAX);
    code_check(coder, &sentry->check);
}

static void code_large_community(struct coder *coder, struct route_large_community *large)
{
    code_u32(coder, &large->global);
    code_u32(coder, &large->local1);
    code_u32(coder, &large->local2);
}

static void code_options(struct coder *coder, struct exabgp_options *options)
{
    code_bool(coder, &options->graceful_restart);
    options->loop_peers_n = code_count(coder, options->loop_peers_n, EXABGP_LOOP_PEERS_MAX);
    for (size_t i = 0; i < options->loop_peers_n; i++) {
        code_address(coder, &options->loop_peers[i], false);
    }
    code_time(coder, &options->loop_wait_ns);
    code_time(coder, &options->loop_interval_ns);
    must(coder, options->loop_wait_ns >= 0 && options->loop_wait_ns <= TIME_MAX_NS &&
                    options->loop_interval_ns >= 0 && options->loop_interval_ns <= TIME_MAX_NS &&
                    (options->loop_interval_ns > 0 || options->loop_peers_n == 0));
    code_bool(coder, &options->has_instance);
    code_large_community(coder, &options->instance);
}

static void code_plan(struct coder *coder, struct link_plan *plan)
{
    code_time(coder, &plan->lease_ns);
    must(coder, plan->lease_ns > 0 && plan->lease_ns <= TIME_MAX_NS);
    code_options(coder, &plan->exabgp);
    code_bytes(coder, plan->lock, sizeof(plan->lock));
    must(coder, plan->lock[sizeof(plan->lock) - 1] == '\0');
    plan->vips_n = code_count(coder, plan->vips_n, SPEAKER_ROUTES_MAX);
    for (size_t i = 0; i < plan->vips_n; i++) {
        code_prefix(coder, &plan->vips[i].prefix);
        code_bool(coder, &plan->vips[i].watched);
        if (plan->vips[i].watched) {
            code_sentry(coder, &plan->vips[i].sentry);
        }
    }
}

/* ---- WANTS ---- */

static void code_attributes(struct coder *coder, struct route_attributes *attributes)
{
    code_bool(coder, &attributes->next_hop_self);
    code_address(coder, &attributes->next_hop, attributes->next_hop_self);
    code_bool(coder, &attributes->has_med);
    code_u32(coder, &attributes->med);
    attributes->communities_n = code_count(coder, attributes->communities_n, ROUTE_COMMUNITIES_MAX);
    for (size_t i = 0; i < attributes->communities_n; i++) {
        code_u16(coder, &attributes->communities[i].high);
        code_u16(coder, &attributes->communities[i].low);
    }
    attributes->large_communities_n =
        code_count(coder, attributes->large_communities_n, ROUTE_COMMUNITIES_MAX);
    for (size_t i = 0; i < attributes->large_communities_n; i++) {
        code_large_community(coder, &attributes->large_communities[i]);
    }
    attributes->as_path_n = code_count(coder, attributes->as_path_n, ROUTE_AS_PATH_MAX);
    for (size_t i = 0; i < attributes->as_path_n; i++) {
        code_u32(coder, &attributes->as_path[i]);
    }
}

static void code_wants(struct coder *coder, struct link_wants *wants)
{
    wants->wants_n = code_count(coder, wants->wants_n, SPEAKER_ROUTES_MAX);
    for (size_t i = 0; i < wants->wants_n; i++) {
        struct want *want = &wants->wants[i];

        want->wish = (enum route_wish)code_count(coder, want->wish, ROUTE_WITHDRAW);
        if (want->wish == ROUTE_ANNOUNCE) {
            code_attributes(coder, &want->attributes);
        }
    }
}

/* ---- STATUS ---- */

static void code_route_status(struct coder *coder, struct exabgp_route_status *route)
{
    route->wish = (enum route_wish)code_count(coder, route->wish, ROUTE_WITHDRAW);
    route->known = (enum exabgp_known)code_count(coder, route->known, EXABGP_KNOWN_WITHDRAWN);
    code_bool(coder, &route->current);
    code_bool(coder, &route->read);
    code_u32(coder, &route->holders_n);
    code_u32(coder, &route->failures_n);
    code_time(coder, &route->known_ns);
    route->seen = (enum exabgp_seen)code_count(coder, route->seen, EXABGP_SEEN_NO);
}

static void code_sessions(struct coder *coder, struct exabgp_sessions *sessions)
{
    sessions->count = code_count(coder, sessions->count, EXABGP_SESSIONS_MAX);
    for (size_t i = 0; i < sessions->count; i++) {
        struct exabgp_session_status *session = &sessions->list[i];

        code_address(coder, &session->peer, false);
        session->session =
            (enum exabgp_session)code_count(coder, session->session, EXABGP_SESSION_UP);
        code_time(coder, &session->since_ns);
    }
}

static void code_status(struct coder *coder, struct speaker_status *status)
{
    struct exabgp_counters *counters = &status->counters;
    struct speaker_holder *holder = &status->holder;
    uint64_t *const numbers[] = {
        &counters->commands,  &counters->acknowledged, &counters->refused,   &counters->timeouts,
        &counters->strays,    &counters->events,       &counters->bad_lines, &counters->mismatches,
        &counters->lost,      &counters->repairs,      &holder->brains,      &holder->leases_lost,
        &holder->withdrawals,
    };

    code_bool(coder, &status->aligned);
    code_bool(coder, &status->in_flight);
    code_time(coder, &status->heard_ns);
    status->routes_n = code_count(coder, status->routes_n, SPEAKER_ROUTES_MAX);
    for (size_t i = 0; i < status->routes_n; i++) {
        code_route_status(coder, &status->routes[i]);
    }
    code_sessions(coder, &status->sessions);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        code_u64(coder, numbers[i]);
    }
}

/* ---- messages ---- */

static void code_head(struct coder *coder, enum link_kind kind)
{
    must(coder, code_number(coder, MAGIC, 2) == MAGIC);
    must(coder, code_number(coder, LINK_VERSION, 2) == LINK_VERSION);
    must(coder, code_number(coder, kind, 2) == kind);
}

/* What we say ourselves always fits and is valid. */
static size_t written(const struct coder *coder)
{
    assert(!coder->bad);
    return coder->at;
}

static int finish(const struct coder *coder)
{
    return coder->bad || coder->at != coder->len ? -EBADMSG : 0;
}

int link_kind(const uint8_t *bytes, size_t len, enum link_kind *ret_kind)
{
    struct coder coder = reader(bytes, len);
    const uint64_t magic = code_number(&coder, 0, 2), version = code_number(&coder, 0, 2);
    const size_t kind = code_count(&coder, 0, LINK_STATUS);

    if (coder.at >= 4 && magic == MAGIC && version != LINK_VERSION) {
        return -EPROTONOSUPPORT;
    }
    if (coder.bad || magic != MAGIC) {
        return -EBADMSG;
    }
    *ret_kind = (enum link_kind)kind;
    return 0;
}

size_t link_encode_plan(const struct link_plan *plan, uint8_t ret_bytes[static LINK_MESSAGE_MAX])
{
    struct coder coder = writer(ret_bytes);
    struct link_plan copy = *plan;

    code_head(&coder, LINK_PLAN);
    code_plan(&coder, &copy);
    return written(&coder);
}

int link_decode_plan(const uint8_t *bytes, size_t len, struct link_plan *ret_plan)
{
    struct coder coder = reader(bytes, len);

    memset(ret_plan, 0, sizeof(*ret_plan));
    code_head(&coder, LINK_PLAN);
    code_plan(&coder, ret_plan);
    return finish(&coder);
}

size_t link_encode_failed(const char *text, uint8_t ret_bytes[static LINK_MESSAGE_MAX])
{
    struct coder coder = writer(ret_bytes);
    char copy[LINK_TEXT_MAX] = "";

    memcpy(copy, text, strnlen(text, sizeof(copy) - 1));
    code_head(&coder, LINK_FAILED);
    code_bytes(&coder, copy, sizeof(copy));
    return written(&coder);
}

int link_decode_failed(const uint8_t *bytes, size_t len, char ret_text[static LINK_TEXT_MAX])
{
    struct coder coder = reader(bytes, len);

    code_head(&coder, LINK_FAILED);
    code_bytes(&coder, ret_text, LINK_TEXT_MAX);
    must(&coder, ret_text[LINK_TEXT_MAX - 1] == '\0');
    return finish(&coder);
}

size_t link_encode_wants(const struct link_wants *wants, uint8_t ret_bytes[static LINK_MESSAGE_MAX])
{
    struct coder coder = writer(ret_bytes);
    struct link_wants copy = *wants;

    code_head(&coder, LINK_WANTS);
    code_wants(&coder, &copy);
    return written(&coder);
}

int link_decode_wants(const uint8_t *bytes, size_t len, struct link_wants *ret_wants)
{
    struct coder coder = reader(bytes, len);

    memset(ret_wants, 0, sizeof(*ret_wants));
    code_head(&coder, LINK_WANTS);
    code_wants(&coder, ret_wants);
    return finish(&coder);
}

size_t link_encode_reload(uint8_t ret_bytes[static LINK_MESSAGE_MAX])
{
    struct coder coder = writer(ret_bytes);

    code_head(&coder, LINK_RELOAD);
    return written(&coder);
}

size_t link_encode_status(const struct speaker_status *status,
                          uint8_t ret_bytes[static LINK_MESSAGE_MAX])
{
    struct coder coder = writer(ret_bytes);
    struct speaker_status copy = *status;

    code_head(&coder, LINK_STATUS);
    code_status(&coder, &copy);
    return written(&coder);
}

int link_decode_status(const uint8_t *bytes, size_t len, struct speaker_status *ret_status)
{
    struct coder coder = reader(bytes, len);

    memset(ret_status, 0, sizeof(*ret_status));
    code_head(&coder, LINK_STATUS);
    code_status(&coder, ret_status);
    return finish(&coder);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/link/link.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static uint8_t bytes[LINK_MESSAGE_MAX], again[LINK_MESSAGE_MAX];

/* As large as a plan can be. */
static void plan_fill(struct link_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->lease_ns = 2 * CLOCK_NS_PER_S;
    snprintf(plan->lock, sizeof(plan->lock), "/run/isochrone/bgp.sock.lock");
    plan->vips_n = SPEAKER_ROUTES_MAX;
    for (size_t i = 0; i < plan->vips_n; i++) {
        struct link_sentry *sentry = &plan->vips[i].sentry;
        char text[ADDRESS_TEXT_LEN];

        snprintf(text, sizeof(text), "2001:db8::%zx/128", i);
        prefix_parse(text, true, &plan->vips[i].prefix);
        plan->vips[i].watched = i > 0;
        sentry->server = (struct endpoint){plan->vips[i].prefix.address, 53};
        sentry->server_is_vip = true;
        sentry->interval_ns = CLOCK_NS_PER_S;
        sentry->retry_ns = 100 * CLOCK_NS_PER_MS;
        sentry->timeout_ns = 500 * CLOCK_NS_PER_MS;
        sentry->fall = 2;
        sentry->tries = 3;
        dns_check_parse_name("www.example.com.", sentry->check.qname);
        sentry->check.qtype = 28;
        sentry->check.has_subnet = true;
        prefix_parse("198.51.100.0/24", true, &sentry->check.subnet);
        sentry->check.expect = DNS_CHECK_EXPECT_ADDRESSES;
        sentry->check.addresses_n = DNS_CHECK_ADDRESSES_MAX;
        for (size_t k = 0; k < DNS_CHECK_ADDRESSES_MAX; k++) {
            sentry->check.addresses[k] = plan->vips[i].prefix.address;
        }
    }
}

static void wants_fill(struct link_wants *wants)
{
    memset(wants, 0, sizeof(*wants));
    wants->wants_n = SPEAKER_ROUTES_MAX;
    for (size_t i = 0; i < wants->wants_n; i++) {
        struct route_attributes *attributes = &wants->wants[i].attributes;

        wants->wants[i].wish = (enum route_wish)(i % 3);
        if (wants->wants[i].wish != ROUTE_ANNOUNCE) {
            continue;
        }
        attributes->next_hop_self = i % 2;
        address_parse("2001:db8::1", &attributes->next_hop);
        attributes->has_med = true;
        attributes->med = UINT32_MAX;
        attributes->communities_n = attributes->large_communities_n = ROUTE_COMMUNITIES_MAX;
        memset(attributes->communities, 0xfe, sizeof(attributes->communities));
        memset(attributes->large_communities, 0xfe, sizeof(attributes->large_communities));
        attributes->as_path_n = ROUTE_AS_PATH_MAX;
        memset(attributes->as_path, 0xfe, sizeof(attributes->as_path));
    }
}

static void status_fill(struct speaker_status *status)
{
    memset(status, 0, sizeof(*status));
    status->aligned = true;
    status->heard_ns = 123;
    status->holder = (struct speaker_holder){1, 2, UINT64_MAX};
    status->counters.mismatches = 9;
    status->routes_n = SPEAKER_ROUTES_MAX;
    status->routes[5] = (struct exabgp_route_status){.wish = ROUTE_WITHDRAW,
                                                     .known = EXABGP_KNOWN_WITHDRAWN,
                                                     .read = true,
                                                     .holders_n = 3,
                                                     .failures_n = 4,
                                                     .known_ns = 5};
    status->sessions.count = EXABGP_SESSIONS_MAX;
    for (size_t i = 0; i < EXABGP_SESSIONS_MAX; i++) {
        address_parse("10.99.0.2", &status->sessions.list[i].peer);
        status->sessions.list[i].session = EXABGP_SESSION_UP;
        status->sessions.list[i].since_ns = (int64_t)i;
    }
}

/* What comes out says the same when it is put in again. */
Test(link, round_trips)
{
    static struct link_plan plan, plan_out;
    static struct link_wants wants, wants_out;
    static struct speaker_status status, status_out;
    char text[LINK_TEXT_MAX];
    enum link_kind kind;
    size_t len;

    plan_fill(&plan);
    len = link_encode_plan(&plan, bytes);
    cr_assert_eq(link_kind(bytes, len, &kind), 0);
    cr_assert_eq(kind, LINK_PLAN);
    cr_assert_eq(link_decode_plan(bytes, len, &plan_out), 0);
    cr_assert_eq(plan_out.vips[63].sentry.check.addresses_n, DNS_CHECK_ADDRESSES_MAX);
    cr_assert_eq(plan_out.vips[63].sentry.server.port, 53);
    cr_assert_not(plan_out.vips[0].watched);
    cr_assert_eq(prefix_compare(&plan_out.vips[7].prefix, &plan.vips[7].prefix), 0);
    cr_assert_eq(link_encode_plan(&plan_out, again), len);
    cr_assert_arr_eq(bytes, again, len);

    wants_fill(&wants);
    len = link_encode_wants(&wants, bytes);
    cr_assert_eq(link_decode_wants(bytes, len, &wants_out), 0);
    for (size_t i = 0; i < wants.wants_n; i++) {
        cr_assert_eq(wants_out.wants[i].wish, wants.wants[i].wish);
        cr_assert(
            wants.wants[i].wish != ROUTE_ANNOUNCE ||
            route_attributes_equal(&wants_out.wants[i].attributes, &wants.wants[i].attributes));
    }

    status_fill(&status);
    len = link_encode_status(&status, bytes);
    cr_assert_eq(link_decode_status(bytes, len, &status_out), 0);
    cr_assert_eq(status_out.holder.withdrawals, UINT64_MAX);
    cr_assert_eq(status_out.routes[5].holders_n, 3);
    cr_assert_eq(status_out.sessions.list[63].since_ns, 63);
    cr_assert_eq(link_encode_status(&status_out, again), len);
    cr_assert_arr_eq(bytes, again, len);

    len = link_encode_failed("bgp.yaml:1:1: no", bytes);
    cr_assert_eq(link_decode_failed(bytes, len, text), 0);
    cr_assert_str_eq(text, "bgp.yaml:1:1: no");
    len = link_encode_reload(bytes);
    cr_assert_eq(link_kind(bytes, len, &kind), 0);
    cr_assert_eq(kind, LINK_RELOAD);
}

/* Cut anywhere, longer than it should be, or any byte turned: refused, or at least within bounds.
 */
Test(link, damage)
{
    static struct link_plan plan, plan_out;
    static struct link_wants wants, wants_out;
    static struct speaker_status status, status_out;
    size_t len;

    plan_fill(&plan);
    plan.vips_n = 2;
    len = link_encode_plan(&plan, bytes);
    for (size_t cut = 0; cut < len; cut++) {
        cr_assert_eq(link_decode_plan(bytes, cut, &plan_out), -EBADMSG);
    }
    cr_assert_eq(link_decode_plan(bytes, len + 1, &plan_out), -EBADMSG);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0xff;
        (void)link_decode_plan(bytes, len, &plan_out);
        bytes[i] ^= 0xff;
    }
    wants_fill(&wants);
    len = link_encode_wants(&wants, bytes);
    for (size_t cut = 0; cut < len; cut++) {
        cr_assert_eq(link_decode_wants(bytes, cut, &wants_out), -EBADMSG);
    }
    status_fill(&status);
    len = link_encode_status(&status, bytes);
    for (size_t cut = 0; cut < len; cut++) {
        cr_assert_eq(link_decode_status(bytes, cut, &status_out), -EBADMSG);
    }
    cr_assert_eq(link_decode_wants(bytes, len, &wants_out), -EBADMSG, "a message of another kind");
}

Test(link, a_name_that_does_not_end_is_refused)
{
    static struct link_plan plan, plan_out;
    size_t len, at;

    plan_fill(&plan);
    plan.vips_n = 2;
    len = link_encode_plan(&plan, bytes);
    for (at = 0; memcmp(bytes + at, "\3www\7example", 12) != 0; at++) {
    }
    bytes[at] = 63; /* a label beyond the end of the others */
    cr_assert_eq(link_decode_plan(bytes, len, &plan_out), 0, "still a name");
    memset(bytes + at, 63, DNS_CHECK_NAME_LEN);
    cr_assert_eq(link_decode_plan(bytes, len, &plan_out), -EBADMSG);
    bytes[at] = 0xc0; /* no compression here */
    cr_assert_eq(link_decode_plan(bytes, len, &plan_out), -EBADMSG);
}

Test(link, another_version_is_told_from_nonsense)
{
    enum link_kind kind;
    const size_t len = link_encode_reload(bytes);

    bytes[2]++;
    cr_assert_eq(link_kind(bytes, len, &kind), -EPROTONOSUPPORT);
    bytes[0]++;
    cr_assert_eq(link_kind(bytes, len, &kind), -EBADMSG);
    cr_assert_eq(link_kind(bytes, 3, &kind), -EBADMSG);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The kernel path's side of the daemon, as far as it is pure: addresses, capacities, words,
 * samples.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/daemon/fast_capacity.h"
#include "edge/daemon/fast_listen.h"
#include "edge/daemon/fast_words.h"
#include "edge/daemon/network.h"
#include "xdp/listener_core.h"

/* --- addresses --- */

static struct endpoint endpoint(const char *text)
{
    struct endpoint result = {0};

    cr_assert_eq(endpoint_parse(text, 53, &result), 0, "%s", text);
    return result;
}

static struct address address(const char *text)
{
    struct address result = {0};

    cr_assert_eq(address_parse(text, &result), 0, "%s", text);
    return result;
}

/* As a packet would ask. */
static enum fast_listener_match find(const struct fast_policy *policy, const char *text)
{
    struct endpoint asked = endpoint(text);
    struct fast_address key = {{0}};
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

    if (asked.address.family == ADDRESS_IPV4) {
        memcpy(bytes + 12, asked.address.bytes, 4);
    } else {
        memcpy(bytes, asked.address.bytes, 16);
    }
    memcpy(key.words, bytes, sizeof(bytes));
    return fast_listener_find(policy, &key, htons(asked.port));
}

Test(fast, addresses_are_listened_on_as_they_are_written)
{
    struct fast_policy policy = {0};
    struct endpoint listen[] = {endpoint("192.0.2.53@53"), endpoint("192.0.2.53@5300"),
                                endpoint("2001:db8::53@53")};

    cr_expect_not(fast_listen_is_wild(listen, 3));
    cr_expect_eq(fast_listen(listen, 3, NULL, 0, &policy), 0);
    cr_expect_eq(find(&policy, "192.0.2.53@53"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "192.0.2.53@5300"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "192.0.2.53@54"), FAST_LISTENER_ADDRESS);
    cr_expect_eq(find(&policy, "2001:db8::53@53"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "2001:db8::53@5300"), FAST_LISTENER_ADDRESS);
    cr_expect_eq(find(&policy, "192.0.2.54@53"), FAST_LISTENER_NONE);
    cr_expect_eq(find(&policy, "0.0.0.0@53"), FAST_LISTENER_NONE);
}

Test(fast, a_wildcard_stands_for_the_addresses_of_its_family)
{
    struct fast_policy policy = {0};
    struct endpoint listen[] = {endpoint("0.0.0.0@53"), endpoint("198.51.100.1@5300")};
    struct address own[] = {address("192.0.2.1"), address("192.0.2.2"), address("2001:db8::1")};

    cr_expect(fast_listen_is_wild(listen, 2));
    cr_expect_eq(fast_listen(listen, 2, own, 3, &policy), 0);
    cr_expect_eq(find(&policy, "192.0.2.1@53"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "192.0.2.2@53"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "192.0.2.2@5300"), FAST_LISTENER_ADDRESS);
    cr_expect_eq(find(&policy, "198.51.100.1@5300"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "2001:db8::1@53"), FAST_LISTENER_NONE);
    listen[0] = endpoint("[::]@53");
    memset(&policy, 0, sizeof(policy));
    cr_expect_eq(fast_listen(listen, 1, own, 3, &policy), 0);
    cr_expect_eq(find(&policy, "2001:db8::1@53"), FAST_LISTENER_BOTH);
    cr_expect_eq(find(&policy, "192.0.2.1@53"), FAST_LISTENER_NONE);
}

/* What has no place is counted, and what is named has places before what a wildcard stands for. */
Test(fast, too_many_addresses_are_counted)
{
    struct fast_policy policy = {0};
    struct endpoint listen[] = {endpoint("0.0.0.0@53"), endpoint("198.51.100.1@53")};
    struct address own[300];
    size_t missing;
    size_t found = 0;

    for (unsigned i = 0; i < 300; i++) {
        own[i] = address("10.0.0.0");
        own[i].bytes[2] = (uint8_t)(i >> 8);
        own[i].bytes[3] = (uint8_t)i;
    }
    missing = fast_listen(listen, 2, own, 300, &policy);
    cr_expect_geq(missing, 301 - FAST_LISTENERS_MAX);
    cr_expect_eq(find(&policy, "198.51.100.1@53"), FAST_LISTENER_BOTH);
    for (unsigned i = 0; i < 300; i++) {
        char text[32];

        snprintf(text, sizeof(text), "10.0.%u.%u@53", i >> 8, i & 255);
        found += find(&policy, text) == FAST_LISTENER_BOTH;
    }
    cr_expect_eq(found, 300 - missing);
}

Test(fast, the_host_has_addresses_in_order_and_none_of_loopback)
{
    struct network *network = NULL;
    struct failure failure;
    struct address *own = NULL;
    size_t n = 0;

    cr_assert_eq(network_open(&network, &failure), 0, "%s", failure.text);
    for (int i = 0; i < 2; i++) { /* the socket serves more than once */
        cr_assert_eq(network_addresses(network, &own, &n, &failure), 0, "%s", failure.text);
        for (size_t k = 0; k < n; k++) {
            cr_expect(own[k].family == ADDRESS_IPV4 || own[k].family == ADDRESS_IPV6);
            cr_expect(own[k].family != ADDRESS_IPV4 || own[k].bytes[0] != 127);
            cr_expect(k == 0 || address_compare(&own[k - 1], &own[k]) < 0);
        }
        free(own);
    }
    (void)network_changed(network);
    cr_expect_not(network_changed(network));
    network_free(network);
}

/* --- capacities --- */

Test(fast, room_is_guessed_in_steps)
{
    static const struct {
        struct fast_sizes sizes;
        enum config_xdp_names names;
        uint32_t image_blocks, template_blocks, services;
    } rows[] = {
        {{0, 0, 0}, CONFIG_XDP_SERVICES, 1024, 4096, 256},
        {{1 << 20, 1000, 0}, CONFIG_XDP_SERVICES, 1024, 4096, 256},
        {{(1 << 20) * 5, 1000, 0}, CONFIG_XDP_SERVICES, 4096, 4096, 256},
        {{(1 << 20) * 8, 1000, 0}, CONFIG_XDP_SERVICES, 4096, 4096, 256},
        {{0, 1 << 20, 0}, CONFIG_XDP_SERVICES, 1024, 16384, 16384},
        {{0, 0, 3 << 20}, CONFIG_XDP_ALL, 1024, 16384, 256},
        {{0, 0, (uint64_t)1 << 40}, CONFIG_XDP_ALL, 1024, 131072, 256},
        {{0, 0, 0}, CONFIG_XDP_HOT, 1024, 4096, 256},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_xdp xdp = {.names = rows[i].names, .hot_names = 10000};
        struct xdp_settings settings = {0};

        fast_capacity(&xdp, &rows[i].sizes, &settings);
        cr_expect_eq(settings.image_blocks, rows[i].image_blocks, "row %zu: %u", i,
                     settings.image_blocks);
        cr_expect_eq(settings.template_blocks, rows[i].template_blocks, "row %zu: %u", i,
                     settings.template_blocks);
        cr_expect_eq(settings.services, rows[i].services, "row %zu: %u", i, settings.services);
    }
}

Test(fast, room_that_is_configured_is_what_there_is)
{
    struct config_xdp xdp = {.image_mb = 3, .templates_mb = 7, .services = 5};
    struct fast_sizes sizes = {1 << 30, 1 << 30, 1 << 30};
    struct xdp_settings settings = {0};

    fast_capacity(&xdp, &sizes, &settings);
    cr_expect_eq(settings.image_blocks, 3 * 256);
    cr_expect_eq(settings.template_blocks, 7 * 256);
    cr_expect_eq(settings.services, 5);
}

/* --- words --- */

Test(fast, everything_has_a_name)
{
    struct fast_counters counters = {0};

    for (unsigned i = 0; i < FAST_PASS_REASONS; i++) {
        cr_assert_not_null(fast_reason_name((enum fast_reason)i), "reason %u", i);
        cr_assert_not_null(fast_reason_text((enum fast_reason)i), "reason %u", i);
        counters.passed[i] = 1;
    }
    for (unsigned i = 0; i < FAST_ANSWERS; i++) {
        cr_assert_not_null(fast_answer_name((enum fast_answer)i), "answer %u", i);
        counters.answered[i] = 10;
    }
    counters.answered_ipv6 = 3;
    counters.tap_lost = 4;
    cr_expect_eq(fast_answered(&counters), 10 * FAST_ANSWERS);
    cr_expect_eq(fast_passed(&counters), FAST_PASS_REASONS - 1, "other packets are no queries");
    cr_expect_eq(fast_extra(&counters, 0), 3);
    cr_expect_eq(fast_extra(&counters, FAST_EXTRAS - 1), 4);
    cr_expect_str_eq(fast_extra_name(FAST_EXTRAS - 1), "tap_lost");
}

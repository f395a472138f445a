/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/config/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config_play.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MS CLOCK_NS_PER_MS

/* The example of the interface contract, without what is not done yet. */
static const char contract[] =
    "vips:\n"
    "  - {prefix: 192.0.2.53/32, announce: {next_hop: self, med: 100, communities: "
    "[\"65010:53\"]}, requires: [answers]}\n"
    "  - {prefix: 2001:db8::53/128, requires: [answers6]}\n"
    "announce: {next_hop: self}\n"
    "checks:\n"
    "  answers: {type: dns, class: hard, server: \"192.0.2.53@53\", name: www.example.com., "
    "qtype: A, interval: 1s, timeout: 500ms, rise: 3, fall: 2}\n"
    "  answers6: {type: dns, class: hard, server: \"2001:db8::53@53\", name: www.example.com., "
    "qtype: AAAA, interval: 1s}\n"
    "control: /run/isochrone/bgp.sock\n";

Test(config, contract)
{
    struct failure failure;
    struct config *config = config_play_load(contract, &failure);
    char text[ADDRESS_TEXT_LEN];

    cr_assert(config, "%s", failure.text);
    cr_assert_eq(config->vips_n, 2);
    cr_assert_str_eq(prefix_format(&config->routes[0].prefix, text), "192.0.2.53/32");
    cr_assert(config->routes[0].attributes.next_hop_self && config->routes[0].attributes.has_med);
    cr_assert_eq(config->routes[0].attributes.med, 100);
    cr_assert_eq(config->routes[0].attributes.communities_n, 1);
    cr_assert_eq(config->routes[0].attributes.communities[0].high, 65010);
    cr_assert_eq(config->routes[0].attributes.communities[0].low, 53);
    cr_assert(config->routes[1].attributes.next_hop_self);
    cr_assert_not(config->routes[1].attributes.has_med);
    cr_assert_eq(config->vips[0].checks_n, 1);
    cr_assert_eq(config->vips[1].checks[0], 1);
    cr_assert_eq(config->checks_n, 2);
    cr_assert_str_eq(config->checks[0].name, "answers");
    cr_assert_str_eq(endpoint_format(&config->checks[1].server, text), "[2001:db8::53]:53");
    cr_assert_eq(config->checks[0].limits.fall, 2);
    cr_assert_eq(config->checks[1].limits.fall, 3);
    cr_assert_eq(config->checks[0].interval_ns, 1000 * MS);
    cr_assert_eq(config->checks[0].timeout_ns, 500 * MS);
    cr_assert_eq(config->checks[0].retry_ns, 100 * MS);
    cr_assert(config->checks[0].server_is_vip);
    cr_assert_eq(config_play_dns(config, 1)->qtype, 28);
    cr_assert_str_eq(config->checks[1].subject, "www.example.com. AAAA at [2001:db8::53]:53");
    cr_assert_str_eq(config->control, "/run/isochrone/bgp.sock");
    config_free(config);
}

#define CHECKS                                                                                     \
    "checks:\n"                                                                                    \
    "  a: {type: dns, server: 192.0.2.53, name: x.}\n"                                             \
    "  b: {type: dns, server: \"2001:db8::53\", name: x.}\n"                                       \
    "  s: {type: dns, class: soft, server: 127.0.0.1, name: x.}\n"                                 \
    "  w: {type: dns, class: watch, server: 127.0.0.1, name: x.}\n"                                \
    "  p: {type: dns, class: peer, server: 127.0.0.1, name: x.}\n"
#define VIP4 "  - {prefix: 192.0.2.53/32}\n"
#define VIP6 "  - {prefix: 2001:db8::53/128}\n"

Test(config, a_vip_without_requires_is_governed_by_its_family)
{
    struct failure failure;
    struct config *config = config_play_load("vips:\n" VIP4 VIP6 CHECKS, &failure);

    cr_assert(config, "%s", failure.text);
    cr_assert_eq(config->vips[0].checks_n, 2);
    cr_assert_eq(config->vips[0].checks[0], 0);
    cr_assert_eq(config->vips[0].checks[1], 2);
    cr_assert_eq(config->vips[1].checks_n, 1);
    cr_assert_eq(config->vips[1].checks[0], 1);
    cr_assert_not(config->checks[2].server_is_vip);
    cr_assert_null(config->control);
    config_free(config);
}

Test(config, where_it_is_operated_and_kept)
{
    struct failure failure;
    struct config *config = config_play_load("vips:\n" VIP4 CHECKS, &failure);

    cr_assert(config, "%s", failure.text);
    cr_expect_null(config->journal.file);
    cr_expect_null(config->state_file);
    cr_expect_null(config->services.control);
    cr_expect(!config->metrics_on);
    config_free(config);

    config = config_play_load("vips:\n" VIP4 CHECKS "journal: /var/log/bgp.journal\n"
                              "state_dir: /var/lib/isochrone-bgp\n"
                              "metrics: 127.0.0.1\n"
                              "services: {control: /run/edge.sock, pop: fra}\n",
                              &failure);
    cr_assert(config, "%s", failure.text);
    cr_expect_str_eq(config->journal.file, "/var/log/bgp.journal");
    cr_expect_eq(config->journal.size, 8 << 20);
    cr_expect_eq(config->journal.keep, 3);
    cr_expect_str_eq(config->state_file, "/var/lib/isochrone-bgp/bgp.state");
    cr_expect(config->metrics_on);
    cr_expect_eq(config->metrics.port, 9168);
    cr_expect_str_eq(config->services.control, "/run/edge.sock");
    cr_expect_str_eq(config->services.pop, "fra");
    config_free(config);

    config = config_play_load("vips:\n" VIP4 CHECKS "journal: {file: /j, size: 1, keep: 0}\n"
                              "state_dir: off\nmetrics: off\nservices: off\n",
                              &failure);
    cr_assert(config, "%s", failure.text);
    cr_expect_eq(config->journal.size, 1 << 20);
    cr_expect_eq(config->journal.keep, 0);
    cr_expect_null(config->state_file);
    config_free(config);
}

Test(config, defaults_and_overrides_of_announce)
{
    struct failure failure;
    struct config *config = config_play_load(
        "announce: {med: 7, communities: [\"1:2\", \"65535:0\"], as_path: [65001, 65001]}\n"
        "vips:\n"
        "  - {prefix: 192.0.2.53/32, announce: {communities: []}}\n"
        "  - {prefix: 192.0.2.0/24, announce: {next_hop: 10.0.0.1, large_communities: "
        "[\"1:2:4294967295\"]}}\n" CHECKS,
        &failure);

    cr_assert(config, "%s", failure.text);
    cr_assert_eq(config->routes[0].attributes.med, 7);
    cr_assert_eq(config->routes[0].attributes.communities_n, 0);
    cr_assert_eq(config->routes[0].attributes.as_path_n, 2);
    cr_assert_eq(config->routes[1].attributes.communities_n, 2);
    cr_assert_not(config->routes[1].attributes.next_hop_self);
    cr_assert_eq(config->routes[1].attributes.large_communities[0].local2, UINT32_MAX);
    config_free(config);
}

#define NEIGHBOR(more) "vips:\n" VIP4 CHECKS "neighbors:\n  - {" more "}\n"

Test(config, refusals_say_where_and_why)
{
    static const struct {
        const char *text;
        const char *message; /* must contain */
    } rows[] = {
        {"", "checks must be a map"},
        {CHECKS, "vips must be a list"},
        {"vips: []\n" CHECKS, "vips must be a list of at least one"},
        {"vips:\n" VIP4 CHECKS "colour: red\n", "colour"},
        {"vips:\n" VIP4 CHECKS "lease: 10ms\n", "must be a time from 500ms to 1m"},
        {"vips:\n" VIP4 CHECKS "graceful_restart: 20\n", "graceful_restart is refuse or allow"},
        {"vips:\n" VIP4 CHECKS "instance: 65001:7\n", "GLOBAL:LOCAL:LOCAL"},
        {"vips:\n" VIP4 CHECKS "closed_loop: {wait: 1s}\n", "a closed loop needs peers"},
        {"vips:\n" VIP4 CHECKS "closed_loop: {peers: [nobody]}\n", "nobody"},
        {"vips:\n" VIP4 CHECKS "closed_loop: {peers: [10.99.0.2], interval: 1ms}\n",
         "must be a time from 100ms to 1h"},
        {"vips:\n" VIP4 CHECKS "closed_loop: {birdc: x.ctl}\n", "birdc is not supported yet"},
        {"vips:\n" VIP4 CHECKS "metrics: here\n", "here"},
        {"vips:\n" VIP4 CHECKS "journal: {size: 8}\n", "a journal needs a file"},
        {"vips:\n" VIP4 CHECKS "journal: {file: j, size: 0}\n", "0"},
        {"vips:\n" VIP4 CHECKS "journal: {file: j, keeps: 1}\n", "keeps"},
        {"vips:\n" VIP4 CHECKS "services: {pop: fra}\n", "services needs control and pop"},
        {"vips:\n" VIP4 VIP4 CHECKS, "bgp.yaml:3:14: this VIP is listed twice"},
        {"vips:\n  - 192.0.2.53/32\n" CHECKS, "a VIP is a map"},
        {"vips:\n  - {requires: [a]}\n" CHECKS, "a VIP needs a prefix"},
        {"vips:\n  - {prefix: 192.0.2.53/24}\n" CHECKS, "host bits"},
        {"vips:\n  - {prefix: 0.0.0.0/0}\n" CHECKS, "so short a prefix"},
        {"vips:\n  - {prefix: \"2000::/3\"}\n" CHECKS, "so short a prefix"},
        {"vips:\n  - {prefix: 192.0.2.53/32, requires: [nothere]}\n" CHECKS,
         "bgp.yaml:2:40: there is no check nothere"},
        {"vips:\n  - {prefix: 192.0.2.53/32, requires: [a, a]}\n" CHECKS, "named twice"},
        {"vips:\n  - {prefix: 192.0.2.53/32, requires: [s]}\n" CHECKS, "no hard check"},
        {"vips:\n  - {prefix: 192.0.2.53/32, requires: []}\n" CHECKS, "no hard check"},
        {"vips:\n  - {prefix: 192.0.2.53/32, requires: [a, w]}\n" CHECKS,
         "bgp.yaml:2:43: a watch check governs no VIP"},
        {"vips:\n" VIP6 "checks: {a: {type: dns, server: 192.0.2.53, name: x.}}\n",
         "no hard check governs"},
        {"vips:\n  - {prefix: 192.0.2.53/32, announce: {next_hop: \"2001:db8::1\"}}\n" CHECKS,
         "next_hop is not of the family"},
        {"vips:\n  - {prefix: 192.0.2.53/32, announce: {prepend: 3}}\n" CHECKS,
         "prepend is not supported yet"},
        {"announce: {communities: [\"65536:1\"]}\nvips:\n" VIP4 CHECKS, "HIGH:LOW"},
        {"announce: {communities: [\"1:2:3\"]}\nvips:\n" VIP4 CHECKS, "HIGH:LOW"},
        {"announce: {communities: [\"1:2 ] next-hop 1.2.3.4\"]}\nvips:\n" VIP4 CHECKS, "HIGH:LOW"},
        {"announce: {large_communities: [\"1:2\"]}\nvips:\n" VIP4 CHECKS, "GLOBAL:LOCAL:LOCAL"},
        {"announce: {as_path: [0]}\nvips:\n" VIP4 CHECKS, "bgp.yaml:1:"},
        {"announce: {as_path: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}\nvips:\n" VIP4 CHECKS,
         "more than 16"},
        {"announce: {next_hop: themselves}\nvips:\n" VIP4 CHECKS, "bgp.yaml:1:"},
        {"announce: {med: -1}\nvips:\n" VIP4 CHECKS, "bgp.yaml:1:"},
        {NEIGHBOR("address: 10.0.0.2"), "a neighbor needs local_address"},
        {NEIGHBOR("address: 10.0.0.2, local_address: \"fd00::1\", local_as: 1, peer_as: 2"),
         "of the family of address"},
        {NEIGHBOR("address: \"fd00::2\", local_address: \"fd00::1\", local_as: 1, peer_as: 2"),
         "router_id must be given"},
        {NEIGHBOR("address: 10.0.0.2, local_address: 10.0.0.1, local_as: 1, peer_as: 2, hold_time: "
                  "2"),
         "hold_time is 0 or at least 3"},
        {NEIGHBOR("address: 10.0.0.2, local_address: 10.0.0.1, local_as: 0, peer_as: 2"),
         "bgp.yaml:10:"},
        {NEIGHBOR("address: \"fd00::2\", local_address: \"fd00::1\", local_as: 1, peer_as: 2, "
                  "router_id: 10.0.0.1"),
         "bgp.yaml:2:5: no neighbor of its family"},
        {"vips:\n" VIP4 CHECKS "neighbors: []\n", "1 to 32"},
        {"vips:\n" VIP4 CHECKS "control: "
         "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
         "a socket path is at most"},
        {"vips: [\n", "bgp.yaml:"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct failure failure;
        struct config *config = config_play_load(rows[i].text, &failure);

        cr_expect_null(config, "accepted: %s", rows[i].text);
        cr_expect(strstr(failure.text, rows[i].message), "%s\n-> %s", rows[i].text, failure.text);
        cr_expect_eq(strncmp(failure.text, "bgp.yaml:", 9), 0, "%s", failure.text);
        config_free(config);
    }
}

Test(config, x_keys_and_off)
{
    struct failure failure;
    struct config *config =
        config_play_load("x-note: {any: thing}\ncontrol: off\nvips:\n" VIP4 CHECKS, &failure);

    cr_assert(config, "%s", failure.text);
    cr_assert_null(config->control);
    config_free(config);
}

Test(config, too_many)
{
    static char text[64 * 1024];
    struct failure failure;
    int len = snprintf(text, sizeof(text), CHECKS "vips:\n");

    for (int i = 0; i <= CONFIG_VIPS_MAX; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "  - {prefix: 192.0.2.%d/32}\n", i);
    }
    cr_assert_null(config_play_load(text, &failure));
    cr_assert(strstr(failure.text, "more than 64 VIPs"), "%s", failure.text);
}

Test(config, what_the_holder_goes_by)
{
    struct failure failure;
    struct config *config = config_play_load(contract, &failure);

    cr_assert_eq(config->lease_ns, 2000 * MS);
    cr_assert_not(config->exabgp.graceful_restart || config->exabgp.has_instance);
    cr_assert_eq(config->exabgp.loop_peers_n, 0);
    config_free(config);

    config = config_play_load(
        "vips: [{prefix: 192.0.2.53/32, announce: {large_communities: [\"1:2:3\"]}}]\n"
        "checks:\n  a: {type: dns, server: 192.0.2.53, name: www.example.com.}\n"
        "lease: 500ms\ngraceful_restart: allow\ninstance: \"65001:1:7\"\n"
        "closed_loop: {peers: [10.99.1.2, \"fd99:1::2\"], wait: 1s, interval: 500ms}\n",
        &failure);
    cr_assert(config, "%s", failure.text);
    cr_assert_eq(config->lease_ns, 500 * MS);
    cr_assert(config->exabgp.graceful_restart && config->exabgp.has_instance);
    cr_assert_eq(config->routes[0].attributes.large_communities_n, 2);
    cr_assert_eq(config->routes[0].attributes.large_communities[1].local2, 7);
    cr_assert_eq(config->exabgp.loop_peers_n, 2);
    cr_assert_eq(config->exabgp.loop_wait_ns, 1000 * MS);
    cr_assert_eq(config->exabgp.loop_interval_ns, 500 * MS);
    config_free(config);
}

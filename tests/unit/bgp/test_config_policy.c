/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/config/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config_play.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MS CLOCK_NS_PER_MS
#define S CLOCK_NS_PER_S

/* One VIP and one check that have more keys, a soft check, two peers, and more of the file. */
#define FILE_OF(vip, check, more)                                                                  \
    "vips:\n"                                                                                      \
    "  - {prefix: 192.0.2.53/32, requires: [a, s]" vip "}\n"                                       \
    "checks:\n"                                                                                    \
    "  a: {type: dns, server: 192.0.2.53, name: x." check "}\n"                                    \
    "  s: {type: dns, class: soft, server: 192.0.2.53, name: x.}\n"                                \
    "  p: {type: dns, class: peer, server: 198.51.100.1, name: x., interval: 2s}\n"                \
    "  q: {type: dns, class: peer, server: 198.51.100.2, name: x.}\n" more

#define NEIGHBORS(local, peer)                                                                     \
    "neighbors:\n"                                                                                 \
    "  - {address: 10.0.0.1, local_address: 10.0.0.2, local_as: 65001, peer_as: 65000}\n"          \
    "  - {address: 10.0.1.1, local_address: 10.0.0.2, local_as: " local ", peer_as: " peer "}\n"

Test(config_policy, nothing_said_changes_nothing)
{
    struct config *config = config_play_good(FILE_OF("", "", ""));
    const struct policy_settings *settings = &config->vips[0].settings;

    cr_expect_eq(settings->attributes, &config->routes[0].attributes);
    cr_expect_eq(settings->drain.steps_n, 3);
    cr_expect_eq(settings->restart_grace_ns, 0);
    cr_expect_eq(settings->startup_wait_ns, 0);
    cr_expect_not(settings->leave.allowed);
    cr_expect_eq(settings->guard.at_least, 0);
    cr_expect_not(settings->damping.on);
    cr_expect_eq(config->budget.allow, 0);
    cr_expect_eq(config->vips[0].peers_n, 0);
    cr_expect_eq(config->checks[0].limits.window, 12);
    cr_expect_eq(config->checks[0].limits.window_fails, 6);
    cr_expect_eq(config->checks[0].limits.hold_down_ns, 0);
    cr_expect_eq(config->checks[0].vouched_by, POLICY_NONE);
    cr_expect_eq(config->checks[0].fresh_ns, 1600 * MS);
    config_free(config);
}

Test(config_policy, everything_said)
{
    struct config *config = config_play_good(FILE_OF(
        ", drain: [{med: 1000}, {large_communities: [\"1:2:3\"]}, {wait: 90s}]",
        ", fall: 2, window: {size: 20, fail: 33%}, hold_down: 10s",
        "drain: [{prepend: 3}, {communities: [\"65535:0\", \"1:2\"]}, {wait: 60s}, withdraw]\n"
        "restart_grace: 2s\n"
        "startup: {wait: 60s}\n"
        "last_pop: {peers: [q, p], at_least: 2, settle: 10s}\n"
        "soft_withdraw: {allow: 2, per: 30m, of: each, jitter: 5s}\n"
        "damping: {penalty: 500, suppress: 3000, reuse: 1000, half_life: 10m, max: 20m}\n"));
    const struct policy_settings *settings = &config->vips[0].settings;

    cr_expect_eq(settings->drain.steps_n, 3, "its own, not the common one");
    cr_expect_eq(settings->drain.steps[0].kind, DRAIN_MED);
    cr_expect_eq(settings->drain.steps[0].number, 1000);
    cr_expect_eq(settings->drain.steps[1].kind, DRAIN_LARGE_COMMUNITIES);
    cr_expect_eq(settings->drain.steps[1].large_communities[0].local2, 3);
    cr_expect_eq(settings->drain.steps[2].wait_ns, 90 * S);
    cr_expect_eq(settings->restart_grace_ns, 2 * S);
    cr_expect_eq(settings->startup_wait_ns, 60 * S);
    cr_expect_eq(settings->guard.at_least, 2);
    cr_expect_eq(settings->guard.settle_ns, 10 * S);
    cr_expect_eq(config->vips[0].peers_n, 2);
    cr_expect_eq(config->vips[0].peers[0], 3);
    cr_expect(settings->leave.allowed);
    cr_expect_eq(settings->leave.jitter_ns, 5 * S);
    cr_expect_eq(config->budget.allow, 2);
    cr_expect_eq(config->budget.per_ns, 1800 * S);
    cr_expect(config->budget.each);
    cr_expect(settings->damping.on);
    cr_expect_float_eq(settings->damping.penalty, 500, 1e-9);
    cr_expect_float_eq(settings->damping.suppress, 3000, 1e-9);
    cr_expect_float_eq(settings->damping.reuse, 1000, 1e-9);
    cr_expect_eq(settings->damping.half_life_ns, 600 * S);
    cr_expect_eq(settings->damping.max_ns, 1200 * S);
    cr_expect_eq(config->checks[0].limits.window, 20);
    cr_expect_eq(config->checks[0].limits.window_fails, 7, "6.6 of 20, rounded up");
    cr_expect_eq(config->checks[0].limits.hold_down_ns, 10 * S);
    config_free(config);
}

Test(config_policy, our_as_is_known_from_the_neighbors_or_said)
{
    struct config *config =
        config_play_good(FILE_OF("", "", "drain: [{prepend: 3}]\n" NEIGHBORS("65001", "65000")));

    cr_expect_eq(config->vips[0].settings.drain.local_as, 65001);
    config_free(config);
    config = config_play_good(FILE_OF("", "", "drain: [{prepend: 15}]\nlocal_as: 4200000001\n"));
    cr_expect_eq(config->vips[0].settings.drain.local_as, 4200000001U);
    config_free(config);
    /* only a drain that prepends minds */
    config_free(
        config_play_good(FILE_OF("", "", "drain: [withdraw]\n" NEIGHBORS("65002", "65002"))));
}

Test(config_policy, last_pop_alone)
{
    struct config *config = config_play_good(FILE_OF("", "", "last_pop: {}\n"));
    const struct policy_settings *settings = &config->vips[0].settings;

    cr_expect_eq(config->vips[0].peers_n, 2, "all of class peer");
    cr_expect_eq(settings->guard.at_least, 1);
    /* p: 2 s and a tenth and 500 ms, 500 ms more, and a second */
    cr_expect_eq(settings->guard.settle_ns, 4200 * MS);
    cr_expect(settings->damping.on, "there is somebody to overrule it");
    cr_expect_not(settings->leave.allowed);
    config_free(config);

    config = config_play_good(FILE_OF(", last_pop: off", "", "last_pop: {}\ndamping: {}\n"));
    cr_expect_eq(config->vips[0].settings.guard.at_least, 0);
    cr_expect(config->vips[0].settings.damping.on, "asked for by name");
    config_free(config);

    config = config_play_good(
        FILE_OF(", last_pop: {peers: [p]}", "", "damping: off\nsoft_withdraw: {}\n"));
    cr_expect_eq(config->vips[0].peers_n, 1);
    cr_expect_not(config->vips[0].settings.damping.on);
    cr_expect_eq(config->budget.allow, 1);
    cr_expect_eq(config->budget.per_ns, 3600 * S);
    cr_expect_not(config->budget.each);
    config_free(config);
}

Test(config_policy, a_traffic_check_vouches)
{
    struct config *config =
        config_play_good("vips: [{prefix: 192.0.2.53/32}]\n"
                         "checks:\n"
                         "  a: {type: dns, server: 192.0.2.53, name: x., vouched_by: t}\n"
                         "  b: {type: dns, server: 192.0.2.53, name: x.}\n"
                         "  t: {type: traffic, control: edge.sock}\n");

    cr_expect_eq(config->checks[0].vouched_by, 2);
    cr_expect_eq(config->checks[1].vouched_by, POLICY_NONE);
    cr_expect_eq(config->vips[0].checks_n, 2, "traffic governs nothing");
    config_free(config);
}

Test(config_policy, windows)
{
    static const struct {
        const char *text;
        uint32_t size, fails;
    } rows[] = {
        {FILE_OF("", ", window: off", ""), 0, 0},
        {FILE_OF("", ", window: {}", ""), 10, 5},
        {FILE_OF("", ", window: {fail: 1%}", ""), 10, 1},
        {FILE_OF("", ", window: {size: 64, fail: 100%}", ""), 64, 64},
        {FILE_OF("", ", fall: 16", ""), 64, 32},
        {FILE_OF("", ", fall: 17", ""), 0, 0}, /* there is no room to look so far back */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config = config_play_good(rows[i].text);

        cr_expect_eq(config->checks[0].limits.window, rows[i].size, "row %zu", i);
        cr_expect_eq(config->checks[0].limits.window_fails, rows[i].fails, "row %zu", i);
        config_free(config);
    }
}

Test(config_policy, refusals_say_where_and_why)
{
    static const struct {
        const char *text;
        const char *message; /* must contain */
    } rows[] = {
        {FILE_OF("", ", window: {size: 1}", ""), "from 2 to 64"},
        {FILE_OF("", ", window: {size: 65}", ""), "from 2 to 64"},
        {FILE_OF("", ", window: {fail: 60}", ""), "a share from 1% to 100%"},
        {FILE_OF("", ", window: {fail: 0%}", ""), "a share from 1% to 100%"},
        {FILE_OF("", ", window: {fail: 101%}", ""), "a share from 1% to 100%"},
        {FILE_OF("", ", window: {fail: \"%\"}", ""), "a share from 1% to 100%"},
        {FILE_OF("", ", window: {fails: 60%}", ""), "fails"},
        {FILE_OF("", ", window: 10", ""), "bgp.yaml:4:"},
        {FILE_OF("", ", hold_down: 2h", ""), "from 0 to 1h"},
        {FILE_OF("", ", vouched_by: t", ""), "there is no check t"},
        {FILE_OF("", ", vouched_by: s", ""), "only a traffic check can vouch"},
        {FILE_OF("", ", vouched_by: [s]", ""), "bgp.yaml:4:"},

        {FILE_OF("", "", "drain: []\n"), "bgp.yaml:8:8: drain is a list of 1 to 8 steps"},
        {FILE_OF("", "", "drain: withdraw\n"), "drain is a list of 1 to 8 steps"},
        {FILE_OF("", "", "drain: [withdraw, {wait: 1s}]\n"), "after withdraw there is nothing"},
        {FILE_OF("", "", "drain: [stop]\n"), "a step is withdraw or a map"},
        {FILE_OF("", "", "drain: [[withdraw]]\n"), "bgp.yaml:8:9"},
        {FILE_OF("", "", "drain: [{med: 1, wait: 1s}]\n"), "a step is one thing"},
        {FILE_OF("", "", "drain: [{}]\n"), "a step is one thing"},
        {FILE_OF("", "", "drain: [{next_hop: self}]\n"), "next_hop"},
        {FILE_OF("", "", "drain: [{med: -1}]\n"), "bgp.yaml:8:"},
        {FILE_OF("", "", "drain: [{communities: [\"1\"]}]\n"), "a community is HIGH:LOW"},
        {FILE_OF("", "", "drain: [{wait: 0s}]\n"), "from 1s to 1d"},
        {FILE_OF("", "", "drain: [{prepend: 0}]\nlocal_as: 1\n"), "from 1 to 15"},
        {FILE_OF("", "", "drain: [{prepend: 16}]\nlocal_as: 1\n"), "from 1 to 15"},
        {FILE_OF("", "", "drain: [{prepend: 3}]\n"), "prepend needs to know our AS"},
        {FILE_OF("", "", "drain: [{prepend: 3}]\n" NEIGHBORS("65002", "65000")),
         "different local_as"},
        {FILE_OF("", "", "drain: [{prepend: 3}]\nlocal_as: 7\n" NEIGHBORS("65001", "65000")),
         "different local_as"},
        {FILE_OF("", "", "drain: [{prepend: 3}]\n" NEIGHBORS("65001", "65001")),
         "internal neighbor takes for a loop"},
        {FILE_OF(", drain: [{prepend: 10}, {prepend: 6}]", "", "local_as: 1\n"),
         "bgp.yaml:2:54: draining this VIP would give it more than 16"},
        {FILE_OF(", announce: {communities: [\"1:1\", \"1:2\", \"1:3\", \"1:4\", \"1:5\", \"1:6\", "
                 "\"1:7\", \"1:8\", \"1:9\", \"2:1\", \"2:2\", \"2:3\", \"2:4\", \"2:5\", "
                 "\"2:6\", \"2:7\"]}",
                 "", ""),
         "bgp.yaml:2:5: draining this VIP would give it more than 16"},
        {FILE_OF("", "", "local_as: 0\n"), "from 1 to 4294967295"},

        {FILE_OF("", "", "restart_grace: 2h\n"), "from 0 to 1h"},
        {FILE_OF("", "", "startup: {}\n"), "startup needs wait"},
        {FILE_OF("", "", "startup: 60s\n"), "bgp.yaml:8:10"},
        {FILE_OF("", "", "startup: {wait: 2h}\n"), "from 0 to 1h"},
        {FILE_OF("", "", "startup: {gate: 1s}\n"), "gate"},

        {FILE_OF("", "", "last_pop: {peers: [s]}\n"),
         "s does not look at a peer: its class is soft"},
        {FILE_OF("", "", "last_pop: {peers: [p, p]}\n"), "bgp.yaml:8:23: named twice"},
        {FILE_OF("", "", "last_pop: {peers: [x]}\n"), "there is no check x"},
        {FILE_OF("", "", "last_pop: {peers: p}\n"), "peers must be a list"},
        {FILE_OF("", "", "last_pop: {peers: []}\n"), "last_pop needs a check of class peer"},
        {FILE_OF("", "", "last_pop: {at_least: 3}\n"), "from 1 to 2"},
        {FILE_OF("", "", "last_pop: {settle: 4s}\n"), "from 4200ms to 1h"},
        {FILE_OF("", "", "last_pop: {pops: 4}\n"), "pops"},
        {FILE_OF(", last_pop: {peers: [p], at_least: 2}", "", ""), "from 1 to 1"},

        {FILE_OF("", "", "soft_withdraw: {}\n"), "bgp.yaml:8:16: soft_withdraw needs last_pop"},
        {FILE_OF(", last_pop: off", "", "last_pop: {}\nsoft_withdraw: {}\n"), "needs last_pop"},
        {FILE_OF("", "", "last_pop: {}\nsoft_withdraw: {allow: 0}\n"), "from 1 to 16"},
        {FILE_OF("", "", "last_pop: {}\nsoft_withdraw: {allow: 17}\n"), "from 1 to 16"},
        {FILE_OF("", "", "last_pop: {}\nsoft_withdraw: {per: 8d}\n"), "from 1s to 7d"},
        {FILE_OF("", "", "last_pop: {}\nsoft_withdraw: {of: some}\n"), "of is all"},
        {FILE_OF("", "", "last_pop: {}\nsoft_withdraw: {jitter: 2h}\n"), "from 0 to 1h"},
        {FILE_OF("", "", "last_pop: {}\nsoft_withdraw: {max: 1}\n"), "max"},

        {FILE_OF("", "", "damping: {reuse: 2000}\n"), "reuse must be less than suppress"},
        {FILE_OF("", "", "damping: {penalty: 0}\n"), "bgp.yaml:8:"},
        {FILE_OF("", "", "damping: {half_life: 2d}\n"), "from 1s to 1d"},
        {FILE_OF("", "", "damping: {max: 0}\n"), "from 1s to 1d"},
        {FILE_OF("", "", "damping: {ceiling: 1}\n"), "ceiling"},
        {FILE_OF("", "", "damping: on\n"), "bgp.yaml:8:10"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct failure failure;

        cr_expect_null(config_play_load(rows[i].text, &failure), "%s", rows[i].text);
        cr_expect(strstr(failure.text, rows[i].message), "%s\n-> %s", rows[i].text, failure.text);
        cr_expect_eq(strncmp(failure.text, "bgp.yaml:", 9), 0, "%s", failure.text);
    }
}

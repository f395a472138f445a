/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys of the checks that look at this host.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bgp/config/config.h"
#include "bgp/probe/probe_edge.h"
#include "bgp/probe/probe_exec.h"
#include "bgp/probe/probe_interface.h"
#include "bgp/probe/probe_process.h"
#include "bgp/probe/probe_traffic.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define HEAD                                                                                       \
    "vips: [{prefix: 192.0.2.53/32, requires: [answers]}]\n"                                       \
    "checks:\n"                                                                                    \
    "  answers: {type: dns, server: \"192.0.2.53\", name: a.example.}\n"

/* A check `it` beside the one that every configuration needs. */
static struct config *load(const char *check, struct failure *failure)
{
    struct config *config = NULL;
    char text[2048];

    snprintf(text, sizeof(text), HEAD "  it: %s\n", check);
    failure->text[0] = '\0';
    return config_load_bytes("/etc/bgp/bgp.yaml", (const uint8_t *)text, strlen(text), &config,
                             failure) < 0
               ? NULL
               : config;
}

static const struct config_check *loaded(const char *check, struct config **ret_config)
{
    struct failure failure;

    *ret_config = load(check, &failure);
    cr_assert(*ret_config, "%s: %s", check, failure.text);
    return &(*ret_config)->checks[1];
}

Test(config_host, exec)
{
    struct config *config;
    const struct config_check *check =
        loaded("{type: exec, command: [./probe.sh, -x, \"a b\"]}", &config);
    const struct probe_exec_settings *settings = check->settings;

    cr_assert_eq(check->type, &probe_exec);
    cr_assert_eq(check->class, CHECK_HARD);
    cr_assert_str_eq(settings->command[0], "/etc/bgp/./probe.sh");
    cr_assert_str_eq(settings->command[2], "a b");
    cr_assert_null(settings->command[3]);
    config_free(config);
    check = loaded("{type: exec, class: soft, command: [true]}", &config);
    settings = check->settings;
    cr_assert_str_eq(settings->command[0], "true", "in PATH");
    cr_assert_eq(check->class, CHECK_SOFT);
    cr_assert_str_eq(check->subject, "command true");
    config_free(config);
}

Test(config_host, process)
{
    struct config *config;
    const struct config_check *check = loaded("{type: process, control: edge.sock}", &config);
    const struct probe_process_settings *settings = check->settings;

    cr_assert_eq(check->class, CHECK_WATCH);
    cr_assert_eq(check->family, ADDRESS_NONE);
    cr_assert_str_eq(settings->control, "/etc/bgp/edge.sock");
    cr_assert_null(settings->pidfile);
    config_free(config);
    check = loaded("{type: process, pidfile: /run/x.pid, class: hard}", &config);
    settings = check->settings;
    cr_assert_eq(check->class, CHECK_HARD);
    cr_assert_str_eq(settings->pidfile, "/run/x.pid");
    config_free(config);
}

Test(config_host, interface)
{
    struct config *config;
    const struct config_check *check =
        loaded("{type: interface, address: \"2001:db8::53\", interface: lo}", &config);
    const struct probe_interface_settings *settings = check->settings;

    cr_assert_eq(check->class, CHECK_HARD);
    cr_assert_eq(check->family, ADDRESS_IPV6);
    cr_assert_eq(settings->address.family, ADDRESS_IPV6);
    cr_assert_str_eq(settings->interface, "lo");
    cr_assert_str_eq(check->subject, "2001:db8::53 on lo");
    config_free(config);
}

Test(config_host, edge)
{
    struct config *config;
    const struct config_check *check = loaded(
        "{type: edge, control: /run/e.sock, map_age: {stale: 1d, expired: 7d}, failed_zones: 3}",
        &config);
    const struct probe_edge_settings *settings = check->settings;

    cr_assert_eq(check->class, CHECK_SOFT);
    cr_assert_eq(settings->stale_s, 86400);
    cr_assert_eq(settings->expired_s, 7 * 86400);
    cr_assert_eq(settings->failed_zones, 3);
    config_free(config);
    check = loaded("{type: edge, control: /run/e.sock}", &config);
    settings = check->settings;
    cr_assert_eq(settings->stale_s, 0);
    cr_assert_eq(settings->failed_zones, 0);
    config_free(config);
}

Test(config_host, traffic)
{
    static const struct {
        const char *keys;
        bool counts[EDGE_TRANSPORTS]; /* udp4, udp6, tcp4, tcp6 */
        enum address_family family;
    } rows[] = {
        {"", {true, true, true, true}, ADDRESS_NONE},
        {", family: ipv4", {true, false, true, false}, ADDRESS_IPV4},
        {", family: ipv6, transport: udp", {false, true, false, false}, ADDRESS_IPV6},
        {", transport: tcp", {false, false, true, true}, ADDRESS_NONE},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[256];
        struct config *config;
        const struct config_check *check;
        const struct probe_traffic_settings *settings;

        snprintf(text, sizeof(text), "{type: traffic, control: e.sock%s}", rows[i].keys);
        check = loaded(text, &config);
        settings = check->settings;
        cr_expect_eq(check->class, CHECK_WATCH);
        cr_expect_eq(check->family, rows[i].family);
        cr_expect_eq(settings->at_least, 100);
        cr_expect_arr_eq(settings->counts, rows[i].counts, sizeof(rows[i].counts));
        config_free(config);
    }
}

Test(config_host, what_is_refused)
{
    static const char *const rows[][2] = {
        {"{type: exec}", "4:7: command is a list"},
        {"{type: exec, command: true}", "4:29: command is a list"},
        {"{type: exec, command: []}", "4:29: command is a list"},
        {"{type: exec, command: [\"\"]}", "4:30: the name of a program is missing"},
        {"{type: exec, command: [a], server: \"192.0.2.1\"}", "4:34: "},
        {"{type: process}", "4:7: a process is found by control"},
        {"{type: process, control: a, pidfile: b}", "4:7: a process is found by control"},
        {"{type: interface}", "4:7: an interface check needs an address"},
        {"{type: interface, address: x}", "4:34: "},
        {"{type: interface, address: 192.0.2.1, interface: sixteen-is-too-long}",
         "4:56: no name of an interface"},
        {"{type: edge}", "4:7: control, a server's control socket, is missing"},
        {"{type: edge, control: e, map_age: {stale: 1d}}", "4:41: map_age needs stale and expired"},
        {"{type: edge, control: e, map_age: {stale: 2d, expired: 1d}}", "4:62: "},
        {"{type: edge, control: e, map_age: {stale: 1d, expired: 1d, old: 1}}", "4:66: "},
        {"{type: traffic, control: e, family: 4}", "4:43: '4' is neither ipv4 nor ipv6"},
        {"{type: traffic, control: e, at_least: 0}", "4:45: "},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct failure failure;
        char expected[256];

        cr_expect_null(load(rows[i][0], &failure), "%s", rows[i][0]);
        snprintf(expected, sizeof(expected), "/etc/bgp/bgp.yaml:%s", rows[i][1]);
        cr_expect_eq(strncmp(failure.text, expected, strlen(expected)), 0, "%s: %s", rows[i][0],
                     failure.text);
    }
}

Test(config_host, one_that_watches_governs_nothing)
{
    struct failure failure;
    struct config *config;
    static const char text[] = "vips: [{prefix: 192.0.2.53/32}]\n"
                               "checks: {it: {type: process, control: e.sock}}\n";

    cr_assert_lt(config_load_bytes("a", (const uint8_t *)text, sizeof(text) - 1, &config, &failure),
                 0);
    cr_assert(strstr(failure.text, "no hard check"), "%s", failure.text);
}

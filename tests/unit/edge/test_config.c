/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "edge/daemon/config.h"

#define FOLDER "/etc/isochrone"
#define PATH FOLDER "/edge.yaml"

/* The two required keys, on lines 1 and 2. */
#define LEAST "listen: 127.0.0.1@5300\nzones: []\n"

static int load(const char *text, struct config **config, struct failure *failure)
{
    failure->text[0] = '\0';
    return config_load_bytes(PATH, (const uint8_t *)text, strlen(text), config, failure);
}

Test(config, faults_name_place_and_reason)
{
    static const struct {
        const char *text;
        const char *place; /* after the path */
        const char *reason;
    } rows[] = {
        {"zones: []\n", ":1:1:", "'listen' is missing"},
        {"listen: 127.0.0.1\n", ":1:1:", "'zones' is missing"},
        {LEAST "lisen: x\n", ":3:", "lisen"},
        {"listen: []\nzones: []\n", ":1:9:", "between 1 and"},
        {"listen: 127.0.0\nzones: []\n", ":1:9:", ""},
        {"listen: 127.0.0.1@0\nzones: []\n", ":1:9:", "port 0"},
        {"listen: [127.0.0.1, 127.0.0.1@53]\nzones: []\n", ":1:21:", "twice"},
        {"listen: 127.0.0.1\nzones: {}\n", ":2:8:", "'zones' is a list"},
        {"listen: 127.0.0.1\nzones: [{file: a}]\n", ":2:9:", "'origin'"},
        {"listen: 127.0.0.1\nzones: [{origin: a.}]\n", ":2:9:", "'file'"},
        {"listen: 127.0.0.1\nzones: [{origin: a..b, file: a}]\n", ":2:18:", "no domain name"},
        {"listen: 127.0.0.1\nzones: [{origin: a, file: ''}]\n", ":2:27:", "empty path"},
        {"listen: 127.0.0.1\nzones: [{origin: a, fil: b}]\n", ":2:", "fil"},
        {"listen: 127.0.0.1\nzones:\n- {origin: a., file: a}\n- {origin: b., file: b}\n"
         "- {origin: A, file: c}\n",
         ":5:12:", "zone 'A' is listed twice"},
        {"listen: 127.0.0.1\nzones: [{origin: a., primaries: []}]\n", ":2:", "not supported yet"},
        {LEAST "workers: 0\n", ":3:10:", ""},
        {LEAST "workers: 257\n", ":3:10:", ""},
        {LEAST "workers: many\n", ":3:10:", ""},
        {LEAST "identity: 1234567890123456789012345678901234567890123456789012345678901234\n",
         ":3:11:", "longer than 63"},
        {LEAST "services: s.yaml\n", ":3:11:", "'map' is missing"},
        {LEAST "metrics: 127.0.0.1@x\n", ":3:10:", ""},
        {LEAST "control: /0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
               "0123456789/0123456789/0123456789/x\n",
         ":3:10:", "socket path"},
        {LEAST "user: ''\n", ":3:7:", "no user name"},
        {LEAST "tcp: {idle: 1ms}\n", ":3:13:", ""},
        {LEAST "tcp: {connections: 0}\n", ":3:20:", ""},
        {LEAST "tcp: {connections_per_client: 65536}\n", ":3:31:", ""},
        {LEAST "tcp: {idel: 1s}\n", ":3:", "idel"},
        {LEAST "tcp: {query: 1ms}\n", ":3:14:", ""},
        {LEAST "tcp: {lifetime: 31d}\n", ":3:17:", ""},
        {LEAST "tcp: {queries: 0}\n", ":3:16:", ""},
        {LEAST "tcp: {memory: 1000}\n", ":3:15:", ""},
        {LEAST "tcp: {backlog: 65536}\n", ":3:16:", ""},
        {LEAST "tcp: {fastopen: 3}\n", ":3:17:", ""},
        /* fixed by contract, not in this version: said, never ignored */
        {LEAST "keys: {a: {algorithm: hmac-sha256, file: k}}\n",
         ":3:7:", "'keys' is not supported"},
        {LEAST "xdp: on\n", ":3:6:", ""},
        {LEAST "xdp: {mode: auto}\n", ":3:6:", "'interfaces' is missing"},
        {LEAST "xdp: {interfaces: []}\n", ":3:19:", "between 1 and 16"},
        {LEAST "xdp: {interfaces: [eth0, a/b]}\n", ":3:26:", "'a/b' is no name of an interface"},
        {LEAST "xdp: {interfaces: a234567890123456}\n", ":3:19:", "no name of an interface"},
        {LEAST "xdp: {interfaces: ..}\n", ":3:19:", "no name of an interface"},
        {LEAST "xdp: {interfaces: [a, b, a]}\n", ":3:26:", "'a' is listed twice"},
        {LEAST "xdp: {interfaces: a, mode: fast}\n", ":3:28:", "none of auto, native, generic"},
        {LEAST "xdp: {interfaces: a, names: some}\n", ":3:29:", "none of services, all, hot"},
        {LEAST "xdp: {interfaces: a, capacity: {image_mb: 0}}\n", ":3:43:", ""},
        {LEAST "xdp: {interfaces: a, capacity: {templates_mb: 65537}}\n", ":3:47:", ""},
        {LEAST "xdp: {interfaces: a, capacity: {services: x}}\n", ":3:43:", ""},
        {LEAST "xdp: {interfaces: a, capacity: {names: 5}}\n", ":3:", "names"},
        {LEAST "xdp: {interfaces: a, hot: {refresh: 10ms}}\n", ":3:37:", ""},
        {LEAST "xdp: {interfaces: a, hot: {sample: 0}}\n", ":3:36:", ""},
        {LEAST "xdp: {interfaces: a, hot: {names: 0}}\n", ":3:35:", ""},
        {LEAST "xdp: {interfaces: a, pin: ''}\n", ":3:27:", "empty path"},
        {LEAST "xdp: {interfaces: a, detach_on_exit: 2}\n", ":3:38:", ""},
        {LEAST "xdp: {interface: a}\n", ":3:", "interface"},
        {LEAST "rate_limit: {}\n", ":3:13:", "'queries_per_second' is missing"},
        {LEAST "rate_limit: 200\n", ":3:13:", ""},
        {LEAST "rate_limit: {responses_per_second: 2000000}\n", ":3:36:", ""},
        {LEAST "rate_limit: {responses_per_second: 5, slip: 11}\n", ":3:45:", ""},
        {LEAST "rate_limit: {responses_per_second: 5, ipv6_prefix: 65}\n", ":3:52:", ""},
        {LEAST "rate_limit: {responses_per_second: 5, exempt: [10.0.0.1/8]}\n",
         ":3:48:", "no prefix"},
        {LEAST "tls: {certificate: c}\n", ":3:6:", "'tls' is not supported"},
        {LEAST "cookies: {secrets: []}\n", ":3:20:", "between 1 and 4 secrets"},
        {LEAST "cookies: {secrets: [a, b, c, d, e]}\n", ":3:20:", "between 1 and 4 secrets"},
        {LEAST "cookies: {secrets: ['']}\n", ":3:21:", "empty path"},
        {LEAST "cookies: {secret: k}\n", ":3:11:", "secret"},
        {LEAST "cookies: {}\n", ":3:10:", "'secrets' is missing"},
        {LEAST "catalogs: [c.]\n", ":3:11:", "'catalogs' is not supported"},
        {LEAST "allow_transfer: [127.0.0.1]\n", ":3:17:", "'allow_transfer' is not supported"},
        {LEAST "notify: [127.0.0.1]\n", ":3:9:", "'notify' is not supported"},
        {LEAST "dnstap: {socket: s}\n", ":3:9:", "'dnstap' is not supported"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *config = NULL;
        struct failure failure;
        char start[64];

        snprintf(start, sizeof(start), "%s%s", PATH, rows[i].place);
        cr_expect_lt(load(rows[i].text, &config, &failure), 0, "row %zu is accepted", i);
        cr_expect_null(config);
        cr_expect(strncmp(failure.text, start, strlen(start)) == 0, "row %zu: '%s' is not at '%s'",
                  i, failure.text, start);
        cr_expect_not_null(strstr(failure.text, rows[i].reason), "row %zu: '%s' lacks '%s'", i,
                           failure.text, rows[i].reason);
    }
}

Test(config, only_listen_and_zones_are_required)
{
    struct config *config = NULL;
    struct failure failure;

    cr_assert_eq(load(LEAST, &config, &failure), 0, "%s", failure.text);
    cr_expect_eq(config->listen_n, 1);
    cr_expect_eq(config->zone_n, 0);
    cr_expect_eq(config->workers, 0);
    cr_expect_null(config->map);
    cr_expect_null(config->services);
    cr_expect_null(config->state_dir);
    cr_expect_null(config->user);
    cr_expect_not(config->metrics_on);
    cr_expect_str_eq(config->control, CONFIG_CONTROL_DEFAULT);
    cr_expect_not(config->control_given);
    cr_expect_str_eq(config->identity, "");
    cr_expect_eq(config->tcp.connections_per_client, 100);
    cr_expect_eq(config->tcp.lifetime_ns, 0);
    cr_expect_eq(config->tcp.queries, 0);
    cr_expect(config->tcp.fastopen);
    cr_expect(config->seccomp);
    config_free(config);
}

Test(config, every_key_is_read)
{
    static const char text[] =
        "identity: fra1\nversion: secret\npop: fra\n"
        "listen: ['192.0.2.53@5353', '2001:db8::53']\nworkers: 3\n"
        "zones:\n- {origin: Example.COM, file: z/example.zone}\n"
        "- {origin: ., file: /abs/root.zone}\n"
        "map: cdn.isomap\nservices: tenants\nstates: [a.yaml, /b.yaml]\n"
        "control: edge.sock\nmetrics: '127.0.0.1'\nstate_dir: state\n"
        "user: nobody\nx-note: anything\n"
        "tcp: {connections: 10, connections_per_client: 2, idle: 1500ms,\n"
        "  query: 1s, lifetime: 1h, queries: 9, memory: 1048576,\n"
        "  backlog: 5, fastopen: no}\n"
        "keys: off\nxdp: off\ntls: false\ncookies: off\n"
        "rate_limit: {responses_per_second: 100, nxdomains_per_second: 7, slip: 3,\n"
        " window: 1m, ipv4_prefix: 16, size: 5000, exempt: [10.0.0.0/8, '::1']}\n"
        "catalogs: off\nallow_transfer: off\nnotify: off\ndnstap: off\n";
    struct config *config = NULL;
    struct failure failure;
    char address[ADDRESS_TEXT_LEN];

    cr_assert_eq(load(text, &config, &failure), 0, "%s", failure.text);
    cr_expect(config->rate_limit_on);
    cr_expect_eq(config->rate_limit.rates[ADMIT_POSITIVE], 100);
    cr_expect_eq(config->rate_limit.rates[ADMIT_NXDOMAIN], 7);
    cr_expect_eq(config->rate_limit.rates[ADMIT_QUERIES], 0);
    cr_expect_eq(config->rate_limit.slip, 3);
    cr_expect_eq(config->rate_limit.window_s, 60);
    cr_expect_eq(config->rate_limit.ipv4_bits, 16);
    cr_expect_eq(config->rate_limit.ipv6_bits, 56);
    cr_expect_eq(config->rate_limit.size, 8192);
    cr_expect_eq(config->rate_limit.exempt_n, 2);
    cr_expect_not(config->cookies.on);
    cr_expect_str_eq(config->identity, "fra1");
    cr_expect_str_eq(config->version, "secret");
    cr_expect_str_eq(config->pop, "fra");
    cr_expect_eq(config->listen_n, 2);
    cr_expect_eq(config->listen[0].port, 5353);
    cr_expect_eq(config->listen[1].port, 53);
    cr_expect_str_eq(address_format(&config->listen[1].address, address), "2001:db8::53");
    cr_expect_eq(config->workers, 3);
    cr_expect_eq(config->zone_n, 2);
    cr_expect_str_eq(config->zones[0].origin, "Example.COM");
    cr_expect_eq(memcmp(config->zones[0].name, "\7example\3com", 13), 0);
    cr_expect_str_eq(config->zones[0].file, FOLDER "/z/example.zone");
    cr_expect_str_eq(config->zones[0].place, PATH ":7:12");
    cr_expect_eq(config->zones[1].name[0], 0);
    cr_expect_str_eq(config->zones[1].file, "/abs/root.zone");
    cr_expect_str_eq(config->map, FOLDER "/cdn.isomap");
    cr_expect_str_eq(config->services, FOLDER "/tenants");
    cr_expect_eq(config->state_n, 2);
    cr_expect_str_eq(config->states[0], FOLDER "/a.yaml");
    cr_expect_str_eq(config->states[1], "/b.yaml");
    cr_expect_str_eq(config->control, FOLDER "/edge.sock");
    cr_expect(config->control_given);
    cr_expect(config->metrics_on);
    cr_expect_eq(config->metrics.port, 9167);
    cr_expect_str_eq(config->state_dir, FOLDER "/state");
    cr_expect_str_eq(config->user, "nobody");
    cr_expect_eq(config->tcp.connections, 10);
    cr_expect_eq(config->tcp.connections_per_client, 2);
    cr_expect_eq(config->tcp.idle_ns, 1500 * CLOCK_NS_PER_MS);
    cr_expect_eq(config->tcp.query_ns, CLOCK_NS_PER_S);
    cr_expect_eq(config->tcp.lifetime_ns, 3600 * CLOCK_NS_PER_S);
    cr_expect_eq(config->tcp.queries, 9);
    cr_expect_eq(config->tcp.memory, 1 << 20);
    cr_expect_eq(config->tcp.backlog, 5);
    cr_expect_not(config->tcp.fastopen);
    config_free(config);
}

Test(config, the_kernel_part)
{
    struct config *config = NULL;
    struct failure failure;

    cr_assert_eq(load(LEAST "xdp: no\n", &config, &failure), 0, "%s", failure.text);
    cr_expect_not(config->xdp.on);
    config_free(config);
    cr_assert_eq(load(LEAST "xdp: {interfaces: eth0}\n", &config, &failure), 0, "%s", failure.text);
    cr_expect(config->xdp.on);
    cr_expect_eq(config->xdp.interface_n, 1);
    cr_expect_str_eq(config->xdp.interfaces[0], "eth0");
    cr_expect_eq(config->xdp.mode, XDP_MODE_AUTO);
    cr_expect_eq(config->xdp.names, CONFIG_XDP_SERVICES);
    cr_expect_eq(config->xdp.image_mb, 0);
    cr_expect_eq(config->xdp.services, 0);
    cr_expect_str_eq(config->xdp.pin, "/sys/fs/bpf/isochrone");
    cr_expect(config->xdp.detach_on_exit);
    config_free(config);
    cr_assert_eq(load(LEAST
                      "xdp: {interfaces: [a.1, b], mode: generic, names: hot, hot: {names: 7, "
                      "sample: 3, refresh: 2s}, capacity: {image_mb: 8, templates_mb: 9, "
                      "services: 11}, pin: here, detach_on_exit: off}\n",
                      &config, &failure),
                 0, "%s", failure.text);
    cr_expect_eq(config->xdp.interface_n, 2);
    cr_expect_str_eq(config->xdp.interfaces[0], "a.1");
    cr_expect_str_eq(config->xdp.interfaces[1], "b");
    cr_expect_eq(config->xdp.mode, XDP_MODE_GENERIC);
    cr_expect_eq(config->xdp.names, CONFIG_XDP_HOT);
    cr_expect_eq(config->xdp.hot_names, 7);
    cr_expect_eq(config->xdp.hot_sample, 3);
    cr_expect_eq(config->xdp.hot_refresh_ns, 2 * CLOCK_NS_PER_S);
    cr_expect_eq(config->xdp.image_mb, 8);
    cr_expect_eq(config->xdp.templates_mb, 9);
    cr_expect_eq(config->xdp.services, 11);
    cr_expect_str_eq(config->xdp.pin, FOLDER "/here");
    cr_expect_not(config->xdp.detach_on_exit);
    config_free(config);
}

Test(config, where_the_kernel_answers_needs_a_restart)
{
    static const struct {
        const char *text;
        const char *key;
    } rows[] = {
        {LEAST, "xdp"},
        {LEAST "xdp: {interfaces: [b]}\n", "xdp"},
        {LEAST "xdp: {interfaces: [a, b]}\n", "xdp"},
        {LEAST "xdp: {interfaces: a, mode: native}\n", "xdp"},
        {LEAST "xdp: {interfaces: a, pin: /x}\n", "xdp"},
        {LEAST "xdp: {interfaces: a, capacity: {services: 5}}\n", "xdp"},
        {LEAST "xdp: {interfaces: a, names: all, detach_on_exit: no}\n", NULL},
        {LEAST "xdp: {interfaces: a, names: hot, hot: {names: 5}}\n", NULL},
    };
    struct config *running = NULL;
    struct failure failure;

    cr_assert_eq(load(LEAST "xdp: {interfaces: a}\n", &running, &failure), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *wanted = NULL;
        const char *key;

        cr_assert_eq(load(rows[i].text, &wanted, &failure), 0, "%s", failure.text);
        key = config_needs_restart(running, wanted);
        cr_expect(key == rows[i].key || (key && rows[i].key && strcmp(key, rows[i].key) == 0),
                  "row %zu: '%s'", i, key ? key : "nothing");
        config_free(wanted);
    }
    config_free(running);
}

Test(config, what_is_bound_needs_a_restart)
{
    static const struct {
        const char *text;
        const char *key; /* NULL: a reload is enough */
    } rows[] = {
        {LEAST, NULL},
        {LEAST "identity: other\nmap: m\nservices: s\nstates: x\n", NULL},
        {"listen: 127.0.0.1@5301\nzones: []\n", "listen"},
        {"listen: [127.0.0.1@5300, 127.0.0.2@5300]\nzones: []\n", "listen"},
        {LEAST "workers: 2\n", "workers"},
        {LEAST "control: off\n", "control"},
        {LEAST "metrics: 127.0.0.1\n", "metrics"},
        {LEAST "state_dir: s\n", "state_dir"},
        {LEAST "user: nobody\n", "user"},
        {LEAST "tcp: {idle: 1s}\n", "tcp"},
        {LEAST "tcp: {fastopen: off}\n", "tcp"},
        {LEAST "tcp: {lifetime: off, queries: off, memory: 33554432}\n", NULL},
        {LEAST "seccomp: off\n", "seccomp"},
        {LEAST "xdp: {interfaces: eth0}\n", "xdp"},
        {LEAST "xdp: off\n", NULL},
    };
    struct config *running = NULL;
    struct failure failure;

    cr_assert_eq(load(LEAST, &running, &failure), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *wanted = NULL;
        const char *key;

        cr_assert_eq(load(rows[i].text, &wanted, &failure), 0, "%s", failure.text);
        key = config_needs_restart(running, wanted);
        cr_expect(key == rows[i].key || (key && rows[i].key && strcmp(key, rows[i].key) == 0),
                  "row %zu: '%s'", i, key ? key : "nothing");
        config_free(wanted);
    }
    config_free(running);
}

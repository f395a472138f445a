/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of checks.
 */
#include "bgp/config/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/probe/probe_dns.h"
#include "bgp/probe/probe_http.h"
#include "bgp/probe/probe_tcp.h"
#include "config_play.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MS CLOCK_NS_PER_MS
#define VIP4 "  - {prefix: 192.0.2.53/32}\n"
#define CHECK(more)                                                                                \
    "vips:\n" VIP4 "checks: {a: {type: dns, server: 192.0.2.53, name: x." more "}}\n"

Test(config_check, expectations)
{
    struct failure failure;
    struct config *config = config_play_load(
        "vips:\n" VIP4 "checks:\n"
        "  a: {type: dns, server: 192.0.2.53, name: x., expect: [192.0.2.1, 192.0.2.2]}\n"
        "  b: {type: dns, server: 192.0.2.53, name: x., expect: NXDOMAIN, ecs: 203.0.113.0/24}\n"
        "  c: {type: dns, server: 192.0.2.53, name: x., qtype: SOA, retry: 20ms, interval: 50ms}\n",
        &failure);

    cr_assert(config, "%s", failure.text);
    cr_assert_eq(config_play_dns(config, 0)->expect, DNS_CHECK_EXPECT_ADDRESSES);
    cr_assert_eq(config_play_dns(config, 0)->addresses_n, 2);
    cr_assert_eq(config_play_dns(config, 1)->expect, DNS_CHECK_EXPECT_RCODE);
    cr_assert_eq(config_play_dns(config, 1)->rcode, 3);
    cr_assert(config_play_dns(config, 1)->has_subnet);
    cr_assert_eq(config_play_dns(config, 1)->subnet.len, 24);
    cr_assert_eq(config_play_dns(config, 2)->expect, DNS_CHECK_EXPECT_ANSWER);
    cr_assert_eq(config->checks[2].retry_ns, 20 * MS);
    config_free(config);
}

Test(config_check, dns_keys)
{
    struct failure failure;
    struct config *config = config_play_load(
        "vips:\n" VIP4 "checks:\n"
        "  a: {type: dns, server: 192.0.2.53, name: x., transport: tcp, signature: 1d}\n"
        "  b: {type: dns, server: 192.0.2.53, name: x., serial: {at_least: 44, as: "
        "\"198.51.100.1@5353\", lag: 90s}, tries: 1}\n",
        &failure);
    const struct probe_dns_settings *settings;

    cr_assert(config, "%s", failure.text);
    settings = config->checks[0].settings;
    cr_assert(settings->tcp);
    cr_assert_eq(settings->check.signature_s, 86400);
    cr_assert_str_eq(config->checks[0].subject, "x. A at 192.0.2.53:53 over TCP");
    settings = config->checks[1].settings;
    cr_assert_not(settings->tcp);
    cr_assert_eq(settings->tries, 1);
    cr_assert_eq(settings->check.qtype, 6, "a serial is the SOA's");
    cr_assert(settings->check.has_serial_min && settings->has_reference);
    cr_assert_eq(settings->check.serial_min, 44);
    cr_assert_eq(settings->reference.port, 5353);
    cr_assert_eq(settings->lag_ns, 90000 * MS);
    cr_assert_eq(settings->reference_check.qtype, 6);
    config_free(config);
}

Test(config_check, tcp_and_http_keys)
{
    struct failure failure;
    struct config *config = config_play_load(
        "vips:\n" VIP4 "checks:\n"
        "  t: {type: tcp, server: \"192.0.2.53@25\", send: \"EHLO x\\r\\n\", expect: \"220 \"}\n"
        "  h: {type: http, url: \"http://192.0.2.53:8080/x\"}\n"
        "  s: {type: http, class: soft, url: \"https://www.example.com/\", server: "
        "\"2001:db8::1\", ca: my.pem, expect: {status: [200, 404], body: ok, headers: {X-A: b}}}\n"
        "  i: {type: http, class: soft, url: \"https://[2001:db8::2]/\", insecure: yes, expect: "
        "{status: 204}}\n",
        &failure);
    const struct probe_tcp_settings *tcp;
    const struct probe_http_settings *http;
    char text[ADDRESS_TEXT_LEN];

    cr_assert(config, "%s", failure.text);
    tcp = config->checks[0].settings;
    cr_assert_str_eq(tcp->send, "EHLO x\r\n");
    cr_assert_eq(tcp->expect_len, 4);
    cr_assert(config->checks[0].server_is_vip);
    cr_assert_str_eq(config->checks[0].subject, "192.0.2.53:25 over TCP");
    http = config->checks[1].settings;
    cr_assert_str_eq(endpoint_format(&config->checks[1].server, text), "192.0.2.53:8080");
    cr_assert(config->checks[1].server_is_vip);
    cr_assert(http->statuses_n == 0 && !http->body && !http->ca && !http->insecure);
    http = config->checks[2].settings;
    cr_assert_str_eq(endpoint_format(&config->checks[2].server, text), "[2001:db8::1]:443");
    cr_assert_eq(config->checks[2].family, ADDRESS_IPV6);
    cr_assert(http->statuses_n == 2 && http->statuses[1] == 404);
    cr_assert_str_eq(http->body, "ok");
    cr_assert_str_eq(http->headers[0].name, "X-A");
    cr_assert(strstr(http->ca, "my.pem"));
    cr_assert_str_eq(config->checks[2].subject, "https://www.example.com/ at [2001:db8::1]:443");
    http = config->checks[3].settings;
    cr_assert_str_eq(endpoint_format(&config->checks[3].server, text), "[2001:db8::2]:443");
    cr_assert(http->insecure && http->statuses_n == 1);
    config_free(config);
}

Test(config_check, refusals_of_tcp_and_http)
{
    static const struct {
        const char *keys;
        const char *message;
    } rows[] = {
        {"type: tcp", "a tcp check needs a server"},
        {"type: tcp, server: 192.0.2.53", "needs a port"},
        {"type: tcp, server: \"192.0.2.53@1\", send: \"\"", "1 to 4096 bytes"},
        {"type: tcp, server: \"192.0.2.53@1\", name: x.", "name"},
        {"type: http", "an http check needs a url"},
        {"type: http, url: \"ftp://192.0.2.53/\"", "http://HOST/PATH or https"},
        {"type: http, url: \"file:///etc/passwd\"", "http://HOST/PATH or https"},
        {"type: http, url: \"http://me:pw@192.0.2.53/\"", "http://HOST/PATH or https"},
        {"type: http, url: \"http://192.0.2.53:99999/\"", "http://HOST/PATH or https"},
        {"type: http, url: \"http://www.example.com/\"", "names are not looked up"},
        {"type: http, url: \"http://192.0.2.53/\", expect: 200", "bgp.yaml:3:"},
        {"type: http, url: \"http://192.0.2.53/\", expect: {status: 99}", "bgp.yaml:3:"},
        {"type: http, url: \"http://192.0.2.53/\", expect: {status: []}", "1 to 16 statuses"},
        {"type: http, url: \"http://192.0.2.53/\", expect: {headers: [a]}", "headers is a map"},
        {"type: http, url: \"http://192.0.2.53/\", ca: a.pem, insecure: yes", "verifies nothing"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct failure failure;
        char text[512];
        struct config *config;

        snprintf(text, sizeof(text), "vips:\n" VIP4 "checks: {a: {%s}}\n", rows[i].keys);
        config = config_play_load(text, &failure);
        cr_expect_null(config, "accepted: %s", rows[i].keys);
        cr_expect(strstr(failure.text, rows[i].message), "%s\n-> %s", rows[i].keys, failure.text);
        cr_expect_eq(strncmp(failure.text, "bgp.yaml:3:", 11), 0, "%s", failure.text);
        config_free(config);
    }
}

Test(config_check, refusals_say_where_and_why)
{
    static const struct {
        const char *text;
        const char *message; /* must contain */
    } rows[] = {
        {"vips:\n" VIP4 "checks: {a: {type: ping, server: x}}\n",
         "bgp.yaml:3:20: there is no check type ping (dns"},
        {"vips:\n" VIP4 "checks: {a: {server: 192.0.2.53, name: x.}}\n", "needs a type"},
        {"vips:\n" VIP4 "checks: {a: {type: dns, name: x.}}\n", "needs a server"},
        {"vips:\n" VIP4 "checks: {a: {type: dns, server: 192.0.2.53}}\n", "needs a name"},
        {"vips:\n" VIP4 "checks: {a: dns}\n", "a check is a map"},
        {CHECK(", class: medium"), "class is hard, soft, watch or peer"},
        {CHECK(", qtype: ANY"), "not a type of record"},
        {CHECK(", qtype: AXFR"), "not a type of record"},
        {CHECK(", qtype: XYZ"), "not a type of record"},
        {CHECK(", expect: MAYBE"), "or an RCODE"},
        {CHECK(", expect: []"), "1 to 32 addresses"},
        {CHECK(", expect: [\"2001:db8::1\"]"), "never has such an address"},
        {CHECK(", qtype: TXT, expect: [192.0.2.1]"), "never has such an address"},
        {CHECK(", ecs: 203.0.113.1/24"), "without host bits"},
        {CHECK(", interval: 1ms"), "bgp.yaml:3:"},
        {CHECK(", interval: 50ms, retry: 60ms"), "bgp.yaml:3:"},
        {CHECK(", rise: 0"), "bgp.yaml:3:"},
        {CHECK(", fall: 1001"), "bgp.yaml:3:"},
        {CHECK(", transport: tls"), "transport is udp or tcp"},
        {CHECK(", transport: tcp, tries: 2"), "only with transport udp"},
        {CHECK(", tries: 0"), "bgp.yaml:3:"},
        {CHECK(", serial: 5"), "bgp.yaml:3:"},
        {CHECK(", serial: {}"), "serial needs at_least or as"},
        {CHECK(", serial: {lag: 5s}"), "serial needs at_least or as"},
        {CHECK(", serial: {at_least: 5, lag: 5s}"), "lag needs a server"},
        {CHECK(", serial: {at_least: 4294967296}"), "bgp.yaml:3:"},
        {CHECK(", serial: {as: ns1.example.com}"), "an IP address"},
        {CHECK(", qtype: A, serial: {at_least: 5}"), "with qtype SOA"},
        {CHECK(", expect: NOERROR, serial: {at_least: 5}"), "without expect"},
        {CHECK(", signature: 0s"), "a time from 1s"},
        {CHECK(", port: 53"), "port"},
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/xdp_frame.h"

#include <criterion/criterion.h>
#include <string.h>

#include "bgp/config/config.h"
#include "bgp/probe/probe_xdp.h"
#include "probe_play.h"

static struct xdp_frame_way way_of(const char *client, const char *server)
{
    struct xdp_frame_way way = {0};

    cr_assert_eq(endpoint_parse(client, 0, &way.client), 0);
    cr_assert_eq(endpoint_parse(server, 0, &way.server), 0);
    return way;
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = a[i];

        a[i] = b[i];
        b[i] = byte;
    }
}

/* As a server that only reflects: sums stay right when sender and receiver change places. */
static void reflect(uint8_t *frame, bool ipv4)
{
    const size_t udp = ipv4 ? 34 : 54;

    swap(frame, frame + 6, 6);
    swap(frame + (ipv4 ? 26 : 22), frame + (ipv4 ? 30 : 38), ipv4 ? 4 : 16);
    swap(frame + udp, frame + udp + 2, 2);
}

static const char *const ways[][2] = {{"198.18.0.1:50000", "192.0.2.53:53"},
                                      {"[2001:2::1]:50000", "[2001:db8::53]:53"}};
static const uint8_t message[] = "a message of an odd length";

Test(xdp_frame, there_and_back)
{
    for (size_t i = 0; i < 2; i++) {
        const struct xdp_frame_way way = way_of(ways[i][0], ways[i][1]);
        uint8_t frame[XDP_FRAME_LEN], *back = NULL;
        size_t len = xdp_frame_make(&way, message, sizeof(message), frame), back_len = 0;

        cr_assert_eq(len, (i ? 62 : 42) + sizeof(message));
        cr_assert_str_eq(xdp_frame_open(&way, frame, len, &back, &back_len),
                         "its Ethernet header is wrong");
        reflect(frame, i == 0);
        cr_assert_null(xdp_frame_open(&way, frame, len, &back, &back_len));
        cr_assert_eq(back_len, sizeof(message));
        cr_assert_arr_eq(back, message, sizeof(message));
        /* padded, as a driver may */
        cr_assert_null(xdp_frame_open(&way, frame, len + 10, &back, &back_len));
        cr_assert_eq(back_len, sizeof(message));
    }
}

Test(xdp_frame, every_bit_of_it_matters)
{
    for (size_t i = 0; i < 2; i++) {
        const struct xdp_frame_way way = way_of(ways[i][0], ways[i][1]);
        uint8_t frame[XDP_FRAME_LEN], *back;
        size_t len = xdp_frame_make(&way, message, sizeof(message), frame), back_len;

        reflect(frame, i == 0);
        for (size_t bit = 0; bit < len * 8; bit++) {
            /* IPv6 has no sum over traffic class, flow label and hop limit */
            const bool free =
                i == 1 && ((bit / 8 >= 14 && bit / 8 < 18 && bit > 14 * 8 + 3) || bit / 8 == 21);

            frame[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            cr_expect_eq(xdp_frame_open(&way, frame, len, &back, &back_len) == NULL, free,
                         "%zu of way %zu", bit, i);
            frame[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        }
        for (size_t cut = 0; cut < len; cut++) {
            cr_expect_not_null(xdp_frame_open(&way, frame, cut, &back, &back_len));
        }
    }
}

Test(xdp_frame, configuration)
{
    static const char text[] =
        "vips: [{prefix: 192.0.2.53/32, requires: [answers]}]\n"
        "checks:\n"
        "  answers: {type: dns, server: \"192.0.2.53\", name: a.example.}\n"
        "  kernel: {type: xdp, server: \"192.0.2.53\", name: a.example.}\n"
        "  kernel6: {type: xdp, server: \"[2001:db8::53]:54\", name: a.example., qtype: AAAA, "
        "interface: eth0, pin: here, client: \"2001:db8::1\", ecs: 192.0.2.0/24}\n";
    struct config *config = NULL;
    struct failure failure;
    const struct probe_xdp_settings *settings;
    char client[ADDRESS_TEXT_LEN];

    cr_assert_eq(config_load_bytes("/etc/b.yaml", (const uint8_t *)text, sizeof(text) - 1, &config,
                                   &failure),
                 0, "%s", failure.text);
    settings = config->checks[1].settings;
    cr_assert_eq(config->checks[1].class, CHECK_WATCH);
    cr_assert_eq(config->checks[1].family, ADDRESS_IPV4);
    cr_assert_str_eq(config->checks[1].subject, "a.example. A at 192.0.2.53:53 in the kernel");
    cr_assert_str_eq(settings->pin, "/sys/fs/bpf/isochrone");
    cr_assert_null(settings->interface);
    cr_assert_str_eq(address_format(&settings->client, client), "198.18.0.1");
    settings = config->checks[2].settings;
    cr_assert_str_eq(settings->pin, "/etc/here");
    cr_assert_str_eq(settings->interface, "eth0");
    cr_assert_str_eq(address_format(&settings->client, client), "2001:db8::1");
    cr_assert(settings->check.has_subnet);
    config_free(config);
}

Test(xdp_frame, a_client_of_the_other_family_is_refused)
{
    static const char text[] = "vips: [{prefix: 192.0.2.53/32}]\n"
                               "checks: {k: {type: xdp, server: \"192.0.2.53\", name: a., client: "
                               "\"2001:db8::1\"}}\n";
    struct config *config;
    struct failure failure;

    cr_assert_lt(
        config_load_bytes("b.yaml", (const uint8_t *)text, sizeof(text) - 1, &config, &failure), 0);
    cr_assert_not_null(strstr(failure.text, "not of the server's family"), "%s", failure.text);
}

Test(xdp_frame, without_pins_or_leave_to_look)
{
    struct probe_xdp_settings settings = {.pin = "/nonexistent/pins"};
    const unsigned before = probe_play_descriptors();
    struct probe_play play;

    cr_assert_eq(dns_check_parse_name("a.example.", settings.check.qname), 0);
    settings.check.qtype = 1;
    cr_assert_eq(address_parse("198.18.0.1", &settings.client), 0);
    probe_play_open(&play, &probe_xdp, &settings, 1);
    cr_assert_eq(endpoint_parse("192.0.2.53", 53, &play.check.server), 0);
    cr_assert(probe_play_start(&play, 0));
    cr_assert_eq(play.outcome.observation, HEALTH_FAIL);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert_str_eq(play.outcome.evidence, "no program is pinned in /nonexistent/pins");
    probe_play_close(&play);
    cr_assert_eq(probe_play_descriptors(), before);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes of dns checks against a socket of our own on loopback; time is an argument, nothing here
 * waits for a clock.
 */
#include "bgp/probe/probe.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bgp/probe/probe_dns.h"

#define MS CLOCK_NS_PER_MS
#define TAG 7

struct server {
    int fd;
    struct endpoint endpoint;
    struct sockaddr_in client;
    uint8_t bytes[1024];
    size_t len;
};

static void server_open(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(server->fd, 0);
    cr_assert_eq(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(address_parse("127.0.0.1", &server->endpoint.address), 0);
    server->endpoint.port = ntohs(address.sin_port);
}

static void server_receive(struct server *server)
{
    socklen_t len = sizeof(server->client);
    const ssize_t got = recvfrom(server->fd, server->bytes, sizeof(server->bytes), 0,
                                 (struct sockaddr *)&server->client, &len);

    cr_assert_gt(got, 12);
    server->len = (size_t)got;
}

static void server_send(const struct server *server)
{
    cr_assert_eq(sendto(server->fd, server->bytes, server->len, 0,
                        (const struct sockaddr *)&server->client, sizeof(server->client)),
                 (ssize_t)server->len);
}

/* Passes if anything is answered with NOERROR. */
struct play {
    struct server server;
    struct probe_dns_settings settings;
    struct config_check check;
    struct probe probe;
    struct probe_outcome outcome;
};

static void play_open(struct play *play, unsigned tries)
{
    memset(play, 0, sizeof(*play));
    server_open(&play->server);
    play->settings.check.qtype = 1;
    play->settings.check.expect = DNS_CHECK_EXPECT_RCODE;
    dns_check_parse_name("a.example.", play->settings.check.qname);
    play->settings.tries = tries;
    play->check = (struct config_check){.name = "a",
                                        .type = &probe_dns,
                                        .settings = &play->settings,
                                        .server = play->server.endpoint,
                                        .timeout_ns = 600 * MS};
    cr_assert_eq(probe_init(&play->probe, &play->check, epoll_create1(EPOLL_CLOEXEC), TAG), 0);
}

static void play_close(struct play *play)
{
    probe_done(&play->probe);
    close(play->probe.epoll_fd);
    close(play->server.fd);
}

/* Hands over what is ready until there is an outcome or nothing is left. */
static bool ready(struct play *play, int wait_ms, int64_t now_ns)
{
    struct epoll_event event;

    while (epoll_wait(play->probe.epoll_fd, &event, 1, wait_ms) == 1) {
        if (probe_ready(&play->probe, (int)(event.data.u64 - TAG), event.events, now_ns,
                        &play->outcome)) {
            return true;
        }
        wait_ms = 0;
    }
    return false;
}

static size_t descriptors_n(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 256; fd++) {
        int value;
        socklen_t len = sizeof(value);

        count += getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len) == 0;
    }
    return count;
}

Test(probe, an_answer_in_time)
{
    struct play play;
    size_t before;

    play_open(&play, 1);
    before = descriptors_n();
    play.check.server_is_vip = true;
    cr_assert_not(probe_start(&play.probe, 1000, &play.outcome));
    cr_assert_eq(probe_deadline_ns(&play.probe), 1000 + 600 * MS);
    server_receive(&play.server);
    /* junk first: an answer with another id, from the right place */
    play.server.bytes[0] ^= 0xff;
    play.server.bytes[2] |= 0x80;
    server_send(&play.server);
    cr_assert_not(ready(&play, 10000, 2000));
    play.server.bytes[0] ^= 0xff;
    server_send(&play.server);
    cr_assert(ready(&play, 10000, 3000));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_NONE);
    cr_assert_eq(play.outcome.elapsed_ns, 2000);
    cr_assert_not(play.probe.in_flight);
    cr_assert_eq(descriptors_n(), before);
    play_close(&play);
}

Test(probe, no_answer)
{
    struct play play;

    play_open(&play, 1);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    cr_assert_not(probe_run(&play.probe, 600 * MS - 1, &play.outcome));
    cr_assert(probe_run(&play.probe, 600 * MS, &play.outcome));
    cr_assert_eq(play.outcome.observation, HEALTH_FAIL);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_SILENT);
    cr_assert_str_eq(play.outcome.evidence, "no answer in 600 ms");
    cr_assert_eq(probe_deadline_ns(&play.probe), INT64_MAX);
    /* the late answer meets no socket; the next probe has another port and does not see it */
    server_receive(&play.server);
    play.server.bytes[2] |= 0x80;
    server_send(&play.server);
    cr_assert_not(probe_start(&play.probe, 700 * MS, &play.outcome));
    cr_assert_not(ready(&play, 0, 700 * MS));
    play_close(&play);
}

Test(probe, a_lost_datagram_is_asked_again_and_late_answers_count)
{
    struct play play;
    struct server first;

    play_open(&play, 3);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    cr_assert_eq(probe_deadline_ns(&play.probe), 200 * MS);
    server_receive(&play.server);
    first = play.server;
    cr_assert_not(probe_run(&play.probe, 199 * MS, &play.outcome));
    cr_assert_not(probe_run(&play.probe, 200 * MS, &play.outcome));
    server_receive(&play.server);
    cr_assert_neq(first.client.sin_port, play.server.client.sin_port);
    cr_assert_eq(probe_deadline_ns(&play.probe), 400 * MS);
    cr_assert_not(probe_run(&play.probe, 400 * MS, &play.outcome));
    cr_assert_eq(probe_deadline_ns(&play.probe), 600 * MS);
    first.bytes[2] |= 0x80;
    server_send(&first);
    cr_assert(ready(&play, 10000, 450 * MS));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS);
    cr_assert_eq(play.outcome.elapsed_ns, 450 * MS);
    play_close(&play);
}

Test(probe, an_answer_that_waited_for_us_counts)
{
    struct play play;

    play_open(&play, 2);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    server_receive(&play.server);
    play.server.bytes[2] |= 0x80;
    server_send(&play.server);
    cr_assert(probe_run(&play.probe, 9000 * MS, &play.outcome));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS);
    play_close(&play);
}

Test(probe, nobody_listens)
{
    struct play play;

    play_open(&play, 3);
    close(play.server.fd);
    cr_assert(probe_start(&play.probe, 0, &play.outcome) || ready(&play, 10000, 0));
    cr_assert_eq(play.outcome.observation, HEALTH_FAIL);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert_str_eq(play.outcome.evidence, "nobody listens (refused)");
    play.server.fd = -1;
    play_close(&play);
}

Test(probe, a_vip_that_is_not_here_fails)
{
    struct play play;

    play_open(&play, 3);
    play.check.server_is_vip = true;
    address_parse("192.0.2.53", &play.check.server.address);
    cr_assert(probe_start(&play.probe, 0, &play.outcome));
    cr_assert_eq(play.outcome.observation, HEALTH_FAIL);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    /* without any route the kernel says so first */
    cr_assert(strstr(play.outcome.evidence, "192.0.2.53 is not an address of this host") ||
                  strstr(play.outcome.evidence, "unreachable"),
              "%s", play.outcome.evidence);
    play_close(&play);
}

/* No descriptors for a while: returns the limit as it was. */
static struct rlimit descriptors_forbid(void)
{
    struct rlimit before;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max}), 0);
    return before;
}

Test(probe, no_descriptors_left_is_unknown)
{
    struct rlimit before;
    struct play play;
    bool concluded;

    play_open(&play, 3);
    before = descriptors_forbid();
    concluded = probe_start(&play.probe, 0, &play.outcome);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert(concluded);
    cr_assert_eq(play.outcome.observation, HEALTH_UNKNOWN);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_INTERNAL);
    cr_assert(strstr(play.outcome.evidence, "opening a socket"), "%s", play.outcome.evidence);
    play_close(&play);
}

Test(probe, no_descriptor_for_another_try_does_not_end_the_first)
{
    struct rlimit before;
    struct play play;
    bool concluded;

    play_open(&play, 3);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    before = descriptors_forbid();
    concluded = probe_run(&play.probe, 200 * MS, &play.outcome);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_not(concluded);
    cr_assert_eq(probe_deadline_ns(&play.probe), 400 * MS);
    server_receive(&play.server);
    play.server.bytes[2] |= 0x80;
    server_send(&play.server);
    cr_assert(ready(&play, 10000, 300 * MS));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS);
    play_close(&play);
}

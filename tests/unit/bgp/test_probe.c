/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes against a socket of our own on loopback; time is an argument, nothing here waits for a
 * clock.
 */
#include "bgp/probe/probe.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define MS CLOCK_NS_PER_MS

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

static void await(const struct probe *probe)
{
    struct pollfd item = {.fd = probe->fd, .events = POLLIN};

    cr_assert_eq(poll(&item, 1, 10000), 1);
}

static struct dns_check check_make(void)
{
    struct dns_check check = {.qtype = 1, .expect = DNS_CHECK_EXPECT_RCODE, .rcode = 0};

    dns_check_parse_name("a.example.", check.qname);
    return check;
}

Test(probe, an_answer_in_time)
{
    const struct dns_check check = check_make();
    struct server server;
    struct probe probe;
    struct probe_outcome outcome;

    server_open(&server);
    probe_init(&probe, &check, &server.endpoint, true, 500 * MS);
    cr_assert_not(probe_start(&probe, 1000, &outcome));
    cr_assert_not(probe_read(&probe, 1000, &outcome));
    cr_assert_eq(probe_deadline_ns(&probe), 1000 + 500 * MS);
    server_receive(&server);
    /* junk first: an answer with another id, from the right place */
    server.bytes[0] ^= 0xff;
    server.bytes[2] |= 0x80;
    server_send(&server);
    await(&probe);
    cr_assert_not(probe_read(&probe, 2000, &outcome));
    server.bytes[0] ^= 0xff;
    server_send(&server);
    await(&probe);
    cr_assert(probe_read(&probe, 3000, &outcome));
    cr_assert_eq(outcome.observation, HEALTH_PASS);
    cr_assert_eq(outcome.elapsed_ns, 2000);
    cr_assert_eq(probe.fd, -1);
    close(server.fd);
}

Test(probe, no_answer)
{
    const struct dns_check check = check_make();
    struct server server;
    struct probe probe;
    struct probe_outcome outcome;

    server_open(&server);
    probe_init(&probe, &check, &server.endpoint, false, 500 * MS);
    cr_assert_not(probe_start(&probe, 0, &outcome));
    cr_assert_not(probe_expire(&probe, 500 * MS - 1, &outcome));
    cr_assert(probe_expire(&probe, 500 * MS, &outcome));
    cr_assert_eq(outcome.observation, HEALTH_FAIL);
    cr_assert_str_eq(outcome.evidence, "no answer in 500 ms");
    cr_assert_eq(probe.fd, -1);
    /* the late answer meets no socket; the next probe has another port and does not see it */
    server_receive(&server);
    server.bytes[2] |= 0x80;
    server_send(&server);
    cr_assert_not(probe_start(&probe, 600 * MS, &outcome));
    cr_assert_not(probe_read(&probe, 600 * MS, &outcome));
    probe_done(&probe);
    close(server.fd);
}

Test(probe, an_answer_that_waited_for_us_counts)
{
    const struct dns_check check = check_make();
    struct server server;
    struct probe probe;
    struct probe_outcome outcome;

    server_open(&server);
    probe_init(&probe, &check, &server.endpoint, false, 500 * MS);
    cr_assert_not(probe_start(&probe, 0, &outcome));
    server_receive(&server);
    server.bytes[2] |= 0x80;
    server_send(&server);
    await(&probe);
    cr_assert(probe_expire(&probe, 9000 * MS, &outcome));
    cr_assert_eq(outcome.observation, HEALTH_PASS);
    close(server.fd);
}

Test(probe, nobody_listens)
{
    const struct dns_check check = check_make();
    struct server server;
    struct probe probe;
    struct probe_outcome outcome;

    server_open(&server);
    close(server.fd);
    probe_init(&probe, &check, &server.endpoint, false, 500 * MS);
    if (!probe_start(&probe, 0, &outcome)) {
        await(&probe);
        cr_assert(probe_read(&probe, 0, &outcome));
    }
    cr_assert_eq(outcome.observation, HEALTH_FAIL);
    cr_assert_str_eq(outcome.evidence, "nobody listens (port unreachable)");
}

Test(probe, a_vip_that_is_not_here_fails)
{
    const struct dns_check check = check_make();
    struct probe probe;
    struct probe_outcome outcome;
    struct endpoint server = {.port = 53};

    address_parse("192.0.2.53", &server.address);
    probe_init(&probe, &check, &server, true, 500 * MS);
    cr_assert(probe_start(&probe, 0, &outcome));
    cr_assert_eq(outcome.observation, HEALTH_FAIL);
    /* without any route the kernel says so first */
    cr_assert(strstr(outcome.evidence, "192.0.2.53 is not an address of this host") ||
                  strstr(outcome.evidence, "unreachable"),
              "%s", outcome.evidence);
}

Test(probe, no_descriptors_left_is_unknown)
{
    const struct dns_check check = check_make();
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    struct rlimit before;
    struct server server;
    struct probe probe;
    struct probe_outcome outcome;
    bool concluded;

    server_open(&server);
    probe_init(&probe, &check, &server.endpoint, false, 500 * MS);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){none.rlim_cur, before.rlim_max}), 0);
    concluded = probe_start(&probe, 0, &outcome);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert(concluded);
    cr_assert_eq(outcome.observation, HEALTH_UNKNOWN);
    cr_assert(strstr(outcome.evidence, "opening a socket"), "%s", outcome.evidence);
    close(server.fd);
}

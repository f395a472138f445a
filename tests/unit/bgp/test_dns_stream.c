/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Probes of dns checks over TCP, against a listener of our own on loopback.
 */
#include "bgp/probe/dns_stream.h"

#include <criterion/criterion.h>
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

struct play {
    struct probe_dns_settings settings;
    struct config_check check;
    struct probe probe;
    struct probe_outcome outcome;
    int listener, datagrams, connection;
    uint8_t query[2 + DNS_CHECK_QUERY_LEN];
    size_t query_len;
};

/* A listener, and a datagram socket on the same port. */
static void play_open(struct play *play, bool tcp)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    memset(play, 0, sizeof(*play));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    play->connection = -1;
    do { /* until both are free */
        address.sin_port = 0;
        play->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(play->listener, (struct sockaddr *)&address, sizeof(address)), 0);
        cr_assert_eq(listen(play->listener, 4), 0);
        cr_assert_eq(getsockname(play->listener, (struct sockaddr *)&address, &len), 0);
        play->datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    } while (bind(play->datagrams, (struct sockaddr *)&address, sizeof(address)) < 0 &&
             close(play->datagrams) == 0 && close(play->listener) == 0);
    play->settings.check.qtype = 1;
    dns_check_parse_name("a.example.", play->settings.check.qname);
    play->settings.tcp = tcp;
    play->settings.tries = 3;
    play->check = (struct config_check){
        .name = "a", .type = &probe_dns, .settings = &play->settings, .timeout_ns = 600 * MS};
    address_parse("127.0.0.1", &play->check.server.address);
    play->check.server.port = ntohs(address.sin_port);
    play->check.server_is_vip = true;
    cr_assert_eq(probe_init(&play->probe, &play->check, epoll_create1(EPOLL_CLOEXEC), TAG), 0);
}

static void play_close(struct play *play)
{
    probe_done(&play->probe);
    close(play->probe.epoll_fd);
    close(play->listener);
    close(play->datagrams);
    close(play->connection);
}

/* Hands over events until there is an outcome or none comes for so long. */
static bool ready(struct play *play, int wait_ms)
{
    struct epoll_event event;

    while (epoll_wait(play->probe.epoll_fd, &event, 1, wait_ms) == 1) {
        if (probe_ready(&play->probe, (int)(event.data.u64 - TAG), event.events, MS,
                        &play->outcome)) {
            return true;
        }
    }
    return false;
}

static void query_take(struct play *play)
{
    ssize_t len;

    cr_assert_not(ready(play, 50));
    play->connection = accept(play->listener, NULL, NULL);
    cr_assert_geq(play->connection, 0);
    len = recv(play->connection, play->query, sizeof(play->query), 0);
    cr_assert_gt(len, 14);
    cr_assert_eq(len, 2 + (play->query[0] << 8 | play->query[1]));
    play->query_len = (size_t)len - 2;
}

static void put(struct play *play, const void *bytes, size_t len)
{
    cr_assert_eq(send(play->connection, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* The answer 192.0.2.1 with its two octets of length. */
static size_t answer_make(const struct play *play, uint8_t answer[static 600])
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1};
    const size_t question_end = 2 + 12 + 15;

    memcpy(answer, play->query, question_end);
    answer[4] |= 0x80;
    answer[9] = 1;  /* ANCOUNT */
    answer[13] = 0; /* no OPT */
    memcpy(answer + question_end, record, sizeof(record));
    answer[0] = 0;
    answer[1] = (uint8_t)(question_end - 2 + sizeof(record));
    return question_end + sizeof(record);
}

static void expect(struct play *play, enum probe_cause cause, const char *evidence)
{
    cr_assert(ready(play, 10000));
    cr_assert_eq(play->outcome.cause, cause, "%s", play->outcome.evidence);
    cr_assert(strstr(play->outcome.evidence, evidence), "%s", play->outcome.evidence);
    cr_assert_not(play->probe.in_flight);
}

Test(dns_stream, an_answer_in_pieces)
{
    uint8_t answer[600];
    struct play play;
    size_t len;

    play_open(&play, true);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    query_take(&play);
    len = answer_make(&play, answer);
    for (size_t i = 0; i < len - 1; i++) {
        put(&play, answer + i, 1);
        cr_assert_not(ready(&play, 0));
    }
    put(&play, answer + len - 1, 1);
    expect(&play, PROBE_CAUSE_NONE, "192.0.2.1");
    play_close(&play);
}

Test(dns_stream, hostile_lengths_and_ends)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *evidence;
    } rows[] = {
        {"\0\0", 2, "an answer of 0 bytes"},
        {"\0\13", 2, "an answer of 11 bytes"},
        {"\377\377", 2, "an answer of 65535 bytes, more than 16384"},
        {"\0\14abcdefghijkl", 14, "an answer to another query"},
        {"", 0, "closed after 0 of 2 bytes"},
        {"\0", 1, "closed after 1 of 2 bytes"},
        {"\0\14abc", 5, "closed after 5 of 14 bytes"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;

        play_open(&play, true);
        cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
        query_take(&play);
        put(&play, rows[i].bytes, rows[i].len);
        shutdown(play.connection, SHUT_WR);
        expect(&play, PROBE_CAUSE_WRONG, rows[i].evidence);
        play_close(&play);
    }
}

Test(dns_stream, nobody_listens)
{
    struct play play;

    play_open(&play, true);
    close(play.listener);
    if (!probe_start(&play.probe, 0, &play.outcome)) {
        cr_assert(ready(&play, 10000));
    }
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert_str_eq(play.outcome.evidence, "nobody listens (refused)");
    play.listener = -1;
    play_close(&play);
}

Test(dns_stream, accepted_and_then_silent)
{
    struct play play;

    play_open(&play, true);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    query_take(&play);
    cr_assert(probe_run(&play.probe, 600 * MS, &play.outcome));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_SILENT);
    cr_assert_str_eq(play.outcome.evidence, "no answer in 600 ms");
    play_close(&play);
}

Test(dns_stream, no_descriptor_is_unknown)
{
    struct rlimit before;
    struct play play;
    bool concluded;

    play_open(&play, true);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max}), 0);
    concluded = probe_start(&play.probe, 0, &play.outcome);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert(concluded);
    cr_assert_eq(play.outcome.observation, HEALTH_UNKNOWN);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_INTERNAL);
    play_close(&play);
}

Test(dns_stream, a_vip_that_is_not_here)
{
    struct play play;

    play_open(&play, true);
    address_parse("192.0.2.53", &play.check.server.address);
    cr_assert(probe_start(&play.probe, 0, &play.outcome));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert(strstr(play.outcome.evidence, "not an address of this host") ||
                  strstr(play.outcome.evidence, "unreachable"),
              "%s", play.outcome.evidence);
    play_close(&play);
}

Test(dns_stream, a_truncated_datagram_is_asked_for_again_over_tcp)
{
    struct sockaddr_in client;
    socklen_t client_len = sizeof(client);
    uint8_t bytes[600];
    struct play play;
    ssize_t len;

    play_open(&play, false);
    cr_assert_not(probe_start(&play.probe, 0, &play.outcome));
    len =
        recvfrom(play.datagrams, bytes, sizeof(bytes), 0, (struct sockaddr *)&client, &client_len);
    cr_assert_gt(len, 12);
    bytes[2] |= 0x82; /* QR TC */
    cr_assert_eq(
        sendto(play.datagrams, bytes, (size_t)len, 0, (struct sockaddr *)&client, client_len), len);
    query_take(&play);
    cr_assert_eq(probe_deadline_ns(&play.probe), 600 * MS, "no more datagrams");
    put(&play, bytes, answer_make(&play, bytes));
    expect(&play, PROBE_CAUSE_NONE, "192.0.2.1");
    play_close(&play);
}

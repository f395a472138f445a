/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "edge/serve/socket.h"
#include "edge/serve/tcp.h"

/* One worker's TCP without its worker: a listener, a client, a clock that is set. What is asked is
 * no DNS unless the query says otherwise, so no snapshot is needed. */
struct lab {
    int epoll_fd;
    int listener;
    struct sockaddr_in at;
    struct tcp_clients clients;
    struct tcp_limits limits;
    struct tcp *tcp;
    struct counters counters;
    struct serve_context context;
};

static struct lab *lab_new(void)
{
    static struct lab lab;
    socklen_t len = sizeof(lab.at);

    memset(&lab, 0, sizeof(lab));
    lab.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lab.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    lab.at.sin_family = AF_INET;
    lab.at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(bind(lab.listener, (struct sockaddr *)&lab.at, sizeof(lab.at)), 0);
    cr_assert_eq(listen(lab.listener, 16), 0);
    cr_assert_eq(getsockname(lab.listener, (struct sockaddr *)&lab.at, &len), 0);
    lab.clients.limit = 10;
    lab.limits = (struct tcp_limits){.connection_max = 10, .idle_ns = 1000, .query_ns = 500};
    lab.tcp = tcp_new(lab.epoll_fd, &lab.limits, &lab.clients);
    lab.context.counters = &lab.counters;
    lab.context.scratch = answer_scratch_new();
    return &lab;
}

static int lab_connect(struct lab *lab, int64_t now_ns)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(connect(fd, (struct sockaddr *)&lab->at, sizeof(lab->at)), 0);
    tcp_accept(lab->tcp, lab->listener, &lab->context, now_ns);
    return fd;
}

static void lab_round(struct lab *lab, int64_t now_ns)
{
    struct epoll_event events[16];
    int n = epoll_wait(lab->epoll_fd, events, 16, 100);

    for (int i = 0; i < n; i++) {
        tcp_event(lab->tcp, events[i].data.ptr, events[i].events, &lab->context, now_ns);
    }
}

static uint64_t count(const struct lab *lab, enum counter_plain plain)
{
    return counter_read(&lab->counters.plain[plain]);
}

static void lab_free(struct lab *lab)
{
    tcp_free(lab->tcp, &lab->counters);
    answer_scratch_free(lab->context.scratch);
    close(lab->epoll_fd);
    close(lab->listener);
}

/* Whether the server has closed: a reset, or the end of what it says. */
static bool is_over(int client)
{
    char byte;

    return recv(client, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN);
}

Test(tcp, connections_may_be_given_away_and_taken_over)
{
    struct lab *lab = lab_new();
    struct tcp *before = lab->tcp;
    struct tcp *next = tcp_new(lab->epoll_fd, &lab->limits, &lab->clients);
    int client = lab_connect(lab, 7);
    int writing = lab_connect(lab, 8);
    struct tcp_passed passed;

    cr_assert_eq(send(writing, "\0", 1, 0), 1);
    lab_round(lab, 9);
    cr_assert(tcp_give(lab->tcp, &passed));
    cr_expect_eq(passed.opened_ns, 7);
    cr_expect_eq(passed.since_ns, 7);
    cr_expect_eq(passed.client.family, ADDRESS_IPV4);
    cr_expect_eq(tcp_adopt(next, &passed), 0);
    cr_assert(tcp_give(lab->tcp, &passed), "the other one is within a query");
    cr_expect_eq(passed.since_ns, 9);
    cr_expect_eq(passed.stream.held.len, 1);
    cr_expect_eq(tcp_adopt(next, &passed), 0);
    cr_expect(!tcp_give(lab->tcp, &passed));
    cr_expect_eq(tcp_tidy(lab->tcp, &lab->context, 9), -1);
    cr_expect_eq(tcp_tidy(next, &lab->context, 9), 500, "within a query since now");
    lab->tcp = next; /* whose events they are now */
    cr_assert_eq(send(client, "\0\0", 2, 0), 2);
    lab_round(lab, 10);
    cr_expect_eq(count(lab, COUNTER_TCP_BAD), 1);
    cr_expect(is_over(client));
    tcp_free(before, &lab->counters);
    close(client);
    close(writing);
    lab_free(lab);
}

Test(tcp, what_is_taken_over_counts_for_its_client)
{
    struct lab *lab = lab_new();
    int client = lab_connect(lab, 0);
    struct tcp_passed passed;

    cr_assert(tcp_give(lab->tcp, &passed));
    lab->clients.limit = 0;
    cr_expect_eq(tcp_adopt(lab->tcp, &passed), -EUSERS);
    cr_expect(is_over(client));
    close(client);
    lab_free(lab);
}

Test(tcp, times_are_kept)
{
    struct lab *lab = lab_new();
    int idle = lab_connect(lab, 0);
    int slow = lab_connect(lab, 0);
    int late = lab_connect(lab, 0);

    cr_assert_eq(send(slow, "\0", 1, 0), 1);
    lab_round(lab, 100);
    cr_expect_eq(tcp_tidy(lab->tcp, &lab->context, 599), 1);
    cr_expect_eq(tcp_tidy(lab->tcp, &lab->context, 600), 400);
    cr_expect_eq(count(lab, COUNTER_TCP_SLOW), 1);
    cr_expect(is_over(slow));
    cr_assert_eq(send(late, "\0", 1, 0), 1); /* on its way when the time is up: it is looked at */
    cr_expect_eq(tcp_tidy(lab->tcp, &lab->context, 1000), 500);
    cr_expect_eq(count(lab, COUNTER_TCP_IDLE), 1);
    cr_expect(is_over(idle));
    cr_expect(!is_over(late));
    close(idle);
    close(slow);
    close(late);
    lab_free(lab);
}

Test(tcp, we_say_that_no_more_comes_and_wait_for_the_client)
{
    struct lab *lab = lab_new();
    int client = lab_connect(lab, 0);

    cr_assert_eq(send(client, "\0\0more of it", 12, 0), 12);
    lab_round(lab, 0);
    cr_expect_eq(count(lab, COUNTER_TCP_BAD), 1);
    cr_expect_eq(count(lab, COUNTER_TCP_CLOSED), 0);
    cr_expect(is_over(client));
    cr_assert_eq(send(client, "and more", 8, 0), 8);
    lab_round(lab, 0);
    cr_assert_eq(send(client, "and more", 8, MSG_NOSIGNAL), 8, "no reset has come");
    close(client);
    lab_round(lab, 0);
    lab_round(lab, 0);
    cr_expect_eq(count(lab, COUNTER_TCP_CLOSED), 1);
    cr_expect_eq(count(lab, COUNTER_TCP_BAD), 1);
    lab_free(lab);
}

Test(tcp, whoever_closes_is_counted_apart_from_whoever_breaks)
{
    struct lab *lab = lab_new();
    const struct linger abrupt = {1, 0};
    int closes = lab_connect(lab, 0);
    int breaks = lab_connect(lab, 0);

    cr_assert_eq(setsockopt(breaks, SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt)), 0);
    close(closes);
    close(breaks);
    lab_round(lab, 0);
    lab_round(lab, 0);
    cr_expect_eq(count(lab, COUNTER_TCP_PEER), 1);
    cr_expect_eq(count(lab, COUNTER_TCP_ERRORS), 1);
    cr_expect_eq(count(lab, COUNTER_TCP_CLOSED), 2);
    cr_expect_eq(tcp_tidy(lab->tcp, &lab->context, 0), -1);
    lab_free(lab);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

Test(tcp, what_a_listener_sets_its_connections_have)
{
    const struct socket_tcp_options options = {.backlog = 5, .fastopen = false};
    struct endpoint endpoint = {0};
    struct sockaddr_storage at;
    socklen_t at_len = sizeof(at);
    struct failure failure;
    int listener = -1, client, accepted;

    cr_assert_eq(address_parse("127.0.0.1", &endpoint.address), 0);
    cr_assert_eq(socket_open_tcp(&endpoint, &options, &listener, &failure), 0, "%s", failure.text);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &at_len), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&at, at_len), 0);
    accepted = accept(listener, NULL, NULL);
    cr_assert_geq(accepted, 0);
    cr_expect_eq(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    cr_expect_eq(option_of(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
    cr_expect_leq(option_of(accepted, SOL_SOCKET, SO_SNDBUF), 256 << 10);
    cr_expect_leq(option_of(accepted, SOL_SOCKET, SO_RCVBUF), 256 << 10);
    close(client);
    close(accepted);
    close(listener);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/inheritance.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Every counter another value, so that two that share a name are found out. */
Test(inheritance, every_counter_passes_under_a_name_of_its_own)
{
    struct counters_sum from;
    struct counters_sum to = {0};
    uint64_t *values = (uint64_t *)&from;
    json_t *text;

    for (size_t i = 0; i < sizeof(from) / sizeof(values[0]); i++) {
        values[i] = i + 1;
    }
    text = inheritance_write_counters(&from);
    cr_expect_eq(json_object_size(text), sizeof(from) / sizeof(values[0]));
    inheritance_read_counters(text, &to);
    cr_expect_arr_eq(&from, &to, sizeof(from));
    inheritance_read_counters(text, &to);
    cr_expect_eq(to.plain[0], 2 * from.plain[0], "they add up");
    json_decref(text);
}

Test(inheritance, what_is_not_known_or_wrong_counts_as_nothing)
{
    struct counters_sum sum = {0};
    json_t *text = json_pack("{s:i, s:s, s:i, s:i}", "of the future", 5, "query_bytes", "many",
                             "response_bytes", -4, "truncated", 7);

    inheritance_read_counters(text, &sum);
    inheritance_read_counters(NULL, &sum);
    cr_expect_eq(sum.plain[COUNTER_TRUNCATED], 7);
    sum.plain[COUNTER_TRUNCATED] = 0;
    cr_expect_arr_eq(&sum, &(struct counters_sum){0}, sizeof(sum));
    json_decref(text);
}

static void connect_pair(int ret_fds[static 2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    ret_fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(ret_fds[0], (struct sockaddr *)&address, len), 0);
    ret_fds[1] = accept(listener, NULL, NULL);
    close(listener);
}

Test(inheritance, a_connection_passes_with_its_bytes)
{
    uint8_t held[] = {0, 5, 1};
    uint8_t pending[] = {9, 9, 7, 7};
    struct tcp_passed from = {
        .opened_ns = 100,
        .since_ns = 400,
        .finished = true,
        .stream = {.held = {held, 0, 3}, .pending = {pending, 2, 4}, .query_n = 12, .bad = true}};
    struct tcp_passed to;
    size_t worker;
    int fds[2];
    json_t *text = inheritance_write_connection(&from, 3, 1000);

    connect_pair(fds);
    cr_assert_eq(inheritance_read_connection(text, fds[1], 5000, &to, &worker), 0);
    cr_expect_eq(worker, 3);
    cr_expect_eq(to.fd, fds[1]);
    cr_expect_eq(to.client.family, ADDRESS_IPV4);
    cr_expect_eq(to.opened_ns, 4100, "as old as it was, by our clock");
    cr_expect_eq(to.since_ns, 4400);
    cr_expect(to.finished && !to.ending && to.stream.bad);
    cr_expect_eq(to.stream.query_n, 12);
    cr_expect(to.stream.held.len == 3 && memcmp(to.stream.held.bytes, held, 3) == 0);
    cr_expect(to.stream.pending.len == 2 && memcmp(to.stream.pending.bytes, "\7\7", 2) == 0);
    tcp_passed_done(&to);
    json_object_set_new(text, "held", json_string("xyz"));
    cr_expect_eq(inheritance_read_connection(text, fds[1], 5000, &to, &worker), -EINVAL);
    close(fds[0]);
    close(fds[1]);
    cr_expect_eq(inheritance_read_connection(text, -1, 5000, &to, &worker), -ENOTCONN);
    cr_expect_eq(inheritance_read_connection(text, STDIN_FILENO, 5000, &to, &worker), -ENOTCONN);
    json_decref(text);
}

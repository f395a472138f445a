/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "edge/serve/tcp_table.h"

static const int64_t limits[TCP_PHASES] = {
    [TCP_IDLE] = 100, [TCP_WITHIN] = 50, [TCP_BLOCKED] = 100, [TCP_ENDING] = 20};

static struct tcp_table *table_new(void)
{
    struct tcp_table *table = calloc(1, sizeof(*table));

    tcp_table_init(table, limits);
    return table;
}

static struct tcp_connection *add(struct tcp_table *table, uint32_t place, int64_t since_ns)
{
    struct tcp_connection *connection = calloc(1, sizeof(*connection));

    connection->place = place;
    connection->since_ns = since_ns;
    tcp_table_add(table, connection);
    return connection;
}

static void table_free(struct tcp_table *table)
{
    struct tcp_connection *connection;

    while ((connection = tcp_table_victim(table))) {
        tcp_table_remove(table, connection);
    }
    cr_expect_eq(table->n, 0);
    tcp_table_sweep(table);
    free(table);
}

Test(tcp_table, each_phase_has_its_time)
{
    struct tcp_table *table = table_new();
    struct tcp_connection *a = add(table, 1, 0);
    struct tcp_connection *b = add(table, 1, 10);

    cr_expect_eq(tcp_table_wait(table, 10), 90);
    cr_expect_null(tcp_table_expired(table, 99));
    cr_expect_eq(tcp_table_expired(table, 100), a);
    cr_expect_eq(tcp_table_wait(table, 500), 0);
    tcp_table_move(table, b, TCP_WITHIN, 20);
    cr_expect_eq(tcp_table_wait(table, 20), 50);
    cr_expect_eq(tcp_table_expired(table, 70), b);
    tcp_table_move(table, b, TCP_ENDING, 60);
    cr_expect_null(tcp_table_expired(table, 79));
    cr_expect_eq(tcp_table_expired(table, 80), b);
    tcp_table_move(table, a, TCP_BLOCKED, 80);
    tcp_table_move(table, b, TCP_IDLE, 80);
    cr_expect_eq(tcp_table_wait(table, 80), 100);
    table_free(table);
}

Test(tcp_table, an_empty_one_waits_for_nothing)
{
    struct tcp_table *table = table_new();

    cr_expect_eq(tcp_table_wait(table, 5), -1);
    cr_expect_null(tcp_table_expired(table, INT64_MAX));
    cr_expect_null(tcp_table_victim(table));
    table_free(table);
}

Test(tcp_table, who_has_most_gives_the_one_it_used_least)
{
    struct tcp_table *table = table_new();
    struct tcp_connection *quiet = add(table, 7, 0); /* the least active of all, but its only one */
    struct tcp_connection *first = add(table, 9, 1);
    struct tcp_connection *second = add(table, 9, 2);

    cr_expect_eq(tcp_table_victim(table), first);
    tcp_table_move(table, first, TCP_WITHIN, 5);
    cr_expect_eq(tcp_table_victim(table), first, "half a query is no activity");
    tcp_table_move(table, first, TCP_IDLE, 6);
    tcp_table_touch(table, first);
    cr_expect_eq(tcp_table_victim(table), second);
    tcp_table_remove(table, second);
    cr_expect_eq(tcp_table_victim(table), quiet, "all have one: the least recently active");
    table_free(table);
}

Test(tcp_table, among_those_who_have_as_many_the_least_active_goes)
{
    struct tcp_table *table = table_new();
    struct tcp_connection *fresh = add(table, 3, 10);
    struct tcp_connection *stale;

    add(table, 3, 11);
    stale = add(table, 4000, 5);
    add(table, 4000, 12);
    cr_expect_eq(tcp_table_victim(table), stale);
    tcp_table_move(table, stale, TCP_IDLE, 13);
    tcp_table_touch(table, stale);
    cr_expect_eq(tcp_table_victim(table), fresh);
    table_free(table);
}

Test(tcp_table, one_that_was_idle_before_it_came_expires_in_its_turn)
{
    struct tcp_table *table = table_new();
    struct tcp_connection *late = add(table, 1, 50);
    struct tcp_connection *early = add(table, 2, 10);
    struct tcp_connection *between = add(table, 3, 20);

    cr_expect_eq(tcp_table_expired(table, 110), early);
    tcp_table_remove(table, early);
    cr_expect_eq(tcp_table_expired(table, 120), between);
    tcp_table_remove(table, between);
    cr_expect_eq(tcp_table_expired(table, 150), late);
    table_free(table);
}

Test(tcp_table, clients_are_addresses_and_sites)
{
    static struct tcp_clients clients = {.seed = 42, .limit = 2};
    struct address one, same_site, other_site, four, other_four;
    uint32_t place;

    cr_assert_eq(address_parse("2001:db8:0:1::1", &one), 0);
    cr_assert_eq(address_parse("2001:db8:0:ff:2::", &same_site), 0);
    cr_assert_eq(address_parse("2001:db8:0:100::1", &other_site), 0);
    cr_assert_eq(address_parse("192.0.2.1", &four), 0);
    cr_assert_eq(address_parse("192.0.2.2", &other_four), 0);
    place = tcp_clients_place(&clients, &one);
    cr_expect_eq(tcp_clients_place(&clients, &same_site), place);
    cr_expect_neq(tcp_clients_place(&clients, &other_site), place);
    cr_expect_neq(tcp_clients_place(&clients, &four), tcp_clients_place(&clients, &other_four));
    clients.seed = 43;
    cr_expect_neq(tcp_clients_place(&clients, &one), place, "nobody can compute whom he meets");
    cr_expect(tcp_clients_enter(&clients, place));
    cr_expect(tcp_clients_enter(&clients, place));
    cr_expect(!tcp_clients_enter(&clients, place));
    tcp_clients_leave(&clients, place);
    cr_expect(tcp_clients_enter(&clients, place));
}

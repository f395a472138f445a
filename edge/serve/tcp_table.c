/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/tcp_table.h"

#include <stdlib.h>
#include <string.h>

void tcp_table_init(struct tcp_table *table, const int64_t limit_ns[static TCP_PHASES])
{
    table->n = 0;
    memset(table->place_n, 0, sizeof(table->place_n));
    for (unsigned i = 0; i < TCP_PHASES; i++) {
        table->limit_ns[i] = limit_ns[i];
        TAILQ_INIT(&table->phases[i]);
    }
    for (unsigned i = 0; i < TCP_CLIENT_PLACES; i++) {
        TAILQ_INIT(&table->places[i]);
    }
    TAILQ_INIT(&table->closed);
}

void tcp_table_add(struct tcp_table *table, struct tcp_connection *connection)
{
    struct tcp_list *list = &table->phases[connection->phase];
    struct tcp_connection *before = TAILQ_LAST(list, tcp_list);

    /* one that is taken over may have been in it for longer than the last */
    while (before && before->since_ns > connection->since_ns) {
        before = TAILQ_PREV(before, tcp_list, by_phase);
    }
    if (before) {
        TAILQ_INSERT_AFTER(list, before, connection, by_phase);
    } else {
        TAILQ_INSERT_HEAD(list, connection, by_phase);
    }
    TAILQ_INSERT_TAIL(&table->places[connection->place], connection, by_place);
    table->place_n[connection->place]++;
    table->n++;
}

void tcp_table_move(struct tcp_table *table, struct tcp_connection *connection,
                    enum tcp_phase phase, int64_t now_ns)
{
    TAILQ_REMOVE(&table->phases[connection->phase], connection, by_phase);
    connection->phase = phase;
    connection->since_ns = now_ns;
    TAILQ_INSERT_TAIL(&table->phases[phase], connection, by_phase);
}

void tcp_table_touch(struct tcp_table *table, struct tcp_connection *connection)
{
    struct tcp_list *place = &table->places[connection->place];

    if (TAILQ_NEXT(connection, by_place)) {
        TAILQ_REMOVE(place, connection, by_place);
        TAILQ_INSERT_TAIL(place, connection, by_place);
    }
}

void tcp_table_remove(struct tcp_table *table, struct tcp_connection *connection)
{
    TAILQ_REMOVE(&table->phases[connection->phase], connection, by_phase);
    TAILQ_REMOVE(&table->places[connection->place], connection, by_place);
    TAILQ_INSERT_TAIL(&table->closed, connection, by_phase);
    table->place_n[connection->place]--;
    table->n--;
}

void tcp_table_sweep(struct tcp_table *table)
{
    struct tcp_connection *connection;

    while ((connection = TAILQ_FIRST(&table->closed))) {
        TAILQ_REMOVE(&table->closed, connection, by_phase);
        free(connection);
    }
}

struct tcp_connection *tcp_table_expired(const struct tcp_table *table, int64_t now_ns)
{
    for (unsigned i = 0; i < TCP_PHASES; i++) {
        struct tcp_connection *first = TAILQ_FIRST(&table->phases[i]);

        if (first && now_ns - first->since_ns >= table->limit_ns[i]) {
            return first;
        }
    }
    return NULL;
}

int64_t tcp_table_wait(const struct tcp_table *table, int64_t now_ns)
{
    int64_t wait_ns = -1;

    for (unsigned i = 0; i < TCP_PHASES; i++) {
        const struct tcp_connection *first = TAILQ_FIRST(&table->phases[i]);

        if (first) {
            int64_t left_ns = first->since_ns + table->limit_ns[i] - now_ns;

            left_ns = left_ns > 0 ? left_ns : 0;
            wait_ns = wait_ns < 0 || left_ns < wait_ns ? left_ns : wait_ns;
        }
    }
    return wait_ns;
}

static struct tcp_connection *tcp_table_oldest(const struct tcp_table *table)
{
    struct tcp_connection *oldest = NULL;

    for (unsigned i = 0; i < TCP_PHASES; i++) {
        struct tcp_connection *first = TAILQ_FIRST(&table->phases[i]);

        if (first && (!oldest || first->since_ns < oldest->since_ns)) {
            oldest = first;
        }
    }
    return oldest;
}

struct tcp_connection *tcp_table_victim(const struct tcp_table *table)
{
    uint32_t most = 0;
    struct tcp_connection *victim = NULL;

    /* 16 KiB in a row: about a microsecond, and only when an accept finds no room */
    for (unsigned i = 0; i < TCP_CLIENT_PLACES; i++) {
        most = table->place_n[i] > most ? table->place_n[i] : most;
    }
    if (most <= 1) {
        return tcp_table_oldest(table);
    }
    for (unsigned i = 0; i < TCP_CLIENT_PLACES; i++) {
        if (table->place_n[i] == most) {
            struct tcp_connection *first = TAILQ_FIRST(&table->places[i]);

            victim = victim && victim->since_ns <= first->since_ns ? victim : first;
        }
    }
    return victim;
}

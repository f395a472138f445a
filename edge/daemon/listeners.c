/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

static bool listeners_same(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && address_compare(&a->address, &b->address) == 0;
}

static bool listeners_alike(const struct listener *a, const struct listener *b)
{
    return a->tcp == b->tcp && listeners_same(&a->endpoint, &b->endpoint);
}

/* Backwards, since those that are alike mostly come in a row. */
static unsigned listeners_place(const struct listeners *listeners, const struct listener *listener)
{
    for (size_t i = listeners->n; i > 0; i--) {
        if (listeners_alike(&listeners->items[i - 1], listener)) {
            return listeners->items[i - 1].place + 1;
        }
    }
    return 0;
}

/* Takes a copy; NULL when out of memory. */
static struct listener *listeners_add(struct listeners *listeners, const struct listener *listener)
{
    struct listener *added;

    if (listeners->n == listeners->size) {
        size_t size = listeners->size ? listeners->size * 2 : 16;
        struct listener *grown = realloc(listeners->items, size * sizeof(*grown));

        if (!grown) {
            return NULL;
        }
        listeners->items = grown;
        listeners->size = size;
    }
    added = &listeners->items[listeners->n];
    *added = *listener;
    added->place = listeners_place(listeners, listener);
    listeners->n++;
    return added;
}

/* "udp-192.0.2.1@53-0": no colon, which separates names in LISTEN_FDNAMES. */
static void listeners_format(const struct listener *listener, unsigned place,
                             char ret_name[static LISTENERS_NAME_SIZE])
{
    char text[ADDRESS_TEXT_LEN];

    snprintf(ret_name, LISTENERS_NAME_SIZE, "%s-%s-%u", listener->tcp ? "tcp" : "udp",
             endpoint_format(&listener->endpoint, text), place);
    for (char *at = ret_name; *at; at++) {
        if (*at == ':') {
            *at = '.';
        }
    }
}

static bool listeners_has_name(const struct listeners *listeners, const char *name)
{
    for (size_t i = 0; i < listeners->n; i++) {
        if (strcmp(listeners->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void listeners_name(const struct listeners *listeners, struct listener *listener)
{
    char name[LISTENERS_NAME_SIZE];
    unsigned place = listener->place;

    do {
        listeners_format(listener, place++, name);
    } while (listeners_has_name(listeners, name));
    memcpy(listener->name, name, sizeof(name));
}

int listeners_adopt(struct listeners *listeners, int fd, const char *name, struct failure *failure)
{
    struct listener found = {.fd = fd, .adopted = true};
    struct listener *listener;
    bool named;
    int code = socket_adopt(fd, &listeners->tcp, &found.tcp, &found.endpoint, failure);

    if (code < 0) {
        fd_close(&fd);
        return code;
    }
    named = name && *name && strlen(name) < sizeof(listener->name) &&
            !listeners_has_name(listeners, name);
    listener = listeners_add(listeners, &found);
    if (!listener) {
        fd_close(&fd);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    if (named) {
        memcpy(listener->name, name, strlen(name) + 1);
    } else {
        listeners_name(listeners, listener);
    }
    return 0;
}

static size_t listeners_count(const struct listeners *listeners, const struct endpoint *endpoint,
                              bool tcp)
{
    size_t n = 0;

    for (size_t i = 0; i < listeners->n; i++) {
        n += listeners->items[i].tcp == tcp &&
             listeners_same(&listeners->items[i].endpoint, endpoint);
    }
    return n;
}

static int listeners_open(struct listeners *listeners, const struct endpoint *endpoint, bool tcp,
                          struct failure *failure)
{
    struct listener fresh = {.fd = -1, .tcp = tcp, .endpoint = *endpoint};
    int code = tcp ? socket_open_tcp(endpoint, &listeners->tcp, &fresh.fd, failure)
                   : socket_open_udp(endpoint, &fresh.fd, failure);
    struct listener *listener = code < 0 ? NULL : listeners_add(listeners, &fresh);

    if (code == 0 && !listener) {
        fd_close(&fresh.fd);
        code = failure_set(failure, -ENOMEM, "out of memory");
    }
    if (code == 0) {
        listeners_name(listeners, listener);
    }
    return code;
}

/* An address without a socket of this kind: it must be free, and then gets one per worker. */
static int listeners_open_all(struct listeners *listeners, const struct endpoint *endpoint,
                              bool tcp, unsigned worker_n, struct failure *failure)
{
    int code = tcp ? 0 : socket_probe(endpoint, failure);

    for (unsigned k = 0; k < worker_n && code == 0; k++) {
        code = listeners_open(listeners, endpoint, tcp, failure);
    }
    return code;
}

int listeners_plan(struct listeners *listeners, const struct endpoint *listen, size_t listen_n,
                   unsigned worker_n, struct failure *failure)
{
    for (size_t i = 0; i < listeners->n; i++) {
        bool wanted = false;

        for (size_t k = 0; k < listen_n; k++) {
            wanted |= listeners_same(&listeners->items[i].endpoint, &listen[k]);
        }
        listeners->items[i].leaving = !wanted;
    }
    for (size_t k = 0; k < 2 * listen_n; k++) {
        const struct endpoint *endpoint = &listen[k / 2];
        bool tcp = k % 2;

        if (listeners_count(listeners, endpoint, tcp) == 0) {
            int code = listeners_open_all(listeners, endpoint, tcp, worker_n, failure);

            if (code < 0) {
                return code;
            }
        }
    }
    return 0;
}

size_t listeners_fill(struct listeners *listeners, unsigned worker_n)
{
    size_t n = listeners->n;
    size_t missing = 0;

    for (size_t i = 0; i < n; i++) {
        struct listener first = listeners->items[i];

        if (first.place > 0 || first.leaving) {
            continue;
        }
        for (size_t k = listeners_count(listeners, &first.endpoint, first.tcp); k < worker_n; k++) {
            if (listeners_open(listeners, &first.endpoint, first.tcp, NULL) < 0) {
                missing += worker_n - k;
                break;
            }
        }
    }
    /* those of one kind and address go round the workers */
    for (size_t i = 0; i < listeners->n && worker_n > 0; i++) {
        listeners->items[i].worker = listeners->items[i].place % worker_n;
    }
    return missing;
}

struct worker_listener *listeners_of(const struct listeners *listeners, unsigned index,
                                     size_t *ret_n)
{
    struct worker_listener *list = calloc(listeners->n + 1, sizeof(*list));
    size_t n = 0;

    for (size_t i = 0; list && i < listeners->n; i++) {
        const struct listener *listener = &listeners->items[i];

        if (listener->worker == index) {
            list[n++] = (struct worker_listener){listener->fd, listener->tcp,
                                                 socket_is_wildcard(&listener->endpoint),
                                                 listener->leaving};
        }
    }
    *ret_n = n;
    return list;
}

void listeners_settle(struct listeners *listeners)
{
    size_t kept = 0;

    for (size_t i = 0; i < listeners->n; i++) {
        if (!listeners->items[i].leaving) {
            listeners->items[kept++] = listeners->items[i];
        }
    }
    listeners->n = kept;
}

void listeners_done(struct listeners *listeners)
{
    free(listeners->items);
    *listeners = (struct listeners){0};
}

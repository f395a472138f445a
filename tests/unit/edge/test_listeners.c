/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/listeners.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two free ports of loopback. */
static void ports(struct endpoint ret_endpoints[static 2])
{
    int fds[2];

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(address);

        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        cr_assert_eq(bind(fds[i], (struct sockaddr *)&address, len), 0);
        cr_assert_eq(getsockname(fds[i], (struct sockaddr *)&address, &len), 0);
        cr_assert_eq(address_from_sockaddr((struct sockaddr *)&address, &ret_endpoints[i].address,
                                           &ret_endpoints[i].port),
                     0);
    }
    close(fds[0]);
    close(fds[1]);
}

static void close_all(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->n; i++) {
        close(listeners->items[i].fd);
    }
    listeners_done(listeners);
}

static size_t count_of(const struct listeners *listeners, unsigned worker)
{
    size_t n;

    free(listeners_of(listeners, worker, &n));
    return n;
}

/* `from`'s sockets under their names, as another process would get them. */
static void pass(const struct listeners *from, struct listeners *to)
{
    to->tcp = from->tcp;
    for (size_t i = 0; i < from->n; i++) {
        cr_assert_eq(listeners_adopt(to, dup(from->items[i].fd), from->items[i].name, NULL), 0);
    }
}

Test(listeners, each_worker_has_one_of_each_kind)
{
    struct listeners listeners = {.tcp = {.backlog = 10}};
    struct endpoint listen[2];
    struct failure failure;

    ports(listen);
    cr_assert_eq(listeners_plan(&listeners, listen, 2, 3, &failure), 0, "%s", failure.text);
    cr_expect_eq(listeners_fill(&listeners, 3), 0);
    cr_expect_eq(listeners.n, 12);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(count_of(&listeners, i), 4);
    }
    for (size_t i = 0; i < listeners.n; i++) {
        cr_expect_null(strchr(listeners.items[i].name, ':'));
        for (size_t k = 0; k < i; k++) {
            cr_expect_str_neq(listeners.items[i].name, listeners.items[k].name);
        }
    }
    close_all(&listeners);
}

Test(listeners, with_fewer_workers_no_socket_is_closed)
{
    struct listeners old = {.tcp = {.backlog = 10}};
    struct listeners fresh = {0};
    struct endpoint listen[2];
    struct failure failure;

    ports(listen);
    cr_assert_eq(listeners_plan(&old, listen, 1, 3, &failure), 0, "%s", failure.text);
    pass(&old, &fresh);
    cr_assert_eq(listeners_plan(&fresh, listen, 1, 2, &failure), 0, "%s", failure.text);
    cr_expect_eq(listeners_fill(&fresh, 2), 0);
    cr_expect_eq(fresh.n, 6);
    cr_expect_eq(count_of(&fresh, 0), 4);
    cr_expect_eq(count_of(&fresh, 1), 2);
    for (size_t i = 0; i < old.n; i++) {
        cr_expect_str_eq(fresh.items[i].name, old.items[i].name);
    }
    /* and back, with one more than ever */
    cr_assert_eq(listeners_plan(&fresh, listen, 1, 4, &failure), 0);
    cr_expect_eq(listeners_fill(&fresh, 4), 0);
    cr_expect_eq(fresh.n, 8);
    cr_expect_eq(count_of(&fresh, 3), 2);
    close_all(&fresh);
    close_all(&old);
}

Test(listeners, addresses_come_and_go)
{
    struct listeners old = {.tcp = {.backlog = 10}};
    struct listeners fresh = {0};
    struct endpoint listen[2];
    struct failure failure;

    ports(listen);
    cr_assert_eq(listeners_plan(&old, listen, 1, 2, &failure), 0, "%s", failure.text);
    pass(&old, &fresh);
    cr_assert_eq(listeners_plan(&fresh, listen + 1, 1, 2, &failure), 0, "%s", failure.text);
    cr_expect_eq(listeners_fill(&fresh, 2), 0);
    cr_expect_eq(fresh.n, 8);
    for (size_t i = 0; i < fresh.n; i++) {
        cr_expect_eq(fresh.items[i].leaving, i < 4);
    }
    listeners_settle(&fresh);
    cr_expect_eq(fresh.n, 4);
    cr_expect_eq(fresh.items[0].endpoint.port, listen[1].port);
    close_all(&fresh);
    close_all(&old);
}

Test(listeners, an_address_in_use_is_refused)
{
    struct listeners old = {.tcp = {.backlog = 10}};
    struct listeners fresh = {.tcp = {.backlog = 10}};
    struct endpoint listen[2];
    struct failure failure;

    ports(listen);
    cr_assert_eq(listeners_plan(&old, listen, 1, 1, &failure), 0, "%s", failure.text);
    cr_expect_eq(listeners_plan(&fresh, listen, 1, 1, &failure), -EADDRINUSE);
    cr_expect_eq(fresh.n, 0);
    close_all(&fresh);
    close_all(&old);
}

Test(listeners, what_is_no_socket_of_ours_is_refused)
{
    struct listeners listeners = {.tcp = {.backlog = 10}};
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    struct failure failure;
    int fd;

    cr_expect_eq(listeners_adopt(&listeners, dup(STDIN_FILENO), "x", &failure), -EINVAL);
    cr_expect_eq(listeners_adopt(&listeners, socket(AF_UNIX, SOCK_DGRAM, 0), NULL, &failure),
                 -EINVAL);
    cr_expect_eq(listeners_adopt(&listeners, socket(AF_INET, SOCK_DGRAM, 0), NULL, &failure),
                 -EINVAL, "bound to nothing");
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    cr_expect_eq(listeners_adopt(&listeners, fd, NULL, &failure), -EINVAL, "does not listen");
    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    cr_expect_eq(listeners_adopt(&listeners, fd, NULL, &failure), -EINVAL);
    cr_expect(strstr(failure.text, "BindIPv6Only"), "%s", failure.text);
    cr_expect_eq(listeners.n, 0);
    listeners_done(&listeners);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/metrics/server.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/metrics/page.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static int page(void *context, FILE *out)
{
    metrics_page_one(out, "test", "things", "gauge", "Things.", 3);
    return *(const int *)context;
}

static struct metrics_server *server_open(const char *address, const int *code,
                                          struct endpoint *ret_endpoint)
{
    struct metrics_server *server = NULL;
    struct failure failure = {{0}};
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);
    int fd = -1;

    cr_assert_eq(endpoint_parse(address, 0, ret_endpoint), 0);
    cr_assert_eq(metrics_server_listen(ret_endpoint, &fd, &failure), 0, "%s", failure.text);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    cr_assert_eq(address_from_sockaddr((struct sockaddr *)&bound, &ret_endpoint->address,
                                       &ret_endpoint->port),
                 0);
    cr_assert_eq(metrics_server_open(fd, page, (void *)code, &server, &failure), 0);
    cr_assert_eq(metrics_server_listener(server), fd);
    cr_assert_eq(metrics_server_resume(server, &failure), 0, "%s", failure.text);
    return server;
}

/* The whole answer, until the server closes. */
static void ask(const struct endpoint *endpoint, const char *request, char answer[4096])
{
    struct sockaddr_storage address;
    const socklen_t len = endpoint_to_sockaddr(endpoint, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t got = 0;
    ssize_t part;

    cr_assert_eq(connect(fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(fd_write_all(fd, request, strlen(request)), 0);
    while (got < 4095 && (part = read(fd, answer + got, 4095 - got)) > 0) {
        got += (size_t)part;
    }
    answer[got] = '\0';
    close(fd);
}

Test(metrics_server, answers)
{
    static const struct {
        const char *address, *request;
        int code;
        const char *status, *body;
    } rows[] = {
        {"127.0.0.1@0", "GET /metrics HTTP/1.0\r\n\r\n", 0, "200 OK", "\ntest_things 3\n"},
        {"[::1]@0", "GET /metrics HTTP/1.0\r\n\r\n", 0, "200 OK", "\ntest_things 3\n"},
        {"127.0.0.1@0", "GET /metrics HTTP/1.0\r\n\r\n", -1, "503 ", "not now"},
        {"127.0.0.1@0", "GET / HTTP/1.0\r\n\r\n", 0, "404 ", "GET /metrics"},
        {"127.0.0.1@0", "POST /metrics HTTP/1.0\r\n\r\n", 0, "405 ", "GET /metrics"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct endpoint endpoint;
        struct metrics_server *server = server_open(rows[i].address, &rows[i].code, &endpoint);
        char answer[4096];

        ask(&endpoint, rows[i].request, answer);
        cr_expect(strstr(answer, rows[i].status), "row %zu: %s", i, answer);
        cr_expect(strstr(answer, rows[i].body), "row %zu: %s", i, answer);
        cr_expect(!strstr(answer, rows[i].code ? "test_things" : "not now"), "row %zu", i);
        metrics_server_close(server);
    }
}

Test(metrics_server, an_address_that_is_taken)
{
    const int code = 0;
    struct endpoint endpoint;
    struct metrics_server *server = server_open("127.0.0.1@0", &code, &endpoint);
    struct failure failure = {{0}};
    int fd = -1;

    cr_expect_lt(metrics_server_listen(&endpoint, &fd, &failure), 0);
    cr_expect(strstr(failure.text, "127.0.0.1"), "%s", failure.text);
    cr_expect_eq(fd, -1);
    metrics_server_close(server);
}

Test(metrics_page, labels_are_escaped)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    metrics_page_label(out, "a\"b\\c\nd");
    fclose(out);
    cr_expect_str_eq(text, "a\\\"b\\\\c\\nd");
    free(text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/metrics/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

#define SERVER_CONNECTIONS 16u
#define SERVER_TIMEOUT_S 5u

struct metrics_server {
    struct MHD_Daemon *daemon; /* NULL: paused */
    int listener;
    metrics_server_page *page;
    void *context;
};

int metrics_server_listen(const struct endpoint *endpoint, int *ret_fd, struct failure *failure)
{
    const bool ipv6 = endpoint->address.family == ADDRESS_IPV6;
    const int on = 1;
    struct sockaddr_storage address;
    const socklen_t len = endpoint_to_sockaddr(endpoint, &address);
    char text[ADDRESS_TEXT_LEN];
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(fd, (const struct sockaddr *)&address, len) < 0 || listen(fd, SOMAXCONN) < 0) {
        const int code = -errno;

        fd_close(&fd);
        return failure_set(failure, code, "%s: cannot listen on TCP: %s",
                           endpoint_format(endpoint, text), strerror(-code));
    }
    *ret_fd = fd;
    return 0;
}

static enum MHD_Result text_respond(struct MHD_Connection *connection, unsigned status,
                                    const char *type, char *text, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    if (!response) {
        free(text);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", type);
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refusal_respond(struct MHD_Connection *connection, unsigned status,
                                       const char *reason)
{
    char *text = strdup(reason);

    return text ? text_respond(connection, status, "text/plain", text, strlen(text)) : MHD_NO;
}

static enum MHD_Result request_answer(void *context, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *upload, size_t *upload_len, void **state)
{
    const struct metrics_server *server = context;
    char *text = NULL;
    size_t len = 0;
    FILE *out;
    int code;

    (void)version;
    (void)upload;
    (void)upload_len;
    (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return refusal_respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET /metrics\n");
    }
    if (strcmp(url, "/metrics") != 0) {
        return refusal_respond(connection, MHD_HTTP_NOT_FOUND, "GET /metrics\n");
    }
    out = open_memstream(&text, &len);
    if (!out) {
        return MHD_NO;
    }
    code = server->page(server->context, out);
    if (fclose(out) != 0 || code < 0) {
        free(text);
        return code < 0 ? refusal_respond(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not now\n")
                        : MHD_NO;
    }
    return text_respond(connection, MHD_HTTP_OK, "text/plain; version=0.0.4", text, len);
}

int metrics_server_open(int listener, metrics_server_page *page, void *context,
                        struct metrics_server **ret_server, struct failure *failure)
{
    struct metrics_server *server = calloc(1, sizeof(*server));

    if (!server) {
        fd_close(&listener);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    server->listener = listener;
    server->page = page;
    server->context = context;
    *ret_server = server;
    return 0;
}

static bool listener_is_ipv6(int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    return getsockname(listener, (struct sockaddr *)&address, &len) == 0 &&
           address.ss_family == AF_INET6;
}

int metrics_server_resume(struct metrics_server *server, struct failure *failure)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC;
    int fd;

    if (!server || server->daemon) {
        return 0;
    }
    if (listener_is_ipv6(server->listener)) {
        flags |= MHD_USE_IPv6;
    }
    fd = fcntl(server->listener, F_DUPFD_CLOEXEC, 0); /* the daemon closes its own */
    server->daemon =
        fd < 0 ? NULL
               : MHD_start_daemon(flags, 0, NULL, NULL, request_answer, server,
                                  MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                  SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                  SERVER_TIMEOUT_S, MHD_OPTION_END);
    if (!server->daemon) {
        const int code = errno ? -errno : -EMFILE;

        fd_close(&fd);
        return failure_set(failure, code, "cannot serve metrics: %s", strerror(-code));
    }
    return 0;
}

void metrics_server_pause(struct metrics_server *server)
{
    if (server && server->daemon) {
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
    }
}

int metrics_server_listener(const struct metrics_server *server)
{
    return server->listener;
}

void metrics_server_close(struct metrics_server *server)
{
    if (server) {
        metrics_server_pause(server);
        fd_close(&server->listener);
        free(server);
    }
}

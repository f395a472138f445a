/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/control.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/isochrone-control.XXXXXX";
static char path[64];

static void folder_make(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
}

static void folder_remove(void)
{
    (void)unlink(path);
    cr_assert_eq(rmdir(folder), 0);
}

TestSuite(control, .init = folder_make, .fini = folder_remove);

static json_t *echo(void *context, const json_t *request)
{
    (void)context;
    return json_pack("{s:b, s:O}", "ok", 1, "data", request);
}

static int client_open(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path, strlen(path));
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends `text`, lets the socket work, and takes what came back without waiting. */
static ssize_t exchange(struct control *control, int fd, const char *text, char reply[static 4096])
{
    ssize_t got;

    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    for (int round = 0; round < 4; round++) {
        control_run(control, 1);
    }
    got = recv(fd, reply, 4095, MSG_DONTWAIT);
    reply[got > 0 ? got : 0] = '\0';
    return got;
}

static struct control *control_start(void)
{
    struct control *control = NULL;

    cr_assert_eq(control_open(path, echo, NULL, &control, NULL), 0);
    return control;
}

Test(control, requests_are_answered_a_line_each)
{
    struct control *control = control_start();
    int fd = client_open();
    char reply[4096];

    cr_assert_gt(exchange(control, fd, "{\"verb\":\"a\"}\n{\"verb\":\"b\"}\n{\"ve", reply), 0);
    cr_assert_str_eq(reply, "{\"ok\":true,\"data\":{\"verb\":\"a\"}}\n"
                            "{\"ok\":true,\"data\":{\"verb\":\"b\"}}\n");
    cr_assert_gt(exchange(control, fd, "rb\":\"c\"}\n[1]\n", reply), 0);
    cr_assert_not_null(strstr(reply, "\"c\""));
    cr_assert_not_null(strstr(reply, "{\"ok\":false,\"errors\":[\"request is no JSON object"));
    close(fd);
    control_close(control);
}

Test(control, a_line_that_does_not_end_and_a_client_that_dawdles_are_closed)
{
    struct control *control = control_start();
    int fd = client_open();
    int idle = client_open();
    char reply[4096];
    char text[CONTROL_REQUEST_MAX + 1];

    memset(text, 'x', CONTROL_REQUEST_MAX);
    text[CONTROL_REQUEST_MAX] = '\0';
    cr_assert_eq(exchange(control, fd, text, reply), 0);
    for (int round = 0; round < 4; round++) {
        control_run(control, 1);
    }
    cr_assert_eq(control_deadline_ns(control), 1 + CONTROL_IDLE_NS);
    control_run(control, CONTROL_IDLE_NS);
    cr_assert_eq(recv(idle, reply, 1, MSG_DONTWAIT), -1);
    control_run(control, 1 + CONTROL_IDLE_NS);
    cr_assert_eq(recv(idle, reply, 1, MSG_DONTWAIT), 0);
    cr_assert_eq(control_deadline_ns(control), INT64_MAX);
    close(idle);
    close(fd);
    control_close(control);
}

Test(control, a_closed_client_is_gone_though_a_forked_process_has_a_copy)
{
    struct control *control = control_start();
    int fd = client_open();
    struct pollfd item = {.fd = control_fd(control), .events = POLLIN};
    char reply[4096];
    pid_t child;

    cr_assert_gt(exchange(control, fd, "{}\n", reply), 0);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    shutdown(fd, SHUT_RDWR);
    cr_assert_eq(poll(&item, 1, 10000), 1);
    control_run(control, 1);
    cr_assert_eq(poll(&item, 1, 0), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(fd);
    control_close(control);
}

Test(control, a_stale_file_is_replaced_and_one_in_use_is_not)
{
    struct control *control = NULL;
    struct control *second = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, path, strlen(path));
    cr_assert_eq(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
    close(stale);
    control = control_start();
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0660);
    cr_assert_eq(control_open(path, echo, NULL, &second, NULL), -EADDRINUSE);
    cr_assert_eq(access(path, F_OK), 0, "the one that serves keeps its file");
    control_close(control);
    cr_assert_eq(access(path, F_OK), -1);
}

Test(control, text_that_is_no_utf8_is_not_lost)
{
    json_t *text = control_text("caf\xe9");

    cr_assert_str_eq(json_string_value(text), "caf?");
    json_decref(text);
}

/* --- passing on --- */

static int taken = -1;

static json_t *take(void *context, const json_t *request)
{
    struct control *const *control = context;

    (void)request;
    cr_assert_geq(control_client(*control), 0);
    taken = control_take(*control);
    cr_expect_eq(control_take(*control), -1);
    return json_pack("{s:b}", "ok", 1);
}

Test(control, a_handler_may_take_the_connection)
{
    struct control *control = NULL;
    char reply[4096];
    int client;

    cr_assert_eq(control_open(path, take, &control, &control, NULL), 0);
    client = client_open();
    cr_expect_lt(exchange(control, client, "{}\n", reply), 0, "no reply is sent for it");
    cr_assert_geq(taken, 0);
    cr_expect_eq(control_client(control), -1);
    control_run(control, 1 + CONTROL_IDLE_NS);
    cr_assert_eq(send(taken, "mine", 4, MSG_NOSIGNAL), 4);
    cr_expect_eq(recv(client, reply, sizeof(reply), MSG_DONTWAIT), 4);
    close(taken);
    close(client);
    control_close(control);
}

Test(control, another_may_continue_the_socket)
{
    struct control *old = NULL;
    struct control *fresh = NULL;
    char reply[4096];
    int client;

    cr_assert_eq(control_open(path, echo, NULL, &old, NULL), 0);
    client = client_open(); /* waits in the queue of the socket */
    cr_assert_eq(control_adopt(path, dup(control_listener(old)), echo, NULL, &fresh, NULL), 0);
    control_leave(old, true);
    control_close(old);
    cr_expect_eq(access(path, F_OK), 0);
    cr_expect_gt(exchange(fresh, client, "{}\n", reply), 0);
    close(client);
    control_leave(fresh, false);
    control_close(fresh);
    cr_expect_neq(access(path, F_OK), 0);
}

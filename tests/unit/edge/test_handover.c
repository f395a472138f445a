/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/handover.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static struct handover *left;
static struct handover *right;
static int raw; /* the other end of `left` in tests without `right` */

static void pair_make(void)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    left = handover_new(fds[0]);
    right = handover_new(fds[1]);
    cr_assert(left && right);
    raw = fds[1];
}

static void pair_free(void)
{
    handover_free(left);
    handover_free(right);
}

TestSuite(handover, .init = pair_make, .fini = pair_free);

static int64_t soon(void)
{
    return clock_monotonic_ns() + 20 * CLOCK_NS_PER_MS;
}

static int say(const char *text)
{
    cr_assert_eq(send(raw, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    return 0;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

Test(handover, messages_arrive_in_order_with_their_descriptors)
{
    int fds[2] = {STDIN_FILENO, STDERR_FILENO};
    json_t *message = NULL;
    int fd;

    cr_assert_eq(handover_send(left, json_pack("{s:s}", "step", "one"), fds, 2, soon()), 0);
    cr_assert_eq(handover_send(left, json_pack("{s:s}", "step", "two"), fds, 1, soon()), 0);
    cr_assert_eq(handover_send(left, json_pack("{s:i}", "unknown", 3), NULL, 0, soon()), 0);
    cr_assert_eq(handover_receive(right, soon(), &message), 0);
    cr_expect_str_eq(handover_step(message), "one");
    json_decref(message);
    fd = handover_take_fd(right);
    cr_expect(is_open(fd) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    /* its second one is closed, not taken for one of the next message */
    cr_assert_eq(handover_receive(right, soon(), &message), 0);
    cr_expect_str_eq(handover_step(message), "two");
    json_decref(message);
    fd = handover_take_fd(right);
    cr_expect_geq(fd, 0);
    close(fd);
    cr_expect_eq(handover_take_fd(right), -1);
    cr_assert_eq(handover_receive(right, soon(), &message), 0);
    cr_expect_str_eq(handover_step(message), "");
    json_decref(message);
}

Test(handover, a_long_message_needs_a_reader)
{
    char *text = calloc(1, 4 << 20);
    json_t *message = NULL;

    memset(text, 'x', (4 << 20) - 1);
    cr_expect_eq(handover_send(left, json_pack("{s:s}", "step", text), NULL, 0, soon()),
                 -ETIMEDOUT);
    pair_free();
    pair_make();
    if (fork() == 0) {
        _exit(handover_send(left, json_pack("{s:s}", "step", text), NULL, 0,
                            clock_monotonic_ns() + 10 * CLOCK_NS_PER_S) != 0);
    }
    cr_assert_eq(handover_receive(right, clock_monotonic_ns() + 10 * CLOCK_NS_PER_S, &message), 0);
    cr_expect_str_eq(handover_step(message), text);
    json_decref(message);
    free(text);
}

Test(handover, waiting_has_an_end)
{
    json_t *message = NULL;

    cr_expect_eq(handover_receive(left, soon(), &message), -ETIMEDOUT);
    say("{\"step\": \"half");
    cr_expect_eq(handover_receive(left, soon(), &message), -ETIMEDOUT);
    say("\"}\n");
    cr_assert_eq(handover_receive(left, soon(), &message), 0);
    cr_expect_str_eq(handover_step(message), "half");
    json_decref(message);
    cr_assert_eq(shutdown(raw, SHUT_WR), 0);
    cr_expect_eq(handover_receive(left, soon(), &message), -ECONNRESET);
}

Test(handover, what_is_no_message_is_refused)
{
    static const char *const lines[] = {
        "\n",
        "[]\n",
        "{\n",
        "{\"fds\": 1}\n",
        "{\"fds\": -1}\n",
        "\"text\"\n",
        "{\"a\":1,\"a\":2}\n",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        json_t *message = NULL;

        say(lines[i]);
        cr_expect_eq(handover_receive(left, soon(), &message), -EBADMSG, "%s", lines[i]);
        cr_expect_null(message);
    }
}

Test(handover, bytes_are_text_and_back)
{
    uint8_t *bytes = NULL;
    size_t len = 9;
    json_t *text = handover_bytes("\x00\xff\x7f", 3);

    cr_expect_str_eq(json_string_value(text), "00ff7f");
    cr_assert_eq(handover_read_bytes(text, &bytes, &len), 0);
    cr_expect(len == 3 && memcmp(bytes, "\x00\xff\x7f", 3) == 0);
    free(bytes);
    json_decref(text);
    text = handover_bytes(NULL, 0);
    cr_assert_eq(handover_read_bytes(text, &bytes, &len), 0);
    cr_expect(len == 0 && !bytes);
    json_decref(text);
    for (const char *const *wrong = (const char *const[]){"0", "0g", "0F", NULL}; *wrong; wrong++) {
        text = json_string(*wrong);
        cr_expect_eq(handover_read_bytes(text, &bytes, &len), -EINVAL, "%s", *wrong);
        json_decref(text);
    }
    cr_expect_eq(handover_read_bytes(NULL, &bytes, &len), -EINVAL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define HANDOVER_CHUNK ((size_t)64 << 10)
#define HANDOVER_QUEUE ((size_t)4 * HANDOVER_FDS_MAX)

struct handover {
    int fd;
    char *in;
    size_t in_len;
    size_t in_size;
    size_t scanned;            /* no line end before here */
    int queue[HANDOVER_QUEUE]; /* received, in order; the first `current_n` belong to the message */
    size_t queue_n;
    size_t current_n;
};

struct handover *handover_new(int fd)
{
    struct handover *handover = calloc(1, sizeof(*handover));

    if (!handover || fd_set_nonblocking(fd) < 0) {
        free(handover);
        fd_close(&fd);
        return NULL;
    }
    handover->fd = fd;
    return handover;
}

int handover_fd(const struct handover *handover)
{
    return handover->fd;
}

int handover_take_fd(struct handover *handover)
{
    int fd;

    if (handover->current_n == 0) {
        return -1;
    }
    fd = handover->queue[0];
    handover->current_n--;
    handover->queue_n--;
    memmove(handover->queue, handover->queue + 1, handover->queue_n * sizeof(handover->queue[0]));
    return fd;
}

static void handover_drop_fds(struct handover *handover, size_t n)
{
    handover->current_n = n;
    while (handover->current_n > 0) {
        int fd = handover_take_fd(handover);

        fd_close(&fd);
    }
}

void handover_free(struct handover *handover)
{
    if (!handover) {
        return;
    }
    handover_drop_fds(handover, handover->queue_n);
    fd_close(&handover->fd);
    free(handover->in);
    free(handover);
}

const char *handover_step(const json_t *message)
{
    const char *step = json_string_value(json_object_get(message, "step"));

    return step ? step : "";
}

/* Until the socket is ready; 0, -ETIMEDOUT or another -errno. */
static int handover_wait(const struct handover *handover, short events, int64_t deadline_ns)
{
    struct pollfd pollfd = {handover->fd, events, 0};

    for (;;) {
        int64_t left_ns = deadline_ns - clock_monotonic_ns();
        int n = poll(
            &pollfd, 1,
            left_ns <= 0
                ? 0
                : (int)(left_ns / CLOCK_NS_PER_MS > 60000 ? 60000 : left_ns / CLOCK_NS_PER_MS + 1));

        if (n > 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (left_ns <= 0) {
            return -ETIMEDOUT;
        }
    }
}

/* --- sending --- */

static ssize_t handover_push(const struct handover *handover, char *bytes, size_t len,
                             const int *fds, size_t fd_n)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * HANDOVER_FDS_MAX)];
    } control;
    struct iovec iov = {bytes, len};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;

    if (fd_n) {
        struct cmsghdr *item;

        memset(&control, 0, sizeof(control));
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(fd_n * sizeof(int));
        item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(fd_n * sizeof(int));
        memcpy(CMSG_DATA(item), fds, fd_n * sizeof(int));
    }
    sent = sendmsg(handover->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

/* The kernel counts descriptors under way per user (unix(7), ETOOMANYREFS): the peer takes some out
 * soon. */
static int handover_breathe(int64_t deadline_ns)
{
    static const struct timespec moment = {0, 1000000};

    if (clock_monotonic_ns() >= deadline_ns) {
        return -ETIMEDOUT;
    }
    (void)nanosleep(&moment, NULL);
    return 0;
}

static int handover_send_text(const struct handover *handover, char *text, size_t len,
                              const int *fds, size_t fd_n, int64_t deadline_ns)
{
    size_t done = 0;

    while (done < len) {
        /* descriptors travel with the first byte */
        ssize_t sent = handover_push(handover, text + done, len - done, fds, done ? 0 : fd_n);
        int code = 0;

        if (sent >= 0) {
            done += (size_t)sent;
        } else if (sent == -EAGAIN) {
            code = handover_wait(handover, POLLOUT, deadline_ns);
        } else if (sent == -ETOOMANYREFS) {
            code = handover_breathe(deadline_ns);
        } else if (sent != -EINTR) {
            code = (int)sent;
        }
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

int handover_send(struct handover *handover, json_t *message, const int *fds, size_t fd_n,
                  int64_t deadline_ns)
{
    char *text;
    size_t len;
    int code;

    if (!message || fd_n > HANDOVER_FDS_MAX ||
        (fd_n && json_object_set_new(message, "fds", json_integer((json_int_t)fd_n)) < 0)) {
        json_decref(message);
        return -ENOMEM;
    }
    text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    if (!text) {
        return -ENOMEM;
    }
    len = strlen(text);
    text[len++] = '\n'; /* in place of the NUL: the length is counted from here on */
    code = handover_send_text(handover, text, len, fds, fd_n, deadline_ns);
    free(text);
    return code;
}

/* --- receiving --- */

static int handover_make_room(struct handover *handover)
{
    size_t size;
    char *grown;

    if (handover->in_size - handover->in_len >= HANDOVER_CHUNK) {
        return 0;
    }
    if (handover->in_len >= HANDOVER_LINE_MAX) {
        return -EMSGSIZE;
    }
    size = handover->in_size ? handover->in_size * 2 : 2 * HANDOVER_CHUNK;
    grown = realloc(handover->in, size);
    if (!grown) {
        return -ENOMEM;
    }
    handover->in = grown;
    handover->in_size = size;
    return 0;
}

/* Puts what came beside the bytes into the queue; what does not fit is closed and an error. */
static int handover_collect(struct handover *handover, struct msghdr *header)
{
    int code = header->msg_flags & MSG_CTRUNC ? -EBADMSG : 0;

    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        size_t n = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(fd));
            if (handover->queue_n < HANDOVER_QUEUE) {
                handover->queue[handover->queue_n++] = fd;
            } else {
                fd_close(&fd);
                code = -EBADMSG;
            }
        }
    }
    return code;
}

static int handover_pull(struct handover *handover)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * HANDOVER_FDS_MAX)];
    } control;
    struct iovec iov;
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.space,
                            .msg_controllen = sizeof(control.space)};
    int code = handover_make_room(handover);
    ssize_t got;

    if (code < 0) {
        return code;
    }
    iov = (struct iovec){handover->in + handover->in_len, HANDOVER_CHUNK};
    got = recvmsg(handover->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return -errno;
    }
    code = handover_collect(handover, &header);
    if (code == 0 && got == 0) {
        code = -ECONNRESET;
    }
    handover->in_len += (size_t)got;
    return code;
}

/* The line of `len` bytes at the front becomes the current message. */
static int handover_parse(struct handover *handover, size_t len, json_t **ret_message)
{
    json_t *message = json_loadb(handover->in, len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t fds = json_integer_value(json_object_get(message, "fds"));

    handover->in_len -= len + 1;
    memmove(handover->in, handover->in + len + 1, handover->in_len);
    handover->scanned = 0;
    if (!json_is_object(message) || fds < 0 || (size_t)fds > handover->queue_n) {
        json_decref(message);
        return -EBADMSG;
    }
    handover->current_n = (size_t)fds;
    *ret_message = message;
    return 0;
}

static char *handover_line_end(const struct handover *handover)
{
    return handover->in_len > handover->scanned ? memchr(handover->in + handover->scanned, '\n',
                                                         handover->in_len - handover->scanned)
                                                : NULL;
}

bool handover_pending(const struct handover *handover)
{
    return handover_line_end(handover) != NULL;
}

int handover_receive(struct handover *handover, int64_t deadline_ns, json_t **ret_message)
{
    handover_drop_fds(handover, handover->current_n);
    for (;;) {
        char *end = handover_line_end(handover);
        int code;

        if (end) {
            return handover_parse(handover, (size_t)(end - handover->in), ret_message);
        }
        handover->scanned = handover->in_len;
        code = handover_pull(handover);
        if (code == -EAGAIN) {
            code = handover_wait(handover, POLLIN, deadline_ns);
        }
        if (code < 0 && code != -EINTR) {
            return code;
        }
    }
}

/* --- bytes --- */

json_t *handover_bytes(const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    char *text = malloc(len * 2 + 1);
    json_t *string;

    if (!text) {
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    string = json_stringn(text, len * 2);
    free(text);
    return string;
}

static int handover_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int handover_read_bytes(const json_t *text, uint8_t **ret_bytes, size_t *ret_len)
{
    const char *from = json_string_value(text);
    size_t len = json_string_length(text);
    uint8_t *bytes;

    if (!from || len % 2) {
        return -EINVAL;
    }
    bytes = len ? malloc(len / 2) : NULL;
    if (len && !bytes) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < len / 2; i++) {
        int high = handover_digit(from[2 * i]);
        int low = handover_digit(from[2 * i + 1]);

        if (high < 0 || low < 0) {
            free(bytes);
            return -EINVAL;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_bytes = bytes;
    *ret_len = len / 2;
    return 0;
}

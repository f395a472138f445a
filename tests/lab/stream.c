/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client that asks for one name at a steady rate and writes down what became of every query.
 *
 *   lab-stream OUTPUT RATE NAME FLOW...     FLOW: SOURCE,SERVER,EXPECTED (addresses; of one family)
 *
 * Each flow asks RATE times a second, from SOCKETS source ports in turn (routers with several equal
 * paths choose by them), for the A or AAAA of NAME, whichever EXPECTED is, with NSID (RFC 5001). A
 * line per query, in the order in which their fates were known:
 *
 *   SENT_US LATENCY_US FLOW PORT_INDEX ok|wrong|lost WHO
 *
 * wall clock; LATENCY_US is -1 if nothing came in LOST_US; WHO is the answer's NSID or "-". Ends at
 * SIGTERM, once the queries under way are answered or lost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 16
#define FLOWS_MAX 4
#define LOST_US 1000000
#define NAME_LEN_MAX 100
#define MESSAGE_LEN 1500
#define HEADER_LEN 12
#define OPTION_NSID 3
#define TYPE_OPT 41

struct flow {
    int fds[SOCKETS];
    int64_t sent_us[UINT16_MAX + 1]; /* by query id; 0: not under way */
    uint32_t next, oldest;           /* ids, counted on past 65535 */
    size_t query_len, question_len;
    uint8_t query[HEADER_LEN + NAME_LEN_MAX + 64];
    uint8_t expected[16];
    size_t expected_len;
};

static struct flow flows[FLOWS_MAX];
static size_t flows_n;
static FILE *output;
static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

static void fail(const char *what)
{
    fprintf(stderr, "lab-stream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void record(const struct flow *flow, uint32_t id, int64_t sent_us, int64_t latency_us,
                   const char *verdict, const char *who)
{
    fprintf(output, "%lld %lld %td %u %s %s\n", (long long)sent_us, (long long)latency_us,
            flow - flows, (unsigned)(id % SOCKETS), verdict, who);
}

/* ---- asking ---- */

static void put_u16(uint8_t **at, unsigned value)
{
    *(*at)++ = (uint8_t)(value >> 8);
    *(*at)++ = (uint8_t)value;
}

/* RFC 1035 4.1; the OPT with an empty NSID option: RFC 6891 6.1.2, RFC 5001 2.1. */
static void query_compose(struct flow *flow, const char *name)
{
    uint8_t *at = flow->query + 2;

    put_u16(&at, 0);
    put_u16(&at, 1);
    put_u16(&at, 0);
    put_u16(&at, 0);
    put_u16(&at, 1);
    while (*name != '\0') {
        const size_t len = strcspn(name, ".");

        *at++ = (uint8_t)len;
        memcpy(at, name, len);
        at += len;
        name += len + (name[len] == '.');
    }
    *at++ = 0;
    put_u16(&at, flow->expected_len == 4 ? 1 : 28);
    put_u16(&at, 1);
    flow->question_len = (size_t)(at - flow->query) - HEADER_LEN;
    *at++ = 0;
    put_u16(&at, TYPE_OPT);
    put_u16(&at, 1232);
    put_u16(&at, 0);
    put_u16(&at, 0);
    put_u16(&at, 4);
    put_u16(&at, OPTION_NSID);
    put_u16(&at, 0);
    flow->query_len = (size_t)(at - flow->query);
}

static socklen_t address_read(const char *text, in_port_t port, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof(*v6);
    }
    errno = EINVAL;
    fail(text);
    return 0;
}

static void flow_open(struct flow *flow, char *text, const char *name)
{
    struct sockaddr_storage source, server;
    const char *source_text = strtok(text, ","), *server_text = strtok(NULL, ",");
    const char *expected_text = strtok(NULL, ",");
    socklen_t len;

    if (!source_text || !server_text || !expected_text) {
        errno = EINVAL;
        fail("a flow is SOURCE,SERVER,EXPECTED");
    }
    flow->expected_len = strchr(expected_text, ':') ? 16 : 4;
    if (inet_pton(flow->expected_len == 4 ? AF_INET : AF_INET6, expected_text, flow->expected) !=
        1) {
        errno = EINVAL;
        fail(expected_text);
    }
    len = address_read(source_text, 0, &source);
    (void)address_read(server_text, 53, &server);
    for (size_t i = 0; i < SOCKETS; i++) {
        flow->fds[i] = socket(source.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (flow->fds[i] < 0 || bind(flow->fds[i], (const struct sockaddr *)&source, len) < 0 ||
            connect(flow->fds[i], (const struct sockaddr *)&server, len) < 0) {
            fail(source_text);
        }
    }
    query_compose(flow, name);
}

static void flow_ask(struct flow *flow)
{
    const uint32_t id = flow->next++;
    const int fd = flow->fds[id % SOCKETS];

    flow->query[0] = (uint8_t)(id >> 8);
    flow->query[1] = (uint8_t)id;
    flow->sent_us[id & UINT16_MAX] = now_us();
    /* An ICMP error for an earlier query is reported once, in place of sending. */
    if (send(fd, flow->query, flow->query_len, 0) < 0 && errno == ECONNREFUSED) {
        (void)send(fd, flow->query, flow->query_len, 0);
    }
}

/* ---- what comes back ---- */

static unsigned get_u16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* The end of the name at `at`, or NULL. */
static const uint8_t *name_skip(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != 0) {
        if (*at >= 0xC0) {
            return at + 2 <= end ? at + 2 : NULL;
        }
        at += 1 + *at;
    }
    return at < end ? at + 1 : NULL;
}

static void nsid_read(const uint8_t *at, const uint8_t *end, char who[static 32])
{
    while (end - at >= 4) {
        const unsigned code = get_u16(at), len = get_u16(at + 2);

        at += 4;
        if ((size_t)(end - at) < len) {
            return;
        }
        if (code == OPTION_NSID && len > 0 && len < 32) {
            memcpy(who, at, len);
            who[len] = '\0';
            for (unsigned i = 0; i < len; i++) {
                who[i] = who[i] > ' ' && who[i] < 127 ? who[i] : '?';
            }
        }
        at += len;
    }
}

/* Whether the answer says what it should; sets who said it. */
static bool answer_read(const struct flow *flow, const uint8_t *message, size_t len,
                        char who[static 32])
{
    const uint8_t *end = message + len, *at = message + HEADER_LEN + flow->question_len;
    const unsigned records = get_u16(message + 6) + get_u16(message + 8) + get_u16(message + 10);
    bool right = false;

    for (unsigned i = 0; i < records; i++) {
        unsigned type, data_len;

        at = name_skip(at, end);
        if (!at || end - at < 10) {
            return false;
        }
        type = get_u16(at);
        data_len = get_u16(at + 8);
        at += 10;
        if ((size_t)(end - at) < data_len) {
            return false;
        }
        if (type == TYPE_OPT) {
            nsid_read(at, at + data_len, who);
        } else if (i < get_u16(message + 6) && data_len == flow->expected_len) {
            right = right || memcmp(at, flow->expected, data_len) == 0;
        }
        at += data_len;
    }
    return right && (message[3] & 0x0F) == 0;
}

static void message_take(struct flow *flow, size_t socket_index, const uint8_t *message, size_t len)
{
    const int64_t now = now_us();
    uint32_t id;
    int64_t *sent_us;
    char who[32] = "-";
    bool right;

    if (len < HEADER_LEN + flow->question_len || !(message[2] & 0x80) ||
        memcmp(message + HEADER_LEN, flow->query + HEADER_LEN, flow->question_len) != 0) {
        return;
    }
    id = get_u16(message);
    sent_us = &flow->sent_us[id];
    if (*sent_us == 0 || id % SOCKETS != socket_index) {
        return;
    }
    right = answer_read(flow, message, len, who);
    record(flow, id, *sent_us, now - *sent_us, right ? "ok" : "wrong", who);
    *sent_us = 0;
}

static void socket_read(struct flow *flow, size_t socket_index)
{
    uint8_t message[MESSAGE_LEN];

    for (;;) {
        const ssize_t len = recv(flow->fds[socket_index], message, sizeof(message), 0);

        if (len >= 0) {
            message_take(flow, socket_index, message, (size_t)len);
        } else if (errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH) {
            return;
        }
    }
}

/* In the order of sending. */
static void lost_give_up(struct flow *flow)
{
    const int64_t limit = now_us() - LOST_US;

    for (; flow->oldest != flow->next; flow->oldest++) {
        int64_t *sent_us = &flow->sent_us[flow->oldest & UINT16_MAX];

        if (*sent_us > limit) {
            return;
        }
        if (*sent_us != 0) {
            record(flow, flow->oldest, *sent_us, -1, "lost", "-");
            *sent_us = 0;
        }
    }
}

/* ---- the loop ---- */

static int timer_open(long rate)
{
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const struct itimerspec every = {.it_interval.tv_nsec = 1000000000 / rate,
                                     .it_value.tv_nsec = 1000000000 / rate};

    if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0) {
        fail("timer");
    }
    return fd;
}

static bool anything_under_way(void)
{
    for (size_t i = 0; i < flows_n; i++) {
        if (flows[i].oldest != flows[i].next) {
            return true;
        }
    }
    return false;
}

static void serve(int timer)
{
    struct pollfd fds[1 + FLOWS_MAX * SOCKETS] = {{.fd = timer, .events = POLLIN}};
    const nfds_t fds_n = 1 + flows_n * SOCKETS;

    for (size_t i = 0; i + 1 < fds_n; i++) {
        fds[1 + i] = (struct pollfd){.fd = flows[i / SOCKETS].fds[i % SOCKETS], .events = POLLIN};
    }
    while (!stopping || anything_under_way()) {
        uint64_t ticks = 0;

        if (poll(fds, fds_n, 50) < 0 && errno != EINTR) {
            fail("poll");
        }
        for (size_t i = 0; i + 1 < fds_n; i++) {
            if (fds[1 + i].revents != 0) {
                socket_read(&flows[i / SOCKETS], i % SOCKETS);
            }
        }
        if (read(timer, &ticks, sizeof(ticks)) < 0) {
            ticks = 0;
        }
        for (size_t i = 0; i < flows_n; i++) {
            for (uint64_t tick = 0; tick < ticks && !stopping; tick++) {
                flow_ask(&flows[i]);
            }
            lost_give_up(&flows[i]);
        }
    }
}

int main(int argc, char **argv)
{
    const struct sigaction on_stop = {.sa_handler = stop};
    const long rate = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

    if (argc < 5 || argc > 4 + FLOWS_MAX || rate < 1 || rate > 5000 ||
        strlen(argv[3]) > NAME_LEN_MAX) {
        fprintf(stderr, "Usage: lab-stream OUTPUT RATE NAME SOURCE,SERVER,EXPECTED...\n");
        return 2;
    }
    output = fopen(argv[1], "ae");
    if (!output) {
        fail(argv[1]);
    }
    setvbuf(output, NULL, _IOLBF, 0);
    sigaction(SIGTERM, &on_stop, NULL);
    for (int i = 4; i < argc; i++) {
        flow_open(&flows[flows_n++], argv[i], argv[3]);
    }
    serve(timer_open(rate));
    fclose(output);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A closed loop of queries over UDP: never more than WINDOW unanswered, so that no queue on the way
 * overflows and the server, not the sender's pace, decides the rate. Replays a query file from its
 * start, again and again, until the time or the number of queries is used up; prints one JSON
 * object. An answer is one whose id is awaited; what has no answer after 400 ms is lost and its
 * place in the window is given away.
 *
 * Usage: load -s ADDRESS [-p PORT] -f FILE [-d SECONDS] [-n QUERIES] [-w WINDOW]
 */
#include "query_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64u
#define ID_N 65536u
#define WINDOW_MAX 4096u
#define SEND_LEAST                                                                                 \
    16u /* wait for so many free places: a datagram per system call is not what a network card     \
           does */
#define LOSS_NS 400000000u
#define REAP_NS 100000000u
#define LONGEST_S 600.0

struct load {
    struct query_file file;
    size_t query_next;
    int fd;
    struct sockaddr_in server;
    bool spoof;
    uint64_t sent_ns[ID_N]; /* 0: this id is not awaited */
    uint16_t id_free[ID_N];
    uint32_t id_free_n;
    uint32_t window;
    uint32_t awaited;
    uint64_t sent, answered, lost, stray, truncated, empty, bytes;
    uint64_t rcodes[16];
};

union control {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void load_connect(struct load *load)
{
    int one = 1;
    int buffer = 4 << 20;
    struct sockaddr_in any = {.sin_family = AF_INET};
    load->fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (load->fd < 0)
        die("socket");
    setsockopt(load->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    setsockopt(load->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    if (!load->spoof) {
        if (connect(load->fd, (const struct sockaddr *)&load->server, sizeof load->server) != 0)
            die("connect");
        return;
    }
    /* Sending from, and receiving for, addresses that are not ours needs IP_TRANSPARENT at both
     * ends. */
    if (setsockopt(load->fd, SOL_IP, IP_TRANSPARENT, &one, sizeof one) != 0)
        die("IP_TRANSPARENT");
    if (bind(load->fd, (const struct sockaddr *)&any, sizeof any) != 0)
        die("bind");
}

static void message_from(struct mmsghdr *message, union control *control,
                         struct sockaddr_in *server, uint32_t from_be)
{
    message->msg_hdr.msg_name = server;
    message->msg_hdr.msg_namelen = sizeof *server;
    message->msg_hdr.msg_control = control;
    message->msg_hdr.msg_controllen = sizeof *control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message->msg_hdr);
    header->cmsg_level = SOL_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = from_be};
    memcpy(CMSG_DATA(header), &info, sizeof info);
}

static void messages_send(int fd, struct mmsghdr *messages, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(fd, messages + done, count - done, 0);
        if (n > 0)
            done += (unsigned)n;
        else if (errno != EINTR && errno != ENOBUFS && errno != ECONNREFUSED)
            die("sendmmsg");
    }
}

static void load_send(struct load *load, unsigned count)
{
    static struct mmsghdr messages[BATCH];
    static struct iovec vectors[BATCH];
    static union control controls[BATCH];
    uint64_t now = now_ns();
    for (unsigned i = 0; i < count; i++) {
        const struct query *query = &load->file.queries[load->query_next];
        uint8_t *wire = load->file.wire + query->wire_at;
        uint16_t id = load->id_free[--load->id_free_n];
        if (++load->query_next == load->file.query_n)
            load->query_next = 0;
        wire[0] = (uint8_t)(id >> 8);
        wire[1] = (uint8_t)id;
        load->sent_ns[id] = now;
        vectors[i] = (struct iovec){wire, query->wire_len};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        if (load->spoof)
            message_from(&messages[i], &controls[i], &load->server, query->from_be);
    }
    messages_send(load->fd, messages, count);
    load->sent += count;
    load->awaited += count;
}

static void answer_count(struct load *load, const uint8_t *answer, unsigned len)
{
    unsigned id = len >= 12 ? (unsigned)answer[0] << 8 | answer[1] : 0;
    if (len < 12 || (answer[2] & 0x80) == 0 || load->sent_ns[id] == 0) {
        load->stray++;
        return;
    }
    load->sent_ns[id] = 0;
    load->id_free[load->id_free_n++] = (uint16_t)id;
    load->awaited--;
    load->answered++;
    load->bytes += len;
    load->rcodes[answer[3] & 15]++;
    load->truncated += (answer[2] & 2) != 0;
    load->empty += answer[6] == 0 && answer[7] == 0;
}

static unsigned load_receive(struct load *load)
{
    static uint8_t bytes[BATCH][2048];
    static struct mmsghdr messages[BATCH];
    static struct iovec vectors[BATCH];
    unsigned total = 0;
    for (;;) {
        for (unsigned i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int n = recvmmsg(load->fd, messages, BATCH, MSG_DONTWAIT, NULL);
        if (n <= 0)
            return total;
        for (int i = 0; i < n; i++)
            answer_count(load, bytes[i], messages[i].msg_len);
        total += (unsigned)n;
        if ((unsigned)n < BATCH)
            return total;
    }
}

static void load_reap(struct load *load, uint64_t now)
{
    for (unsigned id = 0; id < ID_N; id++) {
        if (load->sent_ns[id] == 0 || load->sent_ns[id] + LOSS_NS > now)
            continue;
        load->sent_ns[id] = 0;
        load->id_free[load->id_free_n++] = (uint16_t)id;
        load->awaited--;
        load->lost++;
    }
}

static unsigned load_due(const struct load *load, uint64_t query_max)
{
    unsigned due = load->window - load->awaited;
    if (due < SEND_LEAST && load->awaited > 0)
        return 0;
    if (due > BATCH)
        due = BATCH;
    return due > query_max - load->sent ? (unsigned)(query_max - load->sent) : due;
}

/* Returns the seconds it took, the wait for the last answers left out. */
static double load_run(struct load *load, double seconds, uint64_t query_max)
{
    uint64_t start = now_ns();
    uint64_t end = start + (uint64_t)(seconds * 1e9);
    uint64_t reaped = start;
    struct pollfd waiting = {.fd = load->fd, .events = POLLIN};
    for (;;) {
        uint64_t now = now_ns();
        bool over = now >= end || load->sent >= query_max;
        if (now < end && over && load->awaited == 0)
            end = now;
        if (over && (load->awaited == 0 || now > end + LOSS_NS))
            return (double)(end - start) / 1e9;
        if (now > reaped + REAP_NS) {
            load_reap(load, now);
            reaped = now;
        }
        unsigned due = over ? 0 : load_due(load, query_max);
        if (due > 0)
            load_send(load, due);
        if (load_receive(load) == 0 && due == 0)
            poll(&waiting, 1, 1);
    }
}

static void load_print(const struct load *load, double seconds, uint64_t spent_ns)
{
    printf("{\"sent\":%lu,\"answered\":%lu,\"lost\":%lu,\"stray\":%lu,\"seconds\":%.3f,"
           "\"cpu_ns\":%lu,"
           "\"truncated\":%lu,\"empty\":%lu,\"bytes\":%lu,\"rcodes\":{",
           load->sent, load->answered, load->lost + load->awaited, load->stray, seconds, spent_ns,
           load->truncated, load->empty, load->bytes);
    const char *comma = "";
    for (unsigned i = 0; i < 16; i++) {
        if (load->rcodes[i] == 0)
            continue;
        printf("%s\"%u\":%lu", comma, i, load->rcodes[i]);
        comma = ",";
    }
    puts("}}");
}

static void usage(void)
{
    fputs("usage: load -s ADDRESS [-p PORT] -f FILE [-d SECONDS] [-n QUERIES] [-w WINDOW]\n",
          stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct load load = {.window = 192, .server.sin_family = AF_INET};
    const char *path = NULL;
    double seconds = 1;
    uint64_t query_max = UINT64_MAX;
    load.server.sin_port = htons(53);
    for (int option; (option = getopt(argc, argv, "s:p:f:d:n:w:")) >= 0;) {
        if (option == 's' && inet_pton(AF_INET, optarg, &load.server.sin_addr) != 1)
            usage();
        else if (option == 'p')
            load.server.sin_port = htons((uint16_t)atoi(optarg));
        else if (option == 'f')
            path = optarg;
        else if (option == 'd')
            seconds = strtod(optarg, NULL);
        else if (option == 'n')
            query_max = strtoull(optarg, NULL, 10);
        else if (option == 'w')
            load.window = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == '?')
            usage();
    }
    if (path == NULL || load.server.sin_addr.s_addr == 0 || !(seconds > 0) || seconds > LONGEST_S ||
        load.window == 0 || load.window > WINDOW_MAX)
        usage();
    if (query_file_read(&load.file, path) != 0)
        return 1;
    for (unsigned id = 0; id < ID_N; id++)
        load.id_free[load.id_free_n++] = (uint16_t)id;
    load.spoof = load.file.queries[0].from_be != 0;
    load_connect(&load);
    uint64_t spent_ns = cpu_ns();
    seconds = load_run(&load, seconds, query_max);
    load_print(&load, seconds, cpu_ns() - spent_ns);
    query_file_done(&load.file);
    return 0;
}

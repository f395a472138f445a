/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits for so many free places: a datagram per system call is not what a network card does. */
#define SEND_LEAST 16u

struct udp {
    int fd;
    bool spoof; /* each query names the address it comes from */
};

union control {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void udp_open(struct udp *udp, const struct sockaddr_in *server)
{
    int one = 1;
    int buffer = 4 << 20;
    struct sockaddr_in any = {.sin_family = AF_INET};
    udp->fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (udp->fd < 0)
        load_die("socket");
    setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    setsockopt(udp->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    if (!udp->spoof) {
        if (connect(udp->fd, (const struct sockaddr *)server, sizeof *server) != 0)
            load_die("connect");
        return;
    }
    /* Sending from, and receiving for, addresses that are not ours needs IP_TRANSPARENT. */
    if (setsockopt(udp->fd, SOL_IP, IP_TRANSPARENT, &one, sizeof one) != 0)
        load_die("IP_TRANSPARENT");
    if (bind(udp->fd, (const struct sockaddr *)&any, sizeof any) != 0)
        load_die("bind");
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

static void udp_send(const struct udp *udp, struct load *load, unsigned count)
{
    static struct mmsghdr messages[LOAD_BATCH];
    static struct iovec vectors[LOAD_BATCH];
    static union control controls[LOAD_BATCH];
    uint64_t now = load_now_ns();
    for (unsigned i = 0; i < count; i++) {
        const struct query *query = load_next(load, now);
        vectors[i] = (struct iovec){load->file.wire + query->wire_at, query->wire_len};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        if (udp->spoof)
            message_from(&messages[i], &controls[i], &load->server, query->from_be);
    }
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(udp->fd, messages + done, count - done, 0);
        if (n > 0)
            done += (unsigned)n;
        else if (errno != EINTR && errno != ENOBUFS && errno != ECONNREFUSED)
            load_die("sendmmsg");
    }
}

static unsigned udp_receive(const struct udp *udp, struct load *load)
{
    static uint8_t bytes[LOAD_BATCH][2048];
    static struct mmsghdr messages[LOAD_BATCH];
    static struct iovec vectors[LOAD_BATCH];
    unsigned total = 0;
    for (;;) {
        for (unsigned i = 0; i < LOAD_BATCH; i++) {
            vectors[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int n = recvmmsg(udp->fd, messages, LOAD_BATCH, MSG_DONTWAIT, NULL);
        load->received_ns = load_now_ns();
        for (int i = 0; i < n; i++)
            load_answer(load, bytes[i], messages[i].msg_len);
        total += n > 0 ? (unsigned)n : 0;
        if (n < (int)LOAD_BATCH)
            return total;
    }
}

static unsigned udp_due(const struct load *load, uint64_t elapsed_ns)
{
    unsigned due = load->window - load->awaited;
    if (load->rate > 0) {
        uint64_t wanted = (uint64_t)(load->rate * 1e-9 * (double)elapsed_ns);
        uint64_t behind = wanted > load->sent ? wanted - load->sent : 0;
        due = due > behind ? (unsigned)behind : due;
    } else if (due < SEND_LEAST && load->awaited > 0) {
        return 0;
    }
    if (due > LOAD_BATCH)
        due = LOAD_BATCH;
    uint64_t left = load->query_max - load->sent;
    return due > left ? (unsigned)left : due;
}

/* Asleep until an answer is there or the next query is due: the kernel receives for us on this
 * core. */
static void udp_wait(const struct udp *udp, const struct load *load, uint64_t start)
{
    struct pollfd waiting = {.fd = udp->fd, .events = POLLIN};
    struct timespec left = {0, 1000000};
    if (load->rate > 0) {
        uint64_t next = start + (uint64_t)((double)(load->sent + 1) / load->rate * 1e9);
        uint64_t now = load_now_ns();
        left.tv_nsec = next <= now ? 0 : next - now < 1000000 ? (long)(next - now) : 1000000;
    }
    ppoll(&waiting, 1, &left, NULL);
}

double load_run_udp(struct load *load, double seconds)
{
    struct udp udp = {.spoof = load->file.queries[0].from_be != 0};
    udp_open(&udp, &load->server);
    uint64_t start = load_now_ns();
    uint64_t end = start + (uint64_t)(seconds * 1e9);
    for (;;) {
        uint64_t now = load_now_ns();
        bool over = load_over(load, now, end);
        if (over && load->awaited == 0 && now < end)
            end = now;
        if (over && (load->awaited == 0 || now > end + LOAD_LOSS_NS))
            break;
        load_reap(load, now);
        unsigned due = over ? 0 : udp_due(load, now - start);
        if (due > 0)
            udp_send(&udp, load, due);
        if (udp_receive(&udp, load) == 0 && due == 0)
            udp_wait(&udp, load, start);
    }
    close(udp.fd);
    return (double)(end - start) / 1e9;
}

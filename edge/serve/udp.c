/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/udp.h"
#include "edge/wire/edns.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define UDP_LINE 64u /* of the caches */
#define UDP_RESPONSE_ROOM ((EDNS_UDP_MAX + UDP_LINE - 1) / UDP_LINE * UDP_LINE)
/* An odd number of lines, so that the first ones of all queries, hardly more of which is ever used,
 * spread over all sets of a cache. */
#define UDP_QUERY_ROOM (UDP_QUERY_MAX + UDP_LINE)

/* Room for one IP_PKTINFO or IPV6_PKTINFO. */
union udp_control {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_batch {
    unsigned stale; /* of in[]: the kernel has changed the first ones since they were prepared */
    bool wildcard;  /* what in[] is prepared for */
    unsigned out_n; /* of out[]: responses to be sent */
    struct mmsghdr in[UDP_BATCH];
    struct mmsghdr out[UDP_BATCH];
    struct iovec in_iov[UDP_BATCH];
    struct iovec out_iov[UDP_BATCH];
    union udp_control controls[UDP_BATCH];
    struct sockaddr_in6 clients[UDP_BATCH];           /* large enough for either family */
    uint8_t responses[UDP_BATCH * UDP_RESPONSE_ROOM]; /* one behind the other, mostly short */
    uint8_t queries[UDP_BATCH][UDP_QUERY_ROOM];
};

struct udp_batch *udp_batch_new(void)
{
    struct udp_batch *batch = calloc(1, sizeof(*batch));

    if (!batch) {
        return NULL;
    }
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        batch->in_iov[i] = (struct iovec){batch->queries[i], UDP_QUERY_MAX};
        batch->in[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->clients[i],
            .msg_iov = &batch->in_iov[i],
            .msg_iovlen = 1,
        };
        batch->out[i].msg_hdr = (struct msghdr){.msg_iov = &batch->out_iov[i], .msg_iovlen = 1};
    }
    batch->stale = UDP_BATCH;
    return batch;
}

void udp_batch_free(struct udp_batch *batch)
{
    free(batch);
}

static void udp_prepare(struct udp_batch *batch, bool wildcard)
{
    if (batch->wildcard != wildcard) {
        batch->wildcard = wildcard;
        batch->stale = UDP_BATCH;
    }
    for (unsigned i = 0; i < batch->stale; i++) {
        struct msghdr *header = &batch->in[i].msg_hdr;

        header->msg_namelen = sizeof(batch->clients[i]);
        header->msg_control = wildcard ? &batch->controls[i] : NULL;
        header->msg_controllen = wildcard ? sizeof(batch->controls[i]) : 0;
    }
    batch->stale = 0;
}

/* What the kernel said about a query's destination becomes the source of its response. The
 * interface is left to the routing table, except where an address means nothing without it. */
static void udp_turn_pktinfo(struct msghdr *header)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(item), sizeof(info));
            info.ipi_ifindex = 0;
            memcpy(CMSG_DATA(item), &info, sizeof(info));
        } else if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(item), sizeof(info));
            if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
                info.ipi6_ifindex = 0;
            }
            memcpy(CMSG_DATA(item), &info, sizeof(info));
        }
    }
}

static void udp_send(struct udp_batch *batch, int fd, struct counters *counters)
{
    unsigned sent = 0;

    while (sent < batch->out_n) {
        int done = sendmmsg(fd, batch->out + sent, batch->out_n - sent, MSG_DONTWAIT);

        if (done > 0) {
            sent += (unsigned)done;
        } else if (errno != EINTR) {
            /* this one cannot be sent (no route, no buffer, source port 0): UDP may lose it, the
             * others go on */
            counter_add(&counters->plain[COUNTER_UDP_SEND_ERRORS], 1);
            sent++;
        }
    }
}

/* Puts the response to datagram `i` behind those that are to be sent. */
static void udp_respond(struct udp_batch *batch, unsigned i, bool wildcard, struct iovec response)
{
    unsigned out = batch->out_n++;
    struct msghdr *in = &batch->in[i].msg_hdr;
    struct msghdr *to = &batch->out[out].msg_hdr;

    if (wildcard) {
        udp_turn_pktinfo(in);
    }
    batch->out_iov[out] = response;
    to->msg_name = in->msg_name;
    to->msg_namelen = in->msg_namelen;
    to->msg_control = in->msg_control; /* none but on a wildcard */
    to->msg_controllen = in->msg_controllen;
}

/* Datagrams `first` to `first + n`, at most ANSWER_AHEAD. `response` is where the next response
 * goes; returns where the one after them goes. */
static uint8_t *udp_answer_some(struct udp_batch *batch, unsigned first, unsigned n, bool wildcard,
                                const struct serve_context *context, uint8_t *response)
{
    struct answer_request requests[ANSWER_AHEAD];
    unsigned of[ANSWER_AHEAD]; /* the datagram of a request */
    unsigned request_n = 0;

    for (unsigned i = first; i < first + n; i++) {
        struct answer_request *request = &requests[request_n];

        if (address_from_sockaddr((const struct sockaddr *)&batch->clients[i], &request->client,
                                  NULL) == 0) {
            request->query = batch->queries[i];
            request->query_len = batch->in[i].msg_len;
            request->transport = ANSWER_UDP;
            request->tcp_idle_ds = context->tcp_idle_ds;
            request->now_wall_s = context->now_wall_s;
            of[request_n++] = i;
        }
    }
    serve_read(context, requests, request_n);
    for (unsigned r = 0; r < request_n; r++) {
        size_t len = serve_write(context, requests, r, response, EDNS_UDP_MAX);

        if (len) {
            udp_respond(batch, of[r], wildcard, (struct iovec){response, len});
            response += (len + UDP_LINE - 1) / UDP_LINE * UDP_LINE;
        }
    }
    return response;
}

static void udp_answer(struct udp_batch *batch, int fd, unsigned n, bool wildcard,
                       const struct serve_context *context)
{
    uint8_t *response = batch->responses;

    batch->out_n = 0;
    for (unsigned first = 0; first < n; first += ANSWER_AHEAD) {
        unsigned some = n - first < ANSWER_AHEAD ? n - first : ANSWER_AHEAD;

        response = udp_answer_some(batch, first, some, wildcard, context, response);
    }
    udp_send(batch, fd, context->counters);
}

int udp_serve(struct udp_batch *batch, int fd, bool wildcard, const struct serve_context *context,
              unsigned round_max)
{
    int total = 0;

    for (unsigned round = 0; round < round_max; round++) {
        int n;

        udp_prepare(batch, wildcard);
        n = recvmmsg(fd, batch->in, UDP_BATCH, MSG_DONTWAIT, NULL);
        if (n < 0) {
            /* errors of earlier sends surface here (ICMP); they concern one client, not the socket
             */
            if (errno == EBADF || errno == ENOTSOCK) {
                return -errno;
            }
            return total;
        }
        batch->stale = (unsigned)n;
        counter_add(&context->counters->plain[COUNTER_UDP_BATCHES], 1);
        udp_answer(batch, fd, (unsigned)n, wildcard, context);
        total += n;
        if ((unsigned)n < UDP_BATCH) {
            break;
        }
    }
    return total;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The floor: a server that does nothing but receive 64 datagrams and send them back with the QR bit
 * set. What a DNS server costs beyond this is its own work; no server on ordinary sockets can cost
 * less. Usage: echo ADDRESS PORT
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 64

static int socket_open(const char *address, const char *port)
{
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int buffer = 4 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &local.sin_addr) != 1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    return bind(fd, (const struct sockaddr *)&local, sizeof local) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[BATCH][2048];
    static struct sockaddr_in peers[BATCH];
    static struct iovec vectors[BATCH];
    static struct mmsghdr messages[BATCH];
    int fd = argc == 3 ? socket_open(argv[1], argv[2]) : -1;
    if (fd < 0) {
        perror("echo ADDRESS PORT");
        return 1;
    }
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                                  .msg_namelen = sizeof peers[i],
                                                  .msg_iov = &vectors[i],
                                                  .msg_iovlen = 1};
        }
        int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < received; i++) {
            bytes[i][2] |= 0x80;
            vectors[i].iov_len = messages[i].msg_len;
        }
        for (int sent = 0; sent < received;) {
            int n = sendmmsg(fd, messages + sent, (unsigned)(received - sent), 0);
            if (n <= 0)
                break;
            sent += n;
        }
    }
}

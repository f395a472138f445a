/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast_listen.h"

#include <arpa/inet.h>
#include <string.h>

#include "edge/serve/socket.h"

struct fast_address fast_listen_key(const struct address *address)
{
    struct fast_address key = {{0}};
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

    if (address->family == ADDRESS_IPV4) {
        memcpy(bytes + 12, address->bytes, 4);
    } else {
        memcpy(bytes, address->bytes, 16);
    }
    memcpy(key.words, bytes, sizeof(bytes));
    return key;
}

/* 1: there is no place. */
static size_t fast_listen_add(struct fast_policy *policy, const struct address *address,
                              uint16_t port)
{
    struct fast_address key = fast_listen_key(address);

    return fast_listener_add(policy, &key, htons(port)) < 0;
}

/* What is named comes first: nothing a wildcard stands for takes its place. */
size_t fast_listen(const struct endpoint *listen, size_t listen_n, const struct address *own,
                   size_t own_n, struct fast_policy *policy)
{
    size_t missing = 0;

    for (size_t i = 0; i < listen_n; i++) {
        if (!socket_is_wildcard(&listen[i])) {
            missing += fast_listen_add(policy, &listen[i].address, listen[i].port);
        }
    }
    for (size_t i = 0; i < listen_n; i++) {
        for (size_t k = 0; k < own_n && socket_is_wildcard(&listen[i]); k++) {
            if (own[k].family == listen[i].address.family) {
                missing += fast_listen_add(policy, &own[k], listen[i].port);
            }
        }
    }
    return missing;
}

bool fast_listen_is_wild(const struct endpoint *listen, size_t listen_n)
{
    for (size_t i = 0; i < listen_n; i++) {
        if (socket_is_wildcard(&listen[i])) {
            return true;
        }
    }
    return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whatever ExaBGP says, in whatever pieces and at whatever time: the conversation never sends a
 * command while another one is waited for, never one that is not its own, and never announces what
 * is not wished.
 *
 * Input: first byte, what is wished; then groups of {milliseconds / 10, number of bytes, bytes}.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/speak/exabgp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void on_event(void *context, const struct exabgp_event *event)
{
    (void)context;
    must(event->detail != NULL && event->route < 2);
}

static void commands_take(struct exabgp *exabgp, int64_t now_ns, const enum route_wish wishes[2])
{
    char line[ROUTE_COMMAND_LEN];
    size_t len;

    while ((len = exabgp_command(exabgp, now_ns, line)) > 0) {
        must(len < sizeof(line) && line[len - 1] == '\n' && !memchr(line, '\n', len - 1));
        must(exabgp_in_flight(exabgp));
        if (strncmp(line, "announce ", 9) == 0) {
            must(exabgp_aligned(exabgp));
            must(wishes[strstr(line, "192.0.2.53") ? 0 : 1] == ROUTE_ANNOUNCE);
        } else if (strncmp(line, "withdraw ", 9) == 0) {
            must(wishes[strstr(line, "192.0.2.53") ? 0 : 1] == ROUTE_WITHDRAW);
        } else {
            must(strncmp(line, "show ", 5) == 0 || strncmp(line, "flush ", 6) == 0);
        }
        must(exabgp_command(exabgp, now_ns, line) == 0);
    }
    must(exabgp_deadline_ns(exabgp, now_ns) > now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct route routes[2] = {0};
    enum route_wish wishes[2];
    struct exabgp *exabgp;
    int64_t now_ns = CLOCK_NS_PER_S;

    if (len < 1) {
        return 0;
    }
    must(prefix_parse("192.0.2.53/32", true, &routes[0].prefix) == 0);
    must(prefix_parse("2001:db8::53/128", true, &routes[1].prefix) == 0);
    routes[0].attributes.next_hop_self = routes[1].attributes.next_hop_self = true;
    exabgp = exabgp_new(routes, 2, on_event, NULL, now_ns);
    must(exabgp != NULL);
    for (size_t i = 0; i < 2; i++) {
        wishes[i] = (enum route_wish)((bytes[0] >> (2 * i) & 3) % 3);
        exabgp_want(exabgp, i, wishes[i], &routes[i].attributes);
    }
    commands_take(exabgp, now_ns, wishes);
    for (size_t at = 1; at + 2 <= len;) {
        const size_t left = len - at - 2;
        const size_t part = bytes[at + 1] < left ? bytes[at + 1] : left;

        now_ns += (int64_t)bytes[at] * 10 * CLOCK_NS_PER_MS;
        exabgp_receive(exabgp, bytes + at + 2, part, now_ns);
        commands_take(exabgp, now_ns, wishes);
        at += 2 + part;
    }
    exabgp_free(exabgp);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A route as values, and the ExaBGP 4.2 API commands made from it. ExaBGP recognises commands by
 * substring, so no text of an operator or a peer may ever reach a command line: every byte here
 * comes from a number or a parsed address.
 */
#ifndef BGP_ROUTE_H
#define BGP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define ROUTE_COMMUNITIES_MAX 16
#define ROUTE_AS_PATH_MAX 16
#define ROUTE_COMMAND_LEN 1536 /* longest command with its newline and NUL */

/* What should be done with a route. */
enum route_wish {
    ROUTE_HOLD, /* leave it as it is, whatever that may be */
    ROUTE_ANNOUNCE,
    ROUTE_WITHDRAW,
};

struct route_community {
    uint16_t high, low; /* "high:low", RFC 1997 */
};

struct route_large_community {
    uint32_t global, local1, local2; /* RFC 8092 */
};

struct route_attributes {
    bool next_hop_self;
    struct address next_hop; /* when not self */
    bool has_med;
    uint32_t med;
    size_t communities_n;
    struct route_community communities[ROUTE_COMMUNITIES_MAX];
    size_t large_communities_n;
    struct route_large_community large_communities[ROUTE_COMMUNITIES_MAX];
    size_t as_path_n; /* 0: ExaBGP's own. Otherwise the whole path, our own AS included: it is sent
                         as written */
    uint32_t as_path[ROUTE_AS_PATH_MAX];
};

struct route {
    struct prefix prefix;
    struct route_attributes attributes;
};

/* What is wanted of one route: with ROUTE_ANNOUNCE, with these attributes and no others. */
struct want {
    enum route_wish wish;
    struct route_attributes attributes;
};

/* Whether a peer would be told the same. Communities are sets: ExaBGP sorts them. */
bool route_attributes_equal(const struct route_attributes *a, const struct route_attributes *b);

/* "hold", "announce", "withdraw". */
const char *route_wish_name(enum route_wish wish);

/* One command line with its newline; the length without the NUL. */
size_t route_announce_command(const struct route *route, char ret_line[static ROUTE_COMMAND_LEN]);
size_t route_withdraw_command(const struct route *route, char ret_line[static ROUTE_COMMAND_LEN]);

#endif

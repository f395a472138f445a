/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Per route: what is wished, what ExaBGP acknowledged, what its table was seen to hold, and when a
 * failed change may be tried again. Pure.
 */
#ifndef BGP_EXABGP_TABLE_H
#define BGP_EXABGP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgp/speak/route.h"

enum exabgp_known {
    EXABGP_KNOWN_NOTHING,
    EXABGP_KNOWN_ANNOUNCED, /* our announcement was acknowledged */
    EXABGP_KNOWN_FOUND,     /* ExaBGP holds it, but not by our word, or not for every neighbor */
    EXABGP_KNOWN_WITHDRAWN, /* our withdrawal was acknowledged, or ExaBGP was seen not to hold it */
};

/* What routers send back to us, if any do. */
enum exabgp_seen {
    EXABGP_SEEN_UNKNOWN,
    EXABGP_SEEN_YES,
    EXABGP_SEEN_NO, /* although it is announced */
};

struct exabgp_route_status {
    enum route_wish wish;
    enum exabgp_known known;
    bool current;        /* announced, and with the attributes that are wanted now */
    bool read;           /* the table was read since we started */
    uint32_t holders_n;  /* neighbors whose table held it when last read */
    uint32_t failures_n; /* commands refused or without effect, in a row */
    int64_t known_ns;    /* when `known` was last set */
    enum exabgp_seen seen;
};

struct exabgp_table_entry {
    struct route route;                   /* its attributes: as wanted */
    struct route_attributes acknowledged; /* while EXABGP_KNOWN_ANNOUNCED */
    struct exabgp_route_status status;
    uint32_t reading_n;   /* holders counted while the table is being read */
    bool reading_differs; /* one of them holds it with other attributes than the acknowledged */
    uint32_t seeing_n;    /* the same for what comes back from routers */
    int64_t retry_ns;     /* no command before */
    bool blind;       /* withdrawn without a recognisable reply, since this was last forgotten */
    int64_t blind_ns; /* the first such withdrawal not confirmed yet; 0: none */
};

struct exabgp_table {
    size_t count;       /* the routes, and behind them those that are on their way out */
    size_t named_n;     /* without those */
    uint64_t foreign_n; /* routes read that are not in it */
    struct exabgp_table_entry *entries;
};

enum exabgp_finding {
    EXABGP_FINDING_NONE,
    EXABGP_FINDING_MISMATCH,  /* acknowledged, but the table says otherwise */
    EXABGP_FINDING_DIFFERENT, /* the same, and only of its attributes */
    EXABGP_FINDING_WITHDRAWN, /* a withdrawal nobody could acknowledge turns out to be done */
};

/* -ENOMEM or 0. `routes` is copied. */
int exabgp_table_init(struct exabgp_table *table, const struct route *routes, size_t routes_n,
                      int64_t now_ns);

/* Other routes from now on, see exabgp_routes(). *route, an index, follows its route. */
int exabgp_table_routes(struct exabgp_table *table, const struct route *routes, size_t routes_n,
                        size_t *route, int64_t now_ns);

/* `attributes` matter only with ROUTE_ANNOUNCE and may be NULL otherwise. */
void exabgp_table_want(struct exabgp_table *table, size_t route, enum route_wish wish,
                       const struct route_attributes *attributes);

/* The change this route needs now; ROUTE_HOLD if none. */
enum route_wish exabgp_table_need(const struct exabgp_table_entry *entry);

/* The first route that needs this change and may have it; `count` if none. */
size_t exabgp_table_next(const struct exabgp_table *table, enum route_wish need, int64_t now_ns);

/* The first that needs a withdrawal and had no blind one yet, due by `by_ns` if that is not
 * INT64_MAX; `count` if none. */
size_t exabgp_table_next_blind(const struct exabgp_table *table, int64_t by_ns);

void exabgp_table_set_known(struct exabgp_table *table, size_t route, enum exabgp_known known,
                            int64_t now_ns);

/* An announcement with these attributes was acknowledged. */
void exabgp_table_set_announced(struct exabgp_table *table, size_t route,
                                const struct route_attributes *attributes, int64_t now_ns);

/* A withdrawal was sent whose reply will prove nothing. */
void exabgp_table_set_blind(struct exabgp_table *table, size_t route, int64_t now_ns);
void exabgp_table_forget_blind(struct exabgp_table *table);

/* A change was refused or had no effect: later, and later each time. True for the first in a row.
 */
bool exabgp_table_fail(struct exabgp_table *table, size_t route, int64_t now_ns);

/* A neighbor appeared that has not heard our announcements: they are due again. */
void exabgp_table_announce_anew(struct exabgp_table *table, int64_t now_ns);

/* Reading ExaBGP's table: start, every prefix found, then what it means for each route. */
void exabgp_table_read_start(struct exabgp_table *table);
/* NULL: attributes that cannot be ours. */
void exabgp_table_read_add(struct exabgp_table *table, const struct prefix *prefix,
                           const struct route_attributes *attributes);
enum exabgp_finding exabgp_table_read_apply(struct exabgp_table *table, size_t route,
                                            int64_t now_ns);

/* A prefix that came back from a router. */
void exabgp_table_see(struct exabgp_table *table, const struct prefix *prefix);

/* When the next change that has to wait is due; INT64_MAX if none. Announcements count only if they
 * are allowed at all. */
int64_t exabgp_table_deadline_ns(const struct exabgp_table *table, bool announcing);

void exabgp_table_done(struct exabgp_table *table);

/* 1, 2, 4, ... at most 30 seconds. */
int64_t exabgp_backoff_ns(uint32_t failures_n);

#endif

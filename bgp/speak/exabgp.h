/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The conversation with ExaBGP 4.2 over its pipe, as a pure state machine: bytes in, at most one
 * command out, time as an argument (monotonic nanoseconds). It makes the wished state of each route
 * so and proves it, whatever gets lost.
 *
 * Facts it is built on (all observed with ExaBGP 4.2.21):
 *   - Two changes of one route in one batch may reach the peer in the wrong order, so there is
 * never more than one command in flight, and only the latest wish of a route is ever sent.
 *   - "done" means stored in ExaBGP's table, not sent to a peer; a reply may be missing for ever;
 * replies carry no id. So every wait has a deadline, every change is read back with `show adj-rib
 * out extensive`, and after anything odd replies count for nothing until we are aligned again:
 * `show neighbor summary` has a first line nothing else prints, so the reply behind it is certainly
 * its own.
 *   - A process before us may have announced and died, and its replies may arrive here: we start
 * not aligned.
 *
 * What is wished, acknowledged, held by ExaBGP and the sessions are four states and are kept apart.
 * Nothing is announced before the sessions were looked at, nor while one of them has
 * graceful-restart, unless that is allowed. When it has been quiet for a while ExaBGP is asked for
 * its version, which shows that it is alive.
 *
 * A withdrawal does not wait for alignment: repeating one is harmless, sending one late is not.
 */
#ifndef BGP_EXABGP_H
#define BGP_EXABGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "bgp/speak/exabgp_line.h"
#include "bgp/speak/exabgp_neighbors.h"
#include "bgp/speak/exabgp_sessions.h"
#include "bgp/speak/exabgp_table.h"
#include "bgp/speak/route.h"

#define EXABGP_LOOP_PEERS_MAX 8

/* What may differ from one configuration to the next. */
struct exabgp_options {
    bool graceful_restart; /* announce even if a session has it */
    /* The closed loop: sessions on which routers send our routes back to us. */
    size_t loop_peers_n; /* 0: there is none */
    struct address loop_peers[EXABGP_LOOP_PEERS_MAX];
    int64_t loop_wait_ns;     /* a change may take so long to come back */
    int64_t loop_interval_ns; /* between two looks */
    /* Part of every announcement of ours, so that it can be told from that of another PoP. */
    bool has_instance;
    struct route_large_community instance;
};

struct exabgp_counters {
    uint64_t commands, acknowledged, refused, timeouts, strays, events, bad_lines, mismatches;
    uint64_t lost;    /* routes that a closed loop did not show, per look */
    uint64_t repairs; /* times everything was sent again because of that */
};

enum exabgp_event_kind {
    EXABGP_EVENT_SESSION, /* peer, session, detail */
    EXABGP_EVENT_SYNCED, /* the table was read for the first time; count = routes in it that are not
                            ours */
    EXABGP_EVENT_ACKNOWLEDGED, /* route, wish, elapsed_ns; or seen in the table, where no reply
                                  could be told apart */
    EXABGP_EVENT_REFUSED,      /* route, wish; once per row of failures */
    EXABGP_EVENT_MISMATCH,     /* route, wish: acknowledged, yet the table says otherwise; once per
                                  row */
    EXABGP_EVENT_DIFFERENT,    /* route: announced, and held with other attributes; once per row */
    EXABGP_EVENT_TIMEOUT,      /* detail: the command; once until aligned again */
    EXABGP_EVENT_NO_REPLIES,   /* lines come but no "done": exabgp.api.ack is off; once */
    EXABGP_EVENT_VERSION,      /* detail; once, and if it changes */
    EXABGP_EVENT_GRACEFUL,     /* peer: has graceful-restart; count = 1 if that is allowed; once */
    EXABGP_EVENT_TABLELESS,    /* peer: has adj-rib-out false; once */
    EXABGP_EVENT_LOST,         /* route: announced, and not seen in the closed loop; once */
    EXABGP_EVENT_SEEN,         /* route: seen again */
    EXABGP_EVENT_LINGERS,      /* route: withdrawn, and still seen in the closed loop */
    EXABGP_EVENT_SHUTDOWN,     /* ExaBGP says that it is stopping */
};

struct exabgp_event {
    enum exabgp_event_kind kind;
    size_t route;         /* index */
    struct prefix prefix; /* of that route */
    enum route_wish wish;
    enum exabgp_session session;
    struct address peer;
    uint64_t count;
    int64_t elapsed_ns;
    const char *detail; /* "" if none; valid during the call */
};

typedef void exabgp_notify(void *context, const struct exabgp_event *event);

struct exabgp;

/* `routes` is copied; nothing is wanted of them yet. `notify` may not call back into this object.
 * NULL when out of memory. */
struct exabgp *exabgp_new(const struct route *routes, size_t routes_n, exabgp_notify *notify,
                          void *context, int64_t now_ns);

/* Copied. Without it: the zero value. */
void exabgp_configure(struct exabgp *exabgp, const struct exabgp_options *options);

/* Other routes from now on. Those that stay keep their state; those that go are withdrawn if they
 * were wanted, and then forgotten. -ENOMEM, and nothing changed, or 0. */
int exabgp_routes(struct exabgp *exabgp, const struct route *routes, size_t routes_n,
                  int64_t now_ns);

/* Makes it so. Other attributes than before are a new announcement. `attributes` is copied; it
 * matters only with ROUTE_ANNOUNCE and may be NULL otherwise. */
void exabgp_want(struct exabgp *exabgp, size_t route, enum route_wish wish,
                 const struct route_attributes *attributes);

/* Bytes from ExaBGP, cut anywhere. */
void exabgp_receive(struct exabgp *exabgp, const void *bytes, size_t len, int64_t now_ns);

/* Handles what is overdue and gives the next command to write, with its newline, or 0. Call it
 * after every other call, until it gives 0, and no later than exabgp_deadline_ns(). What it gives
 * must be written whole, in order. */
size_t exabgp_command(struct exabgp *exabgp, int64_t now_ns,
                      char ret_line[static ROUTE_COMMAND_LEN]);

int64_t exabgp_deadline_ns(const struct exabgp *exabgp, int64_t now_ns);

/* True while a command waits for its reply. */
bool exabgp_in_flight(const struct exabgp *exabgp);

/* True when every reply can be told apart; false at the start and after anything odd. */
bool exabgp_aligned(const struct exabgp *exabgp);

/* When ExaBGP last said anything. */
int64_t exabgp_heard_ns(const struct exabgp *exabgp);

struct exabgp_route_status exabgp_route_status(const struct exabgp *exabgp, size_t route);
const struct exabgp_sessions *exabgp_sessions(const struct exabgp *exabgp);
const struct exabgp_counters *exabgp_counters(const struct exabgp *exabgp);

/* "unknown", "announced", "found", "withdrawn" and "down", "connected", "up". */
const char *exabgp_known_name(enum exabgp_known known);
const char *exabgp_seen_name(enum exabgp_seen seen); /* "unknown", "yes", "no" */
const char *exabgp_session_name(enum exabgp_session session);

void exabgp_free(struct exabgp *exabgp);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Alignment. While not aligned, a "done" may belong to any command ever sent on this pipe. Each
 * `show neighbor summary` ("marker") prints a header line of its own, and ExaBGP serves these
 * commands in order; once as many headers came as markers were sent, the next reply is the last
 * marker's and nothing older is left in the pipe. If a header should be lost for good, a silence of
 * SILENCE_NS before the next marker starts the count anew; should the lost one turn up after all, a
 * header nobody waits for takes us out of alignment again.
 */
#include "bgp/speak/exabgp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define REPLY_NS CLOCK_NS_PER_S
#define SILENCE_NS (5 * CLOCK_NS_PER_S)
#define REALIGN_NS (100 * CLOCK_NS_PER_MS)
/* The table is read again this often; that also proves that ExaBGP is alive. */
#define VERIFY_NS (60 * CLOCK_NS_PER_S)
/* When it has said nothing for so long it is asked whether it is there. */
#define PING_NS (10 * CLOCK_NS_PER_S)
/* Between repairs: 10, 20, 40, ... at most 300 seconds. */
#define REPAIR_FACTOR 10
/* Between withdrawals whose replies prove nothing. */
#define BLIND_NS (50 * CLOCK_NS_PER_MS)
/* A withdrawal waits this long for a command that only asks. */
#define URGENT_NS (200 * CLOCK_NS_PER_MS)
/* Markers whose header came and whose reply did not, before we say so. */
#define NO_REPLIES_AFTER 3

enum command {
    COMMAND_NONE,
    COMMAND_ANNOUNCE,
    COMMAND_WITHDRAW,
    COMMAND_MARKER,
    COMMAND_READ,
    COMMAND_FLUSH,
    COMMAND_NEIGHBORS,
    COMMAND_LOOP,
    COMMAND_PING,
};

struct exabgp {
    exabgp_notify *notify;
    void *context;

    enum command in_flight;
    size_t in_flight_route;
    struct route_attributes in_flight_attributes;
    int64_t sent_ns;
    int64_t reply_ns; /* deadline */

    bool aligned;
    bool header_seen; /* of the marker in flight */
    bool timeout_told, no_replies_told;
    uint32_t markers_n, headers_n; /* since we were last aligned */
    uint32_t marker_failures_n;
    uint32_t replies_missing_n;
    int64_t marker_ns; /* no marker before */
    int64_t heard_ns;  /* last line that was no event */

    bool read;         /* the table was read once */
    bool read_aligned; /* and since we were last aligned */
    bool read_due, flush_due;
    int64_t verify_ns;

    struct exabgp_options options;
    struct exabgp_neighbors neighbors;
    bool neighbors_due;
    bool neighbors_read; /* at least once */
    bool refusing;       /* to announce: a session has graceful-restart */
    bool graceful_told, tableless_told;
    char version[EXABGP_DETAIL_LEN];

    int64_t loop_ns;    /* look at the closed loop then */
    int64_t repair_ns;  /* no repair before */
    uint32_t repairs_n; /* in a row */

    struct exabgp_counters counters;
    struct exabgp_sessions sessions;
    size_t peers_n; /* that had a session up or were known when one came up */
    struct exabgp_table table;

    size_t line_len;
    bool line_too_long;
    char line[EXABGP_LINE_LEN];
};

static void tell(struct exabgp *exabgp, struct exabgp_event event)
{
    if (!event.detail) {
        event.detail = "";
    }
    if (event.route < exabgp->table.count) {
        event.prefix = exabgp->table.entries[event.route].route.prefix;
    }
    exabgp->notify(exabgp->context, &event);
}

static void tell_route(struct exabgp *exabgp, enum exabgp_event_kind kind, size_t route,
                       enum route_wish wish, int64_t elapsed_ns)
{
    tell(exabgp, (struct exabgp_event){
                     .kind = kind, .route = route, .wish = wish, .elapsed_ns = elapsed_ns});
}

/* ---- sessions ---- */

static void session_changed(struct exabgp *exabgp, const struct address *peer,
                            enum exabgp_session session, const char *detail, int64_t now_ns)
{
    tell(exabgp,
         (struct exabgp_event){
             .kind = EXABGP_EVENT_SESSION, .session = session, .peer = *peer, .detail = detail});
    exabgp->neighbors_due = exabgp->neighbors_due || session == EXABGP_SESSION_UP;
    /* ExaBGP gives a neighbor that its configuration was extended by an empty table. */
    if (session == EXABGP_SESSION_UP && exabgp->sessions.count > exabgp->peers_n) {
        exabgp->peers_n = exabgp->sessions.count;
        exabgp_table_announce_anew(&exabgp->table, now_ns);
    }
}

static void summary_finish(struct exabgp *exabgp, int64_t now_ns)
{
    const struct exabgp_session_status *missing;

    while ((missing = exabgp_sessions_next_missing(&exabgp->sessions, now_ns))) {
        session_changed(exabgp, &missing->peer, EXABGP_SESSION_DOWN, "not in the summary", now_ns);
    }
}

/* ---- the table ---- */

static void route_fail(struct exabgp *exabgp, size_t route, enum exabgp_event_kind kind,
                       int64_t now_ns)
{
    if (exabgp_table_fail(&exabgp->table, route, now_ns)) {
        tell_route(exabgp, kind, route, exabgp->table.entries[route].status.wish, 0);
    }
}

/* Compares what ExaBGP holds with what it acknowledged. */
static void read_apply(struct exabgp *exabgp, size_t route, int64_t now_ns)
{
    struct exabgp_table_entry *entry = &exabgp->table.entries[route];

    switch (exabgp_table_read_apply(&exabgp->table, route, now_ns)) {
    case EXABGP_FINDING_NONE:
        break;
    case EXABGP_FINDING_MISMATCH:
        exabgp->counters.mismatches++;
        route_fail(exabgp, route, EXABGP_EVENT_MISMATCH, now_ns);
        break;
    case EXABGP_FINDING_DIFFERENT:
        exabgp->counters.mismatches++;
        route_fail(exabgp, route, EXABGP_EVENT_DIFFERENT, now_ns);
        break;
    case EXABGP_FINDING_WITHDRAWN:
        tell_route(exabgp, EXABGP_EVENT_ACKNOWLEDGED, route, ROUTE_WITHDRAW,
                   now_ns - entry->blind_ns);
        break;
    }
    entry->blind_ns = 0;
}

static void read_finish(struct exabgp *exabgp, int64_t now_ns)
{
    const bool first = !exabgp->read;

    exabgp->read = true;
    exabgp->read_aligned = true;
    exabgp->read_due = false;
    exabgp->verify_ns = now_ns + VERIFY_NS;
    exabgp->neighbors_due = exabgp->neighbors_due || exabgp->refusing;
    for (size_t i = 0; i < exabgp->table.count; i++) {
        read_apply(exabgp, i, now_ns);
    }
    if (first) {
        tell(exabgp,
             (struct exabgp_event){.kind = EXABGP_EVENT_SYNCED, .count = exabgp->table.foreign_n});
    }
}

/* ---- alignment ---- */

static void alignment_lose(struct exabgp *exabgp, int64_t now_ns, int64_t retry_ns)
{
    if (exabgp->in_flight == COMMAND_ANNOUNCE || exabgp->in_flight == COMMAND_WITHDRAW) {
        exabgp_table_set_known(&exabgp->table, exabgp->in_flight_route, EXABGP_KNOWN_NOTHING,
                               now_ns);
    }
    exabgp->aligned = false;
    exabgp->in_flight = COMMAND_NONE;
    exabgp->read_due = true;
    exabgp->marker_ns = retry_ns;
    exabgp_table_forget_blind(&exabgp->table);
}

static void alignment_gain(struct exabgp *exabgp)
{
    exabgp->aligned = true;
    exabgp->in_flight = COMMAND_NONE;
    exabgp->markers_n = 0;
    exabgp->headers_n = 0;
    exabgp->marker_failures_n = 0;
    exabgp->replies_missing_n = 0;
    exabgp->timeout_told = false;
    exabgp->read_aligned = false;
    exabgp->read_due = true;
    exabgp->flush_due = true;
    exabgp->neighbors_due = true;
    exabgp_table_forget_blind(&exabgp->table);
}

/* ---- what the sessions are like ---- */

static void neighbors_finish(struct exabgp *exabgp)
{
    const struct exabgp_neighbors *neighbors = &exabgp->neighbors;
    const bool allowed = exabgp->options.graceful_restart;

    exabgp->neighbors_due = false;
    exabgp->neighbors_read = true;
    exabgp->refusing = neighbors->graceful_n > 0 && !allowed;
    if (neighbors->graceful_n > 0 && !exabgp->graceful_told) {
        tell(exabgp, (struct exabgp_event){.kind = EXABGP_EVENT_GRACEFUL,
                                           .peer = neighbors->graceful,
                                           .count = allowed});
    }
    if (neighbors->tableless_n > 0 && !exabgp->tableless_told) {
        tell(exabgp,
             (struct exabgp_event){.kind = EXABGP_EVENT_TABLELESS, .peer = neighbors->tableless});
    }
    exabgp->graceful_told = neighbors->graceful_n > 0;
    exabgp->tableless_told = neighbors->tableless_n > 0;
}

static bool may_announce(const struct exabgp *exabgp)
{
    return exabgp->read_aligned && exabgp->neighbors_read && !exabgp->refusing;
}

/* ---- the closed loop ---- */

static bool loop_has(const struct exabgp *exabgp, const struct address *peer)
{
    for (size_t i = 0; i < exabgp->options.loop_peers_n; i++) {
        if (address_compare(&exabgp->options.loop_peers[i], peer) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a session of the loop is up; ADDRESS_NONE: of any family. */
static bool loop_is_up(const struct exabgp *exabgp, uint8_t family)
{
    for (size_t i = 0; i < exabgp->sessions.count; i++) {
        const struct exabgp_session_status *session = &exabgp->sessions.list[i];

        if (session->session == EXABGP_SESSION_UP && loop_has(exabgp, &session->peer) &&
            (family == ADDRESS_NONE || session->peer.family == family)) {
            return true;
        }
    }
    return false;
}

static bool is_ours(const struct exabgp *exabgp, const struct exabgp_line *line)
{
    const struct route_large_community *ours = &exabgp->options.instance;

    for (size_t i = 0; i < line->attributes.large_communities_n; i++) {
        const struct route_large_community *theirs = &line->attributes.large_communities[i];

        if (theirs->global == ours->global && theirs->local1 == ours->local1 &&
            theirs->local2 == ours->local2) {
            return true;
        }
    }
    return !exabgp->options.has_instance;
}

static void loop_line(struct exabgp *exabgp, const struct exabgp_line *line)
{
    if (loop_has(exabgp, &line->peer) && is_ours(exabgp, line)) {
        exabgp_table_see(&exabgp->table, &line->prefix);
    }
}

/* Withdrawn, and yet it comes back with our mark: the withdrawal got lost. */
static void loop_linger(struct exabgp *exabgp, size_t route, int64_t now_ns)
{
    const struct exabgp_table_entry *entry = &exabgp->table.entries[route];

    if (exabgp->options.has_instance && entry->seeing_n > 0 &&
        entry->status.wish == ROUTE_WITHDRAW && entry->status.known == EXABGP_KNOWN_WITHDRAWN) {
        tell_route(exabgp, EXABGP_EVENT_LINGERS, route, ROUTE_WITHDRAW, 0);
        exabgp_table_set_known(&exabgp->table, route, EXABGP_KNOWN_NOTHING, now_ns);
    }
}

/* True if the route is lost. What was changed a moment ago is still on its way. */
static bool loop_compare(struct exabgp *exabgp, size_t route, int64_t now_ns)
{
    struct exabgp_table_entry *entry = &exabgp->table.entries[route];
    struct exabgp_route_status *status = &entry->status;
    const enum exabgp_seen before = status->seen;

    status->seen = EXABGP_SEEN_UNKNOWN;
    if (now_ns - status->known_ns < exabgp->options.loop_wait_ns ||
        !loop_is_up(exabgp, entry->route.prefix.address.family)) {
        return false;
    }
    if (!status->current) {
        loop_linger(exabgp, route, now_ns);
        return false;
    }
    status->seen = entry->seeing_n > 0 ? EXABGP_SEEN_YES : EXABGP_SEEN_NO;
    if (status->seen == EXABGP_SEEN_NO && before != EXABGP_SEEN_NO) {
        tell_route(exabgp, EXABGP_EVENT_LOST, route, ROUTE_ANNOUNCE, 0);
    } else if (status->seen == EXABGP_SEEN_YES && before == EXABGP_SEEN_NO) {
        tell_route(exabgp, EXABGP_EVENT_SEEN, route, ROUTE_ANNOUNCE, 0);
    }
    return status->seen == EXABGP_SEEN_NO;
}

/* A route that ExaBGP holds and a router lacks is sent again with all others, more and more rarely
 * if that does not help. */
static void loop_finish(struct exabgp *exabgp, int64_t now_ns)
{
    bool lost = false;

    exabgp->loop_ns = now_ns + exabgp->options.loop_interval_ns;
    for (size_t i = 0; i < exabgp->table.named_n; i++) {
        if (loop_compare(exabgp, i, now_ns)) {
            exabgp->counters.lost++;
            lost = true;
        }
    }
    if (!lost) {
        exabgp->repairs_n = 0;
    } else if (now_ns >= exabgp->repair_ns) {
        exabgp->counters.repairs++;
        exabgp->flush_due = true;
        exabgp->repair_ns = now_ns + REPAIR_FACTOR * exabgp_backoff_ns(exabgp->repairs_n++);
    }
}

/* ---- replies ---- */

static void reply_stray(struct exabgp *exabgp, int64_t now_ns)
{
    exabgp->counters.strays++;
    alignment_lose(exabgp, now_ns, now_ns + REALIGN_NS);
}

static void reply_change(struct exabgp *exabgp, bool ok, int64_t now_ns)
{
    const size_t route = exabgp->in_flight_route;
    const bool announce = exabgp->in_flight == COMMAND_ANNOUNCE;

    exabgp->in_flight = COMMAND_NONE;
    exabgp->read_due = true;
    if (!ok) {
        exabgp->counters.refused++;
        route_fail(exabgp, route, EXABGP_EVENT_REFUSED, now_ns);
        return;
    }
    exabgp->counters.acknowledged++;
    if (announce) {
        exabgp_table_set_announced(&exabgp->table, route, &exabgp->in_flight_attributes, now_ns);
    } else {
        exabgp_table_set_known(&exabgp->table, route, EXABGP_KNOWN_WITHDRAWN, now_ns);
    }
    tell_route(exabgp, EXABGP_EVENT_ACKNOWLEDGED, route, announce ? ROUTE_ANNOUNCE : ROUTE_WITHDRAW,
               now_ns - exabgp->sent_ns);
}

static void reply_unaligned(struct exabgp *exabgp, bool ok, int64_t now_ns)
{
    if (exabgp->in_flight == COMMAND_MARKER && exabgp->header_seen && ok &&
        exabgp->headers_n >= exabgp->markers_n) {
        summary_finish(exabgp, now_ns);
        alignment_gain(exabgp);
    } else if (exabgp->in_flight == COMMAND_WITHDRAW) {
        exabgp->in_flight = COMMAND_NONE; /* perhaps its own reply, perhaps not: proves nothing */
    } else {
        exabgp->counters.strays++;
        if (exabgp->in_flight == COMMAND_NONE) { /* it talks again: no reason to wait longer */
            exabgp->marker_failures_n = 0;
            exabgp->marker_ns = now_ns;
        }
    }
}

static void reply_receive(struct exabgp *exabgp, bool ok, int64_t now_ns)
{
    if (!exabgp->aligned) {
        reply_unaligned(exabgp, ok, now_ns);
        return;
    }
    switch (exabgp->in_flight) {
    case COMMAND_NONE:
    case COMMAND_MARKER: /* is only sent while not aligned */
        reply_stray(exabgp, now_ns);
        return;
    case COMMAND_ANNOUNCE:
    case COMMAND_WITHDRAW:
        reply_change(exabgp, ok, now_ns);
        return;
    case COMMAND_READ:
        exabgp->in_flight = COMMAND_NONE;
        if (ok) {
            read_finish(exabgp, now_ns);
        } else {
            reply_stray(exabgp, now_ns);
        }
        return;
    case COMMAND_FLUSH: /* an error only says that no session is up; the next one will be sent
                           everything */
        exabgp->in_flight = COMMAND_NONE;
        exabgp->flush_due = false;
        return;
    case COMMAND_NEIGHBORS:
        exabgp->in_flight = COMMAND_NONE;
        neighbors_finish(exabgp);
        return;
    case COMMAND_LOOP:
        exabgp->in_flight = COMMAND_NONE;
        loop_finish(exabgp, now_ns);
        return;
    case COMMAND_PING:
        exabgp->in_flight = COMMAND_NONE;
        return;
    }
}

static void header_receive(struct exabgp *exabgp, int64_t now_ns)
{
    if (exabgp->aligned) {
        reply_stray(exabgp, now_ns); /* a marker given up long ago is answered now */
        return;
    }
    if (exabgp->headers_n < exabgp->markers_n) {
        exabgp->headers_n++;
    }
    if (exabgp->in_flight == COMMAND_MARKER) {
        exabgp->header_seen = true;
        exabgp->reply_ns = now_ns + REPLY_NS;
        exabgp_sessions_start(&exabgp->sessions);
    }
}

static void line_receive(struct exabgp *exabgp, int64_t now_ns)
{
    struct exabgp_line line;

    exabgp_line_parse(exabgp->line, exabgp->line_len, &line);
    switch (line.kind) {
    case EXABGP_LINE_SESSION:
        exabgp->counters.events++;
        if (exabgp_sessions_set(&exabgp->sessions, &line.peer, line.session, now_ns)) {
            session_changed(exabgp, &line.peer, line.session, line.detail, now_ns);
        }
        return;
    case EXABGP_LINE_SHUTDOWN:
        exabgp->counters.events++;
        tell(exabgp, (struct exabgp_event){.kind = EXABGP_EVENT_SHUTDOWN});
        return;
    case EXABGP_LINE_EVENT:
        exabgp->counters.events++;
        return;
    case EXABGP_LINE_BAD_EVENT:
        exabgp->counters.bad_lines++;
        return;
    case EXABGP_LINE_DONE:
    case EXABGP_LINE_ERROR:
        reply_receive(exabgp, line.kind == EXABGP_LINE_DONE, now_ns);
        break;
    case EXABGP_LINE_SUMMARY_HEADER:
        header_receive(exabgp, now_ns);
        break;
    case EXABGP_LINE_SUMMARY_PEER:
        if (exabgp->in_flight == COMMAND_MARKER && exabgp->header_seen) {
            exabgp->reply_ns = now_ns + REPLY_NS;
            if (exabgp_sessions_listed(&exabgp->sessions, &line.peer, now_ns)) {
                session_changed(exabgp, &line.peer, EXABGP_SESSION_UP, "", now_ns);
            }
        }
        break;
    case EXABGP_LINE_RIB_ROUTE:
        if (exabgp->in_flight == COMMAND_READ) {
            exabgp->reply_ns = now_ns + REPLY_NS; /* a long table takes its time */
            exabgp_table_read_add(&exabgp->table, &line.prefix,
                                  line.attributes_read ? &line.attributes : NULL);
        } else if (exabgp->in_flight == COMMAND_LOOP) {
            exabgp->reply_ns = now_ns + REPLY_NS;
            loop_line(exabgp, &line);
        }
        break;
    case EXABGP_LINE_VERSION:
        if (strcmp(exabgp->version, line.detail) != 0) {
            memcpy(exabgp->version, line.detail, sizeof(exabgp->version));
            tell(exabgp,
                 (struct exabgp_event){.kind = EXABGP_EVENT_VERSION, .detail = exabgp->version});
        }
        break;
    case EXABGP_LINE_OTHER:
        if (exabgp->in_flight == COMMAND_NEIGHBORS) {
            exabgp->reply_ns = now_ns + REPLY_NS;
            exabgp_neighbors_line(&exabgp->neighbors, exabgp->line, exabgp->line_len);
        }
        break;
    }
    exabgp->heard_ns = now_ns;
}

void exabgp_receive(struct exabgp *exabgp, const void *bytes, size_t len, int64_t now_ns)
{
    const char *text = bytes;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            if (exabgp->line_too_long) {
                exabgp->counters.bad_lines++;
            } else {
                line_receive(exabgp, now_ns);
            }
            exabgp->line_len = 0;
            exabgp->line_too_long = false;
        } else if (exabgp->line_len == sizeof(exabgp->line)) {
            exabgp->line_too_long = true;
        } else {
            exabgp->line[exabgp->line_len++] = text[i];
        }
    }
}

/* ---- commands ---- */

static const char *command_name(enum command command)
{
    switch (command) {
    case COMMAND_NONE:
        return "nothing";
    case COMMAND_ANNOUNCE:
        return "announce route";
    case COMMAND_WITHDRAW:
        return "withdraw route";
    case COMMAND_MARKER:
        return "show neighbor summary";
    case COMMAND_READ:
        return "show adj-rib out extensive";
    case COMMAND_FLUSH:
        return "flush adj-rib out";
    case COMMAND_NEIGHBORS:
        return "show neighbor configuration";
    case COMMAND_LOOP:
        return "show adj-rib in extensive";
    case COMMAND_PING:
        return "version";
    }
    return "?";
}

static size_t command_send(struct exabgp *exabgp, enum command command, size_t route,
                           int64_t now_ns, char line[static ROUTE_COMMAND_LEN])
{
    assert(exabgp->in_flight == COMMAND_NONE);
    exabgp->in_flight = command;
    exabgp->in_flight_route = route;
    exabgp->sent_ns = now_ns;
    exabgp->reply_ns = now_ns + REPLY_NS;
    exabgp->counters.commands++;
    if (command == COMMAND_ANNOUNCE) {
        exabgp->in_flight_attributes = exabgp->table.entries[route].route.attributes;
        return route_announce_command(&exabgp->table.entries[route].route, line);
    }
    if (command == COMMAND_WITHDRAW) {
        return route_withdraw_command(&exabgp->table.entries[route].route, line);
    }
    return (size_t)snprintf(line, ROUTE_COMMAND_LEN, "%s\n", command_name(command));
}

static size_t marker_send(struct exabgp *exabgp, int64_t now_ns,
                          char line[static ROUTE_COMMAND_LEN])
{
    if (exabgp->markers_n > exabgp->headers_n && now_ns - exabgp->heard_ns >= SILENCE_NS) {
        exabgp->markers_n = 0;
        exabgp->headers_n = 0;
    }
    exabgp->markers_n++;
    exabgp->header_seen = false;
    exabgp_sessions_start(&exabgp->sessions);
    exabgp_table_forget_blind(&exabgp->table);
    return command_send(exabgp, COMMAND_MARKER, 0, now_ns, line);
}

/* When the wait for the reply ends. */
static int64_t reply_deadline_ns(const struct exabgp *exabgp)
{
    const int64_t urgent_ns = exabgp->sent_ns + URGENT_NS;

    if (exabgp->in_flight != COMMAND_ANNOUNCE && exabgp->in_flight != COMMAND_WITHDRAW &&
        urgent_ns < exabgp->reply_ns &&
        exabgp_table_next_blind(&exabgp->table, urgent_ns) < exabgp->table.count) {
        return urgent_ns;
    }
    return exabgp->reply_ns;
}

static void reply_expire(struct exabgp *exabgp, int64_t now_ns)
{
    const enum command command = exabgp->in_flight;

    if (command == COMMAND_NONE || now_ns < reply_deadline_ns(exabgp)) {
        return;
    }
    if (!exabgp->aligned && command == COMMAND_WITHDRAW) {
        exabgp->in_flight = COMMAND_NONE;
        return;
    }
    exabgp->counters.timeouts++;
    if (!exabgp->timeout_told) {
        exabgp->timeout_told = true;
        tell(exabgp,
             (struct exabgp_event){.kind = EXABGP_EVENT_TIMEOUT, .detail = command_name(command)});
    }
    if (command == COMMAND_MARKER && exabgp->header_seen &&
        ++exabgp->replies_missing_n >= NO_REPLIES_AFTER && !exabgp->no_replies_told) {
        exabgp->no_replies_told = true;
        tell(exabgp, (struct exabgp_event){.kind = EXABGP_EVENT_NO_REPLIES});
    }
    if (exabgp->aligned) {
        alignment_lose(exabgp, now_ns, now_ns);
    } else { /* it was a marker */
        exabgp->in_flight = COMMAND_NONE;
        exabgp->marker_ns = now_ns + exabgp_backoff_ns(exabgp->marker_failures_n++);
    }
}

static size_t command_unaligned(struct exabgp *exabgp, int64_t now_ns,
                                char line[static ROUTE_COMMAND_LEN])
{
    const size_t route = exabgp_table_next_blind(&exabgp->table, INT64_MAX);
    size_t len;

    if (route == exabgp->table.count) {
        return now_ns >= exabgp->marker_ns ? marker_send(exabgp, now_ns, line) : 0;
    }
    len = command_send(exabgp, COMMAND_WITHDRAW, route, now_ns, line);
    exabgp->reply_ns = now_ns + BLIND_NS; /* no reply can be recognised: little to wait for */
    exabgp_table_set_blind(&exabgp->table, route, now_ns);
    return len;
}

/* A flush sends all that ExaBGP holds once more. Worth it only if that is something and somebody
 * listens, and not while a change is still to be made. */
static bool flush_wanted(struct exabgp *exabgp)
{
    bool held = false;

    if (!exabgp->flush_due) {
        return false;
    }
    for (size_t i = 0; i < exabgp->table.count; i++) {
        if (exabgp_table_need(&exabgp->table.entries[i]) != ROUTE_HOLD) {
            return false;
        }
        held = held || exabgp->table.entries[i].status.holders_n > 0;
    }
    exabgp->flush_due = held && exabgp_sessions_up(&exabgp->sessions) > 0;
    return exabgp->flush_due;
}

/* What may be asked when there is nothing to do. */
static size_t command_idle(struct exabgp *exabgp, int64_t now_ns,
                           char line[static ROUTE_COMMAND_LEN])
{
    if (loop_is_up(exabgp, ADDRESS_NONE) && now_ns >= exabgp->loop_ns) {
        for (size_t i = 0; i < exabgp->table.count; i++) {
            exabgp->table.entries[i].seeing_n = 0;
        }
        return command_send(exabgp, COMMAND_LOOP, 0, now_ns, line);
    }
    return now_ns - exabgp->heard_ns >= PING_NS
               ? command_send(exabgp, COMMAND_PING, 0, now_ns, line)
               : 0;
}

static size_t command_aligned(struct exabgp *exabgp, int64_t now_ns,
                              char line[static ROUTE_COMMAND_LEN])
{
    const struct exabgp_table *table = &exabgp->table;
    size_t route = exabgp_table_next(table, ROUTE_WITHDRAW, now_ns);

    if (route < table->count) {
        return command_send(exabgp, COMMAND_WITHDRAW, route, now_ns, line);
    }
    route = may_announce(exabgp) ? exabgp_table_next(table, ROUTE_ANNOUNCE, now_ns) : table->count;
    if (route < table->count) {
        return command_send(exabgp, COMMAND_ANNOUNCE, route, now_ns, line);
    }
    if (exabgp->read_due || now_ns >= exabgp->verify_ns) {
        exabgp_table_read_start(&exabgp->table);
        return command_send(exabgp, COMMAND_READ, 0, now_ns, line);
    }
    if (exabgp->neighbors_due) {
        exabgp_neighbors_start(&exabgp->neighbors);
        return command_send(exabgp, COMMAND_NEIGHBORS, 0, now_ns, line);
    }
    if (flush_wanted(exabgp)) {
        return command_send(exabgp, COMMAND_FLUSH, 0, now_ns, line);
    }
    return command_idle(exabgp, now_ns, line);
}

size_t exabgp_command(struct exabgp *exabgp, int64_t now_ns,
                      char ret_line[static ROUTE_COMMAND_LEN])
{
    reply_expire(exabgp, now_ns);
    if (exabgp->in_flight != COMMAND_NONE) {
        return 0;
    }
    return exabgp->aligned ? command_aligned(exabgp, now_ns, ret_line)
                           : command_unaligned(exabgp, now_ns, ret_line);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t exabgp_deadline_ns(const struct exabgp *exabgp, int64_t now_ns)
{
    int64_t deadline_ns;

    if (exabgp->in_flight != COMMAND_NONE) {
        return reply_deadline_ns(exabgp);
    }
    if (!exabgp->aligned) {
        return exabgp_table_next_blind(&exabgp->table, INT64_MAX) < exabgp->table.count
                   ? now_ns
                   : exabgp->marker_ns;
    }
    if (exabgp->read_due || exabgp->neighbors_due) {
        return now_ns;
    }
    deadline_ns = exabgp_table_deadline_ns(&exabgp->table, may_announce(exabgp));
    deadline_ns = earlier(deadline_ns, exabgp->verify_ns);
    if (loop_is_up(exabgp, ADDRESS_NONE)) {
        deadline_ns = earlier(deadline_ns, exabgp->loop_ns);
    }
    return earlier(deadline_ns, exabgp->heard_ns + PING_NS);
}

/* ---- life and looking in ---- */

struct exabgp *exabgp_new(const struct route *routes, size_t routes_n, exabgp_notify *notify,
                          void *context, int64_t now_ns)
{
    struct exabgp *exabgp = calloc(1, sizeof(*exabgp));

    if (!exabgp || exabgp_table_init(&exabgp->table, routes, routes_n, now_ns) < 0) {
        free(exabgp);
        return NULL;
    }
    exabgp->notify = notify;
    exabgp->context = context;
    exabgp->marker_ns = now_ns;
    exabgp->heard_ns = now_ns;
    exabgp->verify_ns = now_ns + VERIFY_NS;
    exabgp->read_due = true;
    exabgp->neighbors_due = true;
    exabgp->loop_ns = now_ns;
    exabgp->repair_ns = now_ns;
    return exabgp;
}

void exabgp_configure(struct exabgp *exabgp, const struct exabgp_options *options)
{
    if (exabgp->options.graceful_restart != options->graceful_restart) {
        exabgp->graceful_told = false; /* there is something else to tell */
    }
    exabgp->options = *options;
    exabgp->neighbors_due = true;
}

int exabgp_routes(struct exabgp *exabgp, const struct route *routes, size_t routes_n,
                  int64_t now_ns)
{
    exabgp->read_due = true;
    return exabgp_table_routes(&exabgp->table, routes, routes_n, &exabgp->in_flight_route, now_ns);
}

void exabgp_want(struct exabgp *exabgp, size_t route, enum route_wish wish,
                 const struct route_attributes *attributes)
{
    exabgp_table_want(&exabgp->table, route, wish, attributes);
}

bool exabgp_in_flight(const struct exabgp *exabgp)
{
    return exabgp->in_flight != COMMAND_NONE;
}

bool exabgp_aligned(const struct exabgp *exabgp)
{
    return exabgp->aligned;
}

int64_t exabgp_heard_ns(const struct exabgp *exabgp)
{
    return exabgp->heard_ns;
}

struct exabgp_route_status exabgp_route_status(const struct exabgp *exabgp, size_t route)
{
    return exabgp->table.entries[route].status;
}

const struct exabgp_sessions *exabgp_sessions(const struct exabgp *exabgp)
{
    return &exabgp->sessions;
}

const struct exabgp_counters *exabgp_counters(const struct exabgp *exabgp)
{
    return &exabgp->counters;
}

const char *exabgp_known_name(enum exabgp_known known)
{
    switch (known) {
    case EXABGP_KNOWN_NOTHING:
        return "unknown";
    case EXABGP_KNOWN_ANNOUNCED:
        return "announced";
    case EXABGP_KNOWN_FOUND:
        return "found";
    case EXABGP_KNOWN_WITHDRAWN:
        return "withdrawn";
    }
    return "?";
}

const char *exabgp_seen_name(enum exabgp_seen seen)
{
    switch (seen) {
    case EXABGP_SEEN_UNKNOWN:
        return "unknown";
    case EXABGP_SEEN_YES:
        return "yes";
    case EXABGP_SEEN_NO:
        return "no";
    }
    return "?";
}

const char *exabgp_session_name(enum exabgp_session session)
{
    switch (session) {
    case EXABGP_SESSION_DOWN:
        return "down";
    case EXABGP_SESSION_CONNECTED:
        return "connected";
    case EXABGP_SESSION_UP:
        return "up";
    }
    return "?";
}

void exabgp_free(struct exabgp *exabgp)
{
    if (exabgp) {
        exabgp_table_done(&exabgp->table);
        free(exabgp);
    }
}

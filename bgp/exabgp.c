/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Alignment. While not aligned, a "done" may belong to any command ever sent on this pipe. Each
 * `show neighbor summary`
 * ("marker") prints a header line of its own, and ExaBGP serves these commands in order; once as
 * many headers came as markers were sent, the next reply is the last marker's and nothing older is
 * left in the pipe. If a header should be lost for good, a silence of SILENCE_NS before the next
 * marker starts the count anew; should the lost one turn up after all, a header nobody waits for
 * takes us out of alignment again.
 */
#include "bgp/exabgp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define REPLY_NS CLOCK_NS_PER_S
#define SILENCE_NS (5 * CLOCK_NS_PER_S)
#define VERIFY_NS                                                                                  \
    (60 * CLOCK_NS_PER_S) /* the table is read again this often; also proves that ExaBGP is alive  \
                           */
#define BACKOFF_MAX_S 30
#define REALIGN_NS (100 * CLOCK_NS_PER_MS)
#define BLIND_NS (50 * CLOCK_NS_PER_MS) /* between withdrawals whose replies prove nothing */
#define URGENT_NS                                                                                  \
    (200 * CLOCK_NS_PER_MS) /* a withdrawal waits this long for a command that changes nothing */
#define NO_REPLIES_AFTER 3  /* markers whose header came and whose reply did not */

enum command {
    COMMAND_NONE,
    COMMAND_ANNOUNCE,
    COMMAND_WITHDRAW,
    COMMAND_MARKER,
    COMMAND_READ,
    COMMAND_FLUSH,
};

struct route_entry {
    const struct route *route;
    struct exabgp_route_status status;
    uint32_t reading_n; /* holders counted while the table is being read */
    int64_t retry_ns;   /* no command before */
    bool blind;         /* withdrawn while not aligned, since the last marker */
    int64_t blind_ns;   /* first such withdrawal that was not confirmed yet; 0: none */
};

struct exabgp {
    exabgp_notify *notify;
    void *context;

    enum command in_flight;
    size_t in_flight_route;
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
    uint64_t foreign_n;

    struct exabgp_counters counters;
    struct exabgp_sessions sessions;

    size_t line_len;
    bool line_too_long;
    char line[EXABGP_LINE_LEN];

    size_t routes_n;
    struct route_entry routes[];
};

static int64_t backoff_ns(uint32_t failures_n)
{
    const uint32_t shift = failures_n < 6 ? failures_n : 6;
    const int64_t seconds = INT64_C(1) << shift;

    return (seconds < BACKOFF_MAX_S ? seconds : BACKOFF_MAX_S) * CLOCK_NS_PER_S;
}

static void tell(struct exabgp *exabgp, struct exabgp_event event)
{
    if (!event.detail) {
        event.detail = "";
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

static void tell_session(struct exabgp *exabgp, const struct address *peer,
                         enum exabgp_session session, const char *detail)
{
    tell(exabgp,
         (struct exabgp_event){
             .kind = EXABGP_EVENT_SESSION, .session = session, .peer = *peer, .detail = detail});
}

static void summary_finish(struct exabgp *exabgp, int64_t now_ns)
{
    const struct exabgp_session_status *missing;

    while ((missing = exabgp_sessions_next_missing(&exabgp->sessions, now_ns))) {
        tell_session(exabgp, &missing->peer, EXABGP_SESSION_DOWN, "not in the summary");
    }
}

/* ---- routes ---- */

static enum command route_need(const struct route_entry *entry)
{
    switch (entry->status.wish) {
    case ROUTE_HOLD:
        return COMMAND_NONE;
    case ROUTE_ANNOUNCE:
        return entry->status.known == EXABGP_KNOWN_ANNOUNCED ? COMMAND_NONE : COMMAND_ANNOUNCE;
    case ROUTE_WITHDRAW:
        return entry->status.known == EXABGP_KNOWN_WITHDRAWN ? COMMAND_NONE : COMMAND_WITHDRAW;
    }
    return COMMAND_NONE;
}

static void route_set_known(struct route_entry *entry, enum exabgp_known known, int64_t now_ns)
{
    if (entry->status.known != known) {
        entry->status.known = known;
        entry->status.known_ns = now_ns;
    }
}

static void route_fail(struct exabgp *exabgp, size_t route, enum exabgp_event_kind kind,
                       int64_t now_ns)
{
    struct route_entry *entry = &exabgp->routes[route];

    entry->retry_ns = now_ns + backoff_ns(entry->status.failures_n);
    if (entry->status.failures_n++ == 0) {
        tell_route(exabgp, kind, route, entry->status.wish, 0);
    }
}

static void read_start(struct exabgp *exabgp)
{
    exabgp->foreign_n = 0;
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        exabgp->routes[i].reading_n = 0;
    }
}

static void read_add(struct exabgp *exabgp, const struct prefix *prefix)
{
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        if (prefix_compare(&exabgp->routes[i].route->prefix, prefix) == 0) {
            exabgp->routes[i].reading_n++;
            return;
        }
    }
    exabgp->foreign_n++;
}

/* Compares what ExaBGP holds with what it acknowledged. */
static void read_apply(struct exabgp *exabgp, size_t route, int64_t now_ns)
{
    struct route_entry *entry = &exabgp->routes[route];
    const bool held = entry->reading_n > 0;

    entry->status.holders_n = entry->reading_n;
    entry->status.read = true;
    switch (entry->status.known) {
    case EXABGP_KNOWN_ANNOUNCED:
    case EXABGP_KNOWN_WITHDRAWN:
        if (held == (entry->status.known == EXABGP_KNOWN_ANNOUNCED)) {
            entry->status.failures_n = 0;
            return;
        }
        exabgp->counters.mismatches++;
        route_set_known(entry, EXABGP_KNOWN_NOTHING, now_ns);
        route_fail(exabgp, route, EXABGP_EVENT_MISMATCH, now_ns);
        return;
    case EXABGP_KNOWN_NOTHING:
    case EXABGP_KNOWN_FOUND:
        route_set_known(entry, held ? EXABGP_KNOWN_FOUND : EXABGP_KNOWN_WITHDRAWN, now_ns);
        if (!held && entry->blind_ns) {
            tell_route(exabgp, EXABGP_EVENT_ACKNOWLEDGED, route, ROUTE_WITHDRAW,
                       now_ns - entry->blind_ns);
        }
        entry->blind_ns = 0;
        return;
    }
}

static void read_finish(struct exabgp *exabgp, int64_t now_ns)
{
    const bool first = !exabgp->read;

    exabgp->read = true;
    exabgp->read_aligned = true;
    exabgp->read_due = false;
    exabgp->verify_ns = now_ns + VERIFY_NS;
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        read_apply(exabgp, i, now_ns);
        if (first) {
            tell_route(exabgp,
                       exabgp->routes[i].reading_n > 0 ? EXABGP_EVENT_FOUND : EXABGP_EVENT_ABSENT,
                       i, exabgp->routes[i].status.wish, 0);
        }
    }
    if (first) {
        tell(exabgp,
             (struct exabgp_event){.kind = EXABGP_EVENT_SYNCED, .count = exabgp->foreign_n});
    }
}

/* ---- alignment ---- */

static void alignment_lose(struct exabgp *exabgp, int64_t now_ns, int64_t retry_ns)
{
    if (exabgp->in_flight == COMMAND_ANNOUNCE || exabgp->in_flight == COMMAND_WITHDRAW) {
        route_set_known(&exabgp->routes[exabgp->in_flight_route], EXABGP_KNOWN_NOTHING, now_ns);
    }
    exabgp->aligned = false;
    exabgp->in_flight = COMMAND_NONE;
    exabgp->read_due = true;
    exabgp->marker_ns = retry_ns;
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        exabgp->routes[i].blind = false;
    }
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
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        exabgp->routes[i].blind = false;
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
    struct route_entry *entry = &exabgp->routes[route];
    const bool announce = exabgp->in_flight == COMMAND_ANNOUNCE;

    exabgp->in_flight = COMMAND_NONE;
    exabgp->read_due = true;
    if (!ok) {
        exabgp->counters.refused++;
        route_fail(exabgp, route, EXABGP_EVENT_REFUSED, now_ns);
        return;
    }
    exabgp->counters.acknowledged++;
    route_set_known(entry, announce ? EXABGP_KNOWN_ANNOUNCED : EXABGP_KNOWN_WITHDRAWN, now_ns);
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
            tell_session(exabgp, &line.peer, line.session, line.detail);
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
                tell_session(exabgp, &line.peer, EXABGP_SESSION_UP, "");
            }
        }
        break;
    case EXABGP_LINE_RIB_ROUTE:
        if (exabgp->in_flight == COMMAND_READ) {
            exabgp->reply_ns = now_ns + REPLY_NS; /* a long table takes its time */
            read_add(exabgp, &line.prefix);
        }
        break;
    case EXABGP_LINE_OTHER:
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
        return "show adj-rib out";
    case COMMAND_FLUSH:
        return "flush adj-rib out";
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
        return route_announce_command(exabgp->routes[route].route, line);
    }
    if (command == COMMAND_WITHDRAW) {
        return route_withdraw_command(exabgp->routes[route].route, line);
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
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        exabgp->routes[i].blind = false;
    }
    return command_send(exabgp, COMMAND_MARKER, 0, now_ns, line);
}

static bool route_wants_blind_withdraw(const struct route_entry *entry)
{
    return route_need(entry) == COMMAND_WITHDRAW && !entry->blind;
}

/* When the wait for the reply ends: a withdrawal does not wait long for a command that only asks.
 */
static int64_t reply_deadline_ns(const struct exabgp *exabgp)
{
    const int64_t urgent_ns = exabgp->sent_ns + URGENT_NS;

    if (exabgp->in_flight != COMMAND_ANNOUNCE && exabgp->in_flight != COMMAND_WITHDRAW &&
        urgent_ns < exabgp->reply_ns) {
        for (size_t i = 0; i < exabgp->routes_n; i++) {
            if (route_wants_blind_withdraw(&exabgp->routes[i]) &&
                exabgp->routes[i].retry_ns <= urgent_ns) {
                return urgent_ns;
            }
        }
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
        exabgp->marker_ns = now_ns + backoff_ns(exabgp->marker_failures_n++);
    }
}

/* Its reply cannot be recognised, so there is little to wait for. */
static size_t withdraw_blindly(struct exabgp *exabgp, size_t route, int64_t now_ns,
                               char line[static ROUTE_COMMAND_LEN])
{
    struct route_entry *entry = &exabgp->routes[route];
    const size_t len = command_send(exabgp, COMMAND_WITHDRAW, route, now_ns, line);

    exabgp->reply_ns = now_ns + BLIND_NS;
    route_set_known(entry, EXABGP_KNOWN_NOTHING, now_ns);
    entry->blind = true;
    entry->blind_ns = entry->blind_ns ? entry->blind_ns : now_ns;
    return len;
}

static size_t command_unaligned(struct exabgp *exabgp, int64_t now_ns,
                                char line[static ROUTE_COMMAND_LEN])
{
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        if (route_wants_blind_withdraw(&exabgp->routes[i])) {
            return withdraw_blindly(exabgp, i, now_ns, line);
        }
    }
    return now_ns >= exabgp->marker_ns ? marker_send(exabgp, now_ns, line) : 0;
}

/* The first route that needs this and may have it; routes_n if none. */
static size_t route_next(const struct exabgp *exabgp, enum command need, int64_t now_ns)
{
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        if (route_need(&exabgp->routes[i]) == need && now_ns >= exabgp->routes[i].retry_ns) {
            return i;
        }
    }
    return exabgp->routes_n;
}

/* A flush sends all that ExaBGP holds once more. Worth it only if that is something and somebody
 * listens, and not while a change is still to be made. */
static bool flush_wanted(struct exabgp *exabgp)
{
    bool held = false;

    if (!exabgp->flush_due) {
        return false;
    }
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        if (route_need(&exabgp->routes[i]) != COMMAND_NONE) {
            return false;
        }
        held = held || exabgp->routes[i].status.holders_n > 0;
    }
    exabgp->flush_due = held && exabgp_sessions_up(&exabgp->sessions) > 0;
    return exabgp->flush_due;
}

static size_t command_aligned(struct exabgp *exabgp, int64_t now_ns,
                              char line[static ROUTE_COMMAND_LEN])
{
    size_t route = route_next(exabgp, COMMAND_WITHDRAW, now_ns);

    if (route < exabgp->routes_n) {
        return command_send(exabgp, COMMAND_WITHDRAW, route, now_ns, line);
    }
    route = exabgp->read_aligned ? route_next(exabgp, COMMAND_ANNOUNCE, now_ns) : exabgp->routes_n;
    if (route < exabgp->routes_n) {
        return command_send(exabgp, COMMAND_ANNOUNCE, route, now_ns, line);
    }
    if (exabgp->read_due || now_ns >= exabgp->verify_ns) {
        read_start(exabgp);
        return command_send(exabgp, COMMAND_READ, 0, now_ns, line);
    }
    return flush_wanted(exabgp) ? command_send(exabgp, COMMAND_FLUSH, 0, now_ns, line) : 0;
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

int64_t exabgp_deadline_ns(const struct exabgp *exabgp, int64_t now_ns)
{
    int64_t deadline_ns = exabgp->verify_ns;

    if (exabgp->in_flight != COMMAND_NONE) {
        return reply_deadline_ns(exabgp);
    }
    if (!exabgp->aligned) {
        for (size_t i = 0; i < exabgp->routes_n; i++) {
            if (route_wants_blind_withdraw(&exabgp->routes[i])) {
                return now_ns;
            }
        }
        return exabgp->marker_ns;
    }
    if (exabgp->read_due) {
        return now_ns;
    }
    for (size_t i = 0; i < exabgp->routes_n; i++) {
        const struct route_entry *entry = &exabgp->routes[i];

        if (route_need(entry) != COMMAND_NONE && entry->retry_ns < deadline_ns) {
            deadline_ns = entry->retry_ns;
        }
    }
    return deadline_ns;
}

/* ---- life and looking in ---- */

struct exabgp *exabgp_new(const struct route *routes, size_t routes_n, exabgp_notify *notify,
                          void *context, int64_t now_ns)
{
    struct exabgp *exabgp = calloc(1, sizeof(*exabgp) + routes_n * sizeof(exabgp->routes[0]));

    if (!exabgp) {
        return NULL;
    }
    exabgp->notify = notify;
    exabgp->context = context;
    exabgp->routes_n = routes_n;
    exabgp->marker_ns = now_ns;
    exabgp->heard_ns = now_ns;
    exabgp->verify_ns = now_ns + VERIFY_NS;
    exabgp->read_due = true;
    for (size_t i = 0; i < routes_n; i++) {
        exabgp->routes[i].route = &routes[i];
        exabgp->routes[i].retry_ns = now_ns;
        exabgp->routes[i].status.known_ns = now_ns;
    }
    return exabgp;
}

void exabgp_wish(struct exabgp *exabgp, size_t route, enum route_wish wish)
{
    struct route_entry *entry = &exabgp->routes[route];

    if (entry->status.wish == wish) {
        return;
    }
    entry->status.wish = wish;
    /* What failed before was another wish. */
    entry->status.failures_n = 0;
    entry->retry_ns = INT64_MIN;
}

bool exabgp_in_flight(const struct exabgp *exabgp)
{
    return exabgp->in_flight != COMMAND_NONE;
}

bool exabgp_aligned(const struct exabgp *exabgp)
{
    return exabgp->aligned;
}

struct exabgp_route_status exabgp_route_status(const struct exabgp *exabgp, size_t route)
{
    return exabgp->routes[route].status;
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
    free(exabgp);
}

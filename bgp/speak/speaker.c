/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/speaker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define LINE_LEN 512

struct speaker {
    speaker_log *log;
    void *context;
    struct exabgp *exabgp;
    struct speaker_status status;
};

static void say(struct speaker *speaker, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct speaker *speaker, enum log_level level, const char *format, ...)
{
    char line[LINE_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    speaker->log(speaker->context, level, line);
}

/* ---- what ExaBGP told ---- */

static void session_say(struct speaker *speaker, const struct exabgp_event *event)
{
    char peer[ADDRESS_TEXT_LEN];
    const bool up = event->session == EXABGP_SESSION_UP;

    say(speaker, up ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING, "session %s: %s%s%s",
        address_format(&event->peer, peer), exabgp_session_name(event->session),
        event->detail[0] ? ": " : "", event->detail);
}

static void mismatch_say(struct speaker *speaker, const char *name, enum route_wish wish)
{
    if (wish == ROUTE_ANNOUNCE) {
        say(speaker, LOG_LEVEL_ERROR,
            "vip %s: ExaBGP acknowledged the announcement and does not hold the route: does any "
            "neighbor have its family?",
            name);
    } else {
        say(speaker, LOG_LEVEL_ERROR,
            "vip %s: ExaBGP acknowledged the withdrawal and still holds the route: is it also "
            "static, or announced by another process?",
            name);
    }
}

static void version_say(struct speaker *speaker, const char *version)
{
    const bool known = strncmp(version, "4.2.", 4) == 0;

    say(speaker, known ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "exabgp: is version %s%s", version,
        known ? "" : ", and this program was made for 4.2");
}

static void neighbor_say(struct speaker *speaker, const struct exabgp_event *event)
{
    char peer[ADDRESS_TEXT_LEN];

    address_format(&event->peer, peer);
    if (event->kind == EXABGP_EVENT_TABLELESS) {
        say(speaker, LOG_LEVEL_ERROR,
            "neighbor %s: has adj-rib-out false: what is announced to it cannot be verified", peer);
    } else if (event->count > 0) {
        say(speaker, LOG_LEVEL_WARNING,
            "neighbor %s: has graceful-restart: its router keeps the route of a dead PoP", peer);
    } else {
        say(speaker, LOG_LEVEL_ERROR,
            "neighbor %s: has graceful-restart: its router would keep the route of a dead PoP. "
            "Nothing is announced until that is gone from exabgp.conf (or graceful_restart: allow)",
            peer);
    }
}

static void exabgp_told(void *context, const struct exabgp_event *event)
{
    struct speaker *speaker = context;
    char name[ADDRESS_TEXT_LEN];

    prefix_format(&event->prefix, name);
    switch (event->kind) {
    case EXABGP_EVENT_SESSION:
        session_say(speaker, event);
        return;
    case EXABGP_EVENT_SYNCED:
        say(speaker, LOG_LEVEL_INFO,
            "exabgp: table read, %llu routes in it are not ours and left alone",
            (unsigned long long)event->count);
        return;
    case EXABGP_EVENT_ACKNOWLEDGED:
        say(speaker, LOG_LEVEL_NOTICE, "vip %s: %s in %.1f ms", name,
            event->wish == ROUTE_ANNOUNCE ? "announced" : "withdrawn",
            (double)event->elapsed_ns / (double)CLOCK_NS_PER_MS);
        return;
    case EXABGP_EVENT_REFUSED:
        say(speaker, LOG_LEVEL_ERROR,
            "vip %s: ExaBGP refused to %s it (no neighbor with an api section?); trying again",
            name, route_wish_name(event->wish));
        return;
    case EXABGP_EVENT_MISMATCH:
        mismatch_say(speaker, name, event->wish);
        return;
    case EXABGP_EVENT_DIFFERENT:
        say(speaker, LOG_LEVEL_ERROR,
            "vip %s: ExaBGP holds the route with other attributes than it acknowledged: does "
            "another process announce it?",
            name);
        return;
    case EXABGP_EVENT_TIMEOUT:
        say(speaker, LOG_LEVEL_WARNING, "exabgp: no reply to \"%s\"; finding out where we stand",
            event->detail);
        return;
    case EXABGP_EVENT_NO_REPLIES:
        say(speaker, LOG_LEVEL_ERROR,
            "exabgp: commands are served but not acknowledged: set exabgp.api.ack=true; nothing "
            "will be announced until then");
        return;
    case EXABGP_EVENT_VERSION:
        version_say(speaker, event->detail);
        return;
    case EXABGP_EVENT_GRACEFUL:
    case EXABGP_EVENT_TABLELESS:
        neighbor_say(speaker, event);
        return;
    case EXABGP_EVENT_LOST:
        say(speaker, LOG_LEVEL_ERROR,
            "vip %s: announced, and no router sends it back: sending everything again", name);
        return;
    case EXABGP_EVENT_SEEN:
        say(speaker, LOG_LEVEL_NOTICE, "vip %s: routers send it back again", name);
        return;
    case EXABGP_EVENT_LINGERS:
        say(speaker, LOG_LEVEL_ERROR,
            "vip %s: withdrawn, and a router still sends it back: withdrawing again", name);
        return;
    case EXABGP_EVENT_SHUTDOWN:
        say(speaker, LOG_LEVEL_NOTICE, "exabgp: is stopping");
        return;
    }
}

/* ---- calls ---- */

void speaker_configure(struct speaker *speaker, const struct exabgp_options *options)
{
    exabgp_configure(speaker->exabgp, options);
}

int speaker_routes(struct speaker *speaker, const struct route *routes, size_t routes_n,
                   int64_t now_ns)
{
    const int result = exabgp_routes(speaker->exabgp, routes, routes_n, now_ns);

    if (result == 0) {
        speaker->status.routes_n = routes_n;
    }
    return result;
}

void speaker_want(struct speaker *speaker, size_t route, const struct want *want)
{
    exabgp_want(speaker->exabgp, route, want->wish, &want->attributes);
}

void speaker_receive(struct speaker *speaker, const void *bytes, size_t len, int64_t now_ns)
{
    exabgp_receive(speaker->exabgp, bytes, len, now_ns);
}

size_t speaker_command(struct speaker *speaker, int64_t now_ns,
                       char ret_line[static ROUTE_COMMAND_LEN])
{
    return exabgp_command(speaker->exabgp, now_ns, ret_line);
}

int64_t speaker_deadline_ns(const struct speaker *speaker, int64_t now_ns)
{
    return exabgp_deadline_ns(speaker->exabgp, now_ns);
}

const struct speaker_status *speaker_status(struct speaker *speaker)
{
    struct speaker_status *status = &speaker->status;

    status->aligned = exabgp_aligned(speaker->exabgp);
    status->in_flight = exabgp_in_flight(speaker->exabgp);
    status->heard_ns = exabgp_heard_ns(speaker->exabgp);
    for (size_t i = 0; i < status->routes_n; i++) {
        status->routes[i] = exabgp_route_status(speaker->exabgp, i);
    }
    status->sessions = *exabgp_sessions(speaker->exabgp);
    status->counters = *exabgp_counters(speaker->exabgp);
    return status;
}

struct speaker *speaker_new(const struct route *routes, size_t routes_n, speaker_log *log,
                            void *context, int64_t now_ns)
{
    struct speaker *speaker = calloc(1, sizeof(*speaker));

    assert(routes_n <= SPEAKER_ROUTES_MAX);
    if (!speaker) {
        return NULL;
    }
    speaker->log = log;
    speaker->context = context;
    speaker->status.routes_n = routes_n;
    speaker->exabgp = exabgp_new(routes, routes_n, exabgp_told, speaker, now_ns);
    if (!speaker->exabgp) {
        free(speaker);
        return NULL;
    }
    return speaker;
}

void speaker_free(struct speaker *speaker)
{
    if (speaker) {
        exabgp_free(speaker->exabgp);
        free(speaker);
    }
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What stands between those who decide and ExaBGP: takes what is wanted of each VIP, leads the
 * conversation that makes it so (`exabgp`), says each change in one line of log, and shows how
 * things stand as one plain value. Pure: no clock, no I/O.
 *
 * Those who decide see nothing of ExaBGP but this value, so that they may live in another process.
 */
#ifndef BGP_SPEAKER_H
#define BGP_SPEAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "bgp/speak/exabgp.h"

#define SPEAKER_ROUTES_MAX 64

/* What befell those who decide, told by the process that outlives them (daemon/holder). */
struct speaker_holder {
    uint64_t brains;      /* started so far */
    uint64_t leases_lost; /* times it had to go on alone */
    uint64_t withdrawals; /* VIPs it withdrew by itself */
};

struct speaker_status {
    bool aligned;     /* every reply can be told apart */
    bool in_flight;   /* a command waits for its reply */
    int64_t heard_ns; /* when ExaBGP last said anything */
    struct speaker_holder holder;
    size_t routes_n;
    struct exabgp_route_status routes[SPEAKER_ROUTES_MAX];
    struct exabgp_sessions sessions;
    struct exabgp_counters counters;
};

typedef void speaker_log(void *context, enum log_level level, const char *text);

struct speaker;

/* At most SPEAKER_ROUTES_MAX routes, copied. `log` gets one line per change. NULL when out of
 * memory. */
struct speaker *speaker_new(const struct route *routes, size_t routes_n, speaker_log *log,
                            void *context, int64_t now_ns);

/* As exabgp_configure() and exabgp_routes(). */
void speaker_configure(struct speaker *speaker, const struct exabgp_options *options);
int speaker_routes(struct speaker *speaker, const struct route *routes, size_t routes_n,
                   int64_t now_ns);

void speaker_want(struct speaker *speaker, size_t route, const struct want *want);

/* As exabgp_receive(), exabgp_command() and exabgp_deadline_ns(). */
void speaker_receive(struct speaker *speaker, const void *bytes, size_t len, int64_t now_ns);
size_t speaker_command(struct speaker *speaker, int64_t now_ns,
                       char ret_line[static ROUTE_COMMAND_LEN]);
int64_t speaker_deadline_ns(const struct speaker *speaker, int64_t now_ns);

/* As it is now; valid until the next call. */
const struct speaker_status *speaker_status(struct speaker *speaker);

void speaker_free(struct speaker *speaker);

#endif

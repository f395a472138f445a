/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which of ExaBGP's BGP sessions are up, from its events and from `show neighbor summary` (a
 * process that was started again is not told the current states). Pure.
 */
#ifndef BGP_EXABGP_SESSIONS_H
#define BGP_EXABGP_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "bgp/speak/exabgp_line.h"

#define EXABGP_SESSIONS_MAX 64 /* further peers are not tracked */

struct exabgp_session_status {
    struct address peer;
    enum exabgp_session session;
    int64_t since_ns;
    bool listed; /* in the summary being read */
};

struct exabgp_sessions {
    size_t count;
    struct exabgp_session_status list[EXABGP_SESSIONS_MAX];
};

/* True if the session came up or ceased to be up. While a peer refuses, "connected" and "down"
 * alternate several times a second; that is recorded and not reported. */
bool exabgp_sessions_set(struct exabgp_sessions *sessions, const struct address *peer,
                         enum exabgp_session session, int64_t now_ns);

/* A summary lists the sessions that are up: start, one listed() per line (true as above), then for
 * those that were up and are missing next_missing() gives one after the other, already marked as
 * down, and at last NULL. */
void exabgp_sessions_start(struct exabgp_sessions *sessions);
bool exabgp_sessions_listed(struct exabgp_sessions *sessions, const struct address *peer,
                            int64_t now_ns);
const struct exabgp_session_status *exabgp_sessions_next_missing(struct exabgp_sessions *sessions,
                                                                 int64_t now_ns);

size_t exabgp_sessions_up(const struct exabgp_sessions *sessions);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `isochrone-edge --replace`: a new process takes the place of the running one without losing a
 * query. The new one (successor.h) builds all it will serve from before it says more than hello, so
 * that whatever is wrong with files, addresses or privileges changes nothing. Then, over the
 * running one's control socket (handover.h; predecessor.h is its side):
 *
 *   new  -> old  {"verb": "replace", "options": {"protocol": N, "oldest": M, ...}}
 *   old  -> new  hello: the protocol both speak; + a pidfd of itself
 *                ... the new one loads ...
 *   new  -> old  sockets; + a pidfd of itself
 *   old  -> new  sockets, in parts: what each is; + the very sockets, queues and all
 *                ... the new one binds addresses that were not served before ...
 *   new  -> old  stop
 *                ... the old one's workers finish their round and hold still ...
 *   old  -> new  connections, in parts; + those; then state: counters, states, keepsakes
 *   new  -> old  ready: which of the single sockets (control, ...) it took
 *   old  -> new  go
 *   new  -> old  serving
 *                ... the service manager learns who the main process is now ...
 *   new  -> old  done, and the old one ends; or serves on if the new one has died by then
 *
 * Exactly one serves at any time, whoever dies or hangs. Until it has said go the old one goes on
 * serving when anything fails, since it still holds every socket; after go it does so only once the
 * new one is dead, which it sees to itself (pidfd_send_signal) when that is silent for too long.
 * The new one serves without a go only when the old one is dead, in the same way. Datagrams and
 * connections wait in the sockets in between. Only root and the user the old one runs as are heard.
 *
 * What an older program does not know it does not read, what it does not send counts as absent; a
 * change that this cannot carry gets a new protocol number, and both sides say which they can
 * speak.
 */
#ifndef EDGE_REPLACE_H
#define EDGE_REPLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A program that speaks several protocols names the oldest, too. */
#define REPLACE_PROTOCOL 1
#define REPLACE_PROTOCOL_OLDEST 1

/* How long the old one waits for each word while nobody answers queries; the new one waits longer,
 * so that it is never the one to give up first. */
#define REPLACE_OLD_WAIT_NS (2 * CLOCK_NS_PER_S)
#define REPLACE_NEW_WAIT_NS (4 * CLOCK_NS_PER_S)
/* for the service manager to take note */
#define REPLACE_MANAGER_WAIT_NS (5 * CLOCK_NS_PER_S)

/* Kills the process unless it is dead already, and waits for its end. 0, or -errno when it lives on
 * or cannot be told. */
int replace_fence(int pidfd);

/* The process has ended. */
bool replace_is_dead(int pidfd);

#endif

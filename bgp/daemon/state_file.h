/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What isochrone-bgp would like to know again after a restart: operator's words, flap penalties,
 * the budget of SOFT withdrawals, when it was started. All of it is advisory: a file that is
 * missing, torn, of another version or not ours is ignored, and the start is an ordinary one. One
 * line with the length and checksum of what follows, then JSON:
 *
 *   isochrone-bgp state 1 length 213 crc32c 8a9136aa
 *   {"saved_s":1795369201,"vips":[{"vip":"192.0.2.53/32","action":"drain",...}],"starts_s":[...]}
 *
 * Times are wall clock seconds, since they outlive a boot. Pure; every byte read is hostile.
 */
#ifndef BGP_STATE_FILE_H
#define BGP_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "bgp/daemon/announcer.h"

#define STATE_FILE_MAX 262144 /* bytes */
#define STATE_FILE_STARTS_MAX 16

struct state_file_vip {
    struct prefix prefix;
    struct announcer_memory memory; /* its ages are those when it was saved */
};

struct state_file {
    int64_t saved_s;
    size_t vips_n;
    struct state_file_vip vips[CONFIG_VIPS_MAX];
    size_t starts_n; /* the latest starts of this program, oldest first */
    int64_t starts_s[STATE_FILE_STARTS_MAX];
};

/* What is to be saved now; the starts are left as they are. */
void state_file_collect(struct state_file *state, const struct announcer *announcer, int64_t wall_s,
                        int64_t now_ns);

/* Tells a new announcer what was saved about its VIPs, aged by what the wall clock says: backwards
 * counts as no time at all. What ended meanwhile, and VIPs there are no more, are left out. */
void state_file_recall(const struct state_file *state, struct announcer *announcer, int64_t wall_s,
                       int64_t now_ns);

/* One more start, then how many there were within the last `span_s`. */
size_t state_file_started(struct state_file *state, int64_t wall_s, int64_t span_s);

/* The file's bytes; the caller frees. NULL without memory. */
char *state_file_encode(const struct state_file *state, size_t *ret_len);

/* A file with this content, whatever it is. NULL without memory. */
char *state_file_frame(const char *content, size_t content_len, size_t *ret_len);

/* 0, or -EINVAL and why it is ignored; then *ret_state is empty. */
int state_file_decode(const void *bytes, size_t len, struct state_file *ret_state,
                      struct failure *failure);

#endif

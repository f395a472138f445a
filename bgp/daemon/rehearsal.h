/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A speaker without an ExaBGP: to it everything works at once. For `--dry-run` and `--replay`.
 */
#ifndef BGP_REHEARSAL_H
#define BGP_REHEARSAL_H

#include "bgp/daemon/announcer.h"

struct rehearsal {
    struct speaker_status status;
    struct route_attributes announced[CONFIG_VIPS_MAX]; /* while routes[].current */
};

/* A command that ExaBGP would get, with its newline. */
typedef void rehearsal_tell(void *context, const char *command);

/* Nothing is known of any route yet. */
void rehearsal_init(struct rehearsal *rehearsal, const struct config *config);

/* ExaBGP's table was read: it holds this route, or not. */
void rehearsal_read(struct rehearsal *rehearsal, size_t vip, bool found, int64_t now_ns);

/* Does for the routes that were read what the announcer wants, and lets it hear that. `tell` may be
 * NULL. */
void rehearsal_run(struct rehearsal *rehearsal, struct announcer *announcer, rehearsal_tell *tell,
                   void *context, int64_t now_ns);

#endif

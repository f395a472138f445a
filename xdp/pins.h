/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A folder in a bpf file system that keeps programs, maps and links alive between two daemons. Each
 * name is replaced in one step. Names hold no dots: bpf file systems refuse them.
 */
#ifndef XDP_PINS_H
#define XDP_PINS_H

#include <stddef.h>

#include "base/failure.h"

#define PINS_NAME_MAX 64u

/* Makes the folder if only its last part is missing, and says what is needed where there is no bpf
 * file system. Returns a descriptor of the folder, for flock(); or -errno. */
int pins_open(const char *folder, struct failure *failure);

/* A new descriptor of what is pinned; -ENOENT if nothing is. */
int pins_get(const char *folder, const char *name);

/* Pins in place of whatever has the name. */
int pins_put(const char *folder, const char *name, int fd);

/* 0 also if there was nothing. */
int pins_drop(const char *folder, const char *name);

/* A link besides is off its interface when this returns; its end with the last reference comes
 * later. */
int pins_drop_link(const char *folder, const char *name);

/* "link_" and the interface's name, with what a bpf file system refuses as %XX. */
void pins_link_name(const char *interface, char ret_name[static PINS_NAME_MAX]);

/* Drops every link whose name is not one of `kept`. Returns how many. */
int pins_tidy_links(const char *folder, const char *const *kept, size_t kept_n);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The names of our zones that NS records of our zones point to. Who asks for the addresses of a
 * name server may not have found anybody yet, so they cannot be a matter of choice alone. Built for
 * one load of services, then freed.
 */
#ifndef EDGE_NS_TARGETS_H
#define EDGE_NS_TARGETS_H

struct name_key;
struct ns_targets;
struct zone;
struct zone_set;

/* NULL when out of memory. `zones` must outlive it. */
struct ns_targets *ns_targets_new(const struct zone_set *zones);
void ns_targets_free(struct ns_targets *targets); /* NULL is allowed */

/* The owner of an NS record that points to `name` of `zone` or, if that is a wildcard, to a name
 * that would be answered from it; in wire form, or NULL. */
const unsigned char *ns_targets_find(const struct ns_targets *targets, const struct zone *zone,
                                     const struct name_key *name);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whole publications for proofs: a snapshot that edge answers from, and the tables made of it that
 * the fast path answers from. Even kinds are the golden world (tests/golden/world.h), odd ones a
 * wider one: twelve PoPs, services with one to eight picks. The seed changes maps, states, TTLs,
 * secrets. Aborts when it cannot be built.
 */
#ifndef TESTS_FUZZ_XDP_PUBLICATION_H
#define TESTS_FUZZ_XDP_PUBLICATION_H

#include <stddef.h>
#include <stdint.h>

#include "edge/answer/snapshot.h"
#include "xdp/model.h"
#include "xdp/template_table.h"

#define PUBLICATION_NOW_S 1763790200u

struct publication {
    unsigned kind; /* 0 or 1 */
    struct snapshot *snapshot;
    struct image *image;
    struct zone_set *zones;
    struct services *services;
    struct state_set *states;
    struct template_table *table;
    struct fast_policy policy;
    struct model_tables tables;
};

/* `folder`: tests/golden. Seed 0: everything as loaded. */
void publication_open(struct publication *publication, const char *folder, unsigned kind,
                      uint64_t seed);
void publication_close(struct publication *publication);

/* Other states and TTLs for the same services: a new snapshot in the place of the old one. */
void publication_change_states(struct publication *publication, uint64_t seed);

#endif

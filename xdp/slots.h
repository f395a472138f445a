/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which slot of each table may be written next. A slot that a control word has named may be read by
 * programs until a grace period has passed since the word changed, so those are kept apart from the
 * clean ones. The grace period is waited for when a slot is wanted again, not when it is given up:
 * publishing does not wait for it. Pure; one thread.
 */
#ifndef XDP_SLOTS_H
#define XDP_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

enum slots_table {
    SLOTS_IMAGE,
    SLOTS_TEMPLATE,
    SLOTS_STATE, /* and policy */
    SLOTS_TABLES,
};

struct slots {
    uint32_t named[SLOTS_TABLES]; /* by the control word; FAST_SLOT_NONE */
    uint32_t stale[SLOTS_TABLES]; /* bit per slot: named by a word since the last grace period */
    uint32_t sequence;
};

/* `word`: the one in force. Nothing is known of those before it: every slot is stale. */
void slots_init(struct slots *slots, uint64_t word);

/* A slot of the table that the word does not name, a clean one if there is one. False: it is stale,
 * a grace period has to pass before it is written. */
bool slots_choose(const struct slots *slots, enum slots_table table, uint32_t *ret_slot);

/* A grace period has passed since the word in force was stored. */
void slots_waited(struct slots *slots);

/* The word that names these slots, with the next sequence number. */
uint64_t slots_word(const struct slots *slots, const uint32_t chosen[SLOTS_TABLES]);

/* The word has been stored: what the word before named is stale. */
void slots_publish(struct slots *slots, uint64_t word);

#endif

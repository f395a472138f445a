/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last changes, as the journal's records: verdicts, operator's requests, what ExaBGP was told
 * and said, sessions; not single observations. Kept in memory, and seeded from the end of the
 * journal at the start, so that `vip history` goes back beyond it.
 */
#ifndef BGP_HISTORY_H
#define BGP_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "bgp/daemon/journal.h"

#define HISTORY_LEN 512

struct history {
    size_t next;  /* where the next one goes */
    size_t count; /* at most HISTORY_LEN */
    struct journal_record records[HISTORY_LEN];
};

/* Takes a copy, if it is a change; a CHECK or MEMORY record is none, nor what was restored. */
void history_add(struct history *history, const struct journal_record *record);

/* The changes at the end of this journal (and of the file before it, if this one is short). A
 * missing one has none. Reads files. */
void history_seed(struct history *history, const char *path);

/* 0 is the oldest; NULL beyond the youngest. */
const struct journal_record *history_get(const struct history *history, size_t index);

/* "192.0.2.53/32  withdraw  hard check ...": what of a record people read; as JSON a new reference.
 */
void history_describe(const struct journal_record *record, char *ret_text, size_t size);
json_t *history_json(const struct journal_record *record);

#endif

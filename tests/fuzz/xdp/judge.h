/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether an answer of the fast path is what edge sends for the same query.
 */
#ifndef TESTS_FUZZ_XDP_JUDGE_H
#define TESTS_FUZZ_XDP_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "frames.h"
#include "publication.h"

struct judge;

struct judge *judge_new(void);
void judge_free(struct judge *judge);

/* NULL when message, addresses, checksums and all else are right; else what is not. */
const char *judge_reply(struct judge *judge, const struct publication *publication,
                        const struct frame *query, const uint8_t *reply, size_t reply_len);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Queries for proofs, made by choices rather than by chance: mostly such as the fast path answers,
 * of every kind there is, then bent in the message, in its options, and in the frame around it.
 */
#ifndef TESTS_FUZZ_XDP_QUERIES_H
#define TESTS_FUZZ_XDP_QUERIES_H

#include <stddef.h>
#include <stdint.h>

#include "choices.h"
#include "frames.h"
#include "publication.h"

#define QUERIES_MAX 4096u

struct question {
    uint8_t name[256];
    uint16_t name_len;
    uint16_t qtype;
    unsigned worlds; /* bits of kinds: who has an answer */
};

/* What may be asked. */
struct questions {
    struct question list[QUERIES_MAX];
    size_t count;
    size_t answered_n; /* the first so many have an answer in some world */
};

/* Those of the golden table, and of the services of the wider world. */
struct questions *questions_new(const char *folder);
void questions_free(struct questions *questions);

/* Moves what the fast path answers to the front. */
void questions_sort(struct questions *questions, const struct publication *publications, size_t n);

/* `secrets`: of cookies that are good. */
void queries_make(struct choices *choices, const struct questions *questions,
                  const struct publication *publication, struct frame *ret_frame);

#endif

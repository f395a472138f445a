/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which names and types are asked for most, in fixed memory: Space-Saving (Metwally, Agrawal, El
 * Abbadi 2005) over samples of the packets the kernel sees. Four counters for each wanted name; a
 * name that has none takes that of the least asked one, and its count as its possible error, so
 * that a flood of names nobody asks twice moves nothing. Each turn an eighth of all counts is
 * forgotten.
 *
 * The chosen set changes only where it is worth the while, since every change means new templates:
 * whoever is in stays until somebody is asked clearly more often, and small gains wait. One thread.
 */
#ifndef EDGE_HOT_H
#define EDGE_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/render/render.h"

struct hot;

#define HOT_WANTED_MAX 65536u
#define HOT_BYTES_PER_NAME 1700u /* about so much memory for each wanted name */

/* `wanted_n`: how many are chosen at most, 1..HOT_WANTED_MAX. `seed`: of hashes, so that nobody can
 * make up names that meet. NULL: out of memory; nothing is allocated later. */
struct hot *hot_new(uint32_t wanted_n, uint64_t seed);
void hot_free(struct hot *hot); /* NULL is allowed */

/* One query more. `name` is in wire form, any case. */
void hot_add(struct hot *hot, const uint8_t *name, uint16_t qtype);

/* The same for a sample of the kernel's, if it is one that the kernel answered or would have with a
 * template. False: it is none of these, or no query at all. Every byte of it may be hostile. */
bool hot_sample(struct hot *hot, const struct fast_tap *sample);

/* Whether a name that is about to be chosen is worth it: it can have a template and has none for
 * another reason. */
typedef bool (*hot_worth)(void *context, const struct render_question *question);

/* Ends a turn: chooses anew, then lets the counts decay. True: the chosen ones are others now.
 * `worth` NULL: everybody is. */
bool hot_turn(struct hot *hot, hot_worth worth, void *context);

/* The chosen names, in lower case, borrowed until the next turn. Returns how many. */
size_t hot_chosen(const struct hot *hot, const struct render_question **ret_questions);

/* About how many samples in the last turns were for this name and type, at most and at least. */
void hot_count(const struct hot *hot, const uint8_t *name, uint16_t qtype, uint64_t *ret_most,
               uint64_t *ret_least);

#endif

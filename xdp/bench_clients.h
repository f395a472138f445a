/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random clients and PoP states for a benchmark or check of an image: addresses inside the image's
 * own blocks and anywhere, with and without ECS, special-purpose and transition addresses,
 * resolvers of both families; states from everything up to everything down. Equal seeds give equal
 * clients.
 */
#ifndef XDP_BENCH_CLIENTS_H
#define XDP_BENCH_CLIENTS_H

#include <stdint.h>

#include "maps/image.h"
#include "xdp/cores_abi.h"

/* `question_n` questions over `state_n` state tables. New array, freed by the caller with free();
 * NULL: out of memory. */
struct cores_question *bench_questions_new(const struct image *image, uint64_t seed,
                                           uint32_t question_n, uint32_t state_n);

/* `state_n` tables of MAP_STATES bytes; the first has everything up. */
uint8_t (*bench_states_new(const struct image *image, uint64_t seed, uint32_t state_n))[MAP_STATES];

#endif

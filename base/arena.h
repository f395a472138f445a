/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory by lifetime: many small allocations, freed together. One owner thread while it is filled;
 * what was allocated may be read by any thread until arena_free(). Never used on the answer path.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

/* NULL when out of memory. */
struct arena *arena_new(void);

/* The same, with `size` bytes in one piece that is filled first: for what is read at random once it
 * is there, since such a piece has huge pages when it is large enough. It may be too small. */
struct arena *arena_new_for(size_t size);

/* Zeroed memory, aligned for any type (at least 16 bytes). NULL when out of memory or `size` is
 * absurd. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* The same without a byte between it and its neighbours: for strings, names, wire data. `alignment`
 * is a power of two, at most 16. */
void *arena_pack(struct arena *arena, size_t size, size_t alignment)
    __attribute__((warn_unused_result));

/* A copy of `len` bytes with one NUL byte after them, packed. */
void *arena_copy(struct arena *arena, const void *bytes, size_t len)
    __attribute__((warn_unused_result));

/* Bytes handed out so far. */
size_t arena_used(const struct arena *arena);

/* Frees everything allocated from it; NULL is allowed. */
void arena_free(struct arena *arena);

#endif

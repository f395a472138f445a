/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)16)
#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)

struct chunk {
    struct chunk *older;
    size_t used, size; /* of bytes[] */
    alignas(16) uint8_t bytes[];
};

struct arena {
    struct chunk *newest; /* the one being filled */
    size_t next_size;
    size_t used;
};

_Static_assert(alignof(max_align_t) <= 16, "arena memory must fit any type");

struct arena *arena_new(void)
{
    struct arena *arena = calloc(1, sizeof(*arena));

    if (arena) {
        arena->next_size = CHUNK_MIN;
    }
    return arena;
}

static struct chunk *chunk_new(size_t size)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk) + size);

    if (chunk) {
        chunk->size = size;
    }
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct chunk *chunk = arena->newest;
    void *bytes;

    if (size > PTRDIFF_MAX / 2) {
        return NULL;
    }
    /* an empty object still gets an address of its own */
    size = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    if (!chunk || chunk->size - chunk->used < size) {
        /* A large object gets a chunk of its own behind the one being filled, whose rest stays
         * usable. */
        bool alone = size > arena->next_size / 4;
        struct chunk *fresh = chunk_new(alone ? size : arena->next_size);

        if (!fresh) {
            return NULL;
        }
        if (alone && chunk) {
            fresh->older = chunk->older;
            chunk->older = fresh;
        } else {
            fresh->older = chunk;
            arena->newest = fresh;
        }
        if (!alone && arena->next_size < CHUNK_MAX) {
            arena->next_size *= 2;
        }
        chunk = fresh;
    }
    bytes = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->used += size;
    return bytes;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
    uint8_t *copy = len < PTRDIFF_MAX / 2 ? arena_alloc(arena, len + 1) : NULL;

    if (copy && len) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

void arena_free(struct arena *arena)
{
    if (!arena) {
        return;
    }
    for (struct chunk *chunk = arena->newest; chunk;) {
        struct chunk *older = chunk->older;

        free(chunk);
        chunk = older;
    }
    free(arena);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)16)
#define CHUNK_MIN ((size_t)512)
#define CHUNK_MAX ((size_t)1 << 20)
#define CHUNK_SHARE                                                                                \
    4 /* a chunk holds a quarter of what is there: that is the most that is unused */
#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20) /* of x86-64, and of arm64 with pages of 4 KiB */
#define MALLOC_HEAD ((size_t)16)    /* so that large chunks are whole pages with what malloc adds */

/* Objects grow from the front, packed bytes from the back. */
struct chunk {
    struct chunk *older;
    size_t front, back; /* of bytes[]; what lies between is free */
    size_t mapped;      /* bytes of a mapping of its own; 0: from malloc */
    alignas(16) uint8_t bytes[];
};

struct arena {
    struct chunk *newest; /* the one being filled */
    size_t used;
};

_Static_assert(alignof(max_align_t) <= 16, "arena memory must fit any type");

struct arena *arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

static struct chunk *chunk_new(size_t size)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk) + size);

    if (chunk) {
        chunk->back = size;
    }
    return chunk;
}

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Begins where a huge page can. The end is one, too, unless too much of it would be unused; a
 * kernel that has none left gives small pages. */
static struct chunk *chunk_map(size_t size)
{
    size_t wanted = sizeof(struct chunk) + size;
    size_t whole = round_up(wanted, HUGE_PAGE);
    size_t mapped = whole - wanted <= wanted / CHUNK_SHARE ? whole : round_up(wanted, PAGE);
    uint8_t *start = mmap(NULL, mapped + HUGE_PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct chunk *chunk;
    size_t before;
    void *place;

    if (start == MAP_FAILED) {
        return NULL;
    }
    before = HUGE_PAGE - (uintptr_t)start % HUGE_PAGE;
    place = start + before;
    (void)munmap(start, before);
    if (before < HUGE_PAGE) {
        (void)munmap(start + before + mapped, HUGE_PAGE - before);
    }
    (void)madvise(place, mapped, MADV_HUGEPAGE);
    chunk = place;
    chunk->mapped = mapped;
    chunk->back = size;
    return chunk;
}

static size_t chunk_size(const struct arena *arena)
{
    size_t size = CHUNK_MIN;

    while (size < arena->used / CHUNK_SHARE && size < CHUNK_MAX) {
        size *= 2;
    }
    return size - sizeof(struct chunk) - MALLOC_HEAD;
}

/* A chunk with `size` free bytes. A large object gets a chunk of its own behind the one being
 * filled, whose rest stays usable. */
static struct chunk *arena_room(struct arena *arena, size_t size)
{
    struct chunk *chunk = arena->newest;
    size_t next_size = chunk_size(arena);
    bool alone = size > next_size / 4;
    struct chunk *fresh;

    if (chunk && chunk->back - chunk->front >= size) {
        return chunk;
    }
    fresh = chunk_new(alone ? size : next_size);
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
    return fresh;
}

struct arena *arena_new_for(size_t size)
{
    struct arena *arena = arena_new();

    if (arena) {
        arena->newest = size < HUGE_PAGE ? chunk_new(size) : chunk_map(size);
        if (!arena->newest) {
            arena_free(arena);
            return NULL;
        }
    }
    return arena;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct chunk *chunk;
    void *bytes;

    if (size > PTRDIFF_MAX / 2) {
        return NULL;
    }
    /* an empty object still gets an address of its own */
    size = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    chunk = arena_room(arena, size);
    if (!chunk) {
        return NULL;
    }
    bytes = chunk->bytes + chunk->front;
    chunk->front += size;
    arena->used += size;
    return bytes;
}

void *arena_pack(struct arena *arena, size_t size, size_t alignment)
{
    struct chunk *chunk;

    if (size > PTRDIFF_MAX / 2) {
        return NULL;
    }
    size = size ? size : 1;
    /* the end of a chunk is even at best, so an alignment may cost its own length */
    chunk = arena_room(arena, size + alignment - 1);
    if (!chunk) {
        return NULL;
    }
    arena->used += size;
    chunk->back = (chunk->back - size) / alignment * alignment;
    return chunk->bytes + chunk->back;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t len)
{
    uint8_t *copy = len < PTRDIFF_MAX / 2 ? arena_pack(arena, len + 1, 1) : NULL;

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

        if (chunk->mapped) {
            (void)munmap(chunk, chunk->mapped);
        } else {
            free(chunk);
        }
        chunk = older;
    }
    free(arena);
}

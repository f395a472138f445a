/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Out of memory at every single allocation in turn: a reason comes back, nothing leaks (the
 * sanitizer build looks) and nothing is half done. The linker sends the allocations of base/
 * through here (--wrap).
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/yaml.h"

/* Allocations that still succeed; negative: all. */
static long left = -1;

static bool is_out(void)
{
    if (left < 0) {
        return false;
    }
    if (left == 0) {
        errno = ENOMEM;
        return true;
    }
    left--;
    return false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return is_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_out() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return is_out() ? NULL : __real_reallocarray(old, count, size);
}

Test(memory, a_document_fails_at_every_allocation)
{
    static char text[40000];
    long allocations;

    /* long enough for several chunks of the arena and a list that grows */
    strcpy(text, "keys: {a: 1, b: [2, 3]}\nlist:\n");
    while (strlen(text) < sizeof(text) - 100) {
        strcat(text, "  - a value of some length, and of a length of its own\n");
    }
    for (allocations = 0; allocations < 1000; allocations++) {
        struct yaml_document *document = NULL;
        struct failure failure = {.text = ""};
        int err;

        left = allocations;
        err = yaml_load_bytes("f", (const uint8_t *)text, strlen(text), &document, &failure);
        left = -1;
        if (err == 0) {
            yaml_unload(document);
            break;
        }
        cr_assert_eq(err, -ENOMEM);
        cr_assert_null(document);
        cr_assert_str_eq(failure.text, "f: Cannot allocate memory");
    }
    cr_assert_geq(allocations, 10);
    cr_assert_lt(allocations, 1000);
}

Test(memory, a_file_fails_at_every_allocation)
{
    long allocations;

    for (allocations = 0; allocations < 1000; allocations++) {
        uint8_t *bytes = NULL;
        size_t len;
        struct failure failure = {.text = ""};
        int err;

        left = allocations;
        /* a file whose size says 0, so that the buffer has to grow */
        err = fd_read_file("/proc/self/status", 1 << 20, &bytes, &len, &failure);
        left = -1;
        if (err == 0) {
            free(bytes);
            break;
        }
        cr_assert_eq(err, -ENOMEM);
        cr_assert_null(bytes);
        cr_assert_str_eq(failure.text, "/proc/self/status: Cannot allocate memory");
    }
    cr_assert_geq(allocations, 3);
    cr_assert_lt(allocations, 1000);
}

Test(memory, an_arena_that_could_not_grow_still_holds)
{
    struct arena *arena;
    char *kept;

    left = 0;
    cr_assert_null(arena_new());
    left = -1;
    arena = arena_new();
    kept = arena_copy(arena, "kept", 4);
    left = 0;
    cr_assert_null(arena_alloc(arena, 100000));
    left = -1;
    cr_assert_not_null(arena_alloc(arena, 100000));
    cr_assert_str_eq(kept, "kept");
    arena_free(arena);
}

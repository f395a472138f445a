/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(arena, memory_is_zeroed_aligned_and_disjoint)
{
    static const size_t sizes[] = {1, 15, 16, 17, 0, 4096, 100000, 3, 3000000, 8, 1025};
    enum { N = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 50 };
    struct arena *arena = arena_new();
    static uint8_t *pieces[N * ROUNDS];
    size_t total = 0;

    for (size_t i = 0; i < N * ROUNDS; i++) {
        size_t size = sizes[i % N];

        pieces[i] = arena_alloc(arena, size);
        cr_assert_not_null(pieces[i]);
        cr_assert_eq((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k<size; k += size> 5000 ? 997 : 1) {
            cr_assert_eq(pieces[i][k], 0);
        }
        memset(pieces[i], (int)(i % 251) + 1, size); /* would show in a piece it overlaps */
        total += size;
    }
    for (size_t i = 0; i < N * ROUNDS; i++) {
        size_t size = sizes[i % N];

        for (size_t k = 0; k<size; k += size> 5000 ? 997 : 1) {
            cr_assert_eq(pieces[i][k], (uint8_t)(i % 251 + 1));
        }
    }
    cr_assert_geq(arena_used(arena), total);
    cr_assert_leq(arena_used(arena), total + 16 * N * ROUNDS);
    arena_free(arena);
}

Test(arena, packed_pieces_lie_side_by_side_between_aligned_ones)
{
    enum { N = 2000 };
    struct arena *arena = arena_new();
    static uint8_t *packed[N];
    static uint32_t *words[N];
    static uint64_t *aligned[N];

    for (unsigned i = 0; i < N; i++) {
        packed[i] = arena_pack(arena, i % 40, 1);
        words[i] = arena_pack(arena, sizeof(*words[i]), sizeof(*words[i]));
        aligned[i] = arena_alloc(arena, sizeof(*aligned[i]));
        cr_assert_eq((uintptr_t)words[i] % sizeof(*words[i]), 0);
        cr_assert_eq((uintptr_t)aligned[i] % 16, 0);
        cr_assert_eq(*words[i] + *aligned[i], 0);
        memset(packed[i], (int)(i % 251) + 1, i % 40);
        *words[i] = i;
        *aligned[i] = i;
    }
    for (unsigned i = 0; i < N; i++) {
        for (unsigned k = 0; k < i % 40; k++) {
            cr_assert_eq(packed[i][k], (uint8_t)(i % 251 + 1));
        }
        cr_assert_eq(*words[i], i);
        cr_assert_eq(*aligned[i], i);
    }
    arena_free(arena);
}

Test(arena, room_that_was_asked_for_lies_in_one_piece_and_more_can_follow)
{
    static const size_t sizes[] = {0, 100, 4096, 5 << 20};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct arena *arena = arena_new_for(sizes[i] + 32);
        uint8_t *front = arena_alloc(arena, sizes[i] / 2), *back, *more;

        cr_assert_not_null(front);
        back = arena_pack(arena, sizes[i] / 2 - sizes[i] / 32, 1);
        cr_assert(back > front && (size_t)(back - front) < sizes[i] + 32);
        for (size_t k = 0; k < sizes[i] / 2; k++) {
            cr_assert_eq(front[k], 0);
            front[k] = 1;
        }
        memset(back, 2, sizes[i] / 2 - sizes[i] / 32);
        more = arena_alloc(arena, 3 << 20);
        cr_assert_not_null(more);
        memset(more, 3, 3 << 20);
        for (size_t k = 0; k < sizes[i] / 2; k++) {
            cr_assert_eq(front[k], 1);
        }
        arena_free(arena);
    }
    cr_assert_null(arena_new_for(SIZE_MAX / 2));
}

Test(arena, empty_pieces_have_addresses_of_their_own)
{
    struct arena *arena = arena_new();
    void *first = arena_alloc(arena, 0), *second = arena_alloc(arena, 0);

    cr_assert_not_null(first);
    cr_assert_neq(first, second);
    arena_free(arena);
}

Test(arena, absurd_sizes_are_refused_and_do_no_harm)
{
    struct arena *arena = arena_new();

    cr_assert_null(arena_alloc(arena, SIZE_MAX));
    cr_assert_null(arena_alloc(arena, SIZE_MAX - 15));
    cr_assert_null(arena_alloc(arena, (size_t)PTRDIFF_MAX));
    cr_assert_null(arena_copy(arena, "", SIZE_MAX));
    cr_assert_eq(arena_used(arena), 0);
    cr_assert_not_null(arena_alloc(arena, 10));
    arena_free(arena);
}

Test(arena, copies_are_terminated)
{
    struct arena *arena = arena_new();
    char *copy = arena_copy(arena, "a\0bc", 4);

    cr_assert_eq(memcmp(copy, "a\0bc", 5), 0);
    cr_assert_str_eq(arena_copy(arena, NULL, 0), "");
    arena_free(arena);
}

Test(arena, free_takes_null)
{
    arena_free(NULL);
}

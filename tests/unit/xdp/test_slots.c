/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A publisher and programs that hold on to the word they have read: whatever the publisher writes,
 * and wherever its waiting fails, no slot changes under a program that may read it.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "xdp/fast_abi.h"
#include "xdp/slots.h"

#define READERS 5
#define STEPS 200000

static const uint32_t slot_n[SLOTS_TABLES] = {FAST_TABLE_SLOTS, FAST_TABLE_SLOTS, FAST_SLOTS};

struct world {
    struct slots slots;
    uint64_t word;
    uint64_t readers[READERS]; /* words that running programs have read; NOTHING: it runs not */
    uint32_t content[SLOTS_TABLES][FAST_SLOTS];
    uint64_t random;
    unsigned waits;
    unsigned refused;
};

static uint32_t next(struct world *world, uint32_t below)
{
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(world->random >> 33) % below;
}

static uint32_t named(uint64_t word, unsigned table)
{
    const uint32_t slots[SLOTS_TABLES] = {FAST_WORD_IMAGE(word), FAST_WORD_TEMPLATE(word),
                                          FAST_WORD_STATE(word)};

    return slots[table];
}

static void write_slot(struct world *world, unsigned table, uint32_t slot)
{
    cr_assert_lt(slot, slot_n[table]);
    cr_assert_neq(slot, named(world->word, table), "the slot in force is written");
    for (unsigned i = 0; i < READERS; i++) {
        cr_assert_neq(slot, named(world->readers[i], table), "slot %u of table %u is being read",
                      slot, table);
    }
    world->content[table][slot]++;
}

/* One that fails in its middle leaves no trace but in slots that nobody reads. */
static void publish(struct world *world)
{
    uint32_t chosen[SLOTS_TABLES];
    uint64_t word;

    for (unsigned table = 0; table < SLOTS_TABLES; table++) {
        uint32_t what = table == SLOTS_STATE ? 0 : next(world, 4);

        if (what == 1) {
            chosen[table] = FAST_SLOT_NONE;
        } else if (what >= 2) {
            chosen[table] = world->slots.named[table];
        } else {
            if (!slots_choose(&world->slots, (enum slots_table)table, &chosen[table])) {
                if (next(world, 8) == 0) {
                    world->refused++;
                    return; /* no waiting possible */
                }
                for (unsigned i = 0; i < READERS; i++) {
                    world->readers[i] = FAST_WORD_NOTHING;
                }
                world->waits++;
                slots_waited(&world->slots);
            }
            write_slot(world, table, chosen[table]);
        }
    }
    word = slots_word(&world->slots, chosen);
    cr_assert_eq(FAST_WORD_SEQUENCE(word), FAST_WORD_SEQUENCE(world->word) + 1);
    world->word = word;
    slots_publish(&world->slots, word);
}

Test(slots, nothing_that_may_be_read_is_written)
{
    struct world world = {.word = FAST_WORD_NOTHING, .random = 20261122};

    for (unsigned i = 0; i < READERS; i++) {
        world.readers[i] = FAST_WORD_NOTHING;
    }
    slots_init(&world.slots, world.word);
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t what = next(&world, 20);

        if (what < 8) {
            world.readers[next(&world, READERS)] = world.word;
        } else if (what < 12) {
            world.readers[next(&world, READERS)] = FAST_WORD_NOTHING;
        } else if (what < 19) {
            publish(&world);
        } else {
            slots_init(&world.slots, world.word); /* another process takes over */
        }
    }
    cr_assert_gt(world.waits, 1000u);
    cr_assert_gt(world.refused, 100u);
}

Test(slots, states_wait_for_one_publication_in_three)
{
    struct slots slots;
    unsigned waits = 0;

    slots_init(&slots, FAST_WORD_NOTHING);
    slots_waited(&slots);
    for (unsigned i = 0; i < 300; i++) {
        uint32_t chosen[SLOTS_TABLES] = {0, 1, 0};

        if (!slots_choose(&slots, SLOTS_STATE, &chosen[SLOTS_STATE])) {
            slots_waited(&slots);
            waits++;
        }
        slots_publish(&slots, slots_word(&slots, chosen));
    }
    cr_assert_eq(waits, 99u, "%u", waits);
}

Test(slots, a_predecessors_word_is_believed_only_where_it_can_be)
{
    struct slots slots;
    uint32_t slot;

    slots_init(&slots, FAST_WORD(7, 1, 3, 41));
    cr_assert_eq(slots.named[SLOTS_IMAGE], FAST_SLOT_NONE, "there are two");
    cr_assert_eq(slots.named[SLOTS_TEMPLATE], 1u);
    cr_assert_eq(slots.named[SLOTS_STATE], 3u);
    cr_assert_not(slots_choose(&slots, SLOTS_TEMPLATE, &slot), "a program may still read it");
    cr_assert_eq(slot, 0u);
    slots_waited(&slots);
    cr_assert(slots_choose(&slots, SLOTS_TEMPLATE, &slot));
    cr_assert_eq(slot, 0u);
}

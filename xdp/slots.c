/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/slots.h"

#include "xdp/fast_abi.h"

static const uint32_t slots_n[SLOTS_TABLES] = {
    [SLOTS_IMAGE] = FAST_TABLE_SLOTS,
    [SLOTS_TEMPLATE] = FAST_TABLE_SLOTS,
    [SLOTS_STATE] = FAST_SLOTS,
};

static uint32_t slots_all(enum slots_table table)
{
    return (1u << slots_n[table]) - 1;
}

static void slots_name(struct slots *slots, uint64_t word)
{
    const uint32_t named[SLOTS_TABLES] = {FAST_WORD_IMAGE(word), FAST_WORD_TEMPLATE(word),
                                          FAST_WORD_STATE(word)};

    for (unsigned table = 0; table < SLOTS_TABLES; table++) {
        slots->named[table] = named[table] < slots_n[table] ? named[table] : FAST_SLOT_NONE;
    }
    slots->sequence = FAST_WORD_SEQUENCE(word);
}

void slots_init(struct slots *slots, uint64_t word)
{
    slots_name(slots, word);
    for (unsigned table = 0; table < SLOTS_TABLES; table++) {
        slots->stale[table] = slots_all(table);
    }
}

bool slots_choose(const struct slots *slots, enum slots_table table, uint32_t *ret_slot)
{
    uint32_t named = slots->named[table];
    uint32_t taken = named == FAST_SLOT_NONE ? 0 : 1u << named;
    uint32_t clean = slots_all(table) & ~slots->stale[table] & ~taken;
    uint32_t open = clean ? clean : slots_all(table) & ~taken;

    *ret_slot = (uint32_t)__builtin_ctz(open); /* there are at least two slots */
    return clean != 0;
}

void slots_waited(struct slots *slots)
{
    for (unsigned table = 0; table < SLOTS_TABLES; table++) {
        slots->stale[table] = 0;
    }
}

uint64_t slots_word(const struct slots *slots, const uint32_t chosen[SLOTS_TABLES])
{
    return FAST_WORD(chosen[SLOTS_IMAGE], chosen[SLOTS_TEMPLATE], chosen[SLOTS_STATE],
                     slots->sequence + 1);
}

void slots_publish(struct slots *slots, uint64_t word)
{
    uint32_t before[SLOTS_TABLES];

    for (unsigned table = 0; table < SLOTS_TABLES; table++) {
        before[table] = slots->named[table];
    }
    slots_name(slots, word);
    for (unsigned table = 0; table < SLOTS_TABLES; table++) {
        if (before[table] != FAST_SLOT_NONE && before[table] != slots->named[table]) {
            slots->stale[table] |= 1u << before[table];
        }
    }
}

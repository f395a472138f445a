/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/tables.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLES_COUNTERS (sizeof(struct fast_counters) / sizeof(uint64_t))

static_assert(sizeof(struct fast_counters) % sizeof(uint64_t) == 0, "counters are 64-bit words");

int tables_map(const struct program *program, const struct fast_limits *limits,
               struct tables *ret_tables, struct failure *failure)
{
    const size_t lens[PROGRAM_TAP] = {
        [PROGRAM_CONTROL] = sizeof(struct fast_control),
        [PROGRAM_POLICIES] = FAST_SLOTS * sizeof(struct fast_policy),
        [PROGRAM_STATES] = FAST_SLOTS * (size_t)limits->services * sizeof(struct fast_state),
        [PROGRAM_TEMPLATES] = FAST_TABLE_SLOTS * (size_t)limits->template_blocks * FAST_BLOCK_SIZE,
        [PROGRAM_IMAGES] = FAST_TABLE_SLOTS * (size_t)limits->image_blocks * FAST_BLOCK_SIZE,
        [PROGRAM_COUNTERS] = limits->cpus * sizeof(struct fast_counters),
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct tables tables = {.limits = *limits};
    void *places[PROGRAM_TAP];

    for (unsigned map = 0; map < PROGRAM_TAP; map++) {
        int access = map == PROGRAM_COUNTERS ? PROT_READ : PROT_READ | PROT_WRITE;

        tables.lens[map] = (lens[map] + page - 1) / page * page;
        places[map] = mmap(NULL, tables.lens[map], access, MAP_SHARED, program->map_fds[map], 0);
        if (places[map] == MAP_FAILED) {
            int error = -errno;

            while (map-- > 0) {
                munmap(places[map], tables.lens[map]);
            }
            return failure_set(failure, error, "cannot map the XDP tables: %s", strerror(-error));
        }
    }
    tables.control = places[PROGRAM_CONTROL];
    tables.policies = places[PROGRAM_POLICIES];
    tables.states = places[PROGRAM_STATES];
    tables.templates = places[PROGRAM_TEMPLATES];
    tables.images = places[PROGRAM_IMAGES];
    tables.counters = places[PROGRAM_COUNTERS];
    *ret_tables = tables;
    return 0;
}

void tables_unmap(struct tables *tables)
{
    void *const places[PROGRAM_TAP] = {
        [PROGRAM_CONTROL] = tables->control, [PROGRAM_POLICIES] = tables->policies,
        [PROGRAM_STATES] = tables->states,   [PROGRAM_TEMPLATES] = tables->templates,
        [PROGRAM_IMAGES] = tables->images,   [PROGRAM_COUNTERS] = tables->counters,
    };

    for (unsigned map = 0; map < PROGRAM_TAP; map++) {
        if (places[map]) {
            munmap(places[map], tables->lens[map]);
        }
    }
    *tables = (struct tables){0};
}

void tables_clear(struct tables *tables)
{
    struct fast_control *control = tables->control;

    *control = (struct fast_control){.word = FAST_WORD_NOTHING, .tap_mask = ~UINT64_C(0)};
    control->abi_version = FAST_ABI_VERSION;
    control->magic = FAST_MAGIC;
}

void tables_write_image(struct tables *tables, uint32_t slot, const void *blocks, uint32_t block_n)
{
    memcpy(tables->images + (size_t)slot * tables->limits.image_blocks * FAST_BLOCK_SIZE, blocks,
           (size_t)block_n * FAST_BLOCK_SIZE);
}

void tables_write_templates(struct tables *tables, uint32_t slot, const void *blocks,
                            uint32_t block_n)
{
    memcpy(tables->templates + (size_t)slot * tables->limits.template_blocks * FAST_BLOCK_SIZE,
           blocks, (size_t)block_n * FAST_BLOCK_SIZE);
}

void tables_write_states(struct tables *tables, uint32_t slot, const struct fast_state *states,
                         uint32_t service_n)
{
    if (service_n) {
        memcpy(tables->states + (size_t)slot * tables->limits.services, states,
               service_n * sizeof(*states));
    }
}

void tables_write_policy(struct tables *tables, uint32_t slot, const struct fast_policy *policy)
{
    tables->policies[slot] = *policy;
}

void tables_store_word(struct tables *tables, uint64_t word)
{
    __atomic_store_n(&tables->control->word, word, __ATOMIC_RELEASE);
}

uint64_t tables_word(const struct tables *tables)
{
    return __atomic_load_n(&tables->control->word, __ATOMIC_ACQUIRE);
}

void tables_sum(const struct tables *tables, struct fast_counters *ret_sum)
{
    uint64_t *sums = (uint64_t *)(void *)ret_sum;

    *ret_sum = (struct fast_counters){0};
    for (uint32_t cpu = 0; cpu < tables->limits.cpus; cpu++) {
        const uint64_t *counters = (const uint64_t *)(const void *)&tables->counters[cpu];

        for (size_t i = 0; i < TABLES_COUNTERS; i++) {
            sums[i] += __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
        }
    }
}

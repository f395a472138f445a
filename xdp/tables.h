/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's maps in our memory: what is written here is what the next packet meets. No system
 * call but the ones that map them. One writer.
 */
#ifndef XDP_TABLES_H
#define XDP_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "xdp/program.h"

struct tables {
    struct fast_limits limits;
    struct fast_control *control;
    struct fast_policy *policies;
    struct fast_state *states;
    uint8_t *templates;
    uint8_t *images;
    struct fast_counters *counters; /* read only */
    size_t lens[PROGRAM_TAP];
};

/* The descriptors may be closed afterwards. */
int tables_map(const struct program *program, const struct fast_limits *limits,
               struct tables *ret_tables, struct failure *failure);
void tables_unmap(struct tables *tables); /* also what is mapped in part */

/* Magic, version, nothing named, no life, no samples: for maps that nobody has used. */
void tables_clear(struct tables *tables);

/* Fill a slot. The caller sees to it that nobody reads it and that it fits. */
void tables_write_image(struct tables *tables, uint32_t slot, const void *blocks, uint32_t block_n);
void tables_write_templates(struct tables *tables, uint32_t slot, const void *blocks,
                            uint32_t block_n);
void tables_write_states(struct tables *tables, uint32_t slot, const struct fast_state *states,
                         uint32_t service_n);
void tables_write_policy(struct tables *tables, uint32_t slot, const struct fast_policy *policy);

/* All that was written before is seen by whoever reads the word. */
void tables_store_word(struct tables *tables, uint64_t word);
uint64_t tables_word(const struct tables *tables);

/* The sum over the CPUs. Each counter is right; they are not of one instant. */
void tables_sum(const struct tables *tables, struct fast_counters *ret_sum);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program loaded for a proof: its arrays in our memory, packets given to it one at a time by
 * BPF_PROG_TEST_RUN. Three times over the same arrays: as it is, with growth at the tail failing,
 * and with both growths failing. Packets are run by one thread; the arrays may be written by
 * another.
 */
#ifndef TESTS_FUZZ_XDP_KERNEL_H
#define TESTS_FUZZ_XDP_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "frames.h"
#include "publication.h"

enum kernel_fault {
    KERNEL_NO_FAULT,
    KERNEL_TAIL_FAILS,
    KERNEL_BOTH_FAIL,
    KERNEL_FAULTS,
};

struct kernel;

/* Capacities of one slot. */
int kernel_open(const struct fast_limits *limits, struct kernel **ret_kernel,
                struct failure *failure);
void kernel_close(struct kernel *kernel);

struct fast_control *kernel_control(struct kernel *kernel);

/* Fills slots; the caller knows that nobody reads them. */
void kernel_put_image(struct kernel *kernel, unsigned slot, const struct publication *publication);
void kernel_put_templates(struct kernel *kernel, unsigned slot,
                          const struct publication *publication);
void kernel_put_states(struct kernel *kernel, unsigned slot, const struct publication *publication);

/* Sum of all CPUs. */
void kernel_counters(const struct kernel *kernel, struct fast_counters *ret_counters);

/* Instructions that the verifier processed. */
uint32_t kernel_verified(const struct kernel *kernel);

/* Gives the frame to the program: *ret_action is an XDP action, the frame what it left. 0 or
 * -errno. */
int kernel_run(struct kernel *kernel, enum kernel_fault fault, const struct frame *frame,
               struct frame *ret_frame, uint32_t *ret_action);

#endif

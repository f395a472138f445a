/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runs the cores in the kernel and on the host over the same questions: loads cores.bpf.c, maps the
 * image's own bytes into its array, works through all questions by BPF_PROG_TEST_RUN and compares.
 * No packet is involved and no interface. Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (or root)
 * and Linux 5.17 or newer. One thread.
 */
#ifndef XDP_CORES_CHECK_H
#define XDP_CORES_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "maps/image.h"
#include "xdp/cores_abi.h"

struct cores_check;

/* Borrowed for the life of the check. */
struct cores_input {
    const struct image *image;
    const uint8_t (*states)[MAP_STATES];
    uint32_t state_n;
    const struct cores_question *questions;
    uint32_t question_n;
};

enum cores_program {
    CORES_PROGRAM_RUN,   /* decide and select */
    CORES_PROGRAM_EMPTY, /* the same frame without them */
};

struct cores_size {
    uint32_t verified_insns; /* instructions the verifier processed; it gives up at 1,000,000 */
    uint32_t translated_insns;
    uint32_t jited_bytes;
};

/* Whether this process may use BPF at all: 0, or -EPERM or -ENOSYS with the reason. */
int cores_check_allowed(struct failure *failure);

int cores_check_open(const struct cores_input *input, struct cores_check **ret_check,
                     struct failure *failure);
void cores_check_close(struct cores_check *check); /* NULL is allowed */

void cores_check_size(const struct cores_check *check, struct cores_size *ret_size);

/* All questions once, from the first. *ret_ns is the mean time of a run, as the kernel measured it.
 */
int cores_check_run(struct cores_check *check, enum cores_program program, double *ret_ns,
                    struct failure *failure);

/* The same on the host; `answer` is what the kernel should have written. */
void cores_check_host(const struct cores_input *input, const struct cores_question *question,
                      struct cores_answer *ret_answer);

/* After a run of CORES_PROGRAM_RUN: how many answers differ from the host's, and the first such
 * question (or question_n). */
uint32_t cores_check_compare(const struct cores_check *check, uint32_t *ret_first);

/* The kernel's answer to a question. */
const struct cores_answer *cores_check_answer(const struct cores_check *check, uint32_t question);

#endif

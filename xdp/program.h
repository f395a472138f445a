/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program and its maps: loaded, or adopted from what a process before us pinned. Maps are
 * adopted that have the magic, the version and the sizes we would give them; with them the program,
 * if it is of the same object: then nothing is loaded, which takes the verifier its time. Opening
 * changes nothing that is pinned.
 */
#ifndef XDP_PROGRAM_H
#define XDP_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/failure.h"
#include "xdp/fast_abi.h"

#define PROGRAM_PIN "program" /* the name it is pinned by */

enum program_map {
    PROGRAM_CONTROL,
    PROGRAM_POLICIES,
    PROGRAM_STATES,
    PROGRAM_TEMPLATES,
    PROGRAM_IMAGES,
    PROGRAM_COUNTERS,
    PROGRAM_TAP,
    PROGRAM_LIMITS, /* what is constant in the program */
    PROGRAM_MAPS,
};

struct program {
    int fd;
    uint32_t id;
    uint64_t digest; /* of object and constants */
    int map_fds[PROGRAM_MAPS];
    bool maps_adopted;
    bool adopted;      /* the program too */
    char refused[160]; /* why maps that are pinned were not adopted; empty: they were, or there are
                          none */
};

/* `limits->cpus` is filled in. Needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON. */
int program_open(const char *pin_folder, struct fast_limits *limits, struct program *ret_program,
                 struct failure *failure);

/* Pins it and its maps unless it is, the program last: whoever finds it finds its maps. */
int program_pin(const struct program *program, const char *pin_folder);

/* The program that is pinned is this one. */
bool program_is_pinned(const struct program *program, const char *pin_folder);

void program_unpin(const char *pin_folder);

void program_close(struct program *program);

#endif

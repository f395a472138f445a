/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files isochrone-bgp writes, by a thread of their own: lines appended to a journal that is
 * rotated by size, and one small file that is replaced whole. A disk that is full, slow, hung or
 * gone costs what it would have held: that is counted, said once, and nobody waits. Calls are made
 * by one thread.
 */
#ifndef BGP_DISK_H
#define BGP_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_QUEUE_LEN 262144 /* bytes of lines that wait to be written; more are lost */
#define DISK_JOURNAL_MIN (4 * (uint64_t)DISK_QUEUE_LEN)

struct disk_options {
    const char *journal;   /* borrowed; NULL: none */
    uint64_t journal_size; /* of one file, at least DISK_JOURNAL_MIN */
    unsigned journal_keep; /* older files: PATH.1, the youngest, to PATH.keep */
    const char *state;     /* the small file; borrowed; NULL: none */
};

struct disk_counters {
    uint64_t lines, lines_lost; /* of the journal */
    uint64_t rotations;
    uint64_t saves, saves_failed; /* of the small file */
    bool journal_failing, state_failing;
};

struct disk;

/* NULL when there is neither memory nor a thread for it: then nothing is written. Opens nothing
 * yet. */
struct disk *disk_open(const struct disk_options *options);

/* A line with its newline. False if it is lost already. `disk` may be NULL, here and below. */
bool disk_append(struct disk *disk, const char *line, size_t len);

/* The small file's next content. What was not written yet is given up for it. */
void disk_replace(struct disk *disk, const void *bytes, size_t len);

void disk_counters(struct disk *disk, struct disk_counters *ret_counters);

/* Writes what waits, but waits no longer than this for the disk. */
void disk_close(struct disk *disk, int64_t patience_ns);

#endif

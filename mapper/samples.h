/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Measurement rows, streamed: CSV with a header (columns in any order: time, client, pop, rtt_ms;
 * optional resolver, count, bytes; others are ignored) or JSON lines with the same keys. Each row
 * becomes a struct sample, or is counted under the reason why not. Stateless between files; files
 * may be read by several threads at once.
 *
 * The client unit is /24 and /48: an address, or a prefix longer than that (IPv6: than /56), counts
 * for the unit it lies in; a prefix of /8../24 or /16../56 counts for its own block.
 */
#ifndef MAPPER_SAMPLES_H
#define MAPPER_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "mapper/config.h"
#include "mapper/line_stream.h"

/* A client or resolver block. At most 64 bits count. */
struct block {
    uint64_t hi;
    uint8_t family; /* enum map_family */
    uint8_t len;
};

struct sample {
    uint64_t time_s;
    struct block client;
    struct block resolver; /* /32 or /64, if has_resolver */
    float rtt_ms;
    uint32_t count;
    uint8_t pop;
    bool has_resolver;
};

enum sample_fault {
    SAMPLE_GOOD,
    SAMPLE_SYNTAX,
    SAMPLE_TOO_LONG,
    SAMPLE_MISSING,
    SAMPLE_BAD_TIME,
    SAMPLE_BAD_CLIENT,
    SAMPLE_SPECIAL_CLIENT, /* an address nobody on the Internet has, RFC 6890 */
    SAMPLE_BAD_RESOLVER,
    SAMPLE_UNKNOWN_POP,
    SAMPLE_BAD_RTT,
    SAMPLE_BAD_COUNT,
    SAMPLE_IMPOSSIBLE_RTT, /* faster than light in fibre from where the client is */
    SAMPLE_FAULTS,
};

const char *sample_fault_text(enum sample_fault fault);

#define SAMPLES_NOTES 5u /* bad rows described per file */

struct samples_report {
    uint64_t rows; /* good and bad, without header and empty lines */
    uint64_t faults[SAMPLE_FAULTS];
    uint64_t newest_s;              /* time of the newest good row, 0 none */
    char notes[SAMPLES_NOTES][256]; /* "FILE:LINE: reason" of the first bad rows */
    size_t note_n;
};

/* Takes a good row. SAMPLE_GOOD, or the fault it finds; *ret_err is set (and reading stops) when it
 * cannot go on. */
typedef enum sample_fault (*sample_sink)(void *context, const struct sample *sample, int *ret_err);

/* Reads one stream to its end and adds to `report`. `read_bytes`, if not NULL, follows the position
 * in the file. */
int samples_read(struct line_stream *stream, const struct config *config, sample_sink sink,
                 void *context, struct samples_report *report, _Atomic uint64_t *read_bytes,
                 struct failure *failure);

void samples_report_add(struct samples_report *into, const struct samples_report *from);
uint64_t samples_report_bad(const struct samples_report *report);

/* The block a client text stands for. False when it is none. */
bool sample_client_parse(const char *text, struct block *ret_block);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The verbs import-gdnsd and import-tinydns: read, write, say what became of it.
 */
#ifndef MAPPER_IMPORT_IMPORT_H
#define MAPPER_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/failure.h"

struct import_options {
    const char *source;     /* a folder of gdnsd, a data file of tinydns */
    const char *output;     /* the folder to write to */
    const char *state_file; /* gdnsd's admin_state; NULL: where its configuration says */
    int64_t now_s;          /* for tinydns' time stamps; unix seconds */
    bool json;              /* one object on `out` instead of a summary */
};

/* Lines that were left out go to `faults` as "FILE:LINE: reason"; their number to *ret_left_out.
 * Negative when nothing could be imported or written. */
int import_gdnsd(const struct import_options *options, FILE *out, FILE *faults,
                 size_t *ret_left_out, struct failure *failure);
int import_tinydns(const struct import_options *options, FILE *out, FILE *faults,
                   size_t *ret_left_out, struct failure *failure);

#endif

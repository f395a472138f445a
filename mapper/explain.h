/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an image says about clients, by the servers' own lookup code: `lookup`, as JSON objects (one
 * per line) or as a table for people.
 */
#ifndef MAPPER_EXPLAIN_H
#define MAPPER_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/address.h"
#include "base/failure.h"
#include "maps/image.h"

struct explain_options {
    uint32_t map;
    bool resolver; /* the address sends the query itself, without ECS */
    bool json;
};

/* `text` is an address or a prefix; a prefix yields every disjoint block inside it, in address
 * order (one that is wider than the prefix once). -EINVAL when it is neither. */
int explain_text(const struct image *image, const struct explain_options *options, const char *text,
                 FILE *out, struct failure *failure);

/* The head of the table for people. */
void explain_head(FILE *out);

const char *explain_source_name(uint8_t source);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `eval`: how far an image is from the truth, where the truth is known (a sample world, or
 * measurements kept back). The loss of a client is the RTT of the PoP it is sent to less that of
 * the best one; figures are weighted by demand.
 */
#ifndef MAPPER_EVAL_H
#define MAPPER_EVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/failure.h"
#include "maps/image.h"

struct eval_options {
    const char *truth; /* CSV: client, optional demand and held_out, a column of ms for each PoP */
    const char *map;   /* name, in both images; NULL: the first */
    bool json;
};

/* `baseline` (NULL: none) is another image to count harm against: clients it serves more than 5 ms
 * better. PoPs of the map without a column, or with an empty field, do not count as candidates; a
 * client sent to one of them is an error. */
int eval_run(const struct image *image, const struct image *baseline,
             const struct eval_options *options, FILE *out, struct failure *failure);

#endif

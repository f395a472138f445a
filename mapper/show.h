/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `show`: what is in an image (generation, digest, PoPs, maps, tables), as a JSON object or for
 * people.
 */
#ifndef MAPPER_SHOW_H
#define MAPPER_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "base/failure.h"
#include "maps/image.h"

int show_image(const struct image *image, bool json, FILE *out, struct failure *failure);

#endif

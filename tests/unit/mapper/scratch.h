/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files for one test in a folder of its own, and the whole way from such files to an image.
 */
#ifndef TESTS_UNIT_MAPPER_SCRATCH_H
#define TESTS_UNIT_MAPPER_SCRATCH_H

#include <stddef.h>

#include "mapper/build.h"
#include "mapper/config.h"
#include "maps/image.h"

struct scratch {
    char folder[64];
};

void scratch_open(struct scratch *scratch);
void scratch_close(struct scratch *scratch); /* removes the folder */

/* The path of a name in the folder; valid until the fourth call after. */
const char *scratch_path(const struct scratch *scratch, const char *name);
void scratch_write(const struct scratch *scratch, const char *name, const char *text);
void scratch_write_bytes(const struct scratch *scratch, const char *name, const void *bytes,
                         size_t len);

/* Loads "mapper.yaml" of the folder; fails the test if it cannot. */
struct config *scratch_config(const struct scratch *scratch);

/* Builds "mapper.yaml" into "out.isomap". The result of build_run(). */
int scratch_build(const struct scratch *scratch, struct build_report *ret_report,
                  struct failure *failure);

/* The same, and opens the image; fails the test if it cannot. */
struct image *scratch_image(const struct scratch *scratch);

/* PoPs in a client's order, as "fra sin nyc", by the servers' code; valid until the next call.
 * `client` is an address; `ret_scope` may be NULL. */
const char *scratch_ranking(const struct image *image, const char *map, const char *client,
                            unsigned *ret_scope);

#endif

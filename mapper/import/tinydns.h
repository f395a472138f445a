/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A tinydns data file into the model: each name with an SOA record becomes a zone, and names whose
 * addresses depend on the client's location become services with a PoP per location.
 */
#ifndef MAPPER_IMPORT_TINYDNS_H
#define MAPPER_IMPORT_TINYDNS_H

#include <stdint.h>

#include "base/failure.h"
#include "mapper/import/model.h"

/* `now_s` (unix seconds) decides which time stamps are over. 0 also when lines were left out. */
int tinydns_import(const char *path, int64_t now_s, struct model *model, struct failure *failure);

/* The same from memory; `serial` stands in SOA records that give none. */
int tinydns_import_bytes(const char *name, const uint8_t *bytes, size_t len, uint32_t serial,
                         int64_t now_s, struct model *model, struct failure *failure);

#endif

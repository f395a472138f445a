/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where the secrets of DNS cookies come from: the operator's files, shared by a fleet, or one of
 * our own, kept in state_dir so that clients need not learn new cookies after each restart. A file
 * holds 32 hexadecimal digits, as those of Knot, NSD and BIND do. Secrets are never logged.
 */
#ifndef EDGE_COOKIE_FILE_H
#define EDGE_COOKIE_FILE_H

#include "edge/daemon/config.h"
#include "edge/daemon/report.h"
#include "maps/cookie_core.h"

/* One secret of a file whose mode keeps it secret. */
int cookie_file_read(const char *path, uint8_t ret_secret[static COOKIE_SECRET_LEN],
                     struct failure *failure);

/* The secrets as configured; none if cookies are off. `previous` (NULL at the start) is what is
 * used now: a secret of our own is taken from there. `state_dir` may be NULL: then our own is not
 * kept. -errno, said in the report, when a configured file is no good; *ret_secrets is then
 * untouched. */
int cookie_files_load(const struct config_cookies *config, const char *state_dir,
                      const struct cookie_secrets *previous, struct cookie_secrets *ret_secrets,
                      struct report *report);

#endif

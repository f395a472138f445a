/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gdnsd's configuration language, as gdnsd.config(5) "LOW-LEVEL SYNTAX" describes it: hashes,
 * lists and texts, comments, quotes and escapes, $include. Read into a tree whose every value
 * knows its file and line. Refused beyond what gdnsd refuses: NUL bytes in texts, nesting deeper
 * than 64, includes deeper than 16, files over 256 MiB, more than 16 million values.
 *
 * All memory is the arena's; the tree is immutable once it is read.
 */
#ifndef MAPPER_IMPORT_VSCF_H
#define MAPPER_IMPORT_VSCF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/failure.h"

enum vscf_kind {
    VSCF_TEXT,
    VSCF_LIST,
    VSCF_HASH,
};

struct vscf {
    enum vscf_kind kind;
    uint32_t line;             /* from 1: of the key if it has one, else of the value */
    uint32_t n;                /* children */
    const char *file;          /* that holds it, for messages and for paths beside it */
    const char *key;           /* unescaped, terminated; NULL unless the child of a hash */
    const char *text;          /* of a text: unescaped, terminated */
    const char *raw;           /* the same as it stands there, quotes aside: for domain names, whose
                                  escapes mean more */
    struct vscf *const *child; /* of a list or a hash, in file order */
};

/* "FILE:LINE: reason" on failure. */
int vscf_load_file(struct arena *arena, const char *path, const struct vscf **ret_root,
                   struct failure *failure);

/* `name` stands in messages and is where relative includes start. */
int vscf_load_bytes(struct arena *arena, const char *name, const uint8_t *bytes, size_t len,
                    const struct vscf **ret_root, struct failure *failure);

/* The child of a hash under `key`; NULL if there is none or the node is NULL or no hash. */
const struct vscf *vscf_get(const struct vscf *node, const char *key);

/* A single value counts as a list of one wherever gdnsd wants a list. */
size_t vscf_list_n(const struct vscf *node); /* 0 for NULL and for a hash */
const struct vscf *vscf_list_item(const struct vscf *node, size_t index);

/* The text of a text node, else NULL. */
const char *vscf_text(const struct vscf *node);

/* "true" or "false" in any case; -EINVAL. */
int vscf_bool(const struct vscf *node, bool *ret_value);

#endif

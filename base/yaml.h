/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Configuration files: a YAML document read into a tree whose every node knows its file, line and
 * column, with typed accessors that describe what is wrong as "FILE:LINE:COL: reason". Reads with
 * libyaml. Refused: aliases and anchors, tags, duplicate keys, more than one document, nesting
 * deeper than 32, files over 64 MiB or four million values. Plain and quoted scalars are both text
 * here; the accessor decides the type. The tree is immutable; free it whole with yaml_unload().
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"

struct yaml_document;
struct yaml_node;

enum yaml_kind {
    YAML_KIND_SCALAR,
    YAML_KIND_LIST,
    YAML_KIND_MAP,
};

int yaml_load_file(const char *path, struct yaml_document **ret_document, struct failure *failure);

/* `name` is used in messages and by yaml_path(). */
int yaml_load_bytes(const char *name, const uint8_t *bytes, size_t len,
                    struct yaml_document **ret_document, struct failure *failure);

/* Not "yaml_free": libyaml exports that name and would call ours instead of its own. */
void yaml_unload(struct yaml_document *document);

/* Never NULL; an empty document is an empty map. */
const struct yaml_node *yaml_root(const struct yaml_document *document);

enum yaml_kind yaml_kind(const struct yaml_node *node);
unsigned yaml_line(const struct yaml_node *node);   /* from 1 */
unsigned yaml_column(const struct yaml_node *node); /* from 1 */
const char *yaml_file(const struct yaml_node *node);

/* Children of a list or map, in file order. yaml_key() is NULL for a list item. */
size_t yaml_count(const struct yaml_node *node);
const struct yaml_node *yaml_item(const struct yaml_node *node, size_t index);
const char *yaml_key(const struct yaml_node *child);

/* The child of a map under `key`, or NULL. Also NULL if `node` is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key);

/* yaml_fail(node, code, failure, format, ...): "FILE:LINE:COL: reason" at the node; returns `code`.
 */
#define yaml_fail(node, code, failure, ...)                                                        \
    failure_code(yaml_describe((node), (failure), __VA_ARGS__), (code))
int yaml_describe(const struct yaml_node *node, struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each key of the map must be in the NULL-terminated list or start with "x-"; the message names the
 * key and the nearest known one. Also fails if the node is no map. */
int yaml_check_keys(const struct yaml_node *node, const char *const *known,
                    struct failure *failure);

/* Typed reads of one node: 0 or -EINVAL/-ERANGE with the failure set. Text is borrowed from the
 * document. */
int yaml_text(const struct yaml_node *node, const char **ret_text, struct failure *failure);
int yaml_u64(const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret_value,
             struct failure *failure);
int yaml_double(const struct yaml_node *node, double min, double max, double *ret_value,
                struct failure *failure);
int yaml_bool(const struct yaml_node *node, bool *ret_value, struct failure *failure);
int yaml_duration_ns(const struct yaml_node *node, int64_t min_ns, int64_t max_ns, int64_t *ret_ns,
                     struct failure *failure);
int yaml_address(const struct yaml_node *node, struct address *ret_address,
                 struct failure *failure);
int yaml_endpoint(const struct yaml_node *node, uint16_t default_port,
                  struct endpoint *ret_endpoint, struct failure *failure);

/* "off", "false" or "no" (a key whose value may be a map, or switched off). */
bool yaml_is_off(const struct yaml_node *node);

/* A path scalar, resolved against the folder of the file that names it. New string, the caller
 * frees. */
int yaml_path(const struct yaml_node *node, char **ret_path, struct failure *failure);

#endif

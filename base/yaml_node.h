/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tree behind yaml.h, shared by its builder and its accessors only.
 */
#ifndef BASE_YAML_NODE_H
#define BASE_YAML_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/yaml.h"

struct yaml_node {
    const struct yaml_document *document;
    const char *key; /* NULL unless the child of a map */
    uint32_t key_line, key_column;
    uint32_t line, column; /* from 1 */
    enum yaml_kind kind;
    bool plain;                        /* a scalar without quotes */
    const char *text;                  /* of a scalar, terminated; holds no other NUL */
    size_t len;                        /* of the text, or number of children */
    const struct yaml_node **children; /* in file order */
    const struct yaml_node **by_key;   /* of a map: the same, in order of strcmp */
};

/* yaml_fail() at the key that leads to the node instead of at its value. */
#define yaml_fail_at_key(node, code, failure, ...)                                                 \
    failure_code(yaml_describe_at_key((node), (failure), __VA_ARGS__), (code))
int yaml_describe_at_key(const struct yaml_node *node, struct failure *failure, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));

#endif

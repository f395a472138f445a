/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the tree: walking it, typed values, and messages that lead to the place.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/number.h"
#include "base/yaml.h"
#include "base/yaml_node.h"

#define SHOWN 64 /* characters of a value that a message repeats */

enum yaml_kind yaml_kind(const struct yaml_node *node)
{
    return node->kind;
}

unsigned yaml_line(const struct yaml_node *node)
{
    return node->line;
}

unsigned yaml_column(const struct yaml_node *node)
{
    return node->column;
}

size_t yaml_count(const struct yaml_node *node)
{
    return node->kind == YAML_KIND_SCALAR ? 0 : node->len;
}

const struct yaml_node *yaml_item(const struct yaml_node *node, size_t index)
{
    return index < yaml_count(node) ? node->children[index] : NULL;
}

const char *yaml_key(const struct yaml_node *child)
{
    return child->key;
}

static int compare_key(const void *key, const void *element)
{
    const struct yaml_node *const *child = element;

    return strcmp(key, (*child)->key);
}

const struct yaml_node *yaml_get(const struct yaml_node *node, const char *key)
{
    const struct yaml_node **found;

    if (!node || node->kind != YAML_KIND_MAP || node->len == 0) {
        return NULL;
    }
    found = bsearch(key, node->by_key, node->len, sizeof(const struct yaml_node *), compare_key);
    return found ? *found : NULL;
}

__attribute__((format(printf, 5, 0))) static void describe_at(const struct yaml_node *node,
                                                              uint32_t line, uint32_t column,
                                                              struct failure *failure,
                                                              const char *format, va_list arguments)
{
    struct failure reason;

    if (vsnprintf(reason.text, sizeof(reason.text), format, arguments) < 0) {
        reason.text[0] = '\0';
    }
    (void)failure_write(failure, "%s:%u:%u: %s", yaml_file(node), (unsigned)line, (unsigned)column,
                        reason.text);
}

int yaml_describe(const struct yaml_node *node, struct failure *failure, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    describe_at(node, node->line, node->column, failure, format, arguments);
    va_end(arguments);
    return 0;
}

int yaml_describe_at_key(const struct yaml_node *node, struct failure *failure, const char *format,
                         ...)
{
    va_list arguments;

    va_start(arguments, format);
    describe_at(node, node->key_line, node->key_column, failure, format, arguments);
    va_end(arguments);
    return 0;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters to add, drop, change or swap with their neighbour to make one text of the other
 * (optimal string alignment); texts are looked at up to 32 letters, our own keys are shorter. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t a_len = strnlen(a, MAX), b_len = strnlen(b, MAX);
    size_t cost[MAX + 1][MAX + 1];

    for (size_t i = 0; i <= a_len; i++) {
        cost[i][0] = i;
    }
    for (size_t j = 0; j <= b_len; j++) {
        cost[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            size_t best = min_size(change, min_size(cost[i - 1][j], cost[i][j - 1]) + 1);

            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = min_size(best, cost[i - 2][j - 2] + 1);
            }
            cost[i][j] = best;
        }
    }
    return cost[a_len][b_len];
}

static int fail_unknown_key(const struct yaml_node *child, const char *const *known,
                            struct failure *failure)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; known[i]; i++) {
        size_t distance = edit_distance(child->key, known[i]);

        if (distance < least) {
            least = distance;
            nearest = known[i];
        }
    }
    if (!nearest) {
        return yaml_fail_at_key(child, -EINVAL, failure, "unknown key \"%.*s\"", SHOWN, child->key);
    }
    return yaml_fail_at_key(child, -EINVAL, failure,
                            "unknown key \"%.*s\"; the nearest known one is \"%s\"", SHOWN,
                            child->key, nearest);
}

int yaml_check_keys(const struct yaml_node *node, const char *const *known, struct failure *failure)
{
    if (node->kind != YAML_KIND_MAP) {
        return yaml_fail(node, -EINVAL, failure, "must be a map (key: value)");
    }
    for (size_t i = 0; i < node->len; i++) {
        const struct yaml_node *child = node->children[i];
        size_t k = 0;

        while (known[k] && strcmp(known[k], child->key) != 0) {
            k++;
        }
        if (!known[k] && strncmp(child->key, "x-", 2) != 0) {
            return fail_unknown_key(child, known, failure);
        }
    }
    return 0;
}

/* The text of a scalar that is there, or a failure that says what was wanted. */
static int scalar(const struct yaml_node *node, const char *wanted, struct failure *failure)
{
    if (node->kind != YAML_KIND_SCALAR) {
        return yaml_fail(node, -EINVAL, failure, "must be %s, is a %s", wanted,
                         node->kind == YAML_KIND_LIST ? "list" : "map");
    }
    if (node->plain && node->len == 0) {
        return yaml_fail(node, -EINVAL, failure, "must be %s, is missing", wanted);
    }
    return 0;
}

static int fail_value(const struct yaml_node *node, int code, const char *wanted,
                      struct failure *failure)
{
    return yaml_fail(node, code, failure, "must be %s, is \"%.*s\"", wanted, SHOWN, node->text);
}

int yaml_text(const struct yaml_node *node, const char **ret_text, struct failure *failure)
{
    int err = scalar(node, "text", failure);

    if (err == 0) {
        *ret_text = node->text;
    }
    return err;
}

int yaml_u64(const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret_value,
             struct failure *failure)
{
    char wanted[96];
    int err;

    (void)snprintf(wanted, sizeof(wanted), "a whole number from %" PRIu64 " to %" PRIu64, min, max);
    err = scalar(node, wanted, failure);
    if (err < 0) {
        return err;
    }
    err = number_parse_u64(node->text, node->len, min, max, ret_value);
    return err < 0 ? fail_value(node, err, wanted, failure) : 0;
}

int yaml_double(const struct yaml_node *node, double min, double max, double *ret_value,
                struct failure *failure)
{
    char wanted[96];
    int err;

    (void)snprintf(wanted, sizeof(wanted), "a number from %.10g to %.10g", min, max);
    err = scalar(node, wanted, failure);
    if (err < 0) {
        return err;
    }
    err = number_parse_double(node->text, node->len, min, max, ret_value);
    return err < 0 ? fail_value(node, err, wanted, failure) : 0;
}

static bool is_one_of(const struct yaml_node *node, const char *const *words)
{
    if (node->kind != YAML_KIND_SCALAR) {
        return false;
    }
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const true_words[] = {"true", "yes", "on", NULL};
static const char *const false_words[] = {"false", "no", "off", NULL};

bool yaml_is_off(const struct yaml_node *node)
{
    return is_one_of(node, false_words);
}

int yaml_bool(const struct yaml_node *node, bool *ret_value, struct failure *failure)
{
    static const char wanted[] = "true or false";
    bool is_true = is_one_of(node, true_words);
    int err = scalar(node, wanted, failure);

    if (err < 0) {
        return err;
    }
    if (!is_true && !yaml_is_off(node)) {
        return fail_value(node, -EINVAL, wanted, failure);
    }
    *ret_value = is_true;
    return 0;
}

/* The same words that number_parse_duration_ns() reads. */
static void format_duration(int64_t ns, char *ret_text, size_t size)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"d", INT64_C(86400000000000)},
        {"h", INT64_C(3600000000000)},
        {"m", INT64_C(60000000000)},
        {"s", INT64_C(1000000000)},
        {"ms", INT64_C(1000000)},
        {"us", INT64_C(1000)},
        {"ns", INT64_C(1)},
    };
    size_t i = 0;

    while (ns % units[i].ns != 0) {
        i++;
    }
    (void)snprintf(ret_text, size, "%" PRId64 "%s", ns / units[i].ns, ns ? units[i].name : "");
}

int yaml_duration_ns(const struct yaml_node *node, int64_t min_ns, int64_t max_ns, int64_t *ret_ns,
                     struct failure *failure)
{
    char wanted[128], min[32], max[32];
    int64_t value;
    int err;

    format_duration(min_ns, min, sizeof(min));
    format_duration(max_ns, max, sizeof(max));
    (void)snprintf(wanted, sizeof(wanted), "a time from %s to %s (such as 500ms, 1.5s, 10m, 2h)",
                   min, max);
    err = scalar(node, wanted, failure);
    if (err < 0) {
        return err;
    }
    err = number_parse_duration_ns(node->text, node->len, &value);
    if (err == 0 && (value < min_ns || value > max_ns)) {
        err = -ERANGE;
    }
    if (err < 0) {
        return fail_value(node, err, wanted, failure);
    }
    *ret_ns = value;
    return 0;
}

int yaml_address(const struct yaml_node *node, struct address *ret_address, struct failure *failure)
{
    static const char wanted[] = "an IP address";
    int err = scalar(node, wanted, failure);

    if (err < 0) {
        return err;
    }
    err = address_parse(node->text, ret_address);
    return err < 0 ? fail_value(node, err, wanted, failure) : 0;
}

int yaml_endpoint(const struct yaml_node *node, uint16_t default_port,
                  struct endpoint *ret_endpoint, struct failure *failure)
{
    static const char wanted[] = "an IP address with or without a port (192.0.2.1:53, [::1]:53)";
    int err = scalar(node, wanted, failure);

    if (err < 0) {
        return err;
    }
    err = endpoint_parse(node->text, default_port, ret_endpoint);
    return err < 0 ? fail_value(node, err, wanted, failure) : 0;
}

int yaml_path(const struct yaml_node *node, char **ret_path, struct failure *failure)
{
    static const char wanted[] = "a path";
    char *path;
    int err = scalar(node, wanted, failure);

    if (err < 0) {
        return err;
    }
    if (node->len == 0) {
        return fail_value(node, -EINVAL, wanted, failure);
    }
    path = fd_resolve_path(yaml_file(node), node->text);
    if (!path) {
        return yaml_fail(node, -ENOMEM, failure, "%s", strerror(ENOMEM));
    }
    *ret_path = path;
    return 0;
}

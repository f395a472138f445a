/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One entry of `checks`: what all types have in common.
 */
#include "bgp/config/config_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/probe/probe.h"

#define INTERVAL_MIN_NS (10 * CLOCK_NS_PER_MS)
#define INTERVAL_MAX_NS (3600 * CLOCK_NS_PER_S)
#define TIMEOUT_MIN_NS CLOCK_NS_PER_MS
#define TIMEOUT_MAX_NS (60 * CLOCK_NS_PER_S)
#define ROW_MAX 1000
#define NAMES_LEN 160
#define KEYS_MAX 48
#define SUBJECT_LEN 320

/* A new type is a new file and a line here. */
static const struct config_check_type *const types[] = {
    &config_check_dns,  &config_check_http,      &config_check_tcp,
    &config_check_exec, &config_check_interface, &config_check_process,
    &config_check_edge, &config_check_traffic,   &config_check_xdp,
};

#define TYPES_N (sizeof(types) / sizeof(types[0]))

/* NULL and the failure if there is none. */
static const struct config_check_type *type_read(const struct yaml_node *node,
                                                 struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, "type");
    char names[NAMES_LEN] = "";
    const char *text;

    for (size_t i = 0, len = 0; i < TYPES_N && len < sizeof(names); i++) {
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
                                types[i]->probe->name);
    }
    if (!item) {
        (void)yaml_fail(node, -EINVAL, failure, "a check needs a type (%s)", names);
        return NULL;
    }
    if (yaml_text(item, &text, failure) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < TYPES_N; i++) {
        if (strcmp(text, types[i]->probe->name) == 0) {
            return types[i];
        }
    }
    (void)yaml_fail(item, -EINVAL, failure, "there is no check type %s (%s)", text, names);
    return NULL;
}

bool check_class_governs(enum check_class class)
{
    return class == CHECK_HARD || class == CHECK_SOFT;
}

const char *check_class_name(enum check_class class)
{
    switch (class) {
    case CHECK_HARD:
        return "hard";
    case CHECK_SOFT:
        return "soft";
    case CHECK_WATCH:
        return "watch";
    case CHECK_PEER:
        return "peer";
    }
    return "?";
}

static int class_read(const struct yaml_node *node, enum check_class *class,
                      struct failure *failure)
{
    const char *text;
    const int result = node ? yaml_text(node, &text, failure) : 0;

    if (!node || result < 0) {
        return result;
    }
    for (enum check_class i = CHECK_HARD; i <= CHECK_PEER; i++) {
        if (strcmp(text, check_class_name(i)) == 0) {
            *class = i;
            return 0;
        }
    }
    return yaml_fail(node, -EINVAL, failure, "class is hard, soft, watch or peer");
}

/* The keys that all checks have, and the type's own. */
static int keys_check(const struct yaml_node *node, const struct config_check_type *type,
                      struct failure *failure)
{
    static const char *const common_keys[] = {"type",      "class",      "interval", "timeout",
                                              "retry",     "rise",       "fall",     "window",
                                              "hold_down", "vouched_by", NULL};
    const char *known[KEYS_MAX];
    size_t known_n = 0;

    for (size_t i = 0; common_keys[i]; i++) {
        known[known_n++] = common_keys[i];
    }
    for (size_t i = 0; type->keys[i] && known_n < KEYS_MAX - 1; i++) {
        known[known_n++] = type->keys[i];
    }
    known[known_n] = NULL;
    return yaml_check_keys(node, known, failure);
}

int config_read_server(const struct yaml_node *node, uint16_t default_port,
                       struct config_check *check, struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, "server");
    int result;

    if (!item) {
        return yaml_fail(node, -EINVAL, failure, "a %s check needs a server to ask",
                         check->type->name);
    }
    result = yaml_endpoint(item, default_port, &check->server, failure);
    if (result == 0) {
        check->family = (enum address_family)check->server.address.family;
    }
    return result;
}

int config_set_subject(struct arena *arena, struct config_check *check, struct failure *failure,
                       const char *format, ...)
{
    char text[SUBJECT_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return config_keep_text(arena, text, &check->subject, failure);
}

static int duration_read(const struct yaml_node *node, int64_t min_ns, int64_t max_ns,
                         int64_t *duration_ns, struct failure *failure)
{
    return node ? yaml_duration_ns(node, min_ns, max_ns, duration_ns, failure) : 0;
}

static int row_read(const struct yaml_node *node, uint32_t *row, struct failure *failure)
{
    uint64_t value = *row;
    const int result = node ? yaml_u64(node, 1, ROW_MAX, &value, failure) : 0;

    *row = (uint32_t)value;
    return result;
}

static int pace_read(const struct yaml_node *node, struct config_check *check,
                     struct failure *failure)
{
    int result;

    check->interval_ns = CLOCK_NS_PER_S;
    check->timeout_ns = 500 * CLOCK_NS_PER_MS;
    check->limits = (struct health_limits){.rise = 3, .fall = 3};
    result = duration_read(yaml_get(node, "interval"), INTERVAL_MIN_NS, INTERVAL_MAX_NS,
                           &check->interval_ns, failure);
    check->retry_ns =
        check->interval_ns < 100 * CLOCK_NS_PER_MS ? check->interval_ns : 100 * CLOCK_NS_PER_MS;
    result = result ? result
                    : duration_read(yaml_get(node, "timeout"), TIMEOUT_MIN_NS, TIMEOUT_MAX_NS,
                                    &check->timeout_ns, failure);
    result = result ? result
                    : duration_read(yaml_get(node, "retry"), TIMEOUT_MIN_NS, check->interval_ns,
                                    &check->retry_ns, failure);
    result = result ? result : row_read(yaml_get(node, "rise"), &check->limits.rise, failure);
    result = result ? result : row_read(yaml_get(node, "fall"), &check->limits.fall, failure);
    return result ? result : config_read_limits(node, &check->limits, failure);
}

int config_read_check(const struct yaml_node *node, struct arena *arena,
                      struct config_check *ret_check, struct failure *failure)
{
    const struct config_check_type *type;
    int result;

    *ret_check = (struct config_check){.vouched_by = POLICY_NONE};
    if (yaml_kind(node) != YAML_KIND_MAP) {
        return yaml_fail(node, -EINVAL, failure, "a check is a map");
    }
    type = type_read(node, failure);
    if (!type) {
        return -EINVAL;
    }
    ret_check->type = type->probe;
    ret_check->class = type->class;
    result = keys_check(node, type, failure);
    result = result ? result : config_keep_text(arena, yaml_key(node), &ret_check->name, failure);
    result = result ? result : class_read(yaml_get(node, "class"), &ret_check->class, failure);
    result = result ? result : pace_read(node, ret_check, failure);
    return result ? result : type->read(node, arena, ret_check, failure);
}

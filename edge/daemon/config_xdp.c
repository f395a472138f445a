/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * `xdp:` of edge.yaml: where and what the kernel answers.
 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/yaml.h"
#include "edge/daemon/config_reader.h"

#define CONFIG_XDP_MB_MAX 512u /* what a BPF program can reach from one pointer */
#define CONFIG_XDP_SERVICES_MAX (1u << 20)
#define CONFIG_XDP_HOT_NAMES 10000u
#define CONFIG_XDP_HOT_NAMES_MAX 65536u /* HOT_WANTED_MAX */
#define CONFIG_XDP_HOT_SAMPLE 100u
#define CONFIG_XDP_HOT_REFRESH_S 10

/* Names the kernel may have given an interface (dev_valid_name()), without quotes. */
static bool config_is_interface(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < IF_NAMESIZE && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strcspn(name, "/: \t\n\v\f\r\"\\") == len;
}

static int config_read_interfaces(const struct config_reader *reader, const struct yaml_node *node)
{
    struct config_xdp *xdp = &reader->config->xdp;
    bool is_list = yaml_kind(node) == YAML_KIND_LIST;
    size_t count = is_list ? yaml_count(node) : 1;
    const char **interfaces;

    if (count == 0 || count > XDP_INTERFACES_MAX) {
        return yaml_fail(node, -EINVAL, reader->failure, "between 1 and %u interfaces are needed",
                         XDP_INTERFACES_MAX);
    }
    interfaces = arena_alloc(reader->arena, count * sizeof(*interfaces));
    if (!interfaces) {
        return config_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *item = is_list ? yaml_item(node, i) : node;
        const char *name;
        int code = yaml_text(item, &name, reader->failure);

        if (code < 0) {
            return code;
        }
        if (!config_is_interface(name)) {
            return yaml_fail(item, -EINVAL, reader->failure, "'%s' is no name of an interface",
                             name);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(interfaces[k], name) == 0) {
                return yaml_fail(item, -EINVAL, reader->failure, "'%s' is listed twice", name);
            }
        }
        interfaces[i] = arena_copy(reader->arena, name, strlen(name));
        if (!interfaces[i]) {
            return config_no_memory(reader);
        }
    }
    xdp->interfaces = interfaces;
    xdp->interface_n = count;
    return 0;
}

/* One word of a list; its place is the value. */
static int config_read_word(const struct config_reader *reader, const struct yaml_node *node,
                            const char *const *words, const char *all, unsigned *ret_value)
{
    const char *text;
    int code = yaml_text(node, &text, reader->failure);

    if (code < 0) {
        return code;
    }
    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret_value = i;
            return 0;
        }
    }
    return yaml_fail(node, -EINVAL, reader->failure, "'%s' is none of %s", text, all);
}

static int config_read_xdp_number(const struct config_reader *reader, const struct yaml_node *map,
                                  const char *key, uint64_t max, uint32_t *ret_value)
{
    const struct yaml_node *node = yaml_get(map, key);
    uint64_t value = *ret_value;
    int code = node ? yaml_u64(node, 1, max, &value, reader->failure) : 0;

    *ret_value = (uint32_t)value;
    return code;
}

static int config_read_capacity(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const known[] = {"image_mb", "templates_mb", "services", NULL};
    struct config_xdp *xdp = &reader->config->xdp;
    int code = yaml_check_keys(node, known, reader->failure);

    if (code == 0) {
        code = config_read_xdp_number(reader, node, "image_mb", CONFIG_XDP_MB_MAX, &xdp->image_mb);
    }
    if (code == 0) {
        code = config_read_xdp_number(reader, node, "templates_mb", CONFIG_XDP_MB_MAX,
                                      &xdp->templates_mb);
    }
    return code == 0 ? config_read_xdp_number(reader, node, "services", CONFIG_XDP_SERVICES_MAX,
                                              &xdp->services)
                     : code;
}

static int config_read_hot(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const known[] = {"names", "sample", "refresh", NULL};
    struct config_xdp *xdp = &reader->config->xdp;
    const struct yaml_node *refresh = yaml_get(node, "refresh");
    int code = yaml_check_keys(node, known, reader->failure);

    if (code == 0) {
        code = config_read_xdp_number(reader, node, "names", CONFIG_XDP_HOT_NAMES_MAX,
                                      &xdp->hot_names);
    }
    if (code == 0) {
        code = config_read_xdp_number(reader, node, "sample", 1u << 20, &xdp->hot_sample);
    }
    return code == 0 && refresh ? yaml_duration_ns(refresh, CLOCK_NS_PER_S, 3600 * CLOCK_NS_PER_S,
                                                   &xdp->hot_refresh_ns, reader->failure)
                                : code;
}

static int config_read_xdp_words(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const modes[] = {"auto", "native", "generic", NULL};
    static const char *const names[] = {"services", "all", "hot", NULL};
    struct config_xdp *xdp = &reader->config->xdp;
    const struct yaml_node *mode = yaml_get(node, "mode");
    const struct yaml_node *which = yaml_get(node, "names");
    unsigned value = xdp->mode;
    int code = mode ? config_read_word(reader, mode, modes, "auto, native, generic", &value) : 0;

    xdp->mode = (enum xdp_mode)value;
    value = xdp->names;
    if (code == 0 && which) {
        code = config_read_word(reader, which, names, "services, all, hot", &value);
    }
    xdp->names = (enum config_xdp_names)value;
    return code;
}

int config_read_xdp(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const known[] = {"interfaces", "mode", "names",          "hot",
                                        "capacity",   "pin",  "detach_on_exit", NULL};
    struct config_xdp *xdp = &reader->config->xdp;
    const struct yaml_node *child;
    int code;

    if (yaml_is_off(node)) {
        return 0;
    }
    code = yaml_check_keys(node, known, reader->failure);
    if (code < 0) {
        return code;
    }
    child = yaml_get(node, "interfaces");
    if (!child) {
        return yaml_fail(node, -EINVAL, reader->failure, "'interfaces' is missing");
    }
    xdp->on = true;
    code = config_read_interfaces(reader, child);
    if (code == 0) {
        code = config_read_xdp_words(reader, node);
    }
    if (code == 0 && (child = yaml_get(node, "hot"))) {
        code = config_read_hot(reader, child);
    }
    if (code == 0 && (child = yaml_get(node, "capacity"))) {
        code = config_read_capacity(reader, child);
    }
    if (code == 0 && (child = yaml_get(node, "pin"))) {
        code = config_read_path(reader, child, &xdp->pin);
    }
    if (code == 0 && (child = yaml_get(node, "detach_on_exit"))) {
        code = yaml_bool(child, &xdp->detach_on_exit, reader->failure);
    }
    return code;
}

void config_set_xdp_defaults(struct config_xdp *xdp)
{
    xdp->mode = XDP_MODE_AUTO;
    xdp->names = CONFIG_XDP_SERVICES;
    xdp->hot_names = CONFIG_XDP_HOT_NAMES;
    xdp->hot_sample = CONFIG_XDP_HOT_SAMPLE;
    xdp->hot_refresh_ns = CONFIG_XDP_HOT_REFRESH_S * CLOCK_NS_PER_S;
    xdp->pin = CONFIG_XDP_PIN_DEFAULT;
    xdp->detach_on_exit = true;
}

bool config_same_xdp(const struct config_xdp *a, const struct config_xdp *b)
{
    bool same = a->on == b->on;

    if (same && a->on) {
        same = a->interface_n == b->interface_n && a->mode == b->mode &&
               a->image_mb == b->image_mb && a->templates_mb == b->templates_mb &&
               a->services == b->services && strcmp(a->pin, b->pin) == 0;
        for (size_t i = 0; same && i < a->interface_n; i++) {
            same = strcmp(a->interfaces[i], b->interfaces[i]) == 0;
        }
    }
    return same;
}

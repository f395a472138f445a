/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/config_policy.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/yaml.h"
#include "edge/wire/name.h"

#define POLICY_TENANTS_MAX 100000u
#define POLICY_SUFFIXES_MAX 10000u
#define POLICY_LIMIT_MAX 100000000u

static int policy_read_suffixes(struct arena *arena, const struct yaml_node *node,
                                struct services_tenant *tenant, struct failure *failure)
{
    size_t count = yaml_count(node);
    const uint8_t **suffixes;

    if (yaml_kind(node) != YAML_KIND_LIST || count == 0 || count > POLICY_SUFFIXES_MAX) {
        return yaml_fail(node, -EINVAL, failure, "expected a list of domain names");
    }
    suffixes = arena_alloc(arena, count * sizeof(*suffixes));
    for (size_t i = 0; suffixes && i < count; i++) {
        uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];
        const char *text;
        int code = yaml_text(yaml_item(node, i), &text, failure);

        if (code < 0) {
            return code;
        }
        if (!*text || name_from_text(text, wire) < 0) {
            return yaml_fail(yaml_item(node, i), -EINVAL, failure, "'%s' is no domain name", text);
        }
        suffixes[i] = arena_copy(arena, wire, sizeof(wire));
        if (!suffixes[i]) {
            suffixes = NULL;
        }
    }
    tenant->suffixes = suffixes;
    tenant->suffix_n = count;
    return suffixes ? 0 : failure_set(failure, -ENOMEM, "out of memory");
}

static int policy_read_limit(const struct yaml_node *node, const char *key, uint32_t *ret_limit,
                             struct failure *failure)
{
    const struct yaml_node *limit = yaml_get(node, key);
    uint64_t value = UINT32_MAX;
    int code = limit ? yaml_u64(limit, 0, POLICY_LIMIT_MAX, &value, failure) : 0;

    *ret_limit = (uint32_t)value;
    return code;
}

static int policy_read_tenant(struct arena *arena, const struct yaml_node *node,
                              struct services_tenant *tenant, struct failure *failure)
{
    static const char *const known[] = {"suffixes", "services", "names", "addresses", NULL};
    const struct yaml_node *suffixes = yaml_get(node, "suffixes");
    const char *file = yaml_key(node);
    size_t len = strlen(file);
    int code = yaml_check_keys(node, known, failure);

    if (code < 0) {
        return code;
    }
    if (strcmp(file, "*") != 0 &&
        (len <= 5 || file[0] == '.' || strchr(file, '/') || strcmp(file + len - 5, ".yaml") != 0)) {
        return yaml_fail(
            node, -EINVAL, failure,
            "'%s' is no file of the folder: expected NAME.yaml, or \"*\" for all others", file);
    }
    tenant->file = arena_copy(arena, file, len);
    if (!tenant->file) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    if (suffixes) {
        code = policy_read_suffixes(arena, suffixes, tenant, failure);
    }
    if (code < 0 || (code = policy_read_limit(node, "services", &tenant->services, failure)) < 0 ||
        (code = policy_read_limit(node, "names", &tenant->names, failure)) < 0) {
        return code;
    }
    return policy_read_limit(node, "addresses", &tenant->addresses, failure);
}

int config_read_policy(struct arena *arena, const struct yaml_node *node,
                       struct services_policy *ret_policy, struct failure *failure)
{
    static const char *const known[] = {"folder", "tenants", NULL};
    const struct yaml_node *tenants = yaml_get(node, "tenants");
    struct services_tenant *list;
    int code = yaml_check_keys(node, known, failure);

    if (code < 0) {
        return code;
    }
    if (!yaml_get(node, "folder")) {
        return yaml_fail(node, -EINVAL, failure, "'services' needs 'folder'");
    }
    if (!tenants) {
        return 0;
    }
    if (yaml_kind(tenants) != YAML_KIND_MAP || yaml_count(tenants) == 0 ||
        yaml_count(tenants) > POLICY_TENANTS_MAX) {
        return yaml_fail(tenants, -EINVAL, failure, "expected files and what they may hold");
    }
    list = arena_alloc(arena, yaml_count(tenants) * sizeof(*list));
    if (!list) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < yaml_count(tenants); i++) {
        code = policy_read_tenant(arena, yaml_item(tenants, i), &list[i], failure);
        if (code < 0) {
            return code;
        }
    }
    *ret_policy = (struct services_policy){list, yaml_count(tenants)};
    return 0;
}

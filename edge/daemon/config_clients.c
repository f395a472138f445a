/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of edge.yaml that say how single clients are treated.
 */
#include <errno.h>

#include "base/arena.h"
#include "base/yaml.h"
#include "edge/daemon/config_reader.h"
#include "maps/cookie_core.h"

static int config_read_secrets(const struct config_reader *reader, const struct yaml_node *node)
{
    bool is_list = yaml_kind(node) == YAML_KIND_LIST;
    size_t count = is_list ? yaml_count(node) : 1;
    const char **secrets;

    if (count == 0 || count > COOKIE_SECRETS_MAX) {
        return yaml_fail(node, -EINVAL, reader->failure, "between 1 and %u secrets are needed",
                         COOKIE_SECRETS_MAX);
    }
    secrets = arena_alloc(reader->arena, count * sizeof(*secrets));
    if (!secrets) {
        return config_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        int code = config_read_path(reader, is_list ? yaml_item(node, i) : node, &secrets[i]);

        if (code < 0) {
            return code;
        }
    }
    reader->config->cookies.secrets = secrets;
    reader->config->cookies.secret_n = count;
    return 0;
}

int config_read_cookies(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const known[] = {"secrets", NULL};
    int code;

    if (yaml_kind(node) != YAML_KIND_MAP) {
        return yaml_bool(node, &reader->config->cookies.on, reader->failure);
    }
    code = yaml_check_keys(node, known, reader->failure);
    if (code < 0) {
        return code;
    }
    if (!yaml_get(node, "secrets")) {
        return yaml_fail(node, -EINVAL, reader->failure, "'secrets' is missing");
    }
    return config_read_secrets(reader, yaml_get(node, "secrets"));
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys about operating it: what is asked where, and what is kept where.
 */
#include "bgp/config/config_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_PORT 9168
#define JOURNAL_SIZE_MIB 8
#define JOURNAL_KEEP 3
#define MIB ((uint64_t)1 << 20)
#define SUFFIX_LEN 16 /* room for what is appended to a path */

/* `name` is appended to the path that the node holds. */
static int path_read(const struct yaml_node *node, const char *name, struct config *config,
                     const char **ret_path, struct failure *failure)
{
    char *path = NULL, whole[PATH_MAX];
    int result = yaml_path(node, &path, failure);

    if (result == 0 && strlen(path) + strlen(name) >= PATH_MAX - SUFFIX_LEN) {
        result = yaml_fail(node, -ENAMETOOLONG, failure, "a path that is too long");
    }
    if (result == 0) {
        snprintf(whole, sizeof(whole), "%s%s", path, name);
        result = config_keep_text(config->arena, whole, ret_path, failure);
    }
    free(path);
    return result;
}

static int socket_read(const struct yaml_node *node, struct config *config, const char **ret_path,
                       struct failure *failure)
{
    return node && !yaml_is_off(node)
               ? config_keep_socket(config->arena, node, node, ret_path, failure)
               : 0;
}

static int journal_read(const struct yaml_node *node, struct config *config,
                        struct failure *failure)
{
    static const char *const known[] = {"file", "size", "keep", NULL};
    const struct yaml_node *file = node;
    uint64_t size = JOURNAL_SIZE_MIB, keep = JOURNAL_KEEP;
    int result = 0;

    if (!node || yaml_is_off(node)) {
        return 0;
    }
    if (yaml_kind(node) == YAML_KIND_MAP) {
        result = yaml_check_keys(node, known, failure);
        file = yaml_get(node, "file");
        if (result == 0 && !file) {
            result = yaml_fail(node, -EINVAL, failure, "a journal needs a file");
        }
        if (result == 0 && yaml_get(node, "size")) {
            result = yaml_u64(yaml_get(node, "size"), 1, 1024, &size, failure);
        }
        if (result == 0 && yaml_get(node, "keep")) {
            result = yaml_u64(yaml_get(node, "keep"), 0, 99, &keep, failure);
        }
    }
    config->journal.size = size * MIB;
    config->journal.keep = (unsigned)keep;
    return result ? result : path_read(file, "", config, &config->journal.file, failure);
}

static int state_dir_read(const struct yaml_node *node, struct config *config,
                          struct failure *failure)
{
    return node && !yaml_is_off(node)
               ? path_read(node, "/bgp.state", config, &config->state_file, failure)
               : 0;
}

static int metrics_read(const struct yaml_node *node, struct config *config,
                        struct failure *failure)
{
    if (!node || yaml_is_off(node)) {
        return 0;
    }
    config->metrics_on = true;
    return yaml_endpoint(node, METRICS_PORT, &config->metrics, failure);
}

static int services_read(const struct yaml_node *node, struct config *config,
                         struct failure *failure)
{
    static const char *const known[] = {"control", "pop", NULL};
    const char *pop;
    int result;

    if (!node || yaml_is_off(node)) {
        return 0;
    }
    result = yaml_check_keys(node, known, failure);
    if (result == 0 && (!yaml_get(node, "control") || !yaml_get(node, "pop"))) {
        result = yaml_fail(node, -EINVAL, failure, "services needs control and pop");
    }
    result =
        result ? result
               : socket_read(yaml_get(node, "control"), config, &config->services.control, failure);
    result = result ? result : yaml_text(yaml_get(node, "pop"), &pop, failure);
    return result ? result : config_keep_text(config->arena, pop, &config->services.pop, failure);
}

int config_read_operate(const struct yaml_node *root, struct config *config,
                        struct failure *failure)
{
    int result = socket_read(yaml_get(root, "control"), config, &config->control, failure);

    result = result ? result : state_dir_read(yaml_get(root, "state_dir"), config, failure);
    result = result ? result : journal_read(yaml_get(root, "journal"), config, failure);
    result = result ? result : metrics_read(yaml_get(root, "metrics"), config, failure);
    return result ? result : services_read(yaml_get(root, "services"), config, failure);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a configuration file: loads or fails with a reason, and every accessor holds on
 * every node.
 */
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_scalar(const struct yaml_node *node)
{
    struct failure failure;
    const char *text;
    uint64_t number;
    double real;
    bool truth;
    int64_t ns;
    struct address address;
    struct endpoint endpoint;
    char *path;

    if (yaml_text(node, &text, &failure) == 0) {
        require(strlen(text) < (size_t)64 << 20);
    }
    if (yaml_u64(node, 10, 1000, &number, &failure) == 0) {
        require(number >= 10 && number <= 1000);
    }
    if (yaml_double(node, -90, 90, &real, &failure) == 0) {
        require(real >= -90 && real <= 90);
    }
    if (yaml_duration_ns(node, 0, INT64_C(1000000000), &ns, &failure) == 0) {
        require(ns >= 0 && ns <= INT64_C(1000000000));
    }
    if (yaml_bool(node, &truth, &failure) == 0) {
        require(truth != yaml_is_off(node));
    }
    if (yaml_address(node, &address, &failure) == 0) {
        require(address.family == ADDRESS_IPV4 || address.family == ADDRESS_IPV6);
    }
    (void)yaml_endpoint(node, 53, &endpoint, &failure);
    if (yaml_path(node, &path, &failure) == 0) {
        free(path);
    }
}

static void walk(const struct yaml_node *node, unsigned depth)
{
    static const char *const known[] = {"listen", "zones", NULL};
    struct failure failure;

    require(depth <= 33 && yaml_line(node) > 0 && yaml_column(node) > 0);
    read_scalar(node);
    (void)yaml_check_keys(node, known, &failure);
    for (size_t i = 0; i < yaml_count(node); i++) {
        const struct yaml_node *child = yaml_item(node, i);

        require((yaml_key(child) != NULL) == (yaml_kind(node) == YAML_KIND_MAP));
        if (yaml_key(child)) {
            require(yaml_get(node, yaml_key(child)) == child);
        }
        walk(child, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct yaml_document *document = NULL;
    struct failure failure = {.text = ""};

    if (yaml_load_bytes("f", bytes, len, &document, &failure) < 0) {
        require(document == NULL && strncmp(failure.text, "f:", 2) == 0);
        return 0;
    }
    walk(yaml_root(document), 0);
    yaml_unload(document);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/states_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/yaml.h"

#define STATES_FORMAT_VERSION 1

static int states_text_copy(char *ret_text, size_t size, const char *text, size_t len)
{
    if (len >= size) {
        return -EINVAL;
    }
    memset(ret_text, 0, size);
    memcpy(ret_text, text, len);
    return 0;
}

int states_name_parse(const char *text, struct states_entry *entry)
{
    const char *slash = strchr(text, '/');
    size_t pop_len = slash ? (size_t)(slash - text) : strlen(text);
    const char *service = slash ? slash + 1 : "";

    if (pop_len == 0 || (slash && !*service)) {
        return -EINVAL;
    }
    if (states_text_copy(entry->pop, sizeof(entry->pop), text, pop_len) < 0 ||
        states_text_copy(entry->service, sizeof(entry->service), service, strlen(service)) < 0) {
        return -EINVAL;
    }
    return 0;
}

int states_time_parse(const char *text, int64_t *ret_wall_s)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, formats[i], &parts);
        time_t seconds;

        if (!end || *end) {
            continue;
        }
        seconds = timegm(&parts);
        if (seconds > 0) {
            *ret_wall_s = seconds;
            return 0;
        }
    }
    return -EINVAL;
}

static int states_yaml_text(const struct yaml_node *node, char *ret_text, size_t size,
                            struct failure *failure)
{
    const char *text;
    int code;

    if (!node) {
        return 0;
    }
    code = yaml_text(node, &text, failure);
    if (code < 0) {
        return code;
    }
    return states_text_copy(ret_text, size, text, strlen(text)) < 0
               ? yaml_fail(node, -EINVAL, failure, "longer than %zu bytes", size - 1)
               : 0;
}

static int states_yaml_state(const struct yaml_node *node, uint8_t *ret_state,
                             struct failure *failure)
{
    const char *text;
    int code = yaml_text(node, &text, failure);

    if (code < 0) {
        return code;
    }
    return pop_state_parse(text, ret_state) < 0
               ? yaml_fail(node, -EINVAL, failure,
                           "'%s' is no state: up, down, drain or 'shed N' (0 to 100)", text)
               : 0;
}

static int states_yaml_entry(const struct yaml_node *node, struct states_entry *entry,
                             struct failure *failure)
{
    static const char *const known[] = {"state", "reason", "owner", "expires", NULL};
    const struct yaml_node *state = yaml_get(node, "state");
    const struct yaml_node *expires = yaml_get(node, "expires");
    const char *text;
    int code;

    if (states_name_parse(yaml_key(node), entry) < 0) {
        return yaml_fail(node, -EINVAL, failure, "'%s' is no PoP or PoP/service", yaml_key(node));
    }
    if (yaml_kind(node) == YAML_KIND_SCALAR) {
        return states_yaml_state(node, &entry->state, failure);
    }
    code = yaml_check_keys(node, known, failure);
    if (code == 0) {
        code = state ? states_yaml_state(state, &entry->state, failure)
                     : yaml_fail(node, -EINVAL, failure, "'state' is missing");
    }
    if (code == 0) {
        code = states_yaml_text(yaml_get(node, "reason"), entry->reason, sizeof(entry->reason),
                                failure);
    }
    if (code == 0) {
        code =
            states_yaml_text(yaml_get(node, "owner"), entry->owner, sizeof(entry->owner), failure);
    }
    if (code == 0 && expires) {
        code = yaml_text(expires, &text, failure);
        if (code == 0 && states_time_parse(text, &entry->expires_s) < 0) {
            code = yaml_fail(expires, -EINVAL, failure, "'%s' is no time like 2026-11-23T10:00:00Z",
                             text);
        }
    }
    return code;
}

static int states_fleet_read(const struct yaml_node *root, int64_t set_s,
                             struct states_source *source, bool *ret_force, struct failure *failure)
{
    static const char *const known[] = {"pops", "force", NULL};
    const struct yaml_node *pops = yaml_get(root, "pops");
    const struct yaml_node *force = yaml_get(root, "force");
    int code = yaml_check_keys(root, known, failure);

    *ret_force = false;
    if (code == 0 && force) {
        code = yaml_bool(force, ret_force, failure);
    }
    if (code < 0) {
        return code;
    }
    if (!pops) {
        /* an empty or half-written file must not read as "everybody is up" */
        return yaml_fail(root, -EINVAL, failure, "'pops' is missing (say 'pops: {}' for none)");
    }
    if (yaml_kind(pops) != YAML_KIND_MAP) {
        return yaml_fail(pops, -EINVAL, failure, "'pops' maps a PoP or PoP/service to its state");
    }
    for (size_t i = 0; i < yaml_count(pops); i++) {
        struct states_entry entry = {.layer = STATES_FLEET, .set_s = set_s};

        code = states_yaml_entry(yaml_item(pops, i), &entry, failure);
        if (code < 0) {
            return code;
        }
        code = states_source_add(source, &entry);
        if (code < 0) {
            return yaml_fail(yaml_item(pops, i), code, failure, "too many entries");
        }
    }
    return 0;
}

int states_fleet_parse(const char *path, const uint8_t *bytes, size_t len, int64_t set_s,
                       struct states_source *ret_source, bool *ret_force, struct failure *failure)
{
    struct states_source source = {0};
    struct yaml_document *document = NULL;
    int code = yaml_load_bytes(path, bytes, len, &document, failure);

    if (code == 0) {
        code = states_fleet_read(yaml_root(document), set_s, &source, ret_force, failure);
        yaml_unload(document);
    }
    if (code < 0) {
        states_source_done(&source);
        return code;
    }
    *ret_source = source;
    return 0;
}

json_t *states_json_write(const struct states_source *source)
{
    json_t *entries = json_array();

    for (size_t i = 0; entries && i < source->count; i++) {
        const struct states_entry *entry = &source->entries[i];
        char state[POP_STATE_TEXT_LEN];

        if (json_array_append_new(entries, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "pop",
                                                     entry->pop, "service", entry->service, "state",
                                                     pop_state_format(entry->state, state),
                                                     "reason", entry->reason, "owner", entry->owner,
                                                     "set", (json_int_t)entry->set_s, "expires",
                                                     (json_int_t)entry->expires_s)) < 0) {
            json_decref(entries);
            return NULL;
        }
    }
    return entries;
}

int states_operator_save(const char *path, const struct states_source *source,
                         struct failure *failure)
{
    json_t *root = json_pack("{s:i, s:o}", "version", STATES_FORMAT_VERSION, "operator",
                             states_json_write(source));
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    int code = text ? fd_replace_file(path, text, strlen(text), 0600, failure)
                    : failure_set(failure, -ENOMEM, "%s: out of memory", path);

    free(text);
    json_decref(root);
    return code;
}

static int states_json_entry(json_t *item, struct states_entry *entry)
{
    const char *pop;
    const char *service;
    const char *state;
    const char *reason;
    const char *owner;
    json_int_t set_s;
    json_int_t expires_s;
    int code = json_unpack(item, "{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "pop", &pop, "service",
                           &service, "state", &state, "reason", &reason, "owner", &owner, "set",
                           &set_s, "expires", &expires_s);

    if (code == 0 && set_s >= 0 && expires_s >= 0 && *pop &&
        states_text_copy(entry->pop, sizeof(entry->pop), pop, strlen(pop)) == 0 &&
        states_text_copy(entry->service, sizeof(entry->service), service, strlen(service)) == 0 &&
        states_text_copy(entry->reason, sizeof(entry->reason), reason, strlen(reason)) == 0 &&
        states_text_copy(entry->owner, sizeof(entry->owner), owner, strlen(owner)) == 0 &&
        pop_state_parse(state, &entry->state) == 0) {
        entry->set_s = set_s;
        entry->expires_s = expires_s;
    } else {
        code = -EINVAL;
    }

    return code;
}

int states_json_read(const json_t *entries, enum states_layer layer,
                     struct states_source *ret_source, struct failure *failure)
{
    struct states_source source = {0};

    for (size_t i = 0; i < json_array_size(entries); i++) {
        struct states_entry entry = {0};
        int code = states_json_entry(json_array_get(entries, i), &entry);

        entry.layer = (uint8_t)layer;
        if (code == 0) {
            code = states_source_add(&source, &entry);
        }
        if (code < 0) {
            states_source_done(&source);
            return failure_set(failure, code, "entry %zu is wrong", i + 1);
        }
    }
    *ret_source = source;
    return 0;
}

static int states_operator_read(const char *path, const json_t *root,
                                struct states_source *ret_source, struct failure *failure)
{
    const json_t *entries = json_object_get(root, "operator");
    int code;

    if (json_integer_value(json_object_get(root, "version")) != STATES_FORMAT_VERSION ||
        !json_is_array(entries)) {
        return failure_set(failure, -EINVAL, "%s: not a file of operator states, version %d", path,
                           STATES_FORMAT_VERSION);
    }
    code = states_json_read(entries, STATES_OPERATOR, ret_source, failure);
    return code < 0 ? failure_wrap(failure, code, "%s", path) : 0;
}

int states_operator_load(const char *path, struct states_source *ret_source,
                         struct failure *failure)
{
    struct states_source source = {0};
    json_error_t error;
    uint8_t *bytes = NULL;
    size_t len = 0;
    json_t *root;
    int code = fd_read_file(path, STATES_FILE_MAX, &bytes, &len, failure);

    if (code == -ENOENT) {
        *ret_source = source;
        return 0;
    }
    if (code < 0) {
        return code;
    }
    root = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &error);
    free(bytes);
    if (!root) {
        return failure_set(failure, -EINVAL, "%s:%d:%d: %s", path, error.line, error.column,
                           error.text);
    }
    code = states_operator_read(path, root, ret_source, failure);
    json_decref(root);
    return code;
}

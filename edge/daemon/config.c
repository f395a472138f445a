/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/config.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/yaml.h"
#include "edge/daemon/config_policy.h"
#include "edge/daemon/config_reader.h"
#include "edge/wire/name.h"

#define CONFIG_ZONES_MAX 1000000u
#define CONFIG_STATES_MAX 64u

/* The public part first, so that one pointer serves both. */
struct config_owned {
    struct config config;
    struct arena *arena;
    unsigned references;
};

int config_no_memory(const struct config_reader *reader)
{
    return failure_set(reader->failure, -ENOMEM, "out of memory");
}

static const char *config_copy(const struct config_reader *reader, const char *text)
{
    return arena_copy(reader->arena, text, strlen(text));
}

int config_read_path(const struct config_reader *reader, const struct yaml_node *node,
                     const char **ret_path)
{
    char *path = NULL;
    const char *text;
    int code = yaml_text(node, &text, reader->failure);

    if (code < 0) {
        return code;
    }
    if (!*text) {
        return yaml_fail(node, -EINVAL, reader->failure, "empty path");
    }
    code = yaml_path(node, &path, reader->failure);
    if (code < 0) {
        return code;
    }
    *ret_path = config_copy(reader, path);
    free(path);
    return *ret_path ? 0 : config_no_memory(reader);
}

/* identity, version, pop */
static int config_read_name(const struct config_reader *reader, const struct yaml_node *node,
                            char ret_name[static CONFIG_NAME_SIZE])
{
    const char *text;
    int code = yaml_text(node, &text, reader->failure);

    if (code < 0) {
        return code;
    }
    if (strlen(text) >= CONFIG_NAME_SIZE) {
        return yaml_fail(node, -EINVAL, reader->failure, "longer than %d bytes",
                         CONFIG_NAME_SIZE - 1);
    }
    memset(ret_name, 0, CONFIG_NAME_SIZE);
    snprintf(ret_name, CONFIG_NAME_SIZE, "%s", text);
    return 0;
}

static int config_read_identity(const struct config_reader *reader, const struct yaml_node *node)
{
    return config_read_name(reader, node, reader->config->identity);
}

static int config_read_version(const struct config_reader *reader, const struct yaml_node *node)
{
    return yaml_is_off(node) ? 0 : config_read_name(reader, node, reader->config->version);
}

static int config_read_pop(const struct config_reader *reader, const struct yaml_node *node)
{
    return config_read_name(reader, node, reader->config->pop);
}

static int config_read_listen(const struct config_reader *reader, const struct yaml_node *node)
{
    bool is_list = yaml_kind(node) == YAML_KIND_LIST;
    size_t count = is_list ? yaml_count(node) : 1;
    struct endpoint *listen;

    if (count == 0 || count > CONFIG_LISTEN_MAX) {
        return yaml_fail(node, -EINVAL, reader->failure, "between 1 and %d addresses are needed",
                         CONFIG_LISTEN_MAX);
    }
    listen = arena_alloc(reader->arena, count * sizeof(*listen));
    if (!listen) {
        return config_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *item = is_list ? yaml_item(node, i) : node;
        int code = yaml_endpoint(item, 53, &listen[i], reader->failure);

        if (code < 0) {
            return code;
        }
        if (listen[i].port == 0) {
            return yaml_fail(item, -EINVAL, reader->failure, "port 0 cannot be listened on");
        }
        for (size_t k = 0; k < i; k++) {
            if (listen[k].port == listen[i].port &&
                address_compare(&listen[k].address, &listen[i].address) == 0) {
                return yaml_fail(item, -EINVAL, reader->failure, "address is listed twice");
            }
        }
    }
    reader->config->listen = listen;
    reader->config->listen_n = count;
    return 0;
}

static int config_read_workers(const struct config_reader *reader, const struct yaml_node *node)
{
    const char *text;
    uint64_t value;
    int code = yaml_text(node, &text, reader->failure);

    if (code < 0) {
        return code;
    }
    if (strcmp(text, "auto") == 0) {
        reader->config->workers = 0;
        return 0;
    }
    code = yaml_u64(node, 1, CONFIG_WORKERS_MAX, &value, reader->failure);
    if (code < 0) {
        return code;
    }
    reader->config->workers = (unsigned)value;
    return 0;
}

/* "FILE:LINE:COL" of a node, kept for messages that come later. */
static const char *config_place(const struct config_reader *reader, const struct yaml_node *node)
{
    size_t path_len = strlen(reader->config->path);
    char *place = arena_alloc(reader->arena, path_len + 24);

    if (place) {
        snprintf(place, path_len + 24, "%s:%u:%u", reader->config->path, yaml_line(node),
                 yaml_column(node));
    }
    return place;
}

static int config_read_origin(const struct config_reader *reader, const struct yaml_node *node,
                              struct config_zone *zone)
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
    const char *text;
    int code = yaml_text(node, &text, reader->failure);

    if (code < 0) {
        return code;
    }
    if (!*text || name_from_text(text, name) < 0) {
        return yaml_fail(node, -EINVAL, reader->failure, "'%s' is no domain name", text);
    }
    name_fold(name, name, name_len(name));
    zone->origin = config_copy(reader, text);
    zone->name = arena_copy(reader->arena, name, sizeof(name));
    zone->place = config_place(reader, node);
    return zone->origin && zone->name && zone->place ? 0 : config_no_memory(reader);
}

static int config_read_zone(const struct config_reader *reader, const struct yaml_node *node,
                            struct config_zone *ret_zone)
{
    static const char *const known[] = {"origin", "file", "primaries", NULL};
    const struct yaml_node *origin = yaml_get(node, "origin");
    const struct yaml_node *file = yaml_get(node, "file");
    const struct yaml_node *primaries = yaml_get(node, "primaries");
    int code = yaml_check_keys(node, known, reader->failure);

    if (code < 0) {
        return code;
    }
    if (!origin) {
        return yaml_fail(node, -EINVAL, reader->failure, "a zone needs 'origin'");
    }
    if (primaries) {
        return yaml_fail(primaries, -EINVAL, reader->failure,
                         "'primaries' is not supported yet: zones are read from files");
    }
    if (!file) {
        return yaml_fail(node, -EINVAL, reader->failure, "a zone needs 'file'");
    }
    code = config_read_origin(reader, origin, ret_zone);
    return code < 0 ? code : config_read_path(reader, file, &ret_zone->file);
}

static int config_compare_zones(const void *a, const void *b)
{
    const struct config_zone *const *first = a;
    const struct config_zone *const *second = b;
    size_t first_len = name_len((*first)->name);
    size_t second_len = name_len((*second)->name);

    if (first_len != second_len) {
        return first_len < second_len ? -1 : 1;
    }
    return memcmp((*first)->name, (*second)->name, first_len);
}

static int config_check_origins(const struct config_reader *reader, const struct config_zone *zones,
                                size_t count)
{
    const struct config_zone **sorted = calloc(count + 1, sizeof(*sorted));
    int code = 0;

    if (!sorted) {
        return config_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &zones[i];
    }
    qsort(sorted, count, sizeof(*sorted), config_compare_zones);
    for (size_t i = 1; i < count && code == 0; i++) {
        if (config_compare_zones(&sorted[i - 1], &sorted[i]) == 0) {
            const struct config_zone *later = sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];

            code = failure_set(reader->failure, -EINVAL, "%s: zone '%s' is listed twice",
                               later->place, later->origin);
        }
    }
    free(sorted);
    return code;
}

static int config_read_zones(const struct config_reader *reader, const struct yaml_node *node)
{
    size_t count;
    struct config_zone *zones;

    if (yaml_kind(node) != YAML_KIND_LIST) {
        return yaml_fail(node, -EINVAL, reader->failure,
                         "'zones' is a list of {origin: ..., file: ...}");
    }
    count = yaml_count(node);
    if (count > CONFIG_ZONES_MAX) {
        return yaml_fail(node, -EINVAL, reader->failure, "more than %u zones", CONFIG_ZONES_MAX);
    }
    zones = arena_alloc(reader->arena, (count + 1) * sizeof(*zones));
    if (!zones) {
        return config_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        int code = config_read_zone(reader, yaml_item(node, i), &zones[i]);

        if (code < 0) {
            return code;
        }
    }
    reader->config->zones = zones;
    reader->config->zone_n = count;
    return config_check_origins(reader, zones, count);
}

static int config_read_map(const struct config_reader *reader, const struct yaml_node *node)
{
    reader->config->map_place = config_place(reader, node);
    return reader->config->map_place ? config_read_path(reader, node, &reader->config->map)
                                     : config_no_memory(reader);
}

static int config_read_services(const struct config_reader *reader, const struct yaml_node *node)
{
    const struct yaml_node *folder = node;

    if (yaml_kind(node) == YAML_KIND_MAP) {
        int code =
            config_read_policy(reader->arena, node, &reader->config->policy, reader->failure);

        if (code < 0) {
            return code;
        }
        folder = yaml_get(node, "folder");
    }
    reader->config->services_place = config_place(reader, folder);
    return reader->config->services_place
               ? config_read_path(reader, folder, &reader->config->services)
               : config_no_memory(reader);
}

static int config_read_states(const struct config_reader *reader, const struct yaml_node *node)
{
    bool is_list = yaml_kind(node) == YAML_KIND_LIST;
    size_t count = is_list ? yaml_count(node) : 1;
    const char **states, **places;

    if (count > CONFIG_STATES_MAX) {
        return yaml_fail(node, -EINVAL, reader->failure, "more than %u state files",
                         CONFIG_STATES_MAX);
    }
    states = arena_alloc(reader->arena, (count + 1) * sizeof(*states));
    places = arena_alloc(reader->arena, (count + 1) * sizeof(*places));
    if (!states || !places) {
        return config_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *item = is_list ? yaml_item(node, i) : node;
        int code = config_read_path(reader, item, &states[i]);

        if (code < 0) {
            return code;
        }
        places[i] = config_place(reader, item);
        if (!places[i]) {
            return config_no_memory(reader);
        }
    }
    reader->config->states = states;
    reader->config->state_places = places;
    reader->config->state_n = count;
    return 0;
}

static int config_read_control(const struct config_reader *reader, const struct yaml_node *node)
{
    int code;

    reader->config->control_given = true;
    if (yaml_is_off(node)) {
        reader->config->control = NULL;
        return 0;
    }
    code = config_read_path(reader, node, &reader->config->control);
    if (code == 0 && strlen(reader->config->control) > 100) {
        return yaml_fail(node, -EINVAL, reader->failure,
                         "a socket path may have at most 100 bytes");
    }
    return code;
}

static int config_read_metrics(const struct config_reader *reader, const struct yaml_node *node)
{
    if (yaml_is_off(node)) {
        return 0;
    }
    reader->config->metrics_on = true;
    return yaml_endpoint(node, 9167, &reader->config->metrics, reader->failure);
}

static int config_read_state_dir(const struct config_reader *reader, const struct yaml_node *node)
{
    return config_read_path(reader, node, &reader->config->state_dir);
}

static int config_read_user(const struct config_reader *reader, const struct yaml_node *node)
{
    const char *text;
    int code;

    if (yaml_is_off(node)) {
        return 0;
    }
    code = yaml_text(node, &text, reader->failure);
    if (code < 0) {
        return code;
    }
    if (!*text || strlen(text) > 32) {
        return yaml_fail(node, -EINVAL, reader->failure, "'%s' is no user name", text);
    }
    reader->config->user = config_copy(reader, text);
    return reader->config->user ? 0 : config_no_memory(reader);
}

static int config_read_seccomp(const struct config_reader *reader, const struct yaml_node *node)
{
    return yaml_bool(node, &reader->config->seccomp, reader->failure);
}

static int config_read_tcp_numbers(const struct config_reader *reader, const struct yaml_node *node,
                                   struct config_tcp *tcp)
{
    uint64_t connections = tcp->connections;
    uint64_t per_client = tcp->connections_per_client;
    uint64_t backlog = tcp->backlog;
    const struct {
        const char *key;
        uint64_t min;
        uint64_t max;
        uint64_t *value;
    } numbers[] = {
        {"connections", 1, 1000000, &connections},
        {"connections_per_client", 1, 65535, &per_client},
        {"queries", 1, UINT32_MAX, &tcp->queries},
        {"memory", 1 << 20, UINT64_C(1) << 40, &tcp->memory},
        {"backlog", 1, 65535, &backlog},
    };
    int code = 0;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code == 0; i++) {
        const struct yaml_node *child = yaml_get(node, numbers[i].key);

        if (child && numbers[i].value == &tcp->queries && yaml_is_off(child)) {
            tcp->queries = 0;
        } else if (child) {
            code =
                yaml_u64(child, numbers[i].min, numbers[i].max, numbers[i].value, reader->failure);
        }
    }
    tcp->connections = (uint32_t)connections;
    tcp->connections_per_client = (uint32_t)per_client;
    tcp->backlog = (uint32_t)backlog;
    return code;
}

static int config_read_tcp_times(const struct config_reader *reader, const struct yaml_node *node,
                                 struct config_tcp *tcp)
{
    const struct {
        const char *key;
        int64_t max_ns;
        int64_t *value;
    } times[] = {
        {"idle", 3600 * CLOCK_NS_PER_S, &tcp->idle_ns},
        {"query", 3600 * CLOCK_NS_PER_S, &tcp->query_ns},
        {"lifetime", 30LL * 86400 * CLOCK_NS_PER_S, &tcp->lifetime_ns},
    };
    int code = 0;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]) && code == 0; i++) {
        const struct yaml_node *child = yaml_get(node, times[i].key);

        if (child && times[i].value == &tcp->lifetime_ns && yaml_is_off(child)) {
            tcp->lifetime_ns = 0;
        } else if (child) {
            code = yaml_duration_ns(child, 100 * CLOCK_NS_PER_MS, times[i].max_ns, times[i].value,
                                    reader->failure);
        }
    }
    return code;
}

static int config_read_tcp(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const known[] = {"connections", "connections_per_client",
                                        "idle",        "query",
                                        "lifetime",    "queries",
                                        "memory",      "backlog",
                                        "fastopen",    NULL};
    const struct yaml_node *fastopen = yaml_get(node, "fastopen");
    struct config_tcp *tcp = &reader->config->tcp;
    int code = yaml_check_keys(node, known, reader->failure);

    if (code == 0) {
        code = config_read_tcp_numbers(reader, node, tcp);
    }
    if (code == 0) {
        code = config_read_tcp_times(reader, node, tcp);
    }
    return code == 0 && fastopen ? yaml_bool(fastopen, &tcp->fastopen, reader->failure) : code;
}

/* Keys whose meaning is fixed but which this version cannot do: saying so beats ignoring them. */
static int config_read_unsupported(const struct config_reader *reader, const struct yaml_node *node)
{
    if (yaml_is_off(node)) {
        return 0;
    }
    return yaml_fail(node, -EINVAL, reader->failure,
                     "'%s' is not supported yet by this version: leave it out or say 'off'",
                     yaml_key(node));
}

static const struct {
    const char *key;
    int (*read)(const struct config_reader *reader, const struct yaml_node *node);
    bool required;
} config_keys[] = {
    {"identity", config_read_identity, false},
    {"version", config_read_version, false},
    {"pop", config_read_pop, false},
    {"listen", config_read_listen, true},
    {"workers", config_read_workers, false},
    {"zones", config_read_zones, true},
    {"map", config_read_map, false},
    {"services", config_read_services, false},
    {"states", config_read_states, false},
    {"control", config_read_control, false},
    {"metrics", config_read_metrics, false},
    {"state_dir", config_read_state_dir, false},
    {"user", config_read_user, false},
    {"seccomp", config_read_seccomp, false},
    {"tcp", config_read_tcp, false},
    {"cookies", config_read_cookies, false},
    {"rate_limit", config_read_rate_limit, false},
    {"keys", config_read_unsupported, false},
    {"xdp", config_read_xdp, false},
    {"tls", config_read_unsupported, false},
    {"catalogs", config_read_unsupported, false},
    {"allow_transfer", config_read_unsupported, false},
    {"notify", config_read_unsupported, false},
    {"dnstap", config_read_unsupported, false},
};

#define CONFIG_KEY_N (sizeof(config_keys) / sizeof(config_keys[0]))

static int config_read_root(const struct config_reader *reader, const struct yaml_node *root)
{
    const char *known[CONFIG_KEY_N + 1];
    int code;

    for (size_t i = 0; i < CONFIG_KEY_N; i++) {
        known[i] = config_keys[i].key;
    }
    known[CONFIG_KEY_N] = NULL;
    code = yaml_check_keys(root, known, reader->failure);
    if (code < 0) {
        return code;
    }
    for (size_t i = 0; i < CONFIG_KEY_N; i++) {
        const struct yaml_node *node = yaml_get(root, config_keys[i].key);

        if (!node && config_keys[i].required) {
            return yaml_fail(root, -EINVAL, reader->failure, "'%s' is missing", config_keys[i].key);
        }
        code = node ? config_keys[i].read(reader, node) : 0;
        if (code < 0) {
            return code;
        }
    }
    if (reader->config->services && !reader->config->map) {
        return yaml_fail(yaml_get(root, "services"), -EINVAL, reader->failure,
                         "'services' needs a latency map: 'map' is missing");
    }
    return 0;
}

static void config_set_defaults(struct config *config)
{
    config->control = CONFIG_CONTROL_DEFAULT;
    config->seccomp = true;
    config->cookies.on = true;
    config_set_xdp_defaults(&config->xdp);
    config->tcp = (struct config_tcp){
        .connections = 2000,
        .connections_per_client = 100,
        .idle_ns = 10 * CLOCK_NS_PER_S,
        .query_ns = 5 * CLOCK_NS_PER_S,
        .memory = 32u << 20,
        .backlog = 4096,
        .fastopen = true,
    };
}

int config_load_bytes(const char *path, const uint8_t *bytes, size_t len,
                      struct config **ret_config, struct failure *failure)
{
    struct yaml_document *document = NULL;
    struct arena *arena = arena_new();
    struct config_owned *owned = arena ? arena_alloc(arena, sizeof(*owned)) : NULL;
    int code;

    if (!owned) {
        arena_free(arena);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    owned->arena = arena;
    owned->references = 1;
    owned->config.path = arena_copy(arena, path, strlen(path));
    code = owned->config.path ? yaml_load_bytes(path, bytes, len, &document, failure)
                              : failure_set(failure, -ENOMEM, "out of memory");
    if (code == 0) {
        struct config_reader reader = {&owned->config, arena, failure};

        config_set_defaults(&owned->config);
        SHA256(bytes, len, owned->config.digest);
        code = config_read_root(&reader, yaml_root(document));
    }
    yaml_unload(document);
    if (code < 0) {
        arena_free(arena);
        return code;
    }
    *ret_config = &owned->config;
    return 0;
}

int config_load(const char *path, struct config **ret_config, struct failure *failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code = fd_read_file(path, CONFIG_FILE_MAX, &bytes, &len, failure);

    if (code < 0) {
        return code;
    }
    code = config_load_bytes(path, bytes, len, ret_config, failure);
    free(bytes);
    return code;
}

struct config *config_ref(struct config *config)
{
    ((struct config_owned *)config)->references++;
    return config;
}

void config_free(struct config *config)
{
    struct config_owned *owned = (struct config_owned *)config;

    if (owned && --owned->references == 0) {
        arena_free(owned->arena);
    }
}

static bool config_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool config_same_tcp(const struct config_tcp *a, const struct config_tcp *b)
{
    return a->connections == b->connections &&
           a->connections_per_client == b->connections_per_client && a->idle_ns == b->idle_ns &&
           a->query_ns == b->query_ns && a->lifetime_ns == b->lifetime_ns &&
           a->queries == b->queries && a->memory == b->memory && a->backlog == b->backlog &&
           a->fastopen == b->fastopen;
}

const char *config_needs_restart(const struct config *running, const struct config *wanted)
{
    bool same_listen = running->listen_n == wanted->listen_n;

    for (size_t i = 0; same_listen && i < running->listen_n; i++) {
        same_listen = running->listen[i].port == wanted->listen[i].port &&
                      address_compare(&running->listen[i].address, &wanted->listen[i].address) == 0;
    }
    if (!same_listen) {
        return "listen";
    }
    if (running->workers != wanted->workers) {
        return "workers";
    }
    if (!config_same_text(running->control, wanted->control)) {
        return "control";
    }
    if (running->metrics_on != wanted->metrics_on ||
        (running->metrics_on &&
         (running->metrics.port != wanted->metrics.port ||
          address_compare(&running->metrics.address, &wanted->metrics.address) != 0))) {
        return "metrics";
    }
    if (!config_same_text(running->state_dir, wanted->state_dir)) {
        return "state_dir";
    }
    if (!config_same_text(running->user, wanted->user)) {
        return "user";
    }
    if (running->seccomp != wanted->seccomp) {
        return "seccomp";
    }
    if (!config_same_xdp(&running->xdp, &wanted->xdp)) {
        return "xdp";
    }
    return config_same_tcp(&running->tcp, &wanted->tcp) ? NULL : "tcp";
}

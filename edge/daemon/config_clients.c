/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of edge.yaml that say how single clients are treated.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/yaml.h"
#include "edge/daemon/config_reader.h"
#include "maps/cookie_core.h"

#define CONFIG_RATE_WINDOW_S 15u
#define CONFIG_RATE_SLIP 2u
#define CONFIG_RATE_SIZE (1u << 17) /* 1 MiB */
#define CONFIG_RATE_SIZE_MAX (1u << 24)

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

/* --- rate_limit --- */

static int config_read_exempt(const struct config_reader *reader, const struct yaml_node *node,
                              struct admission_setup *setup)
{
    bool is_list = yaml_kind(node) == YAML_KIND_LIST;
    size_t count = is_list ? yaml_count(node) : 1;

    if (count > ADMISSION_EXEMPT_MAX) {
        return yaml_fail(node, -EINVAL, reader->failure, "more than %u prefixes",
                         ADMISSION_EXEMPT_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *item = is_list ? yaml_item(node, i) : node;
        const char *text;
        int code = yaml_text(item, &text, reader->failure);

        if (code < 0) {
            return code;
        }
        if (prefix_parse(text, true, &setup->exempt[i]) < 0) {
            return yaml_fail(item, -EINVAL, reader->failure, "'%s' is no prefix", text);
        }
    }
    setup->exempt_n = count;
    return 0;
}

/* A number, unless the key is missing. */
static int config_read_number(const struct config_reader *reader, const struct yaml_node *map,
                              const char *key, uint64_t min, uint64_t max, uint32_t *ret_value)
{
    const struct yaml_node *node = yaml_get(map, key);
    uint64_t value = *ret_value;
    int code = node ? yaml_u64(node, min, max, &value, reader->failure) : 0;

    *ret_value = (uint32_t)value;
    return code;
}

/* A time; a number alone is seconds. */
static int config_read_window(const struct config_reader *reader, const struct yaml_node *node,
                              uint32_t *ret_window_s)
{
    const char *text;
    int64_t window_ns = 0;
    int code = yaml_text(node, &text, reader->failure);

    if (code < 0) {
        return code;
    }
    if (text[strspn(text, "0123456789")] == '\0') {
        uint64_t value = 0;

        code = yaml_u64(node, 0, ADMIT_WINDOW_MAX_S, &value, reader->failure);
        *ret_window_s = (uint32_t)value;
        return code;
    }
    code =
        yaml_duration_ns(node, 0, ADMIT_WINDOW_MAX_S * CLOCK_NS_PER_S, &window_ns, reader->failure);
    *ret_window_s = (uint32_t)((window_ns + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S);
    return code;
}

static int config_read_rates(const struct config_reader *reader, const struct yaml_node *node,
                             struct admission_setup *setup)
{
    static const struct {
        const char *key;
        enum admit_class class;
    } rates[] = {
        {"nodata_per_second", ADMIT_NODATA},      {"nxdomains_per_second", ADMIT_NXDOMAIN},
        {"referrals_per_second", ADMIT_REFERRAL}, {"errors_per_second", ADMIT_ERROR},
        {"queries_per_second", ADMIT_QUERIES},
    };
    uint32_t responses = 0;
    int code =
        config_read_number(reader, node, "responses_per_second", 0, ADMIT_RATE_MAX, &responses);

    for (unsigned i = 0; i < ADMIT_QUERIES; i++) {
        setup->rates[i] = responses;
    }
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]) && code == 0; i++) {
        code = config_read_number(reader, node, rates[i].key, 0, ADMIT_RATE_MAX,
                                  &setup->rates[rates[i].class]);
    }
    setup->rates[ADMIT_PROVEN] = setup->rates[ADMIT_QUERIES];
    return code;
}

int config_read_rate_limit(const struct config_reader *reader, const struct yaml_node *node)
{
    static const char *const known[] = {"responses_per_second",
                                        "nodata_per_second",
                                        "nxdomains_per_second",
                                        "referrals_per_second",
                                        "errors_per_second",
                                        "queries_per_second",
                                        "window",
                                        "slip",
                                        "ipv4_prefix",
                                        "ipv6_prefix",
                                        "exempt",
                                        "size",
                                        NULL};
    struct admission_setup *setup = &reader->config->rate_limit;
    uint32_t ipv4_bits = 24;
    uint32_t ipv6_bits = 56;
    uint32_t size = CONFIG_RATE_SIZE;
    int code;

    if (yaml_is_off(node)) {
        return 0;
    }
    code = yaml_check_keys(node, known, reader->failure);
    if (code == 0 && !yaml_get(node, "responses_per_second") &&
        !yaml_get(node, "queries_per_second")) {
        return yaml_fail(node, -EINVAL, reader->failure,
                         "'responses_per_second' or 'queries_per_second' is missing");
    }
    setup->window_s = CONFIG_RATE_WINDOW_S;
    setup->slip = CONFIG_RATE_SLIP;
    code = code < 0 ? code : config_read_rates(reader, node, setup);
    if (code == 0 && yaml_get(node, "window")) {
        code = config_read_window(reader, yaml_get(node, "window"), &setup->window_s);
    }
    code =
        code < 0 ? code : config_read_number(reader, node, "slip", 0, ADMIT_SLIP_MAX, &setup->slip);
    code = code < 0 ? code : config_read_number(reader, node, "ipv4_prefix", 1, 32, &ipv4_bits);
    code = code < 0 ? code : config_read_number(reader, node, "ipv6_prefix", 1, 64, &ipv6_bits);
    code = code < 0 ? code
                    : config_read_number(reader, node, "size", 1024, CONFIG_RATE_SIZE_MAX, &size);
    if (code == 0 && yaml_get(node, "exempt")) {
        code = config_read_exempt(reader, yaml_get(node, "exempt"), setup);
    }
    setup->ipv4_bits = (uint8_t)ipv4_bits;
    setup->ipv6_bits = (uint8_t)ipv6_bits;
    for (setup->size = 1024; setup->size < size;) {
        setup->size *= 2;
    }
    reader->config->rate_limit_on = true;
    return code;
}

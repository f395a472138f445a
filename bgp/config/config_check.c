/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One entry of `checks`.
 */
#include "bgp/config/config_parts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define INTERVAL_MIN_NS (10 * CLOCK_NS_PER_MS)
#define INTERVAL_MAX_NS (3600 * CLOCK_NS_PER_S)
#define TIMEOUT_MIN_NS CLOCK_NS_PER_MS
#define TIMEOUT_MAX_NS (60 * CLOCK_NS_PER_S)
#define ROW_MAX 1000

static int type_read(const struct yaml_node *node, struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, "type");
    const char *text;
    int result;

    if (!item) {
        return yaml_fail(node, -EINVAL, failure, "a check needs a type (dns)");
    }
    result = yaml_text(item, &text, failure);
    if (result == 0 && strcmp(text, "dns") != 0) {
        return yaml_fail(item, -ENOTSUP, failure, "check type %s is not supported yet, dns is",
                         text);
    }
    return result;
}

static int class_read(const struct yaml_node *node, struct config_check *check,
                      struct failure *failure)
{
    const char *text;
    int result;

    check->hard = true;
    if (!node) {
        return 0;
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && strcmp(text, "hard") != 0 && strcmp(text, "soft") != 0) {
        return yaml_fail(node, -EINVAL, failure, "class is hard or soft");
    }
    if (result == 0) {
        check->hard = strcmp(text, "hard") == 0;
    }
    return result;
}

static int question_read(const struct yaml_node *node, struct arena *arena,
                         struct config_check *check, struct failure *failure)
{
    const struct yaml_node *name = yaml_get(node, "name"), *type = yaml_get(node, "qtype");
    const char *name_text, *type_text = "A";
    int result;

    if (!name) {
        return yaml_fail(node, -EINVAL, failure, "a dns check needs a name to ask for");
    }
    result = yaml_text(name, &name_text, failure);
    if (result == 0 && dns_check_parse_name(name_text, check->dns.qname) < 0) {
        return yaml_fail(name, -EINVAL, failure, "not a domain name");
    }
    if (result == 0 && type) {
        result = yaml_text(type, &type_text, failure);
    }
    if (result == 0 && dns_check_parse_type(type_text, &check->dns.qtype) < 0) {
        return yaml_fail(type, -EINVAL, failure, "not a type of record");
    }
    result = result ? result : config_keep_text(arena, name_text, &check->qname_text, failure);
    return result ? result : config_keep_text(arena, type_text, &check->qtype_text, failure);
}

static int server_read(const struct yaml_node *node, struct config_check *check,
                       struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, "server");
    int result;

    if (!item) {
        return yaml_fail(node, -EINVAL, failure, "a dns check needs a server to ask");
    }
    result = yaml_endpoint(item, 53, &check->server, failure);
    if (result == 0) {
        check->family = (enum address_family)check->server.address.family;
    }
    return result;
}

static int subnet_read(const struct yaml_node *node, struct config_check *check,
                       struct failure *failure)
{
    const char *text;
    int result;

    if (!node) {
        return 0;
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && prefix_parse(text, true, &check->dns.subnet) < 0) {
        return yaml_fail(node, -EINVAL, failure, "ecs is a prefix without host bits");
    }
    check->dns.has_subnet = result == 0;
    return result;
}

static int expect_addresses_read(const struct yaml_node *node, struct dns_check *dns,
                                 struct failure *failure)
{
    if (yaml_count(node) == 0 || yaml_count(node) > DNS_CHECK_ADDRESSES_MAX) {
        return yaml_fail(node, -ERANGE, failure, "expect lists 1 to %d addresses",
                         DNS_CHECK_ADDRESSES_MAX);
    }
    dns->expect = DNS_CHECK_EXPECT_ADDRESSES;
    for (size_t i = 0; i < yaml_count(node); i++) {
        const int result = yaml_address(yaml_item(node, i), &dns->addresses[i], failure);

        if (result < 0) {
            return result;
        }
        /* A = 1, AAAA = 28: a list of the other family could never match */
        if (dns->qtype != (dns->addresses[i].family == ADDRESS_IPV4 ? 1 : 28)) {
            return yaml_fail(yaml_item(node, i), -EINVAL, failure,
                             "an answer of this qtype never has such an address");
        }
        dns->addresses_n++;
    }
    return 0;
}

static int expect_read(const struct yaml_node *node, struct dns_check *dns, struct failure *failure)
{
    const char *text;
    int result;

    if (!node) {
        return 0;
    }
    if (yaml_kind(node) == YAML_KIND_LIST) {
        return expect_addresses_read(node, dns, failure);
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && dns_check_parse_rcode(text, &dns->rcode) < 0) {
        return yaml_fail(node, -EINVAL, failure, "expect is a list of addresses or an RCODE");
    }
    dns->expect = DNS_CHECK_EXPECT_RCODE;
    return result;
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
    return result ? result : row_read(yaml_get(node, "fall"), &check->limits.fall, failure);
}

int config_read_check(const struct yaml_node *node, struct arena *arena,
                      struct config_check *ret_check, struct failure *failure)
{
    static const char *const known[] = {"type",   "class", "server",   "name",    "qtype",
                                        "expect", "ecs",   "interval", "timeout", "retry",
                                        "rise",   "fall",  NULL};
    static const char *const later[] = {"transport", "tcp", "family", "window", "hold", NULL};
    int result;

    *ret_check = (struct config_check){0};
    if (yaml_kind(node) != YAML_KIND_MAP) {
        return yaml_fail(node, -EINVAL, failure, "a check is a map");
    }
    result = type_read(node, failure);
    result = result ? result : config_check_keys(node, known, later, failure);
    result = result ? result : config_keep_text(arena, yaml_key(node), &ret_check->name, failure);
    result = result ? result : class_read(yaml_get(node, "class"), ret_check, failure);
    result = result ? result : question_read(node, arena, ret_check, failure);
    result = result ? result : server_read(node, ret_check, failure);
    result = result ? result : subnet_read(yaml_get(node, "ecs"), ret_check, failure);
    result = result ? result : expect_read(yaml_get(node, "expect"), &ret_check->dns, failure);
    return result ? result : pace_read(node, ret_check, failure);
}

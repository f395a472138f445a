/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of dns checks.
 */
#include <errno.h>

#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_dns.h"

#define TRIES 3 /* two lost datagrams are no failure */

static int question_read(const struct yaml_node *node, struct arena *arena,
                         struct config_check *check, struct dns_check *dns, struct failure *failure)
{
    const struct yaml_node *name = yaml_get(node, "name"), *type = yaml_get(node, "qtype");
    const char *name_text, *type_text = "A";
    char server[ADDRESS_TEXT_LEN];
    int result;

    if (!name) {
        return yaml_fail(node, -EINVAL, failure, "a dns check needs a name to ask for");
    }
    result = yaml_text(name, &name_text, failure);
    if (result == 0 && dns_check_parse_name(name_text, dns->qname) < 0) {
        return yaml_fail(name, -EINVAL, failure, "not a domain name");
    }
    if (result == 0 && type) {
        result = yaml_text(type, &type_text, failure);
    }
    if (result == 0 && dns_check_parse_type(type_text, &dns->qtype) < 0) {
        return yaml_fail(type, -EINVAL, failure, "not a type of record");
    }
    return result ? result
                  : config_set_subject(arena, check, failure, "%s %s at %s", name_text, type_text,
                                       endpoint_format(&check->server, server));
}

static int subnet_read(const struct yaml_node *node, struct dns_check *dns, struct failure *failure)
{
    const char *text;
    int result;

    if (!node) {
        return 0;
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && prefix_parse(text, true, &dns->subnet) < 0) {
        return yaml_fail(node, -EINVAL, failure, "ecs is a prefix without host bits");
    }
    dns->has_subnet = result == 0;
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

static int dns_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                    struct failure *failure)
{
    struct probe_dns_settings *settings = arena_alloc(arena, sizeof(*settings));
    const struct yaml_node *tries = yaml_get(node, "tries");
    uint64_t tries_n = TRIES;
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    result = config_read_server(node, 53, check, failure);
    result = result ? result : question_read(node, arena, check, &settings->check, failure);
    result = result ? result : subnet_read(yaml_get(node, "ecs"), &settings->check, failure);
    result = result ? result : expect_read(yaml_get(node, "expect"), &settings->check, failure);
    if (result == 0 && tries) {
        result = yaml_u64(tries, 1, PROBE_DNS_TRIES_MAX, &tries_n, failure);
    }
    settings->tries = (unsigned)tries_n;
    return result;
}

static const char *const keys[] = {"server", "name", "qtype", "ecs", "expect", "tries", NULL};

const struct config_check_type config_check_dns = {
    .probe = &probe_dns, .keys = keys, .read = dns_read};

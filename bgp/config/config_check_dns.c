/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of dns checks.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_dns.h"

#define TRIES 3 /* two lost datagrams are no failure */
#define SOA 6
#define LAG_MAX_NS (30 * INT64_C(86400) * CLOCK_NS_PER_S)
#define SIGNATURE_MAX_NS (365 * INT64_C(86400) * CLOCK_NS_PER_S)

static int question_read(const struct yaml_node *node, struct arena *arena,
                         struct config_check *check, struct dns_check *dns, const char *type_text,
                         const char *how, struct failure *failure)
{
    const struct yaml_node *name = yaml_get(node, "name"), *type = yaml_get(node, "qtype");
    const char *name_text;
    char server[ADDRESS_TEXT_LEN];
    int result;

    if (!name) {
        return yaml_fail(node, -EINVAL, failure, "a %s check needs a name to ask for",
                         check->type->name);
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
                  : config_set_subject(arena, check, failure, "%s %s at %s%s", name_text, type_text,
                                       endpoint_format(&check->server, server), how);
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

int config_read_question(const struct yaml_node *node, struct arena *arena,
                         struct config_check *check, struct dns_check *dns, const char *type,
                         const char *how, struct failure *failure)
{
    int result = question_read(node, arena, check, dns, type, how, failure);

    result = result ? result : subnet_read(yaml_get(node, "ecs"), dns, failure);
    return result ? result : expect_read(yaml_get(node, "expect"), dns, failure);
}

/* "udp", with so many tries, or "tcp". */
static int transport_read(const struct yaml_node *node, struct probe_dns_settings *settings,
                          struct failure *failure)
{
    const struct yaml_node *transport = yaml_get(node, "transport"),
                           *tries = yaml_get(node, "tries");
    uint64_t tries_n = TRIES;
    const char *text = "udp";
    int result = transport ? yaml_text(transport, &text, failure) : 0;

    if (result == 0 && strcmp(text, "udp") != 0 && strcmp(text, "tcp") != 0) {
        return yaml_fail(transport, -EINVAL, failure, "transport is udp or tcp");
    }
    settings->tcp = result == 0 && strcmp(text, "tcp") == 0;
    if (result == 0 && tries && settings->tcp) {
        return yaml_fail(tries, -EINVAL, failure, "tries are datagrams: only with transport udp");
    }
    if (result == 0 && tries) {
        result = yaml_u64(tries, 1, DNS_EXCHANGE_TRIES_MAX, &tries_n, failure);
    }
    settings->tries = (unsigned)tries_n;
    return result;
}

static int reference_read(const struct yaml_node *as, const struct yaml_node *lag,
                          struct probe_dns_settings *settings, struct failure *failure)
{
    int result;

    if (!as) {
        return lag ? yaml_fail(lag, -EINVAL, failure, "lag needs a server to be compared with (as)")
                   : 0;
    }
    result = yaml_endpoint(as, 53, &settings->reference, failure);
    if (result == 0 && lag) {
        result = yaml_duration_ns(lag, 0, LAG_MAX_NS, &settings->lag_ns, failure);
    }
    settings->has_reference = true;
    settings->reference_check = (struct dns_check){.qtype = SOA, .expect = DNS_CHECK_EXPECT_ANSWER};
    memcpy(settings->reference_check.qname, settings->check.qname, DNS_CHECK_NAME_LEN);
    return result;
}

/* {at_least: N, as: SERVER, lag: TIME} */
static int serial_read(const struct yaml_node *node, struct probe_dns_settings *settings,
                       struct failure *failure)
{
    static const char *const serial_keys[] = {"at_least", "as", "lag", NULL};
    const struct yaml_node *min = yaml_get(node, "at_least"), *as = yaml_get(node, "as");
    struct dns_check *dns = &settings->check;
    uint64_t value = 0;
    int result;

    if (!node) {
        return 0;
    }
    result = yaml_check_keys(node, serial_keys, failure);
    if (result == 0 && !min && !as) {
        return yaml_fail(node, -EINVAL, failure, "serial needs at_least or as");
    }
    if (result == 0 && (dns->qtype != SOA || dns->expect != DNS_CHECK_EXPECT_ANSWER)) {
        return yaml_fail(node, -EINVAL, failure,
                         "a serial is found with qtype SOA and without expect");
    }
    if (result == 0 && min) {
        result = yaml_u64(min, 0, UINT32_MAX, &value, failure);
        dns->has_serial_min = true;
        dns->serial_min = (uint32_t)value;
    }
    return result ? result : reference_read(as, yaml_get(node, "lag"), settings, failure);
}

static int signature_read(const struct yaml_node *node, struct dns_check *dns,
                          struct failure *failure)
{
    int64_t ns = 0;
    const int result =
        node ? yaml_duration_ns(node, CLOCK_NS_PER_S, SIGNATURE_MAX_NS, &ns, failure) : 0;

    dns->signature_s = ns / CLOCK_NS_PER_S;
    return result;
}

static int dns_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                    struct failure *failure)
{
    struct probe_dns_settings *settings = arena_alloc(arena, sizeof(*settings));
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    result = config_read_server(node, 53, check, failure);
    result = result ? result : transport_read(node, settings, failure);
    result = result ? result
                    : config_read_question(node, arena, check, &settings->check,
                                           yaml_get(node, "serial") ? "SOA" : "A",
                                           settings->tcp ? " over TCP" : "", failure);
    result = result ? result : serial_read(yaml_get(node, "serial"), settings, failure);
    return result ? result : signature_read(yaml_get(node, "signature"), &settings->check, failure);
}

static const char *const keys[] = {"server",    "name",  "qtype",  "ecs",       "expect",
                                   "transport", "tries", "serial", "signature", NULL};

const struct config_check_type config_check_dns = {
    .probe = &probe_dns, .class = CHECK_HARD, .keys = keys, .read = dns_read};

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <libknot/libknot.h>

#include "bgp/probe/dns_records.h"

#define HEADER_LEN ((size_t)KNOT_WIRE_HEADER_SIZE)
#define UDP_PAYLOAD 1232 /* what fits any path without fragments (DNS flag day 2020) */

int dns_check_parse_name(const char *text, uint8_t ret_name[static DNS_CHECK_NAME_LEN])
{
    uint8_t name[DNS_CHECK_NAME_LEN] = {0};

    if (!knot_dname_from_str(name, text, sizeof(name)) ||
        knot_dname_wire_check(name, name + sizeof(name), NULL) <= 0) {
        return -EINVAL;
    }
    knot_dname_to_lower(name); /* as the parser makes names in answers */
    memcpy(ret_name, name, sizeof(name));
    return 0;
}

int dns_check_parse_type(const char *text, uint16_t *ret_type)
{
    uint16_t type;

    if (knot_rrtype_from_string(text, &type) != 0 || type == 0 || type == KNOT_RRTYPE_OPT ||
        (type >= 128 && type <= 255)) { /* QTYPEs and meta-TYPEs, RFC 6895 section 3.1 */
        return -EINVAL;
    }
    *ret_type = type;
    return 0;
}

int dns_check_parse_rcode(const char *text, uint16_t *ret_rcode)
{
    for (const knot_lookup_t *entry = knot_rcode_names; entry->name; entry++) {
        if (strcasecmp(entry->name, text) == 0 && entry->id >= 0 && entry->id <= 15) {
            *ret_rcode = (uint16_t)entry->id;
            return 0;
        }
    }
    return -EINVAL;
}

static int option_add_subnet(knot_rrset_t *opt, const struct prefix *subnet)
{
    const struct endpoint endpoint = {.address = subnet->address};
    struct sockaddr_storage storage = {0};
    knot_edns_client_subnet_t option = {0};
    uint8_t *bytes = NULL;
    uint16_t len;

    endpoint_to_sockaddr(&endpoint, &storage);
    if (knot_edns_client_subnet_set_addr(&option, &storage) != KNOT_EOK) {
        return -EINVAL;
    }
    option.source_len = subnet->len;
    option.scope_len = 0; /* MUST be 0 in queries, RFC 7871 section 6 */
    len = knot_edns_client_subnet_size(&option);
    if (len == 0 || knot_edns_reserve_option(opt, KNOT_EDNS_OPTION_CLIENT_SUBNET, len, &bytes,
                                             NULL) != KNOT_EOK) {
        return -ENOMEM;
    }
    return knot_edns_client_subnet_write(bytes, len, &option) == KNOT_EOK ? 0 : -EINVAL;
}

static int packet_fill(knot_pkt_t *packet, const struct dns_check *check, uint16_t id,
                       knot_rrset_t *opt)
{
    knot_wire_set_id(packet->wire, id);
    if (knot_pkt_put_question(packet, check->qname, KNOT_CLASS_IN, check->qtype) != KNOT_EOK) {
        return -EINVAL;
    }
    if (knot_edns_init(opt, UDP_PAYLOAD, 0, KNOT_EDNS_VERSION, NULL) != KNOT_EOK) {
        return -ENOMEM;
    }
    if (check->signature_s > 0) {
        knot_edns_set_do(opt); /* RFC 3225 section 3 */
    }
    if (check->has_subnet) {
        const int result = option_add_subnet(opt, &check->subnet);

        if (result < 0) {
            return result;
        }
    }
    if (knot_pkt_begin(packet, KNOT_ADDITIONAL) != KNOT_EOK ||
        knot_pkt_put(packet, KNOT_COMPR_HINT_NONE, opt, 0) != KNOT_EOK) {
        return -EINVAL;
    }
    return (int)packet->size;
}

int dns_check_query(const struct dns_check *check, uint16_t id,
                    uint8_t ret_query[static DNS_CHECK_QUERY_LEN])
{
    knot_pkt_t *packet;
    knot_rrset_t opt;
    int result;

    memset(ret_query, 0, DNS_CHECK_QUERY_LEN); /* libknot adds to the header it finds */
    packet = knot_pkt_new(ret_query, DNS_CHECK_QUERY_LEN, NULL);
    if (!packet) {
        return -ENOMEM;
    }
    knot_rrset_init_empty(&opt);
    result = packet_fill(packet, check, id, &opt);
    knot_rrset_clear(&opt, NULL);
    knot_pkt_free(packet);
    return result;
}

/* The question section in our own query: name, type and class. */
static size_t question_len(const struct dns_check *check)
{
    return knot_dname_size(check->qname) + 4;
}

/* The answer must echo the question; letters may come back in another case. Label lengths are below
 * 64, so folding the whole name at once cannot make two different names equal. */
static bool question_matches(const struct dns_check *check, const uint8_t *query,
                             const uint8_t *bytes, size_t len)
{
    const size_t name_len = knot_dname_size(check->qname);

    if (len < HEADER_LEN + question_len(check) || knot_wire_get_qdcount(bytes) != 1) {
        return false;
    }
    for (size_t i = 0; i < name_len; i++) {
        uint8_t a = query[HEADER_LEN + i], b = bytes[HEADER_LEN + i];

        a = a >= 'A' && a <= 'Z' ? (uint8_t)(a + 32) : a;
        b = b >= 'A' && b <= 'Z' ? (uint8_t)(b + 32) : b;
        if (a != b) {
            return false;
        }
    }
    return memcmp(query + HEADER_LEN + name_len, bytes + HEADER_LEN + name_len, 4) == 0;
}

static const char *rcode_name(uint16_t rcode)
{
    for (const knot_lookup_t *entry = knot_rcode_names; entry->name; entry++) {
        if (entry->id == rcode) {
            return entry->name;
        }
    }
    return "an unknown RCODE";
}

static bool address_expected(const struct dns_check *check, const struct address *address)
{
    for (size_t i = 0; i < check->addresses_n; i++) {
        if (address_compare(&check->addresses[i], address) == 0) {
            return true;
        }
    }
    return false;
}

struct answers {
    size_t records_n;
    bool has_address, has_unexpected, has_serial;
    struct address first, unexpected;
    uint32_t serial;
};

static void answers_add(struct answers *answers, const struct dns_check *check,
                        const knot_rrset_t *rrset)
{
    knot_rdata_t *rdata = rrset->rrs.rdata;

    for (uint16_t i = 0; i < rrset->rrs.count; i++, rdata = knot_rdataset_next(rdata)) {
        struct address address;

        answers->records_n++;
        if (dns_records_serial(rrset->type, rdata, &answers->serial)) {
            answers->has_serial = true;
        }
        if (!dns_records_address(rrset->type, rdata, &address)) {
            continue;
        }
        if (!answers->has_address) {
            answers->has_address = true;
            answers->first = address;
        }
        if (!answers->has_unexpected && !address_expected(check, &address)) {
            answers->has_unexpected = true;
            answers->unexpected = address;
        }
    }
}

/* The records asked for, of the name asked for or the one its CNAMEs lead to. Others in the section
 * are no answer. */
static struct answers answers_collect(const struct dns_check *check, const knot_pkt_t *packet)
{
    const knot_pktsection_t *section = knot_pkt_section(packet, KNOT_ANSWER);
    const knot_dname_t *name = dns_records_follow(section, check->qname, check->qtype);
    struct answers answers = {0};

    for (uint16_t i = 0; name && i < section->count; i++) {
        const knot_rrset_t *rrset = knot_pkt_rr(section, i);

        if (rrset->type == check->qtype && rrset->rclass == KNOT_CLASS_IN &&
            knot_dname_is_equal(rrset->owner, name)) {
            answers_add(&answers, check, rrset);
        }
    }
    return answers;
}

/* False if the signatures are not what they should be; the evidence of a good outcome grows. */
static bool signatures_pass(const struct dns_check *check, const knot_pkt_t *packet, int64_t wall_s,
                            struct probe_outcome *outcome)
{
    const size_t len = strlen(outcome->evidence);
    char span[OUTCOME_SPAN_LEN];
    int64_t left_s;

    if (check->signature_s == 0) {
        return true;
    }
    if (!dns_records_signed(packet, wall_s, check->signature_s, &left_s, outcome)) {
        return false;
    }
    snprintf(outcome->evidence + len, sizeof(outcome->evidence) - len, ", signed for %s",
             outcome_span(left_s, span));
    return true;
}

static void judge_records(const struct dns_check *check, const knot_pkt_t *packet,
                          uint32_t *ret_serial, struct probe_outcome *outcome)
{
    const struct answers answers = answers_collect(check, packet);
    char text[ADDRESS_TEXT_LEN];

    if (answers.records_n == 0) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "NOERROR without a record of the type");
    } else if (check->expect == DNS_CHECK_EXPECT_ADDRESSES && answers.has_unexpected) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "NOERROR with %s, which is not expected",
                     address_format(&answers.unexpected, text));
    } else if (check->qtype == KNOT_RRTYPE_SOA && !answers.has_serial) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "a malformed SOA record");
    } else if (check->has_serial_min &&
               dns_records_serial_less(answers.serial, check->serial_min)) {
        outcome_fail(outcome, PROBE_CAUSE_STALE, "serial %u, needed is %u or later",
                     (unsigned)answers.serial, (unsigned)check->serial_min);
    } else if (answers.has_serial) {
        *ret_serial = answers.serial;
        outcome_pass(outcome, "serial %u", (unsigned)answers.serial);
    } else {
        outcome_pass(outcome, "NOERROR, %zu records%s%s", answers.records_n,
                     answers.has_address ? ", " : "",
                     answers.has_address ? address_format(&answers.first, text) : "");
    }
}

static void judge_packet(const struct dns_check *check, const knot_pkt_t *packet, int64_t wall_s,
                         uint32_t *ret_serial, struct probe_outcome *outcome)
{
    const uint16_t rcode = knot_pkt_ext_rcode(packet);

    if (check->expect == DNS_CHECK_EXPECT_RCODE && rcode != check->rcode) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "%s instead of %s", rcode_name(rcode),
                     rcode_name(check->rcode));
    } else if (check->expect == DNS_CHECK_EXPECT_RCODE) {
        outcome_pass(outcome, "%s", rcode_name(rcode));
    } else if (rcode != KNOT_RCODE_NOERROR) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "%s", rcode_name(rcode));
    } else {
        judge_records(check, packet, ret_serial, outcome);
    }
    if (outcome->observation == HEALTH_PASS) {
        (void)signatures_pass(check, packet, wall_s, outcome);
    }
}

/* What a truncated answer (RFC 2181 section 9) holds may not be all; its RCODE is. */
static bool truncation_matters(const struct dns_check *check, const uint8_t *bytes)
{
    return knot_wire_get_tc(bytes) &&
           (check->signature_s > 0 || (check->expect != DNS_CHECK_EXPECT_RCODE &&
                                       knot_wire_get_rcode(bytes) == KNOT_RCODE_NOERROR));
}

enum dns_check_result dns_check_judge(const struct dns_check *check, const uint8_t *query,
                                      size_t query_len, uint8_t *bytes, size_t len, int64_t wall_s,
                                      uint32_t *ret_serial, struct probe_outcome *ret_outcome)
{
    knot_pkt_t *packet;
    int result;

    if (query_len < HEADER_LEN + question_len(check) || len < HEADER_LEN ||
        len > DNS_CHECK_ANSWER_LEN || !knot_wire_get_qr(bytes) ||
        knot_wire_get_id(bytes) != knot_wire_get_id(query) ||
        !question_matches(check, query, bytes, len)) {
        return DNS_CHECK_IGNORED;
    }
    if (truncation_matters(check, bytes)) {
        return DNS_CHECK_TRUNCATED;
    }
    packet = knot_pkt_new(bytes, (uint16_t)len, NULL);
    result = packet ? knot_pkt_parse(packet, 0) : KNOT_ENOMEM;
    if (result == KNOT_ENOMEM) {
        outcome_unknown(ret_outcome, "out of memory");
    } else if (result != KNOT_EOK) {
        outcome_fail(ret_outcome, PROBE_CAUSE_WRONG, "a malformed answer of %zu bytes", len);
    } else {
        judge_packet(check, packet, wall_s, ret_serial, ret_outcome);
    }
    knot_pkt_free(packet);
    return DNS_CHECK_JUDGED;
}

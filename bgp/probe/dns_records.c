/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_records.h"

#include <string.h>

#define LINKS_MAX 16             /* of a CNAME chain; more than any resolver follows */
#define SOA_LEN_MIN (1 + 1 + 20) /* two names and five numbers, RFC 1035 section 3.3.13 */
#define RRSIG_LEN_MIN (18 + 1)   /* up to the signer's name, RFC 4034 section 3.1 */
#define TYPE_TEXT_LEN 32

bool dns_records_address(uint16_t type, const knot_rdata_t *rdata, struct address *ret_address)
{
    *ret_address = (struct address){0};
    if (type == KNOT_RRTYPE_A && rdata->len == 4) {
        ret_address->family = ADDRESS_IPV4;
    } else if (type == KNOT_RRTYPE_AAAA && rdata->len == 16) {
        ret_address->family = ADDRESS_IPV6;
    } else {
        return false;
    }
    memcpy(ret_address->bytes, rdata->data, rdata->len);
    return true;
}

bool dns_records_serial(uint16_t type, const knot_rdata_t *rdata, uint32_t *ret_serial)
{
    if (type != KNOT_RRTYPE_SOA || rdata->len < SOA_LEN_MIN) {
        return false;
    }
    *ret_serial = knot_soa_serial(rdata);
    return true;
}

bool dns_records_serial_less(uint32_t a, uint32_t b)
{
    return (int32_t)(b - a) > 0;
}

static const knot_rrset_t *record_find(const knot_pktsection_t *section, const knot_dname_t *name,
                                       uint16_t type)
{
    for (uint16_t i = 0; i < section->count; i++) {
        const knot_rrset_t *rrset = knot_pkt_rr(section, i);

        if (rrset->type == type && rrset->rclass == KNOT_CLASS_IN && rrset->rrs.count > 0 &&
            rrset->rrs.rdata->len > 0 && knot_dname_is_equal(rrset->owner, name)) {
            return rrset;
        }
    }
    return NULL;
}

const knot_dname_t *dns_records_follow(const knot_pktsection_t *section, const knot_dname_t *name,
                                       uint16_t type)
{
    for (int links = 0; links <= LINKS_MAX; links++) {
        const knot_rrset_t *alias =
            type == KNOT_RRTYPE_CNAME ? NULL : record_find(section, name, KNOT_RRTYPE_CNAME);

        if (!alias) {
            return name;
        }
        name = knot_cname_name(alias->rrs.rdata);
    }
    return NULL;
}

/* ---- signatures ---- */

struct coverage {
    bool found;     /* there is a signature over the set */
    bool current;   /* one that has begun */
    int64_t left_s; /* of the longest that has; negative: ended so long ago */
};

/* The times are seconds modulo 2^32, compared by serial number arithmetic (RFC 4034 section 3.1.5).
 */
static void coverage_add(struct coverage *coverage, const knot_rdata_t *rdata, int64_t wall_s)
{
    const uint32_t now = (uint32_t)wall_s;
    const int64_t left_s = (int32_t)(knot_rrsig_sig_expiration(rdata) - now);

    coverage->found = true;
    if ((int32_t)(now - knot_rrsig_sig_inception(rdata)) < 0) {
        return;
    }
    if (!coverage->current || left_s > coverage->left_s) {
        coverage->left_s = left_s;
    }
    coverage->current = true;
}

static struct coverage set_cover(const knot_pktsection_t *section, const knot_rrset_t *set,
                                 int64_t wall_s)
{
    struct coverage coverage = {0};

    for (uint16_t i = 0; i < section->count; i++) {
        const knot_rrset_t *rrset = knot_pkt_rr(section, i);
        const knot_rdata_t *rdata = rrset->rrs.rdata;

        if (rrset->type == KNOT_RRTYPE_RRSIG && rrset->rclass == set->rclass &&
            rrset->rrs.count > 0 && rdata->len >= RRSIG_LEN_MIN &&
            knot_rrsig_type_covered(rdata) == set->type &&
            knot_dname_is_equal(rrset->owner, set->owner)) {
            coverage_add(&coverage, rdata, wall_s);
        }
    }
    return coverage;
}

/* A CNAME made from a DNAME has no signature of its own (RFC 6672 section 5.3.1). */
static bool is_synthesized(const knot_pktsection_t *section, const knot_rrset_t *set)
{
    for (uint16_t i = 0; set->type == KNOT_RRTYPE_CNAME && i < section->count; i++) {
        const knot_rrset_t *rrset = knot_pkt_rr(section, i);

        if (rrset->type == KNOT_RRTYPE_DNAME &&
            knot_dname_in_bailiwick(set->owner, rrset->owner) > 0) {
            return true;
        }
    }
    return false;
}

/* True if the signature is as it should be. */
static bool coverage_judge(const struct coverage *coverage, const knot_rrset_t *set,
                           int64_t needed_s, struct probe_outcome *outcome)
{
    char name[KNOT_DNAME_TXT_MAXLEN + 1], type[TYPE_TEXT_LEN], span[OUTCOME_SPAN_LEN];

    if (coverage->current && coverage->left_s >= needed_s) {
        return true;
    }
    if (!knot_dname_to_str(name, set->owner, sizeof(name)) ||
        knot_rrtype_to_string(set->type, type, sizeof(type)) < 0) {
        name[0] = type[0] = '\0';
    }
    if (!coverage->found) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "no signature of %s %s", name, type);
    } else if (!coverage->current) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "signature of %s %s is not valid yet", name, type);
    } else if (coverage->left_s <= 0) {
        outcome_fail(outcome, PROBE_CAUSE_STALE, "signature of %s %s ended %s ago", name, type,
                     outcome_span(-coverage->left_s, span));
    } else {
        outcome_fail(outcome, PROBE_CAUSE_STALE, "signature of %s %s ends in %s", name, type,
                     outcome_span(coverage->left_s, span));
    }
    return false;
}

static bool same_set(const knot_rrset_t *a, const knot_rrset_t *b)
{
    return a->type == b->type && a->rclass == b->rclass && knot_dname_is_equal(a->owner, b->owner);
}

bool dns_records_signed(const knot_pkt_t *packet, int64_t wall_s, int64_t needed_s,
                        int64_t *ret_left_s, struct probe_outcome *ret_outcome)
{
    const knot_pktsection_t *section = knot_pkt_section(packet, KNOT_ANSWER);
    int64_t left_s = INT64_MAX;

    if (section->count == 0) {
        section = knot_pkt_section(packet, KNOT_AUTHORITY);
    }
    for (uint16_t i = 0; i < section->count; i++) {
        const knot_rrset_t *set = knot_pkt_rr(section, i);
        struct coverage coverage;

        if (set->type == KNOT_RRTYPE_RRSIG || is_synthesized(section, set) ||
            (i > 0 && same_set(set, knot_pkt_rr(section, (uint16_t)(i - 1))))) {
            continue;
        }
        coverage = set_cover(section, set, wall_s);
        if (!coverage_judge(&coverage, set, needed_s, ret_outcome)) {
            return false;
        }
        left_s = coverage.left_s < left_s ? coverage.left_s : left_s;
    }
    if (left_s == INT64_MAX) {
        outcome_fail(ret_outcome, PROBE_CAUSE_WRONG, "nothing that could be signed");
        return false;
    }
    *ret_left_s = left_s;
    return true;
}

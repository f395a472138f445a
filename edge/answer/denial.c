/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/answer/denial.h"

#include <string.h>

#include "edge/answer/answer_work.h"
#include "edge/zone/zone_denial.h"

/* --- collecting --- */

static void denial_add(struct answer_scratch *work, const struct denial_proof *proof)
{
    struct denial *denial = &work->denial;

    for (unsigned i = 0; i < denial->proof_n; i++) {
        if (denial->proofs[i].rrset == proof->rrset) {
            return;
        }
    }
    denial->proofs[denial->proof_n] = *proof;
    denial->proofs[denial->proof_n++].stage = work->response.stage;
}

/* How many bytes the ends of two names share: whole labels, at least the root's. The current name
 * is below the zone's origin, and so is the other. */
static size_t denial_common(const struct name_key *key, const uint8_t *name, size_t len)
{
    unsigned label = 0;

    for (;;) {
        size_t key_len = (size_t)key->len - key->offsets[label];

        if (len == key_len && !memcmp(name, key->bytes + key->offsets[label], len)) {
            return len;
        }
        if (len >= key_len) {
            len -= (size_t)name[0] + 1;
            name += (size_t)name[0] + 1;
        } else {
            label++;
        }
    }
}

static void denial_add_nsec(struct answer_scratch *work, const struct zone_node *owner)
{
    size_t common = denial_common(work->name, owner->name, owner->name_len);
    struct denial_proof proof = {.rrset = zone_node_rrset(owner, WIRE_TYPE_NSEC),
                                 .prefix = owner->name,
                                 .prefix_len = (uint8_t)(owner->name_len - common),
                                 .suffix_len = (uint8_t)common};

    denial_add(work, &proof);
}

static void denial_add_nsec3(struct answer_scratch *work, const struct zone *zone,
                             const struct zone_nsec3 *nsec3)
{
    struct denial_proof proof = {
        .rrset = &nsec3->rrset, .hash = nsec3->hash, .suffix_len = zone->apex->name_len};

    denial_add(work, &proof);
}

/* "*." and the suffix of `label_n` labels of the current name, which is longer; returns the length.
 */
static size_t denial_wildcard(const struct answer_scratch *work, unsigned label_n,
                              uint8_t ret_name[static NAME_LEN_MAX + 2])
{
    size_t len = name_suffix_len(work->name, label_n);

    ret_name[0] = 1;
    ret_name[1] = '*';
    memcpy(ret_name + 2, work->name->bytes + name_suffix_offset(work->name, label_n), len);
    return len + 2;
}

/* --- NSEC3 (RFC 5155 section 7.2) --- */

/* The name does not exist. That it has a record all the same means that two hashes are the same,
 * and nothing can be proved (section 7.2.9): that takes a second preimage of SHA-1, as no record is
 * without its name. */
static void denial_cover(struct answer_scratch *work, const struct zone *zone, const uint8_t *name,
                         size_t len)
{
    bool match;
    const struct zone_nsec3 *nsec3 = zone_denial_nsec3(zone, name, len, &match);

    if (!match) {
        denial_add_nsec3(work, zone, nsec3);
    } else {
        work->denial.collided = true;
        work->denial.proof_n += work->denial.proof_n == 0;
    }
}

/* The name of `label_n` labels does not exist. */
static void denial_cover_suffix(struct answer_scratch *work, const struct zone *zone,
                                unsigned label_n)
{
    const struct name_key *name = work->name;

    denial_cover(work, zone, name->bytes + name_suffix_offset(name, label_n),
                 name_suffix_len(name, label_n));
}

/* Section 7.2.1: `node`, at or above the current name, as its closest encloser, and that the name
 * one label longer is not there. If Opt-Out left the node without a record, the closest provable
 * encloser stands in for it. Returns how many labels that has. */
static unsigned denial_add_encloser(struct answer_scratch *work, const struct zone *zone,
                                    const struct zone_node *node)
{
    const struct zone_nsec3 *nsec3, *next_closer = NULL;
    bool match;

    for (nsec3 = zone_denial_nsec3_of(zone, node, &match); !match;
         nsec3 = zone_denial_nsec3_of(zone, node, &match)) {
        next_closer = nsec3;
        node = zone_get(zone, work->name, node->label_n - 1u); /* the apex has its record */
    }
    denial_add_nsec3(work, zone, nsec3);
    if (next_closer) {
        denial_add_nsec3(work, zone, next_closer);
    } else {
        denial_cover_suffix(work, zone, node->label_n + 1u);
    }
    return node->label_n;
}

/* Sections 7.2.3, 7.2.4 and 7.2.7: the record of a name that exists, or that it lies in an Opt-Out
 * span. */
static void denial_add_existing(struct answer_scratch *work, const struct zone *zone,
                                const struct zone_node *node)
{
    bool match;
    const struct zone_nsec3 *nsec3 = zone_denial_nsec3_of(zone, node, &match);

    if (match) {
        denial_add_nsec3(work, zone, nsec3);
    } else {
        (void)denial_add_encloser(work, zone, node);
    }
}

/* --- what is to be proved --- */

void denial_add_nodata(struct answer_scratch *work, const struct answer_match *match)
{
    const struct zone *zone = match->zone;
    bool of_wildcard;

    if (!zone->denial) {
        return;
    }
    if (zone->denial->nsecs) { /* RFC 4035 sections 3.1.3.1 and 3.1.3.4; at an empty non-terminal
                                  the record that spans it, whose next name lies below */
        if (match->encloser) {
            denial_add_nsec(work, zone_denial_nsec(zone, work->name->bytes));
        }
        denial_add_nsec(work, zone_denial_nsec(zone, match->node->name));
    } else if (match->encloser) { /* RFC 5155 section 7.2.5 */
        (void)denial_add_encloser(work, zone, match->encloser);
        denial_add_nsec3(work, zone, zone_denial_nsec3_of(zone, match->node, &of_wildcard));
    } else {
        denial_add_existing(work, zone, match->node);
    }
}

void denial_add_expansion(struct answer_scratch *work, const struct answer_match *match)
{
    const struct zone *zone = match->zone;

    if (!zone->denial) {
        return;
    }
    if (zone->denial->nsecs) { /* RFC 4035 section 3.1.3.3 */
        denial_add_nsec(work, zone_denial_nsec(zone, work->name->bytes));
    } else { /* RFC 5155 section 7.2.6 */
        denial_cover_suffix(work, zone, match->encloser->label_n + 1u);
    }
}

/* Section 7.2.2: and there is no wildcard at the closest encloser. Where Opt-Out left that without
 * a record, the closest provable one, above, may have a wildcard, which has nothing to do with the
 * name; its record is all there is to say, and validators take the Opt-Out span for their answer.
 */
static void denial_add_no_wildcard(struct answer_scratch *work, const struct zone *zone,
                                   const struct zone_node *encloser, unsigned provable_n)
{
    uint8_t wildcard[NAME_LEN_MAX + 2];
    size_t len = denial_wildcard(work, provable_n, wildcard);
    bool match;

    if (provable_n == encloser->label_n) {
        denial_cover(work, zone, wildcard, len);
    } else {
        denial_add_nsec3(work, zone, zone_denial_nsec3(zone, wildcard, len, &match));
    }
}

void denial_add_nxdomain(struct answer_scratch *work, const struct zone *zone,
                         const struct zone_node *encloser)
{
    uint8_t wildcard[NAME_LEN_MAX + 2];

    if (!zone->denial) {
        return;
    }
    if (zone->denial->nsecs) { /* RFC 4035 section 3.1.3.2 */
        (void)denial_wildcard(work, encloser->label_n, wildcard);
        denial_add_nsec(work, zone_denial_nsec(zone, work->name->bytes));
        denial_add_nsec(work, zone_denial_nsec(zone, wildcard));
    } else {
        denial_add_no_wildcard(work, zone, encloser, denial_add_encloser(work, zone, encloser));
    }
}

void denial_add_referral(struct answer_scratch *work, const struct zone *zone,
                         const struct zone_node *cut)
{
    struct denial_proof proof = {.rrset = zone_node_rrset(cut, WIRE_TYPE_DS),
                                 .prefix = cut->name,
                                 .suffix_len = cut->name_len};

    if (!zone->denial) { /* a DS that nobody signed would prove nothing */
        return;
    }
    if (proof.rrset) { /* RFC 4035 section 3.1.4 */
        denial_add(work, &proof);
    } else if (zone->denial->nsecs) {
        denial_add_nsec(work, cut);
    } else { /* RFC 5155 section 7.2.7 */
        denial_add_existing(work, zone, cut);
    }
}

/* --- writing --- */

void denial_write(struct answer_scratch *work)
{
    struct denial *denial = &work->denial;
    bool room = true;

    if (denial->collided) {
        return;
    }
    for (unsigned i = 0; room && i < denial->proof_n; i++) {
        const struct denial_proof *proof = &denial->proofs[i];
        uint8_t label[NSEC3_LABEL_LEN];

        if (proof->hash) {
            nsec3_to_label(proof->hash, label);
        }
        room = response_add_foreign(
            &work->response, RESPONSE_AUTHORITY, proof->rrset, proof->hash ? label : proof->prefix,
            proof->hash ? sizeof(label) : proof->prefix_len, proof->stage, proof->suffix_len);
    }
    denial->proof_n = 0;
}

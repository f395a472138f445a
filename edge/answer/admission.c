/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/answer/admission.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "edge/wire/edns.h"
#include "edge/wire/wire.h"

#define ADMISSION_TRIES 4 /* with others in the same account; then they have counted for us */

struct admission {
    struct admit_limits limits;
    struct admission_setup setup;
    uint32_t references;
    uint64_t set_mask;
    uint64_t *accounts; /* atomic; sets of ADMIT_SET, each a cache line */
};

const char *admit_class_name(enum admit_class class)
{
    static const char *const names[ADMIT_CLASSES] = {
        [ADMIT_POSITIVE] = "positive", [ADMIT_NODATA] = "nodata", [ADMIT_NXDOMAIN] = "nxdomain",
        [ADMIT_REFERRAL] = "referral", [ADMIT_ERROR] = "error",   [ADMIT_QUERIES] = "queries",
        [ADMIT_PROVEN] = "proven",
    };

    return names[class];
}

struct admission *admission_new(const struct admission_setup *setup)
{
    struct admission *admission = calloc(1, sizeof(*admission));
    size_t size = (size_t)setup->size * sizeof(uint64_t);

    if (!admission) {
        return NULL;
    }
    admission->references = 1;
    admission->setup = *setup;
    admission->limits.window_s = setup->window_s;
    admission->limits.slip = setup->slip;
    admission->limits.ipv4_bits = setup->ipv4_bits;
    admission->limits.ipv6_bits = setup->ipv6_bits;
    for (unsigned i = 0; i < ADMIT_CLASSES; i++) {
        admission->limits.cost_us[i] = setup->rates[i] ? ADMIT_US_PER_S / setup->rates[i] : 0;
    }
    admission->set_mask = setup->size / ADMIT_SET - 1;
    admission->accounts = aligned_alloc(ADMIT_SET * sizeof(uint64_t), size);
    if (!admission->accounts ||
        getrandom(admission->limits.secret, sizeof(admission->limits.secret), 0) !=
            sizeof(admission->limits.secret)) {
        admission_unref(admission);
        return NULL;
    }
    memset(admission->accounts, 0, size);
    return admission;
}

struct admission *admission_ref(struct admission *admission)
{
    __atomic_add_fetch(&admission->references, 1, __ATOMIC_RELAXED);
    return admission;
}

void admission_unref(struct admission *admission)
{
    if (admission && __atomic_sub_fetch(&admission->references, 1, __ATOMIC_ACQ_REL) == 0) {
        free(admission->accounts);
        free(admission);
    }
}

const struct admission_setup *admission_get_setup(const struct admission *admission)
{
    return &admission->setup;
}

bool admission_has_setup(const struct admission *admission, const struct admission_setup *setup)
{
    const struct admission_setup *own = &admission->setup;
    bool same = own->window_s == setup->window_s && own->slip == setup->slip &&
                own->ipv4_bits == setup->ipv4_bits && own->ipv6_bits == setup->ipv6_bits &&
                own->size == setup->size && own->exempt_n == setup->exempt_n;

    for (size_t i = 0; i < ADMIT_CLASSES; i++) {
        same &= own->rates[i] == setup->rates[i];
    }
    for (size_t i = 0; same && i < own->exempt_n; i++) {
        same = prefix_compare(&own->exempt[i], &setup->exempt[i]) == 0;
    }
    return same;
}

static enum admit_class admission_class(enum answer_kind kind)
{
    switch (kind) {
    case ANSWER_NODATA:
        return ADMIT_NODATA;
    case ANSWER_NXDOMAIN:
        return ADMIT_NXDOMAIN;
    case ANSWER_REFERRAL:
        return ADMIT_REFERRAL;
    case ANSWER_REFUSED:
    case ANSWER_SERVFAIL:
    case ANSWER_FORMERR:
    case ANSWER_NOTIMP:
    case ANSWER_BADVERS:
    case ANSWER_NOTAUTH:
        return ADMIT_ERROR;
    case ANSWER_DROPPED:
    case ANSWER_POSITIVE:
    case ANSWER_GEO:
    case ANSWER_GEO_EMPTY:
    case ANSWER_CHAOS:
    case ANSWER_COOKIE:
    case ANSWER_KINDS:
        break;
    }
    return ADMIT_POSITIVE;
}

/* One response, on one account. */
static enum admit_verdict admission_charge(struct admission *admission,
                                           const struct address *client, enum admit_class class,
                                           uint64_t about, uint64_t now_us)
{
    const struct admit_limits *limits = &admission->limits;
    __u64 key;
    uint64_t *set;
    enum admit_verdict verdict = ADMIT_SEND;

    if (!limits->cost_us[class]) {
        return ADMIT_SEND;
    }
    key = admit_key(limits, client->bytes, client->family == ADDRESS_IPV6 ? 16 : 4, class, about);
    set = &admission->accounts[(key & admission->set_mask) * ADMIT_SET];
    for (unsigned try = 0; try < ADMISSION_TRIES; try++) {
        __u64 seen[ADMIT_SET];
        __u64 next;
        uint64_t before;
        uint32_t place;

        for (unsigned i = 0; i < ADMIT_SET; i++) {
            seen[i] = __atomic_load_n(&set[i], __ATOMIC_RELAXED);
        }
        place = admit_place(limits, seen, key, now_us);
        verdict = admit_step(limits, class, key, seen[place], now_us, &next);
        before = seen[place];
        if (before == next || __atomic_compare_exchange_n(&set[place], &before, next, true,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            break;
        }
    }
    return verdict;
}

static bool admission_is_exempt(const struct admission *admission, const struct address *client)
{
    for (size_t i = 0; i < admission->setup.exempt_n; i++) {
        if (prefix_contains(&admission->setup.exempt[i], client)) {
            return true;
        }
    }
    return false;
}

enum admit_verdict admission_judge(struct admission *admission, const struct address *client,
                                   enum answer_transport transport,
                                   const struct answer_outcome *outcome, int64_t now_ns,
                                   enum admit_class *ret_class)
{
    bool proven = outcome->cookie == COOKIE_VALID;
    uint64_t now_us = (uint64_t)now_ns / 1000;
    enum admit_verdict verdict;

    if (transport == ANSWER_TCP || outcome->kind == ANSWER_DROPPED) {
        return ADMIT_SEND;
    }
    *ret_class = proven ? ADMIT_PROVEN : ADMIT_QUERIES;
    verdict = admission_charge(admission, client, *ret_class, 0, now_us);
    if (verdict == ADMIT_SEND && !proven) {
        *ret_class = admission_class(outcome->kind);
        verdict = admission_charge(admission, client, *ret_class,
                                   *ret_class == ADMIT_ERROR ? 0 : outcome->about, now_us);
    }
    /* looked at last: most clients are not over any limit */
    return verdict != ADMIT_SEND && admission_is_exempt(admission, client) ? ADMIT_SEND : verdict;
}

size_t admission_shorten(uint8_t *response, size_t len, struct answer_outcome *outcome)
{
    size_t at = WIRE_HEADER_LEN + outcome->question_len;
    unsigned flags = wire_get_u16(response + 2);

    if (outcome->edns) {
        memmove(response + at, response + len - outcome->tsig_len - outcome->opt_len,
                outcome->opt_len);
    }
    outcome->tsig_len = 0;
    if (outcome->cookie == COOKIE_CLIENT_ONLY || outcome->cookie == COOKIE_BAD) {
        outcome->rcode = WIRE_RCODE_BADCOOKIE;
        flags = (flags & ~0xfu & ~(WIRE_FLAG_AA | WIRE_FLAG_TC)) | (WIRE_RCODE_BADCOOKIE & 0xfu);
        response[at + 5] =
            WIRE_RCODE_BADCOOKIE >> 4; /* after the root, type and class: OPT's TTL */
    } else {
        outcome->truncated = true;
        flags |= WIRE_FLAG_TC;
    }
    wire_put_u16(response + 2, (uint16_t)flags);
    wire_put_u16(response + 6, 0);
    wire_put_u16(response + 8, 0);
    wire_put_u16(response + 10, outcome->edns);
    return at + outcome->opt_len;
}

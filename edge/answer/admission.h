/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rate limiting of responses (RRL) and queries over UDP: the accounts of maps/admit_core.h in a
 * table of fixed size, and what a response that is over the limit becomes. TCP is never limited,
 * and a client with a valid cookie only by its own queries: both have proved where they are.
 *
 * One table serves all workers. The kernel spreads the addresses of one network over all of them,
 * so tables of their own would each see a part of unknown size; with one, limits are exact however
 * queries are spread. It is written with relaxed atomics; two workers that meet in one account
 * repeat the step. Reference-counted: snapshots share it, so that a publication forgets nothing.
 */
#ifndef EDGE_ADMISSION_H
#define EDGE_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "edge/answer/answer.h"
#include "maps/admit_core.h"

#define ADMISSION_EXEMPT_MAX 64u

struct admission_setup {
    uint32_t rates[ADMIT_CLASSES]; /* per second; 0: no limit */
    uint32_t window_s;
    uint32_t slip;
    uint8_t ipv4_bits;
    uint8_t ipv6_bits;
    uint32_t size; /* accounts: a power of two, ADMIT_SET at least; 8 bytes each */
    size_t exempt_n;
    struct prefix exempt[ADMISSION_EXEMPT_MAX];
};

struct admission;

/* With a secret of its own. NULL when out of memory or random numbers. */
struct admission *admission_new(const struct admission_setup *setup);
struct admission *admission_ref(struct admission *admission);
void admission_unref(struct admission *admission); /* NULL is allowed */

const struct admission_setup *admission_get_setup(const struct admission *admission);

/* Whether it was made with just these limits. */
bool admission_has_setup(const struct admission *admission, const struct admission_setup *setup);

/* What becomes of a response to a client, at this time (monotonic). Any thread. *ret_class is valid
 * unless the verdict is ADMIT_SEND. */
enum admit_verdict admission_judge(struct admission *admission, const struct address *client,
                                   enum answer_transport transport,
                                   const struct answer_outcome *outcome, int64_t now_ns,
                                   enum admit_class *ret_class);

/* Makes the short one of a response: the question and OPT, and TC, so that a real client asks again
 * over TCP. One that sent a cookie that is no proof is told BADCOOKIE and given a good one instead
 * (RFC 7873 section 5.2.3). Never longer than the response. Returns the length. */
size_t admission_shorten(uint8_t *response, size_t len, struct answer_outcome *outcome);

/* As metrics and the configuration print it. */
const char *admit_class_name(enum admit_class class);

#endif

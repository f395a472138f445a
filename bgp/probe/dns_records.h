/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a dns check reads out of the records of a parsed answer. Pure. libknot has checked that the
 * records lie inside the message and that most of them have the form of their type; an RDATA of no
 * bytes passes there for any type, so lengths are checked here again.
 */
#ifndef BGP_DNS_RECORDS_H
#define BGP_DNS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <libknot/libknot.h>

#include "base/address.h"
#include "bgp/probe/outcome.h"

/* The address of an A or AAAA record, the serial of an SOA record. False if it is none. */
bool dns_records_address(uint16_t type, const knot_rdata_t *rdata, struct address *ret_address);
bool dns_records_serial(uint16_t type, const knot_rdata_t *rdata, uint32_t *ret_serial);

/* RFC 1982 section 3.2; what it leaves undefined is not less. */
bool dns_records_serial_less(uint32_t a, uint32_t b);

/* The name at which the records of this type are found after following CNAMEs from `name` (RFC 1034
 * section 3.6.2), or NULL if they go on for too long. Borrowed. */
const knot_dname_t *dns_records_follow(const knot_pktsection_t *section, const knot_dname_t *name,
                                       uint16_t type);

/* Has every set of records in the answer (in the authority section, if there is no answer) a
 * signature that is valid now and for `needed_s` seconds more? Of several signatures over a set the
 * longest counts. True and how long the first of them to end lasts, or false and the outcome. The
 * signatures themselves are not verified: that is the resolvers' business, and theirs alone. */
bool dns_records_signed(const knot_pkt_t *packet, int64_t wall_s, int64_t needed_s,
                        int64_t *ret_left_s, struct probe_outcome *ret_outcome);

#endif

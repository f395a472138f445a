/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any datagram as an answer to a probe. The first byte chooses what is expected. The id and
 * question are made right for half of the inputs, so that the records behind them are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/probe/dns_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct dns_check check = {.qtype = 1, .addresses_n = 1};
    uint8_t query[DNS_CHECK_QUERY_LEN], answer[DNS_CHECK_ANSWER_LEN];
    struct probe_outcome outcome = {0};
    int query_len;

    if (len < 1 || len > sizeof(answer)) {
        return 0;
    }
    if (dns_check_parse_name("a.example.", check.qname) < 0 ||
        address_parse("192.0.2.1", &check.addresses[0]) < 0) {
        abort();
    }
    check.expect = (enum dns_check_expect)((bytes[0] & 0x7f) % 3);
    query_len = dns_check_query(&check, 0x1234, query);
    if (query_len <= 0) {
        abort();
    }
    memcpy(answer, bytes + 1, len - 1);
    if (bytes[0] & 0x80 && len - 1 >= 27) {
        memcpy(answer, query, 2);
        answer[2] |= 0x80;
        memcpy(answer + 4, query + 4, 2);
        memcpy(answer + 12, query + 12, 15);
    }
    if (dns_check_judge(&check, query, (size_t)query_len, answer, len - 1, &outcome) &&
        (outcome.evidence[0] == '\0' ||
         (outcome.observation == HEALTH_PASS) != (outcome.cause == PROBE_CAUSE_NONE))) {
        abort();
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any message as an answer to a probe. The first byte chooses what is asked and expected. The id
 * and question are made right for half of the inputs, so that the records behind them are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/probe/dns_check.h"

#define WALL_S INT64_C(1795000000)
#define QUESTION_LEN 15 /* of a.example. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct dns_check check_make(uint8_t choice)
{
    struct dns_check check = {.qtype = 1, .addresses_n = 1};

    must(dns_check_parse_name("a.example.", check.qname) == 0);
    must(address_parse("192.0.2.1", &check.addresses[0]) == 0);
    check.expect = (enum dns_check_expect)((choice & 0x7f) % 3);
    if (choice & 0x20) {
        check.qtype = 6;
        check.has_serial_min = true;
        check.serial_min = 44;
    }
    if (choice & 0x40) {
        check.signature_s = 86400;
    }
    return check;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t query[DNS_CHECK_QUERY_LEN], answer[DNS_CHECK_ANSWER_LEN];
    struct probe_outcome outcome = {0};
    struct dns_check check;
    uint32_t serial = 0;
    int query_len;

    if (len < 1 || len > sizeof(answer)) {
        return 0;
    }
    check = check_make(bytes[0]);
    query_len = dns_check_query(&check, 0x1234, query);
    must(query_len > 0);
    memcpy(answer, bytes + 1, len - 1);
    if (bytes[0] & 0x80 && len - 1 >= 12 + QUESTION_LEN) {
        memcpy(answer, query, 2);
        answer[2] |= 0x80;
        memcpy(answer + 4, query + 4, 2);
        memcpy(answer + 12, query + 12, QUESTION_LEN);
    }
    if (dns_check_judge(&check, query, (size_t)query_len, answer, len - 1, WALL_S, &serial,
                        &outcome) == DNS_CHECK_JUDGED) {
        must(outcome.evidence[0] != '\0');
        must((outcome.observation == HEALTH_PASS) == (outcome.cause == PROBE_CAUSE_NONE));
    }
    return 0;
}

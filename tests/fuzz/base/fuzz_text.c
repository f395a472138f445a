/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any text as an address, prefix, endpoint, number or duration: what is accepted reads the same
 * after being written.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void parse_addresses(const char *text)
{
    char written[ADDRESS_TEXT_LEN];
    struct address address, address_again;
    struct prefix prefix, prefix_again;
    struct endpoint endpoint, endpoint_again;

    if (address_parse(text, &address) == 0) {
        require(address_parse(address_format(&address, written), &address_again) == 0);
        require(address_compare(&address, &address_again) == 0);
    }
    if (prefix_parse(text, false, &prefix) == 0) {
        require(prefix_parse(prefix_format(&prefix, written), true, &prefix_again) == 0);
        require(prefix_compare(&prefix, &prefix_again) == 0);
        require(prefix_contains(&prefix, &prefix.address));
    } else {
        require(prefix_parse(text, true, &prefix) < 0);
    }
    if (endpoint_parse(text, 53, &endpoint) == 0) {
        require(endpoint_parse(endpoint_format(&endpoint, written), 0, &endpoint_again) == 0);
        require(address_compare(&endpoint.address, &endpoint_again.address) == 0);
        require(endpoint.port == endpoint_again.port);
    }
}

/* Where we accept a number, strtod must agree; it accepts more than we do. */
static void parse_numbers(const char *text, size_t len)
{
    uint64_t number;
    double real;
    int64_t ns;

    if (number_parse_u64(text, len, 1, 1000000, &number) == 0) {
        require(number >= 1 && number <= 1000000 && number == strtoull(text, NULL, 10));
    }
    if (number_parse_double(text, len, -1e300, 1e300, &real) == 0) {
        double expected = strtod(text, NULL);

        require(isfinite(real) && !(real < expected) && !(real > expected));
    }
    if (number_parse_duration_ns(text, len, &ns) == 0) {
        require(ns >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1);

    if (!text) {
        return 0;
    }
    memcpy(text, bytes, len);
    text[len] = '\0';
    parse_addresses(text);
    if (memchr(text, '\0', len) == NULL) {
        parse_numbers(text, len);
    }
    free(text);
    return 0;
}

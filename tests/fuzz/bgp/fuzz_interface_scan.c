/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as what the kernel says about addresses, in two pieces cut at the first byte.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bgp/probe/interface_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const addresses[] = {"192.0.2.1", "2001:db8::1"};
    size_t cut;

    if (len < 1) {
        return 0;
    }
    cut = bytes[0] < len - 1 ? bytes[0] : len - 1;
    for (size_t i = 0; i < 2; i++) {
        struct interface_scan scan = {0};

        if (address_parse(addresses[i], &scan.address) < 0) {
            abort();
        }
        interface_scan_add(&scan, bytes + 1, cut);
        interface_scan_add(&scan, bytes + 1 + cut, len - 1 - cut);
        if (scan.places_n > INTERFACE_PLACES_MAX || scan.error < 0 || (scan.error && !scan.ended)) {
            abort();
        }
        (void)interface_scan_concerns(&scan.address, bytes + 1, len - 1);
    }
    return 0;
}

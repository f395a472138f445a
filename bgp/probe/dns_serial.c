/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/dns_serial.h"

#include "bgp/probe/dns_records.h"

void dns_serial_observe(struct dns_serial *serial, uint32_t own, const uint32_t *reference,
                        int64_t now_ns)
{
    if (serial->behind && !dns_records_serial_less(own, serial->wanted)) {
        serial->behind = false;
    }
    if (!serial->behind && reference && dns_records_serial_less(own, *reference)) {
        *serial = (struct dns_serial){.behind = true, .wanted = *reference, .since_ns = now_ns};
    }
}

bool dns_serial_is_stale(const struct dns_serial *serial, int64_t lag_ns, int64_t now_ns)
{
    return serial->behind && now_ns - serial->since_ns >= lag_ns;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Is a server's zone too old beside another server's? Changes reach it with a delay, so being
 * behind is only wrong for longer than an allowed lag: the first serial it did not have is
 * remembered with the time it was seen, and it has until then plus the lag to get there. Pure; time
 * is an argument (monotonic nanoseconds).
 */
#ifndef BGP_DNS_SERIAL_H
#define BGP_DNS_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

struct dns_serial {
    bool behind;
    uint32_t wanted; /* what the other server had and this one had not */
    int64_t since_ns;
};

/* Takes note of both serials; `reference` NULL if the other server did not tell, which keeps what
 * is known: that it is out of reach makes nothing older. */
void dns_serial_observe(struct dns_serial *serial, uint32_t own, const uint32_t *reference,
                        int64_t now_ns);

/* Behind for longer than allowed? */
bool dns_serial_is_stale(const struct dns_serial *serial, int64_t lag_ns, int64_t now_ns);

#endif

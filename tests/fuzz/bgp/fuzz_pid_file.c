/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a pid file: the number of a process that there may be, or none.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bgp/probe/probe_process.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    pid_t pid = 0;

    if (probe_process_parse_pid(bytes, len, &pid) == 0 ? pid < 1 || pid > 1 << 22 : pid != 0) {
        abort();
    }
    return 0;
}

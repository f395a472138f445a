/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whatever journal is played: it ends, and what it says is only ever about VIPs there are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/daemon/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct config *config_make(void)
{
    static const char text[] =
        "vips:\n"
        "  - {prefix: 192.0.2.53/32}\n"
        "  - {prefix: 2001:db8::53/128, requires: [b]}\n"
        "checks:\n"
        "  a: {type: dns, server: 192.0.2.53, name: www.example.com., rise: 1, fall: 1}\n"
        "  b: {type: dns, server: '2001:db8::53', name: www.example.com., rise: 2, fall: 2}\n";
    struct config *config = NULL;
    struct failure failure;

    if (config_load_bytes("f", (const uint8_t *)text, sizeof(text) - 1, &config, &failure) < 0) {
        abort();
    }
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct replay_limits limits = {.events = 2000};
    static struct config *config;
    struct replay_log log;
    struct failure failure;
    FILE *file;

    if (!config) {
        config = config_make();
    }
    if (replay_log_parse((const char *)bytes, len, &log) < 0) {
        return 0;
    }
    file = fopen("/dev/null", "w");
    if (!file) {
        abort();
    }
    (void)replay_run(config, &log, &limits, file, len % 2, &failure);
    fclose(file);
    replay_log_done(&log);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whatever lies where the state file should: it is ignored, or is written as it was read, and an
 * announcer can live with it. Input: the content behind the header, which is made to fit, so that
 * more than checksums is tried; or, if the first byte is '#', the whole file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/daemon/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void log_nothing(void *context, enum log_level level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

static struct config *config_make(void)
{
    static const char text[] = "vips: [{prefix: 192.0.2.53/32}]\n"
                               "checks: {a: {type: dns, server: 192.0.2.53, name: a.example.}}\n";
    struct config *config = NULL;
    struct failure failure;

    must(config_load_bytes("f", (const uint8_t *)text, sizeof(text) - 1, &config, &failure) == 0);
    return config;
}

static void state_use(const struct state_file *state)
{
    static struct config *config;
    struct announcer *announcer;

    if (!config) {
        config = config_make();
    }
    announcer = announcer_new(config, log_nothing, NULL, 1, 100 * CLOCK_NS_PER_S);
    must(announcer != NULL);
    state_file_recall(state, announcer, 1795369201, 100 * CLOCK_NS_PER_S);
    announcer_run(announcer, 200 * CLOCK_NS_PER_S);
    must(announcer_want(announcer, 0)->wish != ROUTE_ANNOUNCE ||
         announcer_vip(announcer, 0)->override.action == OVERRIDE_ANNOUNCE);
    announcer_free(announcer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct state_file state, again;
    struct failure failure;
    char *file, *written;
    size_t file_len, written_len;
    int code;

    if (len > 0 && bytes[0] == '#') {
        (void)state_file_decode(bytes + 1, len - 1, &state, &failure);
        return 0;
    }
    file = state_file_frame((const char *)bytes, len, &file_len);
    must(file != NULL);
    code = state_file_decode(file, file_len, &state, &failure);
    free(file);
    if (code < 0) {
        must(state.vips_n == 0 && state.starts_n == 0);
        return 0;
    }
    written = state_file_encode(&state, &written_len);
    must(written != NULL);
    must(state_file_decode(written, written_len, &again, &failure) == 0);
    must(again.vips_n == state.vips_n && again.saved_s == state.saved_s);
    free(written);
    state_use(&state);
    return 0;
}

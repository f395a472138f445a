/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "mapper/asn.h"
#include "mapper/overrides.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void steps_check(const struct steps *steps)
{
    for (size_t i = 1; i < steps->n; i++) {
        if (key_compare(steps_start(steps, i - 1), steps_start(steps, i)) >= 0) {
            abort();
        }
    }
}

static void asn_feed(struct line_stream *stream)
{
    struct asn_table table = {0};
    struct failure failure;

    if (asn_read(&table, stream, &failure) == 0 && asn_finish(&table) == 0) {
        steps_check(&table.networks[MAP_FAMILY_IPV4]);
        steps_check(&table.networks[MAP_FAMILY_IPV6]);
    }
    asn_done(&table);
}

static void overrides_feed(struct line_stream *stream)
{
    static char path[] = "fuzz";
    static char *paths[] = {path};
    static struct config config = {
        .pops = {{.name = "a"}, {.name = "b"}},
        .pop_n = 2,
        .maps = {{.name = "web", .pops = {0, 1}, .pop_n = 2},
                 {.name = "v", .pops = {1}, .pop_n = 1}},
        .map_n = 2,
        .overrides = {paths, 1},
    };
    struct overrides overrides = {0};
    struct failure failure;

    for (size_t i = 0; i < CONFIG_POP_HASH; i++) {
        config.pop_index[i] = (uint8_t)(i % 3 == 2 ? MAP_POP_NONE : i % 3);
    }
    if (overrides_read(&overrides, &config, 0, stream, &failure) == 0) {
        for (int i = 0; i < 8; i++) {
            struct steps steps = {0};

            (void)overrides_steps(&overrides, &config, (size_t)i & 1, (enum map_space)(i >> 1 & 1),
                                  (enum map_family)(i >> 2), 1000, &steps, &failure);
            steps_check(&steps);
            steps_done(&steps);
        }
    }
    overrides_done(&overrides);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct line_stream *stream;
    struct failure failure;

    if (len == 0 || line_stream_from_bytes("fuzz", bytes + 1, len - 1, &stream, &failure) != 0) {
        return 0;
    }
    if (bytes[0] == 'a') {
        asn_feed(stream);
    } else {
        overrides_feed(stream);
    }
    line_stream_close(stream);
    return 0;
}

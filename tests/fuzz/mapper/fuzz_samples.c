/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "mapper/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static enum sample_fault take(void *context, const struct sample *sample, int *ret_err)
{
    uint64_t *rows = context;

    (void)ret_err;
    /* what a good row promises */
    if (sample->count == 0 || !(sample->rtt_ms > 0) || sample->client.len == 0 ||
        sample->client.len > 56 || sample->time_s == 0) {
        abort();
    }
    (*rows)++;
    return SAMPLE_GOOD;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct config config = {.pops = {{.name = "fra"}, {.name = "sin"}}, .pop_n = 2};
    struct samples_report report = {0};
    struct line_stream *stream;
    struct failure failure;
    uint64_t rows = 0;

    /* every slot of the index says "fra": any name is looked for, and compared */
    memset(config.pop_index, MAP_POP_NONE, sizeof(config.pop_index));
    for (size_t i = 0; i < CONFIG_POP_HASH; i += 2) {
        config.pop_index[i] = 0;
    }
    if (line_stream_from_bytes("fuzz", bytes, len, &stream, &failure) != 0) {
        return 0;
    }
    (void)samples_read(stream, &config, take, &rows, &report, NULL, &failure);
    if (rows + samples_report_bad(&report) != report.rows) {
        abort();
    }
    line_stream_close(stream);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whatever stands in a journal: each line is one of ours or bad, and one of ours is written as it
 * was read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/daemon/history.h"
#include "bgp/daemon/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void line_take(const char *line, size_t len)
{
    struct journal_record record, again;
    char text[2048], written[JOURNAL_LINE_LEN];
    size_t written_len;

    if (journal_decode(line, len, &record) < 0) {
        return;
    }
    must(record.kind < JOURNAL_KINDS);
    history_describe(&record, text, sizeof(text));
    written_len = journal_encode(&record, written);
    must(written_len > 1 && written[written_len - 1] == '\n');
    must(!memchr(written, '\n', written_len - 1));
    must(journal_decode(written, written_len - 1, &again) == 0);
    must(again.kind == record.kind && again.monotonic_ns == record.monotonic_ns &&
         again.wall_ms == record.wall_ms && again.count_n == record.count_n);
    must(strcmp(again.word, record.word) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *line = (const char *)bytes, *all_end = line + len;

    while (line < all_end) {
        const char *end = memchr(line, '\n', (size_t)(all_end - line));

        end = end ? end : all_end;
        line_take(line, (size_t)(end - line));
        line = end + 1;
    }
    return 0;
}

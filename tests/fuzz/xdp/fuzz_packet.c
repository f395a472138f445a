/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a frame, through the model of the fast path: whatever comes, nothing is read or
 * written that should not be, and what is answered is what edge answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct publication publication;
    static struct judge *judge;
    static struct model *model;
    struct model_room room = {216, 64};
    struct model_result result;

    if (!model) {
        publication_open(&publication, TEST_SOURCE_DIR "/tests/golden", 0, 0);
        judge = judge_new();
        model = model_new();
    }
    if (len > FRAME_MAX) {
        return 0;
    }
    model_run(model, &publication.tables, &room, bytes, len, &result);
    if (result.answered) {
        static struct frame query;
        const char *wrong;

        memcpy(query.bytes, bytes, len);
        query.len = len;
        wrong = judge_reply(judge, &publication, &query, result.frame, result.frame_len);
        if (wrong) {
            fprintf(stderr, "broken promise: %s\n", wrong);
            abort();
        }
    }
    return 0;
}

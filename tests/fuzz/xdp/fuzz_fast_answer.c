/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes as the decisions by which a query is made (queries.h): the model of the fast path against
 * answer(), over several publications.
 */
#include <stdio.h>
#include <stdlib.h>

#include "judge.h"
#include "queries.h"

#define PUBLICATIONS 6u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct publication publications[PUBLICATIONS];
    static struct questions *questions;
    static struct judge *judge;
    static struct model *model;
    static struct frame query;
    struct choices choices = {bytes, len, 0};
    struct model_room room = {216, 64};
    const struct publication *publication;
    struct model_result result;

    if (!model) {
        for (unsigned i = 0; i < PUBLICATIONS; i++) {
            publication_open(&publications[i], TEST_SOURCE_DIR "/tests/golden", i, i);
        }
        questions = questions_new(TEST_SOURCE_DIR "/tests/golden");
        questions_sort(questions, publications, PUBLICATIONS);
        judge = judge_new();
        model = model_new();
    }
    publication = &publications[choices_below(&choices, PUBLICATIONS)];
    queries_make(&choices, questions, publication, &query);
    model_run(model, &publication->tables, &room, query.bytes, query.len, &result);
    if (result.answered) {
        const char *wrong = judge_reply(judge, publication, &query, result.frame, result.frame_len);

        if (wrong) {
            fprintf(stderr, "broken promise: %s\n", wrong);
            abort();
        }
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any line of a query file: refused with a place, or a question whose text makes the same bytes
 * again. Any bytes as a captured query: never more than they are.
 */
#include <stdlib.h>
#include <string.h>

#include "edge/compare/question.h"
#include "edge/compare/question_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const struct question *question)
{
    char text[QUESTION_TEXT_MAX];
    struct question again;
    struct failure failure;

    question_format(question, text);
    require(question_text_parse(&again, text, strlen(text), "f", 1, &failure) == 1);
    require(again.wire_len == question->wire_len && again.tcp == question->tcp);
    require(memcmp(again.wire, question->wire, again.wire_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct question question;
    struct failure failure = {{0}};
    const int status = question_text_parse(&question, (const char *)bytes, len, "f", 1, &failure);

    if (status == 1) {
        check_text(&question);
    } else {
        require(status == 0 || strncmp(failure.text, "f:1:", 4) == 0);
    }
    if (question_from_query(&question, bytes, len, false) == 0) {
        require(question.wire_len <= len);
        check_text(&question);
    }
    return 0;
}

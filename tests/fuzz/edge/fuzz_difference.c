/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as two responses: equal to themselves, and as different from each other in one
 * direction as in the other.
 */
#include <stdlib.h>

#include "edge/compare/difference.h"
#include "edge/compare/reply.h"
#include "edge/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint32_t classes_of(const struct reply *a, const struct reply *b)
{
    const struct difference_rules rules = {.strict = true};
    struct difference difference = {0};
    uint32_t classes;

    difference_find(&difference, &rules, a, b);
    classes = difference.classes;
    difference_done(&difference);
    return classes;
}

/* The first two bytes say where the second message starts. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct reply a;
    struct reply b;
    size_t middle;

    if (len < 2) {
        return 0;
    }
    middle = wire_get_u16(bytes) % (len - 1);
    for (int fold = 0; fold < 2; fold++) {
        require(reply_parse(&a, bytes + 2, middle, fold) == 0);
        require(reply_parse(&b, bytes + 2 + middle, len - 2 - middle, fold) == 0);
        require(classes_of(&a, &a) == 0);
        require(classes_of(&a, &b) == classes_of(&b, &a));
        reply_done(&a);
        reply_done(&b);
    }
    return 0;
}

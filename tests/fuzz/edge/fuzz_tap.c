/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sampled packets from the kernel: two bytes of verdict, two of length, then frames as they came,
 * each cut at FAST_TAP_BYTES. Whatever they hold, only well-formed names are counted, and those
 * chosen can be judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/render/hot.h"
#include "edge/wire/name.h"
#include "world.h"

static struct world world;

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static bool is_worth(void *context, const struct render_question *question)
{
    const struct world *judged = context;

    return render_judge(judged->snapshot, question) == RENDER_TAKEN;
}

static void check_chosen(const struct hot *hot)
{
    const struct render_question *questions;
    size_t count = hot_chosen(hot, &questions);

    for (size_t i = 0; i < count; i++) {
        uint8_t folded[NAME_LEN_MAX];
        size_t len = name_check(questions[i].name, NAME_LEN_MAX);

        need(len > 0, "a name that is none was chosen");
        name_fold(folded, questions[i].name, len);
        need(memcmp(folded, questions[i].name, len) == 0, "a name in upper case");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fast_tap sample = {0};
    struct hot *hot;

    if (!world.snapshot) {
        world_open(&world, TEST_SOURCE_DIR "/tests/golden");
    }
    hot = hot_new(2, size);
    need(hot != NULL, "no memory");
    while (size >= 4) {
        size_t len = (size_t)data[2] << 8 | data[3];

        sample.answered = data[0] & 1;
        sample.verdict = data[1];
        sample.len = (uint16_t)len;
        data += 4;
        size -= 4;
        len = len < size ? len : size;
        len = len < FAST_TAP_BYTES ? len : FAST_TAP_BYTES;
        memset(sample.bytes, 0, sizeof(sample.bytes));
        memcpy(sample.bytes, data, len);
        data += len;
        size -= len;
        for (unsigned i = 0; i < 3; i++) { /* so often that it may be chosen */
            (void)hot_sample(hot, &sample);
        }
        (void)hot_turn(hot, is_worth, &world);
        check_chosen(hot);
    }
    hot_free(hot);
    return 0;
}

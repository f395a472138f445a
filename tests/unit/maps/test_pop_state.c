/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>

#include "maps/pop_state.h"

Test(pop_state, words_and_bytes)
{
    static const struct {
        const char *text;
        int code;
        uint8_t state;
        const char *written;
    } rows[] = {
        {"up", 0, 0, "up"},
        {"down", 0, MAP_STATE_DOWN, "down"},
        {"drain", 0, MAP_STATE_DRAIN, "drain"},
        {"shed 30", 0, 30, "shed 30"},
        {"shed 30%", 0, 30, "shed 30"},
        {"shed 0", 0, 0, "up"},
        {"shed 100", 0, 100, "shed 100"},
        {"shed 101", -1, 0, ""}, /* more than everybody */
        {"shed -1", -1, 0, ""},
        {"shed", -1, 0, ""},
        {"shed %", -1, 0, ""},
        {"shed ", -1, 0, ""},
        {"Up", -1, 0, ""},
        {"", -1, 0, ""},
        {"absent", -1, 0, ""}, /* not for people to say */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[POP_STATE_TEXT_LEN];
        uint8_t state = 77;
        int code = pop_state_parse(rows[i].text, &state);

        cr_expect_eq(code < 0, rows[i].code < 0, "'%s'", rows[i].text);
        cr_expect_eq(state, rows[i].code < 0 ? 77 : rows[i].state, "'%s'", rows[i].text);
        if (code == 0) {
            cr_expect_str_eq(pop_state_format(state, text), rows[i].written);
        }
    }
}

Test(pop_state, down_beats_drain_beats_shed)
{
    static const uint8_t weakest_first[] = {POP_STATE_UP,  1, 30, 100, MAP_STATE_DRAIN,
                                            MAP_STATE_DOWN};

    for (size_t i = 0; i < sizeof(weakest_first); i++) {
        for (size_t k = 0; k < sizeof(weakest_first); k++) {
            cr_expect_eq(pop_state_is_stronger(weakest_first[i], weakest_first[k]), i > k);
        }
    }
}

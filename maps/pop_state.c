/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maps/pop_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

int pop_state_parse(const char *text, uint8_t *ret_state)
{
    size_t len = strlen(text);
    uint64_t percent;

    if (strcmp(text, "up") == 0) {
        *ret_state = POP_STATE_UP;
        return 0;
    }
    if (strcmp(text, "down") == 0) {
        *ret_state = MAP_STATE_DOWN;
        return 0;
    }
    if (strcmp(text, "drain") == 0) {
        *ret_state = MAP_STATE_DRAIN;
        return 0;
    }
    if (strncmp(text, "shed ", 5) != 0) {
        return -EINVAL;
    }
    if (text[len - 1] == '%') {
        len--;
    }
    if (number_parse_u64(text + 5, len - 5, 0, MAP_STATE_SHED_MAX, &percent) < 0) {
        return -EINVAL;
    }
    *ret_state = (uint8_t)percent;
    return 0;
}

const char *pop_state_format(uint8_t state, char ret_text[static POP_STATE_TEXT_LEN])
{
    if (state == POP_STATE_UP) {
        snprintf(ret_text, POP_STATE_TEXT_LEN, "up");
    } else if (state <= MAP_STATE_SHED_MAX) {
        snprintf(ret_text, POP_STATE_TEXT_LEN, "shed %u", state);
    } else if (state == MAP_STATE_DRAIN) {
        snprintf(ret_text, POP_STATE_TEXT_LEN, "drain");
    } else if (state == MAP_STATE_ABSENT) {
        snprintf(ret_text, POP_STATE_TEXT_LEN, "absent");
    } else {
        snprintf(ret_text, POP_STATE_TEXT_LEN, "down");
    }
    return ret_text;
}

/* The bytes are numbered so: 0..100, drain 128, down 255. */
bool pop_state_is_stronger(uint8_t a, uint8_t b)
{
    return a > b;
}

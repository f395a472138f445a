/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A PoP's state in words. The value is the state byte selection reads (maps/select_core.h): 0..100
 * the share of its clients it sheds (0: up), drain or down. Pure.
 */
#ifndef MAPS_POP_STATE_H
#define MAPS_POP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "maps/select_core.h"

#define POP_STATE_UP 0u
#define POP_STATE_TEXT_LEN 16 /* any state as text, with its NUL */

/* "up", "down", "drain", "shed N" or "shed N%" with N from 0 to 100. 0 or -EINVAL; the output is
 * untouched then. */
int pop_state_parse(const char *text, uint8_t *ret_state);

/* Returns `ret_text`. */
const char *pop_state_format(uint8_t state, char ret_text[static POP_STATE_TEXT_LEN]);

/* down beats drain beats shed beats up; of two sheds the larger. */
bool pop_state_is_stronger(uint8_t a, uint8_t b);

#endif

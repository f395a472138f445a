/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A text for people that grows to a limit and is cut there.
 */
#ifndef BGP_TEXT_H
#define BGP_TEXT_H

#include <stddef.h>

#define TEXT_LEN 262144

struct text {
    char *bytes; /* TEXT_LEN; NULL: nothing is kept */
    size_t len;
};

/* Without memory it keeps nothing. */
void text_init(struct text *text);

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Never NULL. */
const char *text_get(const struct text *text);

void text_done(struct text *text);

#endif

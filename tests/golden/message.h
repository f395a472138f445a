/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A DNS message taken apart again, independently of the code that put it together: strict, names
 * uncompressed.
 */
#ifndef GOLDEN_MESSAGE_H
#define GOLDEN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

struct message {
    uint16_t id, flags;
    size_t question_at, question_len;
    struct table_list sections[TABLE_SECTIONS]; /* without OPT */
    bool has_opt;
    uint16_t opt_size;
    uint32_t opt_ttl;
    const uint8_t *options;
    size_t options_len;
};

/* NULL when the message is well-formed, else what is wrong with it. */
const char *message_parse(const uint8_t *bytes, size_t len, struct message *ret_message);

/* The data of the only option with this code, or NULL; *ret_len its length. */
const uint8_t *message_option(const struct message *message, uint16_t code, size_t *ret_len);

#endif

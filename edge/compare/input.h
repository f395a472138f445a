/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bytes of a file, a pipe or standard input as they come, without ever blocking; also of a file
 * that goes on growing, or is replaced by a new one under the same name (as log rotation does).
 */
#ifndef EDGE_COMPARE_INPUT_H
#define EDGE_COMPARE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

#define INPUT_MAX ((size_t)1 << 20) /* bytes held at once */

struct input {
    const char *path; /* borrowed; "-" is standard input */
    int fd;
    bool follow;
    bool replaced; /* the file is a new one: what is held belongs to the old */
    uint8_t *bytes;
    size_t start; /* of what is not consumed yet */
    size_t end;
};

enum input_status {
    INPUT_MORE, /* there are new bytes */
    INPUT_WAIT, /* none now */
    INPUT_END,
    INPUT_FAILED,
};

/* Files stay open until input_close(). Negative errno with a reason. */
int input_open(struct input *ret_input, const char *path, bool follow, struct failure *failure);

/* Reads more behind what is held. INPUT_FAILED also when INPUT_MAX bytes are held. */
enum input_status input_fill(struct input *input, struct failure *failure);

static inline const uint8_t *input_bytes(const struct input *input, size_t *ret_len)
{
    *ret_len = input->end - input->start;
    return input->bytes + input->start;
}

static inline void input_consume(struct input *input, size_t len)
{
    input->start += len;
}

void input_close(struct input *input);

#endif

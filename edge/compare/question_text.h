/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Queries as text, one a line; described for users in isochronectl(1):
 *
 *   NAME TYPE [CLASS] [+FLAG...]      a query; "NAME TYPE" alone is a line of dnsperf's
 *   \# LENGTH HEX... [+tcp]           any message, in the generic form of RFC 3597 section 5
 *   ; a comment, an empty line
 */
#ifndef EDGE_COMPARE_QUESTION_TEXT_H
#define EDGE_COMPARE_QUESTION_TEXT_H

#include <stddef.h>

#include "base/failure.h"

struct question;

#define QUESTION_LINE_MAX 16384u /* bytes without the newline */

/* Reads a line of `len` bytes and renders the question. Returns 1 with a question, 0 for a comment
 * or an empty line, -EINVAL with "FILE:LINE:COL: reason". */
int question_text_parse(struct question *ret_question, const char *line, size_t len,
                        const char *file, unsigned line_number, struct failure *failure);

/* Applies "+do +bufsize=1232" to a question and renders it; -EINVAL with a reason without place. */
int question_text_flags(struct question *question, const char *flags, struct failure *failure);

#endif

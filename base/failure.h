/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why something failed, in words for the operator. Libraries of this tree never log and never exit:
 * they return a negative errno value and describe the reason here; the outermost caller logs it
 * once. Owned by the caller, usually on its stack; no allocation.
 */
#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

#include <stdarg.h>
#include <stddef.h>

struct failure {
    char text[1024]; /* "FILE:LINE:COL: reason" where there is a place; always terminated */
};

/* failure_set(failure, code, format, ...) sets the text and returns `code` (a negative errno value)
 * so that it can stand in a return statement. `failure` may be NULL. A text that is too long is
 * cut.
 *
 * failure_wrap(failure, code, format, ...) puts "prefix: " before what the failure already says,
 * for callers that know more context, and returns `code`.
 *
 * Macros, so that compiler and analyser see which code is returned. errno is kept. */
#define failure_set(failure, code, ...) failure_code(failure_write((failure), __VA_ARGS__), (code))
#define failure_wrap(failure, code, ...)                                                           \
    failure_code(failure_prefix((failure), __VA_ARGS__), (code))

/* What the macros above are made of; both return 0. */
int failure_write(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int failure_prefix(struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline int failure_code(int written, int code)
{
    (void)written;
    return code;
}

#endif

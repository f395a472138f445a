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

/* Sets the text and returns `code` (a negative errno value) so that it can stand in a return
 * statement. `failure` may be NULL. A text that is too long is cut. */
int failure_set(struct failure *failure, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before what the failure already says, for callers that know more context. Returns
 * `code`. */
int failure_wrap(struct failure *failure, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

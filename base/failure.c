/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Texts are made beside the failure and copied into it last: callers pass parts of the old text as
 * arguments.
 */
#include "base/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int failure_write(struct failure *failure, const char *format, ...)
{
    struct failure fresh;
    va_list arguments;
    int kept = errno;

    if (!failure) {
        return 0;
    }
    va_start(arguments, format);
    if (vsnprintf(fresh.text, sizeof(fresh.text), format, arguments) < 0) {
        fresh.text[0] = '\0';
    }
    va_end(arguments);
    memcpy(failure->text, fresh.text, strlen(fresh.text) + 1);
    errno = kept;
    return 0;
}

int failure_prefix(struct failure *failure, const char *format, ...)
{
    struct failure fresh;
    va_list arguments;
    int kept = errno;
    size_t len, rest, said;

    if (!failure) {
        return 0;
    }
    va_start(arguments, format);
    if (vsnprintf(fresh.text, sizeof(fresh.text) - 2, format, arguments) < 0) {
        fresh.text[0] = '\0';
    }
    va_end(arguments);
    len = strlen(fresh.text);
    memcpy(fresh.text + len, ": ", 3);
    len += 2;
    rest = sizeof(fresh.text) - len - 1;
    said = strnlen(failure->text, rest);
    memmove(failure->text + len, failure->text, said);
    memcpy(failure->text, fresh.text, len);
    failure->text[len + said] = '\0';
    errno = kept;
    return 0;
}

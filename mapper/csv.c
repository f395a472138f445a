/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A quoted field that starts at `at` (the quote); unescapes in place. Sets *ret_after behind the
 * closing quote. */
static int quoted_take(char *at, const char *end, struct csv_field *ret_field, char **ret_after)
{
    char *out = at + 1;

    ret_field->text = out;
    for (char *in = at + 1; in < end; in++) {
        if (*in == '"') {
            if (in + 1 < end && in[1] == '"') {
                in++;
            } else {
                ret_field->len = (size_t)(out - ret_field->text);
                *ret_after = in + 1;
                *out = '\0';
                return 0;
            }
        }
        *out++ = *in;
    }
    return -EINVAL;
}

static void bare_take(char *at, char *end, struct csv_field *ret_field)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    ret_field->text = at;
    ret_field->len = (size_t)(end - at);
    *end = '\0';
}

int csv_split(char *line, size_t len, struct csv_field ret_fields[static CSV_MAX_FIELDS])
{
    char *end = line + len;
    char *at = line;

    for (unsigned n = 0; n < CSV_MAX_FIELDS; n++) {
        char *stop;

        ret_fields[n].column = (size_t)(at - line) + 1;
        if (*at == '"') {
            if (quoted_take(at, end, &ret_fields[n], &stop) != 0 || (stop < end && *stop != ',')) {
                return -EINVAL;
            }
        } else {
            stop = memchr(at, ',', (size_t)(end - at));
            stop = stop ? stop : end;
            if (stop == end) {
                bare_take(at, end, &ret_fields[n]);
                return (int)n + 1;
            }
            bare_take(at, stop, &ret_fields[n]);
        }
        if (stop == end) {
            return (int)n + 1;
        }
        at = stop + 1;
    }
    return -EINVAL;
}

int csv_find(const struct csv_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].text, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void csv_skip_mark(char **line, size_t *len)
{
    if (*len >= 3 && memcmp(*line, "\xef\xbb\xbf", 3) == 0) {
        *line += 3;
        *len -= 3;
    }
}

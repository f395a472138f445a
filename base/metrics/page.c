/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/metrics/page.h"

#include <inttypes.h>

void metrics_page_head(FILE *out, const char *prefix, const char *name, const char *type,
                       const char *help)
{
    fprintf(out, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", prefix, name, help, prefix, name, type);
}

void metrics_page_one(FILE *out, const char *prefix, const char *name, const char *type,
                      const char *help, uint64_t value)
{
    metrics_page_head(out, prefix, name, type, help);
    fprintf(out, "%s_%s %" PRIu64 "\n", prefix, name, value);
}

void metrics_page_seconds(FILE *out, const char *prefix, const char *name, const char *help,
                          double value)
{
    metrics_page_head(out, prefix, name, "gauge", help);
    fprintf(out, "%s_%s %.6f\n", prefix, name, value);
}

void metrics_page_label(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputs(*text == '\n' ? "\\n" : (char[]){*text, '\0'}, out);
    }
}

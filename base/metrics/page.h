/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pieces of the Prometheus text format, version 0.0.4.
 */
#ifndef BASE_METRICS_PAGE_H
#define BASE_METRICS_PAGE_H

#include <stdint.h>
#include <stdio.h>

/* The two lines before the values of a metric; `type` is "gauge" or "counter". */
void metrics_page_head(FILE *out, const char *prefix, const char *name, const char *type,
                       const char *help);

/* A metric without labels. */
void metrics_page_one(FILE *out, const char *prefix, const char *name, const char *type,
                      const char *help, uint64_t value);
void metrics_page_seconds(FILE *out, const char *prefix, const char *name, const char *help,
                          double value);

/* A label value, without its quotes: quotes, backslashes and line ends are escaped. */
void metrics_page_label(FILE *out, const char *text);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Domain names as an import meets them: text of master files (RFC 1035 section 5.1) in and out,
 * the bytes of RFC 1035 section 3.1 in between, so that limits are checked and odd bytes come out
 * escaped. Values, no allocation.
 */
#ifndef MAPPER_IMPORT_DOMAIN_H
#define MAPPER_IMPORT_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMAIN_MAX 255u
#define DOMAIN_LABEL_MAX 63u
#define DOMAIN_TEXT_MAX (4 * DOMAIN_MAX + 2) /* every byte as \DDD */

struct domain {
    uint8_t wire[DOMAIN_MAX]; /* labels with their lengths, the root's zero last when complete */
    uint8_t len;
};

/* Labels of `text`; without a final dot `origin` follows, which may be NULL: then the name is left
 * without the root label, see domain_append(). -EINVAL: empty or long labels, bad escapes, over 255
 * bytes. */
int domain_parse(const char *text, size_t len, const struct domain *origin,
                 struct domain *ret_domain);

/* Appends a complete name to one without the root label. -EINVAL over 255 bytes. */
int domain_append(struct domain *domain, const struct domain *suffix);

/* Is the last label of a name without root label exactly these bytes? Then it is cut off. */
bool domain_cut(struct domain *domain, const char *label);

/* The complete name with its final dot; returns `ret_text`. */
const char *domain_format(const struct domain *domain, char ret_text[static DOMAIN_TEXT_MAX]);

/* Is the complete name `below` or below it? ASCII letters are equal in both cases. */
bool domain_within(const struct domain *domain, const struct domain *above);

/* One byte of a text: what "\X" and "\DDD" stand for. The number of bytes read, or -EINVAL. */
int domain_unescape(const char *text, size_t len, uint8_t *ret_byte);

#endif

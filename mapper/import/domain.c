/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/domain.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int domain_unescape(const char *text, size_t len, uint8_t *ret_byte)
{
    unsigned value = 0;

    if (len == 0) {
        return -EINVAL;
    }
    if (text[0] != '\\') {
        *ret_byte = (uint8_t)text[0];
        return 1;
    }
    if (len < 2) {
        return -EINVAL;
    }
    if (text[1] < '0' || text[1] > '9') {
        *ret_byte = (uint8_t)text[1];
        return 2;
    }
    for (size_t i = 1; i < 4; i++) {
        if (i >= len || text[i] < '0' || text[i] > '9') {
            return -EINVAL;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > 255) {
        return -EINVAL;
    }
    *ret_byte = (uint8_t)value;
    return 4;
}

int domain_append(struct domain *domain, const struct domain *suffix)
{
    if (domain->len + suffix->len > DOMAIN_MAX) {
        return -EINVAL;
    }
    memcpy(domain->wire + domain->len, suffix->wire, suffix->len);
    domain->len = (uint8_t)(domain->len + suffix->len);
    return 0;
}

/* One label of at least one byte, up to an unescaped dot or the end. */
static int label_parse(const char *text, size_t len, size_t *at, struct domain *domain)
{
    size_t start = domain->len;
    size_t n = 0;

    while (*at < len && text[*at] != '.') {
        uint8_t byte;
        int taken = domain_unescape(text + *at, len - *at, &byte);

        if (taken < 0 || n == DOMAIN_LABEL_MAX || start + 1 + n >= DOMAIN_MAX - 1) {
            return -EINVAL;
        }
        domain->wire[start + 1 + n++] = byte;
        *at += (size_t)taken;
    }
    if (n == 0) {
        return -EINVAL;
    }
    domain->wire[start] = (uint8_t)n;
    domain->len = (uint8_t)(start + 1 + n);
    return 0;
}

int domain_parse(const char *text, size_t len, const struct domain *origin,
                 struct domain *ret_domain)
{
    static const struct domain root = {.wire = {0}, .len = 1};
    bool is_absolute = len == 1 && text[0] == '.';
    size_t at = is_absolute;

    *ret_domain = (struct domain){.len = 0};
    if (len == 0) {
        return -EINVAL;
    }
    while (at < len) {
        int err = label_parse(text, len, &at, ret_domain);

        if (err) {
            return err;
        }
        is_absolute = at + 1 == len && text[at] == '.';
        at++;
    }
    if (is_absolute) {
        return domain_append(ret_domain, &root);
    }
    return origin ? domain_append(ret_domain, origin) : 0;
}

bool domain_cut(struct domain *domain, const char *label)
{
    size_t len = strlen(label);
    size_t at = 0;

    while (at < domain->len && at + 1u + domain->wire[at] < domain->len) {
        at += 1u + domain->wire[at];
    }
    if (at >= domain->len || domain->wire[at] != len ||
        memcmp(domain->wire + at + 1, label, len) != 0) {
        return false;
    }
    domain->len = (uint8_t)at;
    return true;
}

static bool is_plain(uint8_t byte)
{
    return isalnum(byte) || (byte && strchr("-_*/+=~!%&,:'<>?[]^`{|}#", byte));
}

const char *domain_format(const struct domain *domain, char ret_text[static DOMAIN_TEXT_MAX])
{
    size_t n = 0;

    for (size_t at = 0; at < domain->len && domain->wire[at]; at += 1u + domain->wire[at]) {
        for (size_t i = 0; i < domain->wire[at]; i++) {
            uint8_t byte = domain->wire[at + 1 + i];

            if (is_plain(byte)) {
                ret_text[n++] = (char)byte;
            } else {
                ret_text[n++] = '\\';
                ret_text[n++] = (char)('0' + byte / 100);
                ret_text[n++] = (char)('0' + byte / 10 % 10);
                ret_text[n++] = (char)('0' + byte % 10);
            }
        }
        ret_text[n++] = '.';
    }
    if (n == 0) {
        ret_text[n++] = '.';
    }
    ret_text[n] = '\0';
    return ret_text;
}

bool domain_within(const struct domain *domain, const struct domain *above)
{
    size_t at = 0;

    while (domain->len - at > above->len) {
        at += 1u + domain->wire[at];
    }
    if (domain->len - at != above->len) {
        return false;
    }
    for (size_t i = 0; i < above->len; i++) {
        if (tolower(domain->wire[at + i]) != tolower(above->wire[i])) {
            return false;
        }
    }
    return true;
}

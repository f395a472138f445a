/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_zone.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/number.h"
#include "mapper/import/text.h"
#include "mapper/import/zone_line.h"

#define ZONE_FILE_MAX ((size_t)1 << 30)
#define ZONE_INCLUDES_MAX 16u
#define ZONE_STRING_MAX 255u
#define ZONE_TEXT_MAX 16000u /* bytes of one TXT record's rdata */
#define TTL_TOP 0xfffffffu   /* 2^28 - 1, gdnsd's own bound */

/* One zone, through all its included files. */
struct scan {
    const struct domain *zone;
    const struct gdnsd_zone_options *options;
    gdnsd_record_visit visit;
    void *context;
    struct notes *notes;
    struct failure *failure;
    struct text rdata;
};

/* One file of it. */
struct scope {
    struct scan *scan;
    const char *file;
    struct domain origin;      /* @ */
    struct domain file_origin; /* @F */
    struct domain owner;       /* of the last record */
    uint32_t default_ttl_s;
    unsigned depth;
    bool from_memory;
};

/* The record that is being read: what is left of its words. */
struct cursor {
    const struct zone_line *line;
    size_t at;
};

static int scope_read(struct scope *scope, const uint8_t *bytes, size_t len);

static int fault(const struct scope *scope, const struct cursor *cursor, const char *reason)
{
    const struct zone_word *word =
        cursor->at < cursor->line->n ? &cursor->line->word[cursor->at] : NULL;
    int err = notes_add(scope->scan->notes, NOTE_LEFT_OUT, scope->file, cursor->line->line,
                        "%s%s%.*s%s: the record is skipped", reason, word ? " \"" : "",
                        word ? (int)(word->len < 80 ? word->len : 80) : 0, word ? word->text : "",
                        word ? "\"" : "");

    return err ? failure_set(scope->scan->failure, err, "out of memory") : -EINVAL;
}

static bool word_is(const struct zone_word *word, const char *text)
{
    return !word->quoted && word->len == strlen(text) &&
           strncasecmp(word->text, text, word->len) == 0;
}

static const struct zone_word *cursor_word(const struct cursor *cursor)
{
    return cursor->at < cursor->line->n ? &cursor->line->word[cursor->at] : NULL;
}

/* --- numbers and TTLs --- */

static bool number_take(const struct zone_word *word, uint64_t max, uint32_t *ret_value)
{
    uint64_t value;

    if (!word || word->quoted || number_parse_u64(word->text, word->len, 0, max, &value) != 0) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

/* "300", "30M", "3D"; `len` bytes. */
static bool ttl_parse(const char *text, size_t len, uint32_t *ret_ttl_s)
{
    static const char units[] = "mhdw";
    static const uint32_t factors[] = {60, 3600, 86400, 604800};
    const char *unit = len ? strchr(units, tolower((unsigned char)text[len - 1])) : NULL;
    bool has_unit = unit && *unit;
    uint64_t value;

    if (number_parse_u64(text, len - has_unit, 0, UINT32_MAX, &value) != 0) {
        return false;
    }
    value *= has_unit ? factors[unit - units] : 1;
    *ret_ttl_s = (uint32_t)(value < TTL_TOP ? value : TTL_TOP);
    return true;
}

/* TTL or MAX/MIN; without MIN it is half of MAX. */
static bool ttl_pair_parse(const struct zone_word *word, uint32_t *ret_ttl_s, uint32_t *ret_min_s)
{
    const char *slash = memchr(word->text, '/', word->len);
    size_t len = slash ? (size_t)(slash - word->text) : word->len;

    if (word->quoted || !ttl_parse(word->text, len, ret_ttl_s)) {
        return false;
    }
    *ret_min_s = *ret_ttl_s / 2;
    return !slash || ttl_parse(slash + 1, word->len - len - 1, ret_min_s);
}

static uint32_t ttl_clamp(const struct gdnsd_zone_options *options, uint32_t ttl_s)
{
    ttl_s = ttl_s > options->max_ttl_s ? options->max_ttl_s : ttl_s;
    return ttl_s < options->min_ttl_s ? options->min_ttl_s : ttl_s;
}

/* --- names --- */

/* "@", "@Z", "@F", a name under the origin, a name that ends in @Z or @F, an absolute name. */
static bool name_parse(const struct scope *scope, const struct zone_word *word,
                       struct domain *ret_name)
{
    static const struct domain root = {.len = 1};

    if (!word || word->len == 0 || (!word->quoted && word->text[0] == '$')) {
        return false;
    }
    if (word->len == 1 && word->text[0] == '@') {
        *ret_name = scope->origin;
        return true;
    }
    if (domain_parse(word->text, word->len, NULL, ret_name) != 0) {
        return false;
    }
    if (domain_within(ret_name, &root)) {
        return true;
    }
    if (domain_cut(ret_name, "@Z")) {
        return domain_append(ret_name, scope->scan->zone) == 0;
    }
    if (domain_cut(ret_name, "@F")) {
        return domain_append(ret_name, &scope->file_origin) == 0;
    }
    return domain_append(ret_name, &scope->origin) == 0;
}

static int rdata_name(const struct scope *scope, struct cursor *cursor)
{
    char text[DOMAIN_TEXT_MAX];
    struct domain name;

    if (!name_parse(scope, cursor_word(cursor), &name)) {
        return fault(scope, cursor, "not a domain name");
    }
    text_string(&scope->scan->rdata, domain_format(&name, text));
    cursor->at++;
    return 0;
}

/* --- rdata --- */

static int rdata_number(const struct scope *scope, struct cursor *cursor, uint64_t max)
{
    uint32_t value;

    if (!number_take(cursor_word(cursor), max, &value)) {
        return fault(scope, cursor, "not a number");
    }
    text_format(&scope->scan->rdata, "%u ", value);
    cursor->at++;
    return 0;
}

static int rdata_address(const struct scope *scope, struct cursor *cursor, unsigned family)
{
    const struct zone_word *word = cursor_word(cursor);
    char text[ADDRESS_TEXT_LEN];
    struct address address;

    if (!word || word->len >= sizeof(text)) {
        return fault(scope, cursor, "not an address");
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)word->len, word->text);
    if (address_parse(text, &address) != 0 || address.family != family) {
        return fault(scope, cursor, "not an address");
    }
    text_string(&scope->scan->rdata, address_format(&address, text));
    cursor->at++;
    return 0;
}

/* One string into at most `max` bytes; longer ones than 255 are split where gdnsd splits them. */
static int rdata_string(const struct scope *scope, struct cursor *cursor, size_t max, bool split)
{
    const struct zone_word *word = cursor_word(cursor);
    uint8_t *bytes = word ? malloc(word->len + 1) : NULL;
    size_t n = 0;
    size_t at = 0;

    if (!word) {
        return fault(scope, cursor, "a text is missing");
    }
    if (!bytes) {
        return failure_set(scope->scan->failure, -ENOMEM, "out of memory");
    }
    while (at < word->len) {
        int taken = domain_unescape(word->text + at, word->len - at, &bytes[n++]);

        if (taken < 0 || n > max) {
            free(bytes);
            return fault(scope, cursor, taken < 0 ? "a bad escape in" : "too long a text");
        }
        at += (size_t)taken;
    }
    at = 0;
    do {
        size_t chunk = split && n - at > ZONE_STRING_MAX ? ZONE_STRING_MAX : n - at;

        text_quote_zone(&scope->scan->rdata, bytes + at, chunk);
        text_string(&scope->scan->rdata, " ");
        at += chunk;
    } while (at < n);
    free(bytes);
    cursor->at++;
    return 0;
}

static int rdata_txt(const struct scope *scope, struct cursor *cursor)
{
    bool no_split = scope->scan->options->no_text_split;
    int err = 0;

    if (cursor->at == cursor->line->n) {
        return fault(scope, cursor, "a text is missing");
    }
    while (!err && cursor->at < cursor->line->n) {
        err = rdata_string(scope, cursor, no_split ? ZONE_STRING_MAX : ZONE_TEXT_MAX, true);
    }
    return err;
}

static int rdata_naptr(const struct scope *scope, struct cursor *cursor)
{
    int err = rdata_number(scope, cursor, UINT16_MAX);

    err = err ? err : rdata_number(scope, cursor, UINT16_MAX);
    for (int i = 0; i < 3 && !err; i++) {
        err = rdata_string(scope, cursor, ZONE_STRING_MAX, false);
    }
    return err ? err : rdata_name(scope, cursor);
}

/* RFC 8659 section 4.1.1. The value may be longer than a character-string. */
static int rdata_caa(const struct scope *scope, struct cursor *cursor)
{
    int err = rdata_number(scope, cursor, UINT8_MAX);
    const struct zone_word *tag = cursor_word(cursor);

    if (err) {
        return err;
    }
    if (!tag || tag->len == 0 || tag->len > ZONE_STRING_MAX) {
        return fault(scope, cursor, "not a CAA property");
    }
    for (size_t i = 0; i < tag->len; i++) {
        if (!isalnum((unsigned char)tag->text[i])) {
            return fault(scope, cursor, "not a CAA property");
        }
    }
    text_add(&scope->scan->rdata, tag->text, tag->len);
    text_string(&scope->scan->rdata, " ");
    cursor->at++;
    return rdata_string(scope, cursor, ZONE_TEXT_MAX, false);
}

/* The last field of SOA is how long a denial may be kept (RFC 2308 section 4); gdnsd bounds it and
 * gives the record itself no longer a life. */
static int rdata_soa(const struct scope *scope, struct cursor *cursor, uint32_t *ttl_s)
{
    const struct gdnsd_zone_options *options = scope->scan->options;
    int err = rdata_name(scope, cursor);

    text_string(&scope->scan->rdata, " ");
    err = err ? err : rdata_name(scope, cursor);
    for (int i = 0; i < 5 && !err; i++) {
        const struct zone_word *word = cursor_word(cursor);
        uint32_t value;

        if (!word || word->quoted ||
            !(i == 0 ? number_take(word, UINT32_MAX, &value)
                     : ttl_parse(word->text, word->len, &value))) {
            return fault(scope, cursor, "not a number of an SOA record");
        }
        if (i == 4) {
            value = value > options->max_negative_s ? options->max_negative_s : value;
            value = value < options->min_ttl_s ? options->min_ttl_s : value;
            *ttl_s = *ttl_s < value ? *ttl_s : value;
        }
        text_format(&scope->scan->rdata, " %u", value);
        cursor->at++;
    }
    return err;
}

/* RFC 3597 section 5: \# LENGTH HEX... */
static int rdata_unknown(const struct scope *scope, struct cursor *cursor)
{
    const struct zone_word *word = cursor_word(cursor);
    uint32_t len;
    size_t digits = 0;

    if (!word || word->quoted || word->len != 2 || memcmp(word->text, "\\#", 2) != 0) {
        return fault(scope, cursor, "expected \\# and the length, not");
    }
    cursor->at++;
    if (!number_take(cursor_word(cursor), UINT16_MAX, &len)) {
        return fault(scope, cursor, "not a length");
    }
    text_format(&scope->scan->rdata, "\\# %u ", len);
    for (cursor->at++; cursor->at < cursor->line->n; cursor->at++) {
        word = cursor_word(cursor);
        for (size_t i = 0; i < word->len; i++) {
            if (!isxdigit((unsigned char)word->text[i])) {
                return fault(scope, cursor, "not hexadecimal digits");
            }
        }
        digits += word->len;
        text_add(&scope->scan->rdata, word->text, word->len);
    }
    return digits == 2 * (size_t)len ? 0
                                     : fault(scope, cursor, "the length is not that of the data");
}

/* "PLUGIN[!RESOURCE]", unescaped. */
static int rdata_dynamic(const struct scope *scope, struct cursor *cursor)
{
    const struct zone_word *word = cursor_word(cursor);
    size_t at = 0;

    if (!word || word->quoted) {
        return fault(scope, cursor, "expected PLUGIN!RESOURCE, not");
    }
    while (at < word->len) {
        uint8_t byte;
        int taken = domain_unescape(word->text + at, word->len - at, &byte);

        if (taken < 0 || byte == 0) {
            return fault(scope, cursor, "a bad escape in");
        }
        text_add(&scope->scan->rdata, (const char *)&byte, 1);
        at += (size_t)taken;
    }
    cursor->at++;
    return 0;
}

static int rdata_read(const struct scope *scope, struct cursor *cursor, const char *type,
                      uint32_t *ttl_s)
{
    int err = 0;

    text_clear(&scope->scan->rdata);
    if (strcmp(type, "A") == 0 || strcmp(type, "AAAA") == 0) {
        err = rdata_address(scope, cursor, type[1] ? ADDRESS_IPV6 : ADDRESS_IPV4);
    } else if (strcmp(type, "NS") == 0 || strcmp(type, "CNAME") == 0 || strcmp(type, "PTR") == 0) {
        err = rdata_name(scope, cursor);
    } else if (strcmp(type, "MX") == 0 || strcmp(type, "SRV") == 0) {
        for (int i = 0; i < (type[0] == 'M' ? 1 : 3) && !err; i++) {
            err = rdata_number(scope, cursor, UINT16_MAX);
        }
        err = err ? err : rdata_name(scope, cursor);
    } else if (strcmp(type, "TXT") == 0) {
        err = rdata_txt(scope, cursor);
    } else if (strcmp(type, "SOA") == 0) {
        err = rdata_soa(scope, cursor, ttl_s);
    } else if (strcmp(type, "NAPTR") == 0) {
        err = rdata_naptr(scope, cursor);
    } else if (strcmp(type, "CAA") == 0) {
        err = rdata_caa(scope, cursor);
    } else if (strncmp(type, "DYN", 3) == 0) {
        err = rdata_dynamic(scope, cursor);
    } else {
        err = rdata_unknown(scope, cursor);
    }
    if (!err && cursor->at < cursor->line->n) {
        err = fault(scope, cursor, "more than the record needs:");
    }
    if (!err && scope->scan->rdata.failed) {
        err = failure_set(scope->scan->failure, -ENOMEM, "out of memory");
    }
    return err;
}

/* --- records --- */

/* In capitals; NULL when gdnsd has no such type. */
static const char *type_find(const struct zone_word *word, char ret_text[static 16])
{
    static const char *const types[] = {"A",   "AAAA", "NS",    "CNAME", "PTR",  "MX",   "SRV",
                                        "TXT", "SOA",  "NAPTR", "CAA",   "DYNA", "DYNC", NULL};
    uint64_t number;

    for (size_t i = 0; types[i]; i++) {
        if (word_is(word, types[i])) {
            return types[i];
        }
    }
    if (word->quoted || word->len < 5 || strncasecmp(word->text, "TYPE", 4) != 0 ||
        number_parse_u64(word->text + 4, word->len - 4, 1, UINT16_MAX, &number) != 0) {
        return NULL;
    }
    (void)snprintf(ret_text, 16, "TYPE%u", (unsigned)number);
    return ret_text;
}

/* TTL and class, in either order, each at most once. */
static void ttl_take(struct cursor *cursor, uint32_t *ttl_s, uint32_t *ttl_min_s)
{
    bool has_ttl = false;
    bool has_class = false;

    for (const struct zone_word *word = cursor_word(cursor); word; word = cursor_word(cursor)) {
        if (!has_class && word_is(word, "IN")) {
            has_class = true;
        } else if (!has_ttl && ttl_pair_parse(word, ttl_s, ttl_min_s)) {
            has_ttl = true;
        } else {
            return;
        }
        cursor->at++;
    }
}

static int owner_take(struct scope *scope, struct cursor *cursor)
{
    struct domain owner;

    if (cursor->line->starts_blank) {
        return 0;
    }
    if (!name_parse(scope, cursor_word(cursor), &owner)) {
        return fault(scope, cursor, "not an owner name");
    }
    if (!domain_within(&owner, scope->scan->zone)) {
        return fault(scope, cursor, "the owner lies outside of the zone:");
    }
    scope->owner = owner;
    cursor->at++;
    return 0;
}

static bool is_challenge(const struct domain *owner)
{
    static const char label[] = "\017_acme-challenge";

    return owner->len > sizeof(label) - 1 &&
           strncasecmp((const char *)owner->wire, label, sizeof(label) - 1) == 0;
}

static int record_read(struct scope *scope, struct cursor *cursor)
{
    const struct gdnsd_zone_options *options = scope->scan->options;
    struct gdnsd_record record = {.file = scope->file,
                                  .line = cursor->line->line,
                                  .ttl_s = scope->default_ttl_s,
                                  .ttl_min_s = scope->default_ttl_s / 2};
    char owner[DOMAIN_TEXT_MAX];
    char type[16];
    int err = owner_take(scope, cursor);

    if (err) {
        return err;
    }
    ttl_take(cursor, &record.ttl_s, &record.ttl_min_s);
    record.type = cursor_word(cursor) ? type_find(cursor_word(cursor), type) : NULL;
    if (!record.type) {
        return fault(scope, cursor, "no type of record that gdnsd knows:");
    }
    cursor->at++;
    record.ttl_s = ttl_clamp(options, record.ttl_s);
    record.ttl_min_s = ttl_clamp(options, record.ttl_min_s);
    if (strcmp(record.type, "TXT") == 0 && is_challenge(&scope->owner)) {
        record.ttl_s = options->challenge_ttl_s;
    }
    err = rdata_read(scope, cursor, record.type, &record.ttl_s);
    if (err) {
        return err;
    }
    record.ttl_min_s = record.ttl_min_s < record.ttl_s ? record.ttl_min_s : record.ttl_s;
    record.owner = domain_format(&scope->owner, owner);
    record.rdata = scope->scan->rdata.bytes ? scope->scan->rdata.bytes : "";
    err = scope->scan->visit(scope->scan->context, &record);
    return err ? failure_set(scope->scan->failure, -ENOMEM, "out of memory") : 0;
}

/* --- directives --- */

static int include_read(struct scope *scope, struct cursor *cursor)
{
    const struct zone_word *word = cursor_word(cursor);
    struct scope inner = *scope;
    uint8_t *bytes = NULL;
    char *path = NULL;
    char *name;
    size_t len;
    int err;

    if (!word || scope->depth == ZONE_INCLUDES_MAX || scope->from_memory ||
        memchr(word->text, '\0', word->len)) {
        return fault(scope, cursor, "cannot include");
    }
    cursor->at++;
    inner.depth++;
    if (cursor_word(cursor) && !name_parse(scope, cursor_word(cursor), &inner.origin)) {
        return fault(scope, cursor, "not an origin");
    }
    inner.file_origin = inner.origin;
    inner.owner = inner.origin;
    name = strndup(word->text, word->len);
    path = name ? fd_resolve_path(scope->file, name) : NULL;
    free(name);
    if (!path) {
        return failure_set(scope->scan->failure, -ENOMEM, "out of memory");
    }
    inner.file = path;
    if (fd_read_file(path, ZONE_FILE_MAX, &bytes, &len, NULL) == 0) {
        err = scope_read(&inner, bytes, len);
    } else {
        cursor->at--;
        err = fault(scope, cursor, "cannot read the included file");
    }
    free(bytes);
    free(path);
    return err;
}

static int directive_read(struct scope *scope, struct cursor *cursor)
{
    const struct zone_word *word = cursor_word(cursor);
    struct domain origin;

    cursor->at++;
    if (word_is(word, "$TTL")) {
        word = cursor_word(cursor);
        return word && !word->quoted && ttl_parse(word->text, word->len, &scope->default_ttl_s)
                   ? 0
                   : fault(scope, cursor, "not a TTL");
    }
    if (word_is(word, "$ORIGIN")) {
        if (!name_parse(scope, cursor_word(cursor), &origin) ||
            !domain_within(&origin, scope->scan->zone)) {
            return fault(scope, cursor, "not an origin inside the zone:");
        }
        scope->origin = origin;
        return 0;
    }
    if (word_is(word, "$INCLUDE")) {
        return include_read(scope, cursor);
    }
    cursor->at--;
    return fault(scope, cursor, "no directive of gdnsd 3:");
}

static int scope_read(struct scope *scope, const uint8_t *bytes, size_t len)
{
    struct zone_line_reader reader;
    struct zone_line line;
    const char *wrong;
    int err;

    zone_line_open(&reader, bytes, len);
    while ((err = zone_line_next(&reader, &line, &wrong)) == 1) {
        struct cursor cursor = {.line = &line};

        if (wrong) {
            cursor.at = line.n;
            err = fault(scope, &cursor, wrong);
        } else if (!line.starts_blank && !line.word[0].quoted && line.word[0].len &&
                   line.word[0].text[0] == '$') {
            err = directive_read(scope, &cursor);
        } else {
            err = record_read(scope, &cursor);
        }
        if (err && err != -EINVAL) { /* a fault was noted, and the next line is another */
            break;
        }
    }
    zone_line_close(&reader);
    return err < 0 && err != -EINVAL ? err : 0;
}

int gdnsd_zone_read_bytes(const char *name, const uint8_t *bytes, size_t len,
                          const struct domain *origin, const struct gdnsd_zone_options *options,
                          gdnsd_record_visit visit, void *context, struct notes *notes,
                          struct failure *failure)
{
    struct scan scan = {.zone = origin,
                        .options = options,
                        .visit = visit,
                        .context = context,
                        .notes = notes,
                        .failure = failure};
    struct scope scope = {.scan = &scan,
                          .file = name,
                          .origin = *origin,
                          .file_origin = *origin,
                          .owner = *origin,
                          .default_ttl_s = options->default_ttl_s,
                          .from_memory = true};
    int err = scope_read(&scope, bytes, len);

    text_done(&scan.rdata);
    return err;
}

int gdnsd_zone_read(const char *path, const struct domain *origin,
                    const struct gdnsd_zone_options *options, gdnsd_record_visit visit,
                    void *context, struct notes *notes, struct failure *failure)
{
    struct scan scan = {.zone = origin,
                        .options = options,
                        .visit = visit,
                        .context = context,
                        .notes = notes,
                        .failure = failure};
    struct scope scope = {.scan = &scan,
                          .file = path,
                          .origin = *origin,
                          .file_origin = *origin,
                          .owner = *origin,
                          .default_ttl_s = options->default_ttl_s};
    uint8_t *bytes = NULL;
    size_t len;
    int err = fd_read_file(path, ZONE_FILE_MAX, &bytes, &len, failure);

    err = err ? err : scope_read(&scope, bytes, len);
    free(bytes);
    text_done(&scan.rdata);
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/tinydns_line.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "mapper/import/text.h"

#define FIELDS_MAX 15u
#define TTL_NS 259200u
#define TTL_SOA 2560u
#define TTL_ANY 86400u
#define SOA_REFRESH 16384u
#define SOA_RETRY 2048u
#define SOA_EXPIRE 1048576u
#define TXT_CHUNK 127u
#define RDATA_MAX 65535u
#define TAI_EPOCH UINT64_C(0x400000000000000a) /* 1970-01-01 as TAI64, leap seconds aside */

struct field {
    const char *text; /* in the line, octal escapes and all */
    size_t len;
};

struct reader {
    const struct tinydns_source *source;
    const struct tinydns_sink *sink;
    struct notes *notes;
    struct text rdata;
    uint32_t line;
    char kind;
    struct field field[FIELDS_MAX];
    char location[3];
};

static int fault(const struct reader *reader, const char *reason, const struct field *field)
{
    size_t len = field ? field->len : 0;
    int err = notes_add(reader->notes, NOTE_LEFT_OUT, reader->source->name, reader->line,
                        "%s%s%.*s%s: the line is skipped", reason, field ? " \"" : "",
                        (int)(len < 80 ? len : 80), field ? field->text : "", field ? "\"" : "");

    return err ? err : -EINVAL;
}

/* --- fields --- */

/* One byte, "\OOO" in octal; the number of bytes read. */
static size_t byte_take(const struct field *field, size_t at, uint8_t *ret_byte)
{
    const char *text = field->text + at;
    unsigned value = 0;
    size_t n = 1;

    if (text[0] != '\\') {
        *ret_byte = (uint8_t)text[0];
        return 1;
    }
    while (n < 4 && at + n < field->len && text[n] >= '0' && text[n] <= '7') {
        value = value * 8 + (unsigned)(text[n] - '0');
        n++;
    }
    if (n == 1) {
        *ret_byte = '\\';
        return 1;
    }
    *ret_byte = (uint8_t)value;
    return n;
}

/* A name; escapes are octal here, so it is put together label by label. */
static int name_take(const struct reader *reader, const struct field *field,
                     struct domain *ret_name)
{
    struct domain name = {0};
    size_t start = 0;
    size_t n = 0;

    for (size_t at = 0; at <= field->len;) {
        bool ends = at == field->len || field->text[at] == '.';

        if (ends && n) {
            name.wire[start] = (uint8_t)n;
            start += n + 1;
            n = 0;
        }
        if (ends) {
            at++; /* empty labels vanish, as in tinydns-data */
            continue;
        }
        if (n == DOMAIN_LABEL_MAX || start + n + 2 >= DOMAIN_MAX) {
            return fault(reader, "not a domain name:", field);
        }
        at += byte_take(field, at, &name.wire[start + 1 + n++]);
    }
    name.wire[start] = 0;
    name.len = (uint8_t)(start + 1);
    *ret_name = name;
    return 0;
}

static int number_take(const struct reader *reader, const struct field *field, uint32_t max,
                       uint32_t fallback, uint32_t *ret_value)
{
    uint64_t value = fallback;

    if (field->len && number_parse_u64(field->text, field->len, 0, max, &value) != 0) {
        return fault(reader, "not a number:", field);
    }
    *ret_value = (uint32_t)value;
    return 0;
}

/* Is the line's time to come, running or over? TTL 0 makes the stamp an end. Noted unless the line
 * simply holds. */
static int stamp_check(const struct reader *reader, const struct field *stamp, uint32_t ttl_s,
                       bool *ret_holds)
{
    uint64_t value = 0;
    int64_t when_s;

    *ret_holds = true;
    if (stamp->len == 0) {
        return 0;
    }
    if (stamp->len != 16) {
        return fault(reader, "not a time stamp of 16 hexadecimal digits:", stamp);
    }
    for (size_t i = 0; i < 16; i++) {
        int digit = tolower((unsigned char)stamp->text[i]);

        if (!isxdigit(digit)) {
            return fault(reader, "not a time stamp of 16 hexadecimal digits:", stamp);
        }
        value = value << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    when_s = (int64_t)(value - TAI_EPOCH);
    if (ttl_s == 0 && when_s <= reader->source->now_s) {
        *ret_holds = false; /* over, and will stay so */
        return 0;
    }
    if (ttl_s == 0 || when_s > reader->source->now_s) {
        return fault(reader,
                     ttl_s ? "begins later, and a zone knows no time:"
                           : "ends at a time, and a zone knows none:",
                     stamp);
    }
    return 0;
}

/* --- records --- */

/* TTL, time stamp and location, which end every line of records. */
static int tail_take(struct reader *reader, size_t first, uint32_t fallback, uint32_t *ret_ttl_s,
                     bool *ret_holds)
{
    const struct field *location = &reader->field[first + 2];
    int err;

    *ret_ttl_s = fallback;
    err = number_take(reader, &reader->field[first], UINT32_MAX, fallback, ret_ttl_s);
    err = err ? err : stamp_check(reader, &reader->field[first + 1], *ret_ttl_s, ret_holds);
    (void)snprintf(reader->location, sizeof(reader->location), "%.*s",
                   (int)(location->len < 2 ? location->len : 2), location->text);
    return err;
}

static int record_give(const struct reader *reader, const struct domain *owner, const char *type,
                       uint32_t ttl_s, const struct address *address, bool is_extra)
{
    struct tinydns_record record = {.owner = *owner,
                                    .type = type,
                                    .rdata = reader->rdata.bytes,
                                    .ttl_s = ttl_s,
                                    .line = reader->line,
                                    .is_extra = is_extra};

    if (reader->rdata.failed || !reader->rdata.bytes) {
        return -ENOMEM;
    }
    if (address) {
        record.address = *address;
    }
    memcpy(record.location, reader->location, sizeof(record.location));
    return reader->sink->record(reader->sink->context, &record);
}

static void rdata_name(struct reader *reader, const struct domain *name)
{
    char text[DOMAIN_TEXT_MAX];

    text_string(&reader->rdata, domain_format(name, text));
}

static int address_give(struct reader *reader, const struct domain *owner, uint32_t ttl_s,
                        const struct address *address)
{
    char text[ADDRESS_TEXT_LEN];

    text_clear(&reader->rdata);
    text_string(&reader->rdata, address_format(address, text));
    return record_give(reader, owner, address->family == ADDRESS_IPV4 ? "A" : "AAAA", ttl_s,
                       address, false);
}

static int address_take(const struct reader *reader, const struct field *field,
                        struct address *ret_address)
{
    char text[ADDRESS_TEXT_LEN];

    *ret_address = (struct address){.family = ADDRESS_IPV4};
    if (field->len < sizeof(text)) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)field->len, field->text);
        if (address_parse(text, ret_address) == 0 && ret_address->family == ADDRESS_IPV4) {
            return 0;
        }
    }
    return fault(reader, "not an IPv4 address:", field);
}

/* Thirty-two hexadecimal digits. */
static int address6_take(const struct reader *reader, const struct field *field,
                         struct address *ret_address)
{
    *ret_address = (struct address){.family = ADDRESS_IPV6};
    for (size_t i = 0; i < field->len && field->len == 32; i++) {
        int digit = tolower((unsigned char)field->text[i]);

        if (!isxdigit(digit)) {
            return fault(reader, "not 32 hexadecimal digits:", field);
        }
        digit = digit <= '9' ? digit - '0' : digit - 'a' + 10;
        ret_address->bytes[i / 2] = (uint8_t)(ret_address->bytes[i / 2] << 4 | digit);
    }
    return field->len == 32 ? 0 : fault(reader, "not 32 hexadecimal digits:", field);
}

/* The server a ".", "&" or "@" line names: `x` itself if it has a dot, else x.MIDDLE.fqdn. */
static int server_take(const struct reader *reader, const struct field *x, const char *middle,
                       const struct domain *owner, struct domain *ret_name)
{
    char text[512];
    struct field whole = {.text = text};
    int len;
    int err;

    if (memchr(x->text, '.', x->len)) {
        return name_take(reader, x, ret_name);
    }
    len = snprintf(text, sizeof(text), "%.*s.%s", (int)(x->len < 300 ? x->len : 300), x->text,
                   middle);
    whole.len = (size_t)len;
    err = name_take(reader, &whole, ret_name);
    if (!err) {
        ret_name->len--; /* the root goes behind fqdn */
        err = domain_append(ret_name, owner) ? fault(reader, "too long a name with", x) : 0;
    }
    return err;
}

static int soa_give(struct reader *reader, const struct domain *owner, const struct domain *server,
                    const struct domain *contact, const uint32_t number[static 5], uint32_t ttl_s)
{
    text_clear(&reader->rdata);
    rdata_name(reader, server);
    text_string(&reader->rdata, " ");
    rdata_name(reader, contact);
    for (int i = 0; i < 5; i++) {
        text_format(&reader->rdata, " %u", number[i]);
    }
    return record_give(reader, owner, "SOA", ttl_s, NULL, false);
}

/* .fqdn:ip:x:ttl:timestamp:lo and &fqdn:ip:x:ttl:timestamp:lo */
static int servers_read(struct reader *reader)
{
    const uint32_t number[5] = {reader->source->serial, SOA_REFRESH, SOA_RETRY, SOA_EXPIRE,
                                TTL_SOA};
    struct domain owner, server;
    struct domain contact = {.wire = "\012hostmaster", .len = 11};
    struct address address;
    uint32_t ttl_s;
    bool holds = true;
    int err = name_take(reader, &reader->field[0], &owner);

    err = err ? err : server_take(reader, &reader->field[2], "ns", &owner, &server);
    err = err ? err : tail_take(reader, 3, TTL_NS, &ttl_s, &holds);
    if (err || !holds) {
        return err;
    }
    if (reader->kind == '.') {
        err = domain_append(&contact, &owner) ? fault(reader, "too long a name:", &reader->field[0])
                                              : 0;
        err = err ? err : soa_give(reader, &owner, &server, &contact, number, TTL_SOA);
    }
    text_clear(&reader->rdata);
    rdata_name(reader, &server);
    err = err ? err : record_give(reader, &owner, "NS", ttl_s, NULL, false);
    if (!err && reader->field[1].len) {
        err = address_take(reader, &reader->field[1], &address);
        err = err ? err : address_give(reader, &server, ttl_s, &address);
    }
    return err;
}

static int reverse_give(struct reader *reader, const struct domain *owner, uint32_t ttl_s,
                        const struct address *address)
{
    char text[128] = "";
    struct domain reverse;

    if (address->family == ADDRESS_IPV4) {
        (void)snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa.", address->bytes[3],
                       address->bytes[2], address->bytes[1], address->bytes[0]);
    } else {
        for (size_t i = 0; i < 32; i++) {
            unsigned nibble = (unsigned)address->bytes[15 - i / 2] >> (i % 2 ? 4 : 0) & 0xfu;

            text[2 * i] = "0123456789abcdef"[nibble];
            text[2 * i + 1] = '.';
        }
        memcpy(text + 64, "ip6.arpa.", sizeof("ip6.arpa."));
    }
    if (domain_parse(text, strlen(text), NULL, &reverse) != 0) {
        return -EINVAL;
    }
    text_clear(&reader->rdata);
    rdata_name(reader, owner);
    return record_give(reader, &reverse, "PTR", ttl_s, NULL, true);
}

/* =fqdn:ip:ttl:timestamp:lo and the like: "+" without PTR, "6" and "3" the same with IPv6 */
static int host_read(struct reader *reader)
{
    struct domain owner;
    struct address address;
    uint32_t ttl_s;
    bool holds = true;
    bool ipv6 = reader->kind == '6' || reader->kind == '3';
    int err = name_take(reader, &reader->field[0], &owner);

    err = err    ? err
          : ipv6 ? address6_take(reader, &reader->field[1], &address)
                 : address_take(reader, &reader->field[1], &address);
    err = err ? err : tail_take(reader, 2, TTL_ANY, &ttl_s, &holds);
    if (err || !holds) {
        return err;
    }
    err = address_give(reader, &owner, ttl_s, &address);
    if (!err && (reader->kind == '=' || reader->kind == '6')) {
        err = reverse_give(reader, &owner, ttl_s, &address);
    }
    return err;
}

/* @fqdn:ip:x:dist:ttl:timestamp:lo */
static int mail_read(struct reader *reader)
{
    struct domain owner, server;
    struct address address;
    uint32_t ttl_s, distance = 0;
    bool holds = true;
    int err = name_take(reader, &reader->field[0], &owner);

    err = err ? err : server_take(reader, &reader->field[2], "mx", &owner, &server);
    err = err ? err : number_take(reader, &reader->field[3], UINT16_MAX, 0, &distance);
    err = err ? err : tail_take(reader, 4, TTL_ANY, &ttl_s, &holds);
    if (err || !holds) {
        return err;
    }
    text_clear(&reader->rdata);
    text_format(&reader->rdata, "%u ", distance);
    rdata_name(reader, &server);
    err = record_give(reader, &owner, "MX", ttl_s, NULL, false);
    if (!err && reader->field[1].len) {
        err = address_take(reader, &reader->field[1], &address);
        err = err ? err : address_give(reader, &server, ttl_s, &address);
    }
    return err;
}

/* The bytes a field stands for. */
static int bytes_take(const struct reader *reader, const struct field *field,
                      uint8_t ret_bytes[static RDATA_MAX], size_t *ret_len)
{
    size_t n = 0;

    for (size_t at = 0; at < field->len;) {
        if (n == RDATA_MAX) {
            return fault(reader, "more data than a record holds in", field);
        }
        at += byte_take(field, at, &ret_bytes[n++]);
    }
    *ret_len = n;
    return 0;
}

/* 'fqdn:s:ttl:timestamp:lo; strings of at most 127 bytes, as tinydns-data cuts them */
static int text_read(struct reader *reader)
{
    uint8_t bytes[RDATA_MAX];
    struct domain owner;
    uint32_t ttl_s;
    bool holds = true;
    size_t n = 0;
    size_t at = 0;
    int err = name_take(reader, &reader->field[0], &owner);

    err = err ? err : bytes_take(reader, &reader->field[1], bytes, &n);
    err = err ? err : tail_take(reader, 2, TTL_ANY, &ttl_s, &holds);
    if (err || !holds) {
        return err;
    }
    text_clear(&reader->rdata);
    do {
        size_t chunk = n - at > TXT_CHUNK ? TXT_CHUNK : n - at;

        text_quote_zone(&reader->rdata, bytes + at, chunk);
        text_string(&reader->rdata, " ");
        at += chunk;
    } while (at < n);
    return record_give(reader, &owner, "TXT", ttl_s, NULL, false);
}

/* ^fqdn:p:ttl:timestamp:lo and Cfqdn:p:ttl:timestamp:lo */
static int pointer_read(struct reader *reader)
{
    struct domain owner, target;
    uint32_t ttl_s;
    bool holds = true;
    int err = name_take(reader, &reader->field[0], &owner);

    err = err ? err : name_take(reader, &reader->field[1], &target);
    err = err ? err : tail_take(reader, 2, TTL_ANY, &ttl_s, &holds);
    if (err || !holds) {
        return err;
    }
    text_clear(&reader->rdata);
    rdata_name(reader, &target);
    return record_give(reader, &owner, reader->kind == 'C' ? "CNAME" : "PTR", ttl_s, NULL, false);
}

/* Zfqdn:mname:rname:ser:ref:ret:exp:min:ttl:timestamp:lo */
static int authority_read(struct reader *reader)
{
    const uint32_t fallback[5] = {reader->source->serial, SOA_REFRESH, SOA_RETRY, SOA_EXPIRE,
                                  TTL_SOA};
    struct domain owner, server, contact;
    uint32_t number[5];
    uint32_t ttl_s;
    bool holds = true;
    int err = name_take(reader, &reader->field[0], &owner);

    err = err ? err : name_take(reader, &reader->field[1], &server);
    err = err ? err : name_take(reader, &reader->field[2], &contact);
    for (size_t i = 0; i < 5 && !err; i++) {
        err = number_take(reader, &reader->field[3 + i], UINT32_MAX, fallback[i], &number[i]);
    }
    err = err ? err : tail_take(reader, 8, TTL_SOA, &ttl_s, &holds);
    return err || !holds ? err : soa_give(reader, &owner, &server, &contact, number, ttl_s);
}

/* :fqdn:n:rdata:ttl:timestamp:lo, written as RFC 3597 has it */
static int generic_read(struct reader *reader)
{
    static const uint16_t refused[] = {2, 5, 6, 12, 15, 252};
    uint8_t bytes[RDATA_MAX];
    struct domain owner;
    uint32_t type = 0, ttl_s;
    bool holds = true;
    char name[16];
    size_t n = 0;
    int err = name_take(reader, &reader->field[0], &owner);

    err = err ? err : number_take(reader, &reader->field[1], UINT16_MAX, 0, &type);
    for (size_t i = 0; !err && i < sizeof(refused) / sizeof(refused[0]); i++) {
        err = type == 0 || type == refused[i]
                  ? fault(reader, "no type for a generic record:", &reader->field[1])
                  : 0;
    }
    err = err ? err : bytes_take(reader, &reader->field[2], bytes, &n);
    err = err ? err : tail_take(reader, 3, TTL_ANY, &ttl_s, &holds);
    if (err || !holds) {
        return err;
    }
    text_clear(&reader->rdata);
    text_format(&reader->rdata, "\\# %zu ", n);
    for (size_t i = 0; i < n; i++) {
        text_format(&reader->rdata, "%02x", bytes[i]);
    }
    (void)snprintf(name, sizeof(name), "TYPE%" PRIu32, type);
    return record_give(reader, &owner, name, ttl_s, NULL, false);
}

/* %lo:ipprefix */
static int location_read(struct reader *reader)
{
    const struct field *prefix = &reader->field[1];
    struct tinydns_location location = {.line = reader->line,
                                        .prefix = {.address = {.family = ADDRESS_IPV4}}};
    size_t at = 0;

    (void)snprintf(location.name, sizeof(location.name), "%.*s",
                   (int)(reader->field[0].len < 2 ? reader->field[0].len : 2),
                   reader->field[0].text);
    while (at < prefix->len) {
        const char *dot = memchr(prefix->text + at, '.', prefix->len - at);
        size_t end = dot ? (size_t)(dot - prefix->text) : prefix->len;
        uint64_t value;

        if (location.prefix.len == 32 ||
            number_parse_u64(prefix->text + at, end - at, 0, 255, &value) != 0) {
            return fault(reader, "not the start of an IPv4 address:", prefix);
        }
        location.prefix.address.bytes[location.prefix.len / 8] = (uint8_t)value;
        location.prefix.len = (uint8_t)(location.prefix.len + 8);
        at = end + 1;
    }
    return location.name[0] ? reader->sink->location(reader->sink->context, &location)
                            : fault(reader, "a location without a name:", prefix);
}

/* --- lines --- */

/* tinydns-data reads up to 15 fields and forgets the rest. */
static void fields_split(struct reader *reader, const char *text, size_t len)
{
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        const char *colon = len ? memchr(text, ':', len) : NULL;
        size_t n = colon ? (size_t)(colon - text) : len;

        reader->field[i] = (struct field){.text = text, .len = n};
        text += colon ? n + 1 : n;
        len -= colon ? n + 1 : n;
    }
}

static int line_read(struct reader *reader, const char *text, size_t len)
{
    while (len && strchr(" \t\r", text[len - 1]) && text[len - 1]) {
        len--;
    }
    if (len == 0 || text[0] == '#' || text[0] == '-') {
        return 0;
    }
    reader->kind = text[0];
    reader->location[0] = '\0';
    fields_split(reader, text + 1, len - 1);
    switch (text[0]) {
    case '.':
    case '&':
        return servers_read(reader);
    case '=':
    case '+':
    case '6':
    case '3':
        return host_read(reader);
    case '@':
        return mail_read(reader);
    case '\'':
        return text_read(reader);
    case '^':
    case 'C':
        return pointer_read(reader);
    case 'Z':
        return authority_read(reader);
    case ':':
        return generic_read(reader);
    case '%':
        return location_read(reader);
    default:
        return fault(reader,
                     "no kind of line of tinydns-data:", &(struct field){.text = text, .len = 1});
    }
}

int tinydns_lines_read(const struct tinydns_source *source, const uint8_t *bytes, size_t len,
                       const struct tinydns_sink *sink, struct notes *notes)
{
    struct reader reader = {.source = source, .sink = sink, .notes = notes};
    const char *text = (const char *)bytes;
    int err = 0;

    while (len && !err) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;

        reader.line++;
        err = line_read(&reader, text, n);
        err = err == -EINVAL ? 0 : err; /* noted */
        n += end != NULL;
        text += n;
        len -= n;
    }
    text_done(&reader.rdata);
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include <libzscanner/scanner.h>

#include "edge/wire/name.h"
#include "edge/wire/wire.h"

#define TABLE_ALIASES_MAX 16

static struct {
    char name[32];
    char text[512];
} aliases[TABLE_ALIASES_MAX];
static size_t alias_n;
static unsigned line_n;
static char pending[1024]; /* a line read ahead */

static void table_fail(const char *reason, const char *what)
{
    fprintf(stderr, "queries.txt:%u: %s: %s\n", line_n, reason, what);
    exit(2);
}

static bool table_line(FILE *file, char ret_line[1024])
{
    while (fgets(ret_line, 1024, file)) {
        line_n++;
        ret_line[strcspn(ret_line, "\n")] = '\0';
        if (ret_line[0] && ret_line[0] != '#') {
            return true;
        }
    }
    return false;
}

/* A record through the scanner that reads zones; its type may be any that the scanner knows. */
static void table_scan(const char *text, struct table_record *ret_record)
{
    static zs_scanner_t scanner;
    char line[600];
    char *chaos, *any;

    snprintf(line, sizeof(line), "%s\n", text);
    chaos = strstr(line, " CH ");
    any = strstr(line, " ANY ");
    if (chaos) { /* the scanner reads one class only */
        memcpy(chaos, " IN ", 4);
    } else if (any) {
        memcpy(any, " IN  ", 5);
    }
    if (zs_init(&scanner, ".", 1, 0) || zs_set_input_string(&scanner, line, strlen(line)) ||
        zs_parse_record(&scanner) || scanner.state != ZS_STATE_DATA ||
        scanner.r_data_length > TABLE_RDATA_MAX) {
        table_fail("no record", text);
    }
    memcpy(ret_record->owner, scanner.r_owner, scanner.r_owner_length);
    ret_record->type = scanner.r_type;
    ret_record->class = chaos ? WIRE_CLASS_CH : any ? WIRE_CLASS_ANY : scanner.r_class;
    ret_record->ttl = scanner.r_ttl;
    ret_record->rdata_len = scanner.r_data_length;
    memcpy(ret_record->rdata, scanner.r_data, scanner.r_data_length);
    zs_deinit(&scanner);
}

static void table_record(struct table_row *row, enum table_section section, const char *text,
                         bool with_rrsig)
{
    struct table_list *list = &row->sections[section];

    if (text[0] == '@') {
        for (size_t i = 0; i < alias_n; i++) {
            if (!strcmp(text + 1, aliases[i].name)) {
                table_record(row, section, aliases[i].text, with_rrsig);
                return;
            }
        }
        table_fail("no such alias", text);
    }
    if (list->count == TABLE_RECORDS_MAX) {
        table_fail("too many records", text);
    }
    table_scan(text, &list->records[list->count]);
    list->records[list->count++].with_rrsig = with_rrsig;
}

/* "an RECORD" or "an+ RECORD". */
static bool table_section_line(struct table_row *row, const char *line)
{
    static const char *const names[TABLE_SECTIONS] = {"an", "au", "ad"};

    for (int section = 0; section < TABLE_SECTIONS; section++) {
        bool with_rrsig = line[0] && line[1] && line[2] == '+';

        if (!strncmp(line, names[section], 2) && line[2 + with_rrsig] == ' ') {
            table_record(row, (enum table_section)section, line + 3 + with_rrsig, with_rrsig);
            return true;
        }
    }
    return false;
}

/* The number of a type, found by reading an empty record of it in RFC 3597 form. */
static uint16_t table_type(const char *name)
{
    static const struct {
        const char *name;
        uint16_t type;
    } meta[] = {{"ANY", 255},  {"AXFR", 252}, {"IXFR", 251},  {"OPT", 41},
                {"TSIG", 250}, {"TKEY", 249}, {"MAILA", 254}, {"MAILB", 253}};
    struct table_record record;
    char text[128];

    for (size_t i = 0; i < sizeof(meta) / sizeof(meta[0]); i++) {
        if (!strcmp(name, meta[i].name)) {
            return meta[i].type;
        }
    }
    snprintf(text, sizeof(text), ". 0 IN %s \\# 4 01020304", name);
    table_scan(text, &record);
    return record.type;
}

static unsigned table_number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value > 65535) {
        table_fail("no number", text);
    }
    return (unsigned)value;
}

static int table_digit(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit ? strchr(digits, digit) : NULL;

    return found ? (int)(found - digits) : -1;
}

size_t table_hex(const char *hex, uint8_t *ret_bytes, size_t max)
{
    size_t len = 0;

    while (len < max && table_digit(hex[0]) >= 0 && table_digit(hex[1]) >= 0) {
        ret_bytes[len++] = (uint8_t)(table_digit(hex[0]) * 16 + table_digit(hex[1]));
        hex += 2;
    }
    return len;
}

/* What the options of a query line say. */
struct table_query {
    uint16_t class, flags, udp_size, edns_flags;
    uint8_t version;
    uint8_t options[512];
    size_t options_len;
};

static void table_option(struct table_query *query, uint16_t code, const uint8_t *data, size_t len)
{
    wire_put_u16(query->options + query->options_len, code);
    wire_put_u16(query->options + query->options_len + 2, (uint16_t)len);
    memcpy(query->options + query->options_len + 4, data, len);
    query->options_len += 4 + len;
}

static void table_ecs_option(struct table_row *row, struct table_query *query, const uint8_t *data,
                             size_t len)
{
    row->ecs = true;
    row->ecs_at =
        query->options_len + 4; /* within the options; the caller adds where those start */
    row->ecs_len = len;
    table_option(query, 8, data, len);
}

static void table_ecs(struct table_row *row, struct table_query *query, char *text)
{
    uint8_t data[20] = {0};
    struct address address;
    char *slash = strchr(text, '/');
    unsigned bits;

    if (!slash) {
        table_fail("ecs without length", text);
    }
    *slash = '\0';
    bits = table_number(slash + 1);
    if (address_parse(text, &address)) {
        table_fail("no address", text);
    }
    wire_put_u16(data, address.family == ADDRESS_IPV4 ? 1 : 2);
    data[2] = (uint8_t)bits;
    memcpy(data + 4, address.bytes, 16);
    row->ecs = true;
    row->ecs_at =
        query->options_len + 4; /* within the options; the caller adds where those start */
    row->ecs_len = 4 + (bits + 7) / 8;
    table_option(query, 8, data, row->ecs_len);
}

static void table_query_word(struct table_row *row, struct table_query *query, char *word)
{
    char *value = strchr(word, '=');
    uint8_t raw[256];

    if (value) {
        *value++ = '\0';
    }
    if (!strcmp(word, "CH") || !strcmp(word, "HS") || !strcmp(word, "CLASSANY")) {
        query->class = word[0] == 'H' ? 4 : word[1] == 'H' ? 3 : 255;
    } else if (!strcmp(word, "rd")) {
        query->flags |= WIRE_FLAG_RD;
    } else if (!strcmp(word, "cd")) {
        query->flags |= WIRE_FLAG_CD;
    } else if (!strcmp(word, "ad")) {
        query->flags |= 0x20;
    } else if (!strcmp(word, "tcp")) {
        row->tcp = true;
    } else if (!strcmp(word, "udp")) {
        row->udp = true;
    } else if (!strcmp(word, "from") && value) {
        if (address_parse(value, &row->client)) {
            table_fail("no address", value);
        }
    } else {
        row->edns = true;
        if (!strcmp(word, "do")) {
            query->edns_flags = 0x8000;
        } else if (!strcmp(word, "nsid")) {
            table_option(query, 3, raw, 0);
        } else if (!strcmp(word, "edns") && value) {
            query->udp_size = (uint16_t)table_number(value);
        } else if (!strcmp(word, "version") && value) {
            query->version = (uint8_t)table_number(value);
        } else if (!strcmp(word, "ecs") && value) {
            table_ecs(row, query, value);
        } else if (!strcmp(word, "ecshex") && value) { /* for options that are wrong */
            table_ecs_option(row, query, raw, table_hex(value, raw, sizeof(raw)));
        } else if (!strcmp(word, "cookie") && value) {
            if (!row->cookie_at) {
                row->cookie_at = query->options_len + 4; /* as with ecs_at */
            }
            table_option(query, 10, raw, table_hex(value, raw, sizeof(raw)));
        } else if (!strcmp(word, "keepalive") && value) {
            row->keepalive = true;
            table_option(query, 11, raw, table_hex(value, raw, sizeof(raw)));
        } else if (!strcmp(word, "padding")) {
            memset(raw, 0, sizeof(raw));
            table_option(query, 12, raw, 64);
        } else if (!strcmp(word, "option") && value) {
            table_option(query, 65001, raw, table_hex(value, raw, sizeof(raw)));
        } else {
            table_fail("unknown word", word);
        }
    }
}

static void table_build(struct table_row *row, const struct table_query *query, const char *name,
                        const char *type)
{
    uint8_t *at = row->query;
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];

    if (name_from_text(name, wire)) {
        table_fail("no name", name);
    }
    memset(at, 0, WIRE_HEADER_LEN);
    wire_put_u16(at, 0x1234);
    wire_put_u16(at + 2, query->flags);
    wire_put_u16(at + 4, 1);
    wire_put_u16(at + 10, row->edns);
    at += WIRE_HEADER_LEN;
    memcpy(at, wire, name_len(wire));
    at += name_len(wire);
    wire_put_u16(at, table_type(type));
    wire_put_u16(at + 2, query->class);
    at += 4;
    if (row->edns) {
        at[0] = 0;
        wire_put_u16(at + 1, WIRE_TYPE_OPT);
        wire_put_u16(at + 3, query->udp_size);
        at[5] = 0;
        at[6] = query->version;
        wire_put_u16(at + 7, query->edns_flags);
        wire_put_u16(at + 9, (uint16_t)query->options_len);
        at += 11;
        row->ecs_at += (size_t)(at - row->query);
        row->cookie_at += row->cookie_at ? (size_t)(at - row->query) : 0;
        memcpy(at, query->options, query->options_len);
        at += query->options_len;
    }
    row->query_len = (size_t)(at - row->query);
}

static void table_parse_query(struct table_row *row, char *line)
{
    struct table_query query = {.class = 1, .udp_size = 1232};
    char *save, *name, *type, *word;

    snprintf(row->text, sizeof(row->text), "%s", line);
    row->line = line_n;
    row->scope = -1;
    row->error = -1;
    address_parse("127.0.0.1", &row->client);
    name = strtok_r(line, " ", &save);
    if (!strncmp(name, "raw=", 4)) {
        row->query_len = table_hex(name + 4, row->query, sizeof(row->query));
        row->udp_limit = 512;
        word = strtok_r(NULL, " ", &save);
        row->edns = word && !strcmp(word, "edns");
        return;
    }
    type = strtok_r(NULL, " ", &save);
    if (!type) {
        table_fail("no type", row->text);
    }
    while ((word = strtok_r(NULL, " ", &save))) {
        table_query_word(row, &query, word);
    }
    table_build(row, &query, name, type);
    row->udp_limit = !row->edns || query.udp_size < 512 ? 512
                     : query.udp_size > 1232            ? 1232
                                                        : query.udp_size;
}

static void table_parse_result(struct table_row *row, char *line)
{
    char *save, *word = strtok_r(line, " ", &save);

    if (!strcmp(word, "nothing")) {
        row->dropped = true;
        return;
    }
    snprintf(row->rcode, sizeof(row->rcode), "%s", word);
    row->keepalive = row->keepalive && row->tcp && strcmp(word, "FORMERR") != 0;
    word = strtok_r(NULL, " ", &save);
    snprintf(row->kind, sizeof(row->kind), "%s", word ? word : "");
    while ((word = strtok_r(NULL, " ", &save))) {
        if (!strcmp(word, "aa")) {
            row->flags |= WIRE_FLAG_AA;
        } else if (!strcmp(word, "tc")) {
            row->flags |= WIRE_FLAG_TC;
        } else if (!strcmp(word, "rd")) {
            row->flags |= WIRE_FLAG_RD;
        } else if (!strcmp(word, "cd")) {
            row->flags |= WIRE_FLAG_CD;
        } else if (!strcmp(word, "cookie")) {
            row->cookie = true;
        } else if (!strcmp(word, "any")) {
            row->any_records = true;
        } else if (!strncmp(word, "ede=", 4)) {
            row->error = (int)table_number(word + 4);
        } else if (!strncmp(word, "scope=", 6)) {
            row->scope = (int)table_number(word + 6);
        } else {
            table_fail("unknown word", word);
        }
    }
}

bool table_next(FILE *file, struct table_row *ret_row)
{
    char line[1024];
    bool have = false;

    memset(ret_row, 0, sizeof(*ret_row));
    for (;;) {
        if (pending[0]) {
            memcpy(line, pending, sizeof(line));
            pending[0] = '\0';
        } else if (!table_line(file, line)) {
            if (!have) { /* the table may be read again */
                alias_n = 0;
                line_n = 0;
            }
            return have;
        }
        if (line[0] == '@') {
            size_t name_n = strcspn(line + 1, " ");

            if (alias_n == TABLE_ALIASES_MAX || !line[1 + name_n]) {
                table_fail("alias", line);
            }
            snprintf(aliases[alias_n].name, sizeof(aliases[0].name), "%.*s", (int)name_n, line + 1);
            snprintf(aliases[alias_n++].text, sizeof(aliases[0].text), "%s", line + 2 + name_n);
        } else if (line[0] == '?') {
            if (have) {
                memcpy(pending, line, sizeof(pending));
                return true;
            }
            have = true;
            table_parse_query(ret_row, line + 2);
        } else if (line[0] == '=') {
            table_parse_result(ret_row, line + 2);
        } else if (!table_section_line(ret_row, line)) {
            table_fail("unknown line", line);
        }
    }
}

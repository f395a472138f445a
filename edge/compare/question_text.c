/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/question_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libknot/libknot.h>

#include "base/number.h"
#include "edge/compare/question.h"
#include "edge/wire/wire.h"

/* A cookie of a client that everybody may know: both servers are to see the same query. */
static const uint8_t cookie_default[8] = {0x69, 0x73, 0x6f, 0x63, 0x68, 0x72, 0x6f, 0x6e};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of a text that is a string, NUL-terminated in place; NULL at the end. */
static char *word_next(char **at)
{
    char *word = *at;

    while (is_space(*word)) {
        word++;
    }
    if (!*word) {
        return NULL;
    }
    for (*at = word; **at && !is_space(**at); (*at)++) {
    }
    if (**at) {
        *(*at)++ = '\0';
    }
    return word;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends; false when it is not hexadecimal, odd, or does not fit. */
static bool hex_append(const char *text, uint8_t *bytes, size_t max, size_t *len)
{
    const size_t digits = strlen(text);

    if (digits % 2 || digits / 2 > max - *len) {
        return false;
    }
    for (size_t i = 0; i < digits; i += 2) {
        const int high = hex_digit(text[i]);
        const int low = hex_digit(text[i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        bytes[(*len)++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int option_with_hex(struct question *question, uint16_t code, const char *hex)
{
    uint8_t bytes[QUESTION_OPTIONS_MAX];
    size_t len = 0;

    if (hex && !hex_append(hex, bytes, sizeof(bytes), &len)) {
        return -EINVAL;
    }
    return question_add_option(question, code, bytes, len) ? -EINVAL : 0;
}

/* "CODE" or "CODE:HEX". */
static int flag_option(struct question *question, const char *value)
{
    const char *colon = value ? strchr(value, ':') : NULL;
    const size_t digits = colon ? (size_t)(colon - value) : strlen(value ? value : "");
    uint64_t code;

    if (!value || number_parse_u64(value, digits, 0, 65535, &code)) {
        return -EINVAL;
    }
    return option_with_hex(question, (uint16_t)code, colon ? colon + 1 : NULL);
}

static int flag_subnet(struct question *question, const char *value)
{
    struct prefix subnet;

    if (!value || prefix_parse(value, false, &subnet)) {
        return -EINVAL;
    }
    return question_set_subnet(question, &subnet) ? -EINVAL : 0;
}

static int flag_cookie(struct question *question, const char *value)
{
    if (value) {
        return option_with_hex(question, KNOT_EDNS_OPTION_COOKIE, value);
    }
    return question_add_option(question, KNOT_EDNS_OPTION_COOKIE, cookie_default,
                               sizeof(cookie_default))
               ? -EINVAL
               : 0;
}

/* Flags with a number; -ENOENT when there is none of that name. */
static int flag_number(struct question *question, const char *name, const char *value)
{
    static const struct {
        const char *name;
        uint16_t max;
    } flags[] = {{"bufsize", 65535}, {"edns", 255}, {"opcode", 15}, {"rcode", 15}};
    uint64_t number = 0;
    size_t i = 0;

    while (i < sizeof(flags) / sizeof(flags[0]) && strcmp(name, flags[i].name) != 0) {
        i++;
    }
    if (i == sizeof(flags) / sizeof(flags[0])) {
        return -ENOENT;
    }
    if (value ? number_parse_u64(value, strlen(value), 0, flags[i].max, &number) != 0 : i != 1) {
        return -EINVAL;
    }
    if (i < 2) {
        question_need_edns(question);
    }
    switch (i) {
    case 0:
        question->payload = (uint16_t)number;
        break;
    case 1:
        question->version = (uint8_t)number;
        break;
    case 2:
        question->flags = (uint16_t)((question->flags & ~WIRE_FLAG_OPCODE) | number << 11);
        break;
    default:
        question->flags = (uint16_t)((question->flags & ~0xfu) | number);
    }
    return 0;
}

/* Flags without a value; -ENOENT when there is none of that name. */
static int flag_plain(struct question *question, const char *name, const char *value)
{
    static const struct {
        const char *name;
        uint16_t set;
        uint16_t clear;
    } bits[] = {{"rec", WIRE_FLAG_RD, 0}, {"norec", 0, WIRE_FLAG_RD}, {"aa", WIRE_FLAG_AA, 0},
                {"tc", WIRE_FLAG_TC, 0},  {"ra", 0x0080, 0},          {"z", 0x0040, 0},
                {"ad", 0x0020, 0},        {"cd", WIRE_FLAG_CD, 0},    {"qr", WIRE_FLAG_QR, 0}};
    size_t i = 0;

    while (i < sizeof(bits) / sizeof(bits[0]) && strcmp(name, bits[i].name) != 0) {
        i++;
    }
    if (i < sizeof(bits) / sizeof(bits[0])) {
        question->flags = (uint16_t)((question->flags | bits[i].set) & ~(unsigned)bits[i].clear);
    } else if (!strcmp(name, "tcp")) {
        question->tcp = true;
    } else if (!strcmp(name, "notcp")) {
        question->tcp = false;
    } else if (!strcmp(name, "do")) {
        question_need_edns(question);
        question->dnssec_ok = true;
    } else if (!strcmp(name, "nsid")) {
        return value ? -EINVAL : option_with_hex(question, KNOT_EDNS_OPTION_NSID, NULL);
    } else {
        return -ENOENT;
    }
    return value ? -EINVAL : 0;
}

/* `word` starts with "+". */
static int flag_apply(struct question *question, char *word)
{
    char *value = strchr(word, '=');
    const char *name = word + 1;
    int status;

    if (value) {
        *value++ = '\0';
    }
    if (question->raw) { /* its bytes are what they are */
        return !strcmp(name, "tcp") || !strcmp(name, "notcp") ? flag_plain(question, name, value)
                                                              : -EINVAL;
    }
    if (!strcmp(name, "subnet")) {
        status = flag_subnet(question, value);
    } else if (!strcmp(name, "cookie")) {
        status = flag_cookie(question, value);
    } else if (!strcmp(name, "opt")) {
        status = flag_option(question, value);
    } else {
        status = flag_number(question, name, value);
        status = status == -ENOENT ? flag_plain(question, name, value) : status;
    }
    if (value) {
        value[-1] = '=';
    }
    return status;
}

/* Where a word stands in its line, and what is wrong with it. */
struct place {
    const char *file;
    unsigned line;
    const char *start;
};

static int wrong(const struct place *place, const char *word, const char *reason,
                 struct failure *failure)
{
    return failure_set(failure, -EINVAL, "%s:%u:%u: \"%.200s\": %s", place->file, place->line,
                       word ? (unsigned)(word - place->start + 1) : 1, word ? word : "", reason);
}

/* After "\#": the length, then hexadecimal words, then "+tcp" perhaps. */
static int parse_raw(struct question *question, char *rest, const struct place *place,
                     struct failure *failure)
{
    uint8_t bytes[QUESTION_WIRE_MAX];
    char *word = word_next(&rest);
    uint64_t expected;
    size_t len = 0;

    if (!word || number_parse_u64(word, strlen(word), 2, QUESTION_WIRE_MAX, &expected)) {
        return wrong(place, word, "not a length in bytes", failure);
    }
    while ((word = word_next(&rest)) && *word != '+') {
        if (!hex_append(word, bytes, sizeof(bytes), &len)) {
            return wrong(place, word, "not hexadecimal, or too long", failure);
        }
    }
    if (len != expected) {
        return wrong(place, NULL, "more or fewer bytes than the length says", failure);
    }
    question_from_bytes(question, bytes, len, false);
    for (; word; word = word_next(&rest)) {
        if (*word != '+' || flag_apply(question, word)) {
            return wrong(place, word, "a message given in bytes takes +tcp only", failure);
        }
    }
    return 1;
}

static int parse_line(struct question *question, char *line, const struct place *place,
                      struct failure *failure)
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
    char *rest = line;
    char *word = word_next(&rest);
    uint16_t type;

    if (!word || *word == ';') {
        return 0;
    }
    if (!strcmp(word, "\\#")) {
        return parse_raw(question, rest, place, failure);
    }
    if (name_from_text(word, name)) {
        return wrong(place, word, "not a domain name", failure);
    }
    word = word_next(&rest);
    if (!word || knot_rrtype_from_string(word, &type) != 0) {
        return wrong(place, word, "not a record type", failure);
    }
    question_init(question, name, type);
    word = word_next(&rest);
    if (word && *word != '+') {
        if (knot_rrclass_from_string(word, &question->class) != 0) {
            return wrong(place, word, "not a class, and not a flag (+do, +tcp, ...)", failure);
        }
        word = word_next(&rest);
    }
    for (; word; word = word_next(&rest)) {
        if (*word != '+' || flag_apply(question, word)) {
            return wrong(place, word, "not a flag, or its value is wrong", failure);
        }
    }
    question_render(question);
    return 1;
}

int question_text_parse(struct question *ret_question, const char *line, size_t len,
                        const char *file, unsigned line_number, struct failure *failure)
{
    char copy[QUESTION_LINE_MAX + 1];
    const struct place place = {.file = file, .line = line_number, .start = copy};

    if (len > QUESTION_LINE_MAX) {
        return wrong(&place, NULL, "the line is too long", failure);
    }
    if (memchr(line, '\0', len)) {
        return wrong(&place, NULL, "the line holds a NUL byte", failure);
    }
    memcpy(copy, line, len);
    copy[len] = '\0';
    return parse_line(ret_question, copy, &place, failure);
}

int question_text_flags(struct question *question, const char *flags, struct failure *failure)
{
    char copy[QUESTION_LINE_MAX + 1];
    char *rest = copy;

    if (strlen(flags) > QUESTION_LINE_MAX) {
        return failure_set(failure, -EINVAL, "flags are too long");
    }
    snprintf(copy, sizeof(copy), "%s", flags);
    for (char *word; (word = word_next(&rest));) {
        if (*word != '+' || (!question->raw && flag_apply(question, word))) {
            return failure_set(failure, -EINVAL, "\"%.200s\": not a flag, or its value is wrong",
                               word);
        }
    }
    question_render(question);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "query_file.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDNS_UDP_SIZE 1232

static const struct {
    const char *name;
    uint16_t value;
} types[] = {
    {"A", 1}, {"NS", 2}, {"SOA", 6}, {"MX", 15}, {"TXT", 16}, {"AAAA", 28}, {"HTTPS", 65},
};

static uint8_t *put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static bool type_parse(const char *text, uint16_t *ret_type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(text, types[i].name) == 0) {
            *ret_type = types[i].value;
            return true;
        }
    }
    return false;
}

/* RFC 1035 section 3.1; no escapes. Returns the end, NULL when the name does not fit. */
static uint8_t *name_put(uint8_t *at, const char *name)
{
    const uint8_t *start = at;
    while (*name != '\0') {
        const char *dot = strchrnul(name, '.');
        size_t len = (size_t)(dot - name);
        if (len == 0 || len > 63 || (size_t)(at - start) + len + 2 > 255)
            return NULL;
        *at++ = (uint8_t)len;
        memcpy(at, name, len);
        at += len;
        name = *dot == '.' ? dot + 1 : dot;
    }
    *at++ = 0;
    return at;
}

/* RFC 7871 section 6. `text` is ADDRESS/LENGTH and is cut at the slash. */
static uint8_t *ecs_put(uint8_t *at, char *text)
{
    uint8_t address[16];
    char *slash = strchr(text, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    bool ipv4 = inet_pton(AF_INET, text, address) == 1;
    if (!ipv4 && inet_pton(AF_INET6, text, address) != 1)
        return NULL;
    unsigned long length = strtoul(slash + 1, NULL, 10);
    if (length > (ipv4 ? 32UL : 128UL))
        return NULL;
    unsigned bytes = (unsigned)(length + 7) / 8;
    if (length % 8 != 0)
        address[bytes - 1] &= (uint8_t)(0xff << (8 - length % 8));
    at = put16(at, 8);
    at = put16(at, 4 + bytes);
    at = put16(at, ipv4 ? 1 : 2);
    *at++ = (uint8_t)length;
    *at++ = 0;
    memcpy(at, address, bytes);
    return at + bytes;
}

/* Puts one line into wire form; returns its length, 0 with *ret_why when the line is wrong. */
static size_t line_put(char *line, uint8_t wire[static QUERY_WIRE_MAX], uint32_t *ret_from_be,
                       const char **ret_why)
{
    char *save = NULL;
    const char *name = strtok_r(line, " \t\n", &save);
    const char *type_text = strtok_r(NULL, " \t\n", &save);
    uint16_t type = 0;
    *ret_why = "expected: NAME TYPE [ecs=ADDRESS/LENGTH] [from=ADDRESS]";
    if (name == NULL || type_text == NULL || !type_parse(type_text, &type))
        return 0;
    memset(wire, 0, 12);
    wire[5] = 1;  /* one question */
    wire[11] = 1; /* one additional record: OPT */
    uint8_t *at = name_put(wire + 12, strcmp(name, ".") == 0 ? "" : name);
    if (at == NULL)
        return 0;
    at = put16(put16(at, type), 1);
    *at++ = 0; /* RFC 6891 section 6.1.2: OPT at the root */
    at = put16(put16(at, 41), EDNS_UDP_SIZE);
    at = put16(put16(at, 0), 0);
    uint8_t *length_at = at;
    at = put16(at, 0);
    for (char *word; (word = strtok_r(NULL, " \t\n", &save)) != NULL;) {
        if (strncmp(word, "ecs=", 4) == 0) {
            at = ecs_put(at, word + 4);
            if (at == NULL) {
                *ret_why = "ecs= wants ADDRESS/LENGTH";
                return 0;
            }
        } else if (strncmp(word, "from=", 5) != 0 ||
                   inet_pton(AF_INET, word + 5, ret_from_be) != 1) {
            return 0;
        }
    }
    put16(length_at, (unsigned)(at - length_at - 2));
    return (size_t)(at - wire);
}

static void *grow(void *block, size_t need, size_t *capacity, size_t size)
{
    if (need <= *capacity)
        return block;
    size_t wanted = *capacity == 0 ? 4096 : *capacity * 2;
    while (wanted < need)
        wanted *= 2;
    void *bigger = realloc(block, wanted * size);
    if (bigger == NULL) {
        perror("realloc");
        exit(1);
    }
    *capacity = wanted;
    return bigger;
}

int query_file_read(struct query_file *ret_file, const char *path)
{
    struct query_file file = {0};
    size_t query_capacity = 0;
    size_t wire_capacity = 0;
    char *line = NULL;
    size_t line_size = 0;
    FILE *stream = fopen(path, "r");
    if (stream == NULL) {
        perror(path);
        return -1;
    }
    while (getline(&line, &line_size, stream) > 0) {
        uint8_t wire[QUERY_WIRE_MAX];
        struct query query = {.wire_at = (uint32_t)file.wire_len};
        const char *why;
        query.wire_len = (uint16_t)line_put(line, wire, &query.from_be, &why);
        if (query.wire_len == 0) {
            fprintf(stderr, "%s:%zu: %s\n", path, file.query_n + 1, why);
            file.query_n = 0;
            break;
        }
        file.wire = grow(file.wire, file.wire_len + query.wire_len, &wire_capacity, 1);
        memcpy(file.wire + file.wire_len, wire, query.wire_len);
        file.wire_len += query.wire_len;
        file.queries = grow(file.queries, file.query_n + 1, &query_capacity, sizeof query);
        file.queries[file.query_n++] = query;
    }
    free(line);
    fclose(stream);
    if (file.query_n == 0) {
        fprintf(stderr, "%s: no queries\n", path);
        query_file_done(&file);
        return -1;
    }
    *ret_file = file;
    return 0;
}

void query_file_done(struct query_file *file)
{
    free(file->queries);
    free(file->wire);
    *file = (struct query_file){0};
}

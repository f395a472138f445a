/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The golden table: queries and the answers they must get, as people write them. See queries.txt
 * for the form.
 */
#ifndef GOLDEN_TABLE_H
#define GOLDEN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/address.h"

#define TABLE_RECORDS_MAX 128
#define TABLE_RDATA_MAX 1024
#define TABLE_QUERY_MAX 4096

enum table_section {
    TABLE_ANSWER,
    TABLE_AUTHORITY,
    TABLE_ADDITIONAL,
    TABLE_SECTIONS,
};

struct table_record {
    uint8_t owner[264];
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    bool with_rrsig; /* and the signatures over its set */
    size_t rdata_len;
    uint8_t rdata[TABLE_RDATA_MAX]; /* names not compressed */
};

struct table_list {
    struct table_record records[TABLE_RECORDS_MAX];
    size_t count;
};

struct table_row {
    unsigned line;
    char text[512]; /* the query as written */
    uint8_t query[TABLE_QUERY_MAX];
    size_t query_len;
    struct address client;
    bool tcp; /* only */
    bool udp; /* only */
    bool edns;
    bool ecs;
    size_t cookie_at; /* of the client cookie in the query; 0: none */
    size_t ecs_at;    /* of the ECS option's data in the query */
    size_t ecs_len;
    unsigned udp_limit;
    /* expected */
    bool dropped;
    char rcode[16];
    char kind[16];
    uint16_t flags;   /* AA, TC, RD, CD */
    int scope;        /* -1: no ECS option */
    int error;        /* -1: no extended error */
    bool keepalive;   /* 10 s of it, over TCP */
    bool cookie;      /* a COOKIE option, with the client's cookie and one of ours */
    bool any_records; /* the sections are not compared */
    struct table_list sections[TABLE_SECTIONS];
};

/* Bytes of pairs of hexadecimal digits; stops at the first character that is none. */
size_t table_hex(const char *hex, uint8_t *ret_bytes, size_t max);

/* The next row. False at the end; exits with a message when the table itself is wrong. */
bool table_next(FILE *file, struct table_row *ret_row);

#endif

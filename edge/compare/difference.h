/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What differs between two servers' responses to the same query, in classes that can be counted,
 * ignored and explained. Records are compared as sets: neither their order nor that of the RRsets
 * in a section matters, only the order of the RRsets of an answer, which clients follow from CNAME
 * to CNAME. Pure.
 */
#ifndef EDGE_COMPARE_DIFFERENCE_H
#define EDGE_COMPARE_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply;

enum difference_class {
    DIFFERENCE_NO_ANSWER,  /* from one of them: lost, refused, closed */
    DIFFERENCE_MALFORMED,  /* no DNS message */
    DIFFERENCE_QUESTION,   /* not repeated alike, letter by letter */
    DIFFERENCE_RCODE,      /* with the bits from EDNS */
    DIFFERENCE_FLAGS,      /* of the header, but TC */
    DIFFERENCE_TRUNCATION, /* TC over UDP */
    DIFFERENCE_ANSWER,
    DIFFERENCE_AUTHORITY,
    DIFFERENCE_ADDITIONAL,
    DIFFERENCE_TTL,
    DIFFERENCE_ORDER,   /* of RRsets in the answer */
    DIFFERENCE_EDNS,    /* there or not, version, DO */
    DIFFERENCE_ECS,     /* client subnet: there or not, its address, its scope */
    DIFFERENCE_OPTIONS, /* strict only: which other options, the payload size */
    DIFFERENCE_CLASS_N,
};

struct difference_item {
    enum difference_class class;
    char *old_text; /* "" for a record the other one has */
    char *new_text;
};

struct difference {
    uint32_t classes; /* bits 1 << enum difference_class */
    bool failed;      /* out of memory: incomplete */
    size_t item_n;
    struct difference_item *items;
};

struct difference_rules {
    uint32_t ignored; /* bits */
    bool strict;      /* options and payload size too; names by letter is reply_parse()'s */
};

const char *difference_class_name(enum difference_class class);

/* The class of that name, or -ENOENT. */
int difference_class_parse(const char *name, size_t len, enum difference_class *ret_class);

/* Adds an item unless its class is ignored; for what only the caller knows. */
void difference_add(struct difference *difference, const struct difference_rules *rules,
                    enum difference_class class, const char *old_text, const char *new_text);

/* Adds everything in which two whole responses differ. */
void difference_find(struct difference *difference, const struct difference_rules *rules,
                     const struct reply *old_reply, const struct reply *new_reply);

/* The same for responses of which at least one is cut short (TC): header only. */
void difference_find_header(struct difference *difference, const struct difference_rules *rules,
                            const struct reply *old_reply, const struct reply *new_reply);

void difference_done(struct difference *difference);

#endif

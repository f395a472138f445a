/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/difference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/compare/reply.h"
#include "edge/wire/wire.h"

#define FLAGS_COMPARED 0xfdf0u /* all but TC and RCODE */

static const char *const class_names[DIFFERENCE_CLASS_N] = {
    [DIFFERENCE_NO_ANSWER] = "no-answer",
    [DIFFERENCE_MALFORMED] = "malformed",
    [DIFFERENCE_QUESTION] = "question",
    [DIFFERENCE_RCODE] = "rcode",
    [DIFFERENCE_FLAGS] = "flags",
    [DIFFERENCE_TRUNCATION] = "truncation",
    [DIFFERENCE_ANSWER] = "answer",
    [DIFFERENCE_AUTHORITY] = "authority",
    [DIFFERENCE_ADDITIONAL] = "additional",
    [DIFFERENCE_TTL] = "ttl",
    [DIFFERENCE_ORDER] = "order",
    [DIFFERENCE_EDNS] = "edns",
    [DIFFERENCE_ECS] = "ecs",
    [DIFFERENCE_OPTIONS] = "options",
};

const char *difference_class_name(enum difference_class class)
{
    return class_names[class];
}

int difference_class_parse(const char *name, size_t len, enum difference_class *ret_class)
{
    for (unsigned i = 0; i < DIFFERENCE_CLASS_N; i++) {
        if (strlen(class_names[i]) == len && memcmp(class_names[i], name, len) == 0) {
            *ret_class = (enum difference_class)i;
            return 0;
        }
    }
    return -ENOENT;
}

static bool wanted(const struct difference_rules *rules, enum difference_class class)
{
    return !(rules->ignored & UINT32_C(1) << class) &&
           (class != DIFFERENCE_OPTIONS || rules->strict);
}

void difference_add(struct difference *difference, const struct difference_rules *rules,
                    enum difference_class class, const char *old_text, const char *new_text)
{
    struct difference_item *items;
    struct difference_item *item;

    if (!wanted(rules, class)) {
        return;
    }
    difference->classes |= UINT32_C(1) << class;
    items = realloc(difference->items, (difference->item_n + 1) * sizeof(*items));
    if (!items) {
        difference->failed = true;
        return;
    }
    difference->items = items;
    item = &items[difference->item_n];
    *item = (struct difference_item){
        .class = class, .old_text = strdup(old_text), .new_text = strdup(new_text)};
    if (!item->old_text || !item->new_text) {
        free(item->old_text);
        free(item->new_text);
        difference->failed = true;
        return;
    }
    difference->item_n++;
}

void difference_done(struct difference *difference)
{
    for (size_t i = 0; i < difference->item_n; i++) {
        free(difference->items[i].old_text);
        free(difference->items[i].new_text);
    }
    free(difference->items);
    *difference = (struct difference){0};
}

static const char *rcode_text(uint16_t rcode, char ret_text[static 16])
{
    for (const knot_lookup_t *entry = knot_rcode_names; entry->name; entry++) {
        if (entry->id == rcode) {
            return entry->name;
        }
    }
    sprintf(ret_text, "RCODE%u", rcode);
    return ret_text;
}

static const char *flags_text(uint16_t flags, char ret_text[static 64])
{
    static const struct {
        uint16_t bit;
        const char *name;
    } names[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0100, "rd"}, {0x0080, "ra"},
                 {0x0040, "z"},  {0x0020, "ad"}, {0x0010, "cd"}};
    char *out = ret_text;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (flags & names[i].bit) {
            out += sprintf(out, "%s%s", out == ret_text ? "" : " ", names[i].name);
        }
    }
    if (flags & WIRE_FLAG_OPCODE) {
        out += sprintf(out, " opcode %d", (flags & WIRE_FLAG_OPCODE) >> 11);
    }
    *out = '\0';
    return ret_text;
}

static void find_header(struct difference *difference, const struct difference_rules *rules,
                        const struct reply *a, const struct reply *b)
{
    char old_text[64];
    char new_text[64];

    if (a->rcode != b->rcode) {
        difference_add(difference, rules, DIFFERENCE_RCODE, rcode_text(a->rcode, old_text),
                       rcode_text(b->rcode, new_text));
    }
    if ((a->flags ^ b->flags) & FLAGS_COMPARED) {
        difference_add(difference, rules, DIFFERENCE_FLAGS, flags_text(a->flags, old_text),
                       flags_text(b->flags, new_text));
    }
    if ((a->flags ^ b->flags) & WIRE_FLAG_TC) {
        difference_add(difference, rules, DIFFERENCE_TRUNCATION,
                       a->flags & WIRE_FLAG_TC ? "tc" : "whole",
                       b->flags & WIRE_FLAG_TC ? "tc" : "whole");
    }
}

/* For short fixed texts: every buffer here has room for them. */
static const char *text_set(char ret_text[static 32], const char *text)
{
    snprintf(ret_text, 32, "%s", text);
    return ret_text;
}

/* The question as it came back: name, type and class in hexadecimal would say little. */
static const char *question_text(const struct reply *reply, char ret_text[static 1400])
{
    const knot_dname_t *name;
    char type[32];

    if (knot_wire_get_qdcount(reply->bytes) == 0) {
        return text_set(ret_text, "none");
    }
    name = knot_pkt_qname(reply->packet);
    if (!name || !knot_dname_to_str(ret_text, name, 1024)) {
        return text_set(ret_text, "unreadable");
    }
    knot_rrtype_to_string(knot_pkt_qtype(reply->packet), type, sizeof(type));
    sprintf(ret_text + strlen(ret_text), " class %u %s", knot_pkt_qclass(reply->packet), type);
    return ret_text;
}

static void find_question(struct difference *difference, const struct difference_rules *rules,
                          const struct reply *a, const struct reply *b)
{
    const uint16_t a_len = knot_pkt_question_size(a->packet);
    const uint16_t b_len = knot_pkt_question_size(b->packet);
    char old_text[1400];
    char new_text[1400];

    if (a_len != b_len ||
        memcmp(a->bytes + WIRE_HEADER_LEN, b->bytes + WIRE_HEADER_LEN, a_len) != 0) {
        difference_add(difference, rules, DIFFERENCE_QUESTION, question_text(a, old_text),
                       question_text(b, new_text));
    }
}

/* Owner, type, class and RDATA: what makes two records the same. The TTL is the caller's. */
static int record_compare(const knot_rrset_t *a, const knot_rrset_t *b)
{
    const size_t a_len = knot_dname_size(a->owner);
    const size_t b_len = knot_dname_size(b->owner);
    const knot_rdata_t *a_data = a->rrs.rdata;
    const knot_rdata_t *b_data = b->rrs.rdata;
    int order = a_len != b_len ? (a_len > b_len ? 1 : -1) : memcmp(a->owner, b->owner, a_len);

    order = order ? order : (int)a->type - b->type;
    order = order ? order : (int)a->rclass - b->rclass;
    return order ? order : knot_rdata_cmp(a_data, b_data);
}

static int record_compare_pointers(const void *a, const void *b)
{
    const knot_rrset_t *const *left = a;
    const knot_rrset_t *const *right = b;
    const int order = record_compare(*left, *right);

    return order ? order : ((*left)->ttl > (*right)->ttl) - ((*left)->ttl < (*right)->ttl);
}

/* The records of a section in an order of our own. The caller frees; NULL when out of memory. */
static const knot_rrset_t **section_sorted(const struct reply *reply, knot_section_t section,
                                           size_t *ret_n)
{
    const size_t max = knot_pkt_section(reply->packet, section)->count;
    const knot_rrset_t **records = calloc(max + 1, sizeof(*records));
    uint16_t position = 0;
    size_t n = 0;

    if (!records) {
        return NULL;
    }
    for (const knot_rrset_t *record; (record = reply_next(reply, section, &position));) {
        records[n++] = record;
    }
    qsort(records, n, sizeof(*records), record_compare_pointers);
    *ret_n = n;
    return records;
}

static char *record_text(const knot_rrset_t *record)
{
    knot_dump_style_t style = KNOT_DUMP_STYLE_DEFAULT;
    size_t size = 512;
    char *text = malloc(size);

    style.original_ttl = false; /* of signatures: the TTL they came with */
    if (text && knot_rrset_txt_dump(record, &text, &size, &style) < 0) {
        text_set(text, "(a record without text)");
    }
    if (text) {
        text[strcspn(text, "\n")] = '\0';
        for (char *at = text; *at; at++) {
            *at = *at == '\t' ? ' ' : *at;
        }
    }
    return text;
}

static void add_records(struct difference *difference, const struct difference_rules *rules,
                        enum difference_class class, const knot_rrset_t *a, const knot_rrset_t *b)
{
    char *old_text = a ? record_text(a) : NULL;
    char *new_text = b ? record_text(b) : NULL;

    if ((a && !old_text) || (b && !new_text)) {
        difference->failed = true;
    }
    difference_add(difference, rules, class, old_text ? old_text : "", new_text ? new_text : "");
    free(old_text);
    free(new_text);
}

/* Whether the records are the same, TTLs aside. */
static bool find_section(struct difference *difference, const struct difference_rules *rules,
                         const struct reply *a, const struct reply *b, knot_section_t section,
                         enum difference_class class)
{
    size_t a_n = 0;
    size_t b_n = 0;
    const knot_rrset_t **as = section_sorted(a, section, &a_n);
    const knot_rrset_t **bs = section_sorted(b, section, &b_n);
    size_t i = 0;
    size_t j = 0;
    bool same = as && bs;

    if (!as || !bs) {
        difference->failed = true;
    }
    while (as && bs && (i < a_n || j < b_n)) {
        const int order = i == a_n ? 1 : j == b_n ? -1 : record_compare(as[i], bs[j]);

        same &= order == 0;
        if (order < 0) {
            add_records(difference, rules, class, as[i++], NULL);
        } else if (order > 0) {
            add_records(difference, rules, class, NULL, bs[j++]);
        } else {
            if (as[i]->ttl != bs[j]->ttl) {
                add_records(difference, rules, DIFFERENCE_TTL, as[i], bs[j]);
            }
            i++;
            j++;
        }
    }
    free(as);
    free(bs);
    return same;
}

/* The next record of the answer that starts another RRset; signatures go with what they sign. */
static const knot_rrset_t *rrset_next(const struct reply *reply, uint16_t *position,
                                      const knot_rrset_t *last)
{
    const knot_rrset_t *record;

    while ((record = reply_next(reply, KNOT_ANSWER, position))) {
        if (record->type != WIRE_TYPE_RRSIG &&
            !(last && last->type == record->type &&
              knot_dname_is_case_equal(last->owner, record->owner))) {
            return record;
        }
    }
    return NULL;
}

static void find_order(struct difference *difference, const struct difference_rules *rules,
                       const struct reply *a, const struct reply *b)
{
    const knot_rrset_t *left = NULL;
    const knot_rrset_t *right = NULL;
    uint16_t i = 0;
    uint16_t j = 0;

    do {
        left = rrset_next(a, &i, left);
        right = rrset_next(b, &j, right);
    } while (left && right && left->type == right->type &&
             knot_dname_is_case_equal(left->owner, right->owner));
    if (left || right) {
        add_records(difference, rules, DIFFERENCE_ORDER, left, right);
    }
}

static void find_edns(struct difference *difference, const struct difference_rules *rules,
                      const struct reply *a, const struct reply *b)
{
    const struct reply *sides[2] = {a, b};
    char texts[2][64];

    for (int i = 0; i < 2; i++) {
        const knot_rrset_t *opt = sides[i]->packet->opt_rr;

        if (opt) {
            sprintf(texts[i], "version %u%s", knot_edns_get_version(opt),
                    knot_edns_do(opt) ? " do" : "");
        } else {
            strcpy(texts[i], "none");
        }
    }
    if (strcmp(texts[0], texts[1]) != 0) {
        difference_add(difference, rules, DIFFERENCE_EDNS, texts[0], texts[1]);
    }
}

/* The first option of a code with its header, or NULL. */
static const uint8_t *option_find(const struct reply *reply, uint16_t code)
{
    return reply->packet->opt_rr ? knot_edns_get_option(reply->packet->opt_rr, code, NULL) : NULL;
}

static const char *subnet_text(const struct reply *reply, char ret_text[static 128])
{
    const uint8_t *option = option_find(reply, KNOT_EDNS_OPTION_CLIENT_SUBNET);
    const uint16_t len = option ? wire_get_u16(option + 2) : 0;
    char *out = ret_text;

    if (!option) {
        return text_set(ret_text, "none");
    }
    if (len < 4 || len > 20) {
        return text_set(ret_text, "malformed");
    }
    out += sprintf(out, "family %u address ", wire_get_u16(option + 4));
    for (uint16_t i = 4; i < len; i++) {
        out += sprintf(out, "%02x", option[4 + i]);
    }
    sprintf(out, "/%u scope /%u", option[6], option[7]);
    return ret_text;
}

static void find_subnet(struct difference *difference, const struct difference_rules *rules,
                        const struct reply *a, const struct reply *b)
{
    char old_text[128];
    char new_text[128];

    if (strcmp(subnet_text(a, old_text), subnet_text(b, new_text)) != 0) {
        difference_add(difference, rules, DIFFERENCE_ECS, old_text, new_text);
    }
}

/* Payload size, and the codes of the options in rising order; client subnet has its own class. */
static const char *options_text(const struct reply *reply, char ret_text[static 512])
{
    const knot_rrset_t *opt = reply->packet->opt_rr;
    char *out = ret_text;
    uint32_t after = 0;

    if (!opt) {
        return text_set(ret_text, "none");
    }
    out += sprintf(out, "payload %u", knot_edns_get_payload(opt));
    while (out - ret_text < 480) {
        const knot_rdata_t *rdata = opt->rrs.rdata;
        uint32_t next = UINT32_MAX;

        for (size_t at = 0; at + 4 <= rdata->len; at += 4 + wire_get_u16(rdata->data + at + 2)) {
            const uint32_t code = 1 + (uint32_t)wire_get_u16(rdata->data + at);

            if (code > after && code < next && code != 1 + KNOT_EDNS_OPTION_CLIENT_SUBNET) {
                next = code;
            }
        }
        if (next == UINT32_MAX) {
            break;
        }
        out += sprintf(out, " option %u", next - 1);
        after = next;
    }
    return ret_text;
}

static void find_options(struct difference *difference, const struct difference_rules *rules,
                         const struct reply *a, const struct reply *b)
{
    char old_text[512];
    char new_text[512];

    if (strcmp(options_text(a, old_text), options_text(b, new_text)) != 0) {
        difference_add(difference, rules, DIFFERENCE_OPTIONS, old_text, new_text);
    }
}

void difference_find_header(struct difference *difference, const struct difference_rules *rules,
                            const struct reply *old_reply, const struct reply *new_reply)
{
    find_header(difference, rules, old_reply, new_reply);
    if (old_reply->packet && new_reply->packet) {
        find_question(difference, rules, old_reply, new_reply);
        find_edns(difference, rules, old_reply, new_reply);
    }
}

void difference_find(struct difference *difference, const struct difference_rules *rules,
                     const struct reply *old_reply, const struct reply *new_reply)
{
    const struct reply *a = old_reply;
    const struct reply *b = new_reply;

    if (!a->packet || !b->packet) {
        find_header(difference, rules, a, b);
        if (a->len != b->len || memcmp(a->bytes, b->bytes, a->len) != 0) {
            difference_add(difference, rules, DIFFERENCE_MALFORMED,
                           a->malformed ? a->malformed : "well formed",
                           b->malformed ? b->malformed : "well formed");
        }
        return;
    }
    difference_find_header(difference, rules, a, b);
    if (find_section(difference, rules, a, b, KNOT_ANSWER, DIFFERENCE_ANSWER)) {
        find_order(difference, rules, a, b);
    }
    find_section(difference, rules, a, b, KNOT_AUTHORITY, DIFFERENCE_AUTHORITY);
    find_section(difference, rules, a, b, KNOT_ADDITIONAL, DIFFERENCE_ADDITIONAL);
    find_subnet(difference, rules, a, b);
    find_options(difference, rules, a, b);
}

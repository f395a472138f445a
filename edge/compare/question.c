/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/question.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libknot/libknot.h>

#include "edge/wire/wire.h"

#define DEFAULT_PAYLOAD 1232 /* what fits any path without fragments (DNS flag day 2020) */
#define OPTION_SUBNET 8
#define OPTION_COOKIE 10
#define COOKIE_CLIENT_LEN 8 /* RFC 7873 section 4.1 */
#define FLAG_DO 0x8000u

void question_init(struct question *ret_question, const uint8_t *name, uint16_t type)
{
    *ret_question = (struct question){.type = type, .class = WIRE_CLASS_IN, .flags = WIRE_FLAG_RD};
    memcpy(ret_question->name, name, name_len(name));
}

void question_need_edns(struct question *question)
{
    if (!question->edns) {
        question->edns = true;
        question->payload = DEFAULT_PAYLOAD;
    }
}

int question_add_option(struct question *question, uint16_t code, const uint8_t *bytes, size_t len)
{
    uint8_t *at = question->options + question->options_len;

    if (len + 4 > QUESTION_OPTIONS_MAX - question->options_len) {
        return -ENOSPC;
    }
    question_need_edns(question);
    wire_put_u16(at, code);
    wire_put_u16(at + 2, (uint16_t)len);
    if (len) {
        memcpy(at + 4, bytes, len);
    }
    question->options_len = (uint16_t)(question->options_len + 4 + len);
    return 0;
}

/* The next option at *at, or NULL at the end. */
static const uint8_t *option_next(const struct question *question, size_t *at, size_t *ret_len)
{
    const uint8_t *option = question->options + *at;

    if (question->options_len - *at < 4) {
        return NULL;
    }
    *ret_len = 4 + (size_t)wire_get_u16(option + 2);
    if (*ret_len > question->options_len - *at) {
        return NULL;
    }
    *at += *ret_len;
    return option;
}

bool question_has_option(const struct question *question, uint16_t code)
{
    size_t at = 0;
    size_t len;

    for (const uint8_t *option; (option = option_next(question, &at, &len));) {
        if (wire_get_u16(option) == code) {
            return true;
        }
    }
    return false;
}

void question_remove_option(struct question *question, uint16_t code)
{
    size_t at = 0;
    size_t len;

    for (const uint8_t *option; (option = option_next(question, &at, &len));) {
        if (wire_get_u16(option) == code) {
            const size_t start = at - len;

            memmove(question->options + start, question->options + at, question->options_len - at);
            question->options_len = (uint16_t)(question->options_len - len);
            at = start;
        }
    }
}

int question_set_subnet(struct question *question, const struct prefix *subnet)
{
    const size_t octets = (subnet->len + 7u) / 8;
    struct prefix masked = *subnet;
    uint8_t bytes[4 + 16];

    prefix_mask(&masked);
    wire_put_u16(bytes, masked.address.family == ADDRESS_IPV4 ? 1 : 2);
    bytes[2] = masked.len;
    bytes[3] = 0; /* SCOPE MUST be 0 in queries, RFC 7871 section 6 */
    memcpy(bytes + 4, masked.address.bytes, octets);
    question_remove_option(question, OPTION_SUBNET);
    return question_add_option(question, OPTION_SUBNET, bytes, 4 + octets);
}

void question_render(struct question *question)
{
    const size_t name = name_len(question->name);
    uint8_t *at = question->wire + WIRE_HEADER_LEN;

    if (question->raw) {
        return;
    }
    memset(question->wire, 0, WIRE_HEADER_LEN);
    wire_put_u16(question->wire + 2, question->flags);
    question->wire[5] = 1;
    memcpy(at, question->name, name);
    at += name;
    wire_put_u16(at, question->type);
    wire_put_u16(at + 2, question->class);
    at += 4;
    if (question->edns) { /* RFC 6891 section 6.1.2 */
        question->wire[11] = 1;
        *at++ = 0;
        wire_put_u16(at, WIRE_TYPE_OPT);
        wire_put_u16(at + 2, question->payload);
        at[4] = 0;
        at[5] = question->version;
        wire_put_u16(at + 6, question->dnssec_ok ? FLAG_DO : 0);
        wire_put_u16(at + 8, question->options_len);
        memcpy(at + 10, question->options, question->options_len);
        at += 10 + question->options_len;
    }
    question->wire_len = (uint16_t)(at - question->wire);
}

int question_from_bytes(struct question *ret_question, const uint8_t *bytes, size_t len, bool tcp)
{
    if (len > QUESTION_WIRE_MAX) {
        return -EMSGSIZE;
    }
    if (len < 2) {
        return -EINVAL;
    }
    *ret_question = (struct question){.raw = true, .tcp = tcp, .wire_len = (uint16_t)len};
    memcpy(ret_question->wire, bytes, len);
    memset(ret_question->wire, 0, 2);
    return 0;
}

/* What of a whole query with one question stands in our fields? False when something does not. */
static bool question_take(struct question *question, const knot_pkt_t *packet)
{
    const knot_rrset_t *opt = packet->opt_rr;

    if (knot_wire_get_qdcount(packet->wire) != 1 || knot_wire_get_ancount(packet->wire) ||
        knot_wire_get_nscount(packet->wire) ||
        knot_wire_get_arcount(packet->wire) > (opt ? 1 : 0)) {
        return false;
    }
    question_init(question, packet->wire + WIRE_HEADER_LEN, knot_pkt_qtype(packet));
    question->class = knot_pkt_qclass(packet);
    question->flags = wire_get_u16(packet->wire + 2);
    if (opt) {
        const knot_rdata_t *rdata = opt->rrs.rdata;

        if (rdata->len > QUESTION_OPTIONS_MAX || (opt->ttl & 0xff007fffu)) {
            return false;
        }
        question->edns = true;
        question->payload = knot_edns_get_payload(opt);
        question->version = knot_edns_get_version(opt);
        question->dnssec_ok = knot_edns_do(opt);
        question->options_len = rdata->len;
        memcpy(question->options, rdata->data, rdata->len);
    }
    return true;
}

/* RFC 7873 section 5.3: with only the client's part the server gives a new one. */
static void question_cut_cookie(struct question *question)
{
    uint8_t client[COOKIE_CLIENT_LEN];
    size_t at = 0;
    size_t len;

    for (const uint8_t *option; (option = option_next(question, &at, &len));) {
        if (wire_get_u16(option) == OPTION_COOKIE && len > 4 + COOKIE_CLIENT_LEN) {
            memcpy(client, option + 4, sizeof(client));
            question_remove_option(question, OPTION_COOKIE);
            question_add_option(question, OPTION_COOKIE, client, sizeof(client));
            return;
        }
    }
}

int question_from_query(struct question *ret_question, const uint8_t *bytes, size_t len, bool tcp)
{
    uint8_t copy[QUESTION_WIRE_MAX]; /* libknot takes writable bytes */
    knot_pkt_t *packet;
    int status = 0;

    if (len > QUESTION_WIRE_MAX) {
        return -EMSGSIZE;
    }
    if (len < WIRE_HEADER_LEN || wire_get_u16(bytes + 2) & (WIRE_FLAG_QR | WIRE_FLAG_OPCODE)) {
        return -EPERM;
    }
    memcpy(copy, bytes, len);
    packet = knot_pkt_new(copy, (uint16_t)len, NULL);
    if (!packet) {
        return -ENOMEM;
    }
    if (knot_pkt_parse(packet, KNOT_PF_NOCANON | KNOT_PF_KEEPWIRE) != KNOT_EOK) {
        status = question_from_bytes(ret_question, bytes, len, tcp);
    } else if (packet->tsig_rr || knot_pkt_qtype(packet) == WIRE_TYPE_AXFR ||
               knot_pkt_qtype(packet) == WIRE_TYPE_IXFR) {
        status = -EPERM;
    } else if (question_take(ret_question, packet)) {
        ret_question->tcp = tcp;
        question_cut_cookie(ret_question);
        question_render(ret_question);
    } else {
        status = question_from_bytes(ret_question, bytes, len, tcp);
    }
    knot_pkt_free(packet);
    return status;
}

static char *put_hex(char *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out += sprintf(out, "%02x", bytes[i]);
    }
    return out;
}

static char *put_flags(char *out, const struct question *question)
{
    static const struct {
        const char *text;
        uint16_t mask;
    } flags[] = {{" +aa", WIRE_FLAG_AA}, {" +tc", WIRE_FLAG_TC}, {" +ra", 0x0080},
                 {" +z", 0x0040},        {" +ad", 0x0020},       {" +cd", WIRE_FLAG_CD}};

    if (!(question->flags & WIRE_FLAG_RD)) {
        out = stpcpy(out, " +norec");
    }
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (question->flags & flags[i].mask) {
            out = stpcpy(out, flags[i].text);
        }
    }
    if (question->flags & WIRE_FLAG_QR) {
        out = stpcpy(out, " +qr");
    }
    if (question->flags & WIRE_FLAG_OPCODE) {
        out += sprintf(out, " +opcode=%d", (question->flags & WIRE_FLAG_OPCODE) >> 11);
    }
    if (question->flags & 0xf) {
        out += sprintf(out, " +rcode=%d", question->flags & 0xf);
    }
    return out;
}

static bool subnet_from_option(const uint8_t *option, size_t len, struct prefix *ret_subnet)
{
    const uint16_t family = len >= 8 ? wire_get_u16(option + 4) : 0;
    const size_t octets = len >= 8 ? len - 8 : 0;
    struct prefix masked;

    *ret_subnet = (struct prefix){0};
    if ((family != 1 && family != 2) || option[6] > (family == 1 ? 32 : 128) || option[7] != 0 ||
        octets != (option[6] + 7u) / 8) {
        return false;
    }
    ret_subnet->address.family = family == 1 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    ret_subnet->len = option[6];
    memcpy(ret_subnet->address.bytes, option + 8, octets);
    masked = *ret_subnet;
    prefix_mask(&masked);
    return prefix_compare(&masked, ret_subnet) == 0;
}

static char *put_edns(char *out, const struct question *question)
{
    size_t at = 0;
    size_t len;

    if (question->version) {
        out += sprintf(out, " +edns=%u", question->version);
    }
    out += sprintf(out, " +bufsize=%u", question->payload);
    if (question->dnssec_ok) {
        out = stpcpy(out, " +do");
    }
    for (const uint8_t *option; (option = option_next(question, &at, &len));) {
        char text[ADDRESS_TEXT_LEN];
        struct prefix subnet;

        if (wire_get_u16(option) == OPTION_SUBNET && subnet_from_option(option, len, &subnet)) {
            out += sprintf(out, " +subnet=%s", prefix_format(&subnet, text));
            continue;
        }
        out += sprintf(out, " +opt=%u", wire_get_u16(option));
        if (len > 4) {
            *out++ = ':';
            out = put_hex(out, option + 4, len - 4);
        }
    }
    return out;
}

const char *question_format(const struct question *question,
                            char ret_text[static QUESTION_TEXT_MAX])
{
    char name[NAME_TEXT_LEN];
    char type[32];
    char class[32];
    char *out = ret_text;

    if (question->raw) {
        out += sprintf(out, "\\# %u ", question->wire_len);
        out = put_hex(out, question->wire, question->wire_len);
    } else {
        knot_rrtype_to_string(question->type, type, sizeof(type));
        knot_rrclass_to_string(question->class, class, sizeof(class));
        out += sprintf(out, "%s %s", name_to_text(question->name, name), type);
        if (question->class != WIRE_CLASS_IN) {
            out += sprintf(out, " %s", class);
        }
        out = put_flags(out, question);
        if (question->edns) {
            out = put_edns(out, question);
        }
    }
    sprintf(out, "%s", question->tcp ? " +tcp" : "");
    return ret_text;
}

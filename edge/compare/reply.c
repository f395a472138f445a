/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "edge/wire/name.h"
#include "edge/wire/rdata.h"
#include "edge/wire/wire.h"

/* Lower-cases the names in RDATA; libknot does in the types of RFC 4034 section 6.2, servers also
 * in later ones. */
static void record_fold(knot_rrset_t *record)
{
    const struct rdata_layout *layout = rdata_layout(record->type);
    knot_rdata_t *rdata = record->rrs.rdata;
    size_t at;

    knot_rrset_rr_to_canonical(record);
    if (!layout || !rdata_check(record->type, rdata->data, rdata->len)) {
        return;
    }
    at = layout->before;
    for (unsigned i = 0; i < layout->name_n; i++) {
        const size_t len = name_len(rdata->data + at);

        name_fold(rdata->data + at, rdata->data + at, len);
        at += len;
    }
}

static void reply_fold(knot_pkt_t *packet)
{
    for (uint16_t i = 0; i < packet->rrset_count; i++) {
        if (packet->rr[i].type != WIRE_TYPE_OPT) {
            record_fold(&packet->rr[i]);
        }
    }
}

int reply_parse(struct reply *ret_reply, const uint8_t *bytes, size_t len, bool fold)
{
    int status;

    *ret_reply = (struct reply){.len = len};
    ret_reply->bytes = malloc(len ? len : 1);
    if (!ret_reply->bytes) {
        return -ENOMEM;
    }
    memcpy(ret_reply->bytes, bytes, len);
    if (len < WIRE_HEADER_LEN || len > UINT16_MAX) {
        ret_reply->malformed = "no whole header";
        return 0;
    }
    memset(ret_reply->bytes, 0, 2);
    ret_reply->flags = wire_get_u16(bytes + 2);
    ret_reply->rcode = ret_reply->flags & 0xf;
    ret_reply->packet = knot_pkt_new(ret_reply->bytes, (uint16_t)len, NULL);
    if (!ret_reply->packet) {
        return -ENOMEM;
    }
    status = knot_pkt_parse(ret_reply->packet, KNOT_PF_NOCANON | KNOT_PF_KEEPWIRE);
    if (status != KNOT_EOK) {
        ret_reply->malformed = knot_strerror(status);
        knot_pkt_free(ret_reply->packet);
        ret_reply->packet = NULL;
        return status == KNOT_ENOMEM ? -ENOMEM : 0;
    }
    ret_reply->rcode = knot_pkt_ext_rcode(ret_reply->packet);
    if (fold) {
        reply_fold(ret_reply->packet);
    }
    return 0;
}

void reply_done(struct reply *reply)
{
    knot_pkt_free(reply->packet);
    free(reply->bytes);
    *reply = (struct reply){0};
}

const knot_rrset_t *reply_next(const struct reply *reply, knot_section_t section,
                               uint16_t *position)
{
    const knot_pktsection_t *records = knot_pkt_section(reply->packet, section);

    while (*position < records->count) {
        const knot_rrset_t *record = knot_pkt_rr(records, (*position)++);

        if (record->type != WIRE_TYPE_OPT && record->type != WIRE_TYPE_TSIG) {
            return record;
        }
    }
    return NULL;
}

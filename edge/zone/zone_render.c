/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/zone/zone_render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "edge/wire/rdata.h"
#include "edge/wire/wire.h"

#define RENDER_FIXED_LEN 12u /* owner pointer, type, class, TTL, RDLENGTH */

struct render {
    const uint8_t *owner;
    size_t owner_len;
    uint8_t *bytes;
    size_t at;
    struct zone_patch *patches;
    uint32_t patch_n;
};

static void render_pointer(struct render *render, uint8_t suffix_len)
{
    size_t place = suffix_len == ZONE_PATCH_OWNER
                       ? WIRE_HEADER_LEN
                       : WIRE_HEADER_LEN + render->owner_len - suffix_len;

    render->patches[render->patch_n++] = (struct zone_patch){(uint16_t)render->at, suffix_len};
    wire_put_u16(render->bytes + render->at, (uint16_t)(0xc000u | place));
    render->at += 2;
}

/* The longest common suffix, in bytes of `name`, that a pointer may stand for; 1 (the root) when
 * there is none. Of a wildcard owner the first label does not count: the name answered for has
 * another one there. */
static size_t render_common_suffix(const struct render *render, const uint8_t *name)
{
    const uint8_t *owner = render->owner;
    size_t owner_left = render->owner_len;
    size_t left = name_len(name);

    if (name_is_wildcard(owner)) {
        owner_left -= 2;
        owner += 2;
    }
    while (left != owner_left || !name_equal(name, owner)) {
        if (left >= owner_left) {
            left -= (size_t)name[0] + 1;
            name += (size_t)name[0] + 1;
        } else {
            owner_left -= (size_t)owner[0] + 1;
            owner += (size_t)owner[0] + 1;
        }
    }
    return left;
}

static void render_bytes(struct render *render, const uint8_t *bytes, size_t len)
{
    memcpy(render->bytes + render->at, bytes, len);
    render->at += len;
}

static void render_rdata(struct render *render, const struct rdata_layout *layout,
                         const struct render_rr *rr)
{
    const uint8_t *rdata = rr->rdata;

    if (!layout || !layout->compressed) {
        render_bytes(render, rdata, rr->rdata_len);
        return;
    }
    render_bytes(render, rdata, layout->before);
    rdata += layout->before;
    for (unsigned i = 0; i < layout->name_n; i++) {
        size_t len = name_len(rdata);
        size_t common = render_common_suffix(render, rdata);

        if (common > 1) {
            render_bytes(render, rdata, len - common);
            render_pointer(render, (uint8_t)common);
        } else {
            render_bytes(render, rdata, len);
        }
        rdata += len;
    }
    render_bytes(render, rdata, layout->after);
}

static void render_fixed(uint8_t *rr, uint16_t type, uint32_t ttl, size_t rdata_len)
{
    wire_put_u16(rr + 2, type);
    wire_put_u16(rr + 4, WIRE_CLASS_IN);
    wire_put_u32(rr + 6, ttl);
    wire_put_u16(rr + 10, (uint16_t)rdata_len);
}

/* Behind the records: the owner is theirs, so there is nothing to patch but the owner. */
static void render_signatures(struct render *render, const struct render_rr *sigs, uint32_t sig_n,
                              uint32_t ttl)
{
    for (uint32_t i = 0; i < sig_n; i++) {
        uint8_t *rr = render->bytes + render->at;

        wire_put_u16(rr, 0xc000u | WIRE_HEADER_LEN);
        render_fixed(rr, WIRE_TYPE_RRSIG, ttl, sigs[i].rdata_len);
        render->at += RENDER_FIXED_LEN;
        render_bytes(render, sigs[i].rdata, sigs[i].rdata_len);
    }
}

/* Pointers in a record: its owner's, and that of each name that is compressed. */
static size_t render_patch_max(const struct rdata_layout *layout)
{
    return layout && layout->compressed ? 1u + layout->name_n : 1u;
}

size_t zone_render_room(uint16_t type, size_t rdata_len)
{
    return RENDER_FIXED_LEN + rdata_len +
           render_patch_max(rdata_layout(type)) * sizeof(struct zone_patch) + 1;
}

int zone_render(struct arena *arena, const uint8_t *owner, uint16_t type,
                const struct render_rr *rrs, uint32_t rr_n, uint32_t sig_n,
                struct zone_rrset *ret_rrset)
{
    const struct rdata_layout *layout = rdata_layout(type);
    struct render render = {.owner = owner, .owner_len = name_len(owner)};
    uint8_t bytes[RENDER_WIRE_MAX];
    size_t patch_max, wire_len, max = 0;

    for (uint32_t i = 0; i < rr_n + sig_n; i++) {
        max += RENDER_FIXED_LEN + rrs[i].rdata_len;
        if (max > RENDER_WIRE_MAX) {
            return -E2BIG;
        }
    }
    render.bytes = bytes;
    patch_max = rr_n * render_patch_max(layout);
    render.patches =
        arena_pack(arena, patch_max * sizeof(*render.patches), _Alignof(struct zone_patch));
    if (!render.patches) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < rr_n; i++) {
        size_t start = render.at;

        render_pointer(&render,
                       name_is_wildcard(owner) ? ZONE_PATCH_OWNER : (uint8_t)render.owner_len);
        render.at = start + RENDER_FIXED_LEN;
        render_rdata(&render, layout, &rrs[i]);
        render_fixed(render.bytes + start, type, rrs[i].ttl, render.at - start - RENDER_FIXED_LEN);
    }
    wire_len = render.at;
    render_signatures(&render, rrs + rr_n, sig_n, rrs[0].ttl);
    render.bytes = arena_pack(arena, render.at, 1);
    if (!render.bytes) {
        return -ENOMEM;
    }
    memcpy(render.bytes, bytes, render.at);
    *ret_rrset =
        (struct zone_rrset){.type = type,
                            .rr_n = (uint16_t)rr_n,
                            .patch_n = (uint16_t)render.patch_n,
                            .owner_len = name_is_wildcard(owner) ? 0 : (uint8_t)render.owner_len,
                            .ttl = rrs[0].ttl,
                            .sig_n = (uint16_t)sig_n,
                            .sig_len = (uint16_t)(render.at - wire_len),
                            .wire_len = (uint32_t)wire_len,
                            .wire = render.bytes,
                            .patches = render.patches};
    if (type == WIRE_TYPE_CNAME || type == WIRE_TYPE_DNAME) {
        ret_rrset->target = arena_copy(arena, rrs[0].rdata, rrs[0].rdata_len);
        return ret_rrset->target ? 0 : -ENOMEM;
    }
    return 0;
}

/* --- names whose addresses go along --- */

/* The name at `at` of a rendered RRset, its pointer into the owner undone. */
static void render_expand(const uint8_t *owner, const uint8_t *at, uint8_t *ret_name)
{
    size_t len = 0;

    while (at[0] != 0 && at[0] <= NAME_LABEL_LEN_MAX) {
        memcpy(ret_name + len, at, (size_t)at[0] + 1);
        len += (size_t)at[0] + 1;
        at += (size_t)at[0] + 1;
    }
    if (at[0] != 0) {
        at = owner + (wire_get_u16(at) & 0x3fffu) - WIRE_HEADER_LEN;
    }
    memcpy(ret_name + len, at, name_len(at));
}

/* The node that the name is, if it has what goes along with an RRset of `type`: addresses, for SVCB
 * also what it says of itself (RFC 9460 section 4.1); else NULL. */
static const struct zone_node *render_target(const struct zone *zone, const uint8_t *name,
                                             uint16_t type)
{
    const struct zone_node *node;
    struct name_key key;
    bool exact;

    if (!name_is_under(name, zone->apex->name) || !name_key_make(&key, name)) {
        return NULL;
    }
    node = zone_find(zone, &key, &exact);
    if (!exact) {
        return NULL;
    }
    if (zone_node_rrset(node, WIRE_TYPE_A) || zone_node_rrset(node, WIRE_TYPE_AAAA)) {
        return node;
    }
    return (type == WIRE_TYPE_SVCB || type == WIRE_TYPE_HTTPS) && zone_node_rrset(node, type)
               ? node
               : NULL;
}

static bool render_known(const struct zone_additional *list, uint32_t count,
                         const struct zone_node *node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].node == node) {
            return true;
        }
    }
    return false;
}

static int render_rrset_additional(struct zone *zone, const struct zone_node *node,
                                   struct zone_rrset *rrset)
{
    const struct rdata_layout *layout = rdata_layout(rrset->type);
    struct zone_additional *list = arena_alloc(zone->arena, rrset->rr_n * sizeof(*list));
    const uint8_t *rr = rrset->wire;
    uint32_t count = 0;

    if (!list) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < rrset->rr_n; i++) {
        const uint8_t *at = rr + RENDER_FIXED_LEN + layout->before;
        uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1];
        const struct zone_node *target;

        render_expand(node->name, at, name);
        if (name[0] == 0 && layout->after == RDATA_REST) {
            /* RFC 9460 section 2.5: in a SVCB record the root stands for the owner */
            target =
                name_is_wildcard(node->name) ? NULL : render_target(zone, node->name, rrset->type);
            at = rr;
        } else {
            target = render_target(zone, name, rrset->type);
        }
        /* Below a delegation only glue is ours to give, and only for name servers. */
        if (target && (!target->cut || rrset->type == WIRE_TYPE_NS) &&
            !render_known(list, count, target)) {
            list[count++] = (struct zone_additional){.node = target,
                                                     .name_offset = (uint16_t)(at - rrset->wire),
                                                     .required = node->cut == node &&
                                                                 name_is_under(name, node->name)};
        }
        rr += RENDER_FIXED_LEN + wire_get_u16(rr + 10);
    }
    rrset->additional = list;
    rrset->additional_n = (uint16_t)count;
    return 0;
}

int zone_render_additional(struct zone *zone, struct zone_rrset *rrsets)
{
    for (uint32_t i = 0; i < zone->node_n; i++) {
        const struct zone_node *node = &zone->nodes[i];

        for (unsigned k = 0; k < node->rrset_n; k++) {
            uint16_t type = node->rrsets[k].type;

            if (type != WIRE_TYPE_NS && type != WIRE_TYPE_MX && type != WIRE_TYPE_SRV &&
                type != WIRE_TYPE_SVCB && type != WIRE_TYPE_HTTPS) { /* RFC 9460 section 4.1 */
                continue;
            }
            if (render_rrset_additional(zone, node, &rrsets[node->rrsets - rrsets + k])) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

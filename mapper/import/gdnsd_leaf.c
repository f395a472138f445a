/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_leaf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "mapper/import/domain.h"

#define UP_THRESH 0.5
#define LEAF_ADDRESSES_MAX 64u /* as many as one PoP of a service may have */
#define WEIGHT_MAX (1u << 20)

/* A leaf while it is read. */
struct leaf_builder {
    const struct gdnsd_leaf_reader *reader;
    struct address address[LEAF_ADDRESSES_MAX];
    size_t n;
    const char *target;
    uint32_t target_weight;
    uint32_t weight; /* of the first item; 0 none yet */
    bool uneven;     /* weights differ */
    bool grouped;
};

static int refuse(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                  const char *reason, const char *what)
{
    int err = notes_add(reader->notes, NOTE_LEFT_OUT, node->file, node->line, "%s \"%.80s\"",
                        reason, what ? what : "");

    return err ? err : -EINVAL;
}

const struct vscf *gdnsd_leaf_setting(const struct gdnsd_leaf_reader *reader,
                                      const struct vscf *node, const char *key)
{
    const struct vscf *found = vscf_get(node, key);

    for (size_t i = 0; i < sizeof(reader->inherited) / sizeof(reader->inherited[0]) && !found;
         i++) {
        found = vscf_get(reader->inherited[i], key);
    }
    return found;
}

static bool is_setting(const char *key)
{
    static const char *const keys[] = {"up_thresh", "service_types", "ignore_health",
                                       "multi",     "plugin",        NULL};

    for (size_t i = 0; keys[i]; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

bool gdnsd_leaf_is_name(const char *text)
{
    struct address address;

    return address_parse(text, &address) != 0;
}

static int leaf_finish(const struct leaf_builder *builder, const struct vscf *node,
                       struct gdnsd_leaf *ret_leaf)
{
    const struct gdnsd_leaf_reader *reader = builder->reader;
    const char *up_thresh = vscf_text(gdnsd_leaf_setting(reader, node, "up_thresh"));

    *ret_leaf =
        (struct gdnsd_leaf){.address = arena_copy(reader->arena, builder->address,
                                                  builder->n * sizeof(builder->address[0])),
                            .address_n = builder->n,
                            .target = builder->target,
                            .service_types = gdnsd_leaf_setting(reader, node, "service_types"),
                            .up_thresh = UP_THRESH};
    if (!ret_leaf->address) {
        return -ENOMEM;
    }
    if (up_thresh) {
        (void)number_parse_double(up_thresh, strlen(up_thresh), 0, 1, &ret_leaf->up_thresh);
    }
    return builder->n || builder->target ? 0 : refuse(reader, node, "no address in", node->key);
}

/* One address; one that was there already counts once, as an RRset has it once. */
static int address_add(struct leaf_builder *builder, const struct vscf *node, const char *text)
{
    struct address address;

    if (!text || address_parse(text, &address) != 0) {
        return refuse(builder->reader, node, "not an address:", text);
    }
    for (size_t i = 0; i < builder->n; i++) {
        if (address_compare(&builder->address[i], &address) == 0) {
            return 0;
        }
    }
    if (builder->n == LEAF_ADDRESSES_MAX) {
        return notes_add(builder->reader->notes, NOTE_LEFT_OUT, node->file, node->line,
                         "more than %u addresses in one place: %.80s is left out",
                         LEAF_ADDRESSES_MAX, text);
    }
    builder->address[builder->n++] = address;
    return 0;
}

static int target_set(struct leaf_builder *builder, const struct vscf *node, const char *text)
{
    char formatted[DOMAIN_TEXT_MAX];
    struct domain name;
    static const struct domain root = {.len = 1};

    if (domain_parse(text, strlen(text), NULL, &name) != 0 || !domain_within(&name, &root)) {
        return refuse(builder->reader, node,
                      "neither an address nor a name with a final dot:", text);
    }
    (void)domain_format(&name, formatted);
    builder->target = arena_copy(builder->reader->arena, formatted, strlen(formatted));
    return builder->target ? 0 : -ENOMEM;
}

/* --- multifo --- */

static int addresses_read(struct leaf_builder *builder, const struct vscf *node)
{
    int err = 0;

    if (node->kind != VSCF_HASH) {
        for (size_t i = 0; i < vscf_list_n(node) && !err; i++) {
            err = address_add(builder, node, vscf_text(vscf_list_item(node, i)));
        }
        return err;
    }
    for (uint32_t i = 0; i < node->n && !err; i++) {
        const struct vscf *child = node->child[i];

        if (strcmp(child->key, "addrs_v4") == 0 || strcmp(child->key, "addrs_v6") == 0) {
            err = child->kind == VSCF_HASH && vscf_get(child, child->key)
                      ? refuse(builder->reader, child, "not addresses:", child->key)
                      : addresses_read(builder, child);
        } else if (!is_setting(child->key)) {
            err = address_add(builder, child, vscf_text(child));
        }
    }
    return err;
}

int gdnsd_leaf_multifo(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                       struct gdnsd_leaf *ret_leaf)
{
    struct leaf_builder builder = {.reader = reader};
    int err = addresses_read(&builder, node);

    return err ? err : leaf_finish(&builder, node, ret_leaf);
}

/* --- weighted --- */

/* "[ ADDRESS or NAME, WEIGHT ]" */
static int item_read(struct leaf_builder *builder, const struct vscf *node)
{
    const char *what = vscf_text(vscf_list_item(node, 0));
    const char *weight = vscf_text(vscf_list_item(node, 1));
    uint64_t value;

    if (!what || !weight || number_parse_u64(weight, strlen(weight), 1, WEIGHT_MAX, &value) != 0) {
        return refuse(builder->reader, node, "not an address with its weight:", node->key);
    }
    builder->uneven = builder->uneven || (builder->weight && builder->weight != value);
    builder->weight = (uint32_t)value;
    if (!gdnsd_leaf_is_name(what)) {
        return address_add(builder, node, what);
    }
    builder->uneven = builder->uneven || builder->target; /* only one of them can stay */
    if (builder->target && value <= builder->target_weight) {
        return 0;
    }
    builder->target_weight = (uint32_t)value;
    return target_set(builder, node, vscf_list_item(node, 0)->raw);
}

static int items_read(struct leaf_builder *builder, const struct vscf *node, unsigned depth)
{
    int err = 0;

    for (uint32_t i = 0; i < node->n && !err; i++) {
        const struct vscf *child = node->child[i];
        bool is_family = child->key && strncmp(child->key, "addrs_v", 7) == 0;

        if (child->key && is_setting(child->key)) {
            continue;
        }
        if (child->kind == VSCF_LIST && child->n == 2) {
            err = item_read(builder, child);
        } else if (child->kind == VSCF_HASH && depth < 3) {
            builder->grouped = builder->grouped || !is_family;
            builder->weight = is_family ? 0 : builder->weight; /* families do not compete */
            err = items_read(builder, child, depth + 1);
        } else {
            err = refuse(builder->reader, child, "not an address with its weight:", child->key);
        }
    }
    return err;
}

int gdnsd_leaf_weighted(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                        struct gdnsd_leaf *ret_leaf)
{
    struct leaf_builder builder = {.reader = reader};
    bool multi = false;
    int err = node->kind == VSCF_HASH ? items_read(&builder, node, 0)
                                      : refuse(reader, node, "no items in", node->key);

    if (err) {
        return err;
    }
    (void)vscf_bool(gdnsd_leaf_setting(reader, node, "multi"), &multi);
    if (builder.target && builder.n) {
        return refuse(reader, node, "addresses beside names in", node->key);
    }
    if (builder.uneven || builder.grouped) {
        err = notes_add(reader->notes, NOTE_LEFT_OUT, node->file, node->line,
                        builder.target ? "the weights of \"%.80s\" are not kept: only the heaviest "
                                         "name is answered. Split the load behind it"
                                       : "the weights or groups of \"%.80s\" are not kept: all its "
                                         "addresses are answered together. Split the load behind "
                                         "the addresses, or list the heavier ones on more hosts",
                        node->key ? node->key : "");
    } else if (!multi && builder.n > 1) {
        err = notes_add(reader->notes, NOTE_DIFFERS, node->file, node->line,
                        "\"%.80s\" answers one of its equal addresses at random; isochrone answers "
                        "all of them, and clients choose",
                        node->key ? node->key : "");
    }
    return err ? err : leaf_finish(&builder, node, ret_leaf);
}

/* --- simplefo, static, null --- */

int gdnsd_leaf_simplefo(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                        const char *rank, struct gdnsd_leaf *ret_leaf)
{
    static const char *const families[] = {"addrs_v4", "addrs_v6"};
    struct leaf_builder builder = {.reader = reader};
    const struct vscf *own = vscf_get(node, rank);
    int err = own ? address_add(&builder, own, vscf_text(own)) : 0;

    for (size_t i = 0; i < 2 && !err; i++) {
        const struct vscf *child = vscf_get(vscf_get(node, families[i]), rank);

        err = child ? address_add(&builder, child, vscf_text(child)) : 0;
    }
    return err ? err : leaf_finish(&builder, node, ret_leaf);
}

int gdnsd_leaf_static(const struct gdnsd_leaf_reader *reader, const struct vscf *node,
                      struct gdnsd_leaf *ret_leaf)
{
    struct leaf_builder builder = {.reader = reader};
    const char *text = vscf_text(node);
    int err;

    if (!text) {
        return refuse(reader, node, "neither an address nor a name:", node->key);
    }
    err = gdnsd_leaf_is_name(text) ? target_set(&builder, node, node->raw)
                                   : address_add(&builder, node, text);
    return err ? err : leaf_finish(&builder, node, ret_leaf);
}

int gdnsd_leaf_null(struct gdnsd_leaf *ret_leaf)
{
    static const struct address nowhere[] = {{.family = ADDRESS_IPV4}, {.family = ADDRESS_IPV6}};

    *ret_leaf = (struct gdnsd_leaf){.address = nowhere, .address_n = 2, .up_thresh = UP_THRESH};
    return 0;
}

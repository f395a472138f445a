/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "mapper/key.h"
#include "maps/select_core.h"

#define EXPLAIN_TABLE_POPS 3u /* ranks shown to people */

/* One block as the servers see it. */
struct explained {
    struct address client;
    struct map_verdict verdict;
    unsigned block_len; /* of the block around the client, as the client's address is written */
    bool has_provenance;
    struct image_provenance provenance;
    uint8_t ranking[MAP_TAIL_SIZE];
    size_t ranking_n;
};

static const char *const source_names[] = {
    [MAP_SOURCE_DEFAULT] = "default",   [MAP_SOURCE_GEO] = "geo",
    [MAP_SOURCE_INFERRED] = "inferred", [MAP_SOURCE_MEASURED] = "measured",
    [MAP_SOURCE_OVERRIDE] = "override",
};

const char *explain_source_name(uint8_t source)
{
    return source <= MAP_SOURCE_OVERRIDE ? source_names[source] : "unknown";
}

/* The record's PoPs, then the tail: the order in which map_select() tries them. */
static void ranking_fill(const struct map_entry *map, struct explained *ret_explained)
{
    bool seen[MAP_TAIL_SIZE] = {false};

    for (uint32_t i = 0; i < MAP_RECORD_POPS + map->tail_n; i++) {
        uint8_t pop = map_candidate(ret_explained->verdict.record.pops, map->tail, i);

        if (pop != MAP_POP_NONE && !seen[pop]) {
            seen[pop] = true;
            ret_explained->ranking[ret_explained->ranking_n++] = pop;
        }
    }
}

static unsigned leaf_depth(const struct image *image, const struct map_entry *map,
                           enum map_space space, const struct map_address *address)
{
    struct map_leaf leaf = {0, 0};

    (void)map_space_lookup(image_region(image), map, space, address, &leaf);
    return leaf.depth;
}

/* The block over which the answer is the same. A resolver the resolver space does not list is
 * answered from the client space: then both tables bound it. */
static unsigned block_len_find(const struct image *image, const struct map_entry *map,
                               bool resolver, const struct map_address *address)
{
    unsigned client = leaf_depth(image, map, MAP_SPACE_CLIENT, address);
    unsigned listed = resolver ? leaf_depth(image, map, MAP_SPACE_RESOLVER, address) : 0;

    return address->folded_bits + (client > listed ? client : listed);
}

static void address_explain(const struct image *image, const struct explain_options *options,
                            const struct address *address, struct explained *ret_explained)
{
    const struct map_entry *map = image_map(image, options->map);
    struct map_client client = {.ecs.family = MAP_ADDRESS_NONE, .source.family = MAP_ADDRESS_NONE};
    struct map_address *given = options->resolver ? &client.source : &client.ecs;
    enum map_space space;

    *ret_explained = (struct explained){.client = *address};
    image_address_from(address, given);
    map_decide(image_region(image), map, image_records_block(image), &client,
               &ret_explained->verdict);
    ret_explained->block_len = block_len_find(image, map, options->resolver, given);
    ranking_fill(map, ret_explained);
    space =
        ret_explained->verdict.basis == MAP_BASIS_RESOLVER ? MAP_SPACE_RESOLVER : MAP_SPACE_CLIENT;
    ret_explained->has_provenance =
        ret_explained->verdict.basis != MAP_BASIS_DEFAULT &&
        image_find_provenance(image, space, given, &ret_explained->provenance);
}

static uint8_t explained_source(const struct explained *explained)
{
    if (explained->verdict.record.flags & MAP_RECORD_OVERRIDE) {
        return MAP_SOURCE_OVERRIDE;
    }
    return explained->has_provenance ? explained->provenance.row->source : MAP_SOURCE_DEFAULT;
}

static void block_format(const struct explained *explained, char ret_text[static ADDRESS_TEXT_LEN])
{
    struct prefix block = {.address = explained->client, .len = (uint8_t)explained->block_len};

    prefix_mask(&block);
    (void)prefix_format(&block, ret_text);
}

static const struct map_estimate *estimate_find(const struct explained *explained, uint8_t pop)
{
    for (unsigned i = 0; explained->has_provenance && i < explained->provenance.row->estimate_n;
         i++) {
        if (explained->provenance.estimates[i].pop == pop) {
            return &explained->provenance.estimates[i];
        }
    }
    return NULL;
}

static int json_print(const struct image *image, const struct explain_options *options,
                      const struct explained *explained, const char *client, FILE *out)
{
    const struct map_entry *map = image_map(image, options->map);
    char block[ADDRESS_TEXT_LEN];
    json_t *ranking = json_array();
    json_t *rtt_ms = json_object();
    json_t *samples = json_object();
    json_t *root;
    int status;

    block_format(explained, block);
    for (size_t i = 0; i < explained->ranking_n; i++) {
        const char *name = image_pop(image, explained->ranking[i])->name;
        const struct map_estimate *estimate = estimate_find(explained, explained->ranking[i]);

        (void)json_array_append_new(ranking, json_string(name));
        if (estimate) {
            (void)json_object_set_new(rtt_ms, name, json_real(estimate->rtt_ticks / 10.0));
            (void)json_object_set_new(samples, name, json_integer(estimate->samples));
        }
    }
    root = json_pack("{s:s, s:s, s:s, s:i, s:o, s:s, s:o, s:o, s:I}", "client", client, "map",
                     map->name, "block", block, "scope", (int)explained->verdict.scope, "ranking",
                     ranking, "source", explain_source_name(explained_source(explained)), "rtt_ms",
                     rtt_ms, "samples", samples, "generation",
                     (json_int_t)image_header(image)->generation);
    if (root && explained->has_provenance && explained->provenance.row->asn) {
        (void)json_object_set_new(root, "asn", json_integer(explained->provenance.row->asn));
    }
    status = root ? json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(6)) : -1;
    json_decref(root);
    (void)fputc('\n', out);
    return status == 0 && !ferror(out) ? 0 : -EIO;
}

void explain_head(FILE *out)
{
    (void)fprintf(out, "%-20s %-20s %5s  %-9s  %s\n", "client", "block", "scope", "source",
                  "ranking (estimate, samples)");
}

static int table_print(const struct image *image, const struct explained *explained,
                       const char *client, FILE *out)
{
    char block[ADDRESS_TEXT_LEN];

    block_format(explained, block);
    (void)fprintf(out, "%-20s %-20s %5u  %-9s ", client, block, explained->verdict.scope,
                  explain_source_name(explained_source(explained)));
    for (size_t i = 0; i < explained->ranking_n && i < EXPLAIN_TABLE_POPS; i++) {
        const struct map_estimate *estimate = estimate_find(explained, explained->ranking[i]);

        (void)fprintf(out, " %s", image_pop(image, explained->ranking[i])->name);
        if (estimate && estimate->samples) {
            (void)fprintf(out, " (%.1f ms, %" PRIu32 ")", estimate->rtt_ticks / 10.0,
                          estimate->samples);
        } else if (estimate) {
            (void)fprintf(out, " (%.1f ms)", estimate->rtt_ticks / 10.0);
        }
    }
    (void)fprintf(out, "%s\n", explained->ranking_n > EXPLAIN_TABLE_POPS ? " ..." : "");
    return ferror(out) ? -EIO : 0;
}

static int explained_print(const struct image *image, const struct explain_options *options,
                           const struct explained *explained, const char *client, FILE *out,
                           struct failure *failure)
{
    int err = options->json ? json_print(image, options, explained, client, out)
                            : table_print(image, explained, client, out);

    return err ? failure_set(failure, err, "cannot write the answer") : 0;
}

static int prefix_explain(const struct image *image, const struct explain_options *options,
                          const struct prefix *prefix, FILE *out, struct failure *failure)
{
    enum map_family family =
        prefix->address.family == ADDRESS_IPV4 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6;
    struct map_key key = key_from_address(&prefix->address);
    struct map_key last = key_last(key, prefix->len);
    bool more = true;

    while (more && key_compare(key, last) <= 0) {
        struct address address = key_to_address(key, family);
        struct prefix part = {.address = address, .len = prefix->len};
        char client[ADDRESS_TEXT_LEN];
        struct explained explained;
        int err;

        address_explain(image, options, &address, &explained);
        part.len = explained.block_len > part.len ? (uint8_t)explained.block_len : part.len;
        (void)prefix_format(&part, client);
        err = explained_print(image, options, &explained, client, out, failure);
        if (err) {
            return err;
        }
        key = key_last(key, explained.block_len);
        more = key_advance(&key);
    }
    return 0;
}

int explain_text(const struct image *image, const struct explain_options *options, const char *text,
                 FILE *out, struct failure *failure)
{
    struct explained explained;
    struct address address;
    struct prefix prefix;

    if (address_parse(text, &address) == 0) {
        address_explain(image, options, &address, &explained);
        return explained_print(image, options, &explained, text, out, failure);
    }
    if (prefix_parse(text, false, &prefix) == 0) {
        return prefix_explain(image, options, &prefix, out, failure);
    }
    return failure_set(failure, -EINVAL, "%s: neither an address nor a prefix", text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/answer/geo_answer.h"

#include "edge/answer/snapshot.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/wire.h"
#include "maps/image.h"

static uint64_t geo_get_u64(const uint8_t *bytes)
{
    return (uint64_t)wire_get_u32(bytes) << 32 | wire_get_u32(bytes + 4);
}

/* 16 bytes, of which an IPv4 address has the first four. */
static void geo_address(bool ipv4, const uint8_t *bytes, struct map_address *ret_address)
{
    if (ipv4) {
        map_address_ipv4(wire_get_u32(bytes), ret_address);
    } else {
        map_address_ipv6(geo_get_u64(bytes), geo_get_u64(bytes + 8), ret_address);
    }
}

static void geo_no_address(struct map_address *ret_address)
{
    map_address_ipv4(0, ret_address);
    ret_address->family = MAP_ADDRESS_NONE;
}

void geo_client(const struct edns *edns, const struct address *source,
                struct map_client *ret_client)
{
    if (edns->has_ecs && edns->ecs.source) {
        geo_address(edns->ecs.family == ECS_FAMILY_IPV4, edns->ecs.address, &ret_client->ecs);
    } else { /* RFC 7871 section 7.5: SOURCE 0 asks not to use the client's address */
        geo_no_address(&ret_client->ecs);
    }
    if (source->family == ADDRESS_NONE) {
        geo_no_address(&ret_client->source);
    } else {
        geo_address(source->family == ADDRESS_IPV4, source->bytes, &ret_client->source);
    }
}

void geo_choose(const struct snapshot *snapshot, const struct service *service,
                enum map_family family, struct geo_choice *choice)
{
    const struct state_table *table = &snapshot->states->tables[service->index];

    choice->ttl = table->ttl;
    map_decide(image_region(snapshot->image), service->map_entry,
               image_records_block(snapshot->image), &choice->client, &choice->verdict);
    map_select(&choice->verdict.record, table->states[family], service->map_entry->tail,
               service->map_entry->tail_n, service->pops_per_answer, &choice->picks);
}

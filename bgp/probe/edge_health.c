/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/edge_health.h"

#include <stdio.h>

#include <jansson.h>

static bool number_read(const json_t *object, const char *key, int64_t *ret_value)
{
    const json_t *value = json_object_get(object, key);

    *ret_value = json_integer_value(value);
    return json_is_integer(value);
}

static bool map_read(const json_t *map, struct edge_health *health)
{
    const char *fault = json_string_value(json_object_get(map, "fault"));

    health->has_map = json_is_object(map);
    if (fault) {
        snprintf(health->map_fault, sizeof(health->map_fault), "%s", fault);
    }
    return json_is_null(map) ||
           (health->has_map && number_read(map, "generation", &health->generation));
}

static bool zones_read(const json_t *zones, struct edge_health *health)
{
    return number_read(zones, "count", &health->zones) &&
           number_read(zones, "servfail", &health->zones_servfail) &&
           number_read(zones, "stale", &health->zones_stale);
}

/* What is not named is none: the kernel answers no TCP. */
static bool answered_add(const json_t *answered, struct edge_health *health)
{
    static const char *const names[EDGE_TRANSPORTS] = {"udp4", "udp6", "tcp4", "tcp6"};

    for (unsigned i = 0; i < EDGE_TRANSPORTS; i++) {
        int64_t value;

        if (json_object_get(answered, names[i])) {
            if (!number_read(answered, names[i], &value) || value < 0) {
                return false;
            }
            health->answered[i] += (uint64_t)value;
        }
    }
    return json_is_object(answered);
}

static bool data_read(const json_t *data, struct edge_health *health)
{
    const json_t *kernel = json_object_get(data, "xdp");

    return map_read(json_object_get(data, "map"), health) &&
           zones_read(json_object_get(data, "zones"), health) &&
           answered_add(json_object_get(data, "answered"), health) &&
           (json_is_null(kernel) || answered_add(json_object_get(kernel, "answered"), health));
}

bool edge_health_parse(const char *bytes, size_t len, struct edge_health *ret_health,
                       struct probe_outcome *ret_outcome)
{
    json_t *reply = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    const char *refusal = json_string_value(json_array_get(json_object_get(reply, "errors"), 0));
    bool unknown = false;

    *ret_health = (struct edge_health){0};
    if (refusal) {
        unknown = outcome_unknown(ret_outcome, "the server refuses: %s", refusal);
    } else if (!data_read(json_object_get(reply, "data"), ret_health)) {
        unknown = outcome_unknown(ret_outcome, "a reply that is not understood");
    }
    json_decref(reply);
    return unknown;
}

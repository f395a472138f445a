/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "edge/answer/chaos.h"
#include "edge/answer/snapshot.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone_set.h"

Test(state_set, starts_absent_everywhere)
{
    struct state_set *set = state_set_new(3);

    cr_assert_eq(set->service_n, 3);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned pop = 0; pop < MAP_STATES; pop++) {
            cr_assert_eq(set->tables[i].states[0][pop], MAP_STATE_ABSENT);
            cr_assert_eq(set->tables[i].states[1][pop], MAP_STATE_ABSENT);
        }
        cr_expect_eq(set->tables[i].ttl, 0);
    }
    cr_expect_eq(state_set_ref(set), set);
    state_set_unref(set);
    cr_expect_eq(set->service_n, 3, "one reference is left");
    state_set_unref(set);
    state_set_unref(NULL);
}

static struct snapshot *make(const char *identity, const char *version)
{
    struct snapshot_info info = {.sequence = 1};
    struct zone_set *zones = zone_set_new();
    struct services *services = services_empty();
    struct state_set *states = state_set_new(0);
    struct snapshot *snapshot;

    zone_set_finish(zones);
    snprintf(info.identity, sizeof(info.identity), "%s", identity);
    snprintf(info.version, sizeof(info.version), "%s", version);
    snapshot = snapshot_new(zones, services, NULL, states, &info);
    /* the snapshot lives on its own references */
    zone_set_unref(zones);
    services_unref(services);
    state_set_unref(states);
    return snapshot;
}

Test(snapshot, holds_its_parts)
{
    struct snapshot *snapshot = make("fra1", "");

    cr_expect_eq(zone_set_count(snapshot->zones), 0);
    cr_expect_eq(services_count(snapshot->services), 0);
    cr_expect_eq(snapshot->states->service_n, 0);
    cr_expect_eq(snapshot->identity_len, 4);
    snapshot_free(snapshot);
    snapshot_free(NULL);
}

Test(chaos, names)
{
    static const struct {
        const char *name, *identity, *version;
        const char *text; /* NULL: refused; "": something */
    } rows[] = {
        {"id.server.", "fra1", "v", "\4fra1"},
        {"HOSTNAME.Bind.", "fra1", "v", "\4fra1"},
        {"version.bind.", "fra1", "isochrone 1", "\13isochrone 1"},
        {"version.server.", "fra1", "isochrone 1", "\13isochrone 1"},
        {"id.server.", "", "v", NULL},
        {"version.bind.", "fra1", "", NULL},
        {"generation.isochrone.", "", "", ""},
        {"authors.bind.", "fra1", "v", NULL},
        {"x.id.server.", "fra1", "v", NULL},
        {"server.", "fra1", "v", NULL},
        {".", "fra1", "v", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct snapshot *snapshot = make(rows[i].identity, rows[i].version);
        uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1], rdata[CHAOS_RDATA_MAX];
        struct name_key key;
        size_t len;

        name_from_text(rows[i].name, wire);
        name_key_make(&key, wire);
        len = chaos_text(snapshot, &key, 0, rdata);
        if (!rows[i].text) {
            cr_expect_eq(len, 0, "%s", rows[i].name);
        } else if (!rows[i].text[0]) {
            cr_expect_gt(len, 0, "%s", rows[i].name);
        } else {
            cr_assert_eq(len, strlen(rows[i].text), "%s", rows[i].name);
            cr_expect_arr_eq(rdata, rows[i].text, len, "%s", rows[i].name);
        }
        snapshot_free(snapshot);
    }
}

Test(wire, reading_past_the_end_sticks)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct wire_reader reader = {bytes, bytes + sizeof(bytes), false};

    cr_expect_eq(wire_read_u8(&reader), 1);
    cr_expect_eq(wire_read_u16(&reader), 0x0203);
    cr_expect_eq(wire_read_u32(&reader), 0x04050607);
    cr_expect_eq(wire_left(&reader), 1);
    cr_expect_not(reader.failed);
    cr_expect_eq(wire_read_u16(&reader), 0);
    cr_expect(reader.failed);
    cr_expect_eq(wire_read_u8(&reader), 0, "what is left is not given out after a failure");
    cr_expect_null(wire_read(&reader, 1));
    cr_expect_not_null(wire_read(&reader, 0));
}

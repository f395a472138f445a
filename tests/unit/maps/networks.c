/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "networks.h"

#include <stdlib.h>

#include <criterion/criterion.h>
#include <maxminddb.h>

struct reading {
    MMDB_s mmdb;
    struct world_table *table;
    size_t run_max;
    unsigned tree_bits; /* 32 or 128 */
};

static void add_run(struct reading *reading, wide start, uint32_t record)
{
    struct world_table *table = reading->table;

    if (table->run_n && table->runs[table->run_n - 1].record == record) {
        return;
    }
    if (table->run_n == reading->run_max) {
        reading->run_max = reading->run_max * 2 + 1024;
        table->runs = realloc(table->runs, reading->run_max * sizeof(*table->runs));
        cr_assert_not_null(table->runs);
    }
    table->runs[table->run_n++] = (struct image_run){oracle_key(start), record, 0};
}

static void read_node(struct reading *reading, uint32_t number, wide start, unsigned depth)
{
    MMDB_search_node_s node;

    cr_assert_eq(MMDB_read_node(&reading->mmdb, number, &node), MMDB_SUCCESS);
    for (unsigned bit = 0; bit < 2; bit++) {
        wide at = start | (wide)bit << (127 - depth);
        uint64_t record = bit ? node.right_record : node.left_record;

        switch (bit ? node.right_record_type : node.left_record_type) {
        case MMDB_RECORD_TYPE_SEARCH_NODE:
            read_node(reading, (uint32_t)record, at, depth + 1);
            break;
        case MMDB_RECORD_TYPE_DATA:
            add_run(reading, at, 1 + (uint32_t)(record * 2654435761u % (WORLD_RECORDS - 1)));
            break;
        default:
            add_run(reading, at, 0);
            break;
        }
    }
}

void networks_read(const char *path, bool ipv6, struct world_table *table)
{
    struct reading reading = {.table = table};

    cr_assert_eq(MMDB_open(path, MMDB_MODE_MMAP, &reading.mmdb), MMDB_SUCCESS, "%s", path);
    cr_assert_eq(reading.mmdb.metadata.ip_version, ipv6 ? 6 : 4, "%s", path);
    free(table->runs);
    table->runs = NULL;
    table->run_n = 0;
    table->whole = false;
    read_node(&reading, 0, 0, 0);
    MMDB_close(&reading.mmdb);
}

void networks_read_sample(struct world *world)
{
    for (int map = 0; map < WORLD_MAPS; map++) {
        networks_read(TEST_SOURCE_DIR "/maps/sample/city-ipv4.mmdb", false,
                      &world->tables[map][MAP_SPACE_CLIENT][MAP_FAMILY_IPV4]);
        networks_read(TEST_SOURCE_DIR "/maps/sample/city-ipv6.mmdb", true,
                      &world->tables[map][MAP_SPACE_CLIENT][MAP_FAMILY_IPV6]);
    }
}

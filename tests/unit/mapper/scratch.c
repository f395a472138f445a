/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scratch.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "maps/select_core.h"

void scratch_open(struct scratch *scratch)
{
    strcpy(scratch->folder, "/tmp/isochrone-mapper-unit.XXXXXX");
    cr_assert_not_null(mkdtemp(scratch->folder));
}

void scratch_close(struct scratch *scratch)
{
    glob_t files = {0};

    if (glob(scratch_path(scratch, "*"), 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++) {
            unlink(files.gl_pathv[i]);
        }
    }
    globfree(&files);
    rmdir(scratch->folder);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch->folder, name);
    return path;
}

void scratch_write_bytes(const struct scratch *scratch, const char *name, const void *bytes,
                         size_t len)
{
    struct failure failure;

    cr_assert_eq(fd_replace_file(scratch_path(scratch, name), bytes, len, 0600, &failure), 0);
}

void scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
    scratch_write_bytes(scratch, name, text, strlen(text));
}

struct config *scratch_config(const struct scratch *scratch)
{
    struct config *config = NULL;
    struct failure failure = {{0}};

    cr_assert_eq(config_load(scratch_path(scratch, "mapper.yaml"), &config, &failure), 0, "%s",
                 failure.text);
    return config;
}

int scratch_build(const struct scratch *scratch, struct build_report *ret_report,
                  struct failure *failure)
{
    const struct build_options options = {
        .output = scratch_path(scratch, "out.isomap"), .threads = 2, .max_bad_percent = -1};
    struct config *config = scratch_config(scratch);
    int err = build_run(config, &options, ret_report, failure);

    config_free(config);
    return err;
}

struct image *scratch_image(const struct scratch *scratch)
{
    struct build_report report;
    struct failure failure = {{0}};
    struct image *image = NULL;

    cr_assert_eq(scratch_build(scratch, &report, &failure), 0, "%s", failure.text);
    cr_assert_eq(image_open(scratch_path(scratch, "out.isomap"), &image, &failure), 0, "%s",
                 failure.text);
    return image;
}

const char *scratch_ranking(const struct image *image, const char *map, const char *client,
                            unsigned *ret_scope)
{
    static char text[1024];
    struct map_client who = {.source.family = MAP_ADDRESS_NONE};
    int number = image_find_map(image, map);
    const struct map_entry *entry;
    struct map_verdict verdict;
    struct address address;
    bool seen[256] = {false};

    cr_assert_geq(number, 0);
    entry = image_map(image, (uint32_t)number);
    cr_assert_eq(address_parse(client, &address), 0);
    image_address_from(&address, &who.ecs);
    map_decide(image_region(image), entry, image_records_block(image), &who, &verdict);
    text[0] = '\0';
    for (unsigned i = 0; i < MAP_RECORD_POPS + entry->tail_n; i++) {
        uint8_t pop = map_candidate(verdict.record.pops, entry->tail, i);

        if (pop != MAP_POP_NONE && !seen[pop]) {
            seen[pop] = true;
            strcat(text, text[0] ? " " : "");
            strcat(text, image_pop(image, pop)->name);
        }
    }
    if (ret_scope) {
        *ret_scope = verdict.scope;
    }
    return text;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/disk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define PATIENCE_NS (10 * CLOCK_NS_PER_S)

struct scene {
    char folder[64], journal[96], state[96];
};

static void scene_open(struct scene *scene)
{
    snprintf(scene->folder, sizeof(scene->folder), "/tmp/test_disk.XXXXXX");
    cr_assert(mkdtemp(scene->folder));
    snprintf(scene->journal, sizeof(scene->journal), "%s/bgp.journal", scene->folder);
    snprintf(scene->state, sizeof(scene->state), "%s/state", scene->folder);
}

static void scene_close(const struct scene *scene)
{
    char path[128];

    for (unsigned i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), i ? "%s.%u" : "%s", scene->journal, i);
        unlink(path);
    }
    unlink(scene->state);
    cr_expect_eq(rmdir(scene->folder), 0, "nothing else was left");
}

static struct disk *disk_of(const struct scene *scene)
{
    struct disk *disk =
        disk_open(&(struct disk_options){scene->journal, DISK_JOURNAL_MIN, 2, scene->state});

    cr_assert(disk);
    return disk;
}

static char *content(const char *path, size_t *ret_len)
{
    uint8_t *bytes = NULL;
    struct failure failure;

    cr_assert_eq(fd_read_file(path, 16 << 20, &bytes, ret_len, &failure), 0, "%s", failure.text);
    return (char *)bytes;
}

/* Until the lines of this disk are written or lost. */
static struct disk_counters settle(struct disk *disk, uint64_t lines)
{
    struct disk_counters counters;

    do {
        usleep(1000);
        disk_counters(disk, &counters);
    } while (counters.lines + counters.lines_lost < lines);
    return counters;
}

Test(disk, lines_and_states, .timeout = 30)
{
    struct scene scene;
    struct disk *disk;
    char *text;
    size_t len;

    scene_open(&scene);
    disk = disk_of(&scene);
    cr_assert(disk_append(disk, "one\n", 4));
    disk_replace(disk, "first", 5);
    settle(disk, 1);
    cr_assert(disk_append(disk, "two\n", 4));
    disk_replace(disk, "second", 6);
    disk_close(disk, PATIENCE_NS);
    text = content(scene.journal, &len);
    cr_expect_str_eq(text, "one\ntwo\n", "what waited is written at the end");
    free(text);
    text = content(scene.state, &len);
    cr_expect_str_eq(text, "second");
    free(text);
    scene_close(&scene);
}

Test(disk, a_torn_line_is_ended_first, .timeout = 30)
{
    struct scene scene;
    struct disk *disk;
    FILE *file;
    char *text;
    size_t len;

    scene_open(&scene);
    file = fopen(scene.journal, "w");
    fputs("{\"half", file);
    fclose(file);
    disk = disk_of(&scene);
    disk_append(disk, "one\n", 4);
    disk_close(disk, PATIENCE_NS);
    text = content(scene.journal, &len);
    cr_expect_str_eq(text, "{\"half\none\n");
    free(text);
    scene_close(&scene);
}

Test(disk, files_are_rotated_and_bounded, .timeout = 30)
{
    static char line[32768];
    struct scene scene;
    struct disk *disk;
    struct disk_counters counters = {0};
    struct stat status;
    char path[128];

    scene_open(&scene);
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    disk = disk_of(&scene);
    for (uint64_t i = 0; i < 5 * DISK_JOURNAL_MIN / sizeof(line); i++) {
        cr_assert(disk_append(disk, line, sizeof(line)));
        counters = settle(disk, i + 1);
    }
    cr_expect_geq(counters.rotations, 4);
    cr_expect_eq(counters.lines_lost, 0);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), i ? "%s.%u" : "%s", scene.journal, i);
        cr_expect_eq(stat(path, &status), 0, "%s", path);
        cr_expect_leq((uint64_t)status.st_size, DISK_JOURNAL_MIN);
    }
    snprintf(path, sizeof(path), "%s.3", scene.journal);
    cr_expect_lt(stat(path, &status), 0, "two older ones are kept");
    disk_close(disk, PATIENCE_NS);
    scene_close(&scene);
}

Test(disk, another_may_move_the_file_away, .timeout = 30)
{
    struct scene scene;
    struct disk *disk;
    char moved[128], *text;
    size_t len;

    scene_open(&scene);
    snprintf(moved, sizeof(moved), "%s.1", scene.journal);
    disk = disk_of(&scene);
    disk_append(disk, "one\n", 4);
    settle(disk, 1);
    cr_assert_eq(rename(scene.journal, moved), 0);
    disk_append(disk, "two\n", 4);
    disk_close(disk, PATIENCE_NS);
    text = content(scene.journal, &len);
    cr_expect_str_eq(text, "two\n");
    free(text);
    scene_close(&scene);
}

Test(disk, a_folder_that_is_missing_or_a_pipe_costs_lines_only, .timeout = 30)
{
    struct scene scene;
    struct disk *disk;
    struct disk_counters counters;

    scene_open(&scene);
    disk = disk_open(&(struct disk_options){"/nowhere/at/all", DISK_JOURNAL_MIN, 1, "/nowhere/s"});
    disk_append(disk, "one\n", 4);
    disk_replace(disk, "state", 5);
    counters = settle(disk, 1);
    cr_expect_eq(counters.lines_lost, 1);
    cr_expect(counters.journal_failing);
    disk_close(disk, PATIENCE_NS);

    cr_assert_eq(mkfifo(scene.journal, 0600), 0);
    disk = disk_of(&scene);
    disk_append(disk, "one\n", 4);
    counters = settle(disk, 1);
    cr_expect_eq(counters.lines_lost, 1, "a pipe could block");
    disk_close(disk, PATIENCE_NS);
    scene_close(&scene);
}

Test(disk, a_full_disk_is_counted_and_ends, .timeout = 30)
{
    struct rlimit limit;
    struct scene scene;
    struct disk *disk;
    struct disk_counters counters;
    char *text;
    size_t len;

    scene_open(&scene);
    disk = disk_of(&scene);
    disk_append(disk, "one\n", 4);
    settle(disk, 1);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 6;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    disk_append(disk, "two\n", 4);
    counters = settle(disk, 2);
    cr_expect_eq(counters.lines_lost, 1);
    cr_expect(counters.journal_failing);
    limit.rlim_cur = limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    while (counters.journal_failing) { /* not before its time */
        usleep(50000);
        disk_append(disk, "three\n", 6);
        disk_counters(disk, &counters);
    }
    disk_close(disk, PATIENCE_NS);
    text = content(scene.journal, &len);
    cr_expect_eq(strncmp(text, "one\ntw\nthree\n", 13), 0, "%s", text);
    free(text);
    scene_close(&scene);
}

Test(disk, more_than_can_wait_is_lost, .timeout = 30)
{
    static char line[DISK_QUEUE_LEN + 1];
    struct scene scene;
    struct disk *disk;
    struct disk_counters counters;

    scene_open(&scene);
    disk = disk_of(&scene);
    cr_expect(!disk_append(disk, line, sizeof(line)));
    disk_counters(disk, &counters);
    cr_expect_eq(counters.lines_lost, 1);
    disk_close(disk, PATIENCE_NS);
    cr_expect(!disk_append(NULL, line, 1), "no disk, no harm");
    disk_replace(NULL, line, 1);
    disk_close(NULL, 0);
    scene_close(&scene);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/isochrone-fd-XXXXXX";
static char path[128];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/file", folder);
}

static unsigned entries(void)
{
    DIR *dir = opendir(folder);
    unsigned count = 0;

    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count - 2; /* . and .. */
}

static void remove_folder(void)
{
    chmod(folder, 0700);
    unlink(path);
    rmdir(path);
    rmdir(folder);
}

TestSuite(fd, .init = make_folder, .fini = remove_folder);

static void put(const char *text)
{
    cr_assert_eq(fd_replace_file(path, text, strlen(text), 0644, NULL), 0);
}

Test(fd, a_file_is_read_whole_with_a_nul_behind_it)
{
    uint8_t *bytes;
    size_t len;

    put("hello");
    cr_assert_eq(fd_read_file(path, 100, &bytes, &len, NULL), 0);
    cr_assert_eq(len, 5);
    cr_assert_eq(memcmp(bytes, "hello", 6), 0);
    free(bytes);

    put("");
    cr_assert_eq(fd_read_file(path, 100, &bytes, &len, NULL), 0);
    cr_assert_eq(len, 0);
    cr_assert_eq(bytes[0], 0);
    free(bytes);
}

Test(fd, the_bound_is_exact)
{
    struct failure failure;
    uint8_t *bytes = NULL;
    size_t len = 77;

    put("hello");
    cr_assert_eq(fd_read_file(path, 4, &bytes, &len, &failure), -EFBIG);
    cr_assert_not_null(strstr(failure.text, path));
    cr_assert_null(bytes);
    cr_assert_eq(len, 77);
    cr_assert_eq(fd_read_file(path, 5, &bytes, &len, &failure), 0);
    free(bytes);
}

Test(fd, files_whose_size_says_nothing_are_read_and_bounded)
{
    uint8_t *bytes;
    size_t len;

    /* /proc files have size 0 */
    cr_assert_eq(fd_read_file("/proc/self/status", 1 << 20, &bytes, &len, NULL), 0);
    cr_assert_gt(len, 100);
    cr_assert_eq(bytes[len], 0);
    free(bytes);
    for (size_t max = 0; max < 40; max++) {
        cr_assert_eq(fd_read_file("/proc/self/status", max, &bytes, &len, NULL), -EFBIG);
    }
}

Test(fd, what_is_no_file_is_refused_without_waiting)
{
    struct failure failure;
    uint8_t *bytes;
    size_t len;

    cr_assert_eq(fd_read_file(path, 10, &bytes, &len, &failure), -ENOENT);
    cr_assert_not_null(strstr(failure.text, "No such file"));
    cr_assert_eq(fd_read_file(folder, 10, &bytes, &len, &failure), -EISDIR);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(fd_read_file(path, 10, &bytes, &len, &failure), -EINVAL);
    cr_assert_not_null(strstr(failure.text, "not a regular file"));
}

Test(fd, replacing_is_one_step_and_leaves_nothing_behind)
{
    struct stat before, after;
    uint8_t *bytes;
    size_t len;
    int reader;
    char old[4] = "";

    put("old");
    reader = open(path, O_RDONLY);
    cr_assert_eq(stat(path, &before), 0);
    cr_assert_eq(fd_replace_file(path, "fresh", 5, 0640, NULL), 0);
    cr_assert_eq(stat(path, &after), 0);
    cr_assert_neq(before.st_ino, after.st_ino);
    cr_assert_eq(after.st_mode & 07777, 0640);
    cr_assert_eq(entries(), 1);
    /* who had it open still sees the old one */
    cr_assert_eq(read(reader, old, 3), 3);
    cr_assert_str_eq(old, "old");
    close(reader);
    cr_assert_eq(fd_read_file(path, 10, &bytes, &len, NULL), 0);
    cr_assert_eq(memcmp(bytes, "fresh", 6), 0);
    free(bytes);
}

Test(fd, a_failed_replacement_leaves_no_trace)
{
    struct failure failure;

    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(fd_replace_file(path, "x", 1, 0644, &failure), -EISDIR);
    cr_assert_not_null(strstr(failure.text, path));
    cr_assert_eq(entries(), 1);
    cr_assert_eq(fd_replace_file("/nonexistent/file", "x", 1, 0644, &failure), -ENOENT);
}

Test(fd, a_name_without_a_folder_is_in_this_one)
{
    struct stat status;

    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(fd_replace_file("file", "x", 1, 0600, NULL), 0);
    cr_assert_eq(stat(path, &status), 0);
}

Test(fd, close_keeps_errno_and_forgets_the_number)
{
    int pair[2], none = -1;

    cr_assert_eq(pipe(pair), 0);
    errno = ENOTTY;
    fd_close(&pair[1]);
    cr_assert_eq(pair[1], -1);
    fd_close(&none);
    cr_assert_eq(none, -1);
    cr_assert_eq(errno, ENOTTY);
    cr_assert_eq(read(pair[0], &none, 1), 0); /* the writer is gone */
    fd_close(&pair[0]);
}

Test(fd, write_all_writes_all_and_reports_errors)
{
    int pair[2];
    char byte;

    cr_assert_eq(pipe(pair), 0);
    cr_assert_eq(fd_write_all(pair[1], "abc", 3), 0);
    cr_assert_eq(fd_set_nonblocking(pair[0]), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(read(pair[0], &byte, 1), 1);
        cr_assert_eq(byte, "abc"[i]);
    }
    cr_assert_eq(read(pair[0], &byte, 1), -1);
    cr_assert_eq(errno, EAGAIN);
    cr_assert_eq(fd_write_all(pair[0], "x", 1), -EBADF);
    cr_assert_eq(fd_set_nonblocking(-1), -EBADF);
}

Test(fd, paths_are_relative_to_the_file_that_names_them)
{
    static const struct {
        const char *base, *path, *resolved;
    } rows[] = {
        {"/etc/isochrone/edge.yaml", "zone", "/etc/isochrone/zone"},
        {"/etc/isochrone/edge.yaml", "/srv/zone", "/srv/zone"},
        {"conf/edge.yaml", "zones/a", "conf/zones/a"},
        {"edge.yaml", "zone", "zone"},
        {"/edge.yaml", "zone", "/zone"},
        {"../edge.yaml", "../zone", "../../zone"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *resolved = fd_resolve_path(rows[i].base, rows[i].path);

        cr_expect_str_eq(resolved, rows[i].resolved);
        free(resolved);
    }
}

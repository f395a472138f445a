/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "edge/daemon/cookie_file.h"

static char folder[] = "/tmp/isochrone-cookies-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static const char *file(const char *name)
{
    static char path[2][256];
    static unsigned turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void teardown(void)
{
    unlink(file("a"));
    unlink(file("b"));
    unlink(file("cookie-secret"));
    rmdir(folder);
}

static void put(const char *name, const char *text, mode_t mode)
{
    struct failure failure;

    cr_assert_eq(fd_replace_file(file(name), text, strlen(text), 0600, &failure), 0);
    cr_assert_eq(chmod(file(name), mode), 0);
}

Test(cookie_file, forms_and_modes, .init = setup, .fini = teardown)
{
    static const struct {
        const char *text;
        mode_t mode;
        int code;
        const char *reason, *why;
    } rows[] = {
        {"000102030405060708090a0b0c0d0e0f\n", 0600, 0, "", "as it should be"},
        {"000102030405060708090A0B0C0D0E0F", 0400, 0, "", "capitals, no end of line"},
        {"000102030405060708090a0b0c0d0e0f\r\n", 0440, 0, "", "a systemd credential"},
        {"000102030405060708090a0b0c0d0e0f\n", 0604, -EPERM, "mode 0604", "everybody reads"},
        {"000102030405060708090a0b0c0d0e0f\n", 0620, -EPERM, "mode 0620", "the group writes"},
        {"000102030405060708090a0b0c0d0e0\n", 0600, -EINVAL, ":1:1: a cookie", "a digit too few"},
        {"000102030405060708090a0b0c0d0e0f0", 0600, -EINVAL, ":1:1: a cookie", "one too many"},
        {"000102030405060708090a0b0c0d0e0g", 0600, -EINVAL, ":1:1: a cookie", "no digit"},
        {"", 0600, -EINVAL, ":1:1: a cookie", "empty"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct failure failure = {{0}};
        uint8_t secret[COOKIE_SECRET_LEN] = {0xee};

        put("a", rows[i].text, rows[i].mode);
        cr_expect_eq(cookie_file_read(file("a"), secret, &failure), rows[i].code, "%s",
                     rows[i].why);
        cr_expect_not_null(strstr(failure.text, rows[i].reason), "%s: %s", rows[i].why,
                           failure.text);
        cr_expect_null(strstr(failure.text, "000102"), "%s: never the secret", rows[i].why);
        cr_expect_eq(secret[15], rows[i].code ? 0 : 15, "%s", rows[i].why);
    }
}

Test(cookie_file, shared, .init = setup, .fini = teardown)
{
    struct report report = {0};
    struct cookie_secrets secrets = {0};
    const char *files[] = {strdup(file("a")), strdup(file("b"))};
    struct config_cookies config = {.on = true, .secrets = files, .secret_n = 2};

    put("a", "000102030405060708090a0b0c0d0e0f\n", 0600);
    put("b", "f0000000000000000000000000000000\n", 0600);
    cr_assert_eq(cookie_files_load(&config, NULL, NULL, &secrets, &report), 0);
    cr_expect_eq(secrets.count, 2);
    cr_expect_eq(secrets.secrets[0][1], 1);
    cr_expect_eq(secrets.secrets[1][0], 0xf0);
    put("b", "rubbish\n", 0600);
    cr_expect_eq(cookie_files_load(&config, NULL, &secrets, &secrets, &report), -EINVAL);
    cr_expect_eq(report.count, 1);
    cr_expect_eq(secrets.secrets[1][0], 0xf0, "untouched");
    report_done(&report);
    free((char *)files[0]);
    free((char *)files[1]);
}

Test(cookie_file, own_is_kept, .init = setup, .fini = teardown)
{
    struct report report = {0};
    struct cookie_secrets first = {0}, again = {0}, other = {0};
    struct config_cookies config = {.on = true};
    struct stat status;

    cr_assert_eq(cookie_files_load(&config, folder, NULL, &first, &report), 0);
    cr_expect_eq(first.count, 1);
    cr_assert_eq(stat(file("cookie-secret"), &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(cookie_files_load(&config, folder, NULL, &again, &report), 0);
    cr_expect_arr_eq(first.secrets[0], again.secrets[0], COOKIE_SECRET_LEN, "after a restart");
    cr_assert_eq(cookie_files_load(&config, NULL, &first, &again, &report), 0);
    cr_expect_arr_eq(first.secrets[0], again.secrets[0], COOKIE_SECRET_LEN, "after a reload");
    cr_expect_eq(report.warning_n, 0);
    cr_assert_eq(chmod(file("cookie-secret"), 0644), 0);
    cr_assert_eq(cookie_files_load(&config, folder, NULL, &other, &report), 0);
    cr_expect_neq(memcmp(first.secrets[0], other.secrets[0], COOKIE_SECRET_LEN), 0,
                  "everybody could read it");
    cr_expect_eq(report.warning_n, 1);
    cr_assert_eq(stat(file("cookie-secret"), &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0600);
    config.on = false;
    cr_assert_eq(cookie_files_load(&config, folder, &first, &other, &report), 0);
    cr_expect_eq(other.count, 0, "off");
    cr_expect_eq(report.count, 0);
    report_done(&report);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/cookie_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"

#define COOKIE_FILE_NAME "cookie-secret"
#define COOKIE_FILE_MAX 256u /* with white space after the digits */
#define COOKIE_DIGITS ((size_t)2 * COOKIE_SECRET_LEN)

static int cookie_digit(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static bool cookie_parse(const uint8_t *text, size_t len,
                         uint8_t ret_secret[static COOKIE_SECRET_LEN])
{
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' ')) {
        len--;
    }
    if (len != COOKIE_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < COOKIE_SECRET_LEN; i++) {
        int high = cookie_digit(text[2 * i]);
        int low = cookie_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        ret_secret[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

int cookie_file_read(const char *path, uint8_t ret_secret[static COOKIE_SECRET_LEN],
                     struct failure *failure)
{
    uint8_t secret[COOKIE_SECRET_LEN];
    uint8_t *text = NULL;
    size_t len = 0;
    int code = fd_read_secret(path, COOKIE_FILE_MAX, &text, &len, failure);

    if (code < 0) {
        return code;
    }
    if (cookie_parse(text, len, secret)) {
        memcpy(ret_secret, secret, sizeof(secret));
    } else {
        code = failure_set(failure, -EINVAL, "%s:1:1: a cookie secret is %zu hexadecimal digits",
                           path, COOKIE_DIGITS);
    }
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, len);
    free(text);
    return code;
}

static int cookie_file_write(const char *path, const uint8_t secret[static COOKIE_SECRET_LEN],
                             struct failure *failure)
{
    char text[COOKIE_DIGITS + 2];
    int code;

    for (size_t i = 0; i < COOKIE_SECRET_LEN; i++) {
        snprintf(text + 2 * i, 4, "%02x\n", secret[i]);
    }
    code = fd_replace_file(path, text, COOKIE_DIGITS + 1, 0600, failure);
    explicit_bzero(text, sizeof(text));
    return code;
}

/* The kept one, or a new one that is kept. A file others could read or that is damaged is replaced:
 * all a client loses is one exchange. */
static int cookie_own(const char *state_dir, uint8_t ret_secret[static COOKIE_SECRET_LEN],
                      struct report *report)
{
    struct failure failure = {{0}};
    char *path = NULL;
    int code;

    if (!state_dir || asprintf(&path, "%s/%s", state_dir, COOKIE_FILE_NAME) < 0) {
        path = NULL;
    }
    code = path ? cookie_file_read(path, ret_secret, &failure) : -ENOENT;
    if (code < 0) {
        if (code != -ENOENT) {
            report_warn(report, "%s (replaced by a new secret)", failure.text);
        }
        code = getrandom(ret_secret, COOKIE_SECRET_LEN, 0) == COOKIE_SECRET_LEN ? 0 : -EIO;
        if (code < 0) {
            report_add_text(report, "cookies: the system has no random numbers");
        } else if (path && cookie_file_write(path, ret_secret, &failure) < 0) {
            report_warn(report, "%s (the cookie secret will not survive a restart)", failure.text);
        }
    }
    free(path);
    return code;
}

static int cookie_shared(const struct config_cookies *config, struct cookie_secrets *ret_secrets,
                         struct report *report)
{
    struct failure failure = {{0}};
    int code = 0;

    for (size_t i = 0; i < config->secret_n && code == 0; i++) {
        code = cookie_file_read(config->secrets[i], ret_secrets->secrets[i], &failure);
        if (code < 0) {
            report_add_text(report, "%s (cookie secrets stay as they were)", failure.text);
        }
    }
    ret_secrets->count = (uint32_t)config->secret_n;
    return code;
}

int cookie_files_load(const struct config_cookies *config, const char *state_dir,
                      const struct cookie_secrets *previous, struct cookie_secrets *ret_secrets,
                      struct report *report)
{
    struct cookie_secrets secrets = {0};
    int code = 0;

    if (config->secret_n) {
        code = cookie_shared(config, &secrets, report);
    } else if (config->on && previous && previous->own) {
        secrets = *previous;
    } else if (config->on) {
        secrets.count = 1;
        secrets.own = 1;
        code = cookie_own(state_dir, secrets.secrets[0], report);
    }
    if (code == 0) {
        *ret_secrets = secrets;
    }
    explicit_bzero(&secrets, sizeof(secrets));
    return code;
}

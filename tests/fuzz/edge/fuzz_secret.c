/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a file with a cookie secret: refused with its place, or read, and then a secret that
 * is written in the same digits.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/daemon/cookie_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t secret[COOKIE_SECRET_LEN];
    struct failure failure = {{0}};
    int file = memfd_create("secret", MFD_CLOEXEC);
    char path[64];
    char digits[4];

    if (file < 0) {
        return 0;
    }
    require(fchmod(file, 0600) == 0 && write(file, bytes, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (cookie_file_read(path, secret, &failure) < 0) {
        require(strncmp(failure.text, path, strlen(path)) == 0);
    } else {
        require(len >= (size_t)2 * COOKIE_SECRET_LEN);
        for (size_t i = 0; i < COOKIE_SECRET_LEN; i++) {
            snprintf(digits, sizeof(digits), "%02x", secret[i]);
            require(tolower(bytes[2 * i]) == digits[0] && tolower(bytes[2 * i + 1]) == digits[1]);
        }
    }
    close(file);
    return 0;
}

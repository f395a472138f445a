/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes as a file of measurements, compressed or not: lines of bounded length, each ended, in
 * order, until the end or a reason that names the file; whatever it unpacks to, memory stays the
 * same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mapper/line_stream.h"

#define UNPACKED_MAX ((size_t)1 << 18) /* of one input: some bytes unpack to many */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_all(struct line_stream *stream, const char *path)
{
    struct failure failure = {{0}};
    struct line line;
    size_t unpacked = 0;
    uint64_t number = 0;
    int got = 0;

    while (unpacked < UNPACKED_MAX && (got = line_stream_next(stream, &line, &failure)) == 1) {
        require(line.number == ++number);
        require(line.len <= LINE_MAX_LEN && line.text[line.len] == '\0');
        require(!memchr(line.text, '\n', line.len));
        require(!line.too_long || line.len == 0);
        unpacked += line.len + 1;
    }
    require(got >= 0 || strncmp(failure.text, path, strlen(path)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct line_stream *stream;
    struct failure failure = {{0}};
    char path[64];
    int fd = memfd_create("lines", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    require(line_stream_open(path, &stream, &failure) == 0);
    read_all(stream, path);
    line_stream_close(stream);
    close(fd);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Three sources (zlib, which also passes plain files through; zstd; memory) fill one buffer; lines
 * are cut out of it in place.
 */
#include "mapper/line_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"

#define STREAM_BUFFER_LEN ((size_t)1 << 20)
#define STREAM_ZSTD_WINDOW_LOG_MAX 27 /* 128 MiB: zstd's own limit for untrusted frames */

_Static_assert(STREAM_BUFFER_LEN > 2 * (LINE_MAX_LEN + 1), "a whole line fits beside what is left");

struct line_stream {
    char *name;
    int fd; /* zstd only; zlib owns its own */
    gzFile gz;
    ZSTD_DStream *zstd;
    uint8_t *packed; /* zstd input */
    ZSTD_inBuffer input;
    bool mid_frame; /* zstd: the file must not end here */
    const uint8_t *memory;
    size_t memory_len;
    char *buffer;
    size_t at;  /* start of what is unread */
    size_t end; /* of what is filled */
    bool ended;
    uint64_t line;
    uint64_t offset;
};

static int stream_new(const char *name, struct line_stream **ret_stream, struct failure *failure)
{
    struct line_stream *stream = calloc(1, sizeof(*stream));

    if (stream) {
        stream->fd = -1;
        stream->name = strdup(name);
        stream->buffer = malloc(STREAM_BUFFER_LEN + 1);
    }
    if (!stream || !stream->name || !stream->buffer) {
        line_stream_close(stream);
        return failure_set(failure, -ENOMEM, "%s: out of memory", name);
    }
    *ret_stream = stream;
    return 0;
}

static int zstd_open(struct line_stream *stream, int fd, struct failure *failure)
{
    stream->fd = fd;
    stream->zstd = ZSTD_createDStream();
    stream->packed = malloc(ZSTD_DStreamInSize());
    if (!stream->zstd || !stream->packed ||
        ZSTD_isError(ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax,
                                            STREAM_ZSTD_WINDOW_LOG_MAX))) {
        return failure_set(failure, -ENOMEM, "%s: out of memory", stream->name);
    }
    stream->input.src = stream->packed;
    return 0;
}

static int gz_open(struct line_stream *stream, int fd, struct failure *failure)
{
    stream->gz = gzdopen(fd, "rb");
    if (!stream->gz) {
        close(fd);
        return failure_set(failure, -ENOMEM, "%s: out of memory", stream->name);
    }
    (void)gzbuffer(stream->gz, 128u << 10);
    return 0;
}

int line_stream_open(const char *path, struct line_stream **ret_stream, struct failure *failure)
{
    static const uint8_t zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
    uint8_t magic[4] = {0};
    struct line_stream *stream;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err;

    if (fd < 0) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        close(fd);
        return failure_set(failure, -EISDIR, "%s: is not a file", path);
    }
    err = stream_new(path, &stream, failure);
    if (err) {
        close(fd);
        return err;
    }
    if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
        memcmp(magic, zstd_magic, sizeof(magic)) == 0) {
        err = zstd_open(stream, fd, failure);
    } else {
        err = gz_open(stream, fd, failure);
    }
    if (err) {
        line_stream_close(stream);
        return err;
    }
    *ret_stream = stream;
    return 0;
}

int line_stream_from_bytes(const char *name, const uint8_t *bytes, size_t len,
                           struct line_stream **ret_stream, struct failure *failure)
{
    int err = stream_new(name, ret_stream, failure);

    if (!err) {
        (*ret_stream)->memory = bytes;
        (*ret_stream)->memory_len = len;
    }
    return err;
}

static int gz_fill(struct line_stream *stream, size_t room, struct failure *failure)
{
    int got = gzread(stream->gz, stream->buffer + stream->end, (unsigned)room);
    int code = 0;
    const char *text;
    z_off_t offset;

    if (got < 0) {
        text = gzerror(stream->gz, &code);
        return failure_set(failure, -EIO, "%s: cannot be read after line %llu: %s", stream->name,
                           (unsigned long long)stream->line,
                           code == Z_ERRNO ? strerror(errno) : text);
    }
    if ((size_t)got < room) {
        text = gzerror(stream->gz, &code);
        if (code != Z_OK && code != Z_STREAM_END) { /* Z_BUF_ERROR: the file was cut short */
            return failure_set(failure, -EIO, "%s: cut short after line %llu: %s", stream->name,
                               (unsigned long long)stream->line, text);
        }
    }
    offset = gzoffset(stream->gz);
    stream->offset = offset > 0 ? (uint64_t)offset : 0;
    stream->end += (size_t)got;
    stream->ended = got == 0;
    return 0;
}

/* The next piece of the compressed file; its end is the end of the stream, unless a frame is open.
 */
static int zstd_refill(struct line_stream *stream, struct failure *failure)
{
    ssize_t got;

    do {
        got = read(stream->fd, stream->packed, ZSTD_DStreamInSize());
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return failure_set(failure, -errno, "%s: %s", stream->name, strerror(errno));
    }
    if (got == 0 && stream->mid_frame) {
        return failure_set(failure, -EIO, "%s: cut short after line %llu", stream->name,
                           (unsigned long long)stream->line);
    }
    stream->ended = got == 0;
    stream->input.size = (size_t)got;
    stream->input.pos = 0;
    stream->offset += (uint64_t)got;
    return 0;
}

static int zstd_fill(struct line_stream *stream, size_t room, struct failure *failure)
{
    ZSTD_outBuffer output = {.dst = stream->buffer + stream->end, .size = room};

    while (output.pos == 0 && !stream->ended) {
        size_t before = stream->input.pos;
        size_t left = ZSTD_decompressStream(stream->zstd, &output, &stream->input);

        if (ZSTD_isError(left)) {
            return failure_set(failure, -EIO, "%s: after line %llu: %s", stream->name,
                               (unsigned long long)stream->line, ZSTD_getErrorName(left));
        }
        if (output.pos || stream->input.pos > before) {
            stream->mid_frame = left != 0;
        }
        if (output.pos == 0 && stream->input.pos == stream->input.size) {
            int err = zstd_refill(stream, failure);

            if (err) {
                return err;
            }
        }
    }
    stream->end += output.pos;
    return 0;
}

static int memory_fill(struct line_stream *stream, size_t room)
{
    size_t left = stream->memory_len - (size_t)stream->offset;
    size_t len = left < room ? left : room;

    if (len) {
        memcpy(stream->buffer + stream->end, stream->memory + stream->offset, len);
    }
    stream->offset += len;
    stream->end += len;
    stream->ended = len == 0;
    return 0;
}

static int stream_fill(struct line_stream *stream, struct failure *failure)
{
    size_t room;

    if (stream->at) {
        memmove(stream->buffer, stream->buffer + stream->at, stream->end - stream->at);
        stream->end -= stream->at;
        stream->at = 0;
    }
    room = STREAM_BUFFER_LEN - stream->end;
    if (stream->gz) {
        return gz_fill(stream, room, failure);
    }
    return stream->zstd ? zstd_fill(stream, room, failure) : memory_fill(stream, room);
}

static void line_cut(struct line_stream *stream, size_t len, size_t skip, bool too_long,
                     struct line *ret_line)
{
    char *text = stream->buffer + stream->at;

    if (len && text[len - 1] == '\r') {
        len--;
    }
    text[too_long ? 0 : len] = '\0';
    ret_line->text = text;
    ret_line->len = too_long ? 0 : len;
    ret_line->number = ++stream->line;
    ret_line->too_long = too_long;
    stream->at += skip;
}

int line_stream_next(struct line_stream *stream, struct line *ret_line, struct failure *failure)
{
    bool too_long = false;

    for (;;) {
        size_t len = stream->end - stream->at;
        const char *text = stream->buffer + stream->at;
        const char *newline = len ? memchr(text, '\n', len) : NULL;
        int err;

        if (newline) {
            len = (size_t)(newline - text);
            line_cut(stream, len, len + 1, too_long || len > LINE_MAX_LEN, ret_line);
            return 1;
        }
        if (len >
            LINE_MAX_LEN) { /* nothing so long is a row: drop what there is, look for the end */
            too_long = true;
            stream->at = stream->end;
            len = 0;
        }
        if (stream->ended) {
            if (len == 0 && !too_long) {
                return 0;
            }
            line_cut(stream, len, len, too_long, ret_line);
            return 1;
        }
        err = stream_fill(stream, failure);
        if (err) {
            return err;
        }
    }
}

const char *line_stream_name(const struct line_stream *stream)
{
    return stream->name;
}

uint64_t line_stream_offset(const struct line_stream *stream)
{
    return stream->offset;
}

void line_stream_close(struct line_stream *stream)
{
    if (!stream) {
        return;
    }
    if (stream->gz) {
        (void)gzclose_r(stream->gz);
    }
    (void)ZSTD_freeDStream(stream->zstd);
    fd_close(&stream->fd);
    free(stream->packed);
    free(stream->buffer);
    free(stream->name);
    free(stream);
}

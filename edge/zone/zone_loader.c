/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/zone/zone_loader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libzscanner/scanner.h>

#include "base/fd.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"

/* One depth of inclusion. To make a scanner ready costs more than to read a small file with it, so
 * one that came to the end of its text without a fault reads the next. */
struct loader_level {
    zs_scanner_t *scanner; /* NULL: not needed so far */
    bool made;             /* by zs_init() */
    bool settled;          /* between records, as zs_init() leaves it */
};

struct zone_loader {
    struct loader_level levels[ZONE_LOADER_INCLUDE_DEPTH + 1];
    /* of the zone being read */
    struct zone_builder *builder; /* NULL: none */
    const char *path;
    struct failure *failure;
    unsigned include_n;
    bool includes; /* are followed */
};

static int loader_file(struct zone_loader *loader, const char *path, const char *origin,
                       uint32_t ttl, unsigned depth);

static int loader_fail(struct zone_loader *loader, const zs_scanner_t *scanner, const char *path,
                       const char *reason)
{
    return failure_set(loader->failure, -EINVAL, "%s:%llu: %s", path,
                       (unsigned long long)scanner->line_counter, reason);
}

static int loader_record(struct zone_loader *loader, const zs_scanner_t *scanner, const char *path)
{
    struct zone_record record = {
        .owner = scanner->r_owner,
        .rdata = scanner->r_data,
        .rdata_len = scanner->r_data_length,
        .ttl = scanner->r_ttl,
        .type = scanner->r_type,
        .class = scanner->r_class,
        .file = path,
        .line = scanner->line_counter > UINT32_MAX ? UINT32_MAX : (uint32_t)scanner->line_counter,
    };

    return zone_builder_add(loader->builder, &record, loader->failure);
}

/* $INCLUDE is followed here and not by the scanner, which would follow a file that includes itself
 * until descriptors run out. The included file starts with our origin (or the one named) and TTL
 * and changes neither for us (RFC 1035 section 5.1). */
static int loader_include(struct zone_loader *loader, zs_scanner_t *scanner, const char *path,
                          unsigned depth)
{
    const char *origin =
        (const char *)scanner->buffer; /* the one named in the directive, or ours */
    char *included;
    int status;

    scanner->top = 0; /* libzscanner 3.2 leaves the directive on its stack, which holds 16 */
    if (!loader->includes || depth == ZONE_LOADER_INCLUDE_DEPTH) {
        return loader_fail(loader, scanner, path,
                           "$INCLUDE is not possible here, or nested too deep");
    }
    if (++loader->include_n >
        ZONE_LOADER_INCLUDES_MAX) { /* two that include each other twice, ... */
        return loader_fail(loader, scanner, path, "too many files are included");
    }
    included = fd_resolve_path(path, scanner->include_filename);
    if (!included) {
        return failure_set(loader->failure, -ENOMEM, "%s: out of memory", path);
    }
    status = loader_file(loader, included, origin, scanner->default_ttl, depth + 1);
    free(included);
    return status;
}

static int loader_scan(struct zone_loader *loader, zs_scanner_t *scanner, const char *path,
                       unsigned depth)
{
    for (;;) {
        int status = 0;

        if (zs_parse_record(scanner) != 0) {
            return loader_fail(loader, scanner, path, zs_strerror(scanner->error.code));
        }
        switch (scanner->state) {
        case ZS_STATE_DATA:
            status = loader_record(loader, scanner, path);
            break;
        case ZS_STATE_INCLUDE:
            status = loader_include(loader, scanner, path, depth);
            break;
        case ZS_STATE_EOF:
            return scanner->error.counter
                       ? loader_fail(loader, scanner, path, zs_strerror(scanner->error.code))
                       : 0;
        case ZS_STATE_NONE:
        case ZS_STATE_STOP:
        case ZS_STATE_ERROR:
            return loader_fail(loader, scanner, path, zs_strerror(scanner->error.code));
        }
        if (status) {
            return status;
        }
    }
}

/* --- scanners --- */

/* Makes a settled scanner what zs_init() makes of a new one, without clearing its 200 KiB. What
 * outlives a record is the origin, the TTL, the last owner and the line; all else the scanner sets
 * anew for each record. zs_init() reads an origin from text, too. */
static bool loader_reuse(struct loader_level *level, const char *origin, uint32_t ttl)
{
    zs_scanner_t *scanner = level->scanner;
    char text[NAME_TEXT_LEN + 16];
    int len = snprintf(text, sizeof(text), "$ORIGIN %s\n", origin);

    if (!level->settled || len < 0 || (size_t)len >= sizeof(text) ||
        zs_set_input_string(scanner, text, (size_t)len) != 0 || zs_parse_record(scanner) != 0 ||
        scanner->state != ZS_STATE_EOF || scanner->error.counter) {
        return false;
    }
    scanner->default_ttl = ttl;
    scanner->r_owner_length = 0;
    scanner->line_counter = 1;
    return true;
}

static int loader_renew(struct loader_level *level, const char *path, const char *origin,
                        uint32_t ttl, struct failure *failure)
{
    level->settled = false;
    if (!level->scanner) {
        level->scanner = malloc(sizeof(*level->scanner));
    }
    if (!level->scanner) {
        return failure_set(failure, -ENOMEM, "%s: out of memory", path);
    }
    if (level->made) {
        zs_deinit(level->scanner);
    }
    level->made = zs_init(level->scanner, origin, WIRE_CLASS_IN, ttl) == 0;
    return level->made ? 0
                       : failure_set(failure, -EINVAL, "%s:1: %s", path,
                                     zs_strerror(level->scanner->error.code));
}

static int loader_text(struct zone_loader *loader, const char *path, const char *bytes, size_t len,
                       const char *origin, uint32_t ttl, unsigned depth)
{
    struct loader_level *level = &loader->levels[depth];
    int status = loader_reuse(level, origin, ttl)
                     ? 0
                     : loader_renew(level, path, origin, ttl, loader->failure);

    if (status) {
        return status;
    }
    level->settled = false;
    if (zs_set_input_string(level->scanner, bytes, len) != 0) {
        return loader_fail(loader, level->scanner, path, zs_strerror(level->scanner->error.code));
    }
    status = loader_scan(loader, level->scanner, path, depth);
    level->settled = status == 0;
    return status;
}

static int loader_file(struct zone_loader *loader, const char *path, const char *origin,
                       uint32_t ttl, unsigned depth)
{
    uint8_t *bytes;
    size_t len;
    int status = fd_read_file(path, ZONE_LOADER_FILE_MAX, &bytes, &len, loader->failure);

    if (status) {
        return status;
    }
    status = loader_text(loader, path, (const char *)bytes, len, origin, ttl, depth);
    free(bytes);
    return status;
}

struct zone_loader *zone_loader_new(void)
{
    return calloc(1, sizeof(struct zone_loader));
}

void zone_loader_free(struct zone_loader *loader)
{
    if (!loader) {
        return;
    }
    for (size_t i = 0; i <= ZONE_LOADER_INCLUDE_DEPTH; i++) {
        if (loader->levels[i].made) {
            zs_deinit(loader->levels[i].scanner);
        }
        free(loader->levels[i].scanner);
    }
    zone_builder_free(loader->builder);
    free(loader);
}

static void loader_end(struct zone_loader *loader)
{
    zone_builder_free(loader->builder);
    loader->builder = NULL;
}

int zone_loader_read(struct zone_loader *loader, const struct zone_text *text,
                     const uint8_t *origin, struct failure *failure)
{
    char origin_text[NAME_TEXT_LEN];
    int status;

    loader_end(loader);
    loader->builder = zone_builder_new(origin);
    if (!loader->builder) {
        return failure_set(failure, -ENOMEM, "%s: out of memory", text->path);
    }
    loader->path = text->path;
    loader->failure = failure;
    loader->include_n = 0;
    loader->includes = text->includes;
    status = loader_text(loader, text->path, text->bytes, text->len,
                         name_to_text(origin, origin_text), ZONE_LOADER_DEFAULT_TTL, 0);
    if (status) {
        loader_end(loader);
    }
    return status;
}

int zone_loader_finish(struct zone_loader *loader, struct zone **ret_zone,
                       struct zone_report *ret_report, struct failure *failure)
{
    int status = zone_builder_finish(loader->builder, loader->path, ret_zone, ret_report, failure);

    if (status == 0 && ret_report) {
        ret_report->include_n = loader->include_n;
    }
    loader_end(loader);
    return status;
}

int zone_load_file(const char *path, const uint8_t *origin, struct zone **ret_zone,
                   struct zone_report *ret_report, struct failure *failure)
{
    struct zone_text text = {.path = path, .includes = true};
    struct zone_loader *loader;
    uint8_t *bytes;
    int status = fd_read_file(path, ZONE_LOADER_FILE_MAX, &bytes, &text.len, failure);

    if (status) {
        return status;
    }
    text.bytes = (const char *)bytes;
    loader = zone_loader_new();
    status = loader ? zone_loader_read(loader, &text, origin, failure)
                    : failure_set(failure, -ENOMEM, "%s: out of memory", path);
    free(bytes);
    if (status == 0) {
        status = zone_loader_finish(loader, ret_zone, ret_report, failure);
    }
    zone_loader_free(loader);
    return status;
}

int zone_load_bytes(const char *name, const char *bytes, size_t len, const uint8_t *origin,
                    struct zone **ret_zone, struct zone_report *ret_report, struct failure *failure)
{
    struct zone_text text = {.path = name, .bytes = bytes, .len = len};
    struct zone_loader *loader = zone_loader_new();
    int status = loader ? zone_loader_read(loader, &text, origin, failure)
                        : failure_set(failure, -ENOMEM, "%s: out of memory", name);

    if (status == 0) {
        status = zone_loader_finish(loader, ret_zone, ret_report, failure);
    }
    zone_loader_free(loader);
    return status;
}

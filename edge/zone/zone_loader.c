/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/zone/zone_loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libzscanner/scanner.h>

#include "base/fd.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"

struct loader {
    struct zone_builder *builder;
    struct failure *failure;
    unsigned include_n;
};

static int loader_file(struct loader *loader, const char *path, const char *origin, uint32_t ttl,
                       unsigned depth);

static int loader_fail(struct loader *loader, const zs_scanner_t *scanner, const char *path,
                       const char *reason)
{
    return failure_set(loader->failure, -EINVAL, "%s:%llu: %s", path,
                       (unsigned long long)scanner->line_counter, reason);
}

static int loader_record(struct loader *loader, const zs_scanner_t *scanner, const char *path)
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
static int loader_include(struct loader *loader, zs_scanner_t *scanner, const char *path,
                          unsigned depth)
{
    const char *origin =
        (const char *)scanner->buffer; /* the one named in the directive, or ours */
    char *included;
    int status;

    scanner->top = 0; /* libzscanner 3.2 leaves the directive on its stack, which holds 16 */
    if (depth == 0) {
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
    status = loader_file(loader, included, origin, scanner->default_ttl, depth - 1);
    free(included);
    return status;
}

static int loader_scan(struct loader *loader, zs_scanner_t *scanner, const char *path,
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

static int loader_text(struct loader *loader, const char *path, const char *bytes, size_t len,
                       const char *origin, uint32_t ttl, unsigned depth)
{
    zs_scanner_t *scanner = malloc(sizeof(*scanner));
    int status;

    if (!scanner) {
        return failure_set(loader->failure, -ENOMEM, "%s: out of memory", path);
    }
    if (zs_init(scanner, origin, WIRE_CLASS_IN, ttl) != 0) {
        status = failure_set(loader->failure, -EINVAL, "%s:1: %s", path,
                             zs_strerror(scanner->error.code));
        free(scanner);
        return status;
    }
    if (zs_set_input_string(scanner, bytes, len) != 0) {
        status = loader_fail(loader, scanner, path, zs_strerror(scanner->error.code));
    } else {
        status = loader_scan(loader, scanner, path, depth);
    }
    zs_deinit(scanner);
    free(scanner);
    return status;
}

static int loader_file(struct loader *loader, const char *path, const char *origin, uint32_t ttl,
                       unsigned depth)
{
    uint8_t *bytes;
    size_t len;
    int status = fd_read_file(path, SIZE_MAX / 4, &bytes, &len, loader->failure);

    if (status) {
        return status;
    }
    status = loader_text(loader, path, (const char *)bytes, len, origin, ttl, depth);
    free(bytes);
    return status;
}

static int loader_start(struct loader *loader, const char *path, const uint8_t *origin,
                        struct failure *failure)
{
    loader->failure = failure;
    loader->include_n = 0;
    loader->builder = zone_builder_new(origin);
    return loader->builder ? 0 : failure_set(failure, -ENOMEM, "%s: out of memory", path);
}

int zone_load_file(const char *path, const uint8_t *origin, struct zone **ret_zone,
                   struct zone_report *ret_report, struct failure *failure)
{
    char text[NAME_TEXT_LEN];
    struct loader loader;
    int status = loader_start(&loader, path, origin, failure);

    if (status) {
        return status;
    }
    status = loader_file(&loader, path, name_to_text(origin, text), ZONE_LOADER_DEFAULT_TTL,
                         ZONE_LOADER_INCLUDE_DEPTH);
    if (status == 0) {
        status = zone_builder_finish(loader.builder, path, ret_zone, ret_report, failure);
    }
    if (status == 0 && ret_report) {
        ret_report->include_n = loader.include_n;
    }
    zone_builder_free(loader.builder);
    return status;
}

int zone_load_bytes(const char *name, const char *bytes, size_t len, const uint8_t *origin,
                    struct zone **ret_zone, struct zone_report *ret_report, struct failure *failure)
{
    char text[NAME_TEXT_LEN];
    struct loader loader;
    int status = loader_start(&loader, name, origin, failure);

    if (status) {
        return status;
    }
    status = loader_text(&loader, name, bytes, len, name_to_text(origin, text),
                         ZONE_LOADER_DEFAULT_TTL, 0);
    if (status == 0) {
        status = zone_builder_finish(loader.builder, name, ret_zone, ret_report, failure);
    }
    zone_builder_free(loader.builder);
    return status;
}

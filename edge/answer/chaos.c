/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/answer/chaos.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "edge/answer/snapshot.h"
#include "edge/service/services.h"
#include "edge/wire/name.h"
#include "maps/image.h"

static size_t chaos_string(uint8_t *rdata, const char *text)
{
    size_t len = strlen(text);

    if (len > 255) { /* a character-string, RFC 1035 section 3.3 */
        len = 255;
    }
    rdata[0] = (uint8_t)len;
    for (size_t i = 0; i < len; i++) { /* a character-string has its length in front and no NUL */
        rdata[1 + i] = (uint8_t)text[i];
    }
    return len ? len + 1 : 0;
}

/* One character-string per fact, so that a script can pick one: key=value. */
static size_t chaos_generation(const struct snapshot *snapshot, int64_t now_wall_s, uint8_t *rdata)
{
    const struct snapshot_info *info = &snapshot->info;
    char text[128];
    size_t len = 0;

    snprintf(text, sizeof(text), "map=%" PRIu64,
             snapshot->image ? (uint64_t)image_header(snapshot->image)->generation : 0);
    len += chaos_string(rdata + len, text);
    snprintf(text, sizeof(text), "services=%s", services_digest(snapshot->services));
    len += chaos_string(rdata + len, text);
    snprintf(text, sizeof(text), "config=%s", info->config_digest);
    len += chaos_string(rdata + len, text);
    snprintf(text, sizeof(text), "sequence=%" PRIu64, info->sequence);
    len += chaos_string(rdata + len, text);
    snprintf(text, sizeof(text), "published=%" PRId64, info->published_wall_s);
    len += chaos_string(rdata + len, text);
    if (now_wall_s) {
        snprintf(text, sizeof(text), "age=%" PRId64, now_wall_s - info->published_wall_s);
        len += chaos_string(rdata + len, text);
    }
    return len;
}

static bool chaos_is(const struct name_key *name, const char *wire, size_t len)
{
    return name->len == len && !memcmp(name->bytes, wire, len);
}

/* The literal's own NUL is the root label. */
#define CHAOS_IS(name, literal) chaos_is(name, literal, sizeof(literal))

size_t chaos_text(const struct snapshot *snapshot, const struct name_key *name, int64_t now_wall_s,
                  uint8_t ret_rdata[static CHAOS_RDATA_MAX])
{
    if (CHAOS_IS(name, "\2id\6server") || CHAOS_IS(name, "\10hostname\4bind")) {
        return chaos_string(ret_rdata, snapshot->info.identity);
    }
    if (CHAOS_IS(name, "\7version\6server") || CHAOS_IS(name, "\7version\4bind")) {
        return chaos_string(ret_rdata, snapshot->info.version);
    }
    if (CHAOS_IS(name, "\12generation\11isochrone")) {
        return chaos_generation(snapshot, now_wall_s, ret_rdata);
    }
    return 0;
}

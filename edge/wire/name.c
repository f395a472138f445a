/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/wire/name.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"

#define NAME_HASH_ROOT UINT64_C(0x6a09e667f3bcc909)
#define NAME_HASH_FACTOR UINT64_C(0xe7037ed1a0b428db)

static uint64_t name_root_hash = NAME_HASH_ROOT;

void name_hash_seed(uint64_t seed)
{
    name_root_hash = NAME_HASH_ROOT ^ seed;
}

static uint64_t name_load(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Both halves of the product: the lower bits of each half alone would not depend on the upper bytes
 * of the word, which are the ends of labels. */
static inline uint64_t name_mix(uint64_t hash, uint64_t word)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(hash ^ word) * NAME_HASH_FACTOR;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t name_hash_one(uint64_t hash, const uint8_t *label)
{
    size_t left = (size_t)label[0] + 1;

    for (; left > 8; left -= 8, label += 8) {
        hash = name_mix(hash, name_load(label));
    }
    return name_mix(hash, name_load(label) & (~UINT64_C(0) >> (64 - 8 * left)));
}

typedef uint8_t name_block __attribute__((vector_size(16)));

/* Sixteen bytes at once, in place: A..Z to a..z, everything else untouched. */
static inline void name_key_fold(struct name_key *key)
{
    for (size_t i = 0; i < key->len; i += sizeof(name_block)) {
        name_block block;

        memcpy(&block, key->bytes + i, sizeof(block));
        block |= (name_block)((block >= 'A') & (block <= 'Z')) & 0x20;
        memcpy(key->bytes + i, &block, sizeof(block));
    }
}

size_t name_key_parse(struct name_key *key, const uint8_t *bytes, size_t len)
{
    size_t max = len < NAME_LEN_MAX ? len : NAME_LEN_MAX;
    size_t at = 0;
    unsigned label_n = 0;
    uint64_t hash = name_root_hash;

    while (at < max && bytes[at] != 0) {
        if (bytes[at] > NAME_LABEL_LEN_MAX) {
            return 0;
        }
        key->offsets[label_n++] = (uint8_t)at;
        at += (size_t)bytes[at] + 1;
    }
    if (at >= max) {
        return 0;
    }
    key->offsets[label_n] = (uint8_t)at;
    key->label_n = (uint8_t)label_n;
    key->len = (uint8_t)(at + 1);
    memcpy(key->bytes, bytes, at + 1);
    name_key_fold(key);
    key->hashes[0] = hash;
    for (unsigned i = label_n; i-- > 0;) {
        hash = name_hash_one(hash, key->bytes + key->offsets[i]);
        key->hashes[label_n - i] = hash;
    }
    return at + 1;
}

const uint8_t *name_store(struct arena *arena, const uint8_t *name, size_t len)
{
    uint8_t *stored = arena_pack(arena, len + NAME_SLACK, 1);

    if (stored) {
        memcpy(stored, name, len);
    }
    return stored;
}

size_t name_len(const uint8_t *name)
{
    size_t at = 0;

    while (name[at] != 0) {
        at += (size_t)name[at] + 1;
    }
    return at + 1;
}

size_t name_key_make(struct name_key *key, const uint8_t *name)
{
    return name_key_parse(key, name, name_len(name));
}

size_t name_check(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    if (len > NAME_LEN_MAX) {
        len = NAME_LEN_MAX;
    }
    while (at < len && bytes[at] != 0) {
        if (bytes[at] > NAME_LABEL_LEN_MAX) {
            return 0;
        }
        at += (size_t)bytes[at] + 1;
    }
    return at < len ? at + 1 : 0;
}

static uint8_t name_fold_byte(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

void name_fold(uint8_t *ret_name, const uint8_t *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ret_name[i] = name_fold_byte(name[i]);
    }
}

static bool name_equal_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name_fold_byte(a[i]) != name_fold_byte(b[i])) {
            return false;
        }
    }
    return true;
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
    size_t len = name_len(a);

    return len == name_len(b) && name_equal_bytes(a, b, len);
}

bool name_is_under(const uint8_t *name, const uint8_t *origin)
{
    size_t origin_len = name_len(origin);
    size_t left = name_len(name);

    while (left > origin_len) {
        left -= (size_t)name[0] + 1;
        name += (size_t)name[0] + 1;
    }
    return left == origin_len && name_equal_bytes(name, origin, origin_len);
}

bool name_is_wildcard(const uint8_t *name)
{
    return name[0] == 1 && name[1] == '*';
}

/* One character of a label, escapes resolved. Returns how much text it took, 0 when malformed. */
static size_t name_text_byte(const char *text, uint8_t *ret_byte)
{
    if (text[0] != '\\') {
        *ret_byte = (uint8_t)text[0];
        return 1;
    }
    if (text[1] >= '0' && text[1] <= '9') {
        unsigned value = 0;

        for (int i = 1; i <= 3; i++) {
            if (text[i] < '0' || text[i] > '9') {
                return 0;
            }
            value = value * 10 + (unsigned)(text[i] - '0');
        }
        *ret_byte = (uint8_t)value;
        return value <= 255 ? 4 : 0;
    }
    *ret_byte = (uint8_t)text[1];
    return text[1] ? 2 : 0;
}

int name_from_text(const char *text, uint8_t ret_name[static NAME_LEN_MAX + NAME_SLACK + 1])
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1] = {0};
    size_t label = 0;
    size_t at = 1;

    if (!strcmp(text, ".")) {
        memcpy(ret_name, name, sizeof(name));
        return 0;
    }
    while (*text) {
        size_t taken;

        if (*text == '.') {
            if (at == label + 1 ||
                at >= NAME_LEN_MAX) { /* an empty label, or no place for the root */
                return -EINVAL;
            }
            name[label] = (uint8_t)(at - label - 1);
            label = at++;
            text++;
            continue;
        }
        if (at - label > NAME_LABEL_LEN_MAX || at >= NAME_LEN_MAX) {
            return -EINVAL;
        }
        taken = name_text_byte(text, &name[at]);
        if (!taken) {
            return -EINVAL;
        }
        at++;
        text += taken;
    }
    if (at == 1) { /* no text at all */
        return -EINVAL;
    }
    if (at > label + 1) { /* the last label had no dot after it */
        if (at >= NAME_LEN_MAX) {
            return -EINVAL;
        }
        name[label] = (uint8_t)(at - label - 1);
        label = at;
    }
    name[label] = 0;
    memcpy(ret_name, name, sizeof(name));
    return 0;
}

const char *name_to_text(const uint8_t *name, char ret_text[static NAME_TEXT_LEN])
{
    char *out = ret_text;

    if (name[0] == 0) {
        *out++ = '.';
    }
    while (name[0] != 0) {
        for (unsigned i = 1; i <= name[0]; i++) {
            uint8_t byte = name[i];

            if (byte <= 0x20 || byte >= 0x7f) {
                *out++ = '\\';
                *out++ = (char)('0' + byte / 100);
                *out++ = (char)('0' + byte / 10 % 10);
                *out++ = (char)('0' + byte % 10);
                continue;
            }
            if (strchr(".\\\"();@$", byte)) {
                *out++ = '\\';
            }
            *out++ = (char)byte;
        }
        *out++ = '.';
        name += (size_t)name[0] + 1;
    }
    *out = '\0';
    return ret_text;
}

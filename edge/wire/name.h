/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Domain names in wire form (RFC 1035 section 3.1), never compressed, at most 255 bytes, and the
 * key under which a name and all its ancestors are found: lower case (RFC 4343), with one hash per
 * suffix, computed from the root downwards so that closest-encloser searches never hash a byte
 * twice. Pure functions.
 */
#ifndef EDGE_NAME_H
#define EDGE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error                                                                                             \
    "names are compared and hashed in words, which needs a little-endian machine, as the latency map does"
#endif

struct arena;

#define NAME_LEN_MAX 255u    /* wire form, with the root's zero byte */
#define NAME_LABELS_MAX 127u /* without the root */
#define NAME_LABEL_LEN_MAX 63u
#define NAME_TEXT_LEN 1021u /* any name as text, escaped, with its NUL */
#define NAME_SLACK 8u       /* bytes after a name that may be read, for whole-word loads */

struct name_key {
    uint8_t len;                                      /* of the name, in bytes */
    uint8_t label_n;                                  /* without the root */
    uint8_t bytes[NAME_LEN_MAX + 1 + 2 * NAME_SLACK]; /* lower case; folded in blocks of 16 */
    uint8_t offsets[NAME_LABELS_MAX +
                    1]; /* of the i-th label from the left; offsets[label_n] is the root */
    uint64_t hashes[NAME_LABELS_MAX + 1]; /* of the suffix of k labels; hashes[0] is the root's */
};

/* A secret for the hashes, so that nobody can make up names that collide. Once, before the first
 * key is made; without it they are the same in every run. */
void name_hash_seed(uint64_t seed);

/* Reads an uncompressed name from hostile bytes. Returns its length, or 0 when there is none that
 * is legal (also for a compression pointer). The hashes are computed too. */
size_t name_key_parse(struct name_key *key, const uint8_t *bytes, size_t len);

/* The same for a name that is known to be well-formed. */
size_t name_key_make(struct name_key *key, const uint8_t *name);

/* Where the suffix of `label_n` labels (at most the key's) starts in key->bytes, and its length. */
static inline uint8_t name_suffix_offset(const struct name_key *key, unsigned label_n)
{
    return key->offsets[key->label_n - label_n];
}

static inline uint8_t name_suffix_len(const struct name_key *key, unsigned label_n)
{
    return (uint8_t)(key->len - name_suffix_offset(key, label_n));
}

static inline uint64_t name_key_hash(const struct name_key *key)
{
    return key->hashes[key->label_n];
}

/* Whether two names of the same length in lower case are the same. Both have NAME_SLACK readable
 * bytes after them. */
static inline bool name_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t left, right;

    for (; len > 8; len -= 8, a += 8, b += 8) {
        memcpy(&left, a, 8);
        memcpy(&right, b, 8);
        if (left != right) {
            return false;
        }
    }
    memcpy(&left, a, 8);
    memcpy(&right, b, 8);
    return (left ^ right) << (64 - 8 * len) == 0; /* little-endian: the first byte is the lowest */
}

/* A copy with slack, or NULL when out of memory. */
const uint8_t *name_store(struct arena *arena, const uint8_t *name, size_t len);

/* Length of a well-formed name. */
size_t name_len(const uint8_t *name);

/* Length of a name in hostile bytes, or 0. */
size_t name_check(const uint8_t *bytes, size_t len);

/* Lower-cases `len` bytes of a name; the output may be the input. Length bytes are never in the
 * range of letters. */
void name_fold(uint8_t *ret_name, const uint8_t *name, size_t len);

bool name_equal(const uint8_t *a, const uint8_t *b); /* without regard to case */

/* `name` is `origin` or below it; without regard to case. */
bool name_is_under(const uint8_t *name, const uint8_t *origin);

bool name_is_wildcard(const uint8_t *name);

/* Presentation form with RFC 1035 escapes; always taken as absolute, so the final dot may be
 * missing. 0 or -EINVAL. */
int name_from_text(const char *text, uint8_t ret_name[static NAME_LEN_MAX + NAME_SLACK + 1]);

/* Absolute presentation form, "www.example.com."; returns `ret_text`. */
const char *name_to_text(const uint8_t *name, char ret_text[static NAME_TEXT_LEN]);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hashed owner names (RFC 5155 section 5). Pure functions; they allocate nothing.
 */
#ifndef EDGE_NSEC3_H
#define EDGE_NSEC3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC3_HASH_LEN 20u  /* SHA-1, the only algorithm there is */
#define NSEC3_LABEL_LEN 33u /* the hash in base32hex, with its length byte */
#define NSEC3_SALT_MAX 255u
#define NSEC3_FLAG_OPT_OUT 1u

struct nsec3_params {
    uint16_t iterations;
    uint8_t salt_len;
    uint8_t salt[NSEC3_SALT_MAX];
};

/* Hashes a name in wire form and lower case. */
void nsec3_hash(const struct nsec3_params *params, const uint8_t *name, size_t len,
                uint8_t ret_hash[static NSEC3_HASH_LEN]);

/* Base32 with the extended hex alphabet (RFC 4648 section 7), lower case. */
void nsec3_to_label(const uint8_t hash[static NSEC3_HASH_LEN],
                    uint8_t ret_label[static NSEC3_LABEL_LEN]);

/* False: the label is no hash. Either case. */
bool nsec3_from_label(const uint8_t *label, uint8_t ret_hash[static NSEC3_HASH_LEN]);

#endif

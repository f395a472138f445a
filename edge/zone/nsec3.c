/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-1 by the functions without EVP around them: EVP fetches and allocates, and takes several
 * times as long for one block. SHA-1 is no protection here, only a shuffle that RFC 5155 fixed. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "edge/zone/nsec3.h"

#include <openssl/sha.h>

void nsec3_hash(const struct nsec3_params *params, const uint8_t *name, size_t len,
                uint8_t ret_hash[static NSEC3_HASH_LEN])
{
    SHA_CTX context;

    SHA1_Init(&context);
    SHA1_Update(&context, name, len);
    SHA1_Update(&context, params->salt, params->salt_len);
    SHA1_Final(ret_hash, &context);
    for (unsigned i = 0; i < params->iterations; i++) {
        SHA1_Init(&context);
        SHA1_Update(&context, ret_hash, NSEC3_HASH_LEN);
        SHA1_Update(&context, params->salt, params->salt_len);
        SHA1_Final(ret_hash, &context);
    }
}

void nsec3_to_label(const uint8_t hash[static NSEC3_HASH_LEN],
                    uint8_t ret_label[static NSEC3_LABEL_LEN])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

    *ret_label++ = NSEC3_LABEL_LEN - 1;
    for (unsigned i = 0; i < NSEC3_HASH_LEN; i += 5) { /* 40 bits are eight digits */
        uint64_t bits = 0;

        for (unsigned k = 0; k < 5; k++) {
            bits = bits << 8 | hash[i + k];
        }
        for (unsigned k = 0; k < 8; k++) {
            *ret_label++ = (uint8_t)digits[bits >> (35 - 5 * k) & 31];
        }
    }
}

static int nsec3_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'v' ? byte - 'a' + 10 : -1;
}

bool nsec3_from_label(const uint8_t *label, uint8_t ret_hash[static NSEC3_HASH_LEN])
{
    if (*label++ != NSEC3_LABEL_LEN - 1) {
        return false;
    }
    for (unsigned i = 0; i < NSEC3_HASH_LEN; i += 5) {
        uint64_t bits = 0;

        for (unsigned k = 0; k < 8; k++) {
            int digit = nsec3_digit(*label++);

            if (digit < 0) {
                return false;
            }
            bits = bits << 5 | (unsigned)digit;
        }
        for (unsigned k = 0; k < 5; k++) {
            ret_hash[i + k] = (uint8_t)(bits >> (32 - 8 * k));
        }
    }
    return true;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maps/image_digest.h"

#include <errno.h>
#include <stdbool.h>

#include <openssl/evp.h>

#include "maps/image_abi.h"

int image_digest(const uint8_t *bytes, size_t len, uint8_t ret_digest[static IMAGE_DIGEST_LEN])
{
    static const uint8_t zero[IMAGE_DIGEST_LEN];
    const size_t before = offsetof(struct map_header, sha256);
    const size_t after = before + IMAGE_DIGEST_LEN;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, bytes, before) == 1 &&
                EVP_DigestUpdate(context, zero, sizeof(zero)) == 1 &&
                EVP_DigestUpdate(context, bytes + after, len - after) == 1 &&
                EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;

    EVP_MD_CTX_free(context);
    return done ? 0 : -ENOMEM;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The checksum of an image: SHA-256 over all its bytes, the checksum field itself taken as zero.
 */
#ifndef MAPS_IMAGE_DIGEST_H
#define MAPS_IMAGE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_DIGEST_LEN 32

/* `len` is at least one block. 0 or -ENOMEM. */
int image_digest(const uint8_t *bytes, size_t len, uint8_t ret_digest[static IMAGE_DIGEST_LEN]);

#endif

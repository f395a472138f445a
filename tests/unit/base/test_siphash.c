/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <criterion/criterion.h>

#include "base/siphash_core.h"

/* The vectors of the paper's reference: key 00 01 .. 0f, messages "", 00, 00 01, ... */
Test(siphash, reference_vectors)
{
    static const struct {
        __u32 len;
        __u64 hash;
    } rows[] = {
        {0, 0x726fdb47dd0e0e31ULL},  {1, 0x74f839c593dc67fdULL},  {2, 0x0d6c8009d9a94f5aULL},
        {3, 0x85676696d7fb7e2dULL},  {7, 0xab0200f58b01d137ULL},  {8, 0x93f5f5799a932462ULL},
        {9, 0x9e0082df0ba9e4b0ULL},  {15, 0xa129ca6149be45e5ULL}, {16, 0x3f2acc7f57c29bdbULL},
        {63, 0x958a324ceb064572ULL},
    };
    __u8 key[SIPHASH_KEY_LEN];
    __u8 message[64];

    for (__u32 i = 0; i < 64; i++) {
        message[i] = (__u8)i;
        key[i % SIPHASH_KEY_LEN] = (__u8)(i % SIPHASH_KEY_LEN);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(siphash(key, message, rows[i].len), rows[i].hash, "%u bytes", rows[i].len);
    }
}

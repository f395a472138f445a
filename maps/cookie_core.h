/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * DNS cookies (RFC 7873) with server cookies as RFC 9018 has them, so that every server of an
 * anycast address that holds the same secret accepts what the others made. Pure: time and secrets
 * are arguments.
 *
 *   client cookie  8 bytes, the client's choice
 *   server cookie  version 1, three reserved bytes, time (seconds, big-endian), SipHash-2-4 of
 *                  client cookie | version | reserved | time | client address, 8 bytes
 */
#ifndef MAPS_COOKIE_CORE_H
#define MAPS_COOKIE_CORE_H

#include <linux/types.h>

#include "base/siphash_core.h"

#define COOKIE_CLIENT_LEN 8u
#define COOKIE_SERVER_LEN 16u /* ours; others' are 8 to 32 (RFC 7873 section 4.2) */
#define COOKIE_LEN (COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN)
#define COOKIE_SECRET_LEN SIPHASH_KEY_LEN
#define COOKIE_SECRETS_MAX 4u
#define COOKIE_VERSION 1u

/* RFC 9018 section 4.3 */
#define COOKIE_OLD_S 3600   /* older: not accepted */
#define COOKIE_RENEW_S 1800 /* older: accepted, and answered with a new one */
#define COOKIE_FUTURE_S 300 /* further in the future: not accepted */

/* The first secret signs, all verify, so that a fleet can change them without a flag day (RFC 9018
 * section 5). */
struct cookie_secrets {
    __u32 count; /* 0: no cookies */
    __u32 own;   /* 1: not the operator's, made by this server */
    __u8 secrets[COOKIE_SECRETS_MAX][COOKIE_SECRET_LEN];
};

enum cookie_verdict {
    COOKIE_NONE,        /* no option */
    COOKIE_CLIENT_ONLY, /* the client has no server cookie yet */
    COOKIE_BAD,         /* not ours, for another address, too old, or from the future */
    COOKIE_VALID,       /* the client receives what we send to its address */
    COOKIE_VERDICTS,
};

/* A COOKIE option is one client cookie, alone or with a server cookie (RFC 7873 section 5.2.2). */
SIPHASH_INLINE __u32 cookie_len_ok(__u32 len)
{
    return len == COOKIE_CLIENT_LEN || (len >= 16 && len <= 40);
}

/* The hash over the first 16 bytes of a cookie and the address of 4 or 16 bytes. */
SIPHASH_INLINE __u64 cookie_hash(const __u8 secret[COOKIE_SECRET_LEN], const __u8 *cookie,
                                 const __u8 *address, __u32 address_len)
{
    struct siphash_state state = siphash_begin(secret);

    siphash_word(&state, siphash_get(cookie, 8));
    siphash_word(&state, siphash_get(cookie + 8, 8));
    if (address_len == 4) {
        return siphash_end(&state, siphash_get(address, 4), 20);
    }
    siphash_word(&state, siphash_get(address, 8));
    siphash_word(&state, siphash_get(address + 8, 8));
    return siphash_end(&state, 0, 32);
}

/* Writes a whole cookie: the client's part as it is, the server's for now. */
SIPHASH_INLINE void cookie_make(const __u8 secret[COOKIE_SECRET_LEN], const __u8 *client_cookie,
                                const __u8 *address, __u32 address_len, __u32 now_s,
                                __u8 ret_cookie[COOKIE_LEN])
{
    /* the time as its bytes go, lowest first */
    __u32 time = (now_s & 0xff) << 24 | (now_s & 0xff00) << 8 | (now_s >> 8 & 0xff00) | now_s >> 24;

    siphash_put(ret_cookie, siphash_get(client_cookie, 8));
    siphash_put(ret_cookie + 8, COOKIE_VERSION | (__u64)time << 32);
    siphash_put(ret_cookie + 16, cookie_hash(secret, ret_cookie, address, address_len));
}

/* Seconds since the cookie was made, by serial number arithmetic (RFC 1982), so that 2106 is like
 * any other year. */
SIPHASH_INLINE __s32 cookie_age(const __u8 *cookie, __u32 now_s)
{
    __u32 made_s =
        (__u32)cookie[12] << 24 | (__u32)cookie[13] << 16 | (__u32)cookie[14] << 8 | cookie[15];

    return (__s32)(now_s - made_s);
}

/* Which of the secrets made this cookie for this address, COOKIE_SECRETS_MAX if none did. Each hash
 * is compared whole; how many were tried says no more than whether the answer brings a new cookie.
 * The reserved bytes are part of what is hashed and otherwise ignored (RFC 9018 section 4.2). */
SIPHASH_INLINE __u32 cookie_find_secret(const struct cookie_secrets *secrets, const __u8 *cookie,
                                        const __u8 *address, __u32 address_len)
{
    __u64 hash = siphash_get(cookie + 16, 8);

    for (__u32 i = 0; i < COOKIE_SECRETS_MAX && i < secrets->count; i++) {
        if (cookie_hash(secrets->secrets[i], cookie, address, address_len) == hash) {
            return i;
        }
    }
    return COOKIE_SECRETS_MAX;
}

/* Judges the COOKIE option of a query (its length is one of cookie_len_ok()) and writes the one of
 * the response: the same again while it is young and by the secret that signs now, else a new one
 * (RFC 9018 section 4.3). `secrets` has one at least. */
SIPHASH_INLINE enum cookie_verdict cookie_answer(const struct cookie_secrets *secrets,
                                                 const __u8 *cookie, __u32 len, const __u8 *address,
                                                 __u32 address_len, __u32 now_s,
                                                 __u8 ret_cookie[COOKIE_LEN])
{
    enum cookie_verdict verdict = COOKIE_CLIENT_ONLY;

    if (len != COOKIE_CLIENT_LEN) {
        verdict = COOKIE_BAD;
    }
    if (len == COOKIE_LEN && cookie[8] == COOKIE_VERSION) {
        __s32 age = cookie_age(cookie, now_s);
        __u32 by = cookie_find_secret(secrets, cookie, address, address_len);

        if (by < COOKIE_SECRETS_MAX && age <= COOKIE_OLD_S && age >= -COOKIE_FUTURE_S) {
            if (by == 0 && age <= COOKIE_RENEW_S) {
                for (__u32 i = 0; i < COOKIE_LEN; i += 8) {
                    siphash_put(ret_cookie + i, siphash_get(cookie + i, 8));
                }
                return COOKIE_VALID;
            }
            verdict = COOKIE_VALID;
        }
    }
    cookie_make(secrets->secrets[0], cookie, address, address_len, now_s, ret_cookie);
    return verdict;
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/address.h"
#include "maps/cookie_core.h"

static size_t from_hex(const char *hex, __u8 *ret_bytes)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned value;

        cr_assert_eq(sscanf(hex + 2 * i, "%2x", &value), 1);
        ret_bytes[i] = (__u8)value;
    }
    return len;
}

static void secrets_make(struct cookie_secrets *secrets, const char *first, const char *second)
{
    *secrets = (struct cookie_secrets){.count = second ? 2 : 1};
    from_hex(first, secrets->secrets[0]);
    if (second) {
        from_hex(second, secrets->secrets[1]);
    }
}

static enum cookie_verdict judge(const struct cookie_secrets *secrets, const char *client,
                                 const char *option, __u32 now_s, __u8 ret_cookie[COOKIE_LEN])
{
    struct address address;
    __u8 bytes[64];
    size_t len = from_hex(option, bytes);

    cr_assert_eq(address_parse(client, &address), 0);
    cr_assert(cookie_len_ok((__u32)len));
    return cookie_answer(secrets, bytes, (__u32)len, address.bytes,
                         address.family == ADDRESS_IPV6 ? 16 : 4, now_s, ret_cookie);
}

#define SECRET "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define OLD "dd3bdf9344b678b185a6f5cb60fca715"
#define NEW "445536bcd2513298075a5d379663c962"
#define CLIENT "2001:db8:220:1:59de:d0f4:8769:82b8"

Test(cookie, rfc_9018_appendix_a)
{
    static const struct {
        const char *first, *second, *client, *option;
        __u32 now_s;
        enum cookie_verdict verdict;
        const char *answer, *why;
    } rows[] = {
        {SECRET, NULL, "198.51.100.100", "2464c4abcf10c957", 1559731985, COOKIE_CLIENT_ONLY,
         "2464c4abcf10c957010000005cf79f111f8130c3eee29480", "A.1 learning a new server cookie"},
        {SECRET, NULL, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
         1559734385, COOKIE_VALID, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
         "A.2 the same client is given a renewed one"},
        {SECRET, NULL, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         1559728000, COOKIE_VALID, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         "A.3 reserved bytes are hashed as they are"},
        {SECRET, NULL, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         1559734700, COOKIE_BAD, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
         "A.3 renewed; after more than the hour of section 4.3"},
        {NEW, OLD, CLIENT, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961,
         COOKIE_VALID, "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
         "A.4 by the secret before, answered by the new one"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cookie_secrets secrets;
        __u8 wanted[COOKIE_LEN], got[COOKIE_LEN];

        secrets_make(&secrets, rows[i].first, rows[i].second);
        from_hex(rows[i].answer, wanted);
        cr_expect_eq(judge(&secrets, rows[i].client, rows[i].option, rows[i].now_s, got),
                     rows[i].verdict, "%s", rows[i].why);
        cr_expect_arr_eq(got, wanted, COOKIE_LEN, "%s", rows[i].why);
    }
}

/* RFC 9018 section 4.3, to the second. */
Test(cookie, ages)
{
    static const __u32 starts[] = {1559731985, 10, 0xffffffff, 0x7fffffff};
    static const struct {
        int age_s;
        enum cookie_verdict verdict;
        bool same;
        const char *why;
    } rows[] = {
        {0, COOKIE_VALID, true, "just made"},
        {COOKIE_RENEW_S, COOKIE_VALID, true, "half an hour"},
        {COOKIE_RENEW_S + 1, COOKIE_VALID, false, "older: a new one"},
        {COOKIE_OLD_S, COOKIE_VALID, false, "an hour"},
        {COOKIE_OLD_S + 1, COOKIE_BAD, false, "older: not accepted"},
        {-COOKIE_FUTURE_S, COOKIE_VALID, true, "clocks differ"},
        {-COOKIE_FUTURE_S - 1, COOKIE_BAD, false, "too much"},
        {-COOKIE_OLD_S, COOKIE_BAD, false, "the far future"},
    };
    static const __u8 client[4] = {192, 0, 2, 1};
    struct cookie_secrets secrets;

    secrets_make(&secrets, SECRET, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
            __u8 made[COOKIE_LEN], got[COOKIE_LEN];

            cookie_make(secrets.secrets[0], (const __u8 *)"a client", client, 4, starts[s], made);
            cr_expect_eq(cookie_answer(&secrets, made, COOKIE_LEN, client, 4,
                                       starts[s] + (__u32)rows[i].age_s, got),
                         rows[i].verdict, "%s, from %u", rows[i].why, starts[s]);
            cr_expect_eq(!memcmp(got, made, COOKIE_LEN), rows[i].same || rows[i].age_s == 0, "%s",
                         rows[i].why);
        }
    }
}

Test(cookie, each_bit_counts)
{
    static const __u8 client[16] = {0x20, 1, 0x0d, 0xb8};
    struct cookie_secrets secrets;
    __u8 cookie[COOKIE_LEN], got[COOKIE_LEN];

    secrets_make(&secrets, SECRET, NULL);
    cookie_make(secrets.secrets[0], (const __u8 *)"a client", client, 16, 1000000, cookie);
    for (unsigned bit = 0; bit < COOKIE_LEN * 8; bit++) {
        cookie[bit / 8] ^= (__u8)(1u << bit % 8);
        cr_expect_eq(cookie_answer(&secrets, cookie, COOKIE_LEN, client, 16, 1000000, got),
                     COOKIE_BAD, "bit %u", bit);
        cookie[bit / 8] ^= (__u8)(1u << bit % 8);
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        __u8 other[16];

        memcpy(other, client, 16);
        other[bit / 8] ^= (__u8)(1u << bit % 8);
        cr_expect_eq(cookie_answer(&secrets, cookie, COOKIE_LEN, other, 16, 1000000, got),
                     COOKIE_BAD, "address bit %u", bit);
    }
    cr_expect_eq(cookie_answer(&secrets, cookie, COOKIE_LEN, client, 4, 1000000, got), COOKIE_BAD,
                 "an IPv4 address of the same bytes");
}

/* RFC 9018 section 5: add the new one second, turn them round, drop the old one. At no step is a
 * cookie refused that was made one step before. */
Test(cookie, staged_rollover)
{
    static const __u8 client[4] = {192, 0, 2, 1};
    const char *stages[][2] = {{OLD, NULL}, {OLD, NEW}, {NEW, OLD}, {NEW, NULL}};
    __u8 made[COOKIE_LEN] = {0}, got[COOKIE_LEN];

    for (unsigned i = 0; i < 4; i++) {
        struct cookie_secrets secrets;

        secrets_make(&secrets, stages[i][0], stages[i][1]);
        if (i) {
            cr_expect_eq(cookie_answer(&secrets, made, COOKIE_LEN, client, 4, 5000, got),
                         COOKIE_VALID, "stage %u", i);
            memcpy(made, got, COOKIE_LEN);
        } else {
            cookie_make(secrets.secrets[0], (const __u8 *)"a client", client, 4, 5000, made);
        }
    }
}

Test(cookie, lengths)
{
    for (unsigned len = 0; len < 100; len++) {
        cr_expect_eq(cookie_len_ok(len) != 0, len == 8 || (len >= 16 && len <= 40), "%u", len);
    }
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct address address_of(const char *text)
{
    struct address address = {0};

    cr_assert_eq(address_parse(text, &address), 0, "%s", text);
    return address;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix = {0};

    cr_assert_eq(prefix_parse(text, false, &prefix), 0, "%s", text);
    return prefix;
}

Test(address, text_and_back)
{
    static const struct {
        const char *text, *canonical; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"192.0.2.01", NULL}, /* octal or decimal? */
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1 ", NULL},
        {" 192.0.2.1", NULL},
        {"3221225985", NULL},
        {"fe80::1%lo", NULL},
        {"1::2::3", NULL},
        {"[::1]", NULL},
        {"", NULL},
        {"localhost", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct address address = {.family = 77};
        char text[ADDRESS_TEXT_LEN];
        int err = address_parse(rows[i].text, &address);

        if (!rows[i].canonical) {
            cr_expect_eq(err, -EINVAL, "\"%s\"", rows[i].text);
            cr_expect_eq(address.family, 77, "\"%s\" wrote its output", rows[i].text);
            continue;
        }
        cr_expect_eq(err, 0, "\"%s\"", rows[i].text);
        cr_expect_eq(address_format(&address, text), text);
        cr_expect_str_eq(text, rows[i].canonical);
    }
}

Test(address, bytes_are_in_network_order_and_the_rest_is_zero)
{
    static const uint8_t v4[16] = {192, 0, 2, 1};
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    struct address address;

    memset(&address, 0xff, sizeof(address));
    cr_assert_eq(address_parse("192.0.2.1", &address), 0);
    cr_assert_eq(address.family, ADDRESS_IPV4);
    cr_assert_eq(memcmp(address.bytes, v4, 16), 0);
    cr_assert_eq(address_bits(&address), 32);
    cr_assert_eq(address_parse("2001:db8::1", &address), 0);
    cr_assert_eq(address.family, ADDRESS_IPV6);
    cr_assert_eq(memcmp(address.bytes, v6, 16), 0);
    cr_assert_eq(address_bits(&address), 128);
}

Test(address, no_address_has_a_text_too)
{
    struct address none = {0};
    char text[ADDRESS_TEXT_LEN];

    cr_assert_str_eq(address_format(&none, text), "none");
}

Test(address, prefixes)
{
    static const struct {
        const char *text, *strict, *loose; /* NULL: refused */
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.1/24", NULL, "192.0.2.0/24"},
        {"192.0.2.255/25", NULL, "192.0.2.128/25"},
        {"192.0.2.1", "192.0.2.1/32", "192.0.2.1/32"},
        {"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"},
        {"128.0.0.0/0", NULL, "0.0.0.0/0"},
        {"::/0", "::/0", "::/0"},
        {"2001:db8::/32", "2001:db8::/32", "2001:db8::/32"},
        {"2001:db8::1/127", NULL, "2001:db8::/127"},
        {"2001:db8:ffff::/33", NULL, "2001:db8:8000::/33"},
        {"2001:db8::1", "2001:db8::1/128", "2001:db8::1/128"},
        {"192.0.2.0/33", NULL, NULL},
        {"::/129", NULL, NULL},
        {"192.0.2.0/", NULL, NULL},
        {"192.0.2.0/-1", NULL, NULL},
        {"192.0.2.0/24/24", NULL, NULL},
        {"192.0.2.0/255.255.255.0", NULL, NULL},
        {"192.0.2.0/280", NULL, NULL}, /* 24 in a byte */
        {"/24", NULL, NULL},
        {"10/8", NULL, NULL},
        {"", NULL, NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int strict = 0; strict < 2; strict++) {
            const char *wanted = strict ? rows[i].strict : rows[i].loose;
            struct prefix prefix = {.len = 77};
            char text[ADDRESS_TEXT_LEN];
            int err = prefix_parse(rows[i].text, strict, &prefix);

            cr_expect_eq(err, wanted ? 0 : -EINVAL, "\"%s\" %d", rows[i].text, strict);
            if (wanted) {
                cr_expect_str_eq(prefix_format(&prefix, text), wanted);
            } else {
                cr_expect_eq(prefix.len, 77);
            }
        }
    }
}

Test(address, endpoints)
{
    static const struct {
        const char *text, *canonical; /* NULL: refused */
    } rows[] = {
        {"192.0.2.53", "192.0.2.53:5353"},
        {"192.0.2.53:53", "192.0.2.53:53"},
        {"192.0.2.53@53", "192.0.2.53:53"},
        {"192.0.2.53@0", "192.0.2.53:0"},
        {"2001:db8::53", "[2001:db8::53]:5353"},
        {"2001:db8::53@53", "[2001:db8::53]:53"},
        {"[2001:db8::53]:53", "[2001:db8::53]:53"},
        {"[2001:db8::53]@53", "[2001:db8::53]:53"},
        {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:5353"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"1:2:3:4:5:6:7:8:53", NULL},
        {"192.0.2.53:65536", NULL},
        {"192.0.2.53:", NULL},
        {"192.0.2.53@", NULL},
        {"192.0.2.53:53:53", NULL},
        {"192.0.2.53@53@53", NULL},
        {"192.0.2.53: 53", NULL},
        {"192.0.2.53:+53", NULL},
        {"[2001:db8::53]", NULL},
        {"[2001:db8::53", NULL},
        {"[2001:db8::53]53", NULL},
        {"[192.0.2.53]:53", NULL},
        {"[]:53", NULL},
        {":53", NULL},
        {"@53", NULL},
        {"localhost:53", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct endpoint endpoint = {.port = 77};
        char text[ADDRESS_TEXT_LEN];
        int err = endpoint_parse(rows[i].text, 5353, &endpoint);

        cr_expect_eq(err, rows[i].canonical ? 0 : -EINVAL, "\"%s\"", rows[i].text);
        if (rows[i].canonical) {
            cr_expect_str_eq(endpoint_format(&endpoint, text), rows[i].canonical);
        } else {
            cr_expect_eq(endpoint.port, 77);
        }
    }
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

Test(address, order_is_family_bytes_length)
{
    static const char *const ordered[] = {
        "0.0.0.0/0", "10.0.0.0/8",    "10.0.0.0/9",    "10.128.0.0/9",    "192.0.2.0/24", "::/0",
        "::/128",    "2001:db8::/32", "2001:db8::/33", "2001:db8::1/128", "ff00::/8",
    };

    for (size_t i = 0; i < COUNT(ordered); i++) {
        for (size_t k = 0; k < COUNT(ordered); k++) {
            struct prefix a = prefix_of(ordered[i]), b = prefix_of(ordered[k]);

            cr_expect_eq(sign(prefix_compare(&a, &b)), (i > k) - (i < k), "%s %s", ordered[i],
                         ordered[k]);
        }
    }
    struct address v4 = address_of("255.255.255.255"), v6 = address_of("::");
    cr_assert_lt(address_compare(&v4, &v6), 0);
    cr_assert_gt(address_compare(&v6, &v4), 0);
    cr_assert_eq(address_compare(&v6, &v6), 0);
}

Test(address, containment)
{
    static const struct {
        const char *prefix, *address;
        bool contained;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.0/23", "192.0.3.255", true},
        {"192.0.2.0/23", "192.0.4.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"192.0.2.1/32", "192.0.2.0", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::", false},
        {"::/0", "0.0.0.0", false},
        {"::/0", "ffff::", true},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"2001:db8::1/128", "2001:db8::1", true},
        {"2001:db8::1/128", "2001:db8::", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct prefix prefix = prefix_of(rows[i].prefix);
        struct address address = address_of(rows[i].address);

        cr_expect_eq(prefix_contains(&prefix, &address), rows[i].contained, "%s %s", rows[i].prefix,
                     rows[i].address);
    }
}

Test(address, masking_agrees_with_containment_at_every_length)
{
    static const char *const addresses[] = {"255.255.255.255", "170.85.170.85",
                                            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                            "aaaa:5555:aaaa:5555:aaaa:5555:aaaa:5555"};

    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct address address = address_of(addresses[i]);

        for (unsigned len = 0; len <= address_bits(&address); len++) {
            struct prefix prefix = {.address = address, .len = (uint8_t)len};

            prefix_mask(&prefix);
            cr_assert(prefix_contains(&prefix, &address));
            for (unsigned bit = 0; bit < address_bits(&address); bit++) {
                unsigned kept = prefix.address.bytes[bit / 8] >> (7 - bit % 8) & 1;
                unsigned was = address.bytes[bit / 8] >> (7 - bit % 8) & 1;
                struct address other = address;

                cr_assert_eq(kept, bit < len ? was : 0);
                other.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
                cr_assert_eq(prefix_contains(&prefix, &other), bit >= len);
            }
        }
    }
}

Test(address, socket_addresses_there_and_back)
{
    static const char *const texts[] = {"192.0.2.53:53", "[2001:db8::53]:65535"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct endpoint endpoint, back = {0};
        struct sockaddr_storage storage;
        socklen_t len;

        memset(&storage, 0xff, sizeof(storage));
        cr_assert_eq(endpoint_parse(texts[i], 0, &endpoint), 0);
        len = endpoint_to_sockaddr(&endpoint, &storage);
        cr_assert_eq(len, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        cr_assert_eq(storage.ss_family, i == 0 ? AF_INET : AF_INET6);
        cr_assert_eq(address_from_sockaddr((struct sockaddr *)&storage, &back.address, &back.port),
                     0);
        cr_assert_eq(address_compare(&endpoint.address, &back.address), 0);
        cr_assert_eq(endpoint.port, back.port);
        cr_assert_eq(address_from_sockaddr((struct sockaddr *)&storage, &back.address, NULL), 0);
    }
    /* what the kernel would see */
    struct endpoint endpoint;
    struct sockaddr_storage storage;
    struct sockaddr_in v4;

    cr_assert_eq(endpoint_parse("192.0.2.53:53", 0, &endpoint), 0);
    endpoint_to_sockaddr(&endpoint, &storage);
    memcpy(&v4, &storage, sizeof(v4));
    cr_assert_eq(v4.sin_port, htons(53));
    cr_assert_eq(v4.sin_addr.s_addr, inet_addr("192.0.2.53"));
}

Test(address, other_families_are_refused)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct address address = {.family = 77};

    cr_assert_eq(address_from_sockaddr((struct sockaddr *)&local, &address, NULL), -EAFNOSUPPORT);
    cr_assert_eq(address.family, 77);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "edge/service/overlay.h"
#include "edge/service/services.h"

static struct name_key *key(const char *text)
{
    static struct name_key made;
    uint8_t wire[NAME_LEN_MAX + NAME_SLACK + 1];

    cr_assert_eq(name_from_text(text, wire), 0);
    name_key_parse(&made, wire, sizeof(wire));
    return &made;
}

Test(overlay, finds_names_and_closest_enclosers)
{
    static const struct service web = {.name = "web"}, cdn = {.name = "cdn"};
    static const struct {
        const char *name;
        unsigned min_label_n;
        int label_n; /* of what is found; -1: nothing */
        const struct service *service;
    } rows[] = {
        {"www.example.com.", 2, 3, &web},      {"x.www.example.com.", 2, 3, &web},
        {"deep.a.b.example.com.", 2, 5, &web}, {"b.example.com.", 2, 3, NULL},
        {"x.a.b.example.com.", 2, 4, NULL},    {"x.y.z.b.example.com.", 2, 3, NULL},
        {"any.cdn.example.com.", 2, 3, NULL},  {"other.example.com.", 2, 2, NULL},
        {"other.example.com.", 3, -1, NULL}, /* the zone below has nothing of ours */
        {"x.example.org.", 2, -1, NULL},
    };
    struct overlay *overlay = overlay_new();

    cr_expect(overlay_is_empty(overlay));
    cr_assert_eq(overlay_add(overlay, key("WWW.example.com."), &web, "here"), 0);
    cr_assert_eq(overlay_add(overlay, key("deep.a.b.example.com."), &web, "here"), 0);
    cr_assert_eq(overlay_add(overlay, key("*.cdn.example.com."), &cdn, "here"), 0);
    cr_expect_eq(overlay_add(overlay, key("www.Example.com."), &cdn, "here"), -EEXIST);
    cr_expect_eq(overlay_get(overlay, key("www.example.com."), 3)->service, &web);
    cr_expect_str_eq(overlay_get(overlay, key("www.example.com."), 3)->place, "here");
    overlay_finish(overlay);
    cr_expect_not(overlay_is_empty(overlay));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct overlay_node *node =
            overlay_find(overlay, key(rows[i].name), rows[i].min_label_n);

        cr_assert_eq(node ? (int)node->label_n : -1, rows[i].label_n, "%s", rows[i].name);
        cr_expect_eq(node ? node->service : NULL, rows[i].service, "%s", rows[i].name);
    }
    cr_expect_eq(overlay_find(overlay, key("cdn.example.com."), 2)->wildcard->service, &cdn);
    cr_expect_null(overlay_find(overlay, key("b.example.com."), 2)->wildcard);
    overlay_free(overlay);
}

Test(overlay, grows)
{
    enum { N = 3000 };
    static const struct service web = {.name = "web"};
    struct overlay *overlay = overlay_new();
    char text[64];

    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof(text), "h%d.d%d.example.com.", i, i % 50);
        cr_assert_eq(overlay_add(overlay, key(text), &web, "here"), 0);
    }
    overlay_finish(overlay);
    for (int i = 0; i < N; i++) {
        const struct overlay_node *node;

        snprintf(text, sizeof(text), "h%d.d%d.example.com.", i, i % 50);
        node = overlay_find(overlay, key(text), 0);
        cr_assert(node && node->service == &web && node->label_n == 4, "%s", text);
        cr_assert_eq(overlay_get_name(overlay, node->name, node->name_len, node->hash), node);
    }
    overlay_free(overlay);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/route.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct line {
    char *text;
    size_t len;
};

/* ROUTE_COMMAND_LEN holds the longest command there is: 16 large communities of 33 characters, 16
 * communities of 12, 16 AS numbers of 11 and less than 300 for the rest make under 1,300. */
static void line_add(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line_add(struct line *line, const char *format, ...)
{
    const size_t room = ROUTE_COMMAND_LEN - line->len;
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line->text + line->len, room, format, arguments);
    va_end(arguments);
    assert(len >= 0 && (size_t)len < room);
    line->len += (size_t)len;
}

static void line_add_attributes(struct line *line, const struct route_attributes *attributes)
{
    if (attributes->has_med) {
        line_add(line, " med %u", attributes->med);
    }
    if (attributes->communities_n > 0) {
        line_add(line, " community [");
        for (size_t i = 0; i < attributes->communities_n; i++) {
            line_add(line, " %u:%u", attributes->communities[i].high,
                     attributes->communities[i].low);
        }
        line_add(line, " ]");
    }
    if (attributes->large_communities_n > 0) {
        line_add(line, " large-community [");
        for (size_t i = 0; i < attributes->large_communities_n; i++) {
            const struct route_large_community *large = &attributes->large_communities[i];

            line_add(line, " %u:%u:%u", large->global, large->local1, large->local2);
        }
        line_add(line, " ]");
    }
    if (attributes->as_path_n > 0) {
        line_add(line, " as-path [");
        for (size_t i = 0; i < attributes->as_path_n; i++) {
            line_add(line, " %u", attributes->as_path[i]);
        }
        line_add(line, " ]");
    }
}

static bool large_equal(const struct route_large_community *a,
                        const struct route_large_community *b)
{
    return a->global == b->global && a->local1 == b->local1 && a->local2 == b->local2;
}

static bool communities_within(const struct route_attributes *a, const struct route_attributes *b)
{
    for (size_t i = 0; i < a->communities_n; i++) {
        size_t k = 0;

        while (k < b->communities_n && (a->communities[i].high != b->communities[k].high ||
                                        a->communities[i].low != b->communities[k].low)) {
            k++;
        }
        if (k == b->communities_n) {
            return false;
        }
    }
    for (size_t i = 0; i < a->large_communities_n; i++) {
        size_t k = 0;

        while (k < b->large_communities_n &&
               !large_equal(&a->large_communities[i], &b->large_communities[k])) {
            k++;
        }
        if (k == b->large_communities_n) {
            return false;
        }
    }
    return true;
}

bool route_attributes_equal(const struct route_attributes *a, const struct route_attributes *b)
{
    if (a->next_hop_self != b->next_hop_self || a->has_med != b->has_med ||
        (a->has_med && a->med != b->med) || a->as_path_n != b->as_path_n ||
        (!a->next_hop_self && address_compare(&a->next_hop, &b->next_hop) != 0)) {
        return false;
    }
    for (size_t i = 0; i < a->as_path_n; i++) {
        if (a->as_path[i] != b->as_path[i]) {
            return false;
        }
    }
    return communities_within(a, b) && communities_within(b, a);
}

const char *route_wish_name(enum route_wish wish)
{
    switch (wish) {
    case ROUTE_HOLD:
        return "hold";
    case ROUTE_ANNOUNCE:
        return "announce";
    case ROUTE_WITHDRAW:
        return "withdraw";
    }
    return "?";
}

size_t route_announce_command(const struct route *route, char ret_line[static ROUTE_COMMAND_LEN])
{
    struct line line = {.text = ret_line};
    char text[ADDRESS_TEXT_LEN];

    line_add(&line, "announce route %s", prefix_format(&route->prefix, text));
    line_add(&line, " next-hop %s",
             route->attributes.next_hop_self ? "self"
                                             : address_format(&route->attributes.next_hop, text));
    line_add_attributes(&line, &route->attributes);
    line_add(&line, "\n");
    return line.len;
}

size_t route_withdraw_command(const struct route *route, char ret_line[static ROUTE_COMMAND_LEN])
{
    struct line line = {.text = ret_line};
    char text[ADDRESS_TEXT_LEN];

    line_add(&line, "withdraw route %s\n", prefix_format(&route->prefix, text));
    return line.len;
}

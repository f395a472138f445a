/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/exabgp_line.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/number.h"

struct word {
    const char *text;
    size_t len;
};

/* The next word of a line, or an empty one at its end. */
static struct word word_next(const char **cursor, const char *end)
{
    struct word word;

    while (*cursor < end && (**cursor == ' ' || **cursor == '\t')) {
        (*cursor)++;
    }
    word.text = *cursor;
    while (*cursor < end && **cursor != ' ' && **cursor != '\t') {
        (*cursor)++;
    }
    word.len = (size_t)(*cursor - word.text);
    return word;
}

static bool word_is(struct word word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.text, text, word.len) == 0;
}

static bool word_copy(struct word word, char ret_text[static ADDRESS_TEXT_LEN])
{
    if (word.len == 0 || word.len >= ADDRESS_TEXT_LEN || memchr(word.text, '\0', word.len)) {
        return false;
    }
    memcpy(ret_text, word.text, word.len);
    ret_text[word.len] = '\0';
    return true;
}

static bool word_to_address(struct word word, struct address *ret_address)
{
    char text[ADDRESS_TEXT_LEN];

    return word_copy(word, text) && address_parse(text, ret_address) == 0;
}

static bool word_to_prefix(struct word word, struct prefix *ret_prefix)
{
    char text[ADDRESS_TEXT_LEN];

    return word_copy(word, text) && memchr(text, '/', word.len) &&
           prefix_parse(text, true, ret_prefix) == 0;
}

/* `count` numbers of at most `max`, joined by ':'. */
static bool word_to_numbers(struct word word, size_t count, uint64_t max, uint64_t ret_numbers[])
{
    const char *end = word.text + word.len;

    for (size_t i = 0; i < count; i++) {
        const char *stop = i + 1 < count ? memchr(word.text, ':', (size_t)(end - word.text)) : end;

        if (!stop ||
            number_parse_u64(word.text, (size_t)(stop - word.text), 0, max, &ret_numbers[i]) < 0) {
            return false;
        }
        word.text = stop < end ? stop + 1 : stop;
    }
    return true;
}

typedef bool list_item(struct word word, struct route_attributes *attributes);

static bool community_read(struct word word, struct route_attributes *attributes)
{
    uint64_t numbers[2];

    if (attributes->communities_n == ROUTE_COMMUNITIES_MAX ||
        !word_to_numbers(word, 2, UINT16_MAX, numbers)) {
        return false;
    }
    attributes->communities[attributes->communities_n++] =
        (struct route_community){(uint16_t)numbers[0], (uint16_t)numbers[1]};
    return true;
}

static bool large_community_read(struct word word, struct route_attributes *attributes)
{
    uint64_t numbers[3];

    if (attributes->large_communities_n == ROUTE_COMMUNITIES_MAX ||
        !word_to_numbers(word, 3, UINT32_MAX, numbers)) {
        return false;
    }
    attributes->large_communities[attributes->large_communities_n++] =
        (struct route_large_community){(uint32_t)numbers[0], (uint32_t)numbers[1],
                                       (uint32_t)numbers[2]};
    return true;
}

static bool as_number_read(struct word word, struct route_attributes *attributes)
{
    uint64_t number;

    if (attributes->as_path_n == ROUTE_AS_PATH_MAX ||
        !word_to_numbers(word, 1, UINT32_MAX, &number)) {
        return false;
    }
    attributes->as_path[attributes->as_path_n++] = (uint32_t)number;
    return true;
}

/* "[ 65001:1 65001:2 ]", or one without brackets */
static bool list_parse(const char **cursor, const char *end, list_item *item,
                       struct route_attributes *attributes)
{
    struct word word = word_next(cursor, end);

    if (!word_is(word, "[")) {
        return item(word, attributes);
    }
    for (word = word_next(cursor, end); !word_is(word, "]"); word = word_next(cursor, end)) {
        if (!item(word, attributes)) {
            return false;
        }
    }
    return true;
}

/* "next-hop self as-path [ 65001 ] med 100 community 65001:53 large-community [ 65001:1:2 ]". What
 * we never send and a router is not told by it (its origin, say) is passed over. */
static bool attributes_parse(const char *cursor, const char *end,
                             struct route_attributes *attributes)
{
    struct word word;
    uint64_t med;
    bool good = true;

    for (word = word_next(&cursor, end); good && word.len > 0; word = word_next(&cursor, end)) {
        if (word_is(word, "next-hop")) {
            word = word_next(&cursor, end);
            attributes->next_hop_self = word_is(word, "self");
            good = attributes->next_hop_self || word_to_address(word, &attributes->next_hop);
        } else if (word_is(word, "med")) {
            good = word_to_numbers(word_next(&cursor, end), 1, UINT32_MAX, &med);
            attributes->has_med = good;
            attributes->med = good ? (uint32_t)med : 0;
        } else if (word_is(word, "community")) {
            good = list_parse(&cursor, end, community_read, attributes);
        } else if (word_is(word, "large-community")) {
            good = list_parse(&cursor, end, large_community_read, attributes);
        } else if (word_is(word, "as-path")) {
            good = list_parse(&cursor, end, as_number_read, attributes);
        }
    }
    return good;
}

/* "neighbor 10.99.0.2 local-ip 10.99.0.1 ... ipv4 unicast 192.0.2.53/32 next-hop self ..." */
static bool rib_route_parse(const char *cursor, const char *end, struct exabgp_line *line)
{
    struct word word;

    if (!word_is(word_next(&cursor, end), "neighbor") ||
        !word_to_address(word_next(&cursor, end), &line->peer)) {
        return false;
    }
    do {
        word = word_next(&cursor, end);
        if (word.len == 0) {
            return false;
        }
    } while (!word_is(word, "unicast"));
    if (!word_to_prefix(word_next(&cursor, end), &line->prefix)) {
        return false;
    }
    line->attributes_read = attributes_parse(cursor, end, &line->attributes);
    return true;
}

/* "Peer            AS        up/down state       |     #sent     #recvd" */
static bool summary_header_parse(const char *cursor, const char *end)
{
    return word_is(word_next(&cursor, end), "Peer") && word_is(word_next(&cursor, end), "AS") &&
           word_is(word_next(&cursor, end), "up/down");
}

/* "10.99.0.2       65000     0:00:05 established           1          0" */
static bool summary_peer_parse(const char *cursor, const char *end, struct exabgp_line *line)
{
    struct word word;

    if (!word_to_address(word_next(&cursor, end), &line->peer)) {
        return false;
    }
    do {
        word = word_next(&cursor, end);
    } while (word.len > 0 && !word_is(word, "established"));
    return word.len > 0;
}

static enum exabgp_line_kind state_event_read(const json_t *root, struct exabgp_line *line)
{
    const json_t *neighbor = json_object_get(root, "neighbor");
    const json_t *address = json_object_get(neighbor, "address");
    const char *peer = json_string_value(json_object_get(address, "peer"));
    const char *state = json_string_value(json_object_get(neighbor, "state"));
    const char *reason = json_string_value(json_object_get(neighbor, "reason"));

    if (!peer || !state || address_parse(peer, &line->peer) < 0) {
        return EXABGP_LINE_BAD_EVENT;
    }
    if (strcmp(state, "up") == 0) {
        line->session = EXABGP_SESSION_UP;
    } else if (strcmp(state, "connected") == 0) {
        line->session = EXABGP_SESSION_CONNECTED;
    } else if (strcmp(state, "down") == 0) {
        line->session = EXABGP_SESSION_DOWN;
    } else {
        return EXABGP_LINE_EVENT;
    }
    snprintf(line->detail, sizeof(line->detail), "%s", reason ? reason : "");
    return EXABGP_LINE_SESSION;
}

static enum exabgp_line_kind event_read(const json_t *root, struct exabgp_line *line)
{
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *notification = json_string_value(json_object_get(root, "notification"));

    if (!type) {
        return EXABGP_LINE_BAD_EVENT;
    }
    if (strcmp(type, "state") == 0) {
        return state_event_read(root, line);
    }
    if (strcmp(type, "notification") == 0 && notification &&
        strcmp(notification, "shutdown") == 0) {
        return EXABGP_LINE_SHUTDOWN;
    }
    return EXABGP_LINE_EVENT;
}

static enum exabgp_line_kind event_parse(const char *text, size_t len, struct exabgp_line *line)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, 0, &error);
    enum exabgp_line_kind kind;

    if (!json_is_object(root)) {
        json_decref(root);
        return EXABGP_LINE_BAD_EVENT;
    }
    kind = event_read(root, line);
    json_decref(root);
    return kind;
}

/* "exabgp 4.2.21" */
static bool version_parse(const char *cursor, const char *end, struct exabgp_line *line)
{
    struct word word;

    if (!word_is(word_next(&cursor, end), "exabgp")) {
        return false;
    }
    word = word_next(&cursor, end);
    if (word.len == 0 || word.len >= sizeof(line->detail) || word_next(&cursor, end).len > 0) {
        return false;
    }
    memcpy(line->detail, word.text, word.len);
    line->detail[word.len] = '\0';
    return true;
}

void exabgp_line_parse(const char *text, size_t len, struct exabgp_line *ret_line)
{
    const char *end;

    *ret_line = (struct exabgp_line){.kind = EXABGP_LINE_OTHER};
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' ')) {
        len--;
    }
    end = text + len;
    if (len > 0 && text[0] == '{') {
        ret_line->kind = event_parse(text, len, ret_line);
    } else if (word_is((struct word){text, len}, "done")) {
        ret_line->kind = EXABGP_LINE_DONE;
    } else if (word_is((struct word){text, len}, "error")) {
        ret_line->kind = EXABGP_LINE_ERROR;
    } else if (summary_header_parse(text, end)) {
        ret_line->kind = EXABGP_LINE_SUMMARY_HEADER;
    } else if (rib_route_parse(text, end, ret_line)) {
        ret_line->kind = EXABGP_LINE_RIB_ROUTE;
    } else if (version_parse(text, end, ret_line)) {
        ret_line->kind = EXABGP_LINE_VERSION;
    } else if (summary_peer_parse(text, end, ret_line)) {
        ret_line->kind = EXABGP_LINE_SUMMARY_PEER;
    }
}

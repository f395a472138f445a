/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/exabgp_line.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

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

/* "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self" */
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
    return word_to_prefix(word_next(&cursor, end), &line->prefix);
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
    } else if (summary_peer_parse(text, end, ret_line)) {
        ret_line->kind = EXABGP_LINE_SUMMARY_PEER;
    }
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/state_file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/control.h"

#define HEADER_FORMAT "isochrone-bgp state 1 length %zu crc32c %08" PRIx32 "\n"
#define HEADER_LEN 80
#define WALL_S_MAX INT64_C(4102444800) /* 2100-01-01: in nanoseconds it fits */
#define PENALTY_MAX 1e6

/* CRC-32C (Castagnoli), reflected, as in RFC 3720 section 12.1. */
static uint32_t crc32c(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
        }
    }
    return ~crc;
}

/* ---- the announcer's memory ---- */

void state_file_collect(struct state_file *state, const struct announcer *announcer, int64_t wall_s,
                        int64_t now_ns)
{
    const struct config *config = announcer_config(announcer);

    state->saved_s = wall_s;
    state->vips_n = config->vips_n;
    for (size_t i = 0; i < config->vips_n; i++) {
        state->vips[i].prefix = config->routes[i].prefix;
        announcer_remember(announcer, i, now_ns, &state->vips[i].memory);
    }
}

static void memory_age(struct announcer_memory *memory, const struct damping_limits *limits,
                       int64_t age_ns)
{
    const struct damping damping = {.penalty = memory->penalty, .at_ns = 0};
    struct override *override = &memory->override;

    memory->penalty = limits->on ? damping_penalty(&damping, limits, age_ns) : 0;
    memory->suppressed_age_ns += memory->suppressed_age_ns >= 0 ? age_ns : 0;
    for (size_t i = 0; i < memory->begins_n; i++) {
        memory->begins_age_ns[i] += age_ns;
    }
    override->since_ns += age_ns;
    if (override->expires_ns != OVERRIDE_FOR_EVER) {
        override->expires_ns -= age_ns;
    }
    if (override->expires_ns <= 0) {
        *override = (struct override){.action = OVERRIDE_AUTO};
    }
}

void state_file_recall(const struct state_file *state, struct announcer *announcer, int64_t wall_s,
                       int64_t now_ns)
{
    const struct config *config = announcer_config(announcer);
    const int64_t age_s = wall_s > state->saved_s ? wall_s - state->saved_s : 0;

    for (size_t i = 0; i < state->vips_n; i++) {
        for (size_t k = 0; k < config->vips_n; k++) {
            if (prefix_compare(&config->routes[k].prefix, &state->vips[i].prefix) == 0) {
                struct announcer_memory memory = state->vips[i].memory;

                memory_age(&memory, &config->vips[k].settings.damping, age_s * CLOCK_NS_PER_S);
                announcer_recall(announcer, k, &memory, now_ns);
            }
        }
    }
}

size_t state_file_started(struct state_file *state, int64_t wall_s, int64_t span_s)
{
    size_t count = 0;

    if (state->starts_n == STATE_FILE_STARTS_MAX) {
        state->starts_n--;
        memmove(state->starts_s, state->starts_s + 1, state->starts_n * sizeof(state->starts_s[0]));
    }
    /* a clock that went back must not make a file that is refused as out of order */
    while (state->starts_n > 0 && state->starts_s[state->starts_n - 1] > wall_s) {
        state->starts_n--;
    }
    state->starts_s[state->starts_n++] = wall_s;
    for (size_t i = 0; i < state->starts_n; i++) {
        count += state->starts_s[i] > wall_s - span_s;
    }
    return count;
}

/* ---- writing ---- */

static int64_t before_s(int64_t saved_s, int64_t age_ns)
{
    const int64_t age_s = age_ns / CLOCK_NS_PER_S;

    return age_s < saved_s ? saved_s - age_s : 0;
}

static json_t *times_json(const int64_t *times_s, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_integer(times_s[i]));
    }
    return list;
}

static json_t *vip_json(const struct state_file_vip *vip, int64_t saved_s)
{
    const struct announcer_memory *memory = &vip->memory;
    const struct override *override = &memory->override;
    const int64_t left_s = override->expires_ns / CLOCK_NS_PER_S;
    int64_t begins_s[BUDGET_ALLOW_MAX];
    char name[ADDRESS_TEXT_LEN];

    for (size_t i = 0; i < memory->begins_n; i++) {
        begins_s[i] = before_s(saved_s, memory->begins_age_ns[i]);
    }
    return json_pack(
        "{s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:f, s:I, s:o}", "vip",
        prefix_format(&vip->prefix, name), "action", override_action_name(override->action),
        "force", override->force, "since_s", (json_int_t)before_s(saved_s, override->since_ns),
        "expires_s",
        (json_int_t)(override->expires_ns == OVERRIDE_FOR_EVER ? 0 : saved_s + left_s + 1),
        "reason", control_text(override->reason), "owner", control_text(override->owner), "penalty",
        memory->penalty, "suppressed_s",
        (json_int_t)(memory->suppressed_age_ns < 0 ? 0
                                                   : before_s(saved_s, memory->suppressed_age_ns)),
        "begins_s", times_json(begins_s, memory->begins_n));
}

char *state_file_frame(const char *content, size_t content_len, size_t *ret_len)
{
    char header[HEADER_LEN];
    const int header_len = snprintf(header, sizeof(header), HEADER_FORMAT, content_len,
                                    crc32c((const uint8_t *)content, content_len));
    char *bytes;

    *ret_len = (size_t)header_len + content_len + 1;
    bytes = malloc(*ret_len);
    if (bytes) {
        memcpy(bytes, header, (size_t)header_len);
        memcpy(bytes + header_len, content, content_len);
        bytes[*ret_len - 1] = '\n';
    }
    return bytes;
}

char *state_file_encode(const struct state_file *state, size_t *ret_len)
{
    json_t *vips = json_array();
    json_t *root;
    char *content, *bytes = NULL;

    for (size_t i = 0; i < state->vips_n; i++) {
        json_array_append_new(vips, vip_json(&state->vips[i], state->saved_s));
    }
    root = json_pack("{s:I, s:o, s:o}", "saved_s", (json_int_t)state->saved_s, "vips", vips,
                     "starts_s", times_json(state->starts_s, state->starts_n));
    content = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (content) {
        bytes = state_file_frame(content, strlen(content), ret_len);
        free(content);
    }
    return bytes;
}

/* ---- reading ---- */

static bool time_read(const json_t *object, const char *key, int64_t *ret_s)
{
    const json_t *value = json_object_get(object, key);

    *ret_s = json_integer_value(value);
    return json_is_integer(value) && *ret_s >= 0 && *ret_s <= WALL_S_MAX;
}

static bool times_read(const json_t *object, const char *key, int64_t *times_s, size_t max,
                       size_t *ret_count)
{
    const json_t *list = json_object_get(object, key);

    if (!json_is_array(list) || json_array_size(list) > max) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        times_s[i] = json_integer_value(item);
        if (!json_is_integer(item) || times_s[i] < 0 || times_s[i] > WALL_S_MAX ||
            (i > 0 && times_s[i] < times_s[i - 1])) {
            return false;
        }
    }
    *ret_count = json_array_size(list);
    return true;
}

static bool text_read(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));

    if (!value || strlen(value) >= size) {
        return false;
    }
    memcpy(text, value, strlen(value) + 1);
    return true;
}

static bool action_read(const json_t *object, enum override_action *ret_action)
{
    const char *name = json_string_value(json_object_get(object, "action"));

    for (enum override_action action = OVERRIDE_AUTO; name && action <= OVERRIDE_ANNOUNCE;
         action++) {
        if (strcmp(name, override_action_name(action)) == 0) {
            *ret_action = action;
            return true;
        }
    }
    return false;
}

static bool override_read(const json_t *object, int64_t saved_s, struct override *override)
{
    const json_t *force = json_object_get(object, "force");
    int64_t since_s, expires_s;

    if (!json_is_boolean(force) || !action_read(object, &override->action) ||
        !time_read(object, "since_s", &since_s) || !time_read(object, "expires_s", &expires_s) ||
        since_s > saved_s || (expires_s != 0 && expires_s < since_s)) {
        return false;
    }
    override->force = json_is_true(force);
    override->since_ns = (saved_s - since_s) * CLOCK_NS_PER_S;
    override->expires_ns = expires_s == 0
                               ? OVERRIDE_FOR_EVER
                               : (expires_s > saved_s ? expires_s - saved_s : 0) * CLOCK_NS_PER_S;
    return text_read(object, "reason", override->reason, sizeof(override->reason)) &&
           text_read(object, "owner", override->owner, sizeof(override->owner));
}

static bool vip_read(const json_t *object, int64_t saved_s, struct state_file_vip *vip)
{
    const char *name = json_string_value(json_object_get(object, "vip"));
    const json_t *penalty = json_object_get(object, "penalty");
    struct announcer_memory *memory = &vip->memory;
    int64_t suppressed_s, begins_s[BUDGET_ALLOW_MAX] = {0};

    if (!name || prefix_parse(name, true, &vip->prefix) < 0 || !json_is_number(penalty) ||
        !override_read(object, saved_s, &memory->override) ||
        !time_read(object, "suppressed_s", &suppressed_s) || suppressed_s > saved_s ||
        !times_read(object, "begins_s", begins_s, BUDGET_ALLOW_MAX, &memory->begins_n)) {
        return false;
    }
    memory->suppressed_age_ns = suppressed_s ? (saved_s - suppressed_s) * CLOCK_NS_PER_S : -1;
    for (size_t i = 0; i < memory->begins_n; i++) {
        if (begins_s[i] > saved_s) {
            return false;
        }
        memory->begins_age_ns[i] = (saved_s - begins_s[i]) * CLOCK_NS_PER_S;
    }
    memory->penalty = json_number_value(penalty);
    return isfinite(memory->penalty) && memory->penalty >= 0 && memory->penalty <= PENALTY_MAX;
}

static bool root_read(const json_t *root, struct state_file *state)
{
    const json_t *vips = json_object_get(root, "vips");

    if (!time_read(root, "saved_s", &state->saved_s) ||
        !times_read(root, "starts_s", state->starts_s, STATE_FILE_STARTS_MAX, &state->starts_n) ||
        !json_is_array(vips) || json_array_size(vips) > CONFIG_VIPS_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(vips); i++) {
        if (!vip_read(json_array_get(vips, i), state->saved_s, &state->vips[i])) {
            return false;
        }
    }
    state->vips_n = json_array_size(vips);
    return true;
}

/* The header is compared with the one these bytes should have, so there is nothing in it to read.
 */
static const char *body_find(const char *bytes, size_t len, size_t *ret_len)
{
    const char *end = memchr(bytes, '\n', len < HEADER_LEN ? len : HEADER_LEN);
    const char *body = end ? end + 1 : NULL;
    char header[HEADER_LEN + 1];

    if (!body || bytes[len - 1] != '\n' || body == bytes + len) {
        return NULL;
    }
    *ret_len = (size_t)(bytes + len - 1 - body);
    snprintf(header, sizeof(header), HEADER_FORMAT, *ret_len,
             crc32c((const uint8_t *)body, *ret_len));
    if (strlen(header) != (size_t)(body - bytes) ||
        memcmp(header, bytes, (size_t)(body - bytes)) != 0) {
        return NULL;
    }
    return body;
}

int state_file_decode(const void *bytes, size_t len, struct state_file *ret_state,
                      struct failure *failure)
{
    static const char start[] = "isochrone-bgp state 1 ";
    size_t body_len = 0;
    const char *body;
    json_t *root;
    bool good;

    *ret_state = (struct state_file){0};
    if (len < sizeof(start) || memcmp(bytes, start, sizeof(start) - 1) != 0) {
        return failure_set(failure, -EINVAL, "no state of isochrone-bgp, version 1");
    }
    body = body_find(bytes, len, &body_len);
    if (!body) {
        return failure_set(failure, -EINVAL, "length or checksum is wrong: torn or damaged");
    }
    root = json_loadb(body, body_len, JSON_REJECT_DUPLICATES, NULL);
    good = root && root_read(root, ret_state);
    json_decref(root);
    if (!good) {
        *ret_state = (struct state_file){0};
        return failure_set(failure, -EINVAL, "its content is not what this version writes");
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/state_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define S CLOCK_NS_PER_S
#define WALL_S INT64_C(1795369201)

static const char text[] =
    "vips:\n"
    "  - {prefix: 192.0.2.53/32}\n"
    "  - {prefix: 198.51.100.53/32}\n"
    "checks:\n"
    "  a: {type: dns, server: 192.0.2.53, name: www.example.com., rise: 1, fall: 1}\n";

static void on_log(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

struct scene {
    struct config *config;
    struct announcer *announcer;
};

static void scene_open(struct scene *scene, int64_t now_ns)
{
    struct failure failure;

    cr_assert_eq(config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &scene->config,
                                   &failure),
                 0, "%s", failure.text);
    scene->announcer = announcer_new(scene->config, on_log, NULL, 1, now_ns);
    cr_assert(scene->announcer);
}

static void scene_close(struct scene *scene)
{
    announcer_free(scene->announcer);
    config_free(scene->config);
}

static void order(struct scene *scene, const char *vips, int64_t for_ns, int64_t now_ns)
{
    size_t vips_n;
    struct failure failure;

    cr_assert_eq(announcer_override(scene->announcer,
                                    &(struct announcer_order){.vips = vips,
                                                              .action = OVERRIDE_DRAIN,
                                                              .for_ns = for_ns,
                                                              .reason = "router \"r1\" upgrade",
                                                              .owner = "noc"},
                                    now_ns, &vips_n, &failure),
                 0);
}

/* Saved by one process; what the next one, started so much later, knows of it. */
static void pass_on(struct scene *before, int64_t saved_ns, struct scene *after, int64_t later_s)
{
    static struct state_file state, again;
    struct failure failure = {{0}};
    size_t len;
    char *bytes;

    memset(&state, 0, sizeof(state));
    state_file_started(&state, WALL_S - 5, 60);
    state_file_collect(&state, before->announcer, WALL_S, saved_ns);
    bytes = state_file_encode(&state, &len);
    cr_assert(bytes);
    cr_assert_eq(state_file_decode(bytes, len, &again, &failure), 0, "%s: %s", failure.text, bytes);
    free(bytes);
    cr_expect_eq(again.saved_s, WALL_S);
    cr_expect_eq(again.starts_n, 1);
    scene_open(after, 1000 * S); /* another boot: another monotonic clock */
    state_file_recall(&again, after->announcer, WALL_S + later_s, 1000 * S);
}

Test(state_file, an_operators_word_outlives_the_process)
{
    struct scene before, after;
    const struct override *override;

    scene_open(&before, 100 * S);
    order(&before, "192.0.2.53", 3600 * S, 110 * S);
    order(&before, "198.51.100.53", OVERRIDE_FOR_EVER, 110 * S);
    pass_on(&before, 120 * S, &after, 600);
    override = &announcer_vip(after.announcer, 0)->override;
    cr_expect_eq(override->action, OVERRIDE_DRAIN);
    cr_expect_str_eq(override->reason, "router \"r1\" upgrade");
    cr_expect_str_eq(override->owner, "noc");
    cr_expect_eq(override->since_ns, 1000 * S - 610 * S, "the drain goes on where it was");
    cr_expect_geq(override->expires_ns, 1000 * S + (3600 - 610) * S);
    cr_expect_leq(override->expires_ns, 1000 * S + (3600 - 608) * S);
    override = &announcer_vip(after.announcer, 1)->override;
    cr_expect_eq(override->action, OVERRIDE_DRAIN);
    cr_expect_eq(override->expires_ns, OVERRIDE_FOR_EVER);
    scene_close(&after);

    pass_on(&before, 120 * S, &after, 3700);
    cr_expect_eq(announcer_vip(after.announcer, 0)->override.action, OVERRIDE_AUTO, "it expired");
    cr_expect_eq(announcer_vip(after.announcer, 1)->override.action, OVERRIDE_DRAIN);
    scene_close(&after);

    pass_on(&before, 120 * S, &after, -86400);
    cr_expect_eq(announcer_vip(after.announcer, 0)->override.action, OVERRIDE_DRAIN,
                 "a clock that went back");
    cr_expect_leq(announcer_vip(after.announcer, 0)->override.expires_ns, 1000 * S + 3600 * S);
    scene_close(&after);
    scene_close(&before);
}

Test(state_file, starts)
{
    struct state_file state = {0};

    for (int64_t i = 0; i < 40; i++) {
        state_file_started(&state, WALL_S + i * 10, 60);
    }
    cr_expect_eq(state.starts_n, STATE_FILE_STARTS_MAX);
    cr_expect_eq(state_file_started(&state, WALL_S + 400, 60), 6);
    cr_expect_eq(state_file_started(&state, WALL_S - 1000, 60), 1, "a clock that went back");
}

Test(state_file, what_is_not_ours_is_ignored)
{
    static const struct {
        const char *from, *to, *reason;
    } rows[] = {
        {"", "", NULL},
        {"isochrone-bgp state 1", "isochrone-bgp state 2", "no state of isochrone-bgp"},
        {"isochrone-bgp", "#!/bin/sh\n    ", "no state of isochrone-bgp"},
        {"drain", "drai\x01", "checksum"},
        {"router", "rooter", "checksum"},
        {"crc32c ", "crc32c 0", "checksum"},
        {"length ", "length 0", "checksum"},
    };
    static struct state_file state;
    struct scene scene;
    struct failure failure;
    size_t len;
    char *bytes;

    scene_open(&scene, 100 * S);
    order(&scene, "all", OVERRIDE_FOR_EVER, 110 * S);
    state_file_collect(&state, scene.announcer, WALL_S, 120 * S);
    bytes = state_file_encode(&state, &len);
    bytes = realloc(bytes, len + 1);
    bytes[len] = '\0'; /* a text for what follows */
    for (size_t i = 0; i < COUNT(rows); i++) {
        char broken[8192];
        const char *at = strstr(bytes, rows[i].from);
        const int broken_len = snprintf(broken, sizeof(broken), "%.*s%s%s", (int)(at - bytes),
                                        bytes, rows[i].to, at + strlen(rows[i].from));
        const int code = state_file_decode(broken, (size_t)broken_len, &state, &failure);

        cr_expect_eq(code == 0, rows[i].reason == NULL, "row %zu", i);
        cr_expect(!rows[i].reason || strstr(failure.text, rows[i].reason), "row %zu: %s", i,
                  failure.text);
        cr_expect(code == 0 || state.vips_n == 0, "row %zu", i);
    }
    for (size_t cut = 0; cut < len; cut++) {
        cr_expect_lt(state_file_decode(bytes, cut, &state, &failure), 0, "cut at %zu", cut);
    }
    free(bytes);
    scene_close(&scene);
}

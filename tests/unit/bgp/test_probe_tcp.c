/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_tcp.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream_play.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct probe_tcp_settings settings_of(const char *send, const char *expect)
{
    return (struct probe_tcp_settings){.send = send,
                                       .send_len = send ? strlen(send) : 0,
                                       .expect = expect,
                                       .expect_len = expect ? strlen(expect) : 0};
}

Test(probe_tcp, what_is_said_and_heard)
{
    static char much[2 * PROBE_TCP_EXPECT_WITHIN];
    static const struct {
        const char *send, *expect, *said;
        bool stays;
        enum probe_cause cause;
        const char *evidence;
    } rows[] = {
        {NULL, NULL, "", true, PROBE_CAUSE_NONE, "connected"},
        {"PING\r\n", NULL, "", true, PROBE_CAUSE_NONE, "connected, sent"},
        {"PING\r\n", "PONG", "+PONG\r\n", true, PROBE_CAUSE_NONE, "as expected in 7 bytes"},
        {NULL, "220 ", "220 ready\r\n", true, PROBE_CAUSE_NONE, "as expected in 11 bytes"},
        {NULL, "220 ", "554 \033[1mno\r\n", false, PROBE_CAUSE_WRONG,
         "closed after 12 bytes: \"554 ?[1mno??\""},
        {NULL, "220 ", "", false, PROBE_CAUSE_WRONG, "closed after 0 bytes"},
        {NULL, "220 ", much, true, PROBE_CAUSE_WRONG, "not as expected in 4096 bytes: \"xxx"},
    };

    memset(much, 'x', sizeof(much) - 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct probe_tcp_settings settings = settings_of(rows[i].send, rows[i].expect);
        const size_t wait_for = rows[i].send && rows[i].expect ? strlen(rows[i].send) : 0;
        struct stream_play play;

        stream_play_open(&play, &probe_tcp, &settings);
        cr_assert(
            stream_play_run(&play, wait_for, rows[i].said, strlen(rows[i].said), rows[i].stays));
        cr_expect_eq(play.outcome.cause, rows[i].cause, "row %zu", i);
        cr_expect(strstr(play.outcome.evidence, rows[i].evidence), "row %zu: %s", i,
                  play.outcome.evidence);
        cr_expect(wait_for == 0 || strcmp(play.heard, rows[i].send) == 0);
        stream_play_close(&play);
    }
}

Test(probe_tcp, silence)
{
    const struct probe_tcp_settings settings = settings_of(NULL, "220");
    struct stream_play play;

    stream_play_open(&play, &probe_tcp, &settings);
    cr_assert_not(stream_play_run(&play, 0, "22", 2, true));
    cr_assert(probe_run(&play.probe, 600 * CLOCK_NS_PER_MS, &play.outcome));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_SILENT);
    stream_play_close(&play);
}

Test(probe_tcp, refused)
{
    const struct probe_tcp_settings settings = settings_of(NULL, NULL);
    struct stream_play play;

    stream_play_open(&play, &probe_tcp, &settings);
    close(play.listener);
    play.listener = -1;
    cr_assert(stream_play_run(&play, 0, "", 0, true));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    stream_play_close(&play);
}

Test(probe_tcp, what_we_cannot_do_is_unknown)
{
    const struct probe_tcp_settings settings = settings_of(NULL, NULL);
    struct rlimit before;
    struct stream_play play;
    bool concluded;

    stream_play_open(&play, &probe_tcp, &settings);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, before.rlim_max}), 0);
    concluded = probe_start(&play.probe, 0, &play.outcome);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert(concluded);
    cr_assert_eq(play.outcome.observation, HEALTH_UNKNOWN);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_INTERNAL);
    stream_play_close(&play);
}

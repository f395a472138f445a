/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_http.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream_play.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define HEARD_MIN 40 /* of a request */

static const struct probe_http_settings plain = {.url = "http://www.example.com/health?a=b"};

static void expect(const struct probe_http_settings *settings, const char *said, size_t len,
                   bool stays, enum probe_cause cause, const char *evidence)
{
    struct stream_play play;

    stream_play_open(&play, &probe_http, settings);
    cr_assert(stream_play_run(&play, HEARD_MIN, said, len, stays), "%s", said);
    cr_expect_eq(play.outcome.cause, cause, "%s: %s", said, play.outcome.evidence);
    cr_expect(strstr(play.outcome.evidence, evidence), "%s: %s", said, play.outcome.evidence);
    stream_play_close(&play);
}

Test(probe_http, what_comes_back)
{
    static const struct {
        const char *said;
        bool stays;
        enum probe_cause cause;
        const char *evidence;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, PROBE_CAUSE_NONE,
         "status 200, 5 bytes"},
        {"HTTP/1.1 204 No Content\r\n\r\n", true, PROBE_CAUSE_NONE, "status 204, 0 bytes"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", false, PROBE_CAUSE_NONE, "status 200, 13 bytes"},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", true, PROBE_CAUSE_WRONG, "status 503"},
        {"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", true,
         PROBE_CAUSE_WRONG, "status 302"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", false, PROBE_CAUSE_WRONG,
         "45 bytes"},
        {"SSH-2.0-other\r\n", false, PROBE_CAUSE_WRONG, "HTTP/0.9"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", false, PROBE_CAUSE_WRONG, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n", false,
         PROBE_CAUSE_WRONG, ""},
        {"", false, PROBE_CAUSE_WRONG, "Empty reply"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&plain, rows[i].said, strlen(rows[i].said), rows[i].stays, rows[i].cause,
               rows[i].evidence);
    }
}

Test(probe_http, statuses_bodies_headers)
{
    static const char answer[] =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nX-Pop: lab fra1\r\nX-Pop: b\r\n\r\nhello";
    struct probe_http_settings settings = plain;

    settings.statuses_n = 2;
    settings.statuses[0] = 200;
    settings.statuses[1] = 404;
    expect(&settings, answer, strlen(answer), true, PROBE_CAUSE_NONE, "status 404, 5 bytes");
    settings.body = "ell";
    settings.headers_n = 1;
    settings.headers[0] = (struct probe_http_header){"x-pop", "fra1"};
    expect(&settings, answer, strlen(answer), true, PROBE_CAUSE_NONE, "status 404");
    settings.headers[0].text = "sin";
    expect(&settings, answer, strlen(answer), true, PROBE_CAUSE_WRONG,
           "status 404, x-pop is not as expected");
    settings.headers_n = 0;
    settings.body = "elo";
    expect(&settings, answer, strlen(answer), true, PROBE_CAUSE_WRONG,
           "status 404, body is not as expected in 5 bytes");
}

Test(probe_http, a_body_without_end_is_cut)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    const size_t len = strlen(head) + 4 * PROBE_HTTP_BODY_MAX;
    struct probe_http_settings settings = plain;
    char *said = malloc(len);

    memcpy(said, head, strlen(head));
    memset(said + strlen(head), 'x', 4 * PROBE_HTTP_BODY_MAX);
    expect(&settings, said, len, true, PROBE_CAUSE_NONE, "status 200, 65536 bytes and more");
    settings.body = "y";
    expect(&settings, said, len, true, PROBE_CAUSE_WRONG,
           "body is not as expected in its first 65536 bytes");
    free(said);
}

Test(probe_http, the_request_names_the_url_and_the_environment_has_no_say)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct stream_play play;

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    stream_play_open(&play, &probe_http, &plain);
    for (int i = 0; i < 2; i++) { /* each over a connection of its own */
        cr_assert(stream_play_run(&play, HEARD_MIN, answer, strlen(answer), true));
        cr_assert_eq(play.outcome.cause, PROBE_CAUSE_NONE, "%s", play.outcome.evidence);
        cr_assert(strstr(play.heard, "GET /health?a=b HTTP/1.1\r\nHost: www.example.com\r\n"), "%s",
                  play.heard);
        close(play.connection);
        play.connection = -1;
        play.heard_len = 0;
        memset(play.heard, 0, sizeof(play.heard));
    }
    stream_play_close(&play);
}

Test(probe_http, refused_and_silent)
{
    struct stream_play play;

    stream_play_open(&play, &probe_http, &plain);
    cr_assert_not(stream_play_run(&play, HEARD_MIN, "HTTP/1.1 200 OK\r\n", 17, true));
    cr_assert(probe_run(&play.probe, 600 * CLOCK_NS_PER_MS, &play.outcome));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_SILENT);
    cr_assert_str_eq(play.outcome.evidence, "connected, no answer in 600 ms");
    close(play.listener);
    play.listener = -1;
    cr_assert(stream_play_run(&play, 0, "", 0, true));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert_str_eq(play.outcome.evidence, "nobody listens (refused)");
    stream_play_close(&play);
}

/* However few descriptors are left, and wherever they run out. */
Test(probe_http, what_we_cannot_do_is_unknown)
{
    for (rlim_t spare = 0; spare < 12; spare++) {
        struct rlimit before;
        struct stream_play play;
        bool concluded;
        int lowest;

        stream_play_open(&play, &probe_http, &plain);
        play.check.server_is_vip = spare % 2;
        lowest = dup(0);
        close(lowest);
        cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        cr_assert_eq(
            setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)lowest + spare, before.rlim_max}), 0);
        concluded = probe_start(&play.probe, 0, &play.outcome);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        cr_assert(concluded || spare > 0);
        if (concluded) {
            cr_assert_eq(play.outcome.observation, HEALTH_UNKNOWN, "%d spare: %s", (int)spare,
                         play.outcome.evidence);
            cr_assert_eq(play.outcome.cause, PROBE_CAUSE_INTERNAL);
        }
        /* and the next probe finds everything in order */
        probe_cancel(&play.probe);
        for (int fd; (fd = accept(play.listener, NULL, NULL)) >= 0;) {
            close(fd);
        }
        cr_assert(stream_play_run(&play, HEARD_MIN, "HTTP/1.0 200 OK\r\n\r\n", 19, false));
        cr_assert_eq(play.outcome.cause, PROBE_CAUSE_NONE, "%d spare: %s", (int)spare,
                     play.outcome.evidence);
        stream_play_close(&play);
    }
}

Test(probe_http, a_vip_that_is_not_here)
{
    struct stream_play play;

    stream_play_open(&play, &probe_http, &plain);
    address_parse("192.0.2.53", &play.check.server.address);
    cr_assert(probe_start(&play.probe, 0, &play.outcome));
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_DEAD);
    stream_play_close(&play);
}

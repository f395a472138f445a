/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/fd.h"

struct state {
    CURLM *multi; /* both kept from probe to probe; the first holds the parsed certificates */
    CURL *easy;
    struct curl_slist *connect_to;
    bool added;
    int64_t now_ns;   /* of the call being served, for curl's timers */
    int socket_error; /* of a socket that curl could not have */
    bool body_is_cut;
    size_t body_len;
    char error[CURL_ERROR_SIZE];
    char body[PROBE_HTTP_BODY_MAX];
};

static const struct probe_http_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

/* ---- what curl calls ---- */

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *context, void *own)
{
    struct probe *probe = context;
    struct state *state = probe->state;
    int result;

    (void)easy;
    (void)own;
    if (what == CURL_POLL_REMOVE) {
        probe_unwatch(probe, fd);
        return 0;
    }
    result = probe_watch(probe, fd,
                         (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0U) |
                             (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0U));
    if (result < 0) {
        state->socket_error = -result;
    }
    return result < 0 ? -1 : 0;
}

static int timer_changed(CURLM *multi, long timeout_ms, void *context)
{
    struct probe *probe = context;
    const struct state *state = probe->state;

    (void)multi;
    probe->wake_ns = timeout_ms < 0 ? INT64_MAX : state->now_ns + timeout_ms * CLOCK_NS_PER_MS;
    return 0;
}

static curl_socket_t socket_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct state *state = context;
    const int fd = socket(address->family, address->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                          address->protocol);

    (void)purpose;
    if (fd < 0) {
        state->socket_error = errno;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* Taking less than there is ends the transfer. */
static size_t body_came(char *bytes, size_t one, size_t len, void *context)
{
    struct state *state = context;
    const size_t room = sizeof(state->body) - state->body_len;
    const size_t taken = len < room ? len : room;

    (void)one;
    memcpy(state->body + state->body_len, bytes, taken);
    state->body_len += taken;
    state->body_is_cut = taken < len;
    return taken;
}

/* ---- handles ---- */

/* An option that cannot be set leaves the probe other than it should be. */
static bool easy_configure(const struct probe *probe, CURL *easy)
{
    const struct probe_http_settings *http = settings(probe);
    const bool secure = !http->insecure;
    struct state *state = probe->state;
    CURLcode failed = CURLE_OK;

#define SET(option, value)                                                                         \
    failed = failed == CURLE_OK ? curl_easy_setopt(easy, (option), (value)) : failed
    SET(CURLOPT_URL, http->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USERAGENT, "isochrone-bgp");
    SET(CURLOPT_SSL_VERIFYPEER, secure ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, secure ? 2L : 0L);
    if (http->ca) {
        SET(CURLOPT_CAINFO, http->ca);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_OPENSOCKETFUNCTION, socket_open);
    SET(CURLOPT_OPENSOCKETDATA, state);
    SET(CURLOPT_WRITEFUNCTION, body_came);
    SET(CURLOPT_WRITEDATA, state);
    SET(CURLOPT_ERRORBUFFER, state->error);
#undef SET
    return failed == CURLE_OK;
}

/* Whatever the URL names, the connection goes to the check's server: "::ADDRESS:PORT". */
static bool server_pin(const struct probe *probe, struct state *state)
{
    char server[ADDRESS_TEXT_LEN], line[ADDRESS_TEXT_LEN + 2];

    snprintf(line, sizeof(line), "::%s", endpoint_format(&probe->check->server, server));
    state->connect_to = curl_slist_append(NULL, line);
    return state->connect_to &&
           curl_easy_setopt(state->easy, CURLOPT_CONNECT_TO, state->connect_to) == CURLE_OK;
}

static void handles_free(struct state *state)
{
    if (!state->multi && !state->easy) {
        return;
    }
    curl_easy_cleanup(state->easy);
    curl_slist_free_all(state->connect_to);
    curl_multi_cleanup(state->multi);
    curl_global_cleanup();
    state->easy = NULL;
    state->connect_to = NULL;
    state->multi = NULL;
}

static bool handles_make(struct probe *probe)
{
    struct state *state = probe->state;

    if (state->easy) {
        return true;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return false;
    }
    state->multi = curl_multi_init();
    state->easy = curl_easy_init();
    if (state->multi && state->easy && easy_configure(probe, state->easy) &&
        server_pin(probe, state) &&
        curl_multi_setopt(state->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK &&
        curl_multi_setopt(state->multi, CURLMOPT_SOCKETDATA, probe) == CURLM_OK &&
        curl_multi_setopt(state->multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
        curl_multi_setopt(state->multi, CURLMOPT_TIMERDATA, probe) == CURLM_OK) {
        return true;
    }
    handles_free(state);
    return false;
}

/* ---- judging ---- */

static bool failure_judge(struct state *state, CURLcode code, struct probe_outcome *outcome)
{
    const char *text = state->error[0] ? state->error : curl_easy_strerror(code);
    long error = 0;

    if (state->socket_error) {
        return outcome_unknown(outcome, "opening a socket: %s", strerror(state->socket_error));
    }
    curl_easy_getinfo(state->easy, CURLINFO_OS_ERRNO, &error);
    if (code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT || code == CURLE_NOT_BUILT_IN ||
        code == CURLE_BAD_FUNCTION_ARGUMENT || code == CURLE_SSL_CACERT_BADFILE) {
        return outcome_unknown(outcome, "%s", text);
    }
    if ((code == CURLE_COULDNT_CONNECT || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) &&
        error != 0) {
        return outcome_errno(outcome, code == CURLE_COULDNT_CONNECT ? "connecting" : "transfer",
                             (int)error);
    }
    return outcome_fail(
        outcome, code == CURLE_COULDNT_CONNECT ? PROBE_CAUSE_DEAD : PROBE_CAUSE_WRONG, "%s", text);
}

static bool status_expected(const struct probe_http_settings *http, long status)
{
    for (size_t i = 0; i < http->statuses_n; i++) {
        if (http->statuses[i] == status) {
            return true;
        }
    }
    return http->statuses_n == 0 && status >= 200 && status <= 299;
}

/* May come more than once; one that is right is enough. */
static bool header_expected(CURL *easy, const struct probe_http_header *wanted)
{
    struct curl_header *header;

    for (size_t i = 0;
         curl_easy_header(easy, wanted->name, i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++) {
        if (strstr(header->value, wanted->text)) {
            return true;
        }
    }
    return false;
}

static bool answer_judge(const struct probe *probe, struct probe_outcome *outcome)
{
    const struct probe_http_settings *http = settings(probe);
    const struct state *state = probe->state;
    long status = 0;

    curl_easy_getinfo(state->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!status_expected(http, status)) {
        return outcome_fail(outcome, PROBE_CAUSE_WRONG, "status %ld", status);
    }
    for (size_t i = 0; i < http->headers_n; i++) {
        if (!header_expected(state->easy, &http->headers[i])) {
            return outcome_fail(outcome, PROBE_CAUSE_WRONG, "status %ld, %s is not as expected",
                                status, http->headers[i].name);
        }
    }
    if (http->body && !memmem(state->body, state->body_len, http->body, strlen(http->body))) {
        return outcome_fail(outcome, PROBE_CAUSE_WRONG,
                            "status %ld, body is not as expected in %s%zu bytes", status,
                            state->body_is_cut ? "its first " : "", state->body_len);
    }
    return outcome_pass(outcome, "status %ld, %zu bytes%s", status, state->body_len,
                        state->body_is_cut ? " and more" : "");
}

/* Lets curl do what it can; true if that was the end of it. */
static bool advance(struct probe *probe, curl_socket_t fd, int events, int64_t now_ns,
                    struct probe_outcome *outcome)
{
    struct state *state = probe->state;
    int running, left;
    const CURLMsg *message;

    state->now_ns = now_ns;
    if (curl_multi_socket_action(state->multi, fd, events, &running) != CURLM_OK) {
        return outcome_unknown(outcome, "libcurl: out of order");
    }
    message = curl_multi_info_read(state->multi, &left);
    if (!message || message->msg != CURLMSG_DONE) {
        return false;
    }
    if (message->data.result == CURLE_OK ||
        (message->data.result == CURLE_WRITE_ERROR && state->body_is_cut)) {
        return answer_judge(probe, outcome);
    }
    return failure_judge(state, message->data.result, outcome);
}

/* ---- the type ---- */

/* curl's sockets are made when it wants them, so that the server is on this host is found out with
 * one of ours, which sends nothing. */
static bool server_is_elsewhere(const struct probe *probe, struct probe_outcome *outcome)
{
    int fd;

    if (!probe->check->server_is_vip) {
        return false;
    }
    fd = probe_connect(probe, &probe->check->server, true, SOCK_DGRAM, EPOLLIN, outcome);
    if (fd < 0) {
        return true;
    }
    fd_close(&fd);
    return false;
}

static bool http_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    if (server_is_elsewhere(probe, ret_outcome)) {
        return true;
    }
    state->now_ns = now_ns;
    state->socket_error = 0;
    state->body_is_cut = false;
    state->body_len = 0;
    state->error[0] = '\0';
    if (!handles_make(probe) || curl_multi_add_handle(state->multi, state->easy) != CURLM_OK) {
        return outcome_unknown(ret_outcome, "libcurl cannot be set up");
    }
    state->added = true;
    return advance(probe, CURL_SOCKET_TIMEOUT, 0, now_ns, ret_outcome);
}

static bool http_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                       struct probe_outcome *ret_outcome)
{
    const struct state *state = probe->state;

    return state->added && advance(probe, fd,
                                   (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                       (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                       (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
                                   now_ns, ret_outcome);
}

static bool http_wake(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    return advance(probe, CURL_SOCKET_TIMEOUT, 0, now_ns, ret_outcome);
}

static bool http_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    const struct state *state = probe->state;
    curl_off_t connected_us = 0;

    (void)now_ns;
    curl_easy_getinfo(state->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    return outcome_fail(ret_outcome, PROBE_CAUSE_SILENT, "%sno answer in %lld ms",
                        connected_us > 0 ? "connected, " : "",
                        (long long)(probe->check->timeout_ns / CLOCK_NS_PER_MS));
}

static void http_end(struct probe *probe)
{
    struct state *state = probe->state;

    if (state->added) {
        curl_multi_remove_handle(state->multi, state->easy);
        state->added = false;
    }
}

static void http_done(struct probe *probe)
{
    handles_free(probe->state);
}

const struct probe_type probe_http = {
    .name = "http",
    .state_len = sizeof(struct state),
    .start = http_start,
    .ready = http_ready,
    .wake = http_wake,
    .expire = http_expire,
    .end = http_end,
    .done = http_done,
};

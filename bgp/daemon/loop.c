/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"
#include "base/log.h"
#include "bgp/daemon/announcer.h"
#include "bgp/daemon/report.h"
#include "bgp/probe/prober.h"
#include "bgp/speak/speaker.h"

#define CONTROL_RETRY_NS (5 * CLOCK_NS_PER_S)
#define READ_LEN 16384
#define READS_PER_WAKE 64
#define EVENTS_MAX 64

enum tag { TAG_INPUT, TAG_OUTPUT, TAG_SIGNALS, TAG_CONTROL, TAG_PROBES };

struct loop {
    const struct config *config;
    const struct loop_options *options;
    struct announcer *announcer;
    struct speaker *speaker;
    struct prober *prober;
    struct control *control; /* NULL if there is none (yet) */
    int64_t control_ns;      /* try to open it then */
    bool control_failed;
    int epoll_fd;
    int signal_fd;
    bool stop, reload;
    bool output_watched;
    size_t output_len, output_at; /* the one command that is being written */
    char output[ROUTE_COMMAND_LEN];
    struct route_attributes dry_run_announced[CONFIG_VIPS_MAX];
};

static int watch(const struct loop *loop, int operation, int fd, uint32_t events, enum tag tag)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};

    return epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void log_line(void *context, enum log_level level, const char *text)
{
    (void)context;
    log_write(level, "%s", text);
}

/* ---- ExaBGP ---- */

/* Always drained: ExaBGP blocks, and loses all its sessions, once this pipe is full. */
static void input_read(struct loop *loop)
{
    char bytes[READ_LEN];

    for (int i = 0; i < READS_PER_WAKE; i++) {
        const ssize_t len = read(loop->options->input, bytes, sizeof(bytes));

        if (len > 0) {
            speaker_receive(loop->speaker, bytes, (size_t)len, clock_monotonic_ns());
            continue;
        }
        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        log_notice("exabgp: closed our input, stopping");
        loop->stop = true;
        return;
    }
}

static void output_write(struct loop *loop)
{
    while (loop->output_at < loop->output_len) {
        const ssize_t len = write(loop->options->output, loop->output + loop->output_at,
                                  loop->output_len - loop->output_at);

        if (len >= 0) {
            loop->output_at += (size_t)len;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            log_notice("exabgp: closed our output (%s), stopping", strerror(errno));
            loop->stop = true;
            return;
        }
    }
    if ((loop->output_at < loop->output_len) != loop->output_watched) {
        loop->output_watched = !loop->output_watched;
        (void)watch(loop, loop->output_watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                    loop->options->output, EPOLLOUT, TAG_OUTPUT);
    }
}

/* What is heard and what is wanted, from one to the other. */
static void exchange(struct loop *loop, int64_t now_ns)
{
    announcer_hear(loop->announcer, speaker_status(loop->speaker), now_ns);
    for (size_t i = 0; i < loop->config->vips_n; i++) {
        speaker_want(loop->speaker, i, announcer_want(loop->announcer, i));
    }
}

/* The next command only once the last one is out: the queue is never longer than one line. */
static void commands_send(struct loop *loop)
{
    while (!loop->stop && !loop->reload && loop->output_at == loop->output_len) {
        const int64_t now_ns = clock_monotonic_ns();
        size_t len;

        exchange(loop, now_ns);
        len = speaker_command(loop->speaker, now_ns, loop->output);
        if (len == 0) {
            return;
        }
        log_debug("exabgp: %.*s", (int)len - 1, loop->output);
        loop->output_len = len;
        loop->output_at = 0;
        output_write(loop);
    }
}

/* Plays a speaker that starts with nothing announced and to which everything works. */
static void dry_run(struct loop *loop, int64_t now_ns)
{
    struct speaker_status status = *announcer_speaker(loop->announcer);

    status.aligned = true;
    for (size_t i = 0; i < loop->config->vips_n; i++) {
        const struct want *want = announcer_want(loop->announcer, i);
        struct route route = {loop->config->routes[i].prefix, want->attributes};
        const bool announce = want->wish == ROUTE_ANNOUNCE;
        char line[ROUTE_COMMAND_LEN];

        status.routes[i].read = true;
        if (announce && !(status.routes[i].current &&
                          route_attributes_equal(&loop->dry_run_announced[i], &want->attributes))) {
            loop->dry_run_announced[i] = want->attributes;
            route_announce_command(&route, line);
            fprintf(stderr, "dry run: %s", line);
        } else if (!announce && status.routes[i].current) {
            route_withdraw_command(&route, line);
            fprintf(stderr, "dry run: %s", line);
        }
        status.routes[i].current = announce;
        status.routes[i].holders_n = announce;
        status.routes[i].known = announce ? EXABGP_KNOWN_ANNOUNCED : EXABGP_KNOWN_WITHDRAWN;
    }
    announcer_hear(loop->announcer, &status, now_ns);
}

/* ---- the rest of the world ---- */

static int64_t probe_observed(void *context, size_t check, const struct probe_outcome *outcome,
                              int64_t started_ns, int64_t now_ns)
{
    struct loop *loop = context;

    announcer_observe(loop->announcer, check, outcome, now_ns);
    return announcer_next_probe_ns(loop->announcer, check, started_ns);
}

static json_t *control_request(void *context, const json_t *request)
{
    const struct loop *loop = context;

    return report_answer(loop->announcer, request, clock_monotonic_ns());
}

/* A service that answers is worth more than a socket to ask about it: without one we go on and try
 * again. The process we replace may still hold it for a moment. */
static void control_try(struct loop *loop, int64_t now_ns)
{
    struct failure failure;

    if (!loop->config->control || loop->control || now_ns < loop->control_ns) {
        return;
    }
    if (control_open(loop->config->control, control_request, loop, &loop->control, &failure) == 0) {
        if (watch(loop, EPOLL_CTL_ADD, control_fd(loop->control), EPOLLIN, TAG_CONTROL) == 0) {
            return;
        }
        failure_set(&failure, -errno, "control socket: cannot be watched");
        control_close(loop->control);
        loop->control = NULL;
    }
    loop->control_ns = now_ns + CONTROL_RETRY_NS;
    if (!loop->control_failed) {
        loop->control_failed = true;
        log_error("%s; trying again", failure.text);
    }
}

/* The new file is read whole before anything is given up. */
static void reload_prepare(struct loop *loop)
{
    struct config *config;
    struct failure failure;

    if (config_load_file(loop->config->path, &config, &failure) < 0) {
        log_error("reload: nothing changed: %s", failure.text);
        return;
    }
    config_free(config);
    log_notice("reload: starting anew with %s", loop->config->path);
    loop->reload = true;
}

static void signals_read(struct loop *loop)
{
    struct signalfd_siginfo info;

    while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload_prepare(loop);
        } else {
            log_notice("stopping (%s)", strsignal((int)info.ssi_signo));
            loop->stop = true;
        }
    }
}

static void event_handle(struct loop *loop, const struct epoll_event *event)
{
    const int64_t now_ns = clock_monotonic_ns();

    switch (event->data.u64) {
    case TAG_INPUT:
        input_read(loop);
        return;
    case TAG_OUTPUT:
        output_write(loop);
        return;
    case TAG_SIGNALS:
        signals_read(loop);
        return;
    case TAG_CONTROL:
        if (loop->control) {
            control_run(loop->control, now_ns);
        }
        return;
    default:
        prober_ready(loop->prober, event->data.u64 - TAG_PROBES, event->events, now_ns);
        return;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Milliseconds until something is due, rounded up so that we do not wake just before it. */
static int wait_ms(const struct loop *loop)
{
    const int64_t now_ns = clock_monotonic_ns();
    int64_t deadline_ns =
        earlier(prober_deadline_ns(loop->prober), announcer_deadline_ns(loop->announcer));

    if (!loop->options->dry_run && loop->output_at == loop->output_len) {
        deadline_ns = earlier(deadline_ns, speaker_deadline_ns(loop->speaker, now_ns));
    }
    if (loop->control) {
        deadline_ns = earlier(deadline_ns, control_deadline_ns(loop->control));
    } else if (loop->config->control) {
        deadline_ns = earlier(deadline_ns, loop->control_ns);
    }
    if (deadline_ns <= now_ns) {
        return 0;
    }
    deadline_ns = earlier(deadline_ns, now_ns + 60 * CLOCK_NS_PER_S);
    return (int)((deadline_ns - now_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}

static int turn(struct loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t now_ns;
    int count;

    if (loop->options->dry_run) {
        dry_run(loop, clock_monotonic_ns());
    } else {
        commands_send(loop);
    }
    if (loop->stop || (loop->reload && loop->output_at == loop->output_len)) {
        return 0;
    }
    count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms(loop));
    if (count < 0 && errno != EINTR) {
        return -errno;
    }
    for (int i = 0; i < count; i++) {
        event_handle(loop, &events[i]);
    }
    now_ns = clock_monotonic_ns();
    prober_run(loop->prober, now_ns);
    control_try(loop, now_ns);
    if (loop->control && now_ns >= control_deadline_ns(loop->control)) {
        control_run(loop->control, now_ns);
    }
    return 0;
}

/* ---- life ---- */

static int pipes_watch(struct loop *loop, struct failure *failure)
{
    int result;

    if (loop->options->dry_run) {
        return 0;
    }
    result = fd_set_nonblocking(loop->options->input);
    result = result ? result : fd_set_nonblocking(loop->options->output);
    result = result ? result : watch(loop, EPOLL_CTL_ADD, loop->options->input, EPOLLIN, TAG_INPUT);
    if (result == -EPERM) { /* a file or /dev/null */
        return failure_set(failure, result,
                           "standard input is no pipe: this program is started by ExaBGP (try "
                           "--once or --dry-run)");
    }
    return result ? failure_set(failure, result, "standard input: %s", strerror(-result)) : 0;
}

/* Hosts that see the same thing at the same moment must not do the same at the same moment. */
static uint64_t seed_make(void)
{
    uint64_t seed = (uint64_t)clock_monotonic_ns();

    (void)getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
    return seed;
}

static int parts_open(struct loop *loop, const sigset_t *signals, struct failure *failure)
{
    const int64_t now_ns = clock_monotonic_ns();

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->signal_fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->epoll_fd < 0 || loop->signal_fd < 0 ||
        watch(loop, EPOLL_CTL_ADD, loop->signal_fd, EPOLLIN, TAG_SIGNALS) < 0) {
        return failure_set(failure, -errno, "epoll: %s", strerror(errno));
    }
    loop->announcer = announcer_new(loop->config, log_line, loop, seed_make(), now_ns);
    loop->prober =
        prober_new(loop->config, loop->epoll_fd, TAG_PROBES, probe_observed, loop, now_ns);
    loop->speaker = speaker_new(loop->config->routes, loop->config->vips_n, log_line, loop, now_ns);
    if (!loop->announcer || !loop->speaker || !loop->prober) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    control_try(loop, now_ns);
    return pipes_watch(loop, failure);
}

static void parts_close(struct loop *loop)
{
    control_close(loop->control);
    prober_free(loop->prober);
    speaker_free(loop->speaker);
    announcer_free(loop->announcer);
    fd_close(&loop->signal_fd);
    fd_close(&loop->epoll_fd);
}

int loop_run(const struct config *config, const struct loop_options *options,
             enum loop_end *ret_end, struct failure *failure)
{
    struct loop loop = {.config = config, .options = options, .epoll_fd = -1, .signal_fd = -1};
    sigset_t signals, before;
    int result;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an errno here */
    result = parts_open(&loop, &signals, failure);
    while (result == 0 && !loop.stop && !(loop.reload && loop.output_at == loop.output_len)) {
        result = turn(&loop);
        if (result < 0) {
            failure_set(failure, result, "epoll: %s", strerror(-result));
        }
    }
    parts_close(&loop);
    sigprocmask(SIG_SETMASK, &before, NULL);
    *ret_end = loop.reload && !loop.stop ? LOOP_END_RELOAD : LOOP_END_STOP;
    return result;
}

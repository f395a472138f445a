/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"
#include "base/log.h"
#include "bgp/daemon/announcer.h"
#include "bgp/daemon/books.h"
#include "bgp/daemon/metrics.h"
#include "bgp/daemon/plan.h"
#include "bgp/daemon/rehearsal.h"
#include "bgp/daemon/verbs.h"
#include "bgp/link/link.h"
#include "bgp/probe/prober.h"

#define CONTROL_RETRY_NS (5 * CLOCK_NS_PER_S)
#define RENEWALS_PER_LEASE 8
#define SEND_RETRY_NS (20 * CLOCK_NS_PER_MS)
#define EVENTS_MAX 64

enum tag { TAG_LINK, TAG_SIGNALS, TAG_CONTROL, TAG_METRICS, TAG_PROBES };

struct loop {
    const struct config *config;
    const struct loop_options *options;
    struct announcer *announcer;
    struct books *books;
    struct metrics *metrics; /* NULL if there are none (yet) */
    int64_t metrics_ns;      /* try to open them then */
    bool metrics_failed;
    struct prober *prober;
    struct control *control; /* NULL if there is none (yet) */
    int64_t control_ns;      /* try to open it then */
    bool control_failed;
    int epoll_fd;
    int signal_fd;
    bool stop;
    int64_t renew_ns; /* the lease, then */
    size_t wants_len; /* what the holder was told last */
    uint8_t wants[LINK_MESSAGE_MAX];
    struct rehearsal rehearsal; /* of a dry run */
};

static int watch(const struct loop *loop, int operation, int fd, uint32_t events, enum tag tag)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};

    return epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static struct moment moment_at(int64_t now_ns)
{
    return (struct moment){now_ns, clock_wall_ms()};
}

static void log_line(void *context, enum log_level level, const char *text)
{
    (void)context;
    log_write(level, "%s", text);
}

/* ---- the holder ---- */

/* Nothing blocks: what the holder does not take now it gets with the next turn. */
static void wants_send(struct loop *loop, int64_t now_ns)
{
    static uint8_t bytes[LINK_MESSAGE_MAX];
    struct link_wants wants = {.wants_n = loop->config->vips_n};
    size_t len;

    for (size_t i = 0; i < wants.wants_n; i++) {
        wants.wants[i] = *announcer_want(loop->announcer, i);
    }
    len = link_encode_wants(&wants, bytes);
    if (now_ns < loop->renew_ns && len == loop->wants_len && memcmp(bytes, loop->wants, len) == 0) {
        return;
    }
    if (send(loop->options->link, bytes, len, MSG_NOSIGNAL) == (ssize_t)len) {
        loop->renew_ns = now_ns + loop->config->lease_ns / RENEWALS_PER_LEASE;
        loop->wants_len = len;
        memcpy(loop->wants, bytes, len);
    } else {
        loop->renew_ns = now_ns + SEND_RETRY_NS;
    }
}

/* The last one counts. False: the holder is gone, or nothing to be talked with. */
static bool statuses_read(struct loop *loop, struct speaker_status *ret_status, bool *ret_any)
{
    static uint8_t bytes[LINK_MESSAGE_MAX];

    *ret_any = false;
    for (;;) {
        const ssize_t len = recv(loop->options->link, bytes, sizeof(bytes), 0);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (len <= 0) {
            log_notice("the holder is gone, stopping");
            return false;
        }
        if (link_decode_status(bytes, (size_t)len, ret_status) < 0 ||
            ret_status->routes_n != loop->config->vips_n) {
            log_error("the holder's status makes no sense, stopping");
            return false;
        }
        *ret_any = true;
    }
}

static void link_read(struct loop *loop)
{
    struct speaker_status status;
    bool any;

    if (!statuses_read(loop, &status, &any)) {
        loop->stop = true;
    } else if (any) {
        announcer_hear(loop->announcer, &status, clock_monotonic_ns());
    }
}

/* Says what there is to hold, and waits until it is our turn to lead: another brain may have to end
 * first, and leave its control socket. */
static int lead(const struct loop *loop, struct failure *failure)
{
    static uint8_t bytes[LINK_MESSAGE_MAX];
    struct pollfd item = {.fd = loop->options->link, .events = POLLIN};
    struct link_plan plan;
    int result = plan_make(loop->config, &plan, failure);

    if (result < 0) {
        return result;
    }
    if (send(loop->options->link, bytes, link_encode_plan(&plan, bytes), MSG_NOSIGNAL) < 0) {
        return failure_set(failure, -errno, "cannot talk to the holder: %s", strerror(errno));
    }
    while (poll(&item, 1, -1) < 0) {
        if (errno != EINTR) {
            return failure_set(failure, -errno, "poll: %s", strerror(errno));
        }
    }
    return 0;
}

static void dry_run_tell(void *context, const char *command)
{
    (void)context;
    fprintf(stderr, "dry run: %s", command);
}

/* ---- the rest of the world ---- */

static int64_t probe_observed(void *context, size_t check, const struct probe_outcome *outcome,
                              int64_t started_ns, int64_t now_ns)
{
    struct loop *loop = context;

    books_observe(loop->books, check, outcome, moment_at(now_ns));
    announcer_observe(loop->announcer, check, outcome, now_ns);
    return announcer_next_probe_ns(loop->announcer, check, started_ns);
}

/* The new file is read whole before anything is given up. */
static json_t *reload(const struct loop *loop)
{
    uint8_t bytes[LINK_MESSAGE_MAX];
    struct config *config;
    struct failure failure;

    if (config_load_file(loop->config->path, &config, &failure) < 0) {
        log_error("reload: nothing changed: %s", failure.text);
        return control_refuse("%s", failure.text);
    }
    config_free(config);
    if (loop->options->dry_run ||
        send(loop->options->link, bytes, link_encode_reload(bytes), MSG_NOSIGNAL) < 0) {
        return control_refuse("there is no holder to start a new brain");
    }
    return json_pack("{s:b, s:s}", "ok", 1, "text", "starting anew with the configuration\n");
}

static json_t *control_request(void *context, const json_t *request)
{
    const struct loop *loop = context;
    const char *verb = json_string_value(json_object_get(request, "verb"));

    if (verb && strcmp(verb, "reload") == 0) {
        return reload(loop);
    }
    return verbs_answer(loop->announcer, loop->books, request, clock_monotonic_ns());
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

/* The same for metrics. */
static void metrics_try(struct loop *loop, int64_t now_ns)
{
    struct failure failure;

    if (!loop->config->metrics_on || loop->metrics || now_ns < loop->metrics_ns) {
        return;
    }
    if (metrics_open(&loop->config->metrics, loop->options->version, &loop->metrics, &failure) ==
        0) {
        if (watch(loop, EPOLL_CTL_ADD, metrics_fd(loop->metrics), EPOLLIN, TAG_METRICS) == 0) {
            return;
        }
        failure_set(&failure, -errno, "metrics: cannot be watched");
        metrics_close(loop->metrics);
        loop->metrics = NULL;
    }
    loop->metrics_ns = now_ns + CONTROL_RETRY_NS;
    if (!loop->metrics_failed) {
        loop->metrics_failed = true;
        log_error("%s; trying again", failure.text);
    }
}

static void signals_read(struct loop *loop)
{
    struct signalfd_siginfo info;

    while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            json_decref(reload(loop));
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
    case TAG_LINK:
        link_read(loop);
        return;
    case TAG_SIGNALS:
        signals_read(loop);
        return;
    case TAG_CONTROL:
        if (loop->control) {
            control_run(loop->control, now_ns);
        }
        return;
    case TAG_METRICS:
        metrics_run(loop->metrics, loop->announcer, loop->books, now_ns);
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

    if (!loop->options->dry_run) {
        deadline_ns = earlier(deadline_ns, loop->renew_ns);
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

    now_ns = clock_monotonic_ns();
    announcer_run(loop->announcer, now_ns);
    if (loop->options->dry_run) {
        rehearsal_run(&loop->rehearsal, loop->announcer, dry_run_tell, loop, now_ns);
    } else {
        wants_send(loop, now_ns);
    }
    books_turn(loop->books, moment_at(now_ns));
    metrics_look(loop->metrics, loop->announcer);
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
    metrics_try(loop, now_ns);
    if (loop->control && now_ns >= control_deadline_ns(loop->control)) {
        control_run(loop->control, now_ns);
    }
    return 0;
}

/* ---- life ---- */

/* Hosts that see the same thing at the same moment must not do the same at the same moment. */
static uint64_t seed_make(void)
{
    uint64_t seed = (uint64_t)clock_monotonic_ns();

    (void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
    return seed & INT64_MAX; /* the journal's numbers are signed */
}

static int parts_open(struct loop *loop, const sigset_t *signals, struct failure *failure)
{
    const int64_t now_ns = clock_monotonic_ns();
    const struct books_options books = {
        .version = loop->options->version,
        .seed = seed_make(),
        .files = !loop->options->dry_run,
    };
    int result = 0;

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->signal_fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->epoll_fd < 0 || loop->signal_fd < 0 ||
        watch(loop, EPOLL_CTL_ADD, loop->signal_fd, EPOLLIN, TAG_SIGNALS) < 0) {
        return failure_set(failure, -errno, "epoll: %s", strerror(errno));
    }
    loop->announcer = announcer_new(loop->config, log_line, loop, books.seed, now_ns);
    loop->prober =
        prober_new(loop->config, loop->epoll_fd, TAG_PROBES, probe_observed, loop, now_ns);
    if (!loop->announcer || !loop->prober) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    loop->books = books_open(loop->announcer, &books, moment_at(now_ns));
    rehearsal_init(&loop->rehearsal, loop->config);
    for (size_t i = 0; i < loop->config->vips_n; i++) {
        rehearsal_read(&loop->rehearsal, i, false, now_ns);
    }
    control_try(loop, now_ns);
    metrics_try(loop, now_ns);
    if (!loop->options->dry_run) {
        result = watch(loop, EPOLL_CTL_ADD, loop->options->link, EPOLLIN, TAG_LINK);
    }
    return result ? failure_set(failure, result, "the link: %s", strerror(-result)) : 0;
}

static void parts_close(struct loop *loop)
{
    control_close(loop->control);
    metrics_close(loop->metrics);
    prober_free(loop->prober);
    books_close(loop->books, moment_at(clock_monotonic_ns()));
    announcer_free(loop->announcer);
    fd_close(&loop->signal_fd);
    fd_close(&loop->epoll_fd);
}

static int run(struct loop *loop, const sigset_t *signals, struct failure *failure)
{
    int result = loop->options->dry_run ? 0 : lead(loop, failure);

    result = result ? result : parts_open(loop, signals, failure);
    while (result == 0 && !loop->stop) {
        result = turn(loop);
        if (result < 0) {
            failure_set(failure, result, "epoll: %s", strerror(-result));
        }
    }
    parts_close(loop);
    return result;
}

int loop_run(const struct config *config, const struct loop_options *options,
             struct failure *failure)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    sigset_t signals, before;
    int result;

    if (!loop) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an errno here */
    loop->config = config;
    loop->options = options;
    loop->epoll_fd = loop->signal_fd = -1;
    result = run(loop, &signals, failure);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(loop);
    return result;
}

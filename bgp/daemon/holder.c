/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "bgp/daemon/brain.h"
#include "bgp/daemon/exabgp_pipe.h"
#include "bgp/daemon/sentry.h"
#include "bgp/speak/speaker.h"

#define LEASES_UNTIL_KILLED 5
#define STARTING_NS (10 * CLOCK_NS_PER_S) /* a new brain's plan must come within it */
#define ENDING_NS CLOCK_NS_PER_S          /* an old one must be gone within it */
#define STABLE_NS (60 * CLOCK_NS_PER_S)   /* one that led so long did not fail at its start */
#define BACKOFF_MAX_NS (60 * CLOCK_NS_PER_S)
#define LOCK_RETRY_NS (100 * CLOCK_NS_PER_MS)
#define WAIT_MAX_NS (250 * CLOCK_NS_PER_MS)
#define EVENTS_MAX 64

enum tag { TAG_INPUT, TAG_OUTPUT, TAG_SIGNALS, TAG_LEADER, TAG_CANDIDATE, TAG_SENTRY };

struct holder {
    const struct holder_options *options;
    int epoll_fd, signal_fd, lock_fd;
    bool stop;

    struct brain leader, candidate;
    bool has_plan;
    struct link_plan plan, candidate_plan; /* the leader's, or of the last one */
    uint32_t failures_n;                   /* brains that ended early, in a row */
    int64_t start_ns;                      /* no new one before */

    int64_t lease_until_ns;
    bool alone; /* the lease is over */
    struct sentry *sentry;

    struct exabgp_pipe pipe;
    struct speaker *speaker;
    struct speaker_holder told;
    size_t status_len; /* what the leader was told last */
    uint8_t status[LINK_MESSAGE_MAX];

    int64_t lock_ns;  /* try then */
    bool lock_missed; /* and told */
    bool lockless;    /* there is none to be had: better than nobody at all */
};

static int watch(const struct holder *holder, int operation, int fd, uint32_t events, uint64_t tag)
{
    struct epoll_event event = {.events = events, .data.u64 = tag};

    return epoll_ctl(holder->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void log_line(void *context, enum log_level level, const char *text)
{
    (void)context;
    log_write(level, "%s", text);
}

/* ---- ExaBGP ---- */

static bool may_speak(const struct holder *holder)
{
    return holder->has_plan && (holder->lock_fd >= 0 || holder->lockless);
}

/* Two that steer the same VIPs would undo each other's work for ever. */
static void lock_try(struct holder *holder, int64_t now_ns)
{
    int fd, error;

    if (!holder->has_plan || may_speak(holder) || now_ns < holder->lock_ns) {
        return;
    }
    holder->lock_ns = now_ns + LOCK_RETRY_NS;
    if (!holder->plan.lock[0]) {
        holder->lockless = true;
        return;
    }
    fd = open(holder->plan.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        holder->lock_fd = fd;
        return;
    }
    error = errno;
    fd_close(&fd);
    if (error != EWOULDBLOCK) {
        log_warning("%s: %s: going on without a lock", holder->plan.lock, strerror(error));
        holder->lockless = true;
    } else if (!holder->lock_missed) {
        log_error("%s: another isochrone-bgp steers these VIPs: waiting for its end",
                  holder->plan.lock);
        holder->lock_missed = true;
    }
}

/* ---- brains ---- */

static int64_t backoff_ns(uint32_t failures_n)
{
    const int64_t ns = CLOCK_NS_PER_S << (failures_n < 7 ? failures_n : 7);

    return failures_n == 0 ? 0 : (ns / 2 < BACKOFF_MAX_NS ? ns / 2 : BACKOFF_MAX_NS);
}

/* The file on disk may be what makes it fail; then our own image, which once worked, has a try. */
static const char *program_choose(const struct holder *holder)
{
    return holder->failures_n >= 2 && holder->failures_n % 2 == 0 ? "/proc/self/exe"
                                                                  : holder->options->program;
}

static void start_later(struct holder *holder, int64_t now_ns)
{
    holder->start_ns = now_ns + backoff_ns(holder->failures_n++);
}

static void candidate_start(struct holder *holder, int64_t now_ns)
{
    struct failure failure;

    if (brain_start(&holder->candidate, program_choose(holder), holder->options->arguments, now_ns,
                    &failure) < 0) {
        log_error("brain: %s", failure.text);
        start_later(holder, now_ns);
        return;
    }
    holder->told.brains++;
    if (watch(holder, EPOLL_CTL_ADD, holder->candidate.link, EPOLLIN, TAG_CANDIDATE) < 0) {
        log_error("brain: its link cannot be watched: %s", strerror(errno));
        brain_drop(&holder->candidate);
        start_later(holder, now_ns);
    }
}

static void candidate_lose(struct holder *holder, const char *reason, int64_t now_ns)
{
    char text[LINK_TEXT_MAX];

    snprintf(text, sizeof(text), "%s",
             holder->candidate.failed[0] ? holder->candidate.failed : reason);
    brain_drop(&holder->candidate);
    if (holder->leader.link >= 0) {
        log_error("reload: nothing changed: %s", text);
        return;
    }
    holder->failures_n =
        holder->failures_n ? holder->failures_n : 1; /* at once would be no better */
    start_later(holder, now_ns);
    log_error("brain: cannot start: %s; trying again in %lld s", text,
              (long long)((holder->start_ns - now_ns) / CLOCK_NS_PER_S));
}

static void leader_lose(struct holder *holder, const char *reason, int64_t now_ns)
{
    const bool ending = holder->leader.ending_ns != 0;

    if (now_ns - holder->leader.started_ns >= STABLE_NS) {
        holder->failures_n = 0;
    }
    brain_drop(&holder->leader);
    if (ending) {
        return;
    }
    start_later(holder, now_ns);
    log_error("brain: %s; routes stay, a new one starts in %lld s", reason,
              (long long)((holder->start_ns - now_ns) / CLOCK_NS_PER_S));
}

static void reload(struct holder *holder, int64_t now_ns)
{
    if (holder->candidate.link >= 0) {
        brain_drop(&holder->candidate);
    }
    log_notice("reload: starting a new brain");
    holder->failures_n = 0; /* somebody cares */
    candidate_start(holder, now_ns);
}

static void sentry_told(void *context, size_t vip, const char *evidence)
{
    struct holder *holder = context;
    static const struct want withdraw = {.wish = ROUTE_WITHDRAW};
    char name[ADDRESS_TEXT_LEN];

    if (speaker_status(holder->speaker)->routes[vip].wish == ROUTE_WITHDRAW) {
        return;
    }
    log_warning("vip %s: withdraw: there is no brain, and its hard check fails (%s)",
                prefix_format(&holder->plan.vips[vip].prefix, name), evidence);
    holder->told.withdrawals++;
    speaker_want(holder->speaker, vip, &withdraw);
}

static void lease_renew(struct holder *holder, int64_t now_ns)
{
    holder->lease_until_ns = now_ns + holder->plan.lease_ns;
    if (holder->alone) {
        log_notice("brain: leads again");
        holder->alone = false;
        sentry_sleep(holder->sentry);
    }
}

/* The candidate becomes the leader: its plan is ours now, and it is told to begin. */
static void candidate_promote(struct holder *holder, int64_t now_ns)
{
    const struct link_plan *plan = &holder->candidate_plan;
    struct route routes[SPEAKER_ROUTES_MAX] = {0};
    struct sentry *sentry = sentry_new(plan, holder->epoll_fd, TAG_SENTRY, sentry_told, holder);

    for (size_t i = 0; i < plan->vips_n; i++) {
        routes[i].prefix = plan->vips[i].prefix;
    }
    if (!sentry || speaker_routes(holder->speaker, routes, plan->vips_n, now_ns) < 0 ||
        watch(holder, EPOLL_CTL_MOD, holder->candidate.link, EPOLLIN, TAG_LEADER) < 0) {
        sentry_free(sentry);
        candidate_lose(holder, "out of memory", now_ns);
        return;
    }
    speaker_configure(holder->speaker, &plan->exabgp);
    if (strcmp(holder->plan.lock, plan->lock) != 0) {
        fd_close(&holder->lock_fd);
        holder->lockless = holder->lock_missed = false;
    }
    sentry_free(holder->sentry);
    holder->sentry = sentry;
    holder->plan = *plan;
    holder->has_plan = true;
    holder->leader = holder->candidate;
    holder->candidate = (struct brain){.link = -1};
    holder->alone = false;
    holder->lease_until_ns = now_ns + plan->lease_ns;
    holder->status_len = 0;
    log_info("brain: process %d leads, %zu VIPs", (int)holder->leader.pid, plan->vips_n);
}

static void wants_take(struct holder *holder, const uint8_t *bytes, size_t len, int64_t now_ns)
{
    struct link_wants wants;

    if (link_decode_wants(bytes, len, &wants) < 0 || wants.wants_n != holder->plan.vips_n) {
        log_error("brain: wants that make no sense");
        return; /* and no renewal */
    }
    lease_renew(holder, now_ns);
    for (size_t i = 0; i < wants.wants_n; i++) {
        speaker_want(holder->speaker, i, &wants.wants[i]);
    }
}

/* False: it cannot be talked with. */
static bool message_take(struct holder *holder, struct brain *brain, const uint8_t *bytes,
                         size_t len, int64_t now_ns)
{
    const bool leads = brain == &holder->leader;
    enum link_kind kind;
    const int result = link_kind(bytes, len, &kind);

    if (result < 0) {
        snprintf(brain->failed, sizeof(brain->failed), "%s",
                 result == -EPROTONOSUPPORT
                     ? "the new program speaks another language: let ExaBGP start it (SIGUSR2)"
                     : "it talks nonsense");
        return false;
    }
    if (kind == LINK_PLAN && !leads) {
        brain->planned = link_decode_plan(bytes, len, &holder->candidate_plan) == 0;
        return brain->planned;
    }
    if (kind == LINK_FAILED && !leads) {
        return link_decode_failed(bytes, len, brain->failed) == 0;
    }
    if (kind == LINK_WANTS && leads) {
        wants_take(holder, bytes, len, now_ns);
    } else if (kind == LINK_RELOAD && leads) {
        reload(holder, now_ns);
    }
    return true;
}

static void link_read(struct holder *holder, struct brain *brain)
{
    static uint8_t bytes[LINK_MESSAGE_MAX];
    const int64_t now_ns = clock_monotonic_ns();

    while (brain->link >= 0) {
        const ssize_t len = brain_receive(brain, bytes);

        if (len == 0) {
            return;
        }
        if (len < 0 || !message_take(holder, brain, bytes, (size_t)len, now_ns)) {
            if (brain == &holder->leader) {
                leader_lose(holder, len < 0 ? "ended" : "talks nonsense", now_ns);
            } else {
                candidate_lose(holder, "it ended", now_ns);
            }
            return;
        }
    }
}

static void status_send(struct holder *holder)
{
    static uint8_t bytes[LINK_MESSAGE_MAX];
    struct speaker_status status;
    size_t len;

    if (holder->leader.link < 0) {
        return;
    }
    status = *speaker_status(holder->speaker);
    status.holder = holder->told;
    len = link_encode_status(&status, bytes);
    if (len != holder->status_len || memcmp(bytes, holder->status, len) != 0) {
        if (brain_send(&holder->leader, bytes, len)) {
            holder->status_len = len;
            memcpy(holder->status, bytes, len);
        }
    }
}

/* Whatever of all that is due. */
static void brains_mind(struct holder *holder, int64_t now_ns)
{
    struct brain *leader = &holder->leader, *candidate = &holder->candidate;
    const int64_t hung_ns =
        holder->lease_until_ns + (LEASES_UNTIL_KILLED - 1) * holder->plan.lease_ns;

    if (candidate->link >= 0 && !candidate->planned &&
        now_ns - candidate->started_ns >= STARTING_NS) {
        candidate_lose(holder, "no plan came in 10 s", now_ns);
    }
    if (leader->link >= 0 && leader->ending_ns != 0 && now_ns - leader->ending_ns >= ENDING_NS) {
        leader_lose(holder, "would not end", now_ns);
    }
    if (holder->has_plan && !holder->alone && now_ns >= holder->lease_until_ns) {
        holder->alone = true;
        holder->told.leases_lost++;
        log_warning("brain: has not renewed its lease; routes stay while their hard checks pass");
        sentry_wake(holder->sentry, now_ns);
    }
    if (leader->link >= 0 && holder->alone && now_ns >= hung_ns) {
        leader_lose(holder, "hangs, killed", now_ns);
    }
    if (candidate->planned && leader->link >= 0) {
        brain_end(leader, now_ns);
    } else if (candidate->planned) {
        candidate_promote(holder, now_ns);
    } else if (leader->link < 0 && candidate->link < 0 && now_ns >= holder->start_ns) {
        candidate_start(holder, now_ns);
    }
}

/* ---- the loop ---- */

static void reap(struct holder *holder)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (WIFSIGNALED(status)) {
            log_notice("brain: process %d ended by signal %d (%s)", (int)pid, WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
        } else {
            log_info("brain: process %d ended with %d", (int)pid, WEXITSTATUS(status));
        }
        /* a number that is not ours any more must not be killed */
        holder->leader.pid = holder->leader.pid == pid ? 0 : holder->leader.pid;
        holder->candidate.pid = holder->candidate.pid == pid ? 0 : holder->candidate.pid;
    }
}

static void signals_read(struct holder *holder)
{
    struct signalfd_siginfo info;

    while (read(holder->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(holder);
        } else if (info.ssi_signo == SIGHUP) {
            reload(holder, clock_monotonic_ns());
        } else {
            log_notice("stopping (%s)", strsignal((int)info.ssi_signo));
            holder->stop = true;
        }
    }
}

static void event_handle(struct holder *holder, const struct epoll_event *event)
{
    switch (event->data.u64) {
    case TAG_INPUT:
        holder->stop = !exabgp_pipe_read(&holder->pipe, holder->speaker) || holder->stop;
        return;
    case TAG_OUTPUT:
        return; /* the turn goes on writing */
    case TAG_SIGNALS:
        signals_read(holder);
        return;
    case TAG_LEADER:
        link_read(holder, &holder->leader);
        return;
    case TAG_CANDIDATE:
        link_read(holder, &holder->candidate);
        return;
    default:
        if (holder->sentry) {
            sentry_ready(holder->sentry, event->data.u64 - TAG_SENTRY, event->events,
                         clock_monotonic_ns());
        }
        return;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Milliseconds until something is due, rounded up so that we do not wake just before it. */
static int wait_ms(const struct holder *holder)
{
    const int64_t now_ns = clock_monotonic_ns();
    int64_t deadline_ns = now_ns + WAIT_MAX_NS;

    if (exabgp_pipe_idle(&holder->pipe) && may_speak(holder)) {
        deadline_ns = earlier(deadline_ns, speaker_deadline_ns(holder->speaker, now_ns));
    }
    if (holder->sentry) {
        deadline_ns = earlier(deadline_ns, sentry_deadline_ns(holder->sentry));
    }
    if (holder->leader.link < 0 && holder->candidate.link < 0) {
        deadline_ns = earlier(deadline_ns, holder->start_ns);
    }
    return deadline_ns <= now_ns
               ? 0
               : (int)((deadline_ns - now_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}

static int turn(struct holder *holder)
{
    struct epoll_event events[EVENTS_MAX];
    const int64_t before_ns = clock_monotonic_ns();
    int64_t now_ns;
    int count;

    count = epoll_wait(holder->epoll_fd, events, EVENTS_MAX, wait_ms(holder));
    if (count < 0 && errno != EINTR) {
        return -errno;
    }
    for (int i = 0; i < count; i++) {
        event_handle(holder, &events[i]);
    }
    now_ns = clock_monotonic_ns();
    if (now_ns - before_ns > 2 * WAIT_MAX_NS) {
        /* it was us who slept, and perhaps the whole host: the brain gets its time again */
        holder->lease_until_ns += now_ns - before_ns;
    }
    brains_mind(holder, now_ns);
    if (holder->sentry) {
        sentry_run(holder->sentry, now_ns);
    }
    lock_try(holder, now_ns);
    if (may_speak(holder) && !holder->stop) {
        holder->stop = !exabgp_pipe_write(&holder->pipe, holder->speaker);
    }
    status_send(holder);
    return 0;
}

/* ---- life ---- */

static int parts_open(struct holder *holder, const sigset_t *signals, struct failure *failure)
{
    holder->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    holder->signal_fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (holder->epoll_fd < 0 || holder->signal_fd < 0 ||
        watch(holder, EPOLL_CTL_ADD, holder->signal_fd, EPOLLIN, TAG_SIGNALS) < 0) {
        return failure_set(failure, -errno, "epoll: %s", strerror(errno));
    }
    holder->speaker = speaker_new(NULL, 0, log_line, holder, clock_monotonic_ns());
    if (!holder->speaker) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    return exabgp_pipe_open(&holder->pipe, holder->epoll_fd, TAG_INPUT, holder->options->input,
                            holder->options->output, failure);
}

/* The brain gets a moment to put its things in order. */
static void brains_end(struct holder *holder)
{
    const struct timespec moment = {.tv_nsec = 5 * CLOCK_NS_PER_MS};

    brain_drop(&holder->candidate);
    brain_end(&holder->leader, clock_monotonic_ns());
    for (int i = 0; i < 100 && holder->leader.pid > 0; i++) {
        if (waitpid(holder->leader.pid, NULL, WNOHANG) == 0) {
            (void)nanosleep(&moment, NULL);
        } else {
            holder->leader.pid = 0;
        }
    }
    brain_drop(&holder->leader);
}

static void parts_close(struct holder *holder)
{
    brains_end(holder);
    sentry_free(holder->sentry);
    speaker_free(holder->speaker);
    fd_close(&holder->lock_fd);
    fd_close(&holder->signal_fd);
    fd_close(&holder->epoll_fd);
    free(holder);
}

int holder_run(const struct holder_options *options, struct failure *failure)
{
    struct holder *holder = calloc(1, sizeof(*holder));
    sigset_t signals;
    int result;

    if (!holder) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    holder->options = options;
    holder->epoll_fd = holder->signal_fd = holder->lock_fd = -1;
    holder->leader.link = holder->candidate.link = -1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an errno here */
    result = parts_open(holder, &signals, failure);
    while (result == 0 && !holder->stop) {
        result = turn(holder);
        if (result < 0) {
            failure_set(failure, result, "epoll: %s", strerror(-result));
        }
    }
    parts_close(holder);
    return result;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/server.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"
#include "base/log.h"
#include "edge/daemon/metrics.h"
#include "edge/daemon/privileges.h"
#include "edge/daemon/verbs.h"
#include "edge/daemon/watchdog.h"
#include "edge/serve/socket.h"
#include "edge/zone/zone_set.h"

static void server_log_report(const struct report *report)
{
    for (size_t i = 0; i < report->note_kept; i++) {
        log_notice("%s", report->notes[i]);
    }
    for (size_t i = 0; i < report->warning_kept; i++) {
        log_warning("%s", report->warnings[i]);
    }
    for (size_t i = 0; i < report->kept; i++) {
        log_error("%s", report->texts[i]);
    }
    if (report->count > report->kept) {
        log_error("and %zu more faults", report->count - report->kept);
    }
}

void server_sum(const struct server *server, struct counters_sum *ret_sum, uint64_t *ret_udp_drops,
                uint64_t *ret_tcp_drops)
{
    memset(ret_sum, 0, sizeof(*ret_sum));
    *ret_udp_drops = 0;
    *ret_tcp_drops = 0;
    for (size_t i = 0; i < server->worker_n; i++) {
        uint64_t udp;
        uint64_t tcp;

        counters_sum_add(ret_sum, worker_counters(server->workers[i]));
        worker_drops(server->workers[i], &udp, &tcp);
        *ret_udp_drops += udp;
        *ret_tcp_drops += tcp;
    }
}

/* --- start --- */

/* The soft limit of descriptors is 1024 almost everywhere, for programs that use select(). */
static void server_raise_descriptors(const struct config *config, unsigned worker_n)
{
    rlim_t wanted = config->tcp.connections + (rlim_t)worker_n * (config->listen_n * 2 + 3) + 128;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) {
        return;
    }
    if (limit.rlim_max < wanted) {
        log_warning(
            "%llu descriptors are allowed, %llu may be needed: TCP connections will be fewer",
            (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int server_open_workers(struct server *server, struct failure *failure)
{
    const struct config *config = server->publisher->loaded->config;
    struct worker_setup setup = {
        .listen = config->listen,
        .listen_n = config->listen_n,
        .tcp = {.idle_ns = config->tcp.idle_ns,
                .query_ns = config->tcp.query_ns,
                .lifetime_ns = config->tcp.lifetime_ns,
                .query_max = config->tcp.queries},
        .tcp_socket = {.backlog = (int)config->tcp.backlog, .fastopen = config->tcp.fastopen},
        .published = &server->publisher->published,
    };
    cpu_set_t cpus;
    unsigned cpu_n;
    unsigned worker_n;
    int cpu = -1;

    CPU_ZERO(&cpus);
    if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0) {
        CPU_SET(0, &cpus);
    }
    cpu_n = (unsigned)CPU_COUNT(&cpus);
    worker_n = config->workers ? config->workers : cpu_n;
    server_raise_descriptors(config, worker_n);
    server->workers = calloc(worker_n, sizeof(struct worker *));
    server->tcp_clients = calloc(1, sizeof(*server->tcp_clients));
    if (!server->workers || !server->tcp_clients) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    server->tcp_clients->limit = config->tcp.connections_per_client;
    (void)!getrandom(&server->tcp_clients->seed, sizeof(server->tcp_clients->seed), 0);
    setup.tcp_clients = server->tcp_clients;
    setup.tcp.connection_max = (config->tcp.connections + worker_n - 1) / worker_n;
    setup.tcp.memory_max = config->tcp.memory / worker_n;
    for (size_t i = 0; i < config->listen_n; i++) {
        int code = socket_probe(&config->listen[i], failure);

        if (code < 0) {
            return code;
        }
    }
    for (unsigned i = 0; i < worker_n; i++) {
        int code;

        do {
            cpu = (cpu + 1) % CPU_SETSIZE;
        } while (!CPU_ISSET((size_t)cpu, &cpus));
        setup.index = i;
        /* with more workers than CPUs the scheduler knows better */
        setup.cpu = worker_n <= cpu_n ? cpu : -1;
        code = worker_open(&setup, &server->workers[i], failure);
        if (code < 0) {
            return code;
        }
        server->worker_n = i + 1;
    }
    return 0;
}

static int server_open_control(struct server *server, const struct config *config,
                               const struct privileges_user *user, struct failure *failure)
{
    int code;

    if (!config->control) {
        return 0;
    }
    code = control_open(config->control, verbs_handle, server, &server->control, failure);
    if (code < 0 && !config->control_given && code != -EADDRINUSE) {
        log_warning("%s (isochronectl will not reach this server)", failure->text);
        return 0;
    }
    if (code == 0 && user && geteuid() == 0) {
        code = control_chown(server->control, user->uid, user->gid);
        if (code < 0) {
            (void)failure_set(failure, code, "%s: cannot give it to '%s': %s", config->control,
                              config->user, strerror(-code));
        }
    }
    return code;
}

/* Its parent must be there: a typing error shall not grow a tree. */
static int server_make_state_dir(const char *path, const struct privileges_user *user,
                                 struct failure *failure)
{
    if (mkdir(path, 0750) < 0) {
        return errno == EEXIST ? 0 : failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    if (user && geteuid() == 0 && chown(path, user->uid, user->gid) < 0) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    return 0;
}

/* The control socket is made by root, in a folder the user may not write; then root goes. */
static int server_become_user(struct server *server, const struct config *config,
                              struct failure *failure)
{
    struct privileges_user user = {0};
    struct privileges_user *as = config->user ? &user : NULL;
    int code = as ? privileges_find(config->user, as, failure) : 0;

    if (code == 0) {
        code = server_open_control(server, config, as, failure);
    }
    if (code == 0 && config->state_dir) {
        code = server_make_state_dir(config->state_dir, as, failure);
    }
    return code < 0 ? code : privileges_reduce(as, failure);
}

/* Files are read as the user, and sockets bound after that, so that nobody is kept waiting while
 * they load. */
static int server_open(struct server *server, struct config *config, struct failure *failure)
{
    struct report report = {0};
    int code = server_become_user(server, config, failure);

    if (code < 0) {
        config_free(config);
        return code;
    }
    code = publisher_open(config, &server->publisher, &report);
    server_log_report(&report);
    report_done(&report);
    if (code < 0) {
        return failure_set(failure, code, "not started: nothing to serve");
    }
    code = server_open_workers(server, failure);
    if (code == 0) {
        code = privileges_drop(failure);
    }
    if (code == 0 && server->publisher->started->metrics_on) {
        code =
            metrics_open(server, &server->publisher->started->metrics, &server->metrics, failure);
    }
    return code;
}

static int server_start(struct server *server, struct failure *failure)
{
    for (size_t i = 0; i < server->worker_n; i++) {
        int code = worker_start(server->workers[i], failure);

        if (code < 0) {
            for (size_t k = 0; k < i; k++) {
                worker_stop(server->workers[k]);
                worker_join(server->workers[k]);
            }
            return code;
        }
    }
    return 0;
}

static void server_close(struct server *server)
{
    metrics_close(server->metrics);
    control_close(server->control);
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_free(server->workers[i]);
    }
    free(server->workers);
    free(server->tcp_clients);
    publisher_free(server->publisher);
}

/* --- the control thread --- */

void server_reload(struct server *server, struct report *report)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_monotonic_ns() / 1000));
    publisher_reload(server->publisher, report);
    server_log_report(report);
    log_notice("reload %s in %.3f s", report->count ? "with faults" : "done",
               server->publisher->reload_s);
    sd_notify(0, "READY=1");
}

static void server_tick(struct server *server)
{
    struct report report = {0};

    publisher_tick(server->publisher, clock_wall_s(), &report);
    server_log_report(&report);
    report_done(&report);
    if (server->control) {
        control_run(server->control, clock_monotonic_ns());
    }
}

/* False when the program shall end. */
static bool server_signal(struct server *server, int fd)
{
    struct signalfd_siginfo info;
    struct report report = {0};

    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return true;
    }
    if (info.ssi_signo == SIGHUP) {
        server_reload(server, &report);
        report_done(&report);
        return true;
    }
    log_notice("stopping on signal %u", info.ssi_signo);
    return false;
}

struct server_descriptors {
    int epoll;
    int signals;
    int timer;
};

static int server_watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int server_open_descriptors(const struct server *server, const sigset_t *signals,
                                   struct server_descriptors *fds)
{
    static const struct itimerspec second = {{1, 0}, {1, 0}};

    fds->epoll = epoll_create1(EPOLL_CLOEXEC);
    fds->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    fds->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fds->epoll < 0 || fds->signals < 0 || fds->timer < 0 ||
        timerfd_settime(fds->timer, 0, &second, NULL) < 0 ||
        server_watch(fds->epoll, fds->signals) < 0 || server_watch(fds->epoll, fds->timer) < 0) {
        return -errno;
    }
    return server->control ? server_watch(fds->epoll, control_fd(server->control)) : 0;
}

static void server_loop(struct server *server, const struct server_descriptors *fds)
{
    for (;;) {
        struct epoll_event event;
        uint64_t ticks;

        if (epoll_wait(fds->epoll, &event, 1, -1) <= 0) {
            continue;
        }
        if (event.data.fd == fds->signals) {
            if (!server_signal(server, fds->signals)) {
                return;
            }
        } else if (event.data.fd == fds->timer) {
            (void)!read(fds->timer, &ticks, sizeof(ticks));
            server_tick(server);
        } else {
            control_run(server->control, clock_monotonic_ns());
        }
    }
}

static void server_log_final(const struct server *server)
{
    struct counters_sum sum;
    uint64_t total = 0;
    uint64_t udp_drops;
    uint64_t tcp_drops;

    server_sum(server, &sum, &udp_drops, &tcp_drops);
    for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
        for (unsigned i = 0; i < COUNTERS_TRANSPORTS * COUNTERS_FAMILIES; i++) {
            total += sum.answers[kind][i / COUNTERS_FAMILIES][i % COUNTERS_FAMILIES];
        }
    }
    log_notice("stopped after %llu queries", (unsigned long long)total);
}

static void server_serve(struct server *server, const struct server_descriptors *fds)
{
    struct watchdog *watchdog = watchdog_start(server->workers, server->worker_n);
    struct failure failure;

    if (server->publisher->started->seccomp && privileges_confine(&failure) < 0) {
        log_warning("%s (serving all the same)", failure.text);
    }
    log_notice("serving %zu zones, %u services on %zu addresses with %zu workers",
               server->publisher->loaded->zone_n,
               services_count(server->publisher->loaded->services),
               server->publisher->started->listen_n, server->worker_n);
    if (geteuid() == 0) {
        log_warning("running as root: 'user' in the configuration names whom to become");
    }
    sd_notify(0, "READY=1");
    server_loop(server, fds);
    sd_notify(0, "STOPPING=1");
    watchdog_stop(watchdog);
    metrics_close(server->metrics);
    server->metrics = NULL;
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_stop(server->workers[i]);
    }
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_join(server->workers[i]);
    }
    server_log_final(server);
}

int server_run(struct config *config, const char *version)
{
    struct server server = {
        .version = version, .started_ns = clock_monotonic_ns(), .started_s = clock_wall_s()};
    struct server_descriptors fds = {-1, -1, -1};
    struct failure failure = {{0}};
    sigset_t signals;
    int code;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* blocked before any thread exists, so that only the signalfd sees them */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    /* whoever reads our log may go away without taking the server along */
    (void)signal(SIGPIPE, SIG_IGN);
    code = server_open(&server, config, &failure);
    if (code == 0) {
        code = server_open_descriptors(&server, &signals, &fds);
        if (code < 0) {
            (void)failure_set(&failure, code, "descriptors: %s", strerror(-code));
        }
    }
    if (code == 0) {
        code = server_start(&server, &failure);
    }
    if (code == 0) {
        server_serve(&server, &fds);
    } else {
        log_error("%s", failure.text);
    }
    fd_close(&fds.timer);
    fd_close(&fds.signals);
    fd_close(&fds.epoll);
    server_close(&server);
    return code < 0 ? 1 : 0;
}

/* --- check --- */

static void server_check_feeds(const struct config *config, struct report *report)
{
    for (size_t i = 0; i < config->state_n; i++) {
        struct fleet_feed feed;
        struct states_source source = {0};
        bool force;

        if (fleet_open(&feed, config->states[i], NULL) == 0 &&
            fleet_poll(&feed, true, clock_wall_s(), &source, &force) == FLEET_FAULT) {
            report_add(report, &feed.fault);
        }
        states_source_done(&source);
        fleet_done(&feed);
    }
}

int server_check(struct config *config)
{
    struct privileges_user user;
    struct failure failure = {{0}};
    struct report report = {0};
    struct loaded *loaded = NULL;
    int code;

    server_check_feeds(config, &report);
    if (config->user && privileges_find(config->user, &user, &failure) < 0) {
        report_add(&report, &failure);
    }
    code = loader_load(config, NULL, LOADER_CHECK, &loaded, &report);
    for (size_t i = 0; i < report.warning_kept; i++) {
        fprintf(stderr, "%s (warning)\n", report.warnings[i]);
    }
    for (size_t i = 0; i < report.kept; i++) {
        fprintf(stderr, "%s\n", report.texts[i]);
    }
    if (report.count > report.kept) {
        fprintf(stderr, "and %zu more faults\n", report.count - report.kept);
    }
    code = code < 0 || report.count ? 1 : 0;
    if (code == 0) {
        printf("ok: %zu zones, %u services\n", loaded->zone_n, services_count(loaded->services));
    }
    loaded_free(loaded);
    report_done(&report);
    return code;
}

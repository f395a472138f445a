/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/metrics/server.h"
#include "edge/daemon/fast.h"
#include "edge/daemon/manager.h"
#include "edge/daemon/predecessor.h"
#include "edge/daemon/privileges.h"
#include "edge/daemon/server_open.h"
#include "edge/daemon/successor.h"
#include "edge/daemon/watchdog.h"
#include "edge/zone/zone_set.h"

void server_log_report(const struct report *report)
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

/* `replaced`: another process serves. */
static void server_close(struct server *server, bool replaced)
{
    metrics_server_close(server->metrics);
    fast_close(server->fast, !replaced);
    predecessor_free(server->predecessor);
    successor_free(server->successor);
    control_close(server->control);
    for (size_t i = 0; i < server->worker_n; i++) {
        worker_free(server->workers[i]);
    }
    free(server->workers);
    free(server->tcp_clients);
    listeners_done(&server->listeners);
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
    int signals;
    int timer;
};

static int server_watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int server_open_descriptors(struct server *server, const sigset_t *signals,
                                   struct server_descriptors *fds)
{
    static const struct itimerspec second = {{1, 0}, {1, 0}};

    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fds->signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    fds->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->epoll_fd < 0 || fds->signals < 0 || fds->timer < 0 ||
        timerfd_settime(fds->timer, 0, &second, NULL) < 0 ||
        server_watch(server->epoll_fd, fds->signals) < 0 ||
        server_watch(server->epoll_fd, fds->timer) < 0) {
        return -errno;
    }
    if (fast_fd(server->fast) >= 0 && server_watch(server->epoll_fd, fast_fd(server->fast)) < 0) {
        return -errno;
    }
    return server->control ? server_watch(server->epoll_fd, control_fd(server->control)) : 0;
}

/* Until a signal says stop; true when another process has taken over instead. */
static bool server_loop(struct server *server, const struct server_descriptors *fds)
{
    for (;;) {
        struct epoll_event event;
        uint64_t ticks;

        if (epoll_wait(server->epoll_fd, &event, 1, -1) <= 0) {
            continue;
        }
        if (event.data.fd == fds->signals) {
            if (!server_signal(server, fds->signals)) {
                return false;
            }
        } else if (event.data.fd == fds->timer) {
            (void)!read(fds->timer, &ticks, sizeof(ticks));
            server_tick(server);
        } else if (event.data.fd == predecessor_fd(server->predecessor)) {
            if (predecessor_run(server)) {
                return true;
            }
        } else if (event.data.fd == fast_fd(server->fast)) {
            fast_run(server->fast);
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

/* The server is ours: who was there before learns it last. */
static void server_announce(struct server *server)
{
    struct report report = {0};

    log_notice("serving %zu zones, %u services on %zu addresses with %zu workers",
               server->publisher->loaded->zone_n,
               services_count(server->publisher->loaded->services),
               server->publisher->started->listen_n, server->worker_n);
    if (geteuid() == 0) {
        log_warning("running as root: 'user' in the configuration names whom to become");
    }
    manager_store(&server->listeners);
    listeners_settle(&server->listeners);
    if (!server->successor) {
        manager_ready();
    } else {
        bool late = successor_is_late(server->successor);

        manager_change_process();
        successor_done(server->successor);
        successor_free(server->successor);
        server->successor = NULL;
        publisher_settle(server->publisher, &report);
        if (late) { /* it had read newer files than we */
            publisher_reload(server->publisher, &report);
        }
        server_log_report(&report);
        report_done(&report);
    }
}

/* True when another process serves in our place. */
static bool server_serve(struct server *server, const struct server_descriptors *fds)
{
    struct watchdog *watchdog =
        watchdog_start(server->workers, server->worker_n, server->watchdog_usec);
    struct failure failure;
    bool replaced;

    if (server->publisher->started->seccomp && privileges_confine(&failure) < 0) {
        log_warning("%s (serving all the same)", failure.text);
    }
    server_announce(server);
    if (server->ready_fd >= 0) {
        (void)!write(server->ready_fd, "", 1);
        fd_close(&server->ready_fd);
    }
    fast_catch_up(server->fast);
    replaced = server_loop(server, fds);
    if (!replaced) {
        sd_notify(0, "STOPPING=1");
    }
    watchdog_stop(watchdog);
    metrics_server_close(server->metrics);
    server->metrics = NULL;
    for (size_t i = 0; i < server->worker_n && !replaced; i++) {
        worker_stop(server->workers[i]);
    }
    for (size_t i = 0; i < server->worker_n && !replaced; i++) {
        worker_join(server->workers[i]);
    }
    server_log_final(server);
    return replaced;
}

int server_run(struct config *config, const struct server_options *options)
{
    struct server server = {.version = options->version,
                            .ready_fd = options->ready_fd,
                            .managed = getenv("NOTIFY_SOCKET") != NULL,
                            .epoll_fd = -1,
                            .started_ns = clock_monotonic_ns(),
                            .started_s = clock_wall_s()};
    struct server_descriptors fds = {-1, -1};
    struct failure failure = {{0}};
    sigset_t signals;
    bool replaced = false;
    int code;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* blocked before any thread exists, so that only the signalfd sees them */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    /* whoever reads our log may go away without taking the server along */
    (void)signal(SIGPIPE, SIG_IGN);
    code = server_open(&server, config,
                       options->replace && !*options->replace ? config->control : options->replace,
                       &failure);
    if (code == 0) {
        code = server_open_descriptors(&server, &signals, &fds);
        if (code < 0) {
            (void)failure_set(&failure, code, "descriptors: %s", strerror(-code));
        }
    }
    if (code == 0) {
        server.watchdog_usec =
            manager_watchdog_usec(server.successor ? successor_watchdog_usec(server.successor) : 0);
        code = server_start(&server, &failure);
    }
    if (code == 0) {
        replaced = server_serve(&server, &fds);
    } else {
        log_error("%s", failure.text);
    }
    fd_close(&fds.timer);
    fd_close(&fds.signals);
    fd_close(&server.epoll_fd);
    server_close(&server, replaced);
    return code < 0 ? 1 : 0;
}

/* --- check --- */

static void server_check_feeds(const struct config *config, struct report *report)
{
    for (size_t i = 0; i < config->state_n; i++) {
        struct fleet_feed feed;
        struct states_source source = {0};
        bool force;

        if (fleet_open(&feed, config->states[i], config->state_places[i], NULL) == 0 &&
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
    for (size_t i = 0; i < config->xdp.interface_n; i++) {
        if (if_nametoindex(config->xdp.interfaces[i]) == 0) {
            report_warn(&report, "%s: xdp: there is no interface '%s' now", config->path,
                        config->xdp.interfaces[i]);
        }
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

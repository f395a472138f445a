/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/server_open.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/log.h"
#include "base/metrics/server.h"
#include "edge/daemon/fast.h"
#include "edge/daemon/manager.h"
#include "edge/daemon/metrics.h"
#include "edge/daemon/privileges.h"
#include "edge/daemon/server.h"
#include "edge/daemon/successor.h"
#include "edge/daemon/verbs.h"
#include "edge/serve/socket.h"

/* --- who we are --- */

static int server_open_control(struct server *server, const struct config *config,
                               const struct privileges_user *user, struct failure *failure)
{
    int code;

    if (!config->control || server->continues_control) {
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

/* A server that is to be replaced is greeted as who we were started as. The socket we greet it on
 * is the one it hands over, if it is the one of our configuration. */
static int server_greet(struct server *server, const struct config *config, const char *path,
                        const struct privileges_user *user, struct failure *failure)
{
    server->continues_control = config->control && strcmp(path, config->control) == 0;
    return successor_open(path, server->version, user ? user->uid : geteuid(), &server->successor,
                          failure);
}

/* The control socket is made by root, in a folder the user may not write; then root goes. */
static int server_become_user(struct server *server, const struct config *config,
                              const char *replace, struct failure *failure)
{
    struct privileges_user user = {0};
    struct privileges_user *as = config->user ? &user : NULL;
    int code = as ? privileges_find(config->user, as, failure) : 0;

    if (code == 0 && replace) {
        code = server_greet(server, config, replace, as, failure);
    }
    if (code == 0) {
        code = server_open_control(server, config, as, failure);
    }
    if (code == 0 && config->state_dir) {
        code = server_make_state_dir(config->state_dir, as, failure);
    }
    if (code == 0 && config->xdp.on) {
        code = fast_open(config, &server->fast, failure);
    }
    return code < 0 ? code : privileges_reduce(as, failure);
}

/* --- workers and sockets --- */

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

static struct socket_tcp_options server_tcp_options(const struct config *config)
{
    return (struct socket_tcp_options){.backlog = (int)config->tcp.backlog,
                                       .fastopen = config->tcp.fastopen};
}

static int server_open_worker(struct server *server, unsigned worker_n, int cpu,
                              struct failure *failure)
{
    const struct config *config = server->publisher->loaded->config;
    struct worker_setup setup = {
        .index = (unsigned)server->worker_n,
        .cpu = cpu,
        .tcp = {.idle_ns = config->tcp.idle_ns,
                .query_ns = config->tcp.query_ns,
                .lifetime_ns = config->tcp.lifetime_ns,
                .query_max = config->tcp.queries,
                .connection_max = (config->tcp.connections + worker_n - 1) / worker_n,
                .memory_max = config->tcp.memory / worker_n},
        .tcp_clients = server->tcp_clients,
        .published = &server->publisher->published,
    };
    int code = worker_open(&setup, &server->workers[server->worker_n], failure);

    server->worker_n += code == 0;
    return code;
}

static int server_open_workers(struct server *server, struct failure *failure)
{
    const struct config *config = server->publisher->loaded->config;
    cpu_set_t cpus;
    unsigned cpu_n;
    unsigned worker_n;
    int cpu = -1;
    int code = 0;

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
    for (unsigned i = 0; i < worker_n && code == 0; i++) {
        do {
            cpu = (cpu + 1) % CPU_SETSIZE;
        } while (!CPU_ISSET((size_t)cpu, &cpus));
        /* with more workers than CPUs the scheduler knows better */
        code = server_open_worker(server, worker_n, worker_n <= cpu_n ? cpu : -1, failure);
    }
    return code;
}

static int server_open_metrics(struct server *server, const struct endpoint *endpoint,
                               struct failure *failure)
{
    int listener = server->successor ? successor_take_metrics(server->successor, endpoint) : -1;
    int code = listener < 0 ? metrics_server_listen(endpoint, &listener, failure) : 0;

    if (code == 0) {
        code = metrics_server_open(listener, metrics_write, server, &server->metrics, failure);
    }
    return code < 0 ? failure_wrap(failure, code, "metrics") : 0;
}

/* All that may fail on addresses or privileges: from here on only what is lost is lost. */
static int server_open_sockets(struct server *server, struct failure *failure)
{
    const struct config *config = server->publisher->loaded->config;
    int code = 0;

    server->listeners.tcp = server_tcp_options(config);
    if (server->successor) {
        code = successor_sockets(server->successor, server, failure);
    } else {
        manager_adopt(&server->listeners);
    }
    if (code == 0) {
        code = listeners_plan(&server->listeners, config->listen, config->listen_n,
                              (unsigned)server->worker_n, failure);
    }
    if (code == 0 && server->continues_control) {
        code = control_adopt(config->control, successor_take_control(server->successor),
                             verbs_handle, server, &server->control, failure);
    }
    if (code == 0 && config->metrics_on) {
        code = server_open_metrics(server, &config->metrics, failure);
    }
    return code;
}

static int server_deal(struct server *server, struct failure *failure)
{
    size_t missing = listeners_fill(&server->listeners, (unsigned)server->worker_n);
    int code = 0;

    if (missing) {
        log_warning("%zu sockets could not be opened beside those taken over: some workers will "
                    "have less to do",
                    missing);
    }
    for (unsigned i = 0; i < server->worker_n && code == 0; i++) {
        size_t n;
        struct worker_listener *list = listeners_of(&server->listeners, i, &n);

        code = list ? worker_listen(server->workers[i], list, n, failure)
                    : failure_set(failure, -ENOMEM, "out of memory");
        free(list);
    }
    return code;
}

/* --- the whole --- */

/* Files are read as the user, and sockets bound after that, so that nobody is kept waiting while
 * they load. */
static int server_prepare(struct server *server, struct config *config, const char *replace,
                          struct failure *failure)
{
    struct report report = {0};
    int code = server_become_user(server, config, replace, failure);

    if (code < 0) {
        config_free(config);
        return code;
    }
    code = publisher_open(config, replace ? PUBLISHER_REPLACE : PUBLISHER_SERVE, &server->publisher,
                          &report);
    server_log_report(&report);
    report_done(&report);
    if (code < 0) {
        return failure_set(failure, code, "%s",
                           replace ? "nothing is replaced: what would be served is not all well"
                                   : "not started: nothing to serve");
    }
    if (server->fast) { /* a process to be replaced serves meanwhile; else nobody does */
        fast_prepare(server->fast, server->publisher, replace != NULL);
    }
    code = server_open_workers(server, failure);
    return code < 0 ? code : server_open_sockets(server, failure);
}

int server_open(struct server *server, struct config *config, const char *replace,
                struct failure *failure)
{
    int code = server_prepare(server, config, replace, failure);

    if (code == 0 && server->successor) {
        code = successor_stop(server->successor, server, failure);
    }
    if (code == 0) {
        code = server_deal(server, failure);
    }
    return code < 0 ? code : privileges_drop(failure);
}

int server_start(struct server *server, struct failure *failure)
{
    size_t started = 0;
    int code = server->successor ? successor_commit(server->successor, failure) : 0;

    while (code == 0 && started < server->worker_n) {
        code = worker_start(server->workers[started], failure);
        started += code == 0;
    }
    if (code < 0) {
        for (size_t i = 0; i < started; i++) {
            worker_park(server->workers[i]);
            worker_join(server->workers[i]);
        }
        return code;
    }
    if (server->fast) {
        fast_start(server->fast, server->workers, server->worker_n);
    }
    if (server->successor) {
        successor_serving(server->successor);
    }
    if (server->control) {
        control_leave(server->control, false);
    }
    return metrics_server_resume(server->metrics, failure);
}

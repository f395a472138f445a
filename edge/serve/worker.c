/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "base/clock.h"
#include "base/fd.h"
#include "edge/serve/udp.h"

#define WORKER_EVENTS 64
#define WORKER_UDP_ROUNDS 16 /* batches of one socket before the others get their turn */
#define WORKER_TCP_QUERIES ((uint64_t)WORKER_UDP_ROUNDS * UDP_BATCH)
#define WORKER_WAIT_MS 1000 /* also how often an idle worker shows that it lives */
#define WORKER_STOP_NS (2 * CLOCK_NS_PER_S)

struct worker_socket {
    struct serve_source source; /* first: epoll hands it back */
    bool wildcard;
    bool leaving;
};

enum worker_request { WORKER_SERVE, WORKER_PARK, WORKER_STOP };

struct worker {
    struct counters counters; /* first: aligned */
    unsigned index;
    int cpu;
    int epoll_fd;
    const _Atomic(struct snapshot *) *published;
    struct serve_context context;
    struct udp_batch *batch;
    struct tcp *tcp;
    unsigned turn; /* which of a round's events is the first for TCP */
    struct serve_source stop;
    _Atomic int request;           /* enum worker_request, with an event on `stop` */
    struct worker_socket *sockets; /* UDP and TCP alternating */
    size_t socket_n;
    _Atomic uint64_t rounds;
    pthread_t thread;
};

static int worker_watch(struct worker *worker, struct serve_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

int worker_open(const struct worker_setup *setup, struct worker **ret_worker,
                struct failure *failure)
{
    struct worker *worker = aligned_alloc(_Alignof(struct worker), sizeof(*worker));

    if (!worker) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    memset(worker, 0, sizeof(*worker));
    worker->index = setup->index;
    worker->cpu = setup->cpu;
    worker->published = setup->published;
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->stop = (struct serve_source){SERVE_STOP, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    worker->batch = udp_batch_new();
    worker->context.scratch = answer_scratch_new();
    worker->context.counters = &worker->counters;
    worker->context.tcp_idle_ds =
        (uint16_t)(setup->tcp.idle_ns / (100 * CLOCK_NS_PER_MS)); /* an hour at most: fits */
    worker->tcp = tcp_new(worker->epoll_fd, &setup->tcp, setup->tcp_clients);
    if (worker->epoll_fd < 0 || worker->stop.fd < 0 || !worker->batch || !worker->context.scratch ||
        !worker->tcp || worker_watch(worker, &worker->stop) < 0) {
        worker_free(worker);
        return failure_set(failure, -ENOMEM, "out of memory or descriptors");
    }
    *ret_worker = worker;
    return 0;
}

int worker_listen(struct worker *worker, const struct worker_listener *listeners, size_t n,
                  struct failure *failure)
{
    worker->sockets = calloc(n + 1, sizeof(*worker->sockets));
    if (!worker->sockets) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const struct worker_listener *listener = &listeners[i];
        struct worker_socket *socket_ = &worker->sockets[i];
        int code = 0;

        socket_->wildcard = listener->wildcard;
        socket_->leaving = listener->leaving;
        socket_->source.kind = listener->tcp ? SERVE_TCP_LISTENER : SERVE_UDP;
        socket_->source.fd = listener->fd;
        if (!listener->leaving) {
            code = worker_watch(worker, &socket_->source);
        }
        if (code < 0) {
            return failure_set(failure, code, "cannot watch a socket: %s", strerror(-code));
        }
    }
    worker->socket_n = n;
    return 0;
}

/* UDP first: it is served in batches of bounded length, whatever the connections do. True when one
 * of the events was the request to stop. */
static bool worker_handle_udp(struct worker *worker, const struct epoll_event *events, int n)
{
    bool stop = false;

    for (int i = 0; i < n; i++) {
        const struct serve_source *source = events[i].data.ptr;

        if (source->kind == SERVE_UDP) {
            (void)udp_serve(worker->batch, source->fd,
                            ((const struct worker_socket *)source)->wildcard, &worker->context,
                            WORKER_UDP_ROUNDS);
        }
        stop |= source->kind == SERVE_STOP;
    }
    return stop;
}

/* Then TCP, until it has had as many queries as one socket of UDP. What is left of the events comes
 * up again in the next round, which begins with it: epoll goes on reporting in the same order, so
 * that else the first few could keep the others waiting for ever. Returns the time if there was any
 * event, else 0. */
static int64_t worker_handle_tcp(struct worker *worker, const struct epoll_event *events, int n)
{
    int64_t now_ns = 0;
    uint64_t answered = 0;

    for (int i = 0; i < n && answered < WORKER_TCP_QUERIES; i++) {
        const struct epoll_event *event = &events[worker->turn++ % (unsigned)n];
        struct serve_source *source = event->data.ptr;

        if (source->kind != SERVE_TCP_LISTENER && source->kind != SERVE_TCP_CONNECTION) {
            continue;
        }
        now_ns = now_ns ? now_ns : clock_monotonic_ns();
        if (source->kind == SERVE_TCP_LISTENER) {
            tcp_accept(worker->tcp, source->fd, &worker->context, now_ns);
        } else {
            answered += tcp_event(worker->tcp, source, event->events, &worker->context, now_ns);
        }
    }
    return now_ns;
}

/* Without a system call, exact to a few milliseconds. */
static int64_t worker_coarse_wall_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}

static int64_t worker_coarse_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

/* What the next queries are answered from, and when that is. */
static void worker_look(struct worker *worker)
{
    worker->context.snapshot = atomic_load_explicit(worker->published, memory_order_acquire);
    worker->context.now_wall_s = worker_coarse_wall_s();
    worker->context.now_coarse_ns = worker_coarse_ns();
}

/* Waits for events, handles them with one snapshot. `*wait_ns` is when TCP wants the next look, -1
 * never. */
static bool worker_round(struct worker *worker, int64_t *wait_ns)
{
    struct epoll_event events[WORKER_EVENTS];
    int64_t now_ns;
    int wait_ms = WORKER_WAIT_MS;
    bool stop;
    int n;

    if (*wait_ns >= 0 && *wait_ns < WORKER_WAIT_MS * CLOCK_NS_PER_MS) {
        wait_ms = (int)(*wait_ns / CLOCK_NS_PER_MS) + 1;
    }
    urcu_qsbr_thread_offline();
    n = epoll_wait(worker->epoll_fd, events, WORKER_EVENTS, wait_ms);
    urcu_qsbr_thread_online();
    worker_look(worker);
    stop = worker_handle_udp(worker, events, n);
    now_ns = worker_handle_tcp(worker, events, n);
    if (*wait_ns >= 0 || now_ns) {
        *wait_ns = tcp_tidy(worker->tcp, &worker->context, now_ns ? now_ns : clock_monotonic_ns());
    }
    atomic_store_explicit(&worker->rounds,
                          atomic_load_explicit(&worker->rounds, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return !stop;
}

static void worker_answer_socket(struct worker *worker, const struct worker_socket *socket_,
                                 int64_t now_ns)
{
    if (socket_->source.kind == SERVE_UDP) {
        (void)udp_serve(worker->batch, socket_->source.fd, socket_->wildcard, &worker->context,
                        WORKER_UDP_ROUNDS);
    } else {
        tcp_accept(worker->tcp, socket_->source.fd, &worker->context, now_ns);
    }
}

/* What has reached us is answered; then the sockets go, connections last. */
static void worker_finish(struct worker *worker)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t deadline_ns = now_ns + WORKER_STOP_NS;

    for (size_t i = 0; i < worker->socket_n; i++) {
        if (worker->sockets[i].source.fd >= 0) {
            worker_answer_socket(worker, &worker->sockets[i], now_ns);
            fd_close(&worker->sockets[i].source.fd);
        }
    }
    (void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, worker->stop.fd, NULL);
    while (tcp_drain(worker->tcp, &worker->context, now_ns) > 0 && now_ns < deadline_ns) {
        struct epoll_event events[WORKER_EVENTS];
        int n = epoll_wait(worker->epoll_fd, events, WORKER_EVENTS, 100);

        (void)worker_handle_tcp(worker, events, n);
        now_ns = clock_monotonic_ns();
        (void)tcp_tidy(worker->tcp, &worker->context, now_ns);
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    int64_t wait_ns = 0; /* connections may have come with the sockets */
    bool running;
    char name[16];

    snprintf(name, sizeof(name), "worker-%u", worker->index);
    (void)pthread_setname_np(pthread_self(), name);
    urcu_qsbr_register_thread();
    do {
        running = worker_round(worker, &wait_ns);
    } while (running);
    if (atomic_load(&worker->request) == WORKER_STOP) {
        worker_finish(worker);
    }
    urcu_qsbr_unregister_thread();
    return NULL;
}

/* Sockets of addresses we no longer listen on: closing one loses what is in it, so that is answered
 * first. On the thread that publishes, so the snapshot cannot change. */
static void worker_leave(struct worker *worker)
{
    worker_look(worker);
    for (size_t i = 0; i < worker->socket_n; i++) {
        if (worker->sockets[i].leaving && worker->sockets[i].source.fd >= 0) {
            worker_answer_socket(worker, &worker->sockets[i], clock_monotonic_ns());
            fd_close(&worker->sockets[i].source.fd);
        }
    }
}

int worker_start(struct worker *worker, struct failure *failure)
{
    pthread_attr_t attributes;
    cpu_set_t cpus;
    uint64_t asked;
    int code;

    atomic_store(&worker->request, WORKER_SERVE);
    (void)!read(worker->stop.fd, &asked, sizeof(asked)); /* it may have been parked */
    worker_leave(worker);
    pthread_attr_init(&attributes);
    if (worker->cpu >= 0) {
        CPU_ZERO(&cpus);
        CPU_SET((size_t)worker->cpu, &cpus);
        (void)pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
    }
    code = pthread_create(&worker->thread, &attributes, worker_main, worker);
    pthread_attr_destroy(&attributes);
    return code ? failure_set(failure, -code, "cannot start worker %u: %s", worker->index,
                              strerror(code))
                : 0;
}

static void worker_ask(struct worker *worker, enum worker_request request)
{
    uint64_t one = 1;

    atomic_store(&worker->request, request);
    (void)!write(worker->stop.fd, &one, sizeof(one));
}

void worker_stop(struct worker *worker)
{
    worker_ask(worker, WORKER_STOP);
}

void worker_park(struct worker *worker)
{
    worker_ask(worker, WORKER_PARK);
}

void worker_join(struct worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
}

void worker_free(struct worker *worker)
{
    if (!worker) {
        return;
    }
    tcp_free(worker->tcp, &worker->counters);
    for (size_t i = 0; i < worker->socket_n; i++) {
        fd_close(&worker->sockets[i].source.fd);
    }
    free(worker->sockets);
    udp_batch_free(worker->batch);
    answer_scratch_free(worker->context.scratch);
    fd_close(&worker->stop.fd);
    fd_close(&worker->epoll_fd);
    free(worker);
}

bool worker_give(struct worker *worker, struct tcp_passed *ret_passed)
{
    return tcp_give(worker->tcp, ret_passed);
}

int worker_adopt(struct worker *worker, struct tcp_passed *passed)
{
    int code = tcp_adopt(worker->tcp, passed);

    if (code < 0) {
        counter_add(&worker->counters.plain[COUNTER_TCP_CLOSED], 1);
    }
    return code;
}

void worker_inherit(struct worker *worker, const struct counters_sum *sum)
{
    counters_add_sum(&worker->counters, sum);
}

const struct counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

int worker_cpu(const struct worker *worker)
{
    return worker->cpu;
}

uint64_t worker_rounds(const struct worker *worker)
{
    return atomic_load_explicit(&worker->rounds, memory_order_relaxed);
}

void worker_drops(const struct worker *worker, uint64_t *ret_udp, uint64_t *ret_tcp)
{
    *ret_udp = 0;
    *ret_tcp = 0;
    for (size_t i = 0; i < worker->socket_n; i++) {
        const struct serve_source *source = &worker->sockets[i].source;
        uint32_t drops = source->fd >= 0 ? socket_drops(source->fd) : 0;

        *(source->kind == SERVE_UDP ? ret_udp : ret_tcp) += drops;
    }
}

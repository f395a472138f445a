/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast_heart.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "edge/serve/worker.h"

#define HEART_TURN_NS (250 * CLOCK_NS_PER_MS)
/* An idle worker comes round every second. */
#define HEART_WORKER_LATE_NS (1500 * CLOCK_NS_PER_MS)

struct heart_worker {
    uint64_t rounds;  /* when last seen ... */
    int64_t moved_ns; /* ... and since when */
};

struct fast_heart {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    _Atomic bool allowed;
    _Atomic bool late;
    _Atomic bool taken;
    struct xdp_path *path;
    struct worker *const *workers;
    size_t worker_n;
    struct heart_worker seen[];
};

static bool fast_heart_workers_move(struct fast_heart *heart, int64_t now_ns)
{
    bool all = true;

    for (size_t i = 0; i < heart->worker_n; i++) {
        uint64_t rounds = worker_rounds(heart->workers[i]);

        if (rounds != heart->seen[i].rounds) {
            heart->seen[i].rounds = rounds;
            heart->seen[i].moved_ns = now_ns;
        }
        all &= now_ns - heart->seen[i].moved_ns <= HEART_WORKER_LATE_NS;
    }
    return all;
}

static void fast_heart_beat(struct fast_heart *heart)
{
    bool move = fast_heart_workers_move(heart, clock_monotonic_ns());

    atomic_store_explicit(&heart->late, !move, memory_order_relaxed);
    if (move && atomic_load_explicit(&heart->allowed, memory_order_acquire)) {
        atomic_store_explicit(&heart->taken, xdp_path_beat(heart->path, clock_wall_s()) == -ESTALE,
                              memory_order_relaxed);
    }
}

static void *fast_heart_main(void *argument)
{
    struct fast_heart *heart = argument;

    pthread_mutex_lock(&heart->lock);
    while (!heart->stop) {
        int64_t until_ns = clock_monotonic_ns() + HEART_TURN_NS;
        struct timespec until = {until_ns / CLOCK_NS_PER_S, until_ns % CLOCK_NS_PER_S};

        fast_heart_beat(heart);
        (void)pthread_cond_timedwait(&heart->wake, &heart->lock, &until);
    }
    pthread_mutex_unlock(&heart->lock);
    return NULL;
}

struct fast_heart *fast_heart_start(struct xdp_path *path, struct worker *const *workers,
                                    size_t worker_n)
{
    struct fast_heart *heart = calloc(1, sizeof(*heart) + worker_n * sizeof(heart->seen[0]));
    pthread_condattr_t attributes;

    if (!heart) {
        return NULL;
    }
    heart->path = path;
    heart->workers = workers;
    heart->worker_n = worker_n;
    for (size_t i = 0; i < worker_n; i++) {
        heart->seen[i].moved_ns = clock_monotonic_ns();
    }
    pthread_mutex_init(&heart->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&heart->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&heart->thread, NULL, fast_heart_main, heart) != 0) {
        free(heart);
        return NULL;
    }
    return heart;
}

/* The first beat follows at once. */
void fast_heart_allow(struct fast_heart *heart, bool allowed)
{
    if (heart &&
        atomic_exchange_explicit(&heart->allowed, allowed, memory_order_acq_rel) != allowed) {
        pthread_mutex_lock(&heart->lock);
        pthread_cond_signal(&heart->wake);
        pthread_mutex_unlock(&heart->lock);
    }
}

bool fast_heart_is_late(const struct fast_heart *heart)
{
    return heart && atomic_load_explicit(&heart->late, memory_order_relaxed);
}

bool fast_heart_is_taken(const struct fast_heart *heart)
{
    return heart && atomic_load_explicit(&heart->taken, memory_order_relaxed);
}

void fast_heart_forgive(struct fast_heart *heart)
{
    if (heart) {
        atomic_store_explicit(&heart->taken, false, memory_order_relaxed);
    }
}

void fast_heart_stop(struct fast_heart *heart)
{
    if (!heart) {
        return;
    }
    pthread_mutex_lock(&heart->lock);
    heart->stop = true;
    pthread_cond_signal(&heart->wake);
    pthread_mutex_unlock(&heart->lock);
    (void)pthread_join(heart->thread, NULL);
    pthread_cond_destroy(&heart->wake);
    pthread_mutex_destroy(&heart->lock);
    free(heart);
}

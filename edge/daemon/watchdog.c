/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/watchdog.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/clock.h"
#include "edge/serve/worker.h"

struct watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    int64_t interval_ns;
    struct worker *const *workers;
    size_t worker_n;
    uint64_t *rounds; /* of each worker, when last seen */
};

static bool watchdog_all_moved(struct watchdog *watchdog)
{
    bool moved = true;

    for (size_t i = 0; i < watchdog->worker_n; i++) {
        uint64_t rounds = worker_rounds(watchdog->workers[i]);

        moved &= rounds != watchdog->rounds[i];
        watchdog->rounds[i] = rounds;
    }
    return moved;
}

static void *watchdog_main(void *argument)
{
    struct watchdog *watchdog = argument;

    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->stop) {
        struct timespec until;
        int64_t until_ns = clock_monotonic_ns() + watchdog->interval_ns;

        until.tv_sec = until_ns / CLOCK_NS_PER_S;
        until.tv_nsec = until_ns % CLOCK_NS_PER_S;
        (void)pthread_cond_timedwait(&watchdog->wake, &watchdog->lock, &until);
        if (!watchdog->stop && watchdog_all_moved(watchdog)) {
            sd_notify(0, "WATCHDOG=1");
        }
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

struct watchdog *watchdog_start(struct worker *const *workers, size_t worker_n, uint64_t usec)
{
    struct watchdog *watchdog;
    pthread_condattr_t attributes;

    if (usec == 0) {
        return NULL;
    }
    watchdog = calloc(1, sizeof(*watchdog));
    if (!watchdog) {
        return NULL;
    }
    watchdog->rounds = calloc(worker_n, sizeof(*watchdog->rounds));
    watchdog->workers = workers;
    watchdog->worker_n = worker_n;
    /* an idle worker moves once a second, so looking more often would see no progress */
    watchdog->interval_ns = (int64_t)usec * 1000 / 3;
    if (watchdog->interval_ns < 2 * CLOCK_NS_PER_S) {
        watchdog->interval_ns = 2 * CLOCK_NS_PER_S;
    }
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (!watchdog->rounds ||
        pthread_create(&watchdog->thread, NULL, watchdog_main, watchdog) != 0) {
        free(watchdog->rounds);
        free(watchdog);
        return NULL;
    }
    return watchdog;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog) {
        return;
    }
    pthread_mutex_lock(&watchdog->lock);
    watchdog->stop = true;
    pthread_cond_signal(&watchdog->wake);
    pthread_mutex_unlock(&watchdog->lock);
    (void)pthread_join(watchdog->thread, NULL);
    pthread_cond_destroy(&watchdog->wake);
    pthread_mutex_destroy(&watchdog->lock);
    free(watchdog->rounds);
    free(watchdog);
}

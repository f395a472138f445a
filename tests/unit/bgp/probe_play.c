/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe_play.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

#define TAG 7

static void triggered(void *context, const struct probe *probe, enum address_family family)
{
    struct probe_play *play = context;

    cr_assert_eq(probe, &play->probe);
    play->triggers_n++;
    play->triggered = family;
}

void probe_play_open(struct probe_play *play, const struct probe_type *type, const void *settings,
                     int64_t timeout_ns)
{
    memset(play, 0, sizeof(*play));
    play->check = (struct config_check){
        .name = "a", .type = type, .settings = settings, .timeout_ns = timeout_ns};
    cr_assert_eq(probe_init(&play->probe, &play->check, epoll_create1(EPOLL_CLOEXEC), TAG), 0);
    play->probe.trigger = triggered;
    play->probe.context = play;
}

void probe_play_close(struct probe_play *play)
{
    probe_done(&play->probe);
    close(play->probe.epoll_fd);
}

bool probe_play_start(struct probe_play *play, int64_t now_ns)
{
    return probe_start(&play->probe, now_ns, &play->outcome);
}

bool probe_play_ready(struct probe_play *play, int wait_ms, int64_t now_ns)
{
    struct epoll_event event;

    while (epoll_wait(play->probe.epoll_fd, &event, 1, wait_ms) == 1) {
        if (probe_ready(&play->probe, (int)(event.data.u64 - TAG), event.events, now_ns,
                        &play->outcome)) {
            return true;
        }
        wait_ms = 0;
    }
    return false;
}

const struct probe_outcome *probe_play_run(struct probe_play *play)
{
    bool ended = probe_play_start(play, clock_monotonic_ns());

    while (!ended) {
        ended = probe_play_ready(play, 1, clock_monotonic_ns()) ||
                probe_run(&play->probe, clock_monotonic_ns(), &play->outcome);
    }
    return &play->outcome;
}

unsigned probe_play_descriptors(void)
{
    DIR *listing = opendir("/proc/self/fd");
    unsigned n = 0;

    cr_assert(listing);
    while (readdir(listing)) {
        n++;
    }
    closedir(listing);
    return n;
}

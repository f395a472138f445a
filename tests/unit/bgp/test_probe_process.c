/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe_play.h"

#define MS CLOCK_NS_PER_MS

Test(probe_process, pid_files)
{
    static const struct {
        const char *text;
        int result;
        pid_t pid;
    } rows[] = {
        {"1\n", 0, 1},
        {"4194304", 0, 4194304},
        {"17 \t\r\n\n", 0, 17},
        {"", -EINVAL, 0},
        {"\n", -EINVAL, 0},
        {"0\n", -EINVAL, 0},
        {"-1\n", -EINVAL, 0},
        {"12x\n", -EINVAL, 0},
        {" 12", -EINVAL, 0},
        {"1\n2\n", -EINVAL, 0},
        {"4194305", -EINVAL, 0}, /* PID_MAX_LIMIT */
        {"99999999999999999999", -EINVAL, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pid_t pid = 0;

        cr_expect_eq(
            probe_process_parse_pid((const uint8_t *)rows[i].text, strlen(rows[i].text), &pid),
            rows[i].result, "%s", rows[i].text);
        cr_expect_eq(pid, rows[i].pid);
    }
}

struct place {
    char folder[32];
    char path[64];
};

static void place_make(struct place *place)
{
    memcpy(place->folder, "/tmp/probe_process_XXXXXX", 26);
    cr_assert(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/it", place->folder);
}

static void place_remove(const struct place *place)
{
    unlink(place->path);
    rmdir(place->folder);
}

static int listener_make(const struct place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", place->path);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A process that listens on the socket; ready when this returns. */
static pid_t server_start(int listener)
{
    int ready[2];
    char byte;
    pid_t pid;

    cr_assert_eq(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)listen(listener, 16);
        (void)!write(ready[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void server_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void expect(struct probe_play *play, enum health_observation observation,
                   enum probe_cause cause, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void expect(struct probe_play *play, enum health_observation observation,
                   enum probe_cause cause, const char *format, ...)
{
    char evidence[PROBE_EVIDENCE_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(evidence, sizeof(evidence), format, arguments);
    va_end(arguments);
    cr_assert_str_eq(play->outcome.evidence, evidence);
    cr_assert_eq(play->outcome.observation, observation);
    cr_assert_eq(play->outcome.cause, cause);
}

Test(probe_process, the_death_of_the_process_behind_a_socket_is_known_at_once)
{
    struct place place;
    struct probe_process_settings settings = {.control = place.path};
    struct probe_play play;
    int listener;
    pid_t pid;

    place_make(&place);
    probe_play_open(&play, &probe_process, &settings, 500 * MS);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_FAIL, PROBE_CAUSE_DEAD, "nobody listens on %s", place.path);
    cr_assert_eq(play.triggers_n, 0, "that is nothing new");
    listener = listener_make(&place);
    pid = server_start(listener);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_PASS, PROBE_CAUSE_NONE, "process %d lives", (int)pid);
    cr_assert_not(probe_play_ready(&play, 0, 0));
    kill(pid, SIGKILL); /* and nobody has waited for it yet */
    cr_assert(probe_play_ready(&play, 10000, 1));
    expect(&play, HEALTH_FAIL, PROBE_CAUSE_DEAD, "process %d has ended", (int)pid);
    cr_assert_eq(play.triggers_n, 1);
    cr_assert_eq(play.triggered, ADDRESS_NONE);
    waitpid(pid, NULL, 0);
    cr_assert_not(probe_play_ready(&play, 0, 2));
    cr_assert(probe_play_start(&play, 2));
    expect(&play, HEALTH_FAIL, PROBE_CAUSE_DEAD, "process %d has ended", (int)pid);
    cr_assert_eq(play.triggers_n, 1, "once");
    close(listener);
    cr_assert(probe_play_start(&play, 3));
    expect(&play, HEALTH_FAIL, PROBE_CAUSE_DEAD, "nobody listens on %s", place.path);
    probe_play_close(&play);
    place_remove(&place);
}

Test(probe_process, a_hand_over_is_no_death)
{
    struct place place;
    struct probe_process_settings settings = {.control = place.path};
    struct probe_play play;
    int listener;
    pid_t old, new;

    place_make(&place);
    listener = listener_make(&place);
    old = server_start(listener);
    probe_play_open(&play, &probe_process, &settings, 500 * MS);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_PASS, PROBE_CAUSE_NONE, "process %d lives", (int)old);
    new = server_start(listener);
    server_end(old);
    cr_assert(probe_play_ready(&play, 10000, 1));
    expect(&play, HEALTH_PASS, PROBE_CAUSE_NONE, "process %d lives, and has taken over from %d",
           (int)new, (int)old);
    cr_assert_eq(play.triggers_n, 0);
    /* the file may be removed: the process is the same */
    unlink(place.path);
    cr_assert(probe_play_start(&play, 2));
    expect(&play, HEALTH_PASS, PROBE_CAUSE_NONE, "process %d lives", (int)new);
    server_end(new);
    cr_assert(probe_play_ready(&play, 10000, 3));
    cr_assert_eq(play.triggers_n, 1);
    close(listener);
    probe_play_close(&play);
    place_remove(&place);
}

static void pid_write(const struct place *place, const char *format, int pid)
{
    FILE *file = fopen(place->path, "w");

    cr_assert(file);
    fprintf(file, format, pid);
    fclose(file);
}

Test(probe_process, a_pid_file)
{
    struct place place;
    struct probe_process_settings settings = {.pidfile = place.path};
    struct probe_play play;
    pid_t pid;

    place_make(&place);
    probe_play_open(&play, &probe_process, &settings, 500 * MS);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_FAIL, PROBE_CAUSE_DEAD, "%s does not exist", place.path);
    pid_write(&place, "pid %d\n", 1);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL, "%s holds no process id", place.path);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    pid_write(&place, "%d\n", pid);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_PASS, PROBE_CAUSE_NONE, "process %d lives", (int)pid);
    server_end(pid);
    cr_assert(probe_play_ready(&play, 10000, 1));
    expect(&play, HEALTH_FAIL, PROBE_CAUSE_DEAD, "process %d has ended", (int)pid);
    cr_assert_eq(play.triggers_n, 1);
    probe_play_close(&play);
    place_remove(&place);
}

Test(probe_process, what_may_not_be_asked_is_unknown)
{
    struct place place;
    struct probe_process_settings settings = {.control = place.path};
    struct probe_play play;
    int listener;

    if (geteuid() == 0) {
        cr_assert_eq(setresuid(65534, 65534, 65534), 0);
    }
    place_make(&place);
    listener = listener_make(&place);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(chmod(place.path, 0), 0);
    probe_play_open(&play, &probe_process, &settings, 500 * MS);
    cr_assert(probe_play_start(&play, 0));
    expect(&play, HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL, "%s: Permission denied", place.path);
    probe_play_close(&play);
    close(listener);
    place_remove(&place);
}

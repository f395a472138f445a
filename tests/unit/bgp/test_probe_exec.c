/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_exec.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe_play.h"

#define S CLOCK_NS_PER_S
#define LONG (60 * S)

static const struct probe_outcome *run(const char *program, const char *argument,
                                       const char *script, struct probe_play *play)
{
    static struct probe_exec_settings settings;

    settings = (struct probe_exec_settings){
        .command = {(char *)program, (char *)argument, (char *)script, NULL}};
    probe_play_open(play, &probe_exec, &settings, LONG);
    return probe_play_run(play);
}

static void expect_script(const char *script, enum health_observation observation,
                          enum probe_cause cause, const char *evidence)
{
    const unsigned before = probe_play_descriptors();
    struct probe_play play;
    const struct probe_outcome *outcome = run("sh", "-c", script, &play);

    cr_expect_eq(outcome->observation, observation, "%s", script);
    cr_expect_eq(outcome->cause, cause, "%s", script);
    cr_expect_str_eq(outcome->evidence, evidence);
    probe_play_close(&play);
    cr_expect_eq(probe_play_descriptors(), before, "%s", script);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "%s: nobody is left to wait for", script);
}

Test(probe_exec, what_the_exit_status_means)
{
    expect_script("exit 0", HEALTH_PASS, PROBE_CAUSE_NONE, "exit 0");
    expect_script("echo well; echo second", HEALTH_PASS, PROBE_CAUSE_NONE, "exit 0: well");
    expect_script("echo bad; exit 1", HEALTH_FAIL, PROBE_CAUSE_WRONG, "exit 1: bad");
    expect_script("echo what; exit 2", HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL, "exit 2: what");
    expect_script("exit 127", HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL, "exit 127");
    expect_script("kill -9 $$", HEALTH_UNKNOWN, PROBE_CAUSE_INTERNAL, "killed by signal 9");
    expect_script("printf 'a\\033[1m\\000b'", HEALTH_PASS, PROBE_CAUSE_NONE, "exit 0: a?[1m?b");
    expect_script("echo to people >&2", HEALTH_PASS, PROBE_CAUSE_NONE, "exit 0");
}

Test(probe_exec, a_program_that_is_not_there_is_no_failure_of_the_service)
{
    struct probe_play play;
    const struct probe_outcome *outcome = run("/nonexistent/probe", NULL, NULL, &play);

    cr_assert_eq(outcome->observation, HEALTH_UNKNOWN);
    cr_assert_str_eq(outcome->evidence, "exit 127: No such file or directory");
    probe_play_close(&play);
}

Test(probe_exec, arguments_meet_no_shell)
{
    struct probe_play play;
    const struct probe_outcome *outcome = run("echo", "$HOME; exit 1", "*", &play);

    cr_assert_str_eq(outcome->evidence, "exit 0: $HOME; exit 1 *");
    probe_play_close(&play);
}

Test(probe_exec, a_long_line_is_cut_and_a_flood_held_up)
{
    struct probe_play play;
    const struct probe_outcome *outcome =
        run("sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; exit 1", &play);

    cr_assert_eq(outcome->observation, HEALTH_FAIL);
    cr_assert_eq(strlen(outcome->evidence), PROBE_EVIDENCE_LEN - 1);
    probe_play_close(&play);
}

Test(probe_exec, it_gets_no_descriptor_and_no_signal_mask_of_ours)
{
    struct probe_play play;
    const struct probe_outcome *outcome;
    int leaky = open("/dev/null", O_RDONLY); /* as a library may have left it */
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    outcome = run("sh", "-c",
                  "exec 3</proc/self/fd/0; echo $(readlink /proc/$$/fd/0 /proc/$$/fd/2) "
                  "$(ls /proc/$$/fd | wc -w) $(grep -E 'Sig(Blk|Ign)' /proc/$$/status)",
                  &play);
    /* 0, 1, 2 and the 3 it has opened itself; a shell may keep one more for its own */
    cr_assert(strstr(outcome->evidence, "exit 0: /dev/null /dev/null 4 ") ||
                  strstr(outcome->evidence, "exit 0: /dev/null /dev/null 5 "),
              "%s", outcome->evidence);
    cr_assert(strstr(outcome->evidence, "SigBlk:?0000000000000000 SigIgn:?0000000000000000") ||
                  strstr(outcome->evidence, "SigBlk: 0000000000000000 SigIgn: 0000000000000000"),
              "%s", outcome->evidence);
    probe_play_close(&play);
    close(leaky);
}

/* The process group of a command that is running. */
static pid_t group_of(const char *file)
{
    char text[32] = "";

    for (int i = 0; i < 10000 && !strchr(text, '\n'); i++) {
        FILE *input = fopen(file, "r");

        if (input) {
            (void)!fgets(text, sizeof(text), input);
            fclose(input);
        }
        usleep(1000);
    }
    cr_assert(strchr(text, '\n'));
    return (pid_t)strtol(text, NULL, 10);
}

static void await_end_of_group(pid_t group)
{
    for (int i = 0; i < 10000 && kill(-group, 0) == 0; i++) {
        usleep(1000);
    }
    cr_assert_neq(kill(-group, 0), 0);
}

static void script_format(char *script, size_t size, const char *file, const char *format)
{
    unlink(file);
    snprintf(script, size, format, file);
}

Test(probe_exec, one_that_does_not_end_is_asked_and_then_killed_with_its_children)
{
    char file[] = "/tmp/probe_exec_XXXXXX", script[256];
    struct probe_exec_settings settings = {.command = {(char *)"sh", (char *)"-c", script, NULL}};
    struct probe_play play;
    int made = mkstemp(file);
    pid_t group;

    close(made);
    script_format(script, sizeof(script), file,
                  "trap 'echo asked' TERM; sleep 600 & echo $$ >%s; while :; do sleep 601; done");
    probe_play_open(&play, &probe_exec, &settings, 10 * S);
    cr_assert_not(probe_play_start(&play, 0));
    cr_assert_eq(probe_deadline_ns(&play.probe), 9 * S);
    group = group_of(file);
    cr_assert_neq(group, getpgrp());
    cr_assert_not(probe_run(&play.probe, 9 * S, &play.outcome));
    cr_assert_eq(probe_deadline_ns(&play.probe), 10 * S);
    cr_assert_eq(kill(group, 0), 0, "it does not end for that");
    while (!strstr(play.outcome.evidence, "asked")) { /* its line is in the pipe, some time */
        cr_assert_not(probe_play_ready(&play, 10, 9 * S));
        if (probe_run(&play.probe, 10 * S, &play.outcome)) {
            break;
        }
    }
    cr_assert_eq(play.outcome.observation, HEALTH_FAIL);
    cr_assert_eq(play.outcome.cause, PROBE_CAUSE_SILENT);
    cr_assert(strstr(play.outcome.evidence, "not done in 10000 ms"), "%s", play.outcome.evidence);
    /* it is waited for between probes */
    for (int i = 0; i < 1000 && waitpid(-1, NULL, WNOHANG | __WALL) != -1; i++) {
        cr_assert_not(probe_play_ready(&play, 10, 11 * S));
    }
    await_end_of_group(group);
    probe_play_close(&play);
    unlink(file);
}

Test(probe_exec, one_that_ends_when_asked_was_too_late_all_the_same)
{
    struct probe_exec_settings settings = {
        .command = {(char *)"sh", (char *)"-c",
                    (char *)"trap 'exit 0' TERM; echo up; sleep 600 & "
                            "wait",
                    NULL}};
    struct probe_play play;

    probe_play_open(&play, &probe_exec, &settings, 10 * S);
    cr_assert_not(probe_play_start(&play, 0));
    cr_assert_not(probe_play_ready(&play, 10000, 0));
    cr_assert_not(probe_run(&play.probe, 9 * S, &play.outcome));
    while (!probe_play_ready(&play, 10, 9 * S)) {
    }
    cr_assert_eq(play.outcome.observation, HEALTH_FAIL);
    cr_assert_str_eq(play.outcome.evidence, "not done in 10000 ms: up");
    probe_play_close(&play);
}

Test(probe_exec, one_that_ended_while_we_slept_was_in_time)
{
    struct probe_exec_settings settings = {.command = {(char *)"echo", (char *)"fine", NULL}};
    struct probe_play play;
    siginfo_t info;

    probe_play_open(&play, &probe_exec, &settings, 10 * S);
    cr_assert_not(probe_play_start(&play, 0));
    cr_assert_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    cr_assert(probe_run(&play.probe, 100 * S, &play.outcome));
    cr_assert_eq(play.outcome.observation, HEALTH_PASS);
    cr_assert_str_eq(play.outcome.evidence, "exit 0: fine");
    probe_play_close(&play);
}

Test(probe_exec, what_is_given_up_is_killed_and_the_next_starts_at_once)
{
    struct probe_exec_settings settings = {
        .command = {(char *)"sh", (char *)"-c", (char *)"sleep 600 & sleep 601", NULL}};
    const unsigned before = probe_play_descriptors();
    struct probe_play play;

    probe_play_open(&play, &probe_exec, &settings, LONG);
    for (int i = 0; i < 20; i++) {
        if (probe_play_start(&play, 0)) { /* those before are being killed */
            cr_assert_eq(play.outcome.observation, HEALTH_UNKNOWN, "%s", play.outcome.evidence);
            (void)probe_play_ready(&play, 100, 0);
        }
        probe_cancel(&play.probe);
    }
    for (int i = 0; i < 1000 && waitpid(-1, NULL, WNOHANG | WNOWAIT) != -1; i++) {
        (void)probe_play_ready(&play, 10, 0);
    }
    probe_play_close(&play);
    cr_assert_eq(probe_play_descriptors(), before);
}

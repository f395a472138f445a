/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fork() rather than posix_spawn(): the latter holds the parent until the new program is read from
 * disk, and a file system that hangs must not hold the loop. Between fork() and exec there are only
 * system calls.
 */
#include "bgp/probe/probe_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define COMMANDS_MAX 4    /* one that runs, and killed ones that have not ended yet */
#define READS_PER_WAKE 16 /* a command that never stops printing must not hold the loop */
#define EXIT_NOT_STARTED 127

struct command {
    pid_t pid; /* 0: a free place */
    int pidfd;
};

struct state {
    struct command commands[COMMANDS_MAX];
    struct command *running; /* NULL: none */
    int output;
    bool asked_to_end;
    bool line_ended;
    size_t line_len;
    char line[PROBE_EVIDENCE_LEN];
};

static const struct probe_exec_settings *settings(const struct probe *probe)
{
    return probe->check->settings;
}

/* --- the child --- */

static _Noreturn void child_run(char *const *command, int output, pid_t parent)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    const char *reason;
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || setpgid(0, 0) < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(nothing, STDERR_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        close_range(3, ~0U, 0) < 0) {
        _exit(EXIT_NOT_STARTED);
    }
    execvp(command[0], command);
    reason = strerrordesc_np(errno);
    (void)!write(STDOUT_FILENO, reason, strlen(reason));
    _exit(EXIT_NOT_STARTED);
}

/* 0 or a negative errno value. */
static int child_start(const struct probe *probe, struct command *command, int output)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();

    if (pid == 0) {
        child_run(settings(probe)->command, output, parent);
    }
    if (pid < 0) {
        return -errno;
    }
    (void)setpgid(pid, pid); /* whoever of the two comes first: it can be killed from here on */
    *command = (struct command){.pid = pid, .pidfd = pidfd_open(pid, 0)};
    return command->pidfd < 0 ? -errno : probe_watch(probe, command->pidfd, EPOLLIN);
}

/* --- the end of a command --- */

static void command_kill(const struct command *command, int signal_)
{
    (void)kill(-command->pid, signal_);
}

/* True if it has ended. What it left behind ends with it: its group's number cannot be another's
 * before it is waited for. */
static bool command_reap(struct command *command, siginfo_t *ret_info)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)command->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0) {
        return false;
    }
    command_kill(command, SIGKILL);
    (void)waitid(P_PID, (id_t)command->pid, ret_info, WEXITED | WNOHANG);
    fd_close(&command->pidfd);
    command->pid = 0;
    return true;
}

/* A free place, once those that were killed and have ended are out of the way; or NULL. */
static struct command *command_place(struct state *state)
{
    struct command *place = NULL;

    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        struct command *command = &state->commands[i];
        siginfo_t info = {0};

        if (command != state->running && (!command->pid || command_reap(command, &info))) {
            place = command;
        }
    }
    return place;
}

/* --- its output --- */

static void line_add(struct state *state, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !state->line_ended; i++) {
        if (bytes[i] == '\n' || state->line_len + 1 == sizeof(state->line)) {
            state->line_ended = true;
        } else {
            /* a NUL would end the evidence before its time */
            state->line[state->line_len++] = bytes[i] ? bytes[i] : '?';
        }
    }
    state->line[state->line_len] = '\0';
}

static void output_read(struct state *state)
{
    char bytes[4096];

    for (int i = 0; i < READS_PER_WAKE && state->output >= 0; i++) {
        const ssize_t len = read(state->output, bytes, sizeof(bytes));

        if (len > 0) {
            line_add(state, bytes, (size_t)len);
        } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
            fd_close(&state->output);
        } else {
            return;
        }
    }
}

/* --- the probe --- */

bool probe_exec_judge(int code, int status, const char *line, struct probe_outcome *ret_outcome)
{
    const char *colon = *line ? ": " : "";

    if (code == CLD_EXITED && status == 0) {
        return outcome_pass(ret_outcome, "exit 0%s%s", colon, line);
    }
    if (code == CLD_EXITED && status == 1) {
        return outcome_fail(ret_outcome, PROBE_CAUSE_WRONG, "exit 1%s%s", colon, line);
    }
    if (code == CLD_EXITED) {
        return outcome_unknown(ret_outcome, "exit %d%s%s", status, colon, line);
    }
    return outcome_unknown(ret_outcome, "killed by signal %d%s%s", status, colon, line);
}

static bool silent(const struct probe *probe, const struct state *state,
                   struct probe_outcome *outcome)
{
    return outcome_fail(outcome, PROBE_CAUSE_SILENT, "not done in %lld ms%s%s",
                        (long long)(probe->check->timeout_ns / CLOCK_NS_PER_MS),
                        state->line_len ? ": " : "", state->line);
}

static bool exec_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    struct command *place = command_place(state);
    int ends[2];
    int result;

    state->output = -1;
    state->asked_to_end = state->line_ended = false;
    state->line_len = 0;
    state->line[0] = '\0';
    if (!place) {
        return outcome_unknown(ret_outcome, "%d commands were killed and have not ended yet",
                               COMMANDS_MAX);
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return outcome_unknown(ret_outcome, "making a pipe: %s", strerror(errno));
    }
    state->output = ends[0];
    result = fd_set_nonblocking(ends[0]);
    result = result ? result : probe_watch(probe, ends[0], EPOLLIN);
    result = result ? result : child_start(probe, place, ends[1]);
    fd_close(&ends[1]);
    state->running = place->pid ? place : NULL;
    if (result < 0) {
        return outcome_unknown(ret_outcome, "starting the command: %s", strerror(-result));
    }
    probe->wake_ns = now_ns + probe->check->timeout_ns / 10 * 9;
    return false;
}

static bool exec_ready(struct probe *probe, int fd, uint32_t events, int64_t now_ns,
                       struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;
    siginfo_t info = {0};

    (void)events;
    (void)now_ns;
    if (state->running && fd == state->output) {
        output_read(state);
        return false;
    }
    if (!state->running || fd != state->running->pidfd) {
        (void)command_place(state); /* one that was killed */
        return false;
    }
    if (!command_reap(state->running, &info)) {
        return false;
    }
    state->running = NULL;
    output_read(state);
    return state->asked_to_end
               ? silent(probe, state, ret_outcome)
               : probe_exec_judge(info.si_code, info.si_status, state->line, ret_outcome);
}

static bool exec_wake(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    (void)now_ns;
    (void)ret_outcome;
    state->asked_to_end = true;
    command_kill(state->running, SIGTERM);
    return false;
}

static bool exec_expire(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    struct state *state = probe->state;

    /* If it was us who slept, it may have ended in time. */
    return (!state->asked_to_end &&
            exec_ready(probe, state->running->pidfd, EPOLLIN, now_ns, ret_outcome)) ||
           silent(probe, state, ret_outcome);
}

static void exec_end(struct probe *probe)
{
    struct state *state = probe->state;
    if (state->running) {
        command_kill(state->running, SIGKILL); /* waited for when it has ended */
        state->running = NULL;
    }
    if (probe->in_flight) {
        fd_close(&state->output);
    }
}

/* One that does not end even now is the init process's. */
static void exec_done(struct probe *probe)
{
    struct state *state = probe->state;

    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        if (state->commands[i].pid) {
            fd_close(&state->commands[i].pidfd);
        }
    }
}

const struct probe_type probe_exec = {
    .name = "exec",
    .state_len = sizeof(struct state),
    .start = exec_start,
    .ready = exec_ready,
    .wake = exec_wake,
    .expire = exec_expire,
    .end = exec_end,
    .done = exec_done,
};

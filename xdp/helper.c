/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/helper.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/fd.h"

/* A network card may reset its link when a program comes. */
#define HELPER_ANSWER_S 10

enum helper_verb {
    HELPER_ATTACH = 1,
    HELPER_CLAIM,
    HELPER_DETACH,
    HELPER_WAIT,
};

struct helper_request {
    uint32_t verb;
    uint32_t place;
};

struct helper_response {
    int32_t code;
    struct xdp_link_status status; /* HELPER_ATTACH */
};

struct helper {
    pid_t pid;
    int fd;
};

/* --- the process --- */

/* A map of maps and what is in it: updating one returns only after every program that was running
 * has ended, since it may use what was in there before. */
struct helper_barrier {
    int outer_fd;
    int inner_fd;
};

static int helper_barrier_open(struct helper_barrier *barrier)
{
    LIBBPF_OPTS(bpf_map_create_opts, options);

    *barrier = (struct helper_barrier){-1, -1};
    barrier->inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "barrier", 4, 4, 1, NULL);
    if (barrier->inner_fd < 0) {
        return -errno;
    }
    options.inner_map_fd = (__u32)barrier->inner_fd;
    barrier->outer_fd =
        bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "barrier_outer", 4, 4, 1, &options);
    return barrier->outer_fd < 0 ? -errno : 0;
}

static int helper_barrier_pass(const struct helper_barrier *barrier)
{
    uint32_t key = 0;

    return bpf_map_update_elem(barrier->outer_fd, &key, &barrier->inner_fd, BPF_ANY) < 0 ? -errno
                                                                                         : 0;
}

static void helper_answer(struct links *links, const struct helper_barrier *barrier,
                          const struct helper_request *request, struct helper_response *response)
{
    *response = (struct helper_response){.code = -EINVAL};
    switch ((enum helper_verb)request->verb) {
    case HELPER_ATTACH:
        if (request->place < links->place_n) {
            response->code = links_attach(links, request->place, &response->status);
        }
        break;
    case HELPER_CLAIM:
        response->code = links_claim(links);
        break;
    case HELPER_DETACH:
        response->code = links_detach(links);
        break;
    case HELPER_WAIT:
        response->code = helper_barrier_pass(barrier);
        break;
    }
}

static int helper_keep_capabilities(void)
{
    static const unsigned wanted[] = {CAP_NET_ADMIN, CAP_BPF};
    bool whole = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP); /* the bounding set too */
    bool held[sizeof(wanted) / sizeof(wanted[0])];

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        held[i] = capng_have_capability(CAPNG_PERMITTED, wanted[i]);
    }
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (held[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, wanted[i]) < 0) {
            return -EPERM;
        }
    }
    return capng_apply(whole ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

/* The bpf file system, the rtnetlink socket that tells what is on an interface, its own socket. */
static const int helper_calls[] = {
    SCMP_SYS(bpf),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(socket),
    SCMP_SYS(bind),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(ioctl), /* if_nametoindex() */
    SCMP_SYS(close),
    SCMP_SYS(unlink),
    SCMP_SYS(rename),
    SCMP_SYS(rmdir),
    SCMP_SYS(openat), /* opendir() */
    SCMP_SYS(getdents64),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statfs),
    SCMP_SYS(fcntl),
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(getpid),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(time),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit_group),
};

static int helper_confine(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? 0 : -ENOMEM;

    for (size_t i = 0; i < sizeof(helper_calls) / sizeof(helper_calls[0]) && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, helper_calls[i], 0);
        error = error == -EDOM || error == -EINVAL ? 0 : error; /* none of this machine's */
    }
    error = error ? error : seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

#define HELPER_FDS (PROGRAM_MAPS + 4u)

static int helper_compare_fds(const void *a, const void *b)
{
    const int *left = (const int *)a;
    const int *right = (const int *)b;

    return (*left > *right) - (*left < *right);
}

/* The daemon's other descriptors are not ours to keep open: a pipe whose end somebody waits for, a
 * lock. stderr stays. */
static int helper_close_others(int fd, const struct links *links,
                               const struct helper_barrier *barrier)
{
    int kept[HELPER_FDS] = {fd, links->program->fd, barrier->outer_fd, barrier->inner_fd};
    unsigned from = STDERR_FILENO + 1;
    int null_fd;

    memcpy(kept + 4, links->program->map_fds, sizeof(links->program->map_fds));
    qsort(kept, HELPER_FDS, sizeof(kept[0]), helper_compare_fds);
    for (size_t i = 0; i < HELPER_FDS; i++) {
        unsigned keep = (unsigned)kept[i];

        if (kept[i] >= (int)from) {
            if (keep > from && close_range(from, keep - 1, 0) < 0) {
                return -errno;
            }
            from = keep + 1;
        }
    }
    if (close_range(from, ~0u, 0) < 0) {
        return -errno;
    }
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0) {
        (void)dup2(null_fd, STDIN_FILENO);
        (void)dup2(null_fd, STDOUT_FILENO);
        close(null_fd);
    }
    return 0;
}

/* A manager's signals go to all processes of a service; the daemon may still need us to let go. */
static void helper_ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGQUIT};
    sigset_t none;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int helper_prepare(int fd, const struct links *links, struct helper_barrier *barrier)
{
    int error = helper_barrier_open(barrier);

    helper_ignore_signals();
    (void)prctl(PR_SET_NAME, "isochrone-xdp", 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    error = error ? error : helper_close_others(fd, links, barrier);
    error = error ? error : helper_keep_capabilities();
    return error ? error : helper_confine();
}

static _Noreturn void helper_run(int fd, const struct links *borrowed)
{
    struct links links = *borrowed;
    struct helper_barrier barrier;
    struct helper_response response = {.code = helper_prepare(fd, &links, &barrier)};
    struct helper_request request;
    ssize_t got = 0;

    while (send(fd, &response, sizeof(response), MSG_NOSIGNAL) == (ssize_t)sizeof(response)) {
        do {
            got = recv(fd, &request, sizeof(request), 0);
        } while (got < 0 && errno == EINTR);
        if (got <= 0) {
            break;
        }
        if (got == (ssize_t)sizeof(request)) {
            helper_answer(&links, &barrier, &request, &response);
        } else {
            response = (struct helper_response){.code = -EINVAL};
        }
    }
    _exit(0);
}

/* --- the daemon's side --- */

static int helper_receive(struct helper *helper, struct helper_response *ret_response)
{
    ssize_t got;

    do {
        got = recv(helper->fd, ret_response, sizeof(*ret_response), 0);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof(*ret_response)) {
        return ret_response->code;
    }
    /* an answer that comes late would be taken for the next one's: no more questions */
    got = got < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
    fd_close(&helper->fd);
    return (int)got;
}

static int helper_ask(struct helper *helper, enum helper_verb verb, size_t place,
                      struct helper_response *ret_response)
{
    struct helper_request request = {.verb = (uint32_t)verb, .place = (uint32_t)place};

    if (helper->fd < 0 || send(helper->fd, &request, sizeof(request), MSG_NOSIGNAL) < 0) {
        return -EPIPE;
    }
    return helper_receive(helper, ret_response);
}

int helper_start(const struct links *links, struct helper **ret_helper, struct failure *failure)
{
    struct timeval limit = {.tv_sec = HELPER_ANSWER_S};
    struct helper *helper = calloc(1, sizeof(*helper));
    struct helper_response hello;
    int fds[2];
    int error;

    if (!helper || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
        error = helper ? -errno : -ENOMEM;
        free(helper);
        return failure_set(failure, error, "XDP helper: %s", strerror(-error));
    }
    helper->pid = fork();
    if (helper->pid == 0) {
        close(fds[0]);
        helper_run(fds[1], links);
    }
    error = helper->pid < 0 ? -errno : 0;
    close(fds[1]);
    helper->fd = fds[0];
    (void)setsockopt(helper->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    error = error ? error : helper_receive(helper, &hello);
    if (error < 0) {
        helper_stop(helper);
        return failure_set(failure, error, "the XDP helper did not start: %s", strerror(-error));
    }
    *ret_helper = helper;
    return 0;
}

int helper_attach(struct helper *helper, size_t place, struct xdp_link_status *ret_status)
{
    struct helper_response response;
    int error = helper_ask(helper, HELPER_ATTACH, place, &response);

    if (error == 0) {
        *ret_status = response.status;
    }
    return error;
}

int helper_claim(struct helper *helper)
{
    struct helper_response response;

    return helper_ask(helper, HELPER_CLAIM, 0, &response);
}

int helper_detach(struct helper *helper)
{
    struct helper_response response;

    return helper_ask(helper, HELPER_DETACH, 0, &response);
}

int helper_wait_for_programs(struct helper *helper)
{
    struct helper_response response;

    return helper_ask(helper, HELPER_WAIT, 0, &response);
}

void helper_stop(struct helper *helper)
{
    if (helper) {
        fd_close(&helper->fd);
        while (helper->pid > 0 && waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        free(helper);
    }
}

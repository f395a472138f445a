/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int privileges_find(const char *user, struct privileges_user *ret_user, struct failure *failure)
{
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    int code = getpwnam_r(user, &entry, buffer, sizeof(buffer), &found);

    if (!found) {
        return failure_set(failure, code ? -code : -ENOENT, "user '%s': %s", user,
                           code ? strerror(code) : "there is nobody of that name");
    }
    ret_user->uid = found->pw_uid;
    ret_user->gid = found->pw_gid;
    return 0;
}

int privileges_reduce(const struct privileges_user *user, struct failure *failure)
{
    static const unsigned wanted[] = {CAP_NET_BIND_SERVICE, CAP_NET_ADMIN};
    int code = 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return failure_set(failure, -errno, "no_new_privs: %s", strerror(errno));
    }
    if (user && geteuid() != 0 && geteuid() != user->uid) {
        return failure_set(failure, -EPERM,
                           "only root can run as another user: start as root or leave 'user' out");
    }
    if (!user || geteuid() != 0) {
        return 0;
    }
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (prctl(PR_CAPBSET_READ, wanted[i], 0, 0, 0) == 1) { /* a container may lack it */
            code |= capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, wanted[i]);
        }
    }
    if (code == 0) {
        code = capng_change_id((int)user->uid, (int)user->gid,
                               CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    }
    return code < 0 ? failure_set(failure, -EPERM, "cannot become user %u (step %d)",
                                  (unsigned)user->uid, code)
                    : 0;
}

int privileges_drop(struct failure *failure)
{
    capng_clear(CAPNG_SELECT_CAPS);
    if (geteuid() != 0 && capng_apply(CAPNG_SELECT_CAPS) < 0) {
        return failure_set(failure, -EPERM, "cannot give up capabilities");
    }
    return 0;
}

/* What serving needs: sockets that exist and new connections, files, memory, threads, time. Nothing
 * that starts a program, traces another, mounts, loads code into the kernel or changes who we are.
 */
static const int privileges_calls[] = {
    /* workers */
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(readv),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    /* the service manager's socket, the metrics server */
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(ioctl),
    SCMP_SYS(sendfile),
    /* handing over to another process, see replace.h */
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(listen), /* the control socket is ours again */
    /* files */
    SCMP_SYS(openat),
    SCMP_SYS(open),
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(fstatfs),
    SCMP_SYS(statfs),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(getdents64),
    SCMP_SYS(fcntl),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(fchmod),
    SCMP_SYS(umask),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(getcwd),
    SCMP_SYS(fadvise64),
    SCMP_SYS(dup),
    /* memory, threads, time */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(getrandom),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getrusage),
    SCMP_SYS(prctl),
};

int privileges_confine(struct failure *failure)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int code = filter ? 0 : -ENOMEM;

    for (size_t i = 0; i < sizeof(privileges_calls) / sizeof(privileges_calls[0]) && code == 0;
         i++) {
        /* a call this machine does not have is no loss */
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, privileges_calls[i], 0);
        code = code == -EDOM || code == -EINVAL ? 0 : code;
    }
    if (code == 0) {
        code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* the other threads too */
    }
    if (code == 0) {
        /* no code of others runs here, so speculation need not be slowed down for it */
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        code = seccomp_load(filter);
    }
    seccomp_release(filter);
    return code < 0
               ? failure_set(failure, code, "system calls cannot be confined: %s", strerror(-code))
               : 0;
}

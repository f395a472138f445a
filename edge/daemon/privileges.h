/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From root to the configured user in two steps: first only what binding sockets needs is kept, so
 * that files are read as the user; then, with the sockets open, nothing. Before any thread is
 * started: capabilities belong to threads.
 */
#ifndef EDGE_PRIVILEGES_H
#define EDGE_PRIVILEGES_H

#include <sys/types.h>

#include "base/failure.h"

struct privileges_user {
    uid_t uid;
    gid_t gid;
};

/* -ENOENT: nobody of that name. */
int privileges_find(const char *user, struct privileges_user *ret_user, struct failure *failure);

/* Becomes the user (NULL: stays who it is) and keeps CAP_NET_BIND_SERVICE and CAP_NET_ADMIN (socket
 * buffers over the system's limit), if it has them. No process started from here can gain
 * privileges again. */
int privileges_reduce(const struct privileges_user *user, struct failure *failure);

/* Gives up what is left. Root that was told no `user` stays root: its files may be readable to
 * nobody else. */
int privileges_drop(struct failure *failure);

/* From here on all threads may only make the system calls that serving, reloading and logging need;
 * any other fails with EPERM. After every thread has started. -errno where the kernel or a
 * container does not allow it. */
int privileges_confine(struct failure *failure);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
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

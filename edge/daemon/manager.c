/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "edge/daemon/listeners.h"
#include "edge/daemon/replace.h"

void manager_adopt(struct listeners *listeners)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);

    for (int i = 0; i < n; i++) {
        struct failure failure;
        int fd = SD_LISTEN_FDS_START + i;

        if (listeners_adopt(listeners, fd, names ? names[i] : NULL, &failure) < 0) {
            log_warning("socket '%s' of the service manager: %s", names ? names[i] : "?",
                        failure.text);
        }
    }
    for (int i = 0; names && i < n; i++) {
        free(names[i]);
    }
    free(names);
}

/* FDPOLL=0: that a socket has an error to report is no reason to forget it. */
void manager_store(const struct listeners *listeners)
{
    if (!getenv("NOTIFY_SOCKET")) {
        return;
    }
    for (size_t i = 0; i < listeners->n; i++) {
        const struct listener *listener = &listeners->items[i];
        char text[LISTENERS_NAME_SIZE + 64];
        int code;

        snprintf(text, sizeof(text),
                 listener->leaving ? "FDSTOREREMOVE=1\nFDNAME=%s"
                                   : "FDSTORE=1\nFDPOLL=0\nFDNAME=%s",
                 listener->name);
        code = listener->leaving ? sd_notify(0, text)
                                 : sd_pid_notify_with_fds(0, 0, text, &listener->fd, 1);
        if (code < 0) {
            log_warning("socket %s is not kept by the service manager: %s", listener->name,
                        strerror(-code));
        }
    }
}

void manager_ready(void)
{
    sd_notify(0, "READY=1");
}

void manager_change_process(void)
{
    int code = sd_notifyf(0, "MAINPID=%lld\nREADY=1", (long long)getpid());

    if (code > 0) {
        code = sd_notify_barrier(0, REPLACE_MANAGER_WAIT_NS / 1000);
    }
    if (code < 0) {
        log_warning("the service manager does not take note of us: %s", strerror(-code));
    }
}

uint64_t manager_watchdog_usec(uint64_t inherited)
{
    uint64_t usec = 0;

    return sd_watchdog_enabled(0, &usec) > 0 ? usec : inherited;
}

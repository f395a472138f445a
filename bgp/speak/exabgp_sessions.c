/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/speak/exabgp_sessions.h"

static struct exabgp_session_status *session_find(struct exabgp_sessions *sessions,
                                                  const struct address *peer, int64_t now_ns)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (address_compare(&sessions->list[i].peer, peer) == 0) {
            return &sessions->list[i];
        }
    }
    if (sessions->count == EXABGP_SESSIONS_MAX) {
        return NULL;
    }
    sessions->list[sessions->count] =
        (struct exabgp_session_status){.peer = *peer, .since_ns = now_ns};
    return &sessions->list[sessions->count++];
}

bool exabgp_sessions_set(struct exabgp_sessions *sessions, const struct address *peer,
                         enum exabgp_session session, int64_t now_ns)
{
    struct exabgp_session_status *status = session_find(sessions, peer, now_ns);
    bool was_up;

    if (!status || status->session == session) {
        return false;
    }
    was_up = status->session == EXABGP_SESSION_UP;
    status->session = session;
    status->since_ns = now_ns;
    return was_up || session == EXABGP_SESSION_UP;
}

void exabgp_sessions_start(struct exabgp_sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) {
        sessions->list[i].listed = false;
    }
}

bool exabgp_sessions_listed(struct exabgp_sessions *sessions, const struct address *peer,
                            int64_t now_ns)
{
    struct exabgp_session_status *status = session_find(sessions, peer, now_ns);

    if (status) {
        status->listed = true;
    }
    return exabgp_sessions_set(sessions, peer, EXABGP_SESSION_UP, now_ns);
}

const struct exabgp_session_status *exabgp_sessions_next_missing(struct exabgp_sessions *sessions,
                                                                 int64_t now_ns)
{
    for (size_t i = 0; i < sessions->count; i++) {
        struct exabgp_session_status *status = &sessions->list[i];

        if (!status->listed && status->session == EXABGP_SESSION_UP) {
            status->session = EXABGP_SESSION_DOWN;
            status->since_ns = now_ns;
            return status;
        }
    }
    return NULL;
}

size_t exabgp_sessions_up(const struct exabgp_sessions *sessions)
{
    size_t up_n = 0;

    for (size_t i = 0; i < sessions->count; i++) {
        up_n += sessions->list[i].session == EXABGP_SESSION_UP;
    }
    return up_n;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fleet.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "edge/daemon/states_file.h"

const char *fleet_status_name(enum fleet_status status)
{
    switch (status) {
    case FLEET_OK:
        return "ok";
    case FLEET_MISSING:
        return "missing";
    case FLEET_INVALID:
        return "invalid";
    case FLEET_HELD:
        return "held";
    }
    return "unknown";
}

int fleet_open(struct fleet_feed *feed, const char *path, const char *place, const char *state_dir)
{
    uint8_t digest[32];

    *feed = (struct fleet_feed){.path = strdup(path), .place = strdup(place)};
    if (!feed->path || !feed->place || !state_dir) {
        return feed->path && feed->place ? 0 : -ENOMEM;
    }
    SHA256((const uint8_t *)path, strlen(path), digest);
    if (asprintf(&feed->copy, "%s/fleet-%02x%02x%02x%02x.yaml", state_dir, digest[0], digest[1],
                 digest[2], digest[3]) < 0) {
        feed->copy = NULL;
        return -ENOMEM;
    }
    return 0;
}

void fleet_done(struct fleet_feed *feed)
{
    free(feed->path);
    free(feed->place);
    free(feed->copy);
    *feed = (struct fleet_feed){0};
}

static void fleet_set(struct fleet_feed *feed, enum fleet_status status, int64_t now_s)
{
    if (feed->status != status || !feed->since_s) {
        feed->status = status;
        feed->since_s = now_s;
    }
}

static bool fleet_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int fleet_read(const char *path, int64_t set_s, struct states_source *ret_source,
                      bool *ret_force, struct failure *failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code = fd_read_file(path, STATES_FILE_MAX, &bytes, &len, failure);

    if (code < 0) {
        return code;
    }
    code = states_fleet_parse(path, bytes, len, set_s, ret_source, ret_force, failure);
    free(bytes);
    return code;
}

enum fleet_news fleet_poll(struct fleet_feed *feed, bool always, int64_t now_s,
                           struct states_source *ret_source, bool *ret_force)
{
    struct stat status;
    int code;

    if (stat(feed->path, &status) < 0) {
        bool news = feed->status != FLEET_MISSING || !feed->attempted;

        (void)failure_set(&feed->fault, -errno, "%s: %s: %s", feed->place, feed->path,
                          strerror(errno));
        fleet_set(feed, FLEET_MISSING, now_s);
        feed->attempted = true;
        return news || always ? FLEET_FAULT : FLEET_NOTHING;
    }
    if (feed->attempted && feed->status != FLEET_MISSING && !always &&
        fleet_same_file(&status, &feed->seen)) {
        return FLEET_NOTHING;
    }
    feed->attempted = true;
    feed->seen = status;
    code = fleet_read(feed->path, status.st_mtim.tv_sec, ret_source, ret_force, &feed->fault);
    if (code < 0) {
        fleet_set(feed, FLEET_INVALID, now_s);
        return FLEET_FAULT;
    }
    return FLEET_NEWS;
}

int fleet_recall(const struct fleet_feed *feed, int64_t now_s, struct states_source *ret_source)
{
    bool force;

    return feed->copy ? fleet_read(feed->copy, now_s, ret_source, &force, NULL) : -ENOENT;
}

int fleet_accept(struct fleet_feed *feed, int64_t now_s, struct failure *failure)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code;

    fleet_set(feed, FLEET_OK, now_s);
    feed->accepted_s = now_s;
    feed->fault.text[0] = '\0';
    if (!feed->copy) {
        return 0;
    }
    code = fd_read_file(feed->path, STATES_FILE_MAX, &bytes, &len, failure);
    if (code == 0) {
        code = fd_replace_file(feed->copy, bytes, len, 0600, failure);
        free(bytes);
    }
    return code;
}

void fleet_hold(struct fleet_feed *feed, int64_t now_s, const char *service)
{
    fleet_set(feed, FLEET_HELD, now_s);
    (void)failure_set(&feed->fault, -EPERM,
                      "%s: held, the last states stay: it would leave service '%s' with nobody "
                      "(say 'force: true' in the file to mean it)",
                      feed->path, service);
}

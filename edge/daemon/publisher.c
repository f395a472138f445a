/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/publisher.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "base/clock.h"
#include "edge/daemon/states_file.h"

/* --- from parts to a published snapshot --- */

/* What was configured: the configuration file and the services. */
static void publisher_digest(const struct loaded *loaded, char ret_text[static 17])
{
    const char *services = services_digest(loaded->services);
    uint8_t bytes[sizeof(loaded->config->digest) + 16] = {0};
    uint8_t digest[SHA256_DIGEST_LENGTH];

    memcpy(bytes, loaded->config->digest, sizeof(loaded->config->digest));
    memcpy(bytes + sizeof(loaded->config->digest), services, strnlen(services, 16));
    SHA256(bytes, sizeof(bytes), digest);
    for (int i = 0; i < 8; i++) {
        snprintf(ret_text + (size_t)i * 2, 3, "%02x", digest[i]);
    }
}

static struct snapshot *publisher_snapshot(struct publisher *publisher, const struct loaded *loaded,
                                           struct state_set *set)
{
    struct snapshot_info info = {0};
    struct snapshot *snapshot;

    _Static_assert(sizeof(info.identity) == CONFIG_NAME_SIZE, "identity fits");
    _Static_assert(sizeof(info.version) == CONFIG_NAME_SIZE, "version fits");
    memcpy(info.identity, loaded->config->identity, sizeof(info.identity));
    memcpy(info.version, loaded->config->version, sizeof(info.version));
    publisher_digest(loaded, info.config_digest);
    info.sequence = publisher->sequence + 1;
    info.published_wall_s = clock_wall_s();
    info.cookies = loaded->cookies;
    info.admission = loaded->admission;
    snapshot = snapshot_new(loaded->zone_set, loaded->services, loaded->image, set, &info);
    explicit_bzero(&info.cookies, sizeof(info.cookies));
    return snapshot;
}

/* Takes `set` and, if it differs from what is held, `loaded` over; both are freed on failure, and
 * nothing changes. */
static int publisher_publish(struct publisher *publisher, struct loaded *loaded,
                             struct state_set *set)
{
    struct snapshot *fresh = publisher_snapshot(publisher, loaded, set);
    struct snapshot *old = publisher->current;
    struct loaded *old_loaded = publisher->loaded;

    state_set_unref(set);
    if (!fresh) {
        if (loaded != old_loaded) {
            loaded_free(loaded);
        }
        return -ENOMEM;
    }
    pthread_mutex_lock(&publisher->lock);
    publisher->current = fresh;
    publisher->loaded = loaded;
    publisher->sequence++;
    pthread_mutex_unlock(&publisher->lock);
    atomic_store_explicit(&publisher->published, fresh, memory_order_release);
    urcu_qsbr_synchronize_rcu();
    snapshot_free(old);
    if (old_loaded != loaded) {
        loaded_free(old_loaded);
    }
    if (publisher->published_hook) {
        publisher->published_hook(publisher->published_context, old_loaded == loaded);
    }
    return 0;
}

static int publisher_build(struct publisher *publisher, const struct loaded *loaded, int64_t now_s,
                           bool trial, struct state_set **ret_set)
{
    const struct snapshot *current = publisher->current;

    return states_build(publisher->states, loaded->services, loaded->image,
                        current ? current->states : NULL, current ? current->services : NULL, now_s,
                        trial, ret_set);
}

/* States changed, files did not. */
static int publisher_refresh(struct publisher *publisher, int64_t now_s)
{
    struct state_set *set = NULL;
    int code = publisher_build(publisher, publisher->loaded, now_s, false, &set);

    return code < 0 ? code : publisher_publish(publisher, publisher->loaded, set);
}

/* --- the fleet feed --- */

/* Puts a feed's news into the states unless that would leave a service with nobody: no single event
 * may do that. */
static bool publisher_take_feed(struct publisher *publisher, size_t index,
                                struct states_source *news, bool force, int64_t now_s,
                                struct report *report)
{
    struct fleet_feed *feed = &publisher->feeds[index];
    struct states_source before = {0};
    struct failure failure = {{0}};
    const struct service *emptied = NULL;
    struct state_set *set = NULL;
    enum map_family family;

    if (states_source_copy(states_source(publisher->states, index + 1), &before) < 0) {
        states_source_done(news);
        report_add_text(report, "%s: out of memory", feed->path);
        return false;
    }
    states_replace(publisher->states, index + 1, news);
    if (!force && publisher_build(publisher, publisher->loaded, now_s, true, &set) == 0) {
        emptied =
            states_emptied(publisher->loaded->services,
                           publisher->current ? publisher->current->states : NULL, set, &family);
    }
    state_set_unref(set);
    if (emptied) {
        states_replace(publisher->states, index + 1, &before);
        fleet_hold(feed, now_s, emptied->name);
        report_add(report, &feed->fault);
        return false;
    }
    states_source_done(&before);
    report_note(report, "%s: taken, %zu states", feed->path,
                states_source(publisher->states, index + 1)->count);
    if (fleet_accept(feed, now_s, &failure) < 0) {
        report_warn(report, "%s", failure.text);
    }
    return true;
}

static bool publisher_poll_feeds(struct publisher *publisher, bool always, int64_t now_s,
                                 struct report *report)
{
    bool changed = false;

    for (size_t i = 0; i < publisher->feed_n; i++) {
        struct states_source news = {0};
        bool force = false;

        pthread_mutex_lock(&publisher->lock);
        switch (fleet_poll(&publisher->feeds[i], always, now_s, &news, &force)) {
        case FLEET_NOTHING:
            break;
        case FLEET_NEWS:
            changed |= publisher_take_feed(publisher, i, &news, force, now_s, report);
            break;
        case FLEET_FAULT:
            report_add_text(report, "%s (its last states stay)", publisher->feeds[i].fault.text);
            break;
        }
        pthread_mutex_unlock(&publisher->lock);
    }
    return changed;
}

/* With the lock held, once there are readers: the metrics name the files. */
static void publisher_close_feeds(struct publisher *publisher)
{
    for (size_t i = 0; i < publisher->feed_n; i++) {
        fleet_done(&publisher->feeds[i]);
    }
    free(publisher->feeds);
    states_free(publisher->states);
}

/* Feeds are opened for a configuration; those it had before keep what they said. */
static int publisher_open_feeds(struct publisher *publisher, const struct config *config)
{
    struct states *states = states_new(config->state_n);
    struct fleet_feed *feeds = calloc(config->state_n + 1, sizeof(*feeds));
    struct states_source source = {0};
    int code = states && feeds ? 0 : -ENOMEM;

    for (size_t i = 0; i < config->state_n && code == 0; i++) {
        code = fleet_open(&feeds[i], config->states[i], config->state_places[i], config->state_dir);
        for (size_t k = 0; k < publisher->feed_n && code == 0; k++) {
            if (strcmp(publisher->feeds[k].path, config->states[i]) == 0) {
                code = states_source_copy(states_source(publisher->states, k + 1), &source);
                states_replace(states, i + 1, &source);
            }
        }
    }
    if (code == 0 && publisher->states) {
        code = states_source_copy(states_source(publisher->states, 0), &source);
        states_replace(states, 0, &source);
    }
    if (code < 0) {
        free(feeds);
        states_free(states);
        return code;
    }
    pthread_mutex_lock(&publisher->lock);
    publisher_close_feeds(publisher);
    publisher->feeds = feeds;
    publisher->feed_n = config->state_n;
    publisher->states = states;
    pthread_mutex_unlock(&publisher->lock);
    return 0;
}

/* --- life --- */

static void publisher_recall_operator(struct publisher *publisher, struct report *report)
{
    struct states_source source = {0};
    struct failure failure = {{0}};
    char *aside = NULL;

    if (!publisher->operator_path) {
        return;
    }
    if (states_operator_load(publisher->operator_path, &source, &failure) == 0) {
        states_replace(publisher->states, 0, &source);
        return;
    }
    /* the next change must not overwrite what somebody may want to repair */
    if (asprintf(&aside, "%s.bad", publisher->operator_path) >= 0) {
        (void)rename(publisher->operator_path, aside);
        free(aside);
    }
    report_add_text(report, "%s (starting without operator states, moved to .bad)", failure.text);
}

static void publisher_recall_states(struct publisher *publisher, enum publisher_start start,
                                    int64_t now_s, struct report *report)
{
    if (start == PUBLISHER_SERVE) {
        publisher_recall_operator(publisher, report);
    }
    for (size_t i = 0; i < publisher->feed_n; i++) {
        struct states_source source = {0};

        if (fleet_recall(&publisher->feeds[i], now_s, &source) == 0) {
            states_replace(publisher->states, i + 1, &source);
        }
    }
    (void)states_expire(publisher->states, now_s);
}

void publisher_settle(struct publisher *publisher, struct report *report)
{
    struct failure failure = {{0}};

    publisher->copies_due = false;
    if (loader_keep_copies(publisher->loaded, &failure) < 0) {
        report_warn(report, "%s (no last good copy is kept)", failure.text);
    }
}

int publisher_open(struct config *config, enum publisher_start start,
                   struct publisher **ret_publisher, struct report *report)
{
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    int64_t now_s = clock_wall_s();
    int code;

    if (!publisher) {
        report_add_text(report, "out of memory");
        config_free(config);
        return -ENOMEM;
    }
    pthread_mutex_init(&publisher->lock, NULL);
    publisher->started = config_ref(config);
    code = loader_load(config, NULL, LOADER_SERVE, &publisher->loaded, report);
    if (code == 0 && start == PUBLISHER_REPLACE && report->count) {
        code = -EINVAL;
    }
    if (code == 0 && config->state_dir &&
        asprintf(&publisher->operator_path, "%s/operator-states.json", config->state_dir) < 0) {
        publisher->operator_path = NULL;
        code = -ENOMEM;
    }
    if (code == 0) {
        code = publisher_open_feeds(publisher, config);
    }
    if (code == 0) {
        publisher_recall_states(publisher, start, now_s, report);
        (void)publisher_poll_feeds(publisher, true, now_s, report);
        code = publisher_refresh(publisher, now_s);
    }
    if (code < 0) {
        publisher_free(publisher);
        return code;
    }
    publisher->reload_wall_s = now_s;
    publisher->reload_was_ok = report->count == 0;
    publisher->copies_due = start == PUBLISHER_SERVE;
    *ret_publisher = publisher;
    return 0;
}

static bool publisher_same_states(const struct states_source *a, const struct states_source *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->entries, b->entries, a->count * sizeof(a->entries[0])) == 0);
}

int publisher_inherit(struct publisher *publisher, struct states_source *sources,
                      const struct cookie_secrets *cookies)
{
    bool changed = memcmp(cookies, &publisher->loaded->cookies, sizeof(*cookies)) != 0;

    publisher->loaded->cookies = *cookies;
    for (size_t i = 0; i < states_source_count(publisher->states); i++) {
        /* a feed we could read ourselves says what is so; one that vanished said it before */
        bool wanted = i == 0 || publisher->feeds[i - 1].status != FLEET_OK;

        if (wanted && !publisher_same_states(states_source(publisher->states, i), &sources[i])) {
            states_replace(publisher->states, i, &sources[i]);
            changed = true;
        }
        states_source_done(&sources[i]);
    }
    return changed ? publisher_refresh(publisher, clock_wall_s()) : 0;
}

void publisher_free(struct publisher *publisher)
{
    if (!publisher) {
        return;
    }
    if (publisher->copies_due) { /* stopped before the first tick */
        (void)loader_keep_copies(publisher->loaded, NULL);
    }
    snapshot_free(publisher->current);
    loaded_free(publisher->loaded);
    publisher_close_feeds(publisher);
    free(publisher->operator_path);
    config_free(publisher->started);
    pthread_mutex_destroy(&publisher->lock);
    free(publisher);
}

/* The file as it is now or, if that is wrong, as it was: what it names is reloaded all the same. */
static struct config *publisher_read_config(const struct publisher *publisher,
                                            struct report *report)
{
    struct config *running = publisher->loaded->config;
    struct failure failure = {{0}};
    struct config *wanted = NULL;

    if (config_load(running->path, &wanted, &failure) < 0) {
        report_add_text(report, "%s (the running configuration stays)", failure.text);
        wanted = config_ref(running);
    }
    if (config_needs_restart(publisher->started, wanted)) {
        report_add_text(report, "%s: a change of '%s' takes effect at the next start only",
                        running->path, config_needs_restart(publisher->started, wanted));
    }
    return wanted;
}

static void publisher_reload_parts(struct publisher *publisher, struct config *config,
                                   struct report *report)
{
    int64_t now_s = clock_wall_s();
    struct loaded *loaded = NULL;
    struct state_set *set = NULL;
    int code = publisher_open_feeds(publisher, config);

    if (code < 0) {
        config_free(config);
    } else {
        code = loader_load(config, publisher->loaded, LOADER_SERVE, &loaded, report);
    }
    if (code == 0) {
        code = publisher_build(publisher, loaded, now_s, false, &set);
        if (code < 0) {
            loaded_free(loaded);
        }
    }
    if (code == 0) {
        code = publisher_publish(publisher, loaded, set);
    }
    if (code < 0) {
        report_add_text(report, "nothing was reloaded: %s", strerror(-code));
        return;
    }
    if (publisher_poll_feeds(publisher, true, now_s, report) &&
        publisher_refresh(publisher, now_s) < 0) {
        report_add_text(report, "states were not published: out of memory");
    }
    publisher_settle(publisher, report);
}

void publisher_reload(struct publisher *publisher, struct report *report)
{
    int64_t start_ns = clock_monotonic_ns();
    struct config *config = publisher_read_config(publisher, report);

    if (publisher->copies_due) { /* what is reloaded may be broken, what was loaded was not */
        publisher_settle(publisher, report);
    }
    publisher_reload_parts(publisher, config, report);
    pthread_mutex_lock(&publisher->lock);
    publisher->reload_wall_s = clock_wall_s();
    publisher->reload_s = (double)(clock_monotonic_ns() - start_ns) / (double)CLOCK_NS_PER_S;
    publisher->reload_was_ok = report->count == 0;
    if (publisher->reload_was_ok) {
        publisher->reload_ok_n++;
    } else {
        publisher->reload_failed_n++;
    }
    pthread_mutex_unlock(&publisher->lock);
}

/* --- the operator --- */

static int publisher_merge(const struct publisher *publisher, const struct states_entry *entries,
                           size_t n, bool clear, struct states_source *ret_source)
{
    struct states_source source = {0};
    int code = states_source_copy(states_source(publisher->states, 0), &source);

    for (size_t i = 0; i < n && code == 0; i++) {
        struct states_source changed = {0};

        code = states_change_operator(&source, &entries[i], clear, &changed);
        if (code == 0) {
            states_source_done(&source);
            source = changed;
        }
    }
    if (code < 0) {
        states_source_done(&source);
        return code;
    }
    *ret_source = source;
    return 0;
}

/* The guard, then the disk, then the world: a state that is announced survives a restart. */
static int publisher_judge(struct publisher *publisher, int64_t now_s, bool force,
                           struct failure *failure)
{
    const struct service *emptied = NULL;
    struct state_set *set = NULL;
    enum map_family family = MAP_FAMILY_IPV4;
    int code = publisher_build(publisher, publisher->loaded, now_s, true, &set);

    if (code < 0) {
        return failure_set(failure, code, "out of memory");
    }
    if (!force) {
        emptied =
            states_emptied(publisher->loaded->services, publisher->current->states, set, &family);
    }
    state_set_unref(set);
    if (emptied) {
        return failure_set(failure, -EPERM,
                           "that would leave service '%s' with nobody for %s (--force to mean it)",
                           emptied->name, family == MAP_FAMILY_IPV4 ? "IPv4" : "IPv6");
    }
    return publisher->operator_path
               ? states_operator_save(publisher->operator_path, states_source(publisher->states, 0),
                                      failure)
               : 0;
}

int publisher_set_states(struct publisher *publisher, const struct states_entry *entries, size_t n,
                         bool clear, bool force, struct failure *failure)
{
    int64_t now_s = clock_wall_s();
    struct states_source before = {0};
    struct states_source after = {0};
    int code = states_source_copy(states_source(publisher->states, 0), &before);

    if (code == 0) {
        code = publisher_merge(publisher, entries, n, clear, &after);
    }
    if (code < 0) {
        states_source_done(&before);
        return failure_set(failure, code, "states cannot be kept: %s", strerror(-code));
    }
    states_replace(publisher->states, 0, &after);
    code = publisher_judge(publisher, now_s, force, failure);
    if (code < 0) {
        states_replace(publisher->states, 0, &before);
        return code;
    }
    states_source_done(&before);
    code = publisher_refresh(publisher, now_s);
    return code < 0 ? failure_set(failure, code, "out of memory") : 0;
}

static void publisher_note_expiries(const struct publisher *publisher, int64_t now_s,
                                    struct report *report)
{
    for (size_t i = 0; i < states_source_count(publisher->states); i++) {
        const struct states_source *source = states_source(publisher->states, i);

        for (size_t k = 0; k < source->count; k++) {
            const struct states_entry *entry = &source->entries[k];
            char state[POP_STATE_TEXT_LEN];

            if (entry->expires_s && entry->expires_s <= now_s) {
                report_note(report, "pop %s%s%s: %s of %s %s has expired", entry->pop,
                            *entry->service ? "/" : "", entry->service,
                            pop_state_format(entry->state, state),
                            states_layer_name((enum states_layer)entry->layer), entry->owner);
            }
        }
    }
}

void publisher_tick(struct publisher *publisher, int64_t now_s, struct report *report)
{
    struct failure failure = {{0}};
    bool changed = publisher_poll_feeds(publisher, false, now_s, report);

    if (publisher->copies_due) { /* the disk may be slow: serving did not wait for it */
        publisher_settle(publisher, report);
    }
    publisher_note_expiries(publisher, now_s, report);
    if (states_expire(publisher->states, now_s)) {
        changed = true;
        if (publisher->operator_path &&
            states_operator_save(publisher->operator_path, states_source(publisher->states, 0),
                                 &failure) < 0) {
            report_warn(report, "%s", failure.text);
        }
    }
    if ((changed || states_next_s(publisher->states) <= now_s) &&
        publisher_refresh(publisher, now_s) < 0) {
        report_add_text(report, "states were not published: out of memory");
    }
}

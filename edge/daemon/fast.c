/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "edge/daemon/fast_capacity.h"
#include "edge/daemon/fast_heart.h"
#include "edge/daemon/fast_listen.h"
#include "edge/daemon/fast_tap.h"
#include "edge/daemon/network.h"
#include "edge/render/hot.h"
#include "edge/render/render.h"
#include "edge/service/state_set.h"
#include "xdp/model.h"

#define FAST_TURN_NS                                                                               \
    (250 * CLOCK_NS_PER_MS) /* of the beat, and of what the control thread looks at */

struct fast {
    struct publisher *publisher; /* NULL until there is one */
    struct xdp_path *path;       /* NULL: unavailable */
    struct network *network;
    struct fast_tapping *tapping;
    struct template_table *prepared;  /* rendered for the start */
    struct template_table *templates; /* as the kernel has them */
    struct image *image;              /* likewise; NULL: none */
    uint32_t template_blocks;         /* how many fit */
    bool templates_due;               /* others are to be rendered */
    bool begun;                       /* the first publication has been tried */
    bool started;
    bool silent; /* the last publication did not get there */
    bool off;    /* the operator's word */
    bool links_missing;
    struct hot *hot;     /* NULL: nobody wants to know */
    uint32_t hot_names;  /* it was made for */
    int64_t hot_turn_ns; /* when it ends its turn */
    struct address *own; /* the host's addresses, if they matter */
    size_t own_n;
    int epoll;
    int timer;
    unsigned turns;
    struct fast_heart *heart; /* NULL until it is started */
    _Atomic bool taken;       /* by another process, as a publication found */
    pthread_mutex_t lock;     /* of the view, but for its status */
    struct fast_view view;
};

/* --- publishing --- */

/* Another process goes on with the tables. */
static bool fast_is_taken(const struct fast *fast)
{
    return atomic_load_explicit(&fast->taken, memory_order_relaxed) ||
           fast_heart_is_taken(fast->heart);
}

static void fast_fault(struct fast *fast, const struct failure *failure)
{
    pthread_mutex_lock(&fast->lock);
    snprintf(fast->view.fault, sizeof(fast->view.fault), "%.*s", (int)sizeof(fast->view.fault) - 1,
             failure ? failure->text : "");
    pthread_mutex_unlock(&fast->lock);
}

static void fast_policy(struct fast *fast, struct fast_policy *policy, size_t *ret_missing)
{
    const struct snapshot *snapshot = fast->publisher->current;
    const struct config *started = fast->publisher->started;

    _Static_assert(sizeof(snapshot->info.identity) <= FAST_NSID_MAX, "every identity fits");
    memset(policy, 0, sizeof(*policy));
    if (snapshot->admission || fast->off) {
        policy->flags |= FAST_POLICY_OFF;
    }
    policy->nsid_len = snapshot->identity_len;
    memcpy(policy->nsid, snapshot->info.identity, snapshot->identity_len);
    policy->cookies = snapshot->info.cookies;
    *ret_missing = fast_listen(started->listen, started->listen_n, fast->own, fast->own_n, policy);
}

/* What a publication that has got there means. */
static enum fast_health fast_intention(const struct fast *fast)
{
    return fast->off                             ? FAST_OPERATOR_OFF
           : fast->publisher->current->admission ? FAST_LIMITED_OFF
                                                 : FAST_ANSWERING;
}

static void fast_note(struct fast *fast, const struct xdp_published *published, size_t missing,
                      const struct failure *failure)
{
    struct fast_view *view = &fast->view;
    bool news;

    pthread_mutex_lock(&fast->lock);
    news = published->left_out != view->left_out || missing != view->listeners_missing;
    view->left_out = published->left_out;
    view->listeners_missing = missing;
    view->publish_ns = published->took_ns;
    view->publication_n++;
    view->health = fast_intention(fast);
    pthread_mutex_unlock(&fast->lock);
    fast_fault(fast, published->left_out ? failure : NULL);
    if (news && published->left_out) {
        log_warning("xdp: not all fits, the rest is answered here: %s", failure->text);
    }
    if (news && missing) {
        log_warning("xdp: %zu addresses have no place in the kernel: answered here", missing);
    }
}

/* Counts or stops counting as it is configured now. */
static void fast_settle_hot(struct fast *fast)
{
    const struct config_xdp *xdp = &fast->publisher->loaded->config->xdp;
    bool wanted = xdp->names == CONFIG_XDP_HOT;
    uint64_t seed = 0;

    if (fast->hot && (!wanted || fast->hot_names != xdp->hot_names)) {
        hot_free(fast->hot);
        fast->hot = NULL;
    }
    if (wanted && !fast->hot) {
        (void)!getrandom(&seed, sizeof(seed), 0);
        fast->hot = hot_new(xdp->hot_names, seed);
        fast->hot_names = xdp->hot_names;
        fast->hot_turn_ns = clock_monotonic_ns() + xdp->hot_refresh_ns;
        if (!fast->hot) {
            log_error("xdp: out of memory: no names are found hot");
        }
    }
    if (fast->started) {
        fast_tapping_always(fast->tapping, fast->hot ? xdp->hot_sample : 0);
    }
}

static void fast_see(void *context, const struct fast_tap *sample)
{
    struct fast *fast = context;

    if (fast->hot) {
        (void)hot_sample(fast->hot, sample);
    }
}

/* It can have a template, and has none for another reason. */
static bool fast_is_worth(void *context, const struct render_question *question)
{
    struct fast *fast = context;

    return (!fast->templates ||
            !template_table_find(fast->templates, question->name, question->qtype)) &&
           render_judge(fast->publisher->current, question) == RENDER_TAKEN;
}

/* Into as many blocks as there are; what does not fit is left out. */
static int fast_render(struct fast *fast, struct template_table **ret_templates,
                       struct failure *failure)
{
    static const enum render_mode modes[] = {
        [CONFIG_XDP_SERVICES] = RENDER_SERVICES,
        [CONFIG_XDP_ALL] = RENDER_ALL,
        [CONFIG_XDP_HOT] = RENDER_HOT,
    };
    const struct config_xdp *xdp = &fast->publisher->loaded->config->xdp;
    const struct render_question *hot = NULL;
    struct render_request request = {.snapshot = fast->publisher->current,
                                     .mode = modes[xdp->names],
                                     .hot_n = fast->hot ? hot_chosen(fast->hot, &hot) : 0,
                                     .block_max = fast->template_blocks};
    struct render_report report;
    int64_t start_ns = clock_monotonic_ns();
    int code;

    request.hot = hot;
    (void)!getrandom(&request.seed, sizeof(request.seed), 0);
    code = render_templates(&request, ret_templates, &report, failure);
    if (code < 0) {
        return code;
    }
    pthread_mutex_lock(&fast->lock);
    fast->view.names = xdp->names;
    fast->view.static_n = report.counts.static_n;
    fast->view.geo_n = report.counts.geo_n;
    fast->view.templates_left_out = report.counts.left_out_n + report.not_tried_n;
    fast->view.render_ns = clock_monotonic_ns() - start_ns;
    pthread_mutex_unlock(&fast->lock);
    return 0;
}

/* What is published, with the templates unless NULL: those of before. `silent`: the kernel shall
 * answer nothing. */
static int fast_bring(struct fast *fast, const struct template_table *templates, bool silent)
{
    const struct snapshot *snapshot = fast->publisher->current;
    struct image *image = silent ? NULL : snapshot->image;
    struct fast_policy policy;
    struct xdp_publication publication = {
        .templates = templates,
        .image = image,
        .image_same = image && image == fast->image,
        .states = (const struct fast_state *)(const void *)snapshot->states->tables,
        .service_n = snapshot->states->service_n,
        .policy = &policy,
    };
    struct xdp_published published = {0};
    struct failure failure = {{0}};
    size_t missing;
    int code;

    _Static_assert(sizeof(struct fast_state) == sizeof(struct state_table) &&
                       offsetof(struct fast_state, states) ==
                           offsetof(struct state_table, states) &&
                       offsetof(struct fast_state, ttl) == offsetof(struct state_table, ttl),
                   "states are published as they are");
    fast_policy(fast, &policy, &missing);
    if (silent) {
        policy.flags |= FAST_POLICY_OFF;
    }
    code = xdp_path_publish(fast->path, &publication, &published, &failure);
    explicit_bzero(&policy.cookies, sizeof(policy.cookies));
    if (code < 0) {
        fast_fault(fast, code == -ESTALE ? NULL : &failure);
        return code;
    }
    image_unref(fast->image);
    fast->image = image ? image_ref(image) : NULL;
    if (!silent) {
        fast_note(fast, &published, missing, &failure);
    }
    return 0;
}

/* A publication that did not get there: nothing may be answered from the one before. */
static void fast_silence(struct fast *fast)
{
    if (!fast->silent) {
        log_error("xdp: the kernel cannot be given what is served (%s): it answers nothing, this "
                  "process everything",
                  fast->view.fault);
    }
    fast->silent = true;
    pthread_mutex_lock(&fast->lock);
    fast->view.health = FAST_FAULTY;
    pthread_mutex_unlock(&fast->lock);
    /* else within the life of a beat */
    if (fast_bring(fast, NULL, true) < 0) {
        fast_heart_allow(fast->heart, false);
    }
}

/* Takes the templates over: NULL: those of before. */
static void fast_publish_with(struct fast *fast, struct template_table *templates)
{
    int code = fast_bring(fast, templates, false);

    if (code == -ESTALE) {
        atomic_store_explicit(&fast->taken, true, memory_order_relaxed);
    } else if (code < 0) {
        fast->templates_due |= templates != NULL;
        fast_silence(fast);
    } else {
        if (fast->silent) {
            log_notice("xdp: the kernel answers again");
        }
        fast->silent = false;
        fast_heart_allow(fast->heart, true);
    }
    if (code == 0 && templates) {
        template_table_free(fast->templates);
        fast->templates = templates;
    } else {
        template_table_free(templates);
    }
}

/* What is published now, to the kernel. */
static void fast_publish(struct fast *fast)
{
    struct template_table *templates = NULL;
    struct failure failure = {{0}};

    if (!fast->started || fast_is_taken(fast)) {
        return;
    }
    if (fast->templates_due && fast_render(fast, &templates, &failure) < 0) {
        fast_fault(fast, &failure);
        fast_silence(fast);
        return;
    }
    fast->templates_due = false;
    fast_publish_with(fast, templates);
}

/* Called by the publisher, when its snapshot is what the workers answer from. */
static void fast_published(void *context, bool same_parts)
{
    struct fast *fast = context;

    if (!same_parts) {
        fast->templates_due = true;
        fast_settle_hot(fast);
    }
    fast_publish(fast);
}

/* --- addresses and links --- */

static bool fast_is_wild(const struct fast *fast)
{
    return fast_listen_is_wild(fast->publisher->started->listen,
                               fast->publisher->started->listen_n);
}

/* Whether the host's addresses are others than they were. */
static bool fast_look_around(struct fast *fast)
{
    struct address *own = NULL;
    struct failure failure;
    size_t own_n = 0;
    bool same;

    if (!fast_is_wild(fast)) {
        return false;
    }
    if (network_addresses(fast->network, &own, &own_n, &failure) < 0) {
        log_warning("xdp: %s", failure.text);
        return false;
    }
    same = own_n == fast->own_n;
    for (size_t i = 0; same && i < own_n; i++) {
        same = address_compare(&own[i], &fast->own[i]) == 0;
    }
    free(fast->own);
    fast->own = own;
    fast->own_n = own_n;
    return !same;
}

static void fast_log_link(const struct xdp_link_status *link)
{
    switch (link->state) {
    case XDP_LINK_NATIVE:
        log_notice("xdp: %s: answers in the driver%s", link->interface,
                   link->adopted ? " (was attached already)" : "");
        break;
    case XDP_LINK_GENERIC:
        log_warning("xdp: %s: attached in generic mode, which is slow: %s", link->interface,
                    *link->reason ? link->reason : "as configured");
        break;
    case XDP_LINK_ABSENT:
        log_warning("xdp: %s: there is no such interface now", link->interface);
        break;
    case XDP_LINK_TAKEN:
    case XDP_LINK_FAILED:
        log_error("xdp: %s: %s", link->interface, link->reason);
        break;
    }
}

/* Attaches where something is missing, and tells what has changed. */
static void fast_attach(struct fast *fast)
{
    struct xdp_status before;
    struct xdp_status after;

    xdp_path_status(fast->path, &before);
    (void)xdp_path_attach(fast->path);
    xdp_path_status(fast->path, &after);
    fast->links_missing = false;
    for (size_t i = 0; i < after.link_n; i++) {
        bool attached =
            after.links[i].state == XDP_LINK_NATIVE || after.links[i].state == XDP_LINK_GENERIC;

        fast->links_missing |= !attached;
        if (!fast->begun || after.links[i].state != before.links[i].state) {
            fast_log_link(&after.links[i]);
        }
    }
}

void fast_run(struct fast *fast)
{
    int64_t now_ns = clock_monotonic_ns();
    uint64_t ticks;

    if (network_changed(fast->network)) {
        fast_attach(fast);
        if (fast_look_around(fast)) {
            fast_publish(fast);
        }
    }
    if (read(fast->timer, &ticks, sizeof(ticks)) != (ssize_t)sizeof(ticks)) {
        return;
    }
    fast_tapping_run(fast->tapping, now_ns);
    if (fast->hot && fast->started && now_ns > fast->hot_turn_ns) {
        fast->hot_turn_ns = now_ns + fast->publisher->loaded->config->xdp.hot_refresh_ns;
        if (hot_turn(fast->hot, fast_is_worth, fast)) {
            fast->templates_due = true;
            fast_publish(fast);
        }
    }
    if (fast->turns++ % 4 == 0) {
        if (fast->links_missing) {
            fast_attach(fast);
        }
        if (fast->silent) {
            fast_publish(fast);
        }
    }
}

int fast_fd(const struct fast *fast)
{
    return fast ? fast->epoll : -1;
}

void fast_switch(struct fast *fast, bool off)
{
    fast->off = off;
    log_notice("xdp: switched %s by the operator", off ? "off" : "on");
    if (fast->path) {
        fast_publish(fast);
    }
}

/* --- life --- */

static int fast_open_path(struct fast *fast, const struct config *config, struct failure *failure)
{
    const struct config_xdp *xdp = &config->xdp;
    struct xdp_settings settings = {.interfaces = xdp->interfaces,
                                    .interface_n = xdp->interface_n,
                                    .mode = xdp->mode,
                                    .pin_folder = xdp->pin};
    struct fast_sizes sizes;
    int code;

    fast_sizes(config, &sizes);
    fast_capacity(xdp, &sizes, &settings);
    fast->template_blocks = settings.template_blocks;
    code = network_open(&fast->network, failure);
    if (code == 0) {
        code = xdp_path_open(&settings, &fast->path, failure);
    }
    if (code == 0) {
        fast->tapping = fast_tapping_new(fast->path, fast_see, fast);
        code = fast->tapping ? 0 : -ENOMEM;
    }
    return code;
}

static int fast_watch(struct fast *fast, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(fast->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int fast_open_turns(struct fast *fast, struct failure *failure)
{
    static const struct itimerspec turn = {{0, FAST_TURN_NS}, {0, FAST_TURN_NS}};

    fast->epoll = epoll_create1(EPOLL_CLOEXEC);
    fast->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fast->epoll < 0 || fast->timer < 0 || timerfd_settime(fast->timer, 0, &turn, NULL) < 0 ||
        fast_watch(fast, fast->timer) < 0 || fast_watch(fast, network_fd(fast->network)) < 0) {
        return failure_set(failure, -errno, "descriptors: %s", strerror(errno));
    }
    return 0;
}

int fast_open(const struct config *config, struct fast **ret_fast, struct failure *failure)
{
    struct fast *fast = calloc(1, sizeof(*fast));
    struct failure fault = {{0}};
    int code;

    if (!fast) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    pthread_mutex_init(&fast->lock, NULL);
    fast->epoll = -1;
    fast->timer = -1;
    fast->view.health = FAST_WAITING;
    code = fast_open_path(fast, config, &fault);
    if (code == 0) {
        code = fast_open_turns(fast, &fault);
    }
    if (code < 0) {
        log_error("xdp: not available, everything is answered here: %s", fault.text);
        fast_fault(fast, &fault);
        xdp_path_close(fast->path, false);
        fast->path = NULL;
        fd_close(&fast->epoll);
    }
    *ret_fast = fast;
    return 0;
}

void fast_prepare(struct fast *fast, struct publisher *publisher, bool render)
{
    struct failure failure = {{0}};

    fast->publisher = publisher;
    if (!fast->path) {
        return;
    }
    fast_settle_hot(fast);
    (void)fast_look_around(fast);
    if (render && fast_render(fast, &fast->prepared, &failure) < 0) {
        fast_fault(fast, &failure);
    }
    fast->templates_due = !fast->prepared;
}

/* Counters start anew then, and for a moment nothing is answered. */
static void fast_log_refused(const struct fast *fast)
{
    struct xdp_status status;

    xdp_path_status(fast->path, &status);
    if (*status.refused) {
        log_warning("xdp: new tables, since those of the server before do not do: %s",
                    status.refused);
    }
}

static void fast_begin(struct fast *fast)
{
    struct template_table *prepared = fast->prepared;

    fast->prepared = NULL;
    if (prepared && !fast->templates_due) {
        fast_publish_with(fast, prepared);
    } else {
        template_table_free(prepared);
        fast->templates_due = true;
        fast_publish(fast);
    }
    fast_settle_hot(fast); /* samples come now */
    fast_attach(fast);
    fast->begun = true;
}

void fast_start(struct fast *fast, struct worker *const *workers, size_t worker_n)
{
    if (!fast->path) {
        return;
    }
    fast->heart = fast_heart_start(fast->path, workers, worker_n);
    if (!fast->heart) {
        log_error("xdp: no thread: the kernel answers nothing");
    }
    fast_log_refused(fast);
    fast->started = true;
    fast->publisher->published_hook = fast_published;
    fast->publisher->published_context = fast;
    if (fast->prepared) {
        fast_begin(fast);
    }
}

void fast_catch_up(struct fast *fast)
{
    if (fast && fast->started && !fast->begun) {
        fast_begin(fast);
    }
}

void fast_resume(struct fast *fast)
{
    if (!fast->path || !fast->started) {
        return;
    }
    if (!fast_is_taken(fast) && xdp_path_beat(fast->path, clock_wall_s()) != -ESTALE) {
        return; /* it has not come so far */
    }
    fast_heart_allow(fast->heart, false);
    xdp_path_reclaim(fast->path);
    atomic_store_explicit(&fast->taken, false, memory_order_relaxed);
    fast_heart_forgive(fast->heart);
    fast->templates_due = true; /* what the tables hold is somebody else's */
    image_unref(fast->image);
    fast->image = NULL;
    fast_publish(fast);
}

void fast_close(struct fast *fast, bool gone)
{
    bool taken;

    if (!fast) {
        return;
    }
    /* whoever has replaced us may have done so since the last beat */
    taken = fast->path && (fast_is_taken(fast) ||
                           (fast->started && xdp_path_beat(fast->path, clock_wall_s()) == -ESTALE));
    fast_heart_stop(fast->heart);
    fast_tapping_free(fast->tapping);
    if (fast->path) {
        bool detach = fast->started && !taken &&
                      (!gone || fast->publisher->loaded->config->xdp.detach_on_exit);

        xdp_path_close(fast->path, detach);
    }
    fd_close(&fast->timer);
    fd_close(&fast->epoll);
    network_free(fast->network);
    hot_free(fast->hot);
    template_table_free(fast->prepared);
    template_table_free(fast->templates);
    image_unref(fast->image);
    free(fast->own);
    pthread_mutex_destroy(&fast->lock);
    free(fast);
}

/* --- the view --- */

void fast_tables(struct fast *fast, struct fast_policy *ret_policy, struct model_tables *ret_tables)
{
    const struct snapshot *snapshot = fast->publisher->current;
    size_t missing;

    *ret_tables = (struct model_tables){.policy = ret_policy};
    fast_policy(fast, ret_policy, &missing);
    if (fast->templates) {
        template_table_policy(fast->templates, ret_policy);
        ret_tables->templates =
            template_table_blocks(fast->templates, &ret_tables->template_blocks);
    }
    if (fast->image && !(fast->view.left_out & (XDP_PART_IMAGE | XDP_PART_STATES))) {
        const struct map_region *region = image_region(fast->image);

        ret_tables->image = region;
        ret_policy->maps_block =
            (uint32_t)((size_t)((const uint8_t *)image_map(fast->image, 0) - region->bytes) /
                       MAP_BLOCK_SIZE);
        ret_policy->records_block = image_records_block(fast->image);
    }
    ret_tables->states = (const struct fast_state *)(const void *)snapshot->states->tables;
    ret_tables->service_n = snapshot->states->service_n;
}

static enum fast_health fast_health(const struct fast *fast)
{
    if (!fast->path) {
        return FAST_UNAVAILABLE;
    }
    if (fast_is_taken(fast)) {
        return FAST_TAKEN;
    }
    return fast->view.health;
}

void fast_view(struct fast *fast, struct fast_view *ret_view)
{
    pthread_mutex_lock(&fast->lock);
    *ret_view = fast->view;
    pthread_mutex_unlock(&fast->lock);
    ret_view->health = fast_health(fast);
    ret_view->late = fast_heart_is_late(fast->heart);
    if (fast->path) {
        xdp_path_status(fast->path, &ret_view->status);
    }
}

const char *fast_health_name(enum fast_health health)
{
    static const char *const names[] = {
        [FAST_UNAVAILABLE] = "unavailable",   [FAST_WAITING] = "waiting",
        [FAST_ANSWERING] = "answering",       [FAST_LIMITED_OFF] = "off: rate_limit",
        [FAST_OPERATOR_OFF] = "switched off", [FAST_FAULTY] = "faulty",
        [FAST_TAKEN] = "taken over",
    };

    return names[health];
}

struct fast_tapping *fast_tapping(struct fast *fast)
{
    return fast->tapping;
}

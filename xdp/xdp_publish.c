/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Two processes can have the same tables mapped: a daemon and the one that takes its place. The
 * newer one claims them with its first publication, until which the older goes on undisturbed. Who
 * writes holds a lock on the folder of the pins, which a killed process lets go of; and the control
 * page says who the owner is, so that the older one notices.
 */
#include "xdp/xdp_publish.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/fd.h"
#include "xdp/helper.h"
#include "xdp/links.h"
#include "xdp/pins.h"
#include "xdp/program.h"
#include "xdp/slots.h"
#include "xdp/tables.h"

#define PATH_LOCK_NS (2 * CLOCK_NS_PER_S)

/* What other threads ask for. */
struct path_seen {
    pthread_mutex_t lock;
    struct xdp_link_status links[XDP_INTERFACES_MAX];
    uint32_t image_blocks;
    uint32_t template_blocks;
    uint32_t services;
};

struct xdp_path {
    char *pin_folder;
    int folder_fd;
    struct program program;
    struct links links;
    struct helper *helper;
    struct tables tables;
    struct slots slots;
    struct ring_buffer *tap;
    xdp_tap_take tap_take;
    void *tap_context;
    unsigned tap_left;
    uint64_t owner;
    _Atomic bool claimed;
    _Atomic bool lost;  /* another process has claimed what was ours */
    bool image_written; /* the slot named holds the image of the last publication */
    bool templates_written;
    struct fast_policy filled; /* what tables and image say, of the last publication */
    struct path_seen *seen;
};

/* --- open --- */

static int path_take_sample(void *context, void *data, size_t size)
{
    struct xdp_path *path = context;

    if (size >= sizeof(struct fast_tap)) {
        path->tap_take(path->tap_context, data);
        path->tap_left--;
    }
    return path->tap_left ? 0 : -EAGAIN; /* this one is taken all the same */
}

static int path_prepare(struct xdp_path *path, const struct xdp_settings *settings,
                        struct failure *failure)
{
    struct fast_limits limits = {settings->image_blocks, settings->template_blocks,
                                 settings->services, 0};
    int error;

    path->pin_folder = strdup(settings->pin_folder);
    if (!path->pin_folder) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    if (!limits.image_blocks || !limits.template_blocks || !limits.services) {
        return failure_set(failure, -EINVAL, "an XDP capacity is 0");
    }
    if (limits.image_blocks > MAP_REGION_BLOCKS_MAX ||
        limits.template_blocks > MAP_REGION_BLOCKS_MAX) {
        return failure_set(failure, -EINVAL, "an XDP capacity is more than 512 MB");
    }
    path->folder_fd = pins_open(path->pin_folder, failure);
    error = path->folder_fd < 0 ? path->folder_fd : 0;
    error = error ? error : program_open(path->pin_folder, &limits, &path->program, failure);
    error = error ? error : links_init(&path->links, settings, &path->program, failure);
    path->links.pin_folder = path->pin_folder;
    error = error ? error : helper_start(&path->links, &path->helper, failure);
    error = error ? error : tables_map(&path->program, &limits, &path->tables, failure);
    if (error == 0) {
        path->tap =
            ring_buffer__new(path->program.map_fds[PROGRAM_TAP], path_take_sample, path, NULL);
        error = path->tap ? 0
                          : failure_set(failure, -errno, "cannot map the XDP samples: %s",
                                        strerror(errno));
    }
    return error;
}

static void path_name_links(struct xdp_path *path)
{
    for (size_t i = 0; i < path->links.place_n; i++) {
        memcpy(path->seen->links[i].interface, path->links.places[i].name, IF_NAMESIZE);
        path->seen->links[i].state = XDP_LINK_ABSENT;
    }
}

int xdp_path_open(const struct xdp_settings *settings, struct xdp_path **ret_path,
                  struct failure *failure)
{
    struct xdp_path *path = calloc(1, sizeof(*path));
    int error;

    if (path) {
        path->seen = calloc(1, sizeof(*path->seen));
    }
    if (!path || !path->seen) {
        free(path);
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    path->folder_fd = -1;
    path->program.fd = -1;
    memset(path->program.map_fds, -1, sizeof(path->program.map_fds));
    pthread_mutex_init(&path->seen->lock, NULL);
    error = path_prepare(path, settings, failure);
    if (error == 0 &&
        getrandom(&path->owner, sizeof(path->owner), 0) != (ssize_t)sizeof(path->owner)) {
        error = failure_set(failure, -EIO, "no random numbers");
    }
    if (error < 0) {
        xdp_path_close(path, false);
        return error;
    }
    if (!path->program.maps_adopted) {
        tables_clear(&path->tables);
    }
    path_name_links(path);
    program_close(&path->program); /* the helper has them; we have what they show */
    *ret_path = path;
    return 0;
}

/* --- who writes --- */

static int path_lock_folder(struct xdp_path *path)
{
    const struct timespec nap = {.tv_nsec = CLOCK_NS_PER_MS};
    int64_t until = clock_monotonic_ns() + PATH_LOCK_NS;

    while (flock(path->folder_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return -errno;
        }
        if (clock_monotonic_ns() > until) {
            return -EBUSY;
        }
        nanosleep(&nap, NULL);
    }
    return 0;
}

static void path_unlock_folder(struct xdp_path *path)
{
    (void)flock(path->folder_fd, LOCK_UN);
}

static bool path_owns(struct xdp_path *path)
{
    if (path->claimed &&
        __atomic_load_n(&path->tables.control->owner, __ATOMIC_ACQUIRE) != path->owner) {
        path->lost = true;
    }
    return path->claimed && !path->lost;
}

/* With the folder locked. */
static int path_claim(struct xdp_path *path, struct failure *failure)
{
    int error;

    if (path->claimed) {
        return path_owns(path)
                   ? 0
                   : failure_set(failure, -ESTALE, "another process has taken the XDP tables over");
    }
    __atomic_store_n(&path->tables.control->program, 0, __ATOMIC_RELEASE);
    error = helper_claim(path->helper);
    if (error < 0) {
        return failure_set(failure, error, "%s: the XDP program cannot be pinned: %s",
                           path->pin_folder, strerror(-error));
    }
    slots_init(&path->slots, tables_word(&path->tables));
    if (!path->program.maps_adopted) {
        slots_waited(&path->slots); /* nobody has read them yet */
    }
    __atomic_store_n(&path->tables.control->tap_mask, ~UINT64_C(0), __ATOMIC_RELAXED);
    __atomic_store_n(&path->tables.control->owner, path->owner, __ATOMIC_RELEASE);
    __atomic_store_n(&path->tables.control->program, path->program.digest, __ATOMIC_RELEASE);
    path->claimed = true;
    return 0;
}

/* --- publication --- */

/* MEMBARRIER_CMD_GLOBAL is synchronize_rcu(): it returns after every program that was running has
 * ended, and takes no privilege. A kernel with CPUs without a tick refuses it. */
static int path_wait_for_programs(struct xdp_path *path)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) {
        return 0;
    }
    return helper_wait_for_programs(path->helper);
}

static int path_choose(struct xdp_path *path, enum slots_table table, uint32_t *ret_slot,
                       struct failure *failure)
{
    int error;

    if (slots_choose(&path->slots, table, ret_slot)) {
        return 0;
    }
    error = path_wait_for_programs(path);
    if (error < 0) {
        return failure_set(failure, error,
                           "cannot wait for the end of running XDP programs: %s (membarrier "
                           "refused, helper gone)",
                           strerror(-error));
    }
    slots_waited(&path->slots);
    return 0;
}

static void path_leave_out(struct xdp_published *published, enum xdp_part part, const char *what,
                           uint32_t wanted, uint32_t limit, struct failure *failure)
{
    char before[sizeof(failure->text) / 2] = "";

    if (failure && published->left_out) {
        memcpy(before, failure->text, sizeof(before));
        before[sizeof(before) - 1] = '\0';
    }
    published->left_out |= (unsigned)part;
    (void)failure_write(failure, "%s%s%u %s do not fit xdp.capacity, which has %u", before,
                        *before ? "; " : "", wanted, what, limit);
}

static int path_put_image(struct xdp_path *path, const struct xdp_publication *publication,
                          uint32_t *ret_slot, struct xdp_published *published,
                          struct failure *failure)
{
    const struct map_region *region;
    int error;

    *ret_slot = FAST_SLOT_NONE;
    if (publication->service_n > path->tables.limits.services) {
        path_leave_out(published, XDP_PART_STATES, "services", publication->service_n,
                       path->tables.limits.services, failure);
        return 0; /* without an image no service is answered */
    }
    if (!publication->image) {
        return 0;
    }
    if (publication->image_same && path->image_written) {
        *ret_slot = path->slots.named[SLOTS_IMAGE];
        return 0;
    }
    region = image_region(publication->image);
    if (region->block_n > path->tables.limits.image_blocks) {
        path_leave_out(published, XDP_PART_IMAGE, "blocks of the map image", region->block_n,
                       path->tables.limits.image_blocks, failure);
        return 0;
    }
    error = path_choose(path, SLOTS_IMAGE, ret_slot, failure);
    if (error == 0) {
        tables_write_image(&path->tables, *ret_slot, region->bytes, region->block_n);
        path->filled.maps_block =
            (uint32_t)((size_t)((const uint8_t *)image_map(publication->image, 0) - region->bytes) /
                       MAP_BLOCK_SIZE);
        path->filled.records_block = image_records_block(publication->image);
    }
    return error;
}

static int path_put_templates(struct xdp_path *path, const struct xdp_publication *publication,
                              uint32_t *ret_slot, struct xdp_published *published,
                              struct failure *failure)
{
    const uint8_t *blocks;
    uint32_t block_n;
    int error;

    *ret_slot = path->templates_written ? path->slots.named[SLOTS_TEMPLATE] : FAST_SLOT_NONE;
    if (!publication->templates) {
        return 0;
    }
    *ret_slot = FAST_SLOT_NONE;
    blocks = template_table_blocks(publication->templates, &block_n);
    if (block_n > path->tables.limits.template_blocks) {
        path_leave_out(published, XDP_PART_TEMPLATES, "blocks of templates", block_n,
                       path->tables.limits.template_blocks, failure);
        return 0;
    }
    error = path_choose(path, SLOTS_TEMPLATE, ret_slot, failure);
    if (error == 0) {
        tables_write_templates(&path->tables, *ret_slot, blocks, block_n);
        template_table_policy(publication->templates, &path->filled);
    }
    return error;
}

static int path_put_states(struct xdp_path *path, const struct xdp_publication *publication,
                           uint32_t *ret_slot, struct failure *failure)
{
    struct fast_policy policy = *publication->policy;
    int error = path_choose(path, SLOTS_STATE, ret_slot, failure);

    if (error == 0) {
        policy.factors = path->filled.factors;
        policy.bucket_mask = path->filled.bucket_mask;
        policy.bucket_block = path->filled.bucket_block;
        policy.maps_block = path->filled.maps_block;
        policy.records_block = path->filled.records_block;
        tables_write_policy(&path->tables, *ret_slot, &policy);
        if (publication->service_n <= path->tables.limits.services) {
            tables_write_states(&path->tables, *ret_slot, publication->states,
                                publication->service_n);
        }
    }
    return error;
}

static uint32_t path_template_blocks(const struct xdp_publication *publication)
{
    uint32_t block_n;

    (void)template_table_blocks(publication->templates, &block_n);
    return block_n;
}

/* What the status says is in use. */
static void path_note(struct xdp_path *path, const struct xdp_publication *publication)
{
    pthread_mutex_lock(&path->seen->lock);
    path->seen->services = publication->service_n;
    path->seen->image_blocks = path->image_written ? image_region(publication->image)->block_n : 0;
    if (!path->templates_written) {
        path->seen->template_blocks = 0;
    } else if (publication->templates) {
        path->seen->template_blocks = path_template_blocks(publication);
    }
    pthread_mutex_unlock(&path->seen->lock);
}

static int path_write(struct xdp_path *path, const struct xdp_publication *publication,
                      struct xdp_published *published, struct failure *failure)
{
    uint32_t chosen[SLOTS_TABLES];
    int error = path_claim(path, failure);
    uint64_t word;

    /* what is written of a failed publication is in slots that nothing names, but `filled` is of it
     */
    const struct fast_policy filled = path->filled;

    error =
        error ? error : path_put_image(path, publication, &chosen[SLOTS_IMAGE], published, failure);
    error =
        error ? error
              : path_put_templates(path, publication, &chosen[SLOTS_TEMPLATE], published, failure);
    error = error ? error : path_put_states(path, publication, &chosen[SLOTS_STATE], failure);
    if (error < 0) {
        path->filled = filled;
        return error;
    }
    word = slots_word(&path->slots, chosen);
    tables_store_word(&path->tables, word);
    slots_publish(&path->slots, word);
    path->image_written = chosen[SLOTS_IMAGE] != FAST_SLOT_NONE;
    path->templates_written = chosen[SLOTS_TEMPLATE] != FAST_SLOT_NONE;
    published->sequence = FAST_WORD_SEQUENCE(word);
    path_note(path, publication);
    return 0;
}

int xdp_path_publish(struct xdp_path *path, const struct xdp_publication *publication,
                     struct xdp_published *ret_published, struct failure *failure)
{
    int64_t begin_ns = clock_monotonic_ns();
    struct xdp_published published = {0};
    bool first = !path->claimed;
    int error = path_lock_folder(path);

    if (error < 0) {
        return failure_set(failure, error, "%s: another process keeps the XDP tables locked: %s",
                           path->pin_folder, strerror(-error));
    }
    error = path_write(path, publication, &published, failure);
    path_unlock_folder(path);
    if (error < 0) {
        return error;
    }
    if (first) { /* in place of a predecessor's program, so it must live before it is there */
        (void)xdp_path_beat(path, clock_wall_s());
        (void)xdp_path_attach(path);
    }
    published.took_ns = clock_monotonic_ns() - begin_ns;
    *ret_published = published;
    return 0;
}

void xdp_path_reclaim(struct xdp_path *path)
{
    path->claimed = false;
    path->lost = false;
    path->image_written = false;
    path->templates_written = false;
    path->program.maps_adopted = true; /* the other one has used them */
}

int xdp_path_beat(struct xdp_path *path, int64_t now_wall_s)
{
    struct fast_control *control = path->tables.control;

    if (!path_owns(path)) {
        return path->lost ? -ESTALE : -EAGAIN;
    }
    __atomic_store_n(&control->now_wall_s, (uint64_t)now_wall_s, __ATOMIC_RELAXED);
    __atomic_store_n(&control->deadline_ns, (uint64_t)(clock_monotonic_ns() + XDP_LIFE_NS),
                     __ATOMIC_RELEASE);
    return 0;
}

/* --- interfaces --- */

static void path_say(struct xdp_link_status *status, const char *reason)
{
    size_t len = strnlen(reason, sizeof(status->reason) - 1);

    memcpy(status->reason, reason, len);
    status->reason[len] = '\0';
}

int xdp_path_attach(struct xdp_path *path)
{
    int changed = 0;

    for (size_t i = 0; i < path->links.place_n; i++) {
        struct xdp_link_status status = path->seen->links[i];
        int error = path->lost ? -ESTALE : helper_attach(path->helper, i, &status);

        if (error == -ESTALE) {
            path->lost = true;
            status.state = XDP_LINK_FAILED;
            path_say(&status, "another process has taken over");
        } else if (error < 0) { /* what is attached stays so */
            path_say(&status, "the XDP helper process is gone: nothing is attached any more");
        }
        pthread_mutex_lock(&path->seen->lock);
        changed += status.state != path->seen->links[i].state;
        path->seen->links[i] = status;
        pthread_mutex_unlock(&path->seen->lock);
    }
    return path->lost ? -ESTALE : changed;
}

/* --- seeing it --- */

void xdp_path_status(const struct xdp_path *path, struct xdp_status *ret_status)
{
    struct path_seen *seen = path->seen;

    *ret_status = (struct xdp_status){
        .link_n = path->links.place_n,
        .word = tables_word(&path->tables),
        .beat_left_ns =
            (int64_t)__atomic_load_n(&path->tables.control->deadline_ns, __ATOMIC_ACQUIRE) -
            clock_monotonic_ns(),
        .image_blocks_max = path->tables.limits.image_blocks,
        .template_blocks_max = path->tables.limits.template_blocks,
        .services_max = path->tables.limits.services,
    };
    memcpy(ret_status->refused, path->program.refused, sizeof(ret_status->refused));
    tables_sum(&path->tables, &ret_status->counters);
    pthread_mutex_lock(&seen->lock);
    memcpy(ret_status->links, seen->links, sizeof(seen->links));
    ret_status->image_blocks = seen->image_blocks;
    ret_status->template_blocks = seen->template_blocks;
    ret_status->services = seen->services;
    pthread_mutex_unlock(&seen->lock);
}

void xdp_path_tap(struct xdp_path *path, uint32_t one_in)
{
    uint64_t mask = ~UINT64_C(0);

    if (one_in) {
        for (mask = 0; mask + 1 < one_in; mask = mask << 1 | 1) {
        }
    }
    if (path_owns(path)) {
        __atomic_store_n(&path->tables.control->tap_mask, mask, __ATOMIC_RELAXED);
    }
}

int xdp_path_tap_read(struct xdp_path *path, unsigned max, xdp_tap_take take, void *context)
{
    if (!max || !path_owns(path)) {
        return 0;
    }
    path->tap_take = take;
    path->tap_context = context;
    path->tap_left = max;
    (void)ring_buffer__consume(path->tap);
    return (int)(max - path->tap_left);
}

/* --- close --- */

static void path_detach(struct xdp_path *path)
{
    bool locked = path_lock_folder(path) == 0;

    if (!path->claimed || path_owns(path)) {
        (void)helper_detach(path->helper);
    }
    if (locked) {
        path_unlock_folder(path);
    }
}

void xdp_path_close(struct xdp_path *path, bool detach)
{
    if (path) {
        if (path->helper && detach) {
            path_detach(path);
        }
        ring_buffer__free(path->tap);
        tables_unmap(&path->tables);
        helper_stop(path->helper);
        program_close(&path->program);
        fd_close(&path->folder_fd);
        pthread_mutex_destroy(&path->seen->lock);
        free(path->seen);
        free(path->pin_folder);
        free(path);
    }
}

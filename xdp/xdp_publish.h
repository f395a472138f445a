/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fast path as the daemon sees it: programs on interfaces, their tables, a publication made
 * visible by one store. Owned by the control thread; xdp_path_status() and xdp_path_beat() may be
 * called by any.
 *
 *   xdp_path_open     while privileged: adopts what is pinned, or loads; leaves a helper process
 *                     that keeps the privileges for attaching later
 *   xdp_path_attach   whenever an interface may have come or gone
 *   xdp_path_publish  at every publication
 *   xdp_path_beat     at least once a second, while every worker makes progress
 */
#ifndef XDP_PUBLISH_H
#define XDP_PUBLISH_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/failure.h"
#include "maps/image.h"
#include "xdp/fast_abi.h"
#include "xdp/template_table.h"

struct xdp_path;

#define XDP_INTERFACES_MAX 16u
#define XDP_LIFE_NS 3000000000LL /* how long a beat lasts */

enum xdp_mode {
    XDP_MODE_AUTO, /* native, else generic and loudly */
    XDP_MODE_NATIVE,
    XDP_MODE_GENERIC,
};

struct xdp_settings {
    const char *const *interfaces;
    size_t interface_n;
    enum xdp_mode mode;
    const char *pin_folder;   /* in a bpf file system; one per daemon */
    uint32_t image_blocks;    /* capacities, of each slot */
    uint32_t template_blocks; /* likewise */
    uint32_t services;        /* likewise */
};

/* Everything one publication consists of. Borrowed for the call. */
struct xdp_publication {
    const struct template_table *templates; /* NULL: those of the publication before */
    const struct image *image;              /* NULL: none */
    bool image_same;                        /* it is the image of the publication before */
    const struct fast_state *states;        /* by service index */
    uint32_t service_n;
    const struct fast_policy *policy; /* what template_table_policy() and the image say is filled in
                                         by publish */
};

enum xdp_part {
    XDP_PART_IMAGE = 1, /* did not fit: services are passed up */
    XDP_PART_TEMPLATES = 2,
    XDP_PART_STATES = 4,
};

struct xdp_published {
    uint32_t sequence;
    unsigned left_out; /* of enum xdp_part; the reason is in the failure */
    int64_t took_ns;
};

enum xdp_link_state {
    XDP_LINK_ABSENT,  /* no such interface now */
    XDP_LINK_NATIVE,  /* attached */
    XDP_LINK_GENERIC, /* attached, slow */
    XDP_LINK_TAKEN,   /* another program is there */
    XDP_LINK_FAILED,
};

struct xdp_link_status {
    char interface[IF_NAMESIZE];
    enum xdp_link_state state;
    bool adopted; /* was attached before this process started */
    char reason[160];
};

struct xdp_status {
    struct xdp_link_status links[XDP_INTERFACES_MAX];
    size_t link_n;
    struct fast_counters counters; /* sum over CPUs, since the program was loaded */
    uint64_t word;
    int64_t beat_left_ns; /* until the deadline; negative: answers nothing */
    uint32_t image_blocks, image_blocks_max;
    uint32_t template_blocks, template_blocks_max;
    uint32_t services, services_max;
    char refused[160]; /* why what a predecessor had pinned was not adopted; empty: it was, or
                          nothing is */
};

int xdp_path_open(const struct xdp_settings *settings, struct xdp_path **ret_path,
                  struct failure *failure);

/* Attaches what is configured and not attached; before the first publication only where nothing of
 * a predecessor's is. Returns how many links changed state; what is wrong stands in the status.
 * -ESTALE: another process has taken over. */
int xdp_path_attach(struct xdp_path *path);

/* The first one takes the tables over from a predecessor, beats, and attaches.
 * Leaves what was published before in force if it fails as a whole; a part that does not fit is
 * left out. -ESTALE: another process has taken the tables over. */
int xdp_path_publish(struct xdp_path *path, const struct xdp_publication *publication,
                     struct xdp_published *ret_published, struct failure *failure);

/* Whoever has taken the tables over is gone: the next publication, which has to have everything,
 * takes them back. */
void xdp_path_reclaim(struct xdp_path *path);

/* The daemon lives: prolongs the deadline and sets the clock word. -ESTALE as above; -EAGAIN before
 * the first publication: what a predecessor published is not ours to prolong. */
int xdp_path_beat(struct xdp_path *path, int64_t now_wall_s);

void xdp_path_status(const struct xdp_path *path, struct xdp_status *ret_status);

/* Samples one packet in `one_in` (0: none), and reads samples: returns how many were given to
 * `take`, at most `max`. */
void xdp_path_tap(struct xdp_path *path, uint32_t one_in);
typedef void (*xdp_tap_take)(void *context, const struct fast_tap *sample);
int xdp_path_tap_read(struct xdp_path *path, unsigned max, xdp_tap_take take, void *context);

/* `detach`: takes the programs off the interfaces and unpins; else they go on until the deadline,
 * for a successor to adopt. Frees. NULL is allowed. */
void xdp_path_close(struct xdp_path *path, bool detach);

#endif

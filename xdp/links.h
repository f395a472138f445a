/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program on interfaces. A link is pinned under its interface's name, so the program stays when
 * this process ends, and is replaced in one step by another. Owned by the helper process.
 *
 * A name means whatever interface has it now. When that is another one than the pinned link's (gone
 * and back, renamed, its number used again), the old link is let go and a new one made. What is not
 * ours is never touched.
 */
#ifndef XDP_LINKS_H
#define XDP_LINKS_H

#include <linux/bpf.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xdp/program.h"
#include "xdp/xdp_publish.h"

struct link_place {
    char name[IF_NAMESIZE];
    uint32_t link_id; /* the link we know; 0: none */
    bool adopted;
    enum xdp_link_state state; /* of that link */
    int refused;               /* why it is not in native mode: -errno; 0: that was not tried */
    uint32_t foreign_id;       /* of the program found when the process started */
    char foreign[BPF_OBJ_NAME_LEN]; /* its name: to be read only while we are privileged */
};

struct links {
    const char *pin_folder;
    const struct program *program;
    enum xdp_mode mode;
    bool claimed; /* programs of a predecessor may be replaced */
    struct link_place places[XDP_INTERFACES_MAX];
    size_t place_n;
};

/* Borrows folder and program. -EINVAL: too many interfaces, or a name that none can have. */
int links_init(struct links *links, const struct xdp_settings *settings,
               const struct program *program, struct failure *failure);

/* Makes it so, if it can; what is, is in `ret_status`. -ESTALE: a process newer than us has pinned
 * its program; nothing is touched. */
int links_attach(struct links *links, size_t place, struct xdp_link_status *ret_status);

/* Pins the program and lets interfaces go that are no longer configured. */
int links_claim(struct links *links);

/* Takes our programs off all interfaces and unpins everything. -ESTALE as above. */
int links_detach(struct links *links);

#endif

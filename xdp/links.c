/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/fd.h"
#include "xdp/pins.h"

/* --- what is on an interface --- */

/* The name of a program, which takes CAP_SYS_ADMIN to read. */
static void links_program_name(uint32_t id, char ret_name[static BPF_OBJ_NAME_LEN])
{
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);
    int fd = bpf_prog_get_fd_by_id(id);

    ret_name[0] = '\0';
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0) {
        memcpy(ret_name, info.name, BPF_OBJ_NAME_LEN);
        ret_name[BPF_OBJ_NAME_LEN - 1] = '\0';
    }
    fd_close(&fd);
}

struct links_found {
    uint32_t program_id; /* 0: none */
    bool generic;
    bool failed;
};

static struct links_found links_query(unsigned ifindex)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, options);
    struct links_found found = {0};

    if (bpf_xdp_query((int)ifindex, 0, &options) < 0) {
        found.failed = true;
    } else {
        found.generic = options.attach_mode == XDP_ATTACHED_SKB;
        found.program_id = options.prog_id       ? options.prog_id
                           : options.drv_prog_id ? options.drv_prog_id
                           : options.hw_prog_id  ? options.hw_prog_id
                                                 : options.skb_prog_id;
    }
    return found;
}

int links_init(struct links *links, const struct xdp_settings *settings,
               const struct program *program, struct failure *failure)
{
    *links = (struct links){.pin_folder = settings->pin_folder,
                            .program = program,
                            .mode = settings->mode,
                            .place_n = settings->interface_n};
    if (settings->interface_n > XDP_INTERFACES_MAX) {
        return failure_set(failure, -EINVAL, "at most %u interfaces", XDP_INTERFACES_MAX);
    }
    for (size_t i = 0; i < settings->interface_n; i++) {
        struct link_place *place = &links->places[i];
        const char *name = settings->interfaces[i];
        unsigned ifindex;

        if (!*name || strlen(name) >= sizeof(place->name)) {
            return failure_set(failure, -EINVAL, "no interface can be called '%s'", name);
        }
        memcpy(place->name, name, strlen(name) + 1);
        ifindex = if_nametoindex(name);
        place->foreign_id = ifindex ? links_query(ifindex).program_id : 0;
        if (place->foreign_id) {
            links_program_name(place->foreign_id, place->foreign);
        }
    }
    return 0;
}

/* --- states --- */

static void links_report(const struct link_place *place, enum xdp_link_state state,
                         struct xdp_link_status *status)
{
    *status = (struct xdp_link_status){.state = state};
    memcpy(status->interface, place->name, sizeof(status->interface));
    status->adopted = place->adopted && (state == XDP_LINK_NATIVE || state == XDP_LINK_GENERIC);
    if (state == XDP_LINK_GENERIC) {
        snprintf(status->reason, sizeof(status->reason),
                 "%s%s%sgeneric mode makes each packet an skb first, which costs most of the gain",
                 place->refused ? "native mode was refused (" : "",
                 place->refused ? strerror(-place->refused) : "", place->refused ? "); " : "");
    }
}

static void links_report_taken(const struct link_place *place, unsigned ifindex,
                               struct xdp_link_status *status)
{
    struct links_found found = links_query(ifindex);
    const char *name = found.program_id == place->foreign_id ? place->foreign : "";

    links_report(place, XDP_LINK_TAKEN, status);
    snprintf(status->reason, sizeof(status->reason),
             "another XDP program is on it: id %u%s%s%s; it is left alone (ip link, bpftool net)",
             found.program_id, *name ? ", '" : "", name, *name ? "'" : "");
}

static void links_report_failed(const struct link_place *place, const char *what, int error,
                                struct xdp_link_status *status)
{
    links_report(place, XDP_LINK_FAILED, status);
    snprintf(status->reason, sizeof(status->reason), "%s: %s", what, strerror(-error));
}

/* --- making a link --- */

static int links_create(const struct links *links, unsigned ifindex, __u32 flags)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    int fd = bpf_link_create(links->program->fd, (int)ifindex, BPF_XDP, &options);

    return fd < 0 ? -errno : fd;
}

/* -EBUSY, -EEXIST: somebody is there, in this mode or in the other */
static bool links_is_taken(int error)
{
    return error == -EBUSY || error == -EEXIST;
}

static uint32_t links_id(int fd, struct bpf_link_info *info)
{
    __u32 len = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return bpf_obj_get_info_by_fd(fd, info, &len) < 0 ? 0 : info->id;
}

static void links_make(struct links *links, struct link_place *place, const char *pin,
                       unsigned ifindex, struct xdp_link_status *status)
{
    bool generic = links->mode == XDP_MODE_GENERIC;
    int fd = links_create(links, ifindex, generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
    struct bpf_link_info info;
    int error;

    place->refused = 0;
    if (fd < 0 && !links_is_taken(fd) && links->mode == XDP_MODE_AUTO) {
        generic = true;
        place->refused = fd;
        fd = links_create(links, ifindex, XDP_FLAGS_SKB_MODE);
    }
    if (fd < 0) {
        if (links_is_taken(fd)) {
            links_report_taken(place, ifindex, status);
        } else {
            links_report_failed(place, generic ? "generic mode" : "native mode", fd, status);
        }
        return;
    }
    error = pins_put(links->pin_folder, pin, fd);
    place->link_id = links_id(fd, &info);
    close(fd); /* not pinned: gone with this */
    if (error < 0) {
        links_report_failed(place, "its link cannot be pinned", error, status);
        return;
    }
    place->adopted = false;
    place->state = generic ? XDP_LINK_GENERIC : XDP_LINK_NATIVE;
    links_report(place, place->state, status);
}

/* --- the link that is there --- */

/* A link seen for the first time: in which mode is it? */
static void links_meet(struct link_place *place, uint32_t link_id, unsigned ifindex)
{
    place->adopted = true;
    place->refused = 0;
    place->link_id = link_id;
    place->state = links_query(ifindex).generic ? XDP_LINK_GENERIC : XDP_LINK_NATIVE;
}

static bool links_fits_mode(const struct links *links, const struct link_place *place)
{
    return links->mode == XDP_MODE_AUTO ||
           (links->mode == XDP_MODE_GENERIC) == (place->state == XDP_LINK_GENERIC);
}

/* True: the link stays, `status` says how. False: it is no longer what is wanted. */
static bool links_keep(struct links *links, struct link_place *place, int fd, unsigned ifindex,
                       struct xdp_link_status *status)
{
    struct bpf_link_info info;
    uint32_t id = links_id(fd, &info);
    int error;

    if (!id || info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != ifindex) {
        return false;
    }
    if (id != place->link_id) {
        links_meet(place, id, ifindex);
    }
    if (!links->claimed) { /* whoever answers there goes on until we have something to say */
        links_report(place, place->state, status);
        return true;
    }
    if (!links_fits_mode(links, place)) {
        return false;
    }
    error = info.prog_id == links->program->id ? 0 : bpf_link_update(fd, links->program->fd, NULL);
    if (error < 0) {
        links_report_failed(place, "its program cannot be replaced", -errno, status);
    } else {
        links_report(place, place->state, status);
    }
    return true;
}

int links_attach(struct links *links, size_t place_index, struct xdp_link_status *ret_status)
{
    struct link_place *place = &links->places[place_index];
    char pin[PINS_NAME_MAX];
    unsigned ifindex;
    bool kept;
    int fd;

    if (links->claimed && !program_is_pinned(links->program, links->pin_folder)) {
        return -ESTALE;
    }
    pins_link_name(place->name, pin);
    ifindex = if_nametoindex(place->name);
    fd = pins_get(links->pin_folder, pin);
    kept = fd >= 0 && ifindex && links_keep(links, place, fd, ifindex, ret_status);
    if (fd >= 0 && !kept) {
        (void)pins_drop_link(links->pin_folder, pin);
        place->link_id = 0;
    }
    fd_close(&fd);
    if (!ifindex) {
        links_report(place, XDP_LINK_ABSENT, ret_status);
    } else if (!kept) {
        links_make(links, place, pin, ifindex, ret_status);
    }
    return 0;
}

int links_claim(struct links *links)
{
    const char *kept[XDP_INTERFACES_MAX];
    int error = program_pin(links->program, links->pin_folder);

    for (size_t i = 0; i < links->place_n; i++) {
        kept[i] = links->places[i].name;
    }
    if (error == 0) {
        links->claimed = true;
        error = pins_tidy_links(links->pin_folder, kept, links->place_n);
    }
    return error < 0 ? error : 0;
}

/* Without a claim only what we attached ourselves is ours. */
static int links_detach_own(struct links *links)
{
    char pin[PINS_NAME_MAX];
    int error = 0;

    for (size_t i = 0; i < links->place_n && error == 0; i++) {
        const struct link_place *place = &links->places[i];

        if (place->link_id && !place->adopted) {
            pins_link_name(place->name, pin);
            error = pins_drop_link(links->pin_folder, pin);
        }
    }
    return error;
}

int links_detach(struct links *links)
{
    int error;

    if (!links->claimed) {
        return links_detach_own(links);
    }
    if (!program_is_pinned(links->program, links->pin_folder)) {
        return -ESTALE;
    }
    error = pins_tidy_links(links->pin_folder, NULL, 0);
    program_unpin(links->pin_folder);
    (void)rmdir(links->pin_folder);
    return error < 0 ? error : 0;
}

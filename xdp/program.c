/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "answer.skel.h"
#include "base/fd.h"
#include "base/siphash_core.h"
#include "xdp/bpf_words.h"
#include "xdp/pins.h"

#define PROGRAM_MAPS_MAX 32u

static const char *const program_pins[PROGRAM_MAPS] = {
    [PROGRAM_CONTROL] = "control", [PROGRAM_POLICIES] = "policies",
    [PROGRAM_STATES] = "states",   [PROGRAM_TEMPLATES] = "templates",
    [PROGRAM_IMAGES] = "images",   [PROGRAM_COUNTERS] = "counters",
    [PROGRAM_TAP] = "tap",         [PROGRAM_LIMITS] = "limits",
};

static const struct program program_none = {
    .fd = -1,
    .map_fds = {-1, -1, -1, -1, -1, -1, -1, -1},
};

static struct bpf_map *program_map(const struct answer_bpf *bpf, enum program_map map)
{
    struct bpf_map *const maps[PROGRAM_MAPS] = {
        [PROGRAM_CONTROL] = bpf->maps.control, [PROGRAM_POLICIES] = bpf->maps.policies,
        [PROGRAM_STATES] = bpf->maps.states,   [PROGRAM_TEMPLATES] = bpf->maps.templates,
        [PROGRAM_IMAGES] = bpf->maps.images,   [PROGRAM_COUNTERS] = bpf->maps.counters,
        [PROGRAM_TAP] = bpf->maps.tap,         [PROGRAM_LIMITS] = bpf->maps.rodata,
    };

    return maps[map];
}

static int program_size(const struct answer_bpf *bpf, const struct fast_limits *limits)
{
    const uint32_t entries[PROGRAM_TAP] = {
        [PROGRAM_CONTROL] = 1,
        [PROGRAM_POLICIES] = FAST_SLOTS,
        [PROGRAM_STATES] = FAST_SLOTS * limits->services,
        [PROGRAM_TEMPLATES] = FAST_TABLE_SLOTS,
        [PROGRAM_IMAGES] = FAST_TABLE_SLOTS,
        [PROGRAM_COUNTERS] = limits->cpus,
    };
    int error =
        bpf_map__set_value_size(bpf->maps.templates, limits->template_blocks * FAST_BLOCK_SIZE);

    error = error
                ? error
                : bpf_map__set_value_size(bpf->maps.images, limits->image_blocks * FAST_BLOCK_SIZE);
    for (unsigned map = 0; map < PROGRAM_TAP && error == 0; map++) {
        error = bpf_map__set_max_entries(program_map(bpf, map), entries[map]);
    }
    return error;
}

/* --- what is pinned --- */

static void program_find(const char *folder, struct program *found)
{
    *found = program_none;
    found->fd = pins_get(folder, PROGRAM_PIN);
    for (unsigned map = 0; map < PROGRAM_MAPS && found->fd >= 0; map++) {
        found->map_fds[map] = pins_get(folder, program_pins[map]);
    }
}

static int program_info(int fd, struct bpf_prog_info *info)
{
    __u32 len = sizeof(*info);

    return bpf_obj_get_info_by_fd(fd, info, &len) < 0 ? -errno : 0;
}

static int map_info(int fd, struct bpf_map_info *info)
{
    __u32 len = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return bpf_obj_get_info_by_fd(fd, info, &len) < 0 ? -errno : 0;
}

/* A process that was killed while it pinned leaves maps of another program. */
static bool program_uses(const __u32 *map_ids, uint32_t map_n, uint32_t id)
{
    bool used = false;

    for (uint32_t i = 0; i < map_n; i++) {
        used = used || map_ids[i] == id;
    }
    return used;
}

static bool program_same_size(const struct bpf_map *map, const struct bpf_map_info *info)
{
    return info->type == bpf_map__type(map) && info->key_size == bpf_map__key_size(map) &&
           info->value_size == bpf_map__value_size(map) &&
           info->max_entries == bpf_map__max_entries(map) &&
           (info->map_flags & BPF_F_MMAPABLE) == (bpf_map__map_flags(map) & BPF_F_MMAPABLE);
}

/* What a control page says of the tables it belongs to. */
static int program_read_control(int fd, struct fast_control *ret_control)
{
    struct fast_control *control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);

    if (control == MAP_FAILED) {
        return -errno;
    }
    *ret_control = *control;
    munmap(control, sizeof(*control));
    return 0;
}

/* 0: the maps can be ours. Else the reason is in `refused`. */
static int program_check(const struct answer_bpf *bpf, const struct program *found,
                         struct fast_control *ret_control, char *refused, size_t refused_size)
{
    __u32 map_ids[PROGRAM_MAPS_MAX] = {0};
    struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS_MAX,
                                 .map_ids = (__u64)(uintptr_t)map_ids};
    int error = program_info(found->fd, &info);

    if (error < 0) {
        snprintf(refused, refused_size, "it cannot be read: %s", strerror(-error));
        return error;
    }
    for (unsigned map = 0; map < PROGRAM_MAPS; map++) {
        struct bpf_map_info size;

        if (found->map_fds[map] < 0 || map_info(found->map_fds[map], &size) < 0 ||
            !program_uses(map_ids, info.nr_map_ids, size.id)) {
            snprintf(refused, refused_size, "its map '%s' is missing or another program's",
                     program_pins[map]);
            return -EINVAL;
        }
        /* limits may be other ones: then the program is not adopted, its maps may be */
        if (map != PROGRAM_LIMITS && !program_same_size(program_map(bpf, map), &size)) {
            snprintf(refused, refused_size, "its map '%s' has another size", program_pins[map]);
            return -EINVAL;
        }
    }
    error = program_read_control(found->map_fds[PROGRAM_CONTROL], ret_control);
    if (error < 0) {
        snprintf(refused, refused_size, "its map 'control' cannot be read: %s", strerror(-error));
    } else if (ret_control->magic != FAST_MAGIC || ret_control->abi_version != FAST_ABI_VERSION) {
        snprintf(refused, refused_size, "its tables have version %u, ours %u",
                 ret_control->abi_version, FAST_ABI_VERSION);
        error = -EINVAL;
    }
    return error;
}

/* --- loading --- */

static int program_load(struct answer_bpf *bpf, const struct program *found, bool adopt,
                        struct failure *failure)
{
    struct bpf_program *program;
    int error = 0;

    for (program = bpf_object__next_program(bpf->obj, NULL); program;
         program = bpf_object__next_program(bpf->obj, program)) {
        (void)bpf_program__set_autoload(program, program == bpf->progs.answer);
    }
    for (unsigned map = 0; map < PROGRAM_LIMITS && adopt && error == 0; map++) {
        error = bpf_map__reuse_fd(program_map(bpf, map), found->map_fds[map]);
    }
    error = error ? error : answer_bpf__load(bpf);
    return error < 0 ? failure_set(failure, error, "cannot load the XDP program: %s%s%s%s",
                                   strerror(-error), *bpf_words_last() ? " (" : "",
                                   bpf_words_last(), *bpf_words_last() ? ")" : "")
                     : 0;
}

static int program_dup(int fd, int *ret_fd)
{
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? -errno : 0;
}

static int program_take(const struct answer_bpf *bpf, struct program *program,
                        struct failure *failure)
{
    struct bpf_prog_info info = {0};
    int error = program_dup(bpf_program__fd(bpf->progs.answer), &program->fd);

    for (unsigned map = 0; map < PROGRAM_MAPS && error == 0; map++) {
        error = program_dup(bpf_map__fd(program_map(bpf, map)), &program->map_fds[map]);
    }
    error = error ? error : program_info(program->fd, &info);
    program->id = info.id;
    return error < 0 ? failure_set(failure, error, "XDP program: %s", strerror(-error)) : 0;
}

/* Of the object and of what is constant in it. */
static uint64_t program_digest(const struct answer_bpf *bpf)
{
    uint8_t key[SIPHASH_KEY_LEN] = {0};
    size_t len;
    const void *bytes = answer_bpf__elf_bytes(&len);
    uint64_t digest = siphash(key, bytes, (uint32_t)len);

    memcpy(key, &digest, sizeof(digest));
    bytes = bpf_map__initial_value(bpf->maps.rodata, &len);
    digest = siphash(key, bytes, (uint32_t)len);
    return digest ? digest : 1;
}

static int program_adopt(struct program *found, struct program *program, struct failure *failure)
{
    struct bpf_prog_info info = {0};
    int error = program_info(found->fd, &info);

    if (error < 0) {
        program_close(found);
        return failure_set(failure, error, "the pinned XDP program: %s", strerror(-error));
    }
    found->id = info.id;
    found->digest = program->digest;
    found->maps_adopted = true;
    found->adopted = true;
    *program = *found;
    return 0;
}

static int program_make(struct answer_bpf *bpf, const char *folder,
                        const struct fast_limits *limits, struct program *program,
                        struct failure *failure)
{
    struct program found;
    struct fast_control control = {0};
    int error = program_size(bpf, limits);

    if (error < 0) {
        return failure_set(failure, error, "XDP program: sizes: %s", strerror(-error));
    }
    program->digest = program_digest(bpf);
    program_find(folder, &found);
    program->maps_adopted = found.fd >= 0 && program_check(bpf, &found, &control, program->refused,
                                                           sizeof(program->refused)) == 0;
    if (program->maps_adopted && control.program == program->digest) {
        return program_adopt(&found, program, failure);
    }
    error = program_load(bpf, &found, program->maps_adopted, failure);
    error = error ? error : program_take(bpf, program, failure);
    program_close(&found);
    return error;
}

int program_open(const char *pin_folder, struct fast_limits *limits, struct program *ret_program,
                 struct failure *failure)
{
    struct program program = program_none;
    struct answer_bpf *bpf;
    int cpus;
    int error;

    bpf_words_keep();
    cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) {
        return failure_set(failure, -ENOTSUP, "the number of CPUs cannot be found out");
    }
    limits->cpus = (uint32_t)cpus;
    bpf = answer_bpf__open();
    if (!bpf) {
        return failure_set(failure, -errno, "cannot open the XDP object: %s", bpf_words_last());
    }
    bpf->rodata->limits = *limits;
    error = program_make(bpf, pin_folder, limits, &program, failure);
    answer_bpf__destroy(bpf);
    if (error < 0) {
        program_close(&program);
        return error;
    }
    *ret_program = program;
    return 0;
}

int program_pin(const struct program *program, const char *pin_folder)
{
    int error = 0;

    if (program_is_pinned(program, pin_folder)) {
        return 0;
    }
    for (unsigned map = 0; map < PROGRAM_MAPS && error == 0; map++) {
        error = pins_put(pin_folder, program_pins[map], program->map_fds[map]);
    }
    return error ? error : pins_put(pin_folder, PROGRAM_PIN, program->fd);
}

bool program_is_pinned(const struct program *program, const char *pin_folder)
{
    struct bpf_prog_info info = {0};
    int fd = pins_get(pin_folder, PROGRAM_PIN);
    bool same = fd >= 0 && program_info(fd, &info) == 0 && info.id == program->id;

    fd_close(&fd);
    return same;
}

void program_unpin(const char *pin_folder)
{
    (void)pins_drop(pin_folder, PROGRAM_PIN);
    for (unsigned map = 0; map < PROGRAM_MAPS; map++) {
        (void)pins_drop(pin_folder, program_pins[map]);
    }
}

void program_close(struct program *program)
{
    fd_close(&program->fd);
    for (unsigned map = 0; map < PROGRAM_MAPS; map++) {
        fd_close(&program->map_fds[map]);
    }
}

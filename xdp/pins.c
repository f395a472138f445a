/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/pins.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define PINS_LINK "link_"
#define PINS_NEW "_new"

static_assert(sizeof(PINS_LINK) + 3 * (size_t)IF_NAMESIZE <= PINS_NAME_MAX, "a link's name fits");

static int pins_path(const char *folder, const char *name, char ret_path[static PATH_MAX])
{
    int len = snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);

    return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int pins_open(const char *folder, struct failure *failure)
{
    struct statfs where;
    bool made = mkdir(folder, 0700) == 0;
    int fd;

    if (!made && errno != EEXIST) {
        return failure_set(failure, -errno,
                           "%s: cannot make the folder for pinned BPF objects: %s (is there a bpf "
                           "file system? mount -t bpf bpf /sys/fs/bpf)",
                           folder, strerror(errno));
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failure_set(failure, -errno, "%s: %s", folder, strerror(errno));
    }
    if (fstatfs(fd, &where) < 0 || where.f_type != BPF_FS_MAGIC) {
        close(fd);
        if (made) {
            rmdir(folder);
        }
        return failure_set(failure, -ENOTSUP,
                           "%s: is in no bpf file system, programs would end with this process "
                           "(mount -t bpf bpf /sys/fs/bpf, or name a folder in one)",
                           folder);
    }
    return fd;
}

int pins_get(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int error = pins_path(folder, name, path);
    int fd = error ? error : bpf_obj_get(path);

    return fd < 0 && !error ? -errno : fd;
}

int pins_put(const char *folder, const char *name, int fd)
{
    char fresh_name[PINS_NAME_MAX + sizeof(PINS_NEW)];
    char fresh[PATH_MAX];
    char path[PATH_MAX];
    int error = pins_path(folder, name, path);

    snprintf(fresh_name, sizeof(fresh_name), "%s" PINS_NEW, name);
    error = error ? error : pins_path(folder, fresh_name, fresh);
    if (error) {
        return error;
    }
    if (unlink(fresh) < 0 && errno != ENOENT) { /* left by one that was killed */
        return -errno;
    }
    if (bpf_obj_pin(fd, fresh) < 0) {
        return -errno;
    }
    if (rename(fresh, path) < 0) {
        error = -errno;
        unlink(fresh);
    }
    return error;
}

int pins_drop(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int error = pins_path(folder, name, path);

    return error ? error : unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int pins_drop_link(const char *folder, const char *name)
{
    int fd = pins_get(folder, name);

    if (fd >= 0) {
        (void)bpf_link_detach(fd); /* fails where its interface is gone */
        close(fd);
    }
    return pins_drop(folder, name);
}

void pins_link_name(const char *interface, char ret_name[static PINS_NAME_MAX])
{
    size_t len = sizeof(PINS_LINK) - 1;

    memcpy(ret_name, PINS_LINK, len);
    for (const char *at = interface; *at && len + 4 <= PINS_NAME_MAX; at++) {
        bool plain = isalnum((unsigned char)*at) || *at == '-';

        len += (size_t)snprintf(ret_name + len, PINS_NAME_MAX - len, plain ? "%c" : "%%%02X",
                                (unsigned char)*at);
    }
    ret_name[len] = '\0';
}

static bool pins_is_kept(const char *name, const char *const *kept, size_t kept_n)
{
    char link[PINS_NAME_MAX];
    bool found = false;

    for (size_t i = 0; i < kept_n && !found; i++) {
        pins_link_name(kept[i], link);
        found = strcmp(name, link) == 0;
    }
    return found;
}

int pins_tidy_links(const char *folder, const char *const *kept, size_t kept_n)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;
    int dropped = 0;

    if (!listing) {
        return -errno;
    }
    while ((entry = readdir(listing))) {
        if (strncmp(entry->d_name, PINS_LINK, sizeof(PINS_LINK) - 1) == 0 &&
            !pins_is_kept(entry->d_name, kept, kept_n)) {
            dropped += pins_drop_link(folder, entry->d_name) == 0;
        }
    }
    closedir(listing);
    return dropped;
}

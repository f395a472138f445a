/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maps/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "maps/image_check.h"

/* Sections name their place as block numbers of 32 bits, but nothing sensible comes near: this is
 * what we are willing to read into memory. */
#define IMAGE_LEN_MAX ((size_t)4 << 30)

struct image {
    atomic_uint references;
    uint8_t *bytes; /* anonymous mapping of `mapped_len` bytes */
    size_t mapped_len;
    struct map_region region;
    const struct map_header *header;
    const struct map_pop *pops;
    const struct map_entry *maps;
    uint32_t records_block;
    const struct map_section *ranges[MAP_SPACES][MAP_FAMILIES];
    const uint64_t *rows;
    char path[];
};

static struct image *image_new(const char *path, size_t len, struct failure *failure)
{
    size_t path_size = strlen(path) + 1;
    struct image *image;
    void *bytes;

    if (!len || len > IMAGE_LEN_MAX) {
        failure_set(failure, -EINVAL, "%s: %zu bytes are no latency map image", path, len);
        errno = EINVAL;
        return NULL;
    }
    image = calloc(1, sizeof(*image) + path_size);
    if (!image) {
        failure_set(failure, -ENOMEM, "%s: out of memory", path);
        errno = ENOMEM;
        return NULL;
    }
    image->mapped_len = (len + MAP_BLOCK_SIZE - 1) / MAP_BLOCK_SIZE * MAP_BLOCK_SIZE;
    bytes =
        mmap(NULL, image->mapped_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        free(image);
        failure_set(failure, -ENOMEM, "%s: out of memory for %zu bytes", path, len);
        errno = ENOMEM;
        return NULL;
    }
    /* lookups touch a few random lines: fewer TLB misses where the kernel has huge pages to give */
    (void)madvise(bytes, image->mapped_len, MADV_HUGEPAGE);
    /* every page is about to be written: at once is cheaper than one fault each (Linux 5.14) */
    (void)madvise(bytes, image->mapped_len, MADV_POPULATE_WRITE);
    atomic_init(&image->references, 1);
    image->bytes = bytes;
    memcpy(image->path, path, path_size);
    return image;
}

static void image_free(struct image *image)
{
    munmap(image->bytes, image->mapped_len);
    free(image);
}

static void image_index(struct image *image, size_t len)
{
    const struct map_header *header = (const struct map_header *)(const void *)image->bytes;

    image->header = header;
    image->region = (struct map_region){image->bytes, (uint32_t)(len / MAP_BLOCK_SIZE)};
    for (uint32_t i = 0; i < header->section_n; i++) {
        const struct map_section *section = &header->sections[i];

        switch (section->type) {
        case MAP_SECTION_POPS:
            image->pops = section_bytes(image->bytes, section);
            break;
        case MAP_SECTION_MAPS:
            image->maps = section_bytes(image->bytes, section);
            break;
        case MAP_SECTION_RECORDS:
            image->records_block = section->first_block;
            break;
        case MAP_SECTION_PROVENANCE_RANGES:
            image->ranges[section->space][section->family] = section;
            break;
        case MAP_SECTION_PROVENANCE_ROWS:
            image->rows = section_bytes(image->bytes, section);
            break;
        default: /* tables are found through the maps; other sections mean nothing to us */
            break;
        }
    }
}

/* Validates and freezes what was read into image->bytes; frees the image on failure. */
static int image_seal(struct image *image, size_t len, struct image **ret_image,
                      struct failure *failure)
{
    int error = image_check(image->bytes, len, true, failure);

    if (error < 0) {
        failure_wrap(failure, error, "%s", image->path);
        image_free(image);
        return error;
    }
    /* nobody writes to it any more, not even by mistake */
    (void)mprotect(image->bytes, image->mapped_len, PROT_READ);
    image_index(image, len);
    *ret_image = image;
    return 0;
}

int image_from_bytes(const char *name, const uint8_t *bytes, size_t len, struct image **ret_image,
                     struct failure *failure)
{
    struct image *image = image_new(name, len, failure);

    if (!image) {
        return -errno;
    }
    memcpy(image->bytes, bytes, len);
    return image_seal(image, len, ret_image, failure);
}

/* Exactly `len` bytes; -EINVAL when the file has fewer or more by now. */
static int image_read(struct image *image, int fd, size_t len, struct failure *failure)
{
    size_t done = 0;
    char more;

    while (done < len) {
        ssize_t n = read(fd, image->bytes + done, len - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failure_set(failure, -errno, "%s: %s", image->path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    if (done < len || read(fd, &more, 1) != 0) {
        return failure_set(failure, -EINVAL, "%s: changed while it was read", image->path);
    }
    return 0;
}

static int image_open_fd(const char *path, int fd, struct image **ret_image,
                         struct failure *failure)
{
    struct image *image;
    struct stat status;
    size_t len;
    int error;

    if (fstat(fd, &status) < 0) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return failure_set(failure, -EINVAL, "%s: not a regular file", path);
    }
    len = (size_t)status.st_size;
    image = image_new(path, len, failure);
    if (!image) {
        return -errno;
    }
    error = image_read(image, fd, len, failure);
    if (error < 0) {
        image_free(image);
        return error;
    }
    return image_seal(image, len, ret_image, failure);
}

int image_open(const char *path, struct image **ret_image, struct failure *failure)
{
    /* not blocking: a FIFO in the place of the image must not hang a reload */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error;

    if (fd < 0) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    error = image_open_fd(path, fd, ret_image, failure);
    fd_close(&fd);
    return error;
}

struct image *image_ref(struct image *image)
{
    atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
    return image;
}

void image_unref(struct image *image)
{
    if (image && atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) == 1) {
        image_free(image);
    }
}

const char *image_path(const struct image *image)
{
    return image->path;
}

const struct map_header *image_header(const struct image *image)
{
    return image->header;
}

const struct map_region *image_region(const struct image *image)
{
    return &image->region;
}

uint32_t image_records_block(const struct image *image)
{
    return image->records_block;
}

uint32_t image_pop_count(const struct image *image)
{
    return image->header->pop_n;
}

const struct map_pop *image_pop(const struct image *image, uint32_t pop)
{
    return &image->pops[pop];
}

int image_find_pop(const struct image *image, const char *name)
{
    for (uint32_t i = 0; i < image->header->pop_n; i++) {
        if (strcmp(image->pops[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

uint32_t image_map_count(const struct image *image)
{
    return image->header->map_n;
}

const struct map_entry *image_map(const struct image *image, uint32_t map)
{
    return &image->maps[map];
}

int image_find_map(const struct image *image, const char *name)
{
    for (uint32_t i = 0; i < image->header->map_n; i++) {
        if (strcmp(image->maps[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

/* The index of the range that holds `key`, the family's left-aligned start. The first range starts
 * at 0. */
static uint64_t find_range(const void *ranges, uint64_t range_n, bool ipv4, uint64_t key)
{
    uint64_t low = 0;
    uint64_t high = range_n;

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t start = ipv4 ? ((const struct map_range4 *)ranges)[middle].start
                              : ((const struct map_range6 *)ranges)[middle].start;

        if (start <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void put_be(uint64_t value, unsigned len, uint8_t *ret_bytes)
{
    for (unsigned i = 0; i < len; i++) {
        ret_bytes[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
}

bool image_find_provenance(const struct image *image, enum map_space space,
                           const struct map_address *address,
                           struct image_provenance *ret_provenance)
{
    bool ipv4 = address->family == MAP_FAMILY_IPV4;
    const struct map_section *section;
    const void *ranges;
    uint64_t index;
    uint64_t start;
    uint32_t row;

    if (address->family >= MAP_FAMILIES || !image->ranges[space][address->family]) {
        return false;
    }
    section = image->ranges[space][address->family];
    ranges = section_bytes(image->bytes, section);
    index =
        find_range(ranges, section->item_n, ipv4, ipv4 ? address->key.hi >> 32 : address->key.hi);
    start = ipv4 ? ((const struct map_range4 *)ranges)[index].start
                 : ((const struct map_range6 *)ranges)[index].start;
    row = ipv4 ? ((const struct map_range4 *)ranges)[index].row
               : ((const struct map_range6 *)ranges)[index].row;
    *ret_provenance = (struct image_provenance){
        .from = {.address = {.family = ipv4 ? ADDRESS_IPV4 : ADDRESS_IPV6}, .len = ipv4 ? 32 : 128},
        .row = (const struct map_row *)(const void *)&image->rows[row],
        .estimates = (const struct map_estimate *)(const void *)&image->rows[row + 1],
    };
    put_be(start, ipv4 ? 4 : 8, ret_provenance->from.address.bytes);
    return true;
}

static uint64_t get_be(const uint8_t *bytes, unsigned len)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

void image_address_from(const struct address *address, struct map_address *ret_address)
{
    switch (address->family) {
    case ADDRESS_IPV4:
        map_address_ipv4((uint32_t)get_be(address->bytes, 4), ret_address);
        break;
    case ADDRESS_IPV6:
        map_address_ipv6(get_be(address->bytes, 8), get_be(address->bytes + 8, 8), ret_address);
        break;
    default:
        map_address_ipv4(0, ret_address);
        ret_address->family = MAP_ADDRESS_NONE;
        break;
    }
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "mapper/geo.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

const char *__lsan_default_suppressions(void);

/* libmaxminddb 1.7 forgets a block when it refuses corrupt metadata; not ours to judge here. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb\n";
}

static void places_check(const struct geo *geo, enum map_family family)
{
    const struct steps *steps = &geo->places[family];
    uint64_t below = UINT64_MAX >> (family == MAP_FAMILY_IPV4 ? 24 : 56);

    for (size_t i = 0; i < steps->n; i++) {
        if ((steps->hi[i] & below) || steps->lo || (i && steps->hi[i - 1] >= steps->hi[i]) ||
            (steps->value[i] != STEPS_NONE && steps->value[i] >= geo->place_n)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct failure failure;
    struct geo geo;
    char path[64];

    if (fd < 0 || fd_write_all(fd, bytes, len) != 0) {
        fd_close(&fd);
        return 0;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (geo_load_file(path, &geo, &failure) == 0) {
        places_check(&geo, MAP_FAMILY_IPV4);
        places_check(&geo, MAP_FAMILY_IPV6);
        geo_done(&geo);
    } else if (failure.text[0] == '\0') {
        abort();
    }
    fd_close(&fd);
    return 0;
}

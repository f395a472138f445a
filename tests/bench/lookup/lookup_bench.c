/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nanoseconds per lookup of the same addresses in three structures that hold the same networks: the
 * image's table, a plain binary trie of its blocks, and the MMDB file it came from (the search
 * alone, no record is decoded). They take turns, so that whatever else the machine does meets all
 * of them; the ratio is what counts. A turn is long: in a short one each would mostly pay for
 * fetching back what the one before it pushed out of the caches.
 *
 * One JSON object per family on stdout.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <maxminddb.h>

#include "base/clock.h"
#include "maps/decide_core.h"
#include "maps/image.h"
#include "trie.h"

#define STRETCH 250000u /* lookups before the next contender has its turn */
#define ROUNDS_MAX 31
#define CONTENDERS 3

enum contender { MAP, TRIE, MMDB };

struct bench {
    const struct image *image;
    enum map_family family;
    struct trie trie;
    MMDB_s mmdb;
    struct map_key *keys;
    struct sockaddr_storage *sockaddrs;
    size_t address_n;
    size_t round_n;
    uint64_t random;
    uint64_t checksum;
    double *ns[CONTENDERS]; /* per lookup, of each stretch of each round */
    size_t stretch_n;
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t word = *state += 0x9e3779b97f4a7c15ULL;

    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

/* Names that callgrind can tell apart: see `run --instructions`. */
__attribute__((noinline)) uint64_t lookup_map(const struct bench *bench, size_t first, size_t last);
__attribute__((noinline)) uint64_t lookup_trie(const struct bench *bench, size_t first,
                                               size_t last);
__attribute__((noinline)) uint64_t lookup_mmdb(const struct bench *bench, size_t first,
                                               size_t last);

uint64_t lookup_map(const struct bench *bench, size_t first, size_t last)
{
    const struct map_entry *map = image_map(bench->image, 0);
    const struct map_region region = *image_region(bench->image);
    struct map_address address = {.family = (uint8_t)bench->family};
    uint64_t sum = 0;

    for (size_t i = first; i < last; i++) {
        struct map_leaf leaf = {0, 0};

        address.key = bench->keys[i];
        (void)map_space_lookup(&region, map, MAP_SPACE_CLIENT, &address, &leaf);
        sum += leaf.record;
    }
    return sum;
}

uint64_t lookup_trie(const struct bench *bench, size_t first, size_t last)
{
    uint64_t sum = 0;

    for (size_t i = first; i < last; i++) {
        sum += trie_lookup(&bench->trie, &bench->keys[i]);
    }
    return sum;
}

uint64_t lookup_mmdb(const struct bench *bench, size_t first, size_t last)
{
    uint64_t sum = 0;

    for (size_t i = first; i < last; i++) {
        int error = 0;
        MMDB_lookup_result_s result = MMDB_lookup_sockaddr(
            &bench->mmdb, (const struct sockaddr *)&bench->sockaddrs[i], &error);

        sum += result.entry.offset + (uint64_t)error;
    }
    return sum;
}

#define ALLOCATION_BITS 32 /* what registries give to one network, about */

struct range {
    uint64_t start_hi;
    uint32_t depth;
};

/* The /32s that hold an ordinary block, and ordinary blocks that are larger; each once. */
struct range_list {
    struct trie *trie;
    struct range *ranges;
    size_t range_n;
    size_t range_max;
};

static int keep_range(struct range_list *list, uint64_t start_hi, uint32_t depth)
{
    if (depth > ALLOCATION_BITS) {
        depth = ALLOCATION_BITS;
        start_hi &= ~(~0ULL >> ALLOCATION_BITS);
    }
    if (list->range_n && list->ranges[list->range_n - 1].start_hi == start_hi) {
        return 0; /* blocks come in address order */
    }
    if (list->range_n == list->range_max) {
        list->range_max = list->range_max ? list->range_max * 2 : 4096;
        list->ranges = realloc(list->ranges, list->range_max * sizeof(*list->ranges));
        if (!list->ranges) {
            return -ENOMEM;
        }
    }
    list->ranges[list->range_n].start_hi = start_hi;
    list->ranges[list->range_n++].depth = depth;
    return 0;
}

static int keep_block(void *context, const struct map_key *start, uint32_t depth, uint32_t record)
{
    struct range_list *list = context;
    int error = record < MAP_RECORD_SPECIAL ? keep_range(list, start->hi, depth) : 0;

    return error < 0 ? error : trie_add(list->trie, start, depth, record);
}

static void put_sockaddr(const struct map_key *key, enum map_family family,
                         struct sockaddr_storage *ret_sockaddr)
{
    uint64_t halves[2] = {htobe64(key->hi), htobe64(key->lo)};

    memset(ret_sockaddr, 0, sizeof(*ret_sockaddr));
    if (family == MAP_FAMILY_IPV4) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret_sockaddr;

        ipv4->sin_family = AF_INET;
        memcpy(&ipv4->sin_addr, halves, 4);
    } else {
        struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)ret_sockaddr;

        ipv6->sin6_family = AF_INET6;
        memcpy(&ipv6->sin6_addr, halves, 16);
    }
}

/* An IPv4 address anywhere; an IPv6 address in a random allocation, since most of its space is
 * empty. */
static struct map_key random_key(struct bench *bench, const struct range_list *list)
{
    struct map_key key = {random_next(&bench->random), random_next(&bench->random)};

    if (bench->family == MAP_FAMILY_IPV4) {
        key.hi &= 0xffffffff00000000ULL;
        key.lo = 0;
    } else {
        size_t i = random_next(&bench->random) % list->range_n;

        key.hi = list->ranges[i].start_hi | key.hi >> list->ranges[i].depth;
    }
    return key;
}

/* Random addresses that the database knows: routed ones. */
static int draw_addresses(struct bench *bench, const struct range_list *list)
{
    bench->keys = calloc(bench->address_n, sizeof(*bench->keys));
    bench->sockaddrs = calloc(bench->address_n, sizeof(*bench->sockaddrs));
    if (!bench->keys || !bench->sockaddrs || !list->range_n) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < bench->address_n;) {
        int error = 0;
        MMDB_lookup_result_s result;

        bench->keys[i] = random_key(bench, list);
        put_sockaddr(&bench->keys[i], bench->family, &bench->sockaddrs[i]);
        result =
            MMDB_lookup_sockaddr(&bench->mmdb, (struct sockaddr *)&bench->sockaddrs[i], &error);
        i += result.found_entry;
    }
    return 0;
}

/* The trie and the table must say the same, or the figures compare different things. */
static size_t count_differences(const struct bench *bench)
{
    size_t differences = 0;

    for (size_t i = 0; i < bench->address_n; i++) {
        differences += lookup_map(bench, i, i + 1) != lookup_trie(bench, i, i + 1);
    }
    return differences;
}

static void run_round(struct bench *bench, size_t round)
{
    static uint64_t (*const lookups[])(const struct bench *, size_t,
                                       size_t) = {lookup_map, lookup_trie, lookup_mmdb};

    for (size_t first = 0; first + STRETCH <= bench->address_n; first += STRETCH) {
        for (size_t turn = 0; turn < CONTENDERS; turn++) {
            size_t contender = (turn + first / STRETCH + round) % CONTENDERS;
            int64_t start = clock_monotonic_ns();

            bench->checksum += lookups[contender](bench, first, first + STRETCH);
            bench->ns[contender][bench->stretch_n] =
                (double)(clock_monotonic_ns() - start) / STRETCH;
        }
        bench->stretch_n++;
    }
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare_doubles);
    return values[n / 2];
}

static void print_figures(struct bench *bench, size_t differences)
{
    const struct map_entry *map = image_map(bench->image, 0);
    const struct map_header *header = image_header(bench->image);
    double map_ns = median(bench->ns[MAP], bench->stretch_n);
    double trie_ns = median(bench->ns[TRIE], bench->stretch_n);
    double mmdb_ns = median(bench->ns[MMDB], bench->stretch_n);
    uint64_t blocks = 0;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < header->section_n; i++) {
        if (header->sections[i].type == MAP_SECTION_TABLE &&
            header->sections[i].first_block ==
                map->tables[MAP_SPACE_CLIENT][bench->family].first_block) {
            blocks = header->sections[i].item_n;
            bytes = header->sections[i].len;
        }
    }
    printf("{\"family\":\"IPv%c\",\"addresses\":%zu,\"rounds\":%zu,\"differences\":%zu,"
           "\"blocks\":%llu,\"table_bytes\":%llu,\"trie_bytes\":%llu,\"map_ns\":%.1f,"
           "\"trie_ns\":%.1f,\"mmdb_ns\":%.1f,\"checksum\":%llu}\n",
           bench->family == MAP_FAMILY_IPV4 ? '4' : '6', bench->address_n, bench->round_n,
           differences, (unsigned long long)blocks, (unsigned long long)bytes,
           (unsigned long long)bench->trie.node_n * 8, map_ns, trie_ns, mmdb_ns,
           (unsigned long long)bench->checksum);
    fflush(stdout);
}

static int reserve_samples(struct bench *bench)
{
    for (size_t i = 0; i < CONTENDERS; i++) {
        bench->ns[i] = calloc(bench->address_n / STRETCH * bench->round_n, sizeof(double));
        if (!bench->ns[i]) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int bench_family(struct bench *bench, const char *mmdb_path)
{
    struct range_list list = {.trie = &bench->trie};
    size_t differences;
    int error = MMDB_open(mmdb_path, MMDB_MODE_MMAP, &bench->mmdb);

    if (error != MMDB_SUCCESS) {
        fprintf(stderr, "%s: %s\n", mmdb_path, MMDB_strerror(error));
        return -EINVAL;
    }
    error = trie_init(&bench->trie);
    if (error == 0) {
        error = image_walk(bench->image, 0, MAP_SPACE_CLIENT, bench->family, keep_block, &list);
    }
    if (error == 0) {
        error = draw_addresses(bench, &list);
    }
    if (error == 0) {
        error = reserve_samples(bench);
    }
    if (error == 0) {
        differences = count_differences(bench);
        for (size_t round = 0; round < bench->round_n; round++) {
            run_round(bench, round);
        }
        print_figures(bench, differences);
        error = differences ? -EIO : 0;
    }
    for (size_t i = 0; i < CONTENDERS; i++) {
        free(bench->ns[i]);
    }
    free(list.ranges);
    free(bench->keys);
    free(bench->sockaddrs);
    trie_done(&bench->trie);
    MMDB_close(&bench->mmdb);
    return error;
}

int main(int argc, char **argv)
{
    struct failure failure;
    struct image *image;
    int error = 0;

    if (argc != 6) {
        fprintf(stderr, "usage: lookup_bench IMAGE MMDB4 MMDB6 ADDRESSES ROUNDS\n");
        return 2;
    }
    if (image_open(argv[1], &image, &failure) < 0) {
        fprintf(stderr, "%s\n", failure.text);
        return 1;
    }
    for (int family = 0; family < MAP_FAMILIES && error == 0; family++) {
        struct bench bench = {
            .image = image,
            .family = family == 0 ? MAP_FAMILY_IPV4 : MAP_FAMILY_IPV6,
            .address_n = strtoul(argv[4], NULL, 10),
            .round_n = strtoul(argv[5], NULL, 10),
            .random = 20261122,
        };

        if (bench.address_n < STRETCH || !bench.round_n || bench.round_n > ROUNDS_MAX) {
            fprintf(stderr, "ADDRESSES at least %u, ROUNDS from 1 to %d\n", STRETCH, ROUNDS_MAX);
            return 2;
        }
        error = bench_family(&bench, argv[2 + family]);
    }
    image_unref(image);
    return error < 0;
}

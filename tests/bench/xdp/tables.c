/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tables IMAGE PINS QUESTIONS ROUNDS: the map's tables beside BPF's trie (LPM_TRIE) with the same
 * prefixes, both in the kernel. One JSON object.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/address.h"
#include "base/clock.h"
#include "maps/image.h"

#include "tables_abi.h"

#include "tables.skel.h"

#define ROUNDS_MAX 99
#define FREED_SHARE 90 /* per cent of what a table took */
#define FREE_LIMIT_NS (60 * CLOCK_NS_PER_S)

struct pin {
    struct prefix prefix;
    uint32_t pop;
};

struct pins {
    struct pin *list;
    uint32_t n;
    uint32_t family_n[2];
};

struct bench {
    struct image *image;
    struct pins pins;
    struct tables_bpf *bpf;
    uint32_t question_n;
    uint32_t *wanted; /* PoP of each question */
};

static void fail(const char *what)
{
    fprintf(stderr, "tables: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *need(void *pointer)
{
    if (!pointer) {
        fail("memory");
    }
    return pointer;
}

/* MemAvailable: what a table took, and when the kernel has it back. */
static int64_t available_kb(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    long long kb = 0;

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "MemAvailable: %lld kB", &kb) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return kb;
}

static void read_pins(struct pins *pins, const char *path)
{
    FILE *file = fopen(path, "r");
    size_t room = 1 << 16;
    char line[128];

    if (!file) {
        fail(path);
    }
    pins->list = need(malloc(room * sizeof(*pins->list)));
    while (fgets(line, sizeof(line), file)) {
        char *comma = strchr(line, ',');
        struct pin pin = {0};

        if (!comma || comma[1] != 'p' || comma[2] < '0' || comma[2] > '9') {
            continue; /* the header */
        }
        *comma = '\0';
        if (prefix_parse(line, true, &pin.prefix) < 0) {
            errno = EINVAL;
            fail(line);
        }
        pin.pop = (uint32_t)strtoul(comma + 2, NULL, 10);
        if (pins->n == room) {
            room *= 2;
            pins->list = need(realloc(pins->list, room * sizeof(*pins->list)));
        }
        pins->family_n[pin.prefix.address.family == ADDRESS_IPV6]++;
        pins->list[pins->n++] = pin;
    }
    fclose(file);
}

static void load(struct bench *bench)
{
    const struct map_entry *map = image_map(bench->image, 0);
    struct tables_bpf *bpf = need(tables_bpf__open());

    bench->bpf = bpf;
    bpf->rodata->config = (struct tables_config){
        .question_n = bench->question_n,
        .block_v4 = map->tables[MAP_SPACE_CLIENT][MAP_FAMILY_IPV4].first_block,
        .block_v6 = map->tables[MAP_SPACE_CLIENT][MAP_FAMILY_IPV6].first_block,
        .records_block = image_records_block(bench->image),
        .block_n = image_region(bench->image)->block_n,
    };
    bpf_map__set_value_size(bpf->maps.image, image_region(bench->image)->block_n * MAP_BLOCK_SIZE);
    bpf_map__set_max_entries(bpf->maps.trie_v4, bench->pins.family_n[0] + 1);
    bpf_map__set_max_entries(bpf->maps.trie_v6, bench->pins.family_n[1] + 1);
    bpf_map__set_max_entries(bpf->maps.questions, bench->question_n);
    bpf_map__set_max_entries(bpf->maps.answers, bench->question_n);
    if (tables_bpf__load(bpf) < 0) {
        fail("load");
    }
}

static void *map_values(const struct bpf_map *map, size_t len)
{
    void *values = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    if (values == MAP_FAILED) {
        fail("mmap");
    }
    return values;
}

static size_t pages(size_t len)
{
    return (len + 4095) / 4096 * 4096;
}

static void fill_key(uint32_t *key, const struct address *address, uint32_t len)
{
    key[0] = len;
    memcpy(key + 1, address->bytes, sizeof(address->bytes));
}

static uint64_t big_endian(const uint8_t *bytes, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++) {
        value = value << 8 | (i < n ? bytes[i] : 0);
    }
    return value;
}

/* Random addresses inside the prefixes, each prefix alike. */
static void fill_questions(struct bench *bench)
{
    size_t len = pages(bench->question_n * sizeof(struct tables_question));
    struct tables_question *questions = map_values(bench->bpf->maps.questions, len);
    uint64_t random = 1;

    bench->wanted = need(calloc(bench->question_n, sizeof(*bench->wanted)));
    for (uint32_t i = 0; i < bench->question_n; i++) {
        struct address address;
        const struct pin *pin;

        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        pin = &bench->pins.list[(random >> 32) * bench->pins.n >> 32];
        address = pin->prefix.address;
        for (unsigned bit = pin->prefix.len; bit < address_bits(&address); bit++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            address.bytes[bit / 8] |= (uint8_t)((random >> 63) << (7 - bit % 8));
        }
        questions[i].ipv6 = address.family == ADDRESS_IPV6;
        questions[i].hi = big_endian(address.bytes, questions[i].ipv6 ? 8 : 4);
        questions[i].lo = big_endian(address.bytes + 8, questions[i].ipv6 ? 8 : 0);
        fill_key(questions[i].key, &address, address_bits(&address));
        bench->wanted[i] = pin->pop;
    }
    munmap(questions, len);
}

/* As the publisher does: the image's bytes into the mapped array. */
static double publish_ours(struct bench *bench)
{
    const struct map_region *region = image_region(bench->image);
    size_t len = (size_t)region->block_n * MAP_BLOCK_SIZE;
    void *blocks = map_values(bench->bpf->maps.image, len);
    int64_t start = clock_monotonic_ns();

    memcpy(blocks, region->bytes, len);
    start = clock_monotonic_ns() - start;
    munmap(blocks, len);
    return (double)start / 1e6;
}

static double publish_trie(struct bench *bench)
{
    const int fds[2] = {bpf_map__fd(bench->bpf->maps.trie_v4),
                        bpf_map__fd(bench->bpf->maps.trie_v6)};
    int64_t start = clock_monotonic_ns();

    for (uint32_t i = 0; i < bench->pins.n; i++) {
        const struct pin *pin = &bench->pins.list[i];
        uint32_t key[6];

        fill_key(key, &pin->prefix.address, pin->prefix.len);
        if (bpf_map_update_elem(fds[pin->prefix.address.family == ADDRESS_IPV6], key, &pin->pop,
                                BPF_ANY) < 0) {
            fail("trie");
        }
    }
    return (double)(clock_monotonic_ns() - start) / 1e6;
}

static double run(struct bench *bench, const struct bpf_program *program)
{
    uint8_t packet[64] = {0};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
                .repeat = (int)bench->question_n);

    bench->bpf->bss->next_question = 0;
    if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) < 0) {
        fail("run");
    }
    if (options.retval != XDP_PASS) {
        errno = EIO;
        fail("run");
    }
    return options.duration;
}

static uint32_t differences(struct bench *bench)
{
    size_t len = pages(bench->question_n * sizeof(uint64_t));
    const uint64_t *answers = map_values(bench->bpf->maps.answers, len);
    uint32_t n = 0;

    for (uint32_t i = 0; i < bench->question_n; i++) {
        n += answers[i] != bench->wanted[i];
    }
    munmap((void *)(uintptr_t)answers, len);
    return n;
}

/* Milliseconds from giving the table up until its memory is back, of `took_kb`; -1: not in time. */
static double until_free(int64_t start, int64_t before_kb, int64_t took_kb)
{
    while (available_kb() - before_kb < took_kb * FREED_SHARE / 100) {
        if (clock_monotonic_ns() - start > FREE_LIMIT_NS) {
            return -1;
        }
        usleep(500);
    }
    return (double)(clock_monotonic_ns() - start) / 1e6;
}

/* The object has both tables and each has a life of its own: a second array or pair of tries is
 * filled and given up. */
static double free_ours(struct bench *bench, int64_t *ret_took_kb)
{
    const struct map_region *region = image_region(bench->image);
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
    int fd =
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "again", 4, MAP_BLOCK_SIZE, region->block_n, &options);
    int64_t filled_kb = available_kb();
    int64_t start = clock_monotonic_ns();

    if (fd < 0) {
        fail("array");
    }
    *ret_took_kb = (int64_t)region->block_n * MAP_BLOCK_SIZE / 1024;
    close(fd);
    return until_free(start, filled_kb, *ret_took_kb);
}

static double free_trie(struct bench *bench, int64_t *ret_took_kb)
{
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
    int64_t before_kb = available_kb();
    int64_t filled_kb;
    int64_t start;
    int fds[2];

    for (int family = 0; family < 2; family++) {
        fds[family] = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "again", family ? 20 : 8, 4,
                                     bench->pins.family_n[family] + 1, &options);
        if (fds[family] < 0) {
            fail("trie");
        }
    }
    for (uint32_t i = 0; i < bench->pins.n; i++) {
        const struct pin *pin = &bench->pins.list[i];
        uint32_t key[6];

        fill_key(key, &pin->prefix.address, pin->prefix.len);
        (void)bpf_map_update_elem(fds[pin->prefix.address.family == ADDRESS_IPV6], key, &pin->pop,
                                  BPF_ANY);
    }
    filled_kb = available_kb();
    *ret_took_kb = before_kb - filled_kb;
    start = clock_monotonic_ns();
    close(fds[0]);
    close(fds[1]);
    return until_free(start, filled_kb, *ret_took_kb);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static void print_runs(const char *name, double *ns, int rounds, uint32_t wrong)
{
    qsort(ns, (size_t)rounds, sizeof(*ns), compare_doubles);
    printf("\"%s\":{\"ns\":%.1f,\"ns_least\":%.1f,\"ns_most\":%.1f,\"differences\":%u}", name,
           ns[rounds / 2], ns[0], ns[rounds - 1], wrong);
}

static void measure(struct bench *bench, int rounds)
{
    double ours[ROUNDS_MAX];
    double trie[ROUNDS_MAX];
    uint32_t wrong_ours = 0;
    uint32_t wrong_trie = 0;

    for (int i = 0; i < rounds; i++) {
        double empty = run(bench, bench->bpf->progs.tables_empty);

        ours[i] = run(bench, bench->bpf->progs.tables_ours) - empty;
        wrong_ours += differences(bench);
        trie[i] = run(bench, bench->bpf->progs.tables_trie) - empty;
        wrong_trie += differences(bench);
    }
    print_runs("ours", ours, rounds, wrong_ours);
    printf(",");
    print_runs("trie", trie, rounds, wrong_trie);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    struct failure failure;
    int rounds = argc == 5 ? atoi(argv[4]) : 0;
    int64_t ours_kb;
    int64_t trie_kb;
    double ours_ms;
    double trie_ms;

    if (rounds < 1 || rounds > ROUNDS_MAX || atoi(argv[3]) < 1) {
        fputs("usage: tables IMAGE PINS QUESTIONS ROUNDS\n", stderr);
        return 2;
    }
    if (image_open(argv[1], &bench.image, &failure) < 0) {
        fprintf(stderr, "tables: %s\n", failure.text);
        return 1;
    }
    read_pins(&bench.pins, argv[2]);
    bench.question_n = (uint32_t)atoi(argv[3]);
    load(&bench);
    fill_questions(&bench);
    ours_ms = publish_ours(&bench);
    trie_ms = publish_trie(&bench);
    printf("{\"prefixes\":%u,\"questions\":%u,\"blocks\":%u,\"publish_ms\":{\"ours\":%.1f,"
           "\"trie\":%.1f},",
           bench.pins.n, bench.question_n, image_region(bench.image)->block_n, ours_ms, trie_ms);
    measure(&bench, rounds);
    tables_bpf__destroy(bench.bpf);
    sleep(3); /* what that has freed must not be counted below */
    ours_ms = free_ours(&bench, &ours_kb);
    trie_ms = free_trie(&bench, &trie_kb);
    printf(",\"free_ms\":{\"ours\":%.1f,\"trie\":%.1f},\"kb\":{\"ours\":%lld,\"trie\":%lld}}\n",
           ours_ms, trie_ms, (long long)ours_kb, (long long)trie_kb);
    free(bench.pins.list);
    free(bench.wanted);
    image_unref(bench.image);
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fast path without the daemon, for tests of its life: a command per line of stdin, a line of
 * JSON for each on stdout, {"code": 0} or {"code": -errno, "reason": ...}.
 *
 *   open FOLDER MODE IMAGE_BLOCKS TEMPLATE_BLOCKS SERVICES INTERFACE...
 *   listen ADDRESS PORT        where queries are answered, from the next publication on
 *   publish NUMBER [IMAGE]     all of it, saying NUMBER: www.example. A has PoPs' addresses
 *                              10.POP.HIGH.LOW of the number, with it as TTL; k.example. A has
 *                              10.255.HIGH.LOW
 *   states NUMBER              only states and policy, with NUMBER as TTL
 *   fill NAMES                 as many names n0.example. ... for the next publications
 *   services N                 as many services, for the next publications
 *   attach | beat | status | tap ONE_IN | samples | reclaim
 *   beats MS                   beats on its own every 100 ms, so long
 *   close leave|detach
 *   pass INTERFACE             puts a program there that passes everything, to stay
 *   version FOLDER             makes the pinned tables those of another version
 *   refuse-membarrier          as a kernel does that has CPUs without a tick
 *   drop UID                   becomes that user, without any capability
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <jansson.h>
#include <seccomp.h>

#include "base/clock.h"
#include "xdp/listener_core.h"
#include "xdp/xdp_publish.h"

#define DRIVER_WORDS 24
#define DRIVER_STATIC_POP 255u

struct driver {
    struct xdp_path *path;
    struct fast_policy policy;
    struct image *image;
    char image_path[256];
    uint32_t template_blocks;
    uint32_t service_n;
    uint32_t fill_n;
    int64_t took_max_ns;
};

struct driver_record {
    uint8_t bytes[16]; /* pointer to the question, A, IN, TTL, length, address */
};

static const uint8_t driver_service[] = "\3www\7example";
static const uint8_t driver_static[] = "\1k\7example";

static uint32_t driver_number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static struct driver_record driver_record(uint32_t number, uint32_t pop, uint32_t ttl)
{
    return (struct driver_record){{0xc0, 12, 0, 1, 0, 1, (uint8_t)(ttl >> 24), (uint8_t)(ttl >> 16),
                                   (uint8_t)(ttl >> 8), (uint8_t)ttl, 0, 4, 10, (uint8_t)pop,
                                   (uint8_t)(number >> 8), (uint8_t)number}};
}

static int driver_add_static(struct template_builder *builder, const uint8_t *name, uint32_t number)
{
    struct driver_record record = driver_record(number, DRIVER_STATIC_POP, number);
    struct template_static answer = {
        .name = name,
        .qtype = 1,
        .flags = 0x8400,
        .counts = {1, 0, 0},
        .answer = FAST_ANSWER_POSITIVE,
        .attributes = FAST_DO_SAME,
        .body = record.bytes,
        .body_len = sizeof(record.bytes),
    };

    return template_builder_add_static(builder, &answer);
}

static int driver_add_service(struct template_builder *builder, uint32_t number)
{
    static struct driver_record records[MAP_STATES];
    static struct template_variant variants[MAP_STATES];
    struct template_variants all = {.by_pop = variants};
    struct template_geo answer = {
        .name = driver_service,
        .qtype = 1,
        .flags = 0x8400,
        .attributes = FAST_DO_SAME,
        .service = 0,
        .map = 0,
        .family = MAP_FAMILY_IPV4,
        .want = 1,
    };
    int code;

    for (uint32_t pop = 0; pop < MAP_STATES; pop++) {
        records[pop] = driver_record(number, pop, 0);
        variants[pop] = (struct template_variant){records[pop].bytes, sizeof(records[pop].bytes), 1,
                                                  1, sizeof(records[pop].bytes)};
    }
    code = template_builder_add_variants(builder, &all, &answer.variants);
    return code == 1 ? template_builder_add_geo(builder, &answer) : code;
}

static int driver_templates(const struct driver *driver, uint32_t number,
                            struct template_table **ret_table, struct failure *failure)
{
    struct template_builder *builder =
        template_builder_new(driver->template_blocks, UINT64_C(0x123456789abcdef) * (number + 1));
    int code = builder ? driver_add_static(builder, driver_static, number) : -ENOMEM;

    code = code == 1 ? driver_add_service(builder, number) : code;
    for (uint32_t i = 0; i < driver->fill_n && code == 1; i++) {
        char name[32];
        int len = snprintf(name + 1, sizeof(name) - 1, "n%u", i);

        name[0] = (char)len;
        memcpy(name + 1 + len, "\7example", 9);
        code = driver_add_static(builder, (const uint8_t *)name, number);
    }
    if (code != 1) {
        template_builder_free(builder);
        return failure_set(failure, code ? code : -ENOSPC, "templates");
    }
    return template_builder_finish(builder, ret_table, failure);
}

static int driver_image(struct driver *driver, const char *path, bool *ret_same,
                        struct failure *failure)
{
    *ret_same = path && strcmp(path, driver->image_path) == 0;
    if (*ret_same || !path) {
        return 0;
    }
    image_unref(driver->image);
    driver->image = NULL;
    snprintf(driver->image_path, sizeof(driver->image_path), "%s", path);
    return image_open(path, &driver->image, failure);
}

static int driver_publish(struct driver *driver, uint32_t number, const char *image_path,
                          bool states_only, json_t *result, struct failure *failure)
{
    struct template_table *table = NULL;
    struct fast_state *states = calloc(driver->service_n, sizeof(*states));
    struct xdp_publication publication = {
        .image_same = states_only,
        .states = states,
        .service_n = driver->service_n,
        .policy = &driver->policy,
    };
    struct xdp_published published = {0};
    int code = states_only ? 0 : driver_templates(driver, number, &table, failure);

    if (code == 0 && !states_only) {
        code = driver_image(driver, image_path, &publication.image_same, failure);
    }
    for (uint32_t i = 0; i < driver->service_n; i++) {
        states[i].ttl = number;
    }
    publication.templates = table;
    publication.image = states_only || image_path ? driver->image : NULL;
    code = code ? code : xdp_path_publish(driver->path, &publication, &published, failure);
    template_table_free(table);
    free(states);
    (void)json_object_set_new(result, "sequence", json_integer(published.sequence));
    (void)json_object_set_new(result, "left_out", json_integer(published.left_out));
    (void)json_object_set_new(result, "took_ns", json_integer(published.took_ns));
    return code;
}

static int driver_open(struct driver *driver, char **words, size_t word_n, struct failure *failure)
{
    static const char *const modes[] = {"auto", "native", "generic"};
    struct xdp_settings settings = {
        .interfaces = (const char *const *)(words + 6),
        .interface_n = word_n > 6 ? word_n - 6 : 0,
        .pin_folder = words[1],
        .image_blocks = driver_number(words[3]),
        .template_blocks = driver_number(words[4]),
        .services = driver_number(words[5]),
    };

    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(words[2], modes[i]) == 0) {
            settings.mode = (enum xdp_mode)i;
        }
    }
    driver->template_blocks = settings.template_blocks;
    return xdp_path_open(&settings, &driver->path, failure);
}

static int driver_listen(struct driver *driver, const char *address, const char *port)
{
    struct fast_address words = {{0}};
    uint8_t *bytes = (uint8_t *)words.words;

    if (inet_pton(AF_INET6, address, bytes) != 1) {
        bytes[10] = bytes[11] = 0xff;
        if (inet_pton(AF_INET, address, bytes + 12) != 1) {
            return -EINVAL;
        }
    }
    return fast_listener_add(&driver->policy, &words, htons((uint16_t)driver_number(port)));
}

static void driver_status(const struct driver *driver, json_t *result)
{
    static const char *const states[] = {"absent", "native", "generic", "taken", "failed"};
    struct xdp_status status;
    json_t *links = json_array();
    json_t *passed = json_array();

    xdp_path_status(driver->path, &status);
    for (size_t i = 0; i < status.link_n; i++) {
        (void)json_array_append_new(
            links, json_pack("{s:s, s:s, s:b, s:s}", "interface", status.links[i].interface,
                             "state", states[status.links[i].state], "adopted",
                             status.links[i].adopted, "reason", status.links[i].reason));
    }
    for (unsigned i = 0; i < FAST_PASS_REASONS; i++) {
        (void)json_array_append_new(passed, json_integer((json_int_t)status.counters.passed[i]));
    }
    (void)json_object_set_new(result, "links", links);
    (void)json_object_set_new(result, "word", json_integer((json_int_t)status.word));
    (void)json_object_set_new(result, "beat_left_ns", json_integer(status.beat_left_ns));
    (void)json_object_set_new(result, "passed", passed);
    (void)json_object_set_new(result, "stale",
                              json_integer((json_int_t)status.counters.passed[FAST_PASS_STALE]));
    (void)json_object_set_new(result, "broken",
                              json_integer((json_int_t)status.counters.passed[FAST_PASS_BROKEN]));
    (void)json_object_set_new(
        result, "answered",
        json_integer((json_int_t)(status.counters.answered[FAST_ANSWER_POSITIVE] +
                                  status.counters.answered[FAST_ANSWER_NODATA] +
                                  status.counters.answered[FAST_ANSWER_GEO])));
    (void)json_object_set_new(result, "image_blocks", json_integer(status.image_blocks));
    (void)json_object_set_new(result, "template_blocks", json_integer(status.template_blocks));
    (void)json_object_set_new(result, "services", json_integer(status.services));
    (void)json_object_set_new(result, "refused", json_string(status.refused));
}

static void driver_take(void *context, const struct fast_tap *sample)
{
    (void)json_array_append_new((json_t *)context, json_integer(sample->len));
}

static int driver_drop(unsigned uid)
{
    capng_clear(CAPNG_SELECT_BOTH);
    return capng_change_id((int)uid, (int)uid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
}

static int driver_pass(const char *interface)
{
    const struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass_all", "GPL", program, 2, NULL);
    int code = fd < 0 ? -errno
                      : bpf_xdp_attach((int)if_nametoindex(interface), fd,
                                       XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_DRV_MODE, NULL);

    if (fd >= 0) {
        close(fd);
    }
    return code;
}

static int driver_version(const char *folder)
{
    char path[256];
    struct fast_control *control;
    int fd;

    snprintf(path, sizeof(path), "%s/control", folder);
    fd = bpf_obj_get(path);
    control = fd < 0 ? MAP_FAILED
                     : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) {
        return -errno;
    }
    control->abi_version++;
    return 0;
}

static int driver_refuse_membarrier(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int code = filter ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(membarrier), 0)
                      : -ENOMEM;

    code = code ? code : seccomp_load(filter);
    seccomp_release(filter);
    return code;
}

static int driver_beats(struct driver *driver, int64_t ms)
{
    int64_t until = clock_monotonic_ns() + ms * CLOCK_NS_PER_MS;
    int code = 0;

    while (code == 0 && clock_monotonic_ns() < until) {
        code = xdp_path_beat(driver->path, clock_wall_s());
        usleep(100000);
    }
    return code;
}

static int driver_obey(struct driver *driver, char **words, size_t word_n, json_t *result,
                       struct failure *failure)
{
    const char *verb = words[0];
    int code = -EINVAL;

    if (strcmp(verb, "open") == 0 && word_n >= 6) {
        code = driver_open(driver, words, word_n, failure);
    } else if (strcmp(verb, "listen") == 0 && word_n == 3) {
        code = driver_listen(driver, words[1], words[2]);
    } else if (strcmp(verb, "publish") == 0 && word_n >= 2) {
        code = driver_publish(driver, driver_number(words[1]), word_n > 2 ? words[2] : NULL, false,
                              result, failure);
    } else if (strcmp(verb, "states") == 0 && word_n == 2) {
        code = driver_publish(driver, driver_number(words[1]), NULL, true, result, failure);
    } else if (strcmp(verb, "fill") == 0 && word_n == 2) {
        driver->fill_n = driver_number(words[1]);
        code = 0;
    } else if (strcmp(verb, "services") == 0 && word_n == 2) {
        driver->service_n = driver_number(words[1]);
        code = 0;
    } else if (strcmp(verb, "attach") == 0) {
        code = xdp_path_attach(driver->path);
    } else if (strcmp(verb, "beat") == 0) {
        code = xdp_path_beat(driver->path, clock_wall_s());
    } else if (strcmp(verb, "beats") == 0 && word_n == 2) {
        code = driver_beats(driver, driver_number(words[1]));
    } else if (strcmp(verb, "status") == 0) {
        driver_status(driver, result);
        code = 0;
    } else if (strcmp(verb, "tap") == 0 && word_n == 2) {
        xdp_path_tap(driver->path, driver_number(words[1]));
        code = 0;
    } else if (strcmp(verb, "samples") == 0) {
        json_t *samples = json_array();

        code = xdp_path_tap_read(driver->path, 1000, driver_take, samples);
        (void)json_object_set_new(result, "samples", samples);
    } else if (strcmp(verb, "pass") == 0 && word_n == 2) {
        code = driver_pass(words[1]);
    } else if (strcmp(verb, "version") == 0 && word_n == 2) {
        code = driver_version(words[1]);
    } else if (strcmp(verb, "reclaim") == 0) {
        xdp_path_reclaim(driver->path);
        code = 0;
    } else if (strcmp(verb, "refuse-membarrier") == 0) {
        code = driver_refuse_membarrier();
    } else if (strcmp(verb, "drop") == 0 && word_n == 2) {
        code = driver_drop(driver_number(words[1]));
    } else if (strcmp(verb, "close") == 0 && word_n == 2) {
        xdp_path_close(driver->path, strcmp(words[1], "detach") == 0);
        driver->path = NULL;
        code = 0;
    }
    return code;
}

int main(void)
{
    static struct driver driver = {.service_n = 1};
    char line[1024];

    while (fgets(line, sizeof(line), stdin)) {
        char *words[DRIVER_WORDS];
        size_t word_n = 0;
        struct failure failure = {{0}};
        json_t *result = json_object();
        char *rest = line;
        int code;

        while (word_n < DRIVER_WORDS && (words[word_n] = strtok_r(rest, " \n", &rest))) {
            word_n++;
        }
        code = word_n ? driver_obey(&driver, words, word_n, result, &failure) : -EINVAL;
        (void)json_object_set_new(result, "code", json_integer(code));
        (void)json_object_set_new(result, "reason", json_string(failure.text));
        (void)json_dumpf(result, stdout, JSON_COMPACT);
        (void)putchar('\n');
        (void)fflush(stdout);
        json_decref(result);
    }
    xdp_path_close(driver.path, false);
    image_unref(driver.image);
    return 0;
}

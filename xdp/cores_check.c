/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xdp/cores_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cores.skel.h"
#include "xdp/bpf_words.h"

#define RUN_PACKET_LEN                                                                             \
    64 /* the kernel wants an Ethernet frame, the program does not look at it                      \
        */

/* An mmap'able array's values in our memory. */
struct mapping {
    void *bytes;
    size_t len;
};

struct cores_check {
    struct cores_input input;
    struct cores_bpf *bpf;
    struct mapping answers;
};

int cores_check_allowed(struct failure *failure)
{
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 4, 1, NULL);

    if (fd < 0) {
        return failure_set(failure, -errno, "the kernel does not let us use BPF: %s",
                           strerror(errno));
    }
    close(fd);
    return 0;
}

static int mapping_open(const struct bpf_map *map, size_t len, struct mapping *ret_mapping,
                        struct failure *failure)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped_len = (len + page - 1) / page * page;
    void *bytes = mmap(NULL, mapped_len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    if (bytes == MAP_FAILED) {
        return failure_set(failure, -errno, "cannot map the BPF array %s: %s", bpf_map__name(map),
                           strerror(errno));
    }
    *ret_mapping = (struct mapping){bytes, mapped_len};
    return 0;
}

static int fill_array(const struct bpf_map *map, const void *bytes, size_t len,
                      struct failure *failure)
{
    struct mapping mapping;
    int error = mapping_open(map, len, &mapping, failure);

    if (error == 0) {
        memcpy(mapping.bytes, bytes, len);
        munmap(mapping.bytes, mapping.len);
    }
    return error;
}

static uint32_t maps_block(const struct image *image)
{
    const uint8_t *first = (const uint8_t *)image_map(image, 0);

    return (uint32_t)((size_t)(first - image_region(image)->bytes) / MAP_BLOCK_SIZE);
}

static int load(struct cores_check *check, struct failure *failure)
{
    const struct cores_input *input = &check->input;
    struct cores_bpf *bpf = cores_bpf__open();
    uint32_t block_n = image_region(input->image)->block_n;
    int error;

    if (!bpf) {
        return failure_set(failure, -errno, "cannot open the BPF object: %s", bpf_words_last());
    }
    check->bpf = bpf;
    if (block_n > MAP_REGION_BLOCKS_MAX) {
        return failure_set(failure, -EFBIG,
                           "the image is larger than a BPF program can read (512 MB)");
    }
    bpf->rodata->config.question_n = input->question_n;
    bpf->rodata->config.maps_block = maps_block(input->image);
    bpf->rodata->config.records_block = image_records_block(input->image);
    bpf->rodata->config.block_n = block_n;
    error = bpf_map__set_value_size(bpf->maps.image, block_n * MAP_BLOCK_SIZE);
    error = error ? error : bpf_map__set_max_entries(bpf->maps.states, input->state_n);
    error = error ? error : bpf_map__set_max_entries(bpf->maps.questions, input->question_n);
    error = error ? error : bpf_map__set_max_entries(bpf->maps.answers, input->question_n);
    error = error ? error : cores_bpf__load(bpf);
    return error < 0 ? failure_set(failure, error, "cannot load the BPF program: %s (%s)",
                                   strerror(-error), bpf_words_last())
                     : 0;
}

static int fill(struct cores_check *check, struct failure *failure)
{
    const struct cores_input *input = &check->input;
    const struct map_region *region = image_region(input->image);
    int error = fill_array(check->bpf->maps.image, region->bytes,
                           (size_t)region->block_n * MAP_BLOCK_SIZE, failure);

    if (error == 0) {
        error = fill_array(check->bpf->maps.states, input->states,
                           (size_t)input->state_n * MAP_STATES, failure);
    }
    if (error == 0) {
        error = fill_array(check->bpf->maps.questions, input->questions,
                           input->question_n * sizeof(*input->questions), failure);
    }
    if (error == 0) {
        error =
            mapping_open(check->bpf->maps.answers, input->question_n * sizeof(struct cores_answer),
                         &check->answers, failure);
    }
    return error;
}

int cores_check_open(const struct cores_input *input, struct cores_check **ret_check,
                     struct failure *failure)
{
    struct cores_check *check = calloc(1, sizeof(*check));
    int error;

    if (!check) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->input = *input;
    bpf_words_keep();
    error = load(check, failure);
    if (error == 0) {
        error = fill(check, failure);
    }
    if (error < 0) {
        cores_check_close(check);
        return error;
    }
    *ret_check = check;
    return 0;
}

void cores_check_close(struct cores_check *check)
{
    if (check) {
        if (check->answers.bytes) {
            munmap(check->answers.bytes, check->answers.len);
        }
        cores_bpf__destroy(check->bpf);
        free(check);
    }
}

void cores_check_size(const struct cores_check *check, struct cores_size *ret_size)
{
    struct bpf_prog_info info = {0};
    __u32 info_len = sizeof(info);

    *ret_size = (struct cores_size){0};
    if (bpf_obj_get_info_by_fd(bpf_program__fd(check->bpf->progs.cores_run), &info, &info_len) ==
        0) {
        ret_size->verified_insns = info.verified_insns;
        ret_size->translated_insns = info.xlated_prog_len / (__u32)sizeof(struct bpf_insn);
        ret_size->jited_bytes = info.jited_prog_len;
    }
}

int cores_check_run(struct cores_check *check, enum cores_program program, double *ret_ns,
                    struct failure *failure)
{
    const struct bpf_program *run =
        program == CORES_PROGRAM_RUN ? check->bpf->progs.cores_run : check->bpf->progs.cores_empty;
    uint8_t packet[RUN_PACKET_LEN] = {0};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
                .repeat = (int)check->input.question_n);
    int error;

    memset(check->answers.bytes, 0, check->answers.len);
    check->bpf->bss->next_question = 0;
    error = bpf_prog_test_run_opts(bpf_program__fd(run), &options);
    if (error < 0) {
        return failure_set(failure, error, "cannot run the BPF program: %s", strerror(-error));
    }
    if (options.retval != XDP_PASS) {
        return failure_set(failure, -EIO, "the BPF program could not read its arrays");
    }
    *ret_ns = options.duration;
    return 0;
}

void cores_check_host(const struct cores_input *input, const struct cores_question *question,
                      struct cores_answer *ret_answer)
{
    const struct map_entry *map = image_map(input->image, question->map);

    map_decide(image_region(input->image), map, image_records_block(input->image),
               &question->client, &ret_answer->verdict);
    map_select(&ret_answer->verdict.record, input->states[question->states], map->tail, map->tail_n,
               question->want, &ret_answer->picks);
    ret_answer->done = 1;
}

const struct cores_answer *cores_check_answer(const struct cores_check *check, uint32_t question)
{
    return (const struct cores_answer *)check->answers.bytes + question;
}

uint32_t cores_check_compare(const struct cores_check *check, uint32_t *ret_first)
{
    uint32_t differences = 0;

    *ret_first = check->input.question_n;
    for (uint32_t i = 0; i < check->input.question_n; i++) {
        struct cores_answer host;

        cores_check_host(&check->input, &check->input.questions[i], &host);
        if (memcmp(&host, cores_check_answer(check, i), sizeof(host)) != 0) {
            *ret_first = differences ? *ret_first : i;
            differences++;
        }
    }
    return differences;
}

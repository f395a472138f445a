/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "answer.skel.h"

struct array {
    uint8_t *bytes;
    size_t len;
};

struct kernel {
    struct fast_limits limits;
    struct answer_bpf *programs[KERNEL_FAULTS];
    struct array control, policies, states, templates, images, counters;
};

static int keep_silent(enum libbpf_print_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static int keep_silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0;
}

static int set_sizes(struct answer_bpf *program, const struct fast_limits *limits)
{
    int error =
        bpf_map__set_value_size(program->maps.images, limits->image_blocks * FAST_BLOCK_SIZE);

    error = error ? error
                  : bpf_map__set_value_size(program->maps.templates,
                                            limits->template_blocks * FAST_BLOCK_SIZE);
    error = error ? error
                  : bpf_map__set_max_entries(program->maps.states, FAST_SLOTS * limits->services);
    return error ? error : bpf_map__set_max_entries(program->maps.counters, limits->cpus);
}

/* The maps of the first program are everybody's. */
static int share_maps(struct answer_bpf *program, const struct answer_bpf *first)
{
    int error = bpf_map__reuse_fd(program->maps.control, bpf_map__fd(first->maps.control));

    error = error ? error
                  : bpf_map__reuse_fd(program->maps.policies, bpf_map__fd(first->maps.policies));
    error =
        error ? error : bpf_map__reuse_fd(program->maps.states, bpf_map__fd(first->maps.states));
    error = error ? error
                  : bpf_map__reuse_fd(program->maps.templates, bpf_map__fd(first->maps.templates));
    error =
        error ? error : bpf_map__reuse_fd(program->maps.images, bpf_map__fd(first->maps.images));
    return error ? error
                 : bpf_map__reuse_fd(program->maps.counters, bpf_map__fd(first->maps.counters));
}

static int load(struct kernel *kernel, enum kernel_fault fault, struct failure *failure)
{
    struct answer_bpf *program = answer_bpf__open();
    int error;

    if (!program) {
        return failure_set(failure, -errno, "cannot open the BPF object");
    }
    kernel->programs[fault] = program;
    program->rodata->limits = kernel->limits;
    program->rodata->faults.tail = fault != KERNEL_NO_FAULT;
    program->rodata->faults.head = fault == KERNEL_BOTH_FAIL;
    error = set_sizes(program, &kernel->limits);
    if (!error && fault != KERNEL_NO_FAULT) {
        error = share_maps(program, kernel->programs[KERNEL_NO_FAULT]);
    }
    error = error ? error : answer_bpf__load(program);
    return error ? failure_set(failure, error, "cannot load the program: %s", strerror(-error)) : 0;
}

static int map_array(const struct bpf_map *map, struct array *ret_array, struct failure *failure)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t stride = (bpf_map__value_size(map) + 7u) & ~7u;

    ret_array->len = (stride * bpf_map__max_entries(map) + page - 1) / page * page;
    ret_array->bytes =
        mmap(NULL, ret_array->len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    if (ret_array->bytes == MAP_FAILED) {
        ret_array->bytes = NULL;
        return failure_set(failure, -errno, "cannot map %s: %s", bpf_map__name(map),
                           strerror(errno));
    }
    return 0;
}

static int map_arrays(struct kernel *kernel, struct failure *failure)
{
    const struct answer_bpf *program = kernel->programs[KERNEL_NO_FAULT];
    int error = map_array(program->maps.control, &kernel->control, failure);

    error = error ? error : map_array(program->maps.policies, &kernel->policies, failure);
    error = error ? error : map_array(program->maps.states, &kernel->states, failure);
    error = error ? error : map_array(program->maps.templates, &kernel->templates, failure);
    error = error ? error : map_array(program->maps.images, &kernel->images, failure);
    return error ? error : map_array(program->maps.counters, &kernel->counters, failure);
}

int kernel_open(const struct fast_limits *limits, struct kernel **ret_kernel,
                struct failure *failure)
{
    struct kernel *kernel = calloc(1, sizeof(*kernel));
    int error = 0;

    if (!kernel) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    libbpf_set_print(keep_silent);
    kernel->limits = *limits;
    kernel->limits.cpus = (uint32_t)libbpf_num_possible_cpus();
    for (int fault = 0; fault < KERNEL_FAULTS && error == 0; fault++) {
        error = load(kernel, (enum kernel_fault)fault, failure);
    }
    error = error ? error : map_arrays(kernel, failure);
    if (error) {
        kernel_close(kernel);
        return error;
    }
    *kernel_control(kernel) = (struct fast_control){
        .magic = FAST_MAGIC,
        .abi_version = FAST_ABI_VERSION,
        .word = FAST_WORD_NOTHING,
        .deadline_ns = UINT64_MAX,
        .tap_mask = UINT64_MAX,
    };
    *ret_kernel = kernel;
    return 0;
}

static void unmap_array(const struct array *array)
{
    if (array->bytes) {
        munmap(array->bytes, array->len);
    }
}

void kernel_close(struct kernel *kernel)
{
    unmap_array(&kernel->control);
    unmap_array(&kernel->policies);
    unmap_array(&kernel->states);
    unmap_array(&kernel->templates);
    unmap_array(&kernel->images);
    unmap_array(&kernel->counters);
    for (int fault = KERNEL_FAULTS - 1; fault >= 0; fault--) {
        answer_bpf__destroy(kernel->programs[fault]);
    }
    free(kernel);
}

struct fast_control *kernel_control(struct kernel *kernel)
{
    return (struct fast_control *)(void *)kernel->control.bytes;
}

void kernel_put_image(struct kernel *kernel, unsigned slot, const struct publication *publication)
{
    const struct map_region *image = image_region(publication->image);

    if (image->block_n > kernel->limits.image_blocks) {
        abort();
    }
    memcpy(kernel->images.bytes + (size_t)slot * kernel->limits.image_blocks * FAST_BLOCK_SIZE,
           image->bytes, (size_t)image->block_n * FAST_BLOCK_SIZE);
}

void kernel_put_templates(struct kernel *kernel, unsigned slot,
                          const struct publication *publication)
{
    const struct model_tables *tables = &publication->tables;

    if (tables->template_blocks > kernel->limits.template_blocks) {
        abort();
    }
    memcpy(kernel->templates.bytes +
               (size_t)slot * kernel->limits.template_blocks * FAST_BLOCK_SIZE,
           tables->templates, (size_t)tables->template_blocks * FAST_BLOCK_SIZE);
}

void kernel_put_states(struct kernel *kernel, unsigned slot, const struct publication *publication)
{
    const struct model_tables *tables = &publication->tables;

    if (tables->service_n > kernel->limits.services) {
        abort();
    }
    memcpy(kernel->policies.bytes + slot * ((sizeof(struct fast_policy) + 7) & ~(size_t)7),
           tables->policy, sizeof(*tables->policy));
    memcpy(kernel->states.bytes + (size_t)slot * kernel->limits.services * sizeof(*tables->states),
           tables->states, tables->service_n * sizeof(*tables->states));
}

void kernel_counters(const struct kernel *kernel, struct fast_counters *ret_counters)
{
    uint64_t *sums = (uint64_t *)ret_counters;

    memset(ret_counters, 0, sizeof(*ret_counters));
    for (uint32_t cpu = 0; cpu < kernel->limits.cpus; cpu++) {
        const uint64_t *of_cpu =
            (const uint64_t *)(const void *)(kernel->counters.bytes + cpu * sizeof(*ret_counters));

        for (size_t i = 0; i < sizeof(*ret_counters) / sizeof(uint64_t); i++) {
            sums[i] += of_cpu[i];
        }
    }
}

uint32_t kernel_verified(const struct kernel *kernel)
{
    int fd = bpf_program__fd(kernel->programs[KERNEL_NO_FAULT]->progs.answer);
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);

    return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.verified_insns;
}

int kernel_run(struct kernel *kernel, enum kernel_fault fault, const struct frame *frame,
               struct frame *ret_frame, uint32_t *ret_action)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
                .data_size_in = (uint32_t)frame->len, .data_out = ret_frame->bytes,
                .data_size_out = FRAME_MAX, .repeat = 1);
    int error =
        bpf_prog_test_run_opts(bpf_program__fd(kernel->programs[fault]->progs.answer), &options);

    if (error < 0) {
        return error;
    }
    ret_frame->len = options.data_size_out;
    *ret_action = options.retval;
    return 0;
}

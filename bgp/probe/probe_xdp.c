/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/probe_xdp.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bgp/probe/xdp_frame.h"

#define PIN_PROGRAM "program"
#define PIN_CONTROL "control"
#define PIN_LINK "link_"
#define DEADLINE "deadline_ns" /* a member of the control map's value: CLOCK_MONOTONIC, ns */
#define CONTROL_LEN_MAX 4096
#define RUNS 2 /* an interrupt may run the same program within ours, on older kernels */

/* The program that is on the interface. */
struct target {
    int fd;
    uint32_t id;
    unsigned ifindex;
    char interface[IF_NAMESIZE];
};

static const struct probe_xdp_settings *settings_of(const struct probe *probe)
{
    return probe->check->settings;
}

/* --- pins --- */

/* A descriptor, or a negative errno value. */
static int pin_open(const char *folder, const char *name)
{
    char path[PATH_MAX];
    const int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd;

    if (len < 0 || (size_t)len >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    fd = bpf_obj_get(path);
    return fd < 0 ? -errno : fd;
}

static bool pin_outcome(struct probe_outcome *outcome, const char *folder, int error)
{
    switch (error) {
    case ENOENT:
        return outcome_fail(outcome, PROBE_CAUSE_DEAD, "no program is pinned in %s", folder);
    case EPERM:
    case EACCES:
        return outcome_unknown(outcome,
                               "%s: %s: what is pinned there must be ours to read and write",
                               folder, strerror(error));
    default:
        return outcome_unknown(outcome, "%s: %s", folder, strerror(error));
    }
}

/* Whether this pin is the link of a program on the interface wanted, and which program that is. */
static bool link_is(const struct probe_xdp_settings *settings, const char *name,
                    struct target *target)
{
    struct bpf_link_info info = {0};
    __u32 len = sizeof(info);
    int fd = pin_open(settings->pin, name);
    bool found;

    found = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
            info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex != 0 &&
            if_indextoname(info.xdp.ifindex, target->interface) &&
            (!settings->interface || strcmp(settings->interface, target->interface) == 0);
    fd_close(&fd);
    target->ifindex = info.xdp.ifindex;
    target->id = info.prog_id;
    return found;
}

/* A link whose interface is gone has no index any more. */
static bool link_find(const struct probe_xdp_settings *settings, struct target *target,
                      struct probe_outcome *outcome)
{
    DIR *listing = opendir(settings->pin);
    const struct dirent *entry;
    bool found = false;

    if (!listing) {
        return pin_outcome(outcome, settings->pin, errno);
    }
    while (!found && (entry = readdir(listing))) {
        found = strncmp(entry->d_name, PIN_LINK, sizeof(PIN_LINK) - 1) == 0 &&
                link_is(settings, entry->d_name, target);
    }
    closedir(listing);
    return !found &&
           outcome_fail(outcome, PROBE_CAUSE_DEAD, "no program of %s is on %s", settings->pin,
                        settings->interface ? settings->interface : "any interface");
}

/* The link's own program: while a server replaces another, the pinned one may be newer. */
static bool program_open(const struct probe_xdp_settings *settings, struct target *target,
                         struct probe_outcome *outcome)
{
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);
    int fd = pin_open(settings->pin, PIN_PROGRAM);

    if (fd < 0) {
        return pin_outcome(outcome, settings->pin, -fd);
    }
    if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0) {
        fd_close(&fd);
        return pin_outcome(outcome, settings->pin, errno);
    }
    if (info.id != target->id) {
        fd_close(&fd);
        fd = bpf_prog_get_fd_by_id(target->id);
        if (fd < 0) {
            return outcome_unknown(outcome, "on %s is program %u, not %u, which is pinned",
                                   target->interface, target->id, info.id);
        }
    }
    target->fd = fd;
    return false;
}

/* --- why it passes --- */

/* Where in a map's value a member is, by the types the map says of itself; or a negative value. */
static int member_find(const struct bpf_map_info *info, const char *name)
{
    struct btf *btf = btf__load_from_kernel_by_id(info->btf_id);
    const struct btf_type *type = btf ? btf__type_by_id(btf, info->btf_value_type_id) : NULL;
    int offset = -ENOENT;

    for (__u16 i = 0; type && btf_is_struct(type) && i < btf_vlen(type); i++) {
        const char *own = btf__name_by_offset(btf, btf_members(type)[i].name_off);

        if (own && strcmp(own, name) == 0) {
            offset = (int)(btf_member_bit_offset(type, i) / 8);
        }
    }
    btf__free(btf);
    return offset;
}

static bool deadline_read(int map, int64_t *ret_deadline_ns)
{
    uint8_t value[CONTROL_LEN_MAX];
    struct bpf_map_info info = {0};
    __u32 len = sizeof(info), zero = 0;
    uint64_t deadline_ns;
    int at;

    if (bpf_obj_get_info_by_fd(map, &info, &len) < 0 || info.value_size > sizeof(value) ||
        info.key_size != sizeof(zero)) {
        return false;
    }
    at = member_find(&info, DEADLINE);
    if (at < 0 || (size_t)at + sizeof(deadline_ns) > info.value_size ||
        bpf_map_lookup_elem(map, &zero, value) < 0) {
        return false;
    }
    memcpy(&deadline_ns, value + at, sizeof(deadline_ns));
    *ret_deadline_ns = deadline_ns > INT64_MAX ? INT64_MAX : (int64_t)deadline_ns;
    return true;
}

/* The program does not say why it passes a packet up, but its deadline can be read. */
static bool passed(const struct probe_xdp_settings *settings, int64_t now_ns,
                   struct probe_outcome *outcome)
{
    int map = pin_open(settings->pin, PIN_CONTROL);
    int64_t deadline_ns = 0;
    const bool known = map >= 0 && deadline_read(map, &deadline_ns);

    fd_close(&map);
    if (known && deadline_ns == 0) {
        return outcome_fail(outcome, PROBE_CAUSE_DEAD,
                            "kernel program passes: no server has spoken to it yet");
    }
    if (known && deadline_ns < now_ns) {
        return outcome_fail(outcome, PROBE_CAUSE_DEAD,
                            "kernel program passes: heartbeat over %.1f s ago",
                            (double)(now_ns - deadline_ns) / (double)CLOCK_NS_PER_S);
    }
    return outcome_fail(outcome, PROBE_CAUSE_SILENT, "kernel program passes this query up%s",
                        known ? ", and its server lives" : "");
}

/* --- the run --- */

struct question {
    struct xdp_frame_way way;
    size_t query_len;
    uint8_t query[DNS_CHECK_QUERY_LEN];
    size_t frame_len;
    uint8_t frame[XDP_FRAME_LEN];
};

static bool question_make(const struct probe *probe, struct question *question,
                          struct probe_outcome *outcome)
{
    const struct probe_xdp_settings *settings = settings_of(probe);
    uint16_t words[2];
    int len;

    if (getrandom(words, sizeof(words), GRND_NONBLOCK) != (ssize_t)sizeof(words)) {
        return outcome_unknown(outcome, "making the query: %s", strerror(errno));
    }
    len = dns_check_query(&settings->check, words[0], question->query);
    if (len < 0) {
        return outcome_unknown(outcome, "making the query: %s", strerror(-len));
    }
    question->query_len = (size_t)len;
    question->way = (struct xdp_frame_way){
        .client = {.address = settings->client, .port = (uint16_t)(0xc000 | words[1])},
        .server = probe->check->server};
    question->frame_len =
        xdp_frame_make(&question->way, question->query, question->query_len, question->frame);
    return false;
}

static void answer_judge(const struct probe_xdp_settings *settings, const struct question *question,
                         const struct target *target, uint8_t *frame, size_t len,
                         struct probe_outcome *outcome)
{
    uint8_t *message = NULL;
    size_t message_len = 0;
    uint32_t serial = 0;
    const char *fault = xdp_frame_open(&question->way, frame, len, &message, &message_len);
    char evidence[PROBE_EVIDENCE_LEN];

    if (fault) {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "kernel program answers in a bad frame: %s",
                     fault);
        return;
    }
    switch (dns_check_judge(&settings->check, question->query, question->query_len, message,
                            message_len, clock_wall_s(), &serial, outcome)) {
    case DNS_CHECK_IGNORED:
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "kernel program answers another query");
        return;
    case DNS_CHECK_TRUNCATED:
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "kernel program truncates the answer");
        return;
    case DNS_CHECK_JUDGED:
        memcpy(evidence, outcome->evidence, sizeof(evidence));
        snprintf(outcome->evidence, sizeof(outcome->evidence), "program %u on %s: %.100s",
                 target->id, target->interface, evidence);
        return;
    }
}

static void target_run(const struct probe_xdp_settings *settings, const struct question *question,
                       const struct target *target, int64_t now_ns, struct probe_outcome *outcome)
{
    uint8_t frame[XDP_FRAME_LEN];
    struct xdp_md context = {.data_end = (__u32)question->frame_len,
                             .ingress_ifindex = target->ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = question->frame,
                .data_size_in = (__u32)question->frame_len, .data_out = frame,
                .data_size_out = sizeof(frame), .ctx_in = &context, .ctx_size_in = sizeof(context),
                .repeat = 1);

    if (bpf_prog_test_run_opts(target->fd, &options) < 0) {
        (void)(errno == EPERM || errno == EACCES
                   ? pin_outcome(outcome, settings->pin, errno)
                   : outcome_unknown(outcome, "running program %u on %s: %s", target->id,
                                     target->interface, strerror(errno)));
    } else if (options.retval == XDP_TX) {
        answer_judge(settings, question, target, frame, options.data_size_out, outcome);
    } else if (options.retval == XDP_PASS) {
        passed(settings, now_ns, outcome);
    } else {
        outcome_fail(outcome, PROBE_CAUSE_WRONG, "kernel program drops the query (verdict %u)",
                     options.retval);
    }
}

static bool xdp_start(struct probe *probe, int64_t now_ns, struct probe_outcome *ret_outcome)
{
    const struct probe_xdp_settings *settings = settings_of(probe);
    struct question question;
    struct target target = {.fd = -1};

    libbpf_set_print(NULL);
    if (question_make(probe, &question, ret_outcome) || link_find(settings, &target, ret_outcome) ||
        program_open(settings, &target, ret_outcome)) {
        return true;
    }
    for (int i = 0; i < RUNS && (i == 0 || ret_outcome->observation == HEALTH_FAIL); i++) {
        target_run(settings, &question, &target, now_ns, ret_outcome);
    }
    fd_close(&target.fd);
    return true;
}

static void xdp_end(struct probe *probe)
{
    (void)probe; /* nothing stays open */
}

const struct probe_type probe_xdp = {
    .name = "xdp",
    .start = xdp_start,
    .end = xdp_end,
};

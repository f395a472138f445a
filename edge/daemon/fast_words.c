/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast_words.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
} fast_reasons[FAST_PASS_REASONS] = {
    [FAST_PASS_NOT_DNS] = {"not_dns", "no query to an address of ours"},
    [FAST_PASS_STALE] = {"stale", "the server has not said for 3 s that it lives"},
    [FAST_PASS_OFF] = {"off", "nothing is published, or it is switched off"},
    [FAST_PASS_LINK] = {"link", "more than one VLAN tag, or no unicast MAC address"},
    [FAST_PASS_IP] = {"ip", "a fragment, IP options or extension headers, or odd lengths"},
    [FAST_PASS_SOURCE] = {"source", "an address or port that must not be answered"},
    [FAST_PASS_SIZE] = {"size", "too short or too long for a query"},
    [FAST_PASS_HEADER] = {"header", "not a plain query with one question"},
    [FAST_PASS_NAME] = {"name", "no plain name"},
    [FAST_PASS_CLASS] = {"class", "a class or meta type"},
    [FAST_PASS_EDNS] = {"edns", "an unusual OPT record"},
    [FAST_PASS_ECS] = {"ecs", "an odd client subnet"},
    [FAST_PASS_COOKIE] = {"cookie", "a malformed cookie"},
    [FAST_PASS_DNSSEC] = {"dnssec", "signatures are wanted, and there are some"},
    [FAST_PASS_UNKNOWN] = {"unknown", "no template of this name and type"},
    [FAST_PASS_IMAGE] = {"image", "a service, and the latency map is not in the kernel"},
    [FAST_PASS_EMPTY] = {"empty", "a service with nobody left"},
    [FAST_PASS_LARGE] = {"large", "the answer is too large"},
    [FAST_PASS_ROOM] = {"room", "the packet cannot grow"},
    [FAST_PASS_BROKEN] = {"broken", "the tables contradict themselves"},
};

static const struct {
    const char *name;
    const char *help;
    size_t offset;
} fast_extras[FAST_EXTRAS] = {
    {"answered_ipv6", "Answered in the kernel over IPv6.",
     offsetof(struct fast_counters, answered_ipv6)},
    {"answered_edns", "Answered in the kernel, with EDNS.",
     offsetof(struct fast_counters, answered_edns)},
    {"answered_ecs", "Answered in the kernel, with a client subnet.",
     offsetof(struct fast_counters, answered_ecs)},
    {"answered_cookie", "Answered in the kernel, with a cookie.",
     offsetof(struct fast_counters, answered_cookie)},
    {"answered_do", "Answered in the kernel, with DO set.",
     offsetof(struct fast_counters, answered_do)},
    {"query_bytes", "Bytes of queries answered in the kernel.",
     offsetof(struct fast_counters, query_bytes)},
    {"response_bytes", "Bytes of responses from the kernel.",
     offsetof(struct fast_counters, response_bytes)},
    {"grown_tail", "Packets that grew at their end.", offsetof(struct fast_counters, grown_tail)},
    {"grown_head", "Packets that grew at their front, the end having no room.",
     offsetof(struct fast_counters, grown_head)},
    {"tap_lost", "Samples that nobody read in time.", offsetof(struct fast_counters, tap_lost)},
};

const char *fast_reason_name(enum fast_reason reason)
{
    return fast_reasons[reason].name;
}

const char *fast_reason_text(enum fast_reason reason)
{
    return fast_reasons[reason].text;
}

const char *fast_answer_name(enum fast_answer answer)
{
    static const char *const names[FAST_ANSWERS] = {
        [FAST_ANSWER_POSITIVE] = "positive",
        [FAST_ANSWER_NODATA] = "nodata",
        [FAST_ANSWER_GEO] = "geo",
    };

    return names[answer];
}

const char *fast_link_state_name(enum xdp_link_state state)
{
    static const char *const names[] = {
        [XDP_LINK_ABSENT] = "absent", [XDP_LINK_NATIVE] = "native", [XDP_LINK_GENERIC] = "generic",
        [XDP_LINK_TAKEN] = "taken",   [XDP_LINK_FAILED] = "failed",
    };

    return names[state];
}

uint64_t fast_extra(const struct fast_counters *counters, unsigned index)
{
    return *(const uint64_t *)(const void *)((const char *)counters + fast_extras[index].offset);
}

const char *fast_extra_name(unsigned index)
{
    return fast_extras[index].name;
}

const char *fast_extra_help(unsigned index)
{
    return fast_extras[index].help;
}

uint64_t fast_answered(const struct fast_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < FAST_ANSWERS; i++) {
        sum += counters->answered[i];
    }
    return sum;
}

uint64_t fast_passed(const struct fast_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < FAST_PASS_REASONS; i++) {
        sum += i == FAST_PASS_NOT_DNS ? 0 : counters->passed[i];
    }
    return sum;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/xdpbench/mix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "edge/xdpbench/frame.h"

#define CLIENT_N 65536u /* that MIX_ZIPF tells apart */

/* Draws ranks with weight 1/(rank + 1). */
struct zipf {
    double *sums; /* cumulative */
    size_t n;
};

struct mixing {
    enum mix mix;
    const struct queries *queries;
    const struct mix_target *target;
    uint64_t random;
    uint64_t drawn; /* so many queries; for MIX_FILE the place */
    uint64_t seed;
    struct zipf popular;
    struct zipf clients;
};

const char *mix_name(enum mix mix)
{
    static const char *const names[MIXES] = {"file", "hot", "zipf", "uniform"};

    return names[mix];
}

static uint64_t scramble(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

static uint64_t random_next(struct mixing *mixing)
{
    return scramble(mixing->random += 0x9e3779b97f4a7c15ULL);
}

static size_t random_below(struct mixing *mixing, size_t bound)
{
    return (size_t)((random_next(mixing) >> 32) * bound >> 32);
}

static int zipf_make(struct zipf *zipf, size_t n)
{
    double sum = 0;

    zipf->sums = calloc(n, sizeof(*zipf->sums));
    zipf->n = n;
    if (!zipf->sums) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        sum += 1.0 / (double)(i + 1);
        zipf->sums[i] = sum;
    }
    return 0;
}

static size_t zipf_draw(const struct zipf *zipf, struct mixing *mixing)
{
    double wanted = (double)(random_next(mixing) >> 11) * 0x1p-53 * zipf->sums[zipf->n - 1];
    size_t low = 0;
    size_t high = zipf->n - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (zipf->sums[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct query_bytes *draw_query(struct mixing *mixing)
{
    const struct queries *queries = mixing->queries;
    size_t rank = 0;

    switch (mixing->mix) {
    case MIX_FILE:
        return &queries->list[mixing->drawn++ % queries->n];
    case MIX_HOT:
        rank =
            random_below(mixing, queries->ranking_n < MIX_HOT_N ? queries->ranking_n : MIX_HOT_N);
        break;
    case MIX_ZIPF:
        rank = zipf_draw(&mixing->popular, mixing);
        break;
    case MIX_UNIFORM:
    case MIXES:
        rank = random_below(mixing, queries->ranking_n);
        break;
    }
    return &queries->list[queries->ranking[rank]];
}

static uint64_t draw_client(struct mixing *mixing)
{
    switch (mixing->mix) {
    case MIX_HOT:
        return scramble(mixing->seed + 1 + random_below(mixing, MIX_HOT_N));
    case MIX_ZIPF:
        return scramble(mixing->seed + 1 + zipf_draw(&mixing->clients, mixing));
    case MIX_FILE:
    case MIX_UNIFORM:
    case MIXES:
        break;
    }
    return random_next(mixing);
}

/* A unicast address that nothing special is about: RFC 6890 and the tests' networks left out. */
static void random_address(uint64_t random, bool ipv4, struct address *ret_address)
{
    *ret_address = (struct address){.family = ipv4 ? ADDRESS_IPV4 : ADDRESS_IPV6};
    for (unsigned i = 0; i < (ipv4 ? 4u : 16u); i++) {
        ret_address->bytes[i] = (uint8_t)(random >> (8 * (i % 8)));
    }
    if (ipv4) {
        ret_address->bytes[0] = (uint8_t)(11 + ret_address->bytes[0] % 89); /* 11 to 99 */
    } else {
        ret_address->bytes[0] = 0x24; /* 2400::/8: the networks of Asia and the Pacific */
    }
}

static const struct endpoint *target_of(const struct mix_target *target, uint8_t family)
{
    const struct endpoint *first =
        target->ipv4.address.family == ADDRESS_NONE ? &target->ipv6 : &target->ipv4;

    return family == ADDRESS_NONE ? first : family == ADDRESS_IPV4 ? &target->ipv4 : &target->ipv6;
}

/* False: its family is served nowhere. */
static bool packet_fill(struct mixing *mixing, const struct query_bytes *query,
                        struct packet_bench_packet *packet)
{
    const struct endpoint *destination = target_of(mixing->target, query->source.address.family);
    size_t headers =
        destination->address.family == ADDRESS_IPV4 ? FRAME_HEADERS_IPV4 : FRAME_HEADERS_IPV6;
    size_t room = sizeof(packet->bytes) - headers;
    struct endpoint source = query->source;
    uint64_t random = random_next(mixing);

    if (destination->address.family == ADDRESS_NONE) {
        return false;
    }
    if (source.address.family == ADDRESS_NONE) {
        random_address(draw_client(mixing), destination->address.family == ADDRESS_IPV4,
                       &source.address);
    }
    if (source.port == 0) {
        source.port = (uint16_t)(1024 + (random >> 16) % 60000);
    }
    /* What is longer than the kernel answers is cut: it is still longer than that. */
    packet->len = (uint32_t)frame_make(&source, destination, mixing->queries->bytes + query->at,
                                       query->len < room ? query->len : room, packet->bytes,
                                       sizeof(packet->bytes));
    return true;
}

static int mixing_make(struct mixing *mixing)
{
    int error = 0;

    if (mixing->mix == MIX_ZIPF) {
        error = zipf_make(&mixing->popular, mixing->queries->ranking_n);
        error = error ? error : zipf_make(&mixing->clients, CLIENT_N);
    }
    return error;
}

int64_t mix_fill(enum mix mix, const struct queries *queries, const struct mix_target *target,
                 uint64_t seed, struct packet_bench_packet *packets, uint32_t packet_n,
                 struct failure *failure)
{
    struct mixing mixing = {
        .mix = mix, .queries = queries, .target = target, .random = seed, .seed = seed};
    int64_t passed_over = 0;
    int error = mixing_make(&mixing);

    if (error < 0) {
        failure_set(failure, error, "out of memory");
    }
    for (uint32_t i = 0; error == 0 && i < packet_n;) {
        if (packet_fill(&mixing, draw_query(&mixing), &packets[i])) {
            i++;
        } else if (++passed_over > (int64_t)packet_n * 4 + (int64_t)queries->n && i == 0) {
            error = failure_set(failure, -EINVAL, "no query is of a family that is listened on");
        }
    }
    free(mixing.popular.sums);
    free(mixing.clients.sums);
    return error < 0 ? error : passed_over;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counters lie in an array, found by an open-addressed hash table, and ordered by a binary heap
 * whose top is the least. Decay keeps the heap in order.
 */
#include "edge/render/hot.h"

#include <stdlib.h>
#include <string.h>

#include "edge/wire/name.h"
#include "edge/wire/query.h"
#include "edge/wire/wire.h"
#include "xdp/name_core.h"
#include "xdp/packet_core.h"

#define HOT_COUNTERS 4u /* per wanted name */
#define HOT_COUNTERS_MIN 64u
#define HOT_UNIT 256u        /* one sample: there is something left to take parts of */
#define HOT_DECAY 8u         /* of all counts so much is forgotten each turn */
#define HOT_LEAST_SAMPLES 3u /* to be chosen at all */
#define HOT_MARGIN 4u        /* samples; beside half of what the other one has */
#define HOT_WORTH 128u       /* a change that gains less than this part of all samples waits */

struct hot_name {
    __u64 words[NAME_WORDS_MAX]; /* lower case, zeroes behind */
    uint8_t len;
    uint16_t qtype;
};

struct hot_counter {
    struct hot_name name;
    uint64_t hash;
    uint64_t count; /* in HOT_UNITs; so for the next one */
    uint64_t error; /* of which so many may have been another name's */
    uint32_t heap;  /* its place there */
    bool chosen;
};

/* A change that is being considered. */
struct hot_rival {
    uint32_t number; /* of a counter, or a chosen place */
    uint64_t count;
};

struct hot {
    uint64_t seed;
    uint64_t total;
    struct hot_counter *counters;
    uint32_t counter_n;
    uint32_t counter_room;
    uint32_t *heap;  /* counter indices */
    uint32_t *index; /* counter + 1, 0: free */
    uint32_t index_mask;
    struct hot_name *names; /* the chosen ones */
    struct render_question *questions;
    uint32_t chosen_n;
    uint32_t wanted_n;
    struct hot_rival *challengers;
    struct hot_rival *members;
};

struct hot *hot_new(uint32_t wanted_n, uint64_t seed)
{
    struct hot *hot = calloc(1, sizeof(*hot));
    uint32_t index_n = HOT_COUNTERS_MIN * 2;

    if (!hot || wanted_n == 0 || wanted_n > HOT_WANTED_MAX) {
        free(hot);
        return NULL;
    }
    hot->seed = seed;
    hot->wanted_n = wanted_n;
    hot->counter_room = wanted_n * HOT_COUNTERS;
    if (hot->counter_room < HOT_COUNTERS_MIN) {
        hot->counter_room = HOT_COUNTERS_MIN;
    }
    while (index_n < hot->counter_room * 2) {
        index_n *= 2;
    }
    hot->index_mask = index_n - 1;
    hot->counters = calloc(hot->counter_room, sizeof(*hot->counters));
    hot->heap = calloc(hot->counter_room, sizeof(*hot->heap));
    hot->index = calloc(index_n, sizeof(*hot->index));
    hot->names = calloc(wanted_n, sizeof(*hot->names));
    hot->questions = calloc(wanted_n, sizeof(*hot->questions));
    hot->challengers = calloc(hot->counter_room, sizeof(*hot->challengers));
    hot->members = calloc(wanted_n, sizeof(*hot->members));
    if (!hot->counters || !hot->heap || !hot->index || !hot->names || !hot->questions ||
        !hot->challengers || !hot->members) {
        hot_free(hot);
        return NULL;
    }
    return hot;
}

void hot_free(struct hot *hot)
{
    if (hot) {
        free(hot->counters);
        free(hot->heap);
        free(hot->index);
        free(hot->names);
        free(hot->questions);
        free(hot->challengers);
        free(hot->members);
        free(hot);
    }
}

/* --- names --- */

static uint64_t hot_name_make(const struct hot *hot, const uint8_t *name, uint16_t qtype,
                              struct hot_name *ret_name)
{
    size_t len = name_len(name);

    memset(ret_name, 0, sizeof(*ret_name));
    memcpy(ret_name->words, name, len);
    for (unsigned i = 0; i < NAME_WORDS(len); i++) {
        ret_name->words[i] = name_fold_word(ret_name->words[i]);
    }
    ret_name->len = (uint8_t)len;
    ret_name->qtype = qtype;
    return name_hash_words(hot->seed, ret_name->words, (uint32_t)len, qtype);
}

static bool hot_name_same(const struct hot_name *one, const struct hot_name *other)
{
    return one->len == other->len && one->qtype == other->qtype &&
           memcmp(one->words, other->words, one->len) == 0;
}

/* Its slot in the index, or the free one where it would be. */
static uint32_t hot_slot(const struct hot *hot, const struct hot_name *name, uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & hot->index_mask;

    while (hot->index[slot]) {
        const struct hot_counter *counter = &hot->counters[hot->index[slot] - 1];

        if (counter->hash == hash && hot_name_same(&counter->name, name)) {
            break;
        }
        slot = (slot + 1) & hot->index_mask;
    }
    return slot;
}

/* Frees a slot; whoever stands behind because of it moves up. */
static void hot_slot_free(struct hot *hot, uint32_t slot)
{
    uint32_t next = slot;

    for (;;) {
        uint32_t home;

        next = (next + 1) & hot->index_mask;
        if (!hot->index[next]) {
            break;
        }
        home = (uint32_t)hot->counters[hot->index[next] - 1].hash & hot->index_mask;
        if (((next - home) & hot->index_mask) >= ((next - slot) & hot->index_mask)) {
            hot->index[slot] = hot->index[next];
            slot = next;
        }
    }
    hot->index[slot] = 0;
}

/* --- the heap --- */

static uint64_t hot_heap_count(const struct hot *hot, uint32_t place)
{
    return hot->counters[hot->heap[place]].count;
}

static void hot_heap_put(struct hot *hot, uint32_t place, uint32_t counter)
{
    hot->heap[place] = counter;
    hot->counters[counter].heap = place;
}

static void hot_heap_swap(struct hot *hot, uint32_t one, uint32_t other)
{
    uint32_t counter = hot->heap[one];

    hot_heap_put(hot, one, hot->heap[other]);
    hot_heap_put(hot, other, counter);
}

/* The counter at `place` has grown. */
static void hot_heap_down(struct hot *hot, uint32_t place)
{
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= hot->counter_n) {
            return;
        }
        if (child + 1 < hot->counter_n &&
            hot_heap_count(hot, child + 1) < hot_heap_count(hot, child)) {
            child++;
        }
        if (hot_heap_count(hot, place) <= hot_heap_count(hot, child)) {
            return;
        }
        hot_heap_swap(hot, place, child);
        place = child;
    }
}

static void hot_heap_up(struct hot *hot, uint32_t place)
{
    while (place > 0 && hot_heap_count(hot, place) < hot_heap_count(hot, (place - 1) / 2)) {
        hot_heap_swap(hot, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

/* --- counting --- */

/* A counter for a name that has none: a new one, or the least's. */
static void hot_take(struct hot *hot, const struct hot_name *name, uint64_t hash)
{
    struct hot_counter *counter;
    uint32_t number;

    if (hot->counter_n < hot->counter_room) {
        number = hot->counter_n++;
        counter = &hot->counters[number];
        *counter = (struct hot_counter){.count = HOT_UNIT};
        hot_heap_put(hot, number, number);
        hot_heap_up(hot, number);
    } else {
        number = hot->heap[0];
        counter = &hot->counters[number];
        hot_slot_free(hot, hot_slot(hot, &counter->name, counter->hash));
        counter->error = counter->count;
        counter->count += HOT_UNIT;
        counter->chosen = false;
        hot_heap_down(hot, 0);
    }
    counter->name = *name;
    counter->hash = hash;
    hot->index[hot_slot(hot, name, hash)] = number + 1;
}

void hot_add(struct hot *hot, const uint8_t *name, uint16_t qtype)
{
    struct hot_name wanted;
    uint64_t hash = hot_name_make(hot, name, qtype, &wanted);
    uint32_t found = hot->index[hot_slot(hot, &wanted, hash)];

    hot->total += HOT_UNIT;
    if (found) {
        hot->counters[found - 1].count += HOT_UNIT;
        hot_heap_down(hot, hot->counters[found - 1].heap);
    } else {
        hot_take(hot, &wanted, hash);
    }
}

void hot_count(const struct hot *hot, const uint8_t *name, uint16_t qtype, uint64_t *ret_most,
               uint64_t *ret_least)
{
    struct hot_name wanted;
    uint64_t hash = hot_name_make(hot, name, qtype, &wanted);
    uint32_t found = hot->index[hot_slot(hot, &wanted, hash)];

    *ret_most = 0;
    *ret_least = 0;
    if (found) {
        *ret_most = hot->counters[found - 1].count / HOT_UNIT;
        *ret_least = (hot->counters[found - 1].count - hot->counters[found - 1].error) / HOT_UNIT;
    }
}

bool hot_sample(struct hot *hot, const struct fast_tap *sample)
{
    size_t len = sample->len < FAST_TAP_BYTES ? sample->len : FAST_TAP_BYTES;
    const uint8_t *end = sample->bytes + len;
    struct packet packet;
    struct query query;
    size_t at;

    if (!sample->answered && sample->verdict != FAST_PASS_UNKNOWN) {
        return false;
    }
    if (packet_read(sample->bytes, end, &packet) < 0 || packet.doubt || packet.no_ports) {
        return false;
    }
    at = packet.ip_at + (packet.ipv6 ? PACKET_IPV6_LEN : PACKET_IPV4_LEN) + PACKET_UDP_LEN;
    if (packet.udp_len < PACKET_UDP_LEN || at + packet.udp_len - PACKET_UDP_LEN > len ||
        query_parse(&query, sample->bytes + at, packet.udp_len - PACKET_UDP_LEN) != QUERY_OK ||
        query.qclass != WIRE_CLASS_IN) {
        return false;
    }
    hot_add(hot, query.name.bytes, query.qtype);
    return true;
}

/* --- choosing --- */

static int hot_by_count(const void *one, const void *other)
{
    const struct hot_rival *left = one;
    const struct hot_rival *right = other;

    if (left->count != right->count) {
        return left->count < right->count ? 1 : -1;
    }
    return left->number < right->number ? -1 : left->number > right->number;
}

static uint32_t hot_rank_challengers(struct hot *hot)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < hot->counter_n; i++) {
        const struct hot_counter *counter = &hot->counters[i];
        uint64_t least = counter->count - counter->error;

        if (!counter->chosen && least >= (uint64_t)HOT_LEAST_SAMPLES * HOT_UNIT) {
            hot->challengers[count++] = (struct hot_rival){i, least};
        }
    }
    qsort(hot->challengers, count, sizeof(*hot->challengers), hot_by_count);
    return count;
}

/* The chosen ones, most asked first; those that lost their counter count as nothing. */
static void hot_rank_members(struct hot *hot)
{
    for (uint32_t i = 0; i < hot->chosen_n; i++) {
        const struct hot_name *name = &hot->names[i];
        uint64_t hash = name_hash_words(hot->seed, name->words, name->len, name->qtype);
        uint32_t found = hot->index[hot_slot(hot, name, hash)];

        hot->members[i] = (struct hot_rival){i, found ? hot->counters[found - 1].count : 0};
        if (found) {
            hot->counters[found - 1].chosen = true;
        }
    }
    qsort(hot->members, hot->chosen_n, sizeof(*hot->members), hot_by_count);
}

static void hot_unchoose(struct hot *hot, uint32_t place)
{
    const struct hot_name *name = &hot->names[place];
    uint64_t hash = name_hash_words(hot->seed, name->words, name->len, name->qtype);
    uint32_t found = hot->index[hot_slot(hot, name, hash)];

    if (found) {
        hot->counters[found - 1].chosen = false;
    }
}

static void hot_choose(struct hot *hot, uint32_t place, uint32_t counter)
{
    hot->counters[counter].chosen = true;
    hot->names[place] = hot->counters[counter].name;
    hot->questions[place] =
        (struct render_question){(const uint8_t *)hot->names[place].words, hot->names[place].qtype};
}

/* Keeps of the challengers those that would come in, in order; returns how many and what is gained:
 * the first take free places, the next ones those of the least of the members. */
static uint32_t hot_plan(struct hot *hot, uint32_t challenger_n, hot_worth worth, void *context,
                         uint64_t *ret_gain)
{
    uint32_t kept = 0;

    *ret_gain = 0;
    for (uint32_t i = 0; i < challenger_n && kept < hot->wanted_n; i++) {
        const struct hot_rival rival = hot->challengers[i];
        const struct hot_name *name = &hot->counters[rival.number].name;
        uint32_t free_n = hot->wanted_n - hot->chosen_n;
        uint64_t other = 0;

        if (kept >= free_n) {
            if (kept - free_n >= hot->chosen_n) {
                break;
            }
            other = hot->members[hot->chosen_n - 1 - (kept - free_n)].count;
            if (rival.count <= other + other / 2 + (uint64_t)HOT_MARGIN * HOT_UNIT) {
                break; /* nor is any of the next ones better */
            }
        }
        if (worth &&
            !worth(context, &(struct render_question){(const uint8_t *)name->words, name->qtype})) {
            continue;
        }
        *ret_gain += rival.count - other;
        hot->challengers[kept++] = rival;
    }
    return kept;
}

bool hot_turn(struct hot *hot, hot_worth worth, void *context)
{
    uint32_t free_n = hot->wanted_n - hot->chosen_n;
    uint32_t coming_n;
    uint64_t gain;
    bool change;

    hot_rank_members(hot);
    coming_n = hot_plan(hot, hot_rank_challengers(hot), worth, context, &gain);
    change = coming_n > 0 && gain >= hot->total / HOT_WORTH;
    for (uint32_t i = 0; i < coming_n && change; i++) {
        uint32_t place = hot->chosen_n;

        if (i < free_n) {
            hot->chosen_n++;
        } else {
            /* the members as they were ranked, before the free places were taken */
            place = hot->members[hot->wanted_n - free_n - 1 - (i - free_n)].number;
            hot_unchoose(hot, place);
        }
        hot_choose(hot, place, hot->challengers[i].number);
    }
    for (uint32_t i = 0; i < hot->counter_n; i++) {
        hot->counters[i].count -= hot->counters[i].count / HOT_DECAY;
        hot->counters[i].error -= hot->counters[i].error / HOT_DECAY;
    }
    hot->total -= hot->total / HOT_DECAY;
    return change;
}

size_t hot_chosen(const struct hot *hot, const struct render_question **ret_questions)
{
    *ret_questions = hot->questions;
    return hot->chosen_n;
}

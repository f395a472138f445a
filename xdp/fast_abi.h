/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * What the daemon writes and the program reads: six BPF arrays, all BPF_F_MMAPABLE, structs and
 * constants only. Both sides are the same machine: host byte order unless a field says network.
 *
 *   control   1 page      which slots are valid, until when, what time it is
 *   policies  FAST_SLOTS  whatever a query needs that is small: addresses served, cookies, NSID,
 *                         where the tables start
 *   states    FAST_SLOTS x services   state bytes and TTL of each service (as edge/service/
 *                         state_set.h has them)
 *   templates 2 x capacity, blocks of 4096 bytes: buckets, templates, variants, pieces
 *   images    2 x capacity, blocks of 4096 bytes: the latency map's own bytes (maps/FORMAT.md)
 *   counters  possible CPUs   struct fast_counters, at the index of the CPU that counts: a plain
 *                         array, so that the daemon reads it without a system call; each CPU writes
 *                         cache lines of its own
 *   tap                   BPF ring buffer of struct fast_tap
 *
 * These are the names of the maps, and the program is `answer`. The arrays are declared with one
 * entry; the loader sets their sizes, and says them in `const volatile struct fast_limits limits`.
 *
 * A slot is half of its array (a quarter of `policies` and `states`): slot s begins at s times its
 * capacity. Nothing in a slot changes while the control word names it; the daemon writes another,
 * stores the word (one aligned 64-bit store), and touches the slot of before only after every
 * program that may have read the word of before has ended.
 */
#ifndef XDP_FAST_ABI_H
#define XDP_FAST_ABI_H

#include <linux/types.h>

#include "maps/cookie_core.h"
#include "maps/image_abi.h"
#include "maps/select_core.h"
#include "xdp/name_core.h"

/* Raised with every change of this file's layouts or of what the program makes of them: a daemon
 * adopts a pinned program only if the version is its own. */
#define FAST_ABI_VERSION 2u
#define FAST_MAGIC 0x31584f4e4f484349ULL /* "ICHONOX1" */

#define FAST_BLOCK_SIZE MAP_BLOCK_SIZE
#define FAST_TABLE_SLOTS 2u /* of templates and images */
#define FAST_SLOTS 4u       /* of policies and states */
#define FAST_SLOT_NONE 0xffu

/* Constant after load: capacities of one slot. */
struct fast_limits {
    __u32 image_blocks;
    __u32 template_blocks;
    __u32 services;
    __u32 cpus; /* entries of `counters` */
};

/* Likewise, `const volatile struct fast_faults faults`, for tests: growing there fails. */
struct fast_faults {
    __u8 tail;
    __u8 head;
};

/* --- control --- */

/* The control word: image slot (bits 0..7), template slot (8..15), state and policy slot (16..23),
 * sequence (32..63). A slot FAST_SLOT_NONE: without it; without templates or states nothing is
 * answered, without an image no service is. */
#define FAST_WORD(image, template, state, sequence)                                                \
    ((__u64)(image) | (__u64)(template) << 8 | (__u64)(state) << 16 | (__u64)(sequence) << 32)
#define FAST_WORD_IMAGE(word) ((__u32)((word)&0xffu))
#define FAST_WORD_TEMPLATE(word) ((__u32)((word) >> 8 & 0xffu))
#define FAST_WORD_STATE(word) ((__u32)((word) >> 16 & 0xffu))
#define FAST_WORD_SEQUENCE(word) ((__u32)((word) >> 32))
#define FAST_WORD_NOTHING FAST_WORD(FAST_SLOT_NONE, FAST_SLOT_NONE, FAST_SLOT_NONE, 0)

struct fast_control {
    __u64 magic;
    __u32 abi_version;
    __u32 reserved0;
    __u64 word;        /* one store, one load per query */
    __u64 deadline_ns; /* CLOCK_MONOTONIC: past it everything is passed up */
    __u64 now_wall_s;  /* the clock word: cookies are made with it */
    __u64 owner;       /* random, of the process that writes here: another one has taken over if it
                          is not one's own */
    __u64 tap_mask;    /* a packet is sampled when (random & tap_mask) == 0; ~0: none is */
    __u64 program;     /* digest of the object and constants that are pinned; 0 while they change */
    __u64 reserved[8];
};

/* --- policy --- */

#define FAST_LISTENERS_MAX 128u /* a power of two; hash table (xdp/listener_core.h) */
#define FAST_NSID_MAX 64u

/* Where queries are answered. An address is 16 bytes in network order; IPv4 as ::ffff:a.b.c.d. */
struct fast_listener {
    __u8 address[16];
    __u16 port; /* network order; 0: an empty place */
    __u8 reserved[6];
};

#define FAST_POLICY_OFF 1u /* answer nothing: rate limiting is on, or an operator said so */

struct fast_policy {
    struct name_factors factors; /* of the hash of names, made of its seed */
    __u32 bucket_mask;           /* number of buckets - 1 */
    __u32 bucket_block;          /* first block of the buckets, within the slot */
    __u32 maps_block;            /* of the image, within its slot */
    __u32 records_block;         /* likewise */
    __u32 flags;
    __u32 nsid_len;                /* 0: none */
    __u8 nsid[FAST_NSID_MAX];      /* zeroes behind `nsid_len` */
    struct cookie_secrets cookies; /* count 0: COOKIE options are ignored */
    struct fast_listener listeners[FAST_LISTENERS_MAX];
};

/* --- states --- */

struct fast_state {
    __u8 states[MAP_FAMILIES][MAP_STATES];
    __u32 ttl; /* seconds, host order */
    __u32 reserved;
};

/* --- templates --- */

/* A place within the slot: block in the upper 24 bits, 16-byte unit in the lower 8. 0: none
 * (nothing begins there). What is at a place ends in its block. */
#define FAST_PLACE_UNIT 16u
#define FAST_PLACE_BLOCK(place) ((place) >> 8)
#define FAST_PLACE_OFFSET(place) (((place)&0xffu) * FAST_PLACE_UNIT)

#define FAST_BUCKET_ENTRIES 8u
#define FAST_BUCKETS_PER_BLOCK 64u

/* The hash of (name, type) (xdp/name_core.h) picks bucket `hash & bucket_mask`; its upper 16 bits,
 * 0 made 1, are the tag. When that bucket is full, the entry is in the next one (cyclically) and
 * `spilled` of the first is 1. Of a bucket and the next one together, at most FAST_TAG_SAME entries
 * have the same tag: after so many names that differ there is no other. */
#define FAST_TAG_SAME 2u

struct fast_bucket {
    __u16 tags[FAST_BUCKET_ENTRIES]; /* 0: empty */
    __u32 places[FAST_BUCKET_ENTRIES];
    __u32 spilled;
    __u32 reserved[3];
};

enum fast_kind {
    FAST_STATIC = 1, /* the body stands in the template */
    FAST_GEO = 2,    /* behind it comes that of the picked PoPs, one after the other */
};

enum fast_answer {
    FAST_ANSWER_POSITIVE,
    FAST_ANSWER_NODATA,
    FAST_ANSWER_GEO,
    FAST_ANSWERS,
};

#define FAST_BODY_MAX 1232u

#define FAST_DO_SAME 1u /* with DO set the answer is the same but for the DO bit of its OPT */

/* At a 64-byte boundary, never across the end of a block: this, the name (lower case, padded with
 * zeroes to 8 bytes), and the body: for FAST_STATIC everything between question and OPT, for
 * FAST_GEO what comes before the picks: aliases that lead to the service. */
struct fast_template {
    __u8 name_len; /* wire form, with the root's zero byte */
    __u8 kind;     /* enum fast_kind */
    __u8 answer;   /* enum fast_answer */
    __u8 attributes;
    __u16 qtype;    /* host order; so for the next ones */
    __u16 flags;    /* of the header: QR, AA, RCODE */
    __u16 answer_n; /* of the body; the variants' come to it */
    __u16 authority_n;
    __u16 additional_n; /* without OPT */
    __u16 body_len;
    __u16 body_sum; /* one's complement sum of the body's big-endian 16-bit words, folded */
    __u8 family;    /* FAST_GEO from here: column of the states and variants */
    __u8 want;      /* PoPs per answer */
    __u16 map;      /* index in the image */
    __u16 reserved0;
    __u32 service;        /* index of its states */
    __u32 variants_block; /* of its struct fast_variant[MAP_STATES], by PoP id: one whole block */
    __u8 name[];
};

/* The records of one PoP. */
struct fast_variant {
    __u32 place; /* of the bytes */
    __u16 len; /* 0: none; over FAST_BODY_MAX: larger than any answer may be, no bytes are there */
    __u16 sum; /* as body_sum, with the TTLs below zero */
    __u16 rr_n;
    __u16 ttl_n;      /* the first so many records get the service's TTL ... */
    __u16 ttl_stride; /* ... at byte 6 + i * ttl_stride */
    __u16 reserved;
};

/* --- counters --- */

/* Why a packet was passed up. The first that applies counts. */
enum fast_reason {
    FAST_PASS_NOT_DNS, /* no UDP to a listener of ours: the host's other traffic */
    FAST_PASS_STALE,   /* the daemon's deadline has passed */
    FAST_PASS_OFF,     /* nothing published, or FAST_POLICY_OFF */
    FAST_PASS_LINK,    /* QinQ, a MAC address that is not one host's */
    FAST_PASS_IP,      /* fragments, IP options, extension headers, lengths that do not fit */
    FAST_PASS_SOURCE,  /* an address or port that must not be answered */
    FAST_PASS_SIZE,    /* shorter than a query, longer than FAST_QUERY_MAX */
    FAST_PASS_HEADER,  /* QR, OPCODE, TC, counts, bytes after the message */
    FAST_PASS_NAME,    /* no plain uncompressed name */
    FAST_PASS_CLASS,   /* class or meta type */
    FAST_PASS_EDNS,    /* version, form, position, too many options */
    FAST_PASS_ECS,     /* malformed, twice */
    FAST_PASS_COOKIE,  /* a length that is FORMERR */
    FAST_PASS_DNSSEC,  /* DO where it makes a difference */
    FAST_PASS_UNKNOWN, /* no template of that name and type */
    FAST_PASS_IMAGE,   /* a service, and no image published */
    FAST_PASS_EMPTY,   /* a service with nobody left */
    FAST_PASS_LARGE,   /* the answer is larger than the client takes, or than fits here */
    FAST_PASS_ROOM,    /* the packet would not grow */
    FAST_PASS_BROKEN,  /* a table that contradicts itself: never, or a fault of ours */
    FAST_PASS_REASONS,
};

#define FAST_QUERY_MAX 512u /* UDP payload */

struct fast_counters {
    __u64 passed[FAST_PASS_REASONS];
    __u64 answered[FAST_ANSWERS];
    __u64 answered_ipv6; /* of all; so for the next ones */
    __u64 answered_edns;
    __u64 answered_ecs;
    __u64 answered_cookie;
    __u64 answered_do;
    __u64 query_bytes;
    __u64 response_bytes;
    __u64 grown_tail;
    __u64 grown_head;
    __u64 tap_lost;
    __u64 reserved[7]; /* whole cache lines */
};

/* --- tap --- */

#define FAST_TAP_BYTES 384u

/* One sampled packet, in a BPF ring buffer. */
struct fast_tap {
    __u64 at_ns;   /* CLOCK_MONOTONIC, coarse */
    __u16 len;     /* of the packet as it came; `bytes` has the first FAST_TAP_BYTES of it */
    __u8 answered; /* 1: `verdict` is enum fast_answer; 0: enum fast_reason */
    __u8 verdict;
    __u32 ifindex;
    __u8 bytes[FAST_TAP_BYTES]; /* from the Ethernet header, before anything was written */
};

_Static_assert(sizeof(struct fast_control) == 128, "control layout");
_Static_assert(sizeof(struct fast_listener) == 24, "listener layout");
_Static_assert(sizeof(struct fast_state) == 520, "state layout");
_Static_assert(sizeof(struct fast_bucket) == 64, "a bucket is a cache line");
_Static_assert(sizeof(struct fast_template) == 32, "template layout");
_Static_assert(sizeof(struct fast_counters) % 64 == 0, "counters of CPUs share no cache line");
_Static_assert(sizeof(struct fast_variant) == 16, "a service's variants fill a block");
_Static_assert(sizeof(struct fast_variant) * MAP_STATES == FAST_BLOCK_SIZE, "one block");

#endif

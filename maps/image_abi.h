/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
 *
 * The latency map image as it lies on disk, in the edge's memory and in a BPF array: structs and
 * constants only. FORMAT.md describes every byte. Little-endian, fixed width, no pointers, no
 * padding the compiler could choose; all reserved fields are zero. The unit is the 4096-byte block:
 * every section starts at one, and no lookup node crosses one, so that a BPF array of 4096-byte
 * values can hold the image's own bytes.
 */
#ifndef MAPS_IMAGE_ABI_H
#define MAPS_IMAGE_ABI_H

#include <linux/types.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the image is read in place and needs a little-endian machine"
#endif

#define MAP_MAGIC "ISOMAP\x1a\n" /* 8 bytes; the NUL of the literal is not stored */
#define MAP_FORMAT_VERSION 1u
#define MAP_BLOCK_SIZE 4096u

#define MAP_MAX_POPS 250u  /* ids 0..249 */
#define MAP_POP_NONE 0xffu /* an unused place in a record or tail */
#define MAP_MAX_MAPS 24u
#define MAP_NAME_SIZE 64u /* with its terminating NUL, NUL-filled */
#define MAP_RECORD_POPS 8u
#define MAP_TAIL_SIZE 256u
#define MAP_MAX_SECTIONS 124u

enum map_space {
    MAP_SPACE_CLIENT = 0,   /* where users are: ECS, or a resolver nobody measured */
    MAP_SPACE_RESOLVER = 1, /* the best for the users behind a resolver's address */
    MAP_SPACES = 2,
};

enum map_family {
    MAP_FAMILY_IPV4 = 0,
    MAP_FAMILY_IPV6 = 1,
    MAP_FAMILIES = 2,
};

enum map_section_type {
    MAP_SECTION_POPS = 1,              /* struct map_pop[], by id */
    MAP_SECTION_MAPS = 2,              /* struct map_entry[], by index, 8 per block */
    MAP_SECTION_RECORDS = 3,           /* struct map_record[], by id, 256 per block */
    MAP_SECTION_TABLE = 4,             /* lookup table of (map, space, family) */
    MAP_SECTION_PROVENANCE_RANGES = 5, /* of (space, family): struct map_range4[] or map_range6[] */
    MAP_SECTION_PROVENANCE_ROWS = 6,   /* struct map_row + struct map_estimate[], 8-byte units */
};

/* A reader that does not know the type of a section with this flag ignores the section; without it,
 * it refuses. */
#define MAP_SECTION_OPTIONAL 1u

struct map_section {
    __u16 type; /* enum map_section_type */
    __u8 map;   /* index of the map; 0 where it does not apply, as in the next two */
    __u8 space;
    __u8 family;
    __u8 flags;
    __u16 reserved;
    __u32 first_block; /* from the start of the image */
    __u32 block_n;     /* at least 1 */
    __u64 len;         /* bytes in use; the rest up to the end of the last block is zero */
    __u64 item_n;      /* entries; for a table: disjoint blocks it describes */
};

/* Block 0. */
struct map_header {
    __u8 magic[8];
    __u32 version;
    __u32 section_n;
    __u64 generation;        /* seconds, see DESIGN: the newest accepted measurement, or given */
    __u64 parent_generation; /* of the image whose rankings this one was compared with; 0 none */
    __u64 total_size;        /* bytes, a multiple of MAP_BLOCK_SIZE, equal to the file's */
    __u8 sha256[32];         /* of the whole image with this field zero */
    __u32 pop_n;
    __u32 map_n;
    __u32 record_n;
    __u32 reserved0;
    __u8 reserved[40];
    struct map_section
        sections[MAP_MAX_SECTIONS]; /* sorted by first_block, first_block contiguous */
};

struct map_pop {
    char name[MAP_NAME_SIZE];
    __s32 latitude_e6; /* micro-degrees */
    __s32 longitude_e6;
    __u8 reserved[56];
};

/* Where a lookup table lies; the same as its section says. */
struct map_table_ref {
    __u32 first_block;
    __u32 block_n;
};

struct map_entry {
    char name[MAP_NAME_SIZE];
    struct map_table_ref tables[MAP_SPACES][MAP_FAMILIES];
    __u16 tail_n;    /* = number of PoPs of the map */
    __u16 default_n; /* how many of the tail are the configured default */
    __u8 reserved[156];
    /* Every PoP of the map once: its configured default in order, then the others by id. Unused
     * places MAP_POP_NONE. */
    __u8 tail[MAP_TAIL_SIZE];
};

#define MAP_RECORD_OVERRIDE 1u /* flags: an operator's pin decided */

/* A ranking, interned. */
struct map_record {
    __u64 pops;      /* byte i (from the least) = id of the i-th best PoP; MAP_POP_NONE ends it, and
                        fills it up */
    __u8 shed_class; /* 0..99: a PoP at shed N passes on classes below N */
    __u8 confidence; /* 0 (geography or default) .. 100 */
    __u16 flags;
    __u32 reserved;
};

/* A leaf: {flag:1, depth:7, record:24}. Without the flag the word is a child: its offset from the
 * start of the table in units of 8 bytes. Depth is the length of the disjoint block; 128 is stored
 * as 0, which cannot be mistaken: depth 0 itself only occurs in the root. */
#define MAP_LEAF 0x80000000u
#define MAP_LEAF_DEPTH_SHIFT 24
#define MAP_LEAF_DEPTH_MASK 0x7fu
#define MAP_LEAF_RECORD_MASK 0x00ffffffu

/* Record ids with a meaning of their own; real ids are below both. */
#define MAP_RECORD_FALLBACK 0xffffffu /* resolver space: not listed, ask the client space */
#define MAP_RECORD_SPECIAL                                                                         \
    0xfffffeu /* client space: special-purpose block (RFC 6890), ask for the resolver's address;   \
                 also fills the folded IPv6 ranges, whose key is never looked up there */
#define MAP_RECORD_MAX 0xfffffdu /* records at most */

/* IPv4 tables: 2^18 root words, then 6-bit nodes. IPv6: 2^16 root words, a flat 256-word node, then
 * 6-bit nodes. */
#define MAP_ROOT4_BITS 18
#define MAP_ROOT6_BITS 16
#define MAP_ROOT4_BLOCKS ((1u << MAP_ROOT4_BITS) / 1024u)
#define MAP_ROOT6_BLOCKS ((1u << MAP_ROOT6_BITS) / 1024u)
#define MAP_FLAT6_UNITS 128u /* 256 words; its offset is a multiple of this */
#define MAP_LEVELS4 3        /* 18 + 3 x 6 = 36 >= 32 */
#define MAP_LEVELS6 18       /* 16 + 8 + 18 x 6 = 132 >= 128 */

/* A 6-bit node: 8 bytes "the value changes at this slot" (bit 0 always set), then one word per set
 * bit. The key is continued with zero bits where a stride passes the end of the address. Padded to
 * 8 bytes with zero. */

enum map_source {
    MAP_SOURCE_DEFAULT = 0,
    MAP_SOURCE_GEO = 1,
    MAP_SOURCE_INFERRED = 2,
    MAP_SOURCE_MEASURED = 3,
    MAP_SOURCE_OVERRIDE = 4, /* never stored in provenance: the record's flag says it */
};

/* Provenance, for explain and reports only. A range reaches to the next one's start; the first
 * starts at 0. `row` is the offset of a struct map_row in the rows section, in units of 8 bytes. */
struct map_range4 {
    __u32 start; /* host order */
    __u32 row;
};

struct map_range6 {
    __u64 start; /* upper 64 bits of the address */
    __u32 row;
    __u32 reserved;
};

struct map_row {
    __u8 source;     /* enum map_source */
    __u8 estimate_n; /* that many struct map_estimate follow, best first */
    __u16 reserved;
    __u32 asn; /* origin AS that was used, 0 unknown */
};

struct map_estimate {
    __u8 pop;
    __u8 source;     /* enum map_source of this estimate */
    __u16 rtt_ticks; /* round-trip time, 0.1 ms; 65535 = that or more */
    __u32 samples;   /* measurements behind it, 0 when imputed */
};

_Static_assert(sizeof(struct map_section) == 32, "section layout");
_Static_assert(sizeof(struct map_header) == MAP_BLOCK_SIZE, "header is block 0");
_Static_assert(__builtin_offsetof(struct map_header, sections) == 128,
               "sections follow the fixed part");
_Static_assert(sizeof(struct map_pop) == 128, "PoP layout");
_Static_assert(sizeof(struct map_entry) == 512, "map layout");
_Static_assert(__builtin_offsetof(struct map_entry, tail) == 256, "tail is aligned");
_Static_assert(sizeof(struct map_record) == 16, "record layout");
_Static_assert(sizeof(struct map_range4) == 8, "range layout");
_Static_assert(sizeof(struct map_range6) == 16, "range layout");
_Static_assert(sizeof(struct map_row) == 8, "row layout");
_Static_assert(sizeof(struct map_estimate) == 8, "estimate layout");

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Millions of networks share some hundred thousand data records, so each record is decoded once and
 * remembered by its offset. Networks finer than a unit (/24, /56) are collected until the unit is
 * complete; the place that covers most of it wins.
 */
#include "mapper/geo.h"

#include <errno.h>
#include <math.h>
#include <maxminddb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mapper/mmdb_walk.h"

#define GEO_UNIT4 24u
#define GEO_UNIT6 56u
/* Different places looked at inside one unit; of more, the rest is ignored. */
#define GEO_UNIT_PARTS 64u
#define EARTH_RADIUS_KM 6371.0
#define RADIANS_PER_DEGREE (3.14159265358979323846 / 180)

struct geo_point geo_point_at(double latitude, double longitude)
{
    double phi = latitude * RADIANS_PER_DEGREE;
    double lambda = longitude * RADIANS_PER_DEGREE;
    struct geo_point point = {cos(phi) * cos(lambda), cos(phi) * sin(lambda), sin(phi)};

    return point;
}

/* Arc sine on [0, 1] within 2e-8 (Abramowitz and Stegun 4.4.46). Distances are asked for by the
 * hundred million; besides, this is the same on every machine, which the C library's need not be.
 */
static double arc_sine(double x)
{
    static const double factor[] = {-0.0012624911, 0.0066700901, -0.0170881256, 0.0308918810,
                                    -0.0501743046, 0.0889789874, -0.2145988016, 1.5707963050};
    double sum = 0;

    for (size_t i = 0; i < sizeof(factor) / sizeof(factor[0]); i++) {
        sum = sum * x + factor[i];
    }
    return 1.57079632679489661923 - sqrt(1 - x) * sum;
}

double geo_distance_km(const struct geo_point *a, const struct geo_point *b)
{
    double x = a->x - b->x;
    double y = a->y - b->y;
    double z = a->z - b->z;
    double half = sqrt(x * x + y * y + z * z) / 2;

    return 2 * EARTH_RADIUS_KM * arc_sine(half < 1 ? half : 1);
}

struct place place_at(double latitude, double longitude, const char *country, size_t country_len)
{
    struct place place = {.latitude_d = PLACE_UNLOCATED, .longitude_d = PLACE_UNLOCATED};

    if (latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180) {
        place.latitude_d = (int16_t)lround(latitude * 10);
        place.longitude_d = (int16_t)lround(longitude * 10);
    }
    if (country_len == 2) {
        place.country = (uint16_t)((uint8_t)country[0] << 8 | (uint8_t)country[1]);
    }
    return place;
}

static bool place_equal(const struct place *a, const struct place *b)
{
    return a->latitude_d == b->latitude_d && a->longitude_d == b->longitude_d &&
           a->country == b->country;
}

static uint32_t *place_slot(const struct geo *geo, uint32_t *index, size_t index_n,
                            const struct place *place)
{
    uint64_t hash = ((uint64_t)(uint16_t)place->latitude_d << 32 |
                     (uint64_t)(uint16_t)place->longitude_d << 16 | place->country) *
                    0x9e3779b97f4a7c15u;

    for (hash ^= hash >> 32;; hash++) {
        uint32_t *slot = &index[hash & (index_n - 1)];

        if (*slot == 0 || place_equal(&geo->place[*slot - 1], place)) {
            return slot;
        }
    }
}

static int places_grow(struct geo *geo)
{
    size_t capacity = geo->place_capacity ? geo->place_capacity * 2 : 4096;
    struct place *place = realloc(geo->place, capacity * sizeof(*place));
    uint32_t *index;

    if (!place) {
        return -ENOMEM;
    }
    geo->place = place;
    index = calloc(capacity * 2, sizeof(*index));
    if (!index) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < geo->place_n; i++) {
        *place_slot(geo, index, capacity * 2, &place[i]) = (uint32_t)i + 1;
    }
    free(geo->index);
    geo->index = index;
    geo->index_n = capacity * 2;
    geo->place_capacity = capacity;
    return 0;
}

int64_t geo_intern(struct geo *geo, const struct place *place)
{
    uint32_t *slot;

    if (geo->place_n == geo->place_capacity && places_grow(geo) != 0) {
        return -ENOMEM;
    }
    slot = place_slot(geo, geo->index, geo->index_n, place);
    if (*slot == 0) {
        geo->place[geo->place_n++] = *place;
        *slot = (uint32_t)geo->place_n;
    }
    return (int64_t)*slot - 1;
}

/* Data offset -> place number, remembered. */
struct record_memo {
    uint32_t *offset; /* of the entry, + 1; 0 free */
    uint32_t *place;
    size_t n; /* a power of two */
    size_t used;
};

/* What is known of the unit being collected. */
struct unit_part {
    uint32_t place;
    uint64_t share; /* 1 << (depth it can be split further), summed */
};

struct geo_reader {
    struct geo *geo;
    const char *path;
    struct failure *failure;
    struct record_memo memo;
    enum map_family family;
    unsigned unit;
    struct map_key open; /* unit being collected */
    struct unit_part part[GEO_UNIT_PARTS];
    unsigned part_n; /* 0: none open */
};

/* 1 when the entry has the value, 0 when not, negative when its data are corrupt. */
static int value_get(MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *ret_data)
{
    int status = MMDB_aget_value(entry, ret_data, path);

    if (status == MMDB_SUCCESS) {
        return ret_data->has_data;
    }
    return status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR ? 0 : -status;
}

/* Both types in use; other types are as good as nothing. */
static int number_get(MMDB_entry_s *entry, const char *const *path, double *ret_value)
{
    MMDB_entry_data_s data;
    int found = value_get(entry, path, &data);

    if (found == 1 && data.type == MMDB_DATA_TYPE_DOUBLE) {
        *ret_value = data.double_value;
    } else if (found == 1 && data.type == MMDB_DATA_TYPE_FLOAT) {
        *ret_value = (double)data.float_value;
    }
    return found;
}

struct entry_paths {
    const char *const *latitude;
    const char *const *longitude;
    const char *const *country;
};

static int entry_decode_as(MMDB_entry_s *entry, const struct entry_paths *paths,
                           struct place *ret_place)
{
    MMDB_entry_data_s country = {0};
    double latitude = NAN;
    double longitude = NAN;
    int found = number_get(entry, paths->latitude, &latitude);

    found = found < 0 ? found : number_get(entry, paths->longitude, &longitude);
    found = found < 0 ? found : value_get(entry, paths->country, &country);
    if (found < 0) {
        return found;
    }
    if (found == 0 || country.type != MMDB_DATA_TYPE_UTF8_STRING) {
        country.utf8_string = "";
        country.data_size = 0;
    }
    *ret_place = place_at(latitude, longitude, country.utf8_string, country.data_size);
    return 0;
}

/* MaxMind's nested layout, or else the flat one. */
static int entry_decode(struct geo_reader *reader, MMDB_entry_s *entry, struct place *ret_place)
{
    static const char *const nested_latitude[] = {"location", "latitude", NULL};
    static const char *const nested_longitude[] = {"location", "longitude", NULL};
    static const char *const nested_country[] = {"country", "iso_code", NULL};
    static const char *const flat_latitude[] = {"latitude", NULL};
    static const char *const flat_longitude[] = {"longitude", NULL};
    static const char *const flat_country[] = {"country_code", NULL};
    static const struct entry_paths layouts[] = {
        {nested_latitude, nested_longitude, nested_country},
        {flat_latitude, flat_longitude, flat_country},
    };
    int status = 0;

    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]) && status == 0; i++) {
        status = entry_decode_as(entry, &layouts[i], ret_place);
        if (status == 0 && (place_is_located(ret_place) || ret_place->country)) {
            return 0;
        }
    }
    return status == 0 ? 0
                       : failure_set(reader->failure, -EINVAL, "%s: corrupt data at offset %u: %s",
                                     reader->path, entry->offset, MMDB_strerror(-status));
}

static size_t memo_slot(const struct record_memo *memo, uint32_t offset)
{
    size_t slot = (size_t)((offset * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (memo->n - 1);

    while (memo->offset[slot] && memo->offset[slot] != offset + 1) {
        slot = (slot + 1) & (memo->n - 1);
    }
    return slot;
}

static int memo_grow(struct record_memo *memo)
{
    struct record_memo grown = {.n = memo->n ? memo->n * 2 : 1u << 14, .used = memo->used};

    grown.offset = calloc(grown.n, sizeof(*grown.offset));
    grown.place = calloc(grown.n, sizeof(*grown.place));
    if (!grown.offset || !grown.place) {
        free(grown.offset);
        free(grown.place);
        return -ENOMEM;
    }
    for (size_t i = 0; i < memo->n; i++) {
        if (memo->offset[i]) {
            size_t slot = memo_slot(&grown, memo->offset[i] - 1);

            grown.offset[slot] = memo->offset[i];
            grown.place[slot] = memo->place[i];
        }
    }
    free(memo->offset);
    free(memo->place);
    *memo = grown;
    return 0;
}

/* The place of an entry; STEPS_NONE when it says neither where it is nor in which country. */
static int entry_place(struct geo_reader *reader, MMDB_entry_s *entry, uint32_t *ret_place)
{
    struct record_memo *memo = &reader->memo;
    struct place place;
    int64_t number = STEPS_NONE;
    size_t slot;
    int err;

    if (memo->used * 2 >= memo->n && memo_grow(memo) != 0) {
        return failure_set(reader->failure, -ENOMEM, "out of memory");
    }
    slot = memo_slot(memo, entry->offset);
    if (memo->offset[slot]) {
        *ret_place = memo->place[slot];
        return 0;
    }
    err = entry_decode(reader, entry, &place);
    if (err) {
        return err;
    }
    if (place_is_located(&place) || place.country) {
        number = geo_intern(reader->geo, &place);
        if (number < 0) {
            return failure_set(reader->failure, -ENOMEM, "out of memory");
        }
    }
    memo->offset[slot] = entry->offset + 1;
    memo->place[slot] = (uint32_t)number;
    memo->used++;
    *ret_place = (uint32_t)number;
    return 0;
}

/* Gives the collected unit the place that covers most of it, the first of equals; a part nobody
 * knows anything about does not count against one that is known. */
static int unit_close(struct geo_reader *reader)
{
    const struct unit_part *best = &reader->part[0];

    if (reader->part_n == 0) {
        return 0;
    }
    for (unsigned i = 1; i < reader->part_n; i++) {
        const struct unit_part *part = &reader->part[i];

        if (part->place != STEPS_NONE && (best->place == STEPS_NONE || part->share > best->share)) {
            best = part;
        }
    }
    reader->part_n = 0;
    return steps_append(&reader->geo->places[reader->family], reader->open, best->place);
}

static int unit_collect(struct geo_reader *reader, struct map_key first, unsigned len,
                        uint32_t place)
{
    struct map_key unit = key_first(first, reader->unit);
    unsigned below = len - reader->unit;
    uint64_t share = UINT64_C(1) << (below < 63 ? 63 - below : 0);
    unsigned i = 0;

    if (reader->part_n && key_compare(unit, reader->open) != 0 && unit_close(reader) != 0) {
        return -ENOMEM;
    }
    reader->open = unit;
    while (i < reader->part_n && reader->part[i].place != place) {
        i++;
    }
    if (i == reader->part_n && i < GEO_UNIT_PARTS) {
        reader->part[reader->part_n++] = (struct unit_part){.place = place};
    }
    if (i < reader->part_n) {
        reader->part[i].share += share;
    }
    return 0;
}

static int network_visit(void *context, struct map_key first, unsigned len, MMDB_entry_s *entry)
{
    struct geo_reader *reader = context;
    uint32_t place = STEPS_NONE;
    int err = entry ? entry_place(reader, entry, &place) : 0;

    if (err) {
        return err;
    }
    if (len > reader->unit) {
        err = unit_collect(reader, first, len, place);
    } else {
        err = unit_close(reader);
        err = err ? err : steps_append(&reader->geo->places[reader->family], first, place);
    }
    return err ? failure_set(reader->failure, -ENOMEM, "out of memory") : 0;
}

static int file_walk(const MMDB_s *mmdb, const char *path, struct geo *geo, struct failure *failure)
{
    struct geo_reader reader = {.geo = geo, .path = path, .failure = failure};
    int err = 0;

    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        reader.family = (enum map_family)family;
        reader.unit = family == MAP_FAMILY_IPV4 ? GEO_UNIT4 : GEO_UNIT6;
        err = mmdb_walk(mmdb, path, reader.family, network_visit, &reader, failure);
        if (!err && unit_close(&reader) != 0) {
            err = failure_set(failure, -ENOMEM, "out of memory");
        }
        steps_trim(&geo->places[family]);
    }
    free(reader.memo.offset);
    free(reader.memo.place);
    return err;
}

int geo_load_file(const char *path, struct geo *ret_geo, struct failure *failure)
{
    struct geo geo = {0};
    MMDB_s mmdb;
    int status;
    int err;

    errno = 0;
    status = MMDB_open(path, MMDB_MODE_MMAP, &mmdb);
    if (status == MMDB_FILE_OPEN_ERROR && errno) {
        return failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    if (status != MMDB_SUCCESS) {
        return failure_set(failure, -EINVAL, "%s: not a sound MMDB file: %s", path,
                           MMDB_strerror(status));
    }
    err = file_walk(&mmdb, path, &geo, failure);
    MMDB_close(&mmdb);
    if (err) {
        geo_done(&geo);
        return err;
    }
    *ret_geo = geo;
    return 0;
}

/* Lays `from` under what `geo` already knows and empties it. */
static int geo_merge(struct geo *geo, struct geo *from)
{
    uint32_t *number = calloc(from->place_n + 1, sizeof(*number));
    int err = number ? 0 : -ENOMEM;

    for (size_t i = 0; i < from->place_n && !err; i++) {
        int64_t there = geo_intern(geo, &from->place[i]);

        err = there < 0 ? -ENOMEM : 0;
        number[i] = err ? 0 : (uint32_t)there;
    }
    for (int family = 0; family < MAP_FAMILIES && !err; family++) {
        struct steps *below = &from->places[family];
        struct steps merged = {0};

        for (size_t i = 0; i < below->n; i++) {
            if (below->value[i] != STEPS_NONE) {
                below->value[i] = number[below->value[i]];
            }
        }
        if (geo->places[family].n == 0) { /* the usual case: a file per family */
            geo->places[family] = *below;
            *below = (struct steps){0};
            continue;
        }
        if (below->n == 0) {
            continue;
        }
        err = steps_overlay(&geo->places[family], below, &merged);
        steps_done(&geo->places[family]);
        geo->places[family] = merged;
    }
    free(number);
    geo_done(from);
    return err;
}

struct geo_job {
    const char *path;
    struct geo geo;
    struct failure failure;
    int err;
    pthread_t thread;
    bool running;
};

static void *job_run(void *context)
{
    struct geo_job *job = context;

    job->err = geo_load_file(job->path, &job->geo, &job->failure);
    return NULL;
}

/* Reads up to `n` files side by side, then joins them in order. */
static int jobs_run(struct geo_job *jobs, size_t n, struct geo *geo, struct failure *failure)
{
    int err = 0;

    for (size_t i = 1; i < n; i++) {
        jobs[i].running = pthread_create(&jobs[i].thread, NULL, job_run, &jobs[i]) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].running) {
            (void)pthread_join(jobs[i].thread, NULL);
        } else {
            (void)job_run(&jobs[i]);
        }
        if (!err && jobs[i].err) {
            err = failure_set(failure, jobs[i].err, "%s", jobs[i].failure.text);
        }
        if (!err && geo_merge(geo, &jobs[i].geo) != 0) {
            err = failure_set(failure, -ENOMEM, "out of memory");
        }
        geo_done(&jobs[i].geo);
    }
    return err;
}

static int pops_intern(struct geo *geo, const struct config *config, struct failure *failure)
{
    for (size_t i = 0; i < config->pop_n; i++) {
        const struct place place =
            place_at(config->pops[i].latitude, config->pops[i].longitude, "", 0);
        int64_t number = geo_intern(geo, &place);

        if (number < 0) {
            return failure_set(failure, -ENOMEM, "out of memory");
        }
        geo->pop_place[i] = (uint32_t)number;
    }
    return 0;
}

int geo_load(const struct config *config, unsigned threads, struct geo *ret_geo,
             struct failure *failure)
{
    size_t batch = threads ? threads : 1;
    struct geo_job *jobs = calloc(batch, sizeof(*jobs));
    struct geo geo = {0};
    int err = jobs ? 0 : failure_set(failure, -ENOMEM, "out of memory");

    for (size_t i = 0; i < config->geo.n && !err; i += batch) {
        size_t n = config->geo.n - i < batch ? config->geo.n - i : batch;

        memset(jobs, 0, batch * sizeof(*jobs));
        for (size_t k = 0; k < n; k++) {
            jobs[k].path = config->geo.path[i + k];
        }
        err = jobs_run(jobs, n, &geo, failure);
    }
    free(jobs);
    err = err ? err : pops_intern(&geo, config, failure);
    if (err) {
        geo_done(&geo);
        return err;
    }
    *ret_geo = geo;
    return 0;
}

void geo_done(struct geo *geo)
{
    for (int family = 0; family < MAP_FAMILIES; family++) {
        steps_done(&geo->places[family]);
    }
    free(geo->place);
    free(geo->index);
    *geo = (struct geo){0};
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/ingest.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LIGHT_MS_PER_KM 0.010 /* in fibre, both ways */
/* A database may be that wrong before a measurement is called a lie. */
#define GEO_ERROR_KM 1000.0
/* Time measured can only be too long, so a short one far from where the database puts a client
 * tells that the database is wrong (infer.c then moves the block). Only one that no network path
 * has, from so far, is a broken row. */
#define BELIEVED_MS 1.0
#define INGEST_THREADS_MAX 64u
#define PROGRESS_NS 200000000L

struct ingest {
    const struct config *config;
    const struct geo *geo;
    struct geo_point pop_point[MAP_MAX_POPS];
    glob_t files;
    uint64_t total_bytes;
    _Atomic size_t next_file;
    _Atomic bool stop;
};

struct ingest_file {
    struct samples_report report;
    struct failure failure;
    _Atomic uint64_t bytes;
    int err;
};

struct ingest_worker {
    struct ingest *ingest;
    struct ingest_file *files;
    struct cells *cells;
    pthread_t thread;
    bool running;
};

static int files_expand(const struct config *config, glob_t *ret_files, struct failure *failure)
{
    for (size_t i = 0; i < config->measurements.n; i++) {
        const char *pattern = config->measurements.path[i];
        int status = glob(pattern, i ? GLOB_APPEND : 0, NULL, ret_files);

        if (status == GLOB_NOMATCH) {
            return failure_set(failure, -ENOENT, "%s: no such file", pattern);
        }
        if (status != 0) {
            return failure_set(failure, -EIO, "%s: cannot be searched", pattern);
        }
    }
    return 0;
}

/* The least RTT that light allows between the block's place and the PoP. */
static uint16_t floor_find(const struct ingest *ingest, const struct block *client, uint8_t pop)
{
    const struct map_key key = {client->hi, 0};
    uint32_t number = steps_value(&ingest->geo->places[client->family], key);
    const struct place *place;
    struct geo_point point;
    double km;

    if (number == STEPS_NONE || !place_is_located(&ingest->geo->place[number])) {
        return 0;
    }
    place = &ingest->geo->place[number];
    point = geo_point_at(place->latitude_d / 10.0, place->longitude_d / 10.0);
    km = geo_distance_km(&point, &ingest->pop_point[pop]) - GEO_ERROR_KM;
    return km > 0 ? (uint16_t)(km * LIGHT_MS_PER_KM * 10) : 0;
}

static enum sample_fault sample_take(void *context, const struct sample *sample, int *ret_err)
{
    struct ingest_worker *worker = context;
    struct cell_slot *slot = cells_get(worker->cells, &sample->client, sample->pop);

    if (!slot) {
        *ret_err = -ENOMEM;
        return SAMPLE_GOOD;
    }
    if (slot->floor_ticks == CELL_FLOOR_UNKNOWN) {
        slot->floor_ticks = floor_find(worker->ingest, &sample->client, sample->pop);
    }
    if ((double)sample->rtt_ms < BELIEVED_MS && (double)sample->rtt_ms * 10 < slot->floor_ticks) {
        return SAMPLE_IMPOSSIBLE_RTT;
    }
    if (sketch_add(&slot->sketch, (double)sample->rtt_ms, sample->count) != 0 ||
        (sample->has_resolver &&
         cells_pair(worker->cells, &sample->resolver, &sample->client, sample->count) != 0)) {
        *ret_err = -ENOMEM;
    }
    return SAMPLE_GOOD;
}

static void file_read(struct ingest_worker *worker, size_t number)
{
    struct ingest_file *file = &worker->files[number];
    struct line_stream *stream;

    file->err = line_stream_open(worker->ingest->files.gl_pathv[number], &stream, &file->failure);
    if (file->err) {
        return;
    }
    file->err = samples_read(stream, worker->ingest->config, sample_take, worker, &file->report,
                             &file->bytes, &file->failure);
    if (file->err == -ENOMEM) {
        (void)failure_set(&file->failure, -ENOMEM, "out of memory");
    }
    line_stream_close(stream);
}

static void *worker_run(void *context)
{
    struct ingest_worker *worker = context;
    struct ingest *ingest = worker->ingest;

    while (!atomic_load(&ingest->stop)) {
        size_t number = atomic_fetch_add(&ingest->next_file, 1);

        if (number >= ingest->files.gl_pathc) {
            break;
        }
        file_read(worker, number);
        if (worker->files[number].err) {
            atomic_store(&ingest->stop, true);
        }
    }
    return NULL;
}

static void progress_show(const struct ingest *ingest, const struct ingest_file *files, bool done)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < ingest->files.gl_pathc; i++) {
        bytes += atomic_load_explicit(&files[i].bytes, memory_order_relaxed);
    }
    (void)fprintf(stderr, "\r\033[Kreading measurements: %.0f of %.0f MB, %.0f %%%s",
                  (double)bytes / 1e6, (double)ingest->total_bytes / 1e6,
                  ingest->total_bytes ? 100.0 * (double)bytes / (double)ingest->total_bytes : 100.0,
                  done ? "\r\033[K" : "");
}

static void worker_join(const struct ingest_worker *worker, bool progress)
{
    struct timespec until;

    if (!worker->running) {
        return;
    }
    while (progress) {
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PROGRESS_NS;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_timedjoin_np(worker->thread, NULL, &until) != ETIMEDOUT) {
            return;
        }
        progress_show(worker->ingest, worker->files, false);
    }
    (void)pthread_join(worker->thread, NULL);
}

/* Runs the workers over all files; the first of them works even if no thread can be made. */
static int workers_run(struct ingest *ingest, struct ingest_worker *workers, unsigned n,
                       struct ingest_file *files, bool progress)
{
    for (unsigned i = 0; i < n; i++) {
        workers[i] = (struct ingest_worker){.ingest = ingest, .files = files};
        workers[i].cells = cells_new();
        if (!workers[i].cells) {
            return -ENOMEM;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        workers[i].running = pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]) == 0;
    }
    if (!workers[0].running) {
        (void)worker_run(&workers[0]);
    }
    for (unsigned i = 0; i < n; i++) {
        worker_join(&workers[i], progress);
    }
    if (progress) {
        progress_show(ingest, files, true);
    }
    return 0;
}

/* Joins what the workers have; reports in the order of files, whoever read them. */
static int results_join(const struct ingest *ingest, struct ingest_worker *workers, unsigned n,
                        const struct ingest_file *files, struct cell_table *ret_table,
                        struct samples_report *ret_report, struct failure *failure)
{
    struct cells *all = workers[0].cells;
    int err = 0;

    for (size_t i = 0; i < ingest->files.gl_pathc; i++) {
        samples_report_add(ret_report, &files[i].report);
        if (!err && files[i].err) {
            err = failure_set(failure, files[i].err, "%s", files[i].failure.text);
        }
    }
    for (unsigned i = 1; i < n && !err; i++) {
        err = cells_merge(all, workers[i].cells);
        if (err) {
            return failure_set(failure, err, "out of memory");
        }
    }
    if (err) {
        return err;
    }
    workers[0].cells = NULL;
    err = cells_finish(all, ret_table);
    return err ? failure_set(failure, err, "out of memory") : 0;
}

static void sizes_add(struct ingest *ingest)
{
    struct stat status;

    for (size_t i = 0; i < ingest->files.gl_pathc; i++) {
        if (stat(ingest->files.gl_pathv[i], &status) == 0 && status.st_size > 0) {
            ingest->total_bytes += (uint64_t)status.st_size;
        }
    }
}

int ingest_run(const struct config *config, const struct geo *geo, unsigned threads, bool progress,
               struct cell_table *ret_table, struct samples_report *ret_report,
               struct failure *failure)
{
    struct ingest ingest = {.config = config, .geo = geo};
    struct ingest_worker workers[INGEST_THREADS_MAX] = {{0}};
    struct ingest_file *files = NULL;
    unsigned n = threads < INGEST_THREADS_MAX ? threads : INGEST_THREADS_MAX;
    int err;

    *ret_report = (struct samples_report){0};
    for (size_t i = 0; i < config->pop_n; i++) {
        ingest.pop_point[i] = geo_point_at(config->pops[i].latitude, config->pops[i].longitude);
    }
    err = files_expand(config, &ingest.files, failure);
    if (!err) {
        n = n < ingest.files.gl_pathc ? n : (unsigned)ingest.files.gl_pathc;
        n = n ? n : 1;
        sizes_add(&ingest);
        files = calloc(ingest.files.gl_pathc + 1, sizeof(*files));
        err = files ? workers_run(&ingest, workers, n, files, progress) : -ENOMEM;
        err = err ? failure_set(failure, err, "out of memory")
                  : results_join(&ingest, workers, n, files, ret_table, ret_report, failure);
    }
    for (unsigned i = 0; i < INGEST_THREADS_MAX; i++) {
        cells_free(workers[i].cells);
    }
    free(files);
    globfree(&ingest.files);
    return err;
}

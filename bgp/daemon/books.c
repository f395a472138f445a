/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/books.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "bgp/daemon/state_file.h"

#define SAVE_SOON_NS (5 * CLOCK_NS_PER_S)  /* after what is not an operator's word */
#define SAVE_LATE_NS (60 * CLOCK_NS_PER_S) /* of what only fades */
#define CLOSE_NS (500 * CLOCK_NS_PER_MS)   /* the disk has so long at the end */
#define STARTS_ODD 5                       /* so many within the span are said */

/* What a change of is saved. */
struct vip_saved {
    struct override override;
    int64_t damped_ns;
    size_t begins_n;
};

struct books {
    struct announcer *announcer;
    struct books_options options;
    struct recorder *recorder;
    struct disk *disk;
    struct disk_counters seen;
    struct state_file state;
    size_t starts_n;
    bool save_soon;
    int64_t saved_ns;
    struct vip_saved saved[CONFIG_VIPS_MAX];
    struct forecast forecasts[CONFIG_VIPS_MAX];
    struct history history;
};

static void record_take(void *context, const struct journal_record *record)
{
    struct books *books = context;
    char line[JOURNAL_LINE_LEN];
    const size_t len = journal_encode(record, line);

    history_add(&books->history, record);
    if (len > 0) {
        (void)disk_append(books->disk, line, len);
    }
}

/* ---- the state file ---- */

static void state_load(struct books *books, struct moment now)
{
    const char *path = announcer_config(books->announcer)->state_file;
    struct failure failure = {{0}};
    uint8_t *bytes = NULL;
    size_t len = 0;
    int code = fd_read_file(path, STATE_FILE_MAX, &bytes, &len, &failure);

    if (code == -ENOENT) {
        log_info("%s: not there yet", path);
    } else if (code == 0) {
        code = state_file_decode(bytes, len, &books->state, &failure);
        failure_wrap(code < 0 ? &failure : NULL, 0, "%s", path);
    }
    free(bytes);
    if (code < 0 && code != -ENOENT) {
        log_error("%s; ignored: starting without memory", failure.text);
    }
    books->starts_n = state_file_started(&books->state, now.wall_ms / 1000, BOOKS_STARTS_SPAN_S);
    state_file_recall(&books->state, books->announcer, now.wall_ms / 1000, now.monotonic_ns);
    if (books->starts_n >= STARTS_ODD) {
        log_warning("started %zu times within %d minutes", books->starts_n,
                    BOOKS_STARTS_SPAN_S / 60);
    }
}

static void state_save(struct books *books, struct moment now)
{
    size_t len;
    char *bytes;

    state_file_collect(&books->state, books->announcer, now.wall_ms / 1000, now.monotonic_ns);
    bytes = state_file_encode(&books->state, &len);
    if (bytes) {
        disk_replace(books->disk, bytes, len);
        free(bytes);
    }
    books->saved_ns = now.monotonic_ns;
    books->save_soon = false;
}

/* An operator's word is saved at once, what adds up soon, what fades now and then. */
static void state_turn(struct books *books, struct moment now)
{
    const int64_t age_ns = now.monotonic_ns - books->saved_ns;
    bool at_once = false, fades = false;

    for (size_t i = 0; i < announcer_config(books->announcer)->vips_n; i++) {
        const struct announcer_vip *vip = announcer_vip(books->announcer, i);
        struct vip_saved *saved = &books->saved[i];
        struct announcer_memory memory;

        announcer_remember(books->announcer, i, now.monotonic_ns, &memory);
        at_once = at_once || vip->override.action != saved->override.action ||
                  vip->override.since_ns != saved->override.since_ns;
        books->save_soon = books->save_soon || vip->policy.damping.at_ns != saved->damped_ns ||
                           memory.begins_n != saved->begins_n;
        fades = fades || memory.penalty >= 1;
        *saved = (struct vip_saved){vip->override, vip->policy.damping.at_ns, memory.begins_n};
    }
    if (at_once || (books->save_soon && age_ns >= SAVE_SOON_NS) ||
        (fades && age_ns >= SAVE_LATE_NS)) {
        state_save(books, now);
    }
}

/* ---- calls ---- */

void books_observe(struct books *books, size_t check, const struct probe_outcome *outcome,
                   struct moment now)
{
    if (books) {
        recorder_observe(books->recorder, check, outcome, now);
    }
}

/* A new file says how things stand, and lost lines leave a line. */
static void journal_turn(struct books *books, struct moment now)
{
    struct disk_counters counters;

    disk_counters(books->disk, &counters);
    if (counters.rotations != books->seen.rotations) {
        recorder_start(books->recorder, books->options.version, books->options.seed, true, now);
    }
    if (counters.lines_lost != books->seen.lines_lost) {
        if (counters.journal_failing) {
            counters.lines_lost = books->seen.lines_lost; /* later: it would be lost too */
        } else {
            const struct journal_record record = {
                .kind = JOURNAL_LOST,
                .wall_ms = now.wall_ms,
                .monotonic_ns = now.monotonic_ns,
                .count_n = (int64_t)(counters.lines_lost - books->seen.lines_lost)};

            record_take(books, &record);
        }
    }
    books->seen = counters;
}

void books_turn(struct books *books, struct moment now)
{
    if (!books) {
        return;
    }
    recorder_look(books->recorder, now);
    for (size_t i = 0; i < announcer_config(books->announcer)->vips_n; i++) {
        forecast_see(&books->forecasts[i],
                     announcer_speaker(books->announcer)->routes[i].known == EXABGP_KNOWN_ANNOUNCED,
                     now.monotonic_ns);
    }
    if (books->disk) {
        journal_turn(books, now);
        state_turn(books, now);
    }
}

const struct history *books_history(const struct books *books)
{
    return books ? &books->history : NULL;
}

const struct forecast *books_forecast(const struct books *books, size_t vip)
{
    static const struct forecast none;

    return books ? &books->forecasts[vip] : &none;
}

void books_counters(const struct books *books, struct disk_counters *ret_counters)
{
    disk_counters(books ? books->disk : NULL, ret_counters);
}

size_t books_starts(const struct books *books)
{
    return books ? books->starts_n : 0;
}

/* ---- life ---- */

static void files_open(struct books *books, struct moment now)
{
    const struct config *config = announcer_config(books->announcer);
    const struct disk_options options = {
        .journal = config->journal.file,
        .journal_size = config->journal.size,
        .journal_keep = config->journal.keep,
        .state = config->state_file,
    };

    if (config->state_file) {
        state_load(books, now);
    }
    if (config->journal.file) {
        history_seed(&books->history, config->journal.file);
    }
    if (config->state_file || config->journal.file) {
        books->disk = disk_open(&options);
        if (!books->disk) {
            log_error("no thread for journal and state: going on without them");
        }
    }
}

struct books *books_open(struct announcer *announcer, const struct books_options *options,
                         struct moment now)
{
    struct books *books = calloc(1, sizeof(*books));

    if (!books) {
        return NULL;
    }
    books->announcer = announcer;
    books->options = *options;
    books->recorder = recorder_new(announcer, record_take, books);
    if (!books->recorder) {
        free(books);
        return NULL;
    }
    if (options->files) {
        files_open(books, now);
    }
    recorder_start(books->recorder, options->version, options->seed, false, now);
    for (size_t i = 0; i < CONFIG_VIPS_MAX; i++) {
        books->saved[i].override.action = OVERRIDE_AUTO;
    }
    if (books->disk) {
        state_save(books, now);
    }
    return books;
}

void books_close(struct books *books, struct moment now)
{
    if (!books) {
        return;
    }
    recorder_flush(books->recorder);
    if (books->disk) {
        state_save(books, now);
    }
    disk_close(books->disk, CLOSE_NS);
    recorder_free(books->recorder);
    free(books);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "mapper/import/pins.h"

#define PATH_TEXT_MAX 4096
#define FILE_MODE 0644

struct writer {
    const struct model *model;
    const char *folder;
    const char *source;
    struct failure *failure;
};

static int folder_make(const struct writer *writer, const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST) {
        return 0;
    }
    return failure_set(writer->failure, -errno, "%s: %s", path, strerror(errno));
}

/* Writes `text` to the folder as `name` and gives its memory back. */
static int file_write(const struct writer *writer, const char *name, struct text *text)
{
    char path[PATH_TEXT_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", writer->folder, name);
    int err = 0;

    if (text->failed) {
        err = failure_set(writer->failure, -ENOMEM, "out of memory");
    } else if (len < 0 || (size_t)len >= sizeof(path)) {
        err =
            failure_set(writer->failure, -ENAMETOOLONG, "%.200s: too long a path", writer->folder);
    } else {
        err = fd_replace_file(path, text->bytes ? text->bytes : "", text->len, FILE_MODE,
                              writer->failure);
    }
    text_done(text);
    return err;
}

static void head_add(const struct writer *writer, struct text *text, char comment)
{
    text_format(text, "%c imported from ", comment);
    for (const char *byte = writer->source; *byte; byte++) {
        text_add(text, (unsigned char)*byte < ' ' ? "?" : byte, 1);
    }
    text_string(text, "\n");
}

/* "[a, b]" of PoP names, quoted. */
static void list_add(const struct writer *writer, struct text *text, uint32_t list)
{
    const struct model_list *item = &writer->model->list[list];

    text_string(text, "[");
    for (size_t i = 0; i < item->n; i++) {
        text_string(text, i ? ", " : "");
        text_quote_yaml(text, writer->model->pop[item->pop[i]].name);
    }
    text_string(text, "]");
}

static int mapper_write(const struct writer *writer, bool has_pins)
{
    const struct model *model = writer->model;
    struct text text = {0};

    head_add(writer, &text, '#');
    text_string(&text, "pops:\n");
    for (size_t i = 0; i < model->pop_n; i++) {
        const struct model_pop *pop = &model->pop[i];

        text_string(&text, "  ");
        text_quote_yaml(&text, pop->name);
        text_format(&text, ": {location: [%.10g, %.10g]}%s\n", pop->latitude, pop->longitude,
                    pop->located ? "" : " # not known, and not needed while pins decide");
    }
    text_string(&text, "maps:\n");
    for (size_t i = 0; i < model->map_n; i++) {
        text_string(&text, "  ");
        text_quote_yaml(&text, model->map[i].name);
        text_string(&text, ":\n    pops: ");
        list_add(writer, &text, model->map[i].order);
        text_string(&text, "\n    default: ");
        list_add(writer, &text, model->map[i].elsewhere);
        text_string(&text, "\n");
    }
    if (has_pins) {
        text_string(&text, "overrides: pins.csv\n");
    }
    return file_write(writer, "mapper.yaml", &text);
}

static int pins_write(const struct writer *writer, uint64_t *ret_pins)
{
    struct text text = {0};

    head_add(writer, &text, '#');
    *ret_pins = pins_add(writer->model, &text);
    return file_write(writer, "pins.csv", &text);
}

/* --- services.yaml --- */

static void site_add(const struct writer *writer, struct text *text, const struct model_site *site)
{
    text_string(text, "      ");
    text_quote_yaml(text, writer->model->pop[site->pop].name);
    if (site->target) {
        text_string(text, ": {cname: ");
        text_quote_yaml(text, site->target);
        text_string(text, "}\n");
        return;
    }
    text_string(text, ": [");
    for (size_t i = 0; i < site->address_n; i++) {
        char address[ADDRESS_TEXT_LEN];

        text_format(text, "%s\"%s\"", i ? ", " : "", address_format(&site->address[i], address));
    }
    text_string(text, "]\n");
}

static int services_write(const struct writer *writer)
{
    const struct model *model = writer->model;
    struct text text = {0};

    head_add(writer, &text, '#');
    text_string(&text, "services:\n");
    for (size_t i = 0; i < model->service_n; i++) {
        const struct model_service *service = &model->service[i];

        text_string(&text, "  ");
        text_quote_yaml(&text, service->name);
        text_string(&text, ":\n    map: ");
        text_quote_yaml(&text, model->map[service->map].name);
        text_format(&text,
                    "\n    ttl: %u\n    ttl_min: %u\n    pops_per_answer: %u\n"
                    "    on_empty: static\n    pops:\n",
                    service->ttl_s, service->ttl_min_s, service->pops_per_answer);
        for (size_t k = 0; k < service->site_n; k++) {
            site_add(writer, &text, &service->site[k]);
        }
    }
    text_string(&text, "names:\n");
    for (size_t i = 0; i < model->name_n; i++) {
        text_string(&text, "  ");
        text_quote_yaml(&text, model->name[i].owner);
        text_string(&text, ": ");
        text_quote_yaml(&text, model->service[model->name[i].service].name);
        text_string(&text, "\n");
    }
    return file_write(writer, "services.yaml", &text);
}

/* --- edge.yaml, states.yaml, zones --- */

static void text_key(struct text *text, const char *key, const char *value)
{
    if (value) {
        text_format(text, "%s: ", key);
        text_quote_yaml(text, value);
        text_string(text, "\n");
    }
}

static int edge_write(const struct writer *writer)
{
    const struct model *model = writer->model;
    struct text text = {0};

    head_add(writer, &text, '#');
    text_key(&text, "identity", model->edge.identity);
    text_key(&text, "version", model->edge.version);
    text_string(&text, "listen: [");
    for (size_t i = 0; i < model->edge.listen_n; i++) {
        text_string(&text, i ? ", " : "");
        text_quote_yaml(&text, model->edge.listen[i]);
    }
    text_string(&text, "]\nzones:\n");
    for (size_t i = 0; i < model->zone_n; i++) {
        text_string(&text, "  - {origin: ");
        text_quote_yaml(&text, model->zone[i].origin);
        text_string(&text, ", file: ");
        text_quote_yaml(&text, model->zone[i].file);
        text_string(&text, "}\n");
    }
    if (model->service_n) {
        text_string(&text, "map: cdn.isomap\nservices: services.yaml\n");
    }
    if (model->state_n) {
        text_string(&text, "states: [states.yaml]\n");
    }
    if (model->edge.no_cookies) {
        text_string(&text, "cookies: off\n");
    }
    if (model->edge.tcp_idle) {
        text_format(&text, "tcp: {idle: %s}\n", model->edge.tcp_idle);
    }
    return file_write(writer, "edge.yaml", &text);
}

static int states_write(const struct writer *writer)
{
    const struct model *model = writer->model;
    struct text text = {0};

    head_add(writer, &text, '#');
    text_string(&text, "pops:\n");
    for (size_t i = 0; i < model->state_n; i++) {
        const struct model_state *state = &model->state[i];
        struct text key = {0};

        text_string(&key, model->pop[state->pop].name);
        if (state->service != MODEL_NONE) {
            text_string(&key, "/");
            text_string(&key, model->service[state->service].name);
        }
        text.failed = text.failed || key.failed;
        text_string(&text, "  ");
        text_quote_yaml(&text, key.bytes ? key.bytes : "");
        text_format(&text, ": {state: %s, reason: ", state->state);
        text_quote_yaml(&text, state->reason);
        text_string(&text, "}\n");
        text_done(&key);
    }
    return file_write(writer, "states.yaml", &text);
}

static int zones_write(const struct writer *writer)
{
    int err = 0;

    for (size_t i = 0; i < writer->model->zone_n && !err; i++) {
        const struct model_zone *zone = &writer->model->zone[i];
        struct text text = {0};

        head_add(writer, &text, ';');
        text_add(&text, zone->text.bytes ? zone->text.bytes : "", zone->text.len);
        text.failed = text.failed || zone->text.failed;
        err = file_write(writer, zone->file, &text);
    }
    return err;
}

/* --- import.txt --- */

static void notes_list(const struct writer *writer, struct text *text, enum note_kind kind,
                       const char *title)
{
    const struct notes *notes = &writer->model->notes;

    text_format(text, "\n%s: %zu\n", title, notes->count[kind]);
    for (size_t i = 0; i < notes->n; i++) {
        const struct note *note = &notes->item[i];

        if (note->kind == kind) {
            text_string(text, "  ");
            text_string(text, note->file);
            text_format(text, ":%u: ", note->line);
            text_string(text, note->text);
            text_string(text, "\n");
        }
    }
}

static int report_write(const struct writer *writer)
{
    const struct text *monitoring = &writer->model->monitoring;
    struct text text = {0};

    head_add(writer, &text, '#');
    notes_list(writer, &text, NOTE_LEFT_OUT, "Left out");
    notes_list(writer, &text, NOTE_DIFFERS, "Answered differently");
    notes_list(writer, &text, NOTE_IGNORED, "Without a counterpart");
    if (monitoring->len) {
        text_string(&text,
                    "\nWhat was watched. isochrone-edge does not probe: health comes in through "
                    "files of states\n(edge.yaml(5) STATE FILES), under the keys named here.\n");
        text_add(&text, monitoring->bytes, monitoring->len);
    }
    return file_write(writer, "import.txt", &text);
}

int writer_write(const struct model *model, const char *folder, const char *source,
                 struct writer_counts *ret_counts, struct failure *failure)
{
    const struct writer writer = {
        .model = model, .folder = folder, .source = source, .failure = failure};
    char zones[PATH_TEXT_MAX];
    int len = snprintf(zones, sizeof(zones), "%s/zones", folder);
    int err = len < 0 || (size_t)len >= sizeof(zones)
                  ? failure_set(failure, -ENAMETOOLONG, "%.200s: too long a path", folder)
                  : folder_make(&writer, folder);

    *ret_counts = (struct writer_counts){.zones = model->zone_n,
                                         .names = model->name_n,
                                         .services = model->service_n,
                                         .maps = model->map_n,
                                         .pops = model->pop_n,
                                         .states = model->state_n};
    err = err ? err : folder_make(&writer, zones);
    err = err ? err : zones_write(&writer);
    if (!err && model->map_n) {
        err = pins_write(&writer, &ret_counts->pins);
        err = err ? err : mapper_write(&writer, ret_counts->pins != 0);
        err = err ? err : services_write(&writer);
    }
    if (!err && model->state_n) {
        err = states_write(&writer);
    }
    err = err ? err : edge_write(&writer);
    return err ? err : report_write(&writer);
}

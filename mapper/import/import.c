/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/import.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "mapper/import/gdnsd.h"
#include "mapper/import/tinydns.h"
#include "mapper/import/writer.h"

/* Texts from files may be no UTF-8, which JSON has no place for. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);

    return value ? value : json_string("?");
}

static json_t *notes_json(const struct notes *notes)
{
    json_t *list = json_array();

    for (size_t i = 0; i < notes->n; i++) {
        const struct note *note = &notes->item[i];

        (void)json_array_append_new(
            list, json_pack("{s:s, s:o, s:I, s:o}", "kind", note_kind_name(note->kind), "file",
                            json_text(note->file), "line", (json_int_t)note->line, "text",
                            json_text(note->text)));
    }
    return list;
}

static void report_json(const struct model *model, const struct writer_counts *counts, FILE *out)
{
    json_t *root = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "zones", (json_int_t)counts->zones,
        "names", (json_int_t)counts->names, "services", (json_int_t)counts->services, "maps",
        (json_int_t)counts->maps, "pops", (json_int_t)counts->pops, "pins",
        (json_int_t)counts->pins, "states", (json_int_t)counts->states, "left_out",
        (json_int_t)model->notes.count[NOTE_LEFT_OUT], "differs",
        (json_int_t)model->notes.count[NOTE_DIFFERS], "notes", notes_json(&model->notes));

    if (root) {
        (void)json_dumpf(root, out, JSON_COMPACT);
    }
    (void)fputc('\n', out);
    json_decref(root);
}

static void report_text(const struct model *model, const struct writer_counts *counts,
                        const char *output, FILE *out)
{
    (void)fprintf(out,
                  "%zu zones, %zu dynamic names, %zu services, %zu maps with %" PRIu64
                  " pins, %zu PoPs, %zu states; %zu lines left out, %zu answered differently: see "
                  "%s/import.txt\n",
                  counts->zones, counts->names, counts->services, counts->maps, counts->pins,
                  counts->pops, counts->states, model->notes.count[NOTE_LEFT_OUT],
                  model->notes.count[NOTE_DIFFERS], output);
}

static void faults_print(const struct notes *notes, FILE *faults)
{
    for (size_t i = 0; i < notes->n; i++) {
        const struct note *note = &notes->item[i];

        if (note->kind == NOTE_LEFT_OUT) {
            (void)fprintf(faults, "%s:%" PRIu32 ": %s\n", note->file, note->line, note->text);
        }
    }
}

static int model_report(const struct model *model, const struct import_options *options, FILE *out,
                        FILE *faults, size_t *ret_left_out, struct failure *failure)
{
    struct writer_counts counts;
    int err = writer_write(model, options->output, options->source, &counts, failure);

    if (err) {
        return err;
    }
    *ret_left_out = model->notes.count[NOTE_LEFT_OUT];
    faults_print(&model->notes, faults);
    if (options->json) {
        report_json(model, &counts, out);
    } else {
        report_text(model, &counts, options->output, out);
    }
    return 0;
}

/* `read` fills the model. */
static int import_run(const struct import_options *options,
                      int (*read)(const struct import_options *, struct model *, struct failure *),
                      FILE *out, FILE *faults, size_t *ret_left_out, struct failure *failure)
{
    struct model *model = malloc(sizeof(*model));
    int err = model ? model_init(model) : -ENOMEM;

    if (err) {
        free(model);
        return failure_set(failure, err, "out of memory");
    }
    err = read(options, model, failure);
    err = err ? err : model_report(model, options, out, faults, ret_left_out, failure);
    model_done(model);
    free(model);
    return err;
}

static int gdnsd_read(const struct import_options *options, struct model *model,
                      struct failure *failure)
{
    return gdnsd_import(options->source, options->state_file, model, failure);
}

static int tinydns_read(const struct import_options *options, struct model *model,
                        struct failure *failure)
{
    return tinydns_import(options->source, options->now_s, model, failure);
}

int import_gdnsd(const struct import_options *options, FILE *out, FILE *faults,
                 size_t *ret_left_out, struct failure *failure)
{
    return import_run(options, gdnsd_read, out, faults, ret_left_out, failure);
}

int import_tinydns(const struct import_options *options, FILE *out, FILE *faults,
                   size_t *ret_left_out, struct failure *failure)
{
    return import_run(options, tinydns_read, out, faults, ret_left_out, failure);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "edge/compare/question.h"

#define JSON_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII)

static void print_json(FILE *out, json_t *object)
{
    if (object) {
        json_dumpf(object, out, JSON_FLAGS);
        fputc('\n', out);
        fflush(out);
        json_decref(object);
    }
}

static void difference_json(FILE *out, uint64_t number, const char *text,
                            const struct difference *difference)
{
    json_t *items = json_array();

    for (size_t i = 0; i < difference->item_n; i++) {
        const struct difference_item *item = &difference->items[i];

        json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "class",
                                               difference_class_name(item->class), "old",
                                               item->old_text, "new", item->new_text));
    }
    print_json(out, json_pack("{s:I, s:s, s:o}", "number", (json_int_t)number, "question", text,
                              "differences", items));
}

static void difference_text(FILE *out, const char *text, const struct difference *difference)
{
    fprintf(out, "%s\n", text);
    for (size_t i = 0; i < difference->item_n; i++) {
        const struct difference_item *item = &difference->items[i];
        const bool again = i > 0 && difference->items[i - 1].class == item->class;

        fprintf(out, "  %-11s old  %s\n", again ? "" : difference_class_name(item->class),
                *item->old_text ? item->old_text : "-");
        fprintf(out, "  %-11s new  %s\n", "", *item->new_text ? item->new_text : "-");
    }
    if (difference->failed) {
        fputs("  (out of memory: there may be more)\n", out);
    }
    fflush(out);
}

void report_difference(struct report *report, uint64_t number, const struct question *question,
                       const struct difference *difference)
{
    char text[QUESTION_TEXT_MAX];

    question_format(question, text);
    report->different++;
    for (unsigned i = 0; i < DIFFERENCE_CLASS_N; i++) {
        if (difference->classes & UINT32_C(1) << i) {
            report->class_n[i]++;
            if (!report->first[i]) {
                report->first[i] = strdup(text);
            }
        }
    }
    if (report->limit && report->different > report->limit) {
        return;
    }
    if (report->json) {
        difference_json(report->out, number, text, difference);
    } else {
        difference_text(report->out, text, difference);
    }
}

static const struct {
    const char *name;
    const char *text;
    size_t offset;
} totals[] = {
    {"asked", "asked", offsetof(struct report, asked)},
    {"equal", "answered alike", offsetof(struct report, equal)},
    {"different", "answered differently", offsetof(struct report, different)},
    {"unstable", "alike when asked again", offsetof(struct report, unstable)},
    {"unanswered", "answered by neither", offsetof(struct report, unanswered)},
    {"wrong", "not to be read", offsetof(struct report, wrong)},
    {"left_out", "captured, not asked", offsetof(struct report, left_out)},
};

static uint64_t total(const struct report *report, size_t index)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)report + totals[index].offset, sizeof(value));
    return value;
}

static void summary_json(const struct report *report)
{
    json_t *summary = json_object();
    json_t *classes = json_object();

    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        json_object_set_new(summary, totals[i].name, json_integer((json_int_t)total(report, i)));
    }
    for (unsigned i = 0; i < DIFFERENCE_CLASS_N; i++) {
        if (report->class_n[i]) {
            json_object_set_new(classes, difference_class_name((enum difference_class)i),
                                json_integer((json_int_t)report->class_n[i]));
        }
    }
    json_object_set_new(summary, "classes", classes);
    print_json(report->out, json_pack("{s:o}", "summary", summary));
}

static void summary_text(const struct report *report)
{
    if (report->limit && report->different > report->limit) {
        fprintf(report->out, "(%" PRIu64 " more are not shown)\n",
                report->different - report->limit);
    }
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        if (i < 3 || total(report, i)) {
            fprintf(report->out, "%-23s %10" PRIu64 "\n", totals[i].text, total(report, i));
        }
    }
    for (unsigned i = 0; i < DIFFERENCE_CLASS_N; i++) {
        if (report->class_n[i]) {
            fprintf(report->out, "  %-21s %10" PRIu64 "  first: %.150s\n",
                    difference_class_name((enum difference_class)i), report->class_n[i],
                    report->first[i] ? report->first[i] : "?");
        }
    }
    if (report->asked && report->unanswered == report->asked) {
        fputs("Nobody answered: nothing was compared.\n", report->out);
    }
    fflush(report->out);
}

void report_summary(const struct report *report)
{
    if (report->json) {
        summary_json(report);
    } else {
        summary_text(report);
    }
}

bool report_is_clean(const struct report *report)
{
    return report->different == 0 && report->wrong == 0 &&
           (report->asked == 0 || report->unanswered < report->asked);
}

void report_done(struct report *report)
{
    for (unsigned i = 0; i < DIFFERENCE_CLASS_N; i++) {
        free(report->first[i]);
        report->first[i] = NULL;
    }
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast_status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/control.h"
#include "edge/daemon/fast.h"
#include "edge/daemon/fast_tap.h"
#include "edge/daemon/fast_words.h"
#include "edge/daemon/server.h"

#define FAST_MB ((double)(1 << 20) / FAST_BLOCK_SIZE)

static double fast_ms(int64_t ns)
{
    return (double)ns / (double)CLOCK_NS_PER_MS;
}

/* Per cent. */
static double fast_share(uint64_t part, uint64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

static const char *fast_names_name(enum config_xdp_names names)
{
    static const char *const words[] = {"services", "all", "hot"};

    return words[names];
}

static bool fast_is_attached(const struct xdp_link_status *link)
{
    return link->state == XDP_LINK_NATIVE || link->state == XDP_LINK_GENERIC;
}

static json_t *fast_links(const struct fast_view *view, FILE *out)
{
    json_t *list = json_array();

    for (size_t i = 0; i < view->status.link_n; i++) {
        const struct xdp_link_status *link = &view->status.links[i];

        fprintf(out, "link       %-15s %s%s%s%s%s\n", link->interface,
                fast_link_state_name(link->state), link->adopted ? ", adopted" : "",
                fast_is_attached(link) && link->state == XDP_LINK_GENERIC ? "  ! slow" : "",
                *link->reason ? ": " : "", link->reason);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "interface", link->interface,
                                              "state", fast_link_state_name(link->state), "adopted",
                                              link->adopted, "reason", control_text(link->reason)));
    }
    return list;
}

static json_t *fast_fill(FILE *out, const char *name, const char *unit, double factor,
                         uint64_t used, uint64_t room, bool left_out)
{
    fprintf(out, "%-10s %.*f of %.*f%s (%.0f %%)%s\n", name, *unit ? 1 : 0, (double)used / factor,
            *unit ? 1 : 0, (double)room / factor, unit, fast_share(used, room),
            left_out ? "  ! does not fit: answered here" : "");
    return json_pack("{s:I, s:I, s:b}", "used", (json_int_t)used, "capacity", (json_int_t)room,
                     "left_out", left_out);
}

static json_t *fast_room(const struct fast_view *view, FILE *out)
{
    const struct xdp_status *status = &view->status;
    json_t *object = json_object();

    json_object_set_new(object, "image_blocks",
                        fast_fill(out, "image", " MB", FAST_MB, status->image_blocks,
                                  status->image_blocks_max, view->left_out & XDP_PART_IMAGE));
    json_object_set_new(object, "template_blocks",
                        fast_fill(out, "templates", " MB", FAST_MB, status->template_blocks,
                                  status->template_blocks_max,
                                  view->left_out & XDP_PART_TEMPLATES || view->templates_left_out));
    json_object_set_new(object, "services",
                        fast_fill(out, "services", "", 1, status->services, status->services_max,
                                  view->left_out & XDP_PART_STATES));
    fprintf(out,
            "names      %s: %" PRIu64 " static answers, %" PRIu64 " of services, %" PRIu64
            " left out\n",
            fast_names_name(view->names), view->static_n, view->geo_n, view->templates_left_out);
    json_object_update_new(
        object, json_pack("{s:s, s:I, s:I, s:I, s:I}", "names", fast_names_name(view->names),
                          "static", (json_int_t)view->static_n, "geo", (json_int_t)view->geo_n,
                          "left_out", (json_int_t)view->templates_left_out, "listeners_left_out",
                          (json_int_t)view->listeners_missing));
    return object;
}

static void fast_traffic(const struct fast_counters *counters, json_t *data, FILE *out)
{
    uint64_t answered = fast_answered(counters);
    uint64_t all = answered + fast_passed(counters);
    json_t *classes = json_object();
    json_t *reasons = json_object();

    fprintf(out, "answered   %" PRIu64 " of %" PRIu64 " queries: %.2f %%\n", answered, all,
            fast_share(answered, all));
    for (unsigned i = 0; i < FAST_ANSWERS; i++) {
        const char *name = fast_answer_name((enum fast_answer)i);

        json_object_set_new(classes, name, json_integer((json_int_t)counters->answered[i]));
        fprintf(out, "  %-10s %12" PRIu64 "  %6.2f %%\n", name, (uint64_t)counters->answered[i],
                fast_share(counters->answered[i], all));
    }
    fprintf(out, "passed up  %" PRIu64 ", and %" PRIu64 " packets that are no queries to us\n",
            all - answered, (uint64_t)counters->passed[FAST_PASS_NOT_DNS]);
    for (unsigned i = 0; i < FAST_PASS_REASONS; i++) {
        const char *name = fast_reason_name((enum fast_reason)i);

        json_object_set_new(reasons, name, json_integer((json_int_t)counters->passed[i]));
        if (counters->passed[i] && i != FAST_PASS_NOT_DNS) {
            fprintf(out, "  %-10s %12" PRIu64 "  %6.2f %%  %s\n", name,
                    (uint64_t)counters->passed[i], fast_share(counters->passed[i], all),
                    fast_reason_text((enum fast_reason)i));
        }
    }
    for (unsigned i = 0; i < FAST_EXTRAS; i++) {
        json_object_set_new(data, fast_extra_name(i),
                            json_integer((json_int_t)fast_extra(counters, i)));
    }
    json_object_update_new(data, json_pack("{s:o, s:o, s:f}", "answered", classes, "passed",
                                           reasons, "hit_ratio", fast_share(answered, all) / 100));
}

static void fast_page(const struct fast_view *view, json_t *data, FILE *out)
{
    const struct xdp_status *status = &view->status;

    fprintf(out, "xdp        %s%s%s%s\n", fast_health_name(view->health),
            view->late ? "  ! a worker is late: no beat" : "", *view->fault ? "  ! " : "",
            view->fault);
    json_object_update_new(data,
                           json_pack("{s:s, s:b, s:o}", "health", fast_health_name(view->health),
                                     "late", view->late, "fault", control_text(view->fault)));
    if (view->health == FAST_UNAVAILABLE) {
        return;
    }
    json_object_set_new(data, "links", fast_links(view, out));
    fprintf(out,
            "word       publication %u: image slot %d, template slot %d, state slot %d; rendered "
            "in %.1f ms, published in %.1f ms\n",
            FAST_WORD_SEQUENCE(status->word), (int8_t)FAST_WORD_IMAGE(status->word),
            (int8_t)FAST_WORD_TEMPLATE(status->word), (int8_t)FAST_WORD_STATE(status->word),
            fast_ms(view->render_ns), fast_ms(view->publish_ns));
    if (*status->refused) {
        fprintf(out, "tables     new, since those of the server before do not do: %s\n",
                status->refused);
    }
    fprintf(out, "beat       %s, %.1f s left\n", status->beat_left_ns > 0 ? "alive" : "! none",
            (double)status->beat_left_ns / (double)CLOCK_NS_PER_S);
    json_object_update_new(
        data, json_pack("{s:I, s:i, s:i, s:i, s:f, s:f, s:f}", "sequence",
                        (json_int_t)FAST_WORD_SEQUENCE(status->word), "image_slot",
                        (int)(int8_t)FAST_WORD_IMAGE(status->word), "template_slot",
                        (int)(int8_t)FAST_WORD_TEMPLATE(status->word), "state_slot",
                        (int)(int8_t)FAST_WORD_STATE(status->word), "beat_left_seconds",
                        (double)status->beat_left_ns / (double)CLOCK_NS_PER_S, "render_seconds",
                        fast_ms(view->render_ns) / 1000, "publish_seconds",
                        fast_ms(view->publish_ns) / 1000));
    json_object_set_new(data, "refused", control_text(status->refused));
    json_object_set_new(data, "tables", fast_room(view, out));
    fast_traffic(&status->counters, data, out);
}

static json_t *fast_page_reply(struct fast *fast)
{
    struct fast_view *view = calloc(1, sizeof(*view));
    json_t *data = json_object();
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *reply = NULL;

    if (view && data && out) {
        fast_view(fast, view);
        fast_page(view, data, out);
    }
    if (out && fclose(out) == 0 && view && data) {
        reply = json_pack("{s:b, s:o, s:O}", "ok", 1, "text", control_text(text), "data", data);
    }
    free(text);
    json_decref(data);
    free(view);
    return reply;
}

json_t *fast_status_reply(struct server *server, const json_t *request)
{
    const char *what = json_string_value(json_array_get(json_object_get(request, "arguments"), 0));

    if (!server->fast) {
        return control_refuse("xdp is not configured: 'xdp' in %s",
                              server->publisher->loaded->config->path);
    }
    if (!what) {
        return fast_page_reply(server->fast);
    }
    if (strcmp(what, "tap") == 0) {
        struct fast_tapping *tapping = fast_tapping(server->fast);

        return tapping ? fast_tapping_reply(tapping, json_object_get(request, "options"))
                       : control_refuse("xdp is not available here");
    }
    if (strcmp(what, "on") == 0 || strcmp(what, "off") == 0) {
        fast_switch(server->fast, what[1] == 'f');
        return fast_page_reply(server->fast);
    }
    return control_refuse("xdp [on|off|tap]");
}

json_t *fast_status_line(struct fast *fast, FILE *out)
{
    struct fast_view *view;
    unsigned attached = 0;
    uint64_t answered;
    uint64_t all;
    json_t *object;

    if (!fast) {
        fputs("xdp       off\n", out);
        return json_null();
    }
    view = calloc(1, sizeof(*view));
    if (!view) {
        return json_null();
    }
    fast_view(fast, view);
    for (size_t i = 0; i < view->status.link_n; i++) {
        attached += fast_is_attached(&view->status.links[i]);
    }
    answered = fast_answered(&view->status.counters);
    all = answered + fast_passed(&view->status.counters);
    fprintf(out,
            "xdp       %s%s%s; %u of %zu interfaces, answered %" PRIu64 " of %" PRIu64 " queries\n",
            fast_health_name(view->health), *view->fault ? "  ! " : "", view->fault, attached,
            view->status.link_n, answered, all);
    object = json_pack("{s:s, s:o, s:i, s:i, s:I, s:I}", "health", fast_health_name(view->health),
                       "fault", control_text(view->fault), "attached", (int)attached, "interfaces",
                       (int)view->status.link_n, "answered", (json_int_t)answered, "queries",
                       (json_int_t)all);
    free(view);
    return object;
}

/* --- metrics --- */

static void fast_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP isochrone_edge_xdp_%s %s\n# TYPE isochrone_edge_xdp_%s %s\n", name, help,
            name, type);
}

static void fast_number(FILE *out, const char *name, const char *help, double value)
{
    fast_head(out, name, "gauge", help);
    fprintf(out, "isochrone_edge_xdp_%s %.9g\n", name, value);
}

static void fast_metrics_traffic(const struct fast_counters *counters, FILE *out)
{
    fast_head(out, "answered_total", "counter", "Queries answered in the kernel.");
    for (unsigned i = 0; i < FAST_ANSWERS; i++) {
        fprintf(out, "isochrone_edge_xdp_answered_total{class=\"%s\"} %" PRIu64 "\n",
                fast_answer_name((enum fast_answer)i), (uint64_t)counters->answered[i]);
    }
    fast_head(out, "passed_total", "counter", "Packets passed up, by the first reason.");
    for (unsigned i = 0; i < FAST_PASS_REASONS; i++) {
        fprintf(out, "isochrone_edge_xdp_passed_total{reason=\"%s\"} %" PRIu64 "\n",
                fast_reason_name((enum fast_reason)i), (uint64_t)counters->passed[i]);
    }
    for (unsigned i = 0; i < FAST_EXTRAS; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%s_total", fast_extra_name(i));
        fast_head(out, name, "counter", fast_extra_help(i));
        fprintf(out, "isochrone_edge_xdp_%s %" PRIu64 "\n", name, fast_extra(counters, i));
    }
}

static void fast_metrics_tables(const struct fast_view *view, FILE *out)
{
    const struct xdp_status *status = &view->status;

    fast_head(out, "table_used", "gauge", "Places in use: blocks of 4096 bytes, or services.");
    fprintf(out,
            "isochrone_edge_xdp_table_used{table=\"image\"} %u\n"
            "isochrone_edge_xdp_table_used{table=\"templates\"} %u\n"
            "isochrone_edge_xdp_table_used{table=\"services\"} %u\n",
            status->image_blocks, status->template_blocks, status->services);
    fast_head(out, "table_capacity", "gauge", "Places there are.");
    fprintf(out,
            "isochrone_edge_xdp_table_capacity{table=\"image\"} %u\n"
            "isochrone_edge_xdp_table_capacity{table=\"templates\"} %u\n"
            "isochrone_edge_xdp_table_capacity{table=\"services\"} %u\n",
            status->image_blocks_max, status->template_blocks_max, status->services_max);
    fast_head(out, "left_out", "gauge", "What does not fit and is answered by the server.");
    fprintf(out,
            "isochrone_edge_xdp_left_out{part=\"image\"} %d\n"
            "isochrone_edge_xdp_left_out{part=\"templates\"} %" PRIu64 "\n"
            "isochrone_edge_xdp_left_out{part=\"services\"} %d\n"
            "isochrone_edge_xdp_left_out{part=\"listeners\"} %" PRIu64 "\n",
            view->left_out & XDP_PART_IMAGE ? 1 : 0,
            view->templates_left_out + (view->left_out & XDP_PART_TEMPLATES ? view->static_n : 0),
            view->left_out & XDP_PART_STATES ? 1 : 0, view->listeners_missing);
    fast_head(out, "templates", "gauge", "Answers the kernel has, by class.");
    fprintf(out,
            "isochrone_edge_xdp_templates{class=\"static\"} %" PRIu64 "\n"
            "isochrone_edge_xdp_templates{class=\"geo\"} %" PRIu64 "\n",
            view->static_n, view->geo_n);
}

void fast_status_metrics(struct fast *fast, FILE *out)
{
    struct fast_view *view = fast ? calloc(1, sizeof(*view)) : NULL;

    if (!view) {
        return;
    }
    fast_view(fast, view);
    fast_number(out, "up", "1 if the kernel answers what it can.",
                view->health == FAST_ANSWERING && view->status.beat_left_ns > 0);
    fast_head(out, "attached", "gauge", "1 if the program is on the interface.");
    for (size_t i = 0; i < view->status.link_n; i++) {
        const struct xdp_link_status *link = &view->status.links[i];

        fprintf(out, "isochrone_edge_xdp_attached{interface=\"%s\",state=\"%s\"} %d\n",
                link->interface, fast_link_state_name(link->state), fast_is_attached(link));
    }
    fast_number(out, "beat_left_seconds", "Until the kernel falls silent unless the server lives.",
                (double)view->status.beat_left_ns / (double)CLOCK_NS_PER_S);
    fast_head(out, "publications_total", "counter", "Publications brought to the kernel.");
    fprintf(out, "isochrone_edge_xdp_publications_total %" PRIu64 "\n", view->publication_n);
    fast_number(out, "render_seconds", "How long the last rendering of answers took.",
                fast_ms(view->render_ns) / 1000);
    fast_number(out, "publish_seconds", "How long the last publication took.",
                fast_ms(view->publish_ns) / 1000);
    fast_metrics_tables(view, out);
    fast_metrics_traffic(&view->status.counters, out);
    free(view);
}

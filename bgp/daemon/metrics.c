/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/metrics/page.h"
#include "base/metrics/server.h"
#include "bgp/daemon/age.h"

#define PREFIX "isochrone_bgp"
#define WAIT_NS CLOCK_NS_PER_S

struct metrics {
    struct metrics_server *server;
    const char *version;
    int wake_fd;
    pthread_mutex_t lock;
    pthread_cond_t written;
    /* under the lock */
    uint64_t page_n; /* pages written so far */
    char *page;
    size_t page_len;
    /* the loop's own */
    bool seen;
    enum policy_code codes[CONFIG_VIPS_MAX];
    uint64_t transitions[CONFIG_VIPS_MAX][POLICY_CODES_N];
};

/* ---- the page ---- */

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    metrics_page_head(out, PREFIX, name, type, help);
}

/* name{vip="192.0.2.53/32"} value, for each VIP. */
static void vip_values(const struct announcer *announcer, FILE *out, const char *name,
                       const char *help, double (*value)(const struct announcer *, size_t))
{
    const struct config *config = announcer_config(announcer);
    char text[ADDRESS_TEXT_LEN];

    head(out, name, "gauge", help);
    for (size_t i = 0; i < config->vips_n; i++) {
        fprintf(out, PREFIX "_%s{vip=\"%s\"} %g\n", name,
                prefix_format(&config->routes[i].prefix, text), value(announcer, i));
    }
}

static double vip_wanted(const struct announcer *announcer, size_t vip)
{
    return announcer_want(announcer, vip)->wish == ROUTE_ANNOUNCE;
}

static double vip_acknowledged(const struct announcer *announcer, size_t vip)
{
    return announcer_speaker(announcer)->routes[vip].known == EXABGP_KNOWN_ANNOUNCED;
}

static double vip_current(const struct announcer *announcer, size_t vip)
{
    return announcer_speaker(announcer)->routes[vip].current;
}

static double vip_holders(const struct announcer *announcer, size_t vip)
{
    return announcer_speaker(announcer)->routes[vip].holders_n;
}

static double vip_seen(const struct announcer *announcer, size_t vip)
{
    switch (announcer_speaker(announcer)->routes[vip].seen) {
    case EXABGP_SEEN_YES:
        return 1;
    case EXABGP_SEEN_NO:
        return 0;
    case EXABGP_SEEN_UNKNOWN:
        break;
    }
    return -1;
}

static double vip_degraded(const struct announcer *announcer, size_t vip)
{
    return announcer_vip(announcer, vip)->verdict.degraded;
}

static double vip_stays(const struct announcer *announcer, size_t vip)
{
    return announcer_stays(announcer, vip);
}

static double vip_override(const struct announcer *announcer, size_t vip)
{
    return announcer_vip(announcer, vip)->override.action != OVERRIDE_AUTO;
}

static double vip_damped(const struct announcer *announcer, size_t vip)
{
    return announcer_vip(announcer, vip)->verdict.code == POLICY_DAMPED;
}

static double vip_guard(const struct announcer *announcer, size_t vip)
{
    const struct guard *guard = &announcer_vip(announcer, vip)->verdict.guard;

    return guard->on ? (double)guard->staying_n : -1;
}

static void vips_write(const struct metrics *metrics, const struct announcer *announcer, FILE *out)
{
    static const struct {
        const char *name, *help;
        double (*value)(const struct announcer *, size_t);
    } gauges[] = {
        {"vip_wanted", "1: policy wants it announced.", vip_wanted},
        {"vip_acknowledged", "1: ExaBGP acknowledged an announcement.", vip_acknowledged},
        {"vip_current", "1: announced with the attributes that are wanted now.", vip_current},
        {"vip_holders", "Neighbors whose table in ExaBGP held it when last read.", vip_holders},
        {"vip_seen", "1: routers send it back, 0: they do not, -1: nobody looks.", vip_seen},
        {"vip_degraded", "1: announced, and not all is well.", vip_degraded},
        {"vip_stays", "1: other PoPs may count on it.", vip_stays},
        {"vip_override", "1: an operator's word holds.", vip_override},
        {"vip_damped", "1: waiting until our own flap penalty has faded.", vip_damped},
        {"vip_peers_staying", "Other PoPs that stay; -1 without last_pop.", vip_guard},
    };
    const struct config *config = announcer_config(announcer);
    char text[ADDRESS_TEXT_LEN];

    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        vip_values(announcer, out, gauges[i].name, gauges[i].help, gauges[i].value);
    }
    head(out, "vip_transitions_total", "counter", "Changes of what decides, by the new reason.");
    for (size_t i = 0; metrics && i < config->vips_n; i++) {
        for (int code = 0; code < POLICY_CODES_N; code++) {
            if (metrics->transitions[i][code]) {
                fprintf(out, PREFIX "_vip_transitions_total{vip=\"%s\",code=\"%s\"} %" PRIu64 "\n",
                        prefix_format(&config->routes[i].prefix, text),
                        policy_code_name((enum policy_code)code), metrics->transitions[i][code]);
            }
        }
    }
}

static void vips_timed_write(const struct announcer *announcer, const struct books *books,
                             int64_t now_ns, FILE *out)
{
    const struct config *config = announcer_config(announcer);
    char text[ADDRESS_TEXT_LEN];

    head(out, "vip_penalty", "gauge", "Flap penalty: ours (own), and a guess of the network's.");
    for (size_t i = 0; i < config->vips_n; i++) {
        prefix_format(&config->routes[i].prefix, text);
        fprintf(out,
                PREFIX "_vip_penalty{vip=\"%s\",of=\"own\"} %.1f\n" PREFIX
                       "_vip_penalty{vip=\"%s\",of=\"network\"} %.1f\n",
                text, announcer_penalty(announcer, i, now_ns), text,
                forecast_penalty(books_forecast(books, i), now_ns));
    }
    head(out, "vip_budget_left", "gauge", "SOFT withdrawals that may begin now.");
    for (size_t i = 0; i < config->vips_n; i++) {
        fprintf(out, PREFIX "_vip_budget_left{vip=\"%s\"} %u\n",
                prefix_format(&config->routes[i].prefix, text),
                announcer_budget_left(announcer, i, now_ns));
    }
    head(out, "vip_override_left_seconds", "gauge", "Until an operator's word ends, if it does.");
    for (size_t i = 0; i < config->vips_n; i++) {
        const struct override *override = &announcer_vip(announcer, i)->override;

        if (override->action != OVERRIDE_AUTO && override->expires_ns != OVERRIDE_FOR_EVER) {
            fprintf(out, PREFIX "_vip_override_left_seconds{vip=\"%s\",action=\"%s\"} %.3f\n",
                    prefix_format(&config->routes[i].prefix, text),
                    override_action_name(override->action),
                    age_seconds(override->expires_ns - now_ns));
        }
    }
}

static void check_line(const struct config_check *check, FILE *out, const char *name, double value)
{
    fprintf(out, PREFIX "_%s{check=\"", name);
    metrics_page_label(out, check->name);
    fprintf(out, "\",class=\"%s\"} %.6g\n", check_class_name(check->class), value);
}

static void checks_write(const struct announcer *announcer, int64_t now_ns, FILE *out)
{
    const struct config *config = announcer_config(announcer);

    head(out, "check_state", "gauge", "1 up, 0 down, -1 starting.");
    for (size_t i = 0; i < config->checks_n; i++) {
        const enum health_state state = announcer_check(announcer, i)->health.state;

        check_line(&config->checks[i], out, "check_state",
                   state == HEALTH_UP     ? 1
                   : state == HEALTH_DOWN ? 0
                                          : -1);
    }
    head(out, "check_seconds", "gauge", "How long its last probe took.");
    for (size_t i = 0; i < config->checks_n; i++) {
        check_line(&config->checks[i], out, "check_seconds",
                   age_seconds(announcer_check(announcer, i)->outcome.elapsed_ns));
    }
    head(out, "check_age_seconds", "gauge", "Since its last probe; -1: none yet.");
    for (size_t i = 0; i < config->checks_n; i++) {
        const struct health *health = &announcer_check(announcer, i)->health;

        check_line(&config->checks[i], out, "check_age_seconds",
                   health->observations_n ? age_seconds(now_ns - health->observed_ns) : -1);
    }
    head(out, "check_observations_total", "counter", "Probes.");
    for (size_t i = 0; i < config->checks_n; i++) {
        check_line(&config->checks[i], out, "check_observations_total",
                   (double)announcer_check(announcer, i)->health.observations_n);
    }
    head(out, "check_unknowns", "gauge", "Probes in a row that said nothing about the service.");
    for (size_t i = 0; i < config->checks_n; i++) {
        check_line(&config->checks[i], out, "check_unknowns",
                   announcer_check(announcer, i)->health.unknowns_n);
    }
}

static void one(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
    metrics_page_one(out, PREFIX, name, type, help, value);
}

static void speaker_write(const struct speaker_status *speaker, int64_t now_ns, FILE *out)
{
    const struct exabgp_counters *counters = &speaker->counters;
    char text[ADDRESS_TEXT_LEN];

    head(out, "session_up", "gauge", "1: the BGP session of ExaBGP with this peer is established.");
    for (size_t i = 0; i < speaker->sessions.count; i++) {
        fprintf(out, PREFIX "_session_up{peer=\"%s\"} %d\n",
                address_format(&speaker->sessions.list[i].peer, text),
                speaker->sessions.list[i].session == EXABGP_SESSION_UP);
    }
    one(out, "aligned", "gauge", "1: every reply of ExaBGP can be told apart.", speaker->aligned);
    one(out, "commands_in_flight", "gauge", "Commands that wait for their reply.",
        speaker->in_flight);
    metrics_page_seconds(out, PREFIX, "exabgp_silent_seconds", "Since ExaBGP last said anything.",
                         age_seconds(now_ns - speaker->heard_ns));
    one(out, "commands_total", "counter", "Commands given to ExaBGP.", counters->commands);
    one(out, "acknowledged_total", "counter", "Commands acknowledged.", counters->acknowledged);
    one(out, "refused_total", "counter", "Commands refused.", counters->refused);
    one(out, "timeouts_total", "counter", "Commands without a reply in time.", counters->timeouts);
    one(out, "mismatches_total", "counter", "Acknowledged, and ExaBGP's table said otherwise.",
        counters->mismatches);
    one(out, "lost_total", "counter", "Announced, and routers did not have it.", counters->lost);
    one(out, "repairs_total", "counter", "Everything was sent again.", counters->repairs);
    one(out, "brains_total", "counter", "Processes that decide, started by the holder.",
        speaker->holder.brains);
    one(out, "leases_lost_total", "counter", "Times the holder had to go on alone.",
        speaker->holder.leases_lost);
    one(out, "holder_withdrawals_total", "counter", "VIPs the holder withdrew by itself.",
        speaker->holder.withdrawals);
}

static void books_write(const struct books *books, FILE *out)
{
    struct disk_counters counters;

    books_counters(books, &counters);
    one(out, "journal_lines_total", "counter", "Lines written to the journal.", counters.lines);
    one(out, "journal_lines_lost_total", "counter", "Lines the disk did not take.",
        counters.lines_lost);
    one(out, "state_saves_failed_total", "counter", "State files that could not be written.",
        counters.saves_failed);
    one(out, "starts_recent", "gauge", "Starts within ten minutes, if a state file remembers.",
        books_starts(books));
}

void metrics_write(const struct metrics *metrics, const struct announcer *announcer,
                   const struct books *books, int64_t now_ns, FILE *out)
{
    head(out, "info", "gauge", "Version.");
    fprintf(out, PREFIX "_info{version=\"%s\"} 1\n", metrics ? metrics->version : "");
    vips_write(metrics, announcer, out);
    vips_timed_write(announcer, books, now_ns, out);
    checks_write(announcer, now_ns, out);
    speaker_write(announcer_speaker(announcer), now_ns, out);
    books_write(books, out);
}

/* ---- between the two threads ---- */

/* The server's thread: a page that was written after it was asked for. */
static int page_get(void *context, FILE *out)
{
    struct metrics *metrics = context;
    const int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    const struct timespec end = {end_ns / CLOCK_NS_PER_S, end_ns % CLOCK_NS_PER_S};
    uint64_t before;
    int code = 0;

    pthread_mutex_lock(&metrics->lock);
    before = metrics->page_n;
    (void)!write(metrics->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    while (metrics->page_n == before && code == 0) {
        code = pthread_cond_timedwait(&metrics->written, &metrics->lock, &end);
    }
    if (metrics->page_n != before) {
        fwrite(metrics->page, 1, metrics->page_len, out);
        code = 0;
    }
    pthread_mutex_unlock(&metrics->lock);
    return code ? -EAGAIN : 0;
}

void metrics_run(struct metrics *metrics, const struct announcer *announcer,
                 const struct books *books, int64_t now_ns)
{
    char *page = NULL, *before;
    size_t len = 0;
    uint64_t count;
    FILE *out;

    if (read(metrics->wake_fd, &count, sizeof(count)) < 0 || !(out = open_memstream(&page, &len))) {
        return;
    }
    metrics_write(metrics, announcer, books, now_ns, out);
    if (fclose(out) != 0) {
        free(page);
        return;
    }
    pthread_mutex_lock(&metrics->lock);
    before = metrics->page;
    metrics->page = page;
    metrics->page_len = len;
    metrics->page_n++;
    pthread_mutex_unlock(&metrics->lock);
    pthread_cond_broadcast(&metrics->written);
    free(before);
}

void metrics_look(struct metrics *metrics, const struct announcer *announcer)
{
    if (!metrics) {
        return;
    }
    for (size_t i = 0; i < announcer_config(announcer)->vips_n; i++) {
        const enum policy_code code = announcer_vip(announcer, i)->verdict.code;

        if (metrics->seen && code != metrics->codes[i]) {
            metrics->transitions[i][code]++;
        }
        metrics->codes[i] = code;
    }
    metrics->seen = true;
}

/* ---- life ---- */

int metrics_fd(const struct metrics *metrics)
{
    return metrics->wake_fd;
}

static struct metrics *metrics_new(const char *version)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    pthread_condattr_t attributes;

    if (!metrics) {
        return NULL;
    }
    metrics->version = version;
    metrics->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&metrics->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&metrics->written, &attributes);
    pthread_condattr_destroy(&attributes);
    return metrics;
}

int metrics_open(const struct endpoint *endpoint, const char *version, struct metrics **ret_metrics,
                 struct failure *failure)
{
    struct metrics *metrics = metrics_new(version);
    int listener = -1;
    int code = metrics ? metrics_server_listen(endpoint, &listener, failure)
                       : failure_set(failure, -ENOMEM, "out of memory");

    if (code == 0 && metrics->wake_fd < 0) {
        code = failure_set(failure, -EMFILE, "no descriptor for it");
        fd_close(&listener);
    }
    code =
        code ? code : metrics_server_open(listener, page_get, metrics, &metrics->server, failure);
    code = code ? code : metrics_server_resume(metrics->server, failure);
    if (code < 0) {
        metrics_close(metrics);
        return failure_wrap(failure, code, "metrics");
    }
    *ret_metrics = metrics;
    return 0;
}

void metrics_close(struct metrics *metrics)
{
    if (metrics) {
        metrics_server_close(metrics->server);
        fd_close(&metrics->wake_fd);
        pthread_cond_destroy(&metrics->written);
        pthread_mutex_destroy(&metrics->lock);
        free(metrics->page);
        free(metrics);
    }
}

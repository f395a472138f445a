/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The kernel path of the running server: what is published goes to the programs on the interfaces
 * too, and they answer as long as this process says that its workers live. Userspace is first in
 * every change, so that the kernel is behind by one publication at most; when a publication cannot
 * be brought to the kernel it answers nothing until one can.
 *
 * Control thread, but for fast_view() (any thread), and a thread of its own that says that we live.
 */
#ifndef EDGE_FAST_H
#define EDGE_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"
#include "edge/daemon/publisher.h"
#include "xdp/xdp_publish.h"

struct fast;
struct model_tables; /* xdp/model.h */
struct fast_tapping; /* edge/daemon/fast_tap.h */
struct worker;

enum fast_health {
    FAST_UNAVAILABLE, /* no program: the fault says why */
    FAST_WAITING,     /* nothing published yet */
    FAST_ANSWERING,   /* as far as the links and what fits allow */
    FAST_LIMITED_OFF, /* rate_limit is on, and the kernel knows no accounts */
    FAST_OPERATOR_OFF,
    FAST_FAULTY, /* the last publication could not be brought to the kernel */
    FAST_TAKEN,  /* another process has taken the tables over */
};

/* What people and programs are shown. */
struct fast_view {
    enum fast_health health;
    enum config_xdp_names names;
    bool late;         /* some worker is: no beat */
    unsigned left_out; /* of enum xdp_part */
    uint64_t listeners_missing;
    uint64_t static_n; /* templates of the last publication */
    uint64_t geo_n;
    uint64_t templates_left_out;
    uint64_t publication_n;
    int64_t render_ns; /* of the last one that was rendered */
    int64_t publish_ns;
    char fault[512]; /* "": none */
    struct xdp_status status;
};

/* While privileged and before there are threads: programs and tables are there afterwards, and a
 * helper process that keeps what is needed to attach. Nothing another process uses is changed. Logs
 * why there is no kernel path, if so: that is no failure. -ENOMEM. */
int fast_open(const struct config *config, struct fast **ret_fast, struct failure *failure);

/* The publisher is borrowed. `render`: what is published, now, so that fast_start() brings it to
 * the kernel at once, where another process would be waited for; else fast_catch_up() does both. */
void fast_prepare(struct fast *fast, struct publisher *publisher, bool render);

/* From here on the tables are ours: what is published goes there. The workers run, and do so until
 * fast_close(). */
void fast_start(struct fast *fast, struct worker *const *workers, size_t worker_n);

/* What has not been brought to the kernel yet, once everybody is served: rendering takes time. NULL
 * is allowed. */
void fast_catch_up(struct fast *fast);

/* Again, after the process that was to replace us has failed. */
void fast_resume(struct fast *fast);

/* To be watched for input, then fast_run(); -1: never. */
int fast_fd(const struct fast *fast);
void fast_run(struct fast *fast);

/* The operator's switch; until the process ends. */
void fast_switch(struct fast *fast, bool off);

/* The tables as published, and their policy, borrowed until the next publication; only after one.
 * What the control page says is not filled in. */
void fast_tables(struct fast *fast, struct fast_policy *ret_policy,
                 struct model_tables *ret_tables);

/* A consistent copy. */
void fast_view(struct fast *fast, struct fast_view *ret_view);
const char *fast_health_name(enum fast_health health);

struct fast_tapping *fast_tapping(struct fast *fast);

/* `gone`: nobody answers after us, so that the programs are detached unless configured otherwise;
 * else whoever has replaced us goes on with them, if it has taken them over. NULL is allowed. */
void fast_close(struct fast *fast, bool gone);

#endif

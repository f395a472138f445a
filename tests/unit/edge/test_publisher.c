/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fd.h"
#include "edge/daemon/publisher.h"

static char folder[] = "/tmp/isochrone-publisher-XXXXXX";

static const struct {
    const char *name, *text;
} files[] = {
    {"edge.yaml", "listen: [\"127.0.0.1@5300\"]\n"
                  "zones: [{origin: example.com., file: zone}]\n"
                  "states: [feed.yaml]\n"},
    {"zone", "@ 60 IN SOA ns1 host 1 2 3 4 5\n@ 60 IN NS ns1\nns1 60 IN A 192.0.2.1\n"},
    {"feed.yaml", "pops: {}\n"},
};

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void setup(void)
{
    struct failure failure;

    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        cr_assert_eq(fd_replace_file(path_of(files[i].name), files[i].text, strlen(files[i].text),
                                     0600, &failure),
                     0);
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        unlink(path_of(files[i].name));
    }
    rmdir(folder);
}

static void *reload(void *argument)
{
    struct report report = {0};

    publisher_reload(argument, &report);
    report_done(&report);
    return NULL;
}

/* The metrics name the feeds' files with the lock held: a reload must not take them away. */
Test(publisher, what_is_read_under_the_lock_stays, .init = setup, .fini = teardown)
{
    static const struct timespec while_it_loads = {0, 200000000};
    struct failure failure = {{0}};
    struct report report = {0};
    struct config *config = NULL;
    struct publisher *publisher = NULL;
    pthread_t thread;

    cr_assert_eq(config_load(path_of("edge.yaml"), &config, &failure), 0, "%s", failure.text);
    cr_assert_eq(publisher_open(config, PUBLISHER_SERVE, &publisher, &report), 0);
    cr_assert_eq(publisher->feed_n, 1);

    pthread_mutex_lock(&publisher->lock);
    cr_assert_eq(pthread_create(&thread, NULL, reload, publisher), 0);
    nanosleep(&while_it_loads, NULL);
    cr_expect_eq(publisher->feed_n, 1);
    cr_expect_not_null(publisher->feeds[0].path);
    pthread_mutex_unlock(&publisher->lock);

    pthread_join(thread, NULL);
    cr_expect_str_eq(publisher->feeds[0].path, path_of("feed.yaml"));
    publisher_free(publisher);
    report_done(&report);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The conversation with ExaBGP, against the model in fake_exabgp.c: by scripts, then by properties
 * over random faults.
 */
#include "bgp/speak/exabgp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fake_exabgp.h"

#define MS CLOCK_NS_PER_MS
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define CONFIGURATION "neighbor 10.99.0.2 {\n  api {\n    processes [ isochrone ];\n  }\n}\n"
#define HEADER "Peer            AS        up/down state       |     #sent     #recvd\n"

struct talk {
    struct exabgp *exabgp;
    struct route routes[2];
    struct fake_exabgp fake;
    int64_t now_ns;
    unsigned events[EXABGP_EVENT_SHUTDOWN + 1];
    struct exabgp_event last[EXABGP_EVENT_SHUTDOWN + 1];
    /* the command that was sent last */
    char line[ROUTE_COMMAND_LEN];
    int64_t sent_ns;
    bool answered;
    char heard[8192]; /* what came of the line under way */
    size_t heard_len;
};

static void on_event(void *context, const struct exabgp_event *event)
{
    struct talk *talk = context;

    talk->events[event->kind]++;
    talk->last[event->kind] = *event;
}

static void talk_restart(struct talk *talk)
{
    exabgp_free(talk->exabgp);
    talk->exabgp = exabgp_new(talk->routes, COUNT(talk->routes), on_event, talk, talk->now_ns);
    cr_assert(talk->exabgp);
    talk->line[0] = '\0';
}

static void talk_open(struct talk *talk, uint64_t seed)
{
    memset(talk, 0, sizeof(*talk));
    fake_init(&talk->fake, seed);
    talk->now_ns = 1000 * MS;
    for (size_t i = 0; i < COUNT(talk->routes); i++) {
        prefix_parse(talk->fake.prefixes[i], true, &talk->routes[i].prefix);
        talk->routes[i].attributes.next_hop_self = true;
    }
    talk_restart(talk);
}

static void talk_close(struct talk *talk)
{
    exabgp_free(talk->exabgp);
}

static void want(struct talk *talk, size_t route, enum route_wish wish)
{
    exabgp_want(talk->exabgp, route, wish, &talk->routes[route].attributes);
}

static void say(struct talk *talk, const char *text)
{
    exabgp_receive(talk->exabgp, text, strlen(text), talk->now_ns);
}

/* The next command must be this one ("" for none). */
#define EXPECT_COMMAND(talk, text)                                                                 \
    do {                                                                                           \
        char line_[ROUTE_COMMAND_LEN];                                                             \
        const size_t len_ = exabgp_command((talk)->exabgp, (talk)->now_ns, line_);                 \
        line_[len_] = '\0';                                                                        \
        cr_assert_str_eq(line_, text);                                                             \
    } while (0)

/* What the sessions are like is asked once whenever it may have changed. */
static void look(struct talk *talk)
{
    EXPECT_COMMAND(talk, "show neighbor configuration\n");
    say(talk, CONFIGURATION "done\n");
}

static void align(struct talk *talk)
{
    EXPECT_COMMAND(talk, "show neighbor summary\n");
    say(talk,
        HEADER "10.99.0.2       65000     0:00:05 established           1          0\ndone\n");
    EXPECT_COMMAND(talk, "show adj-rib out extensive\n");
    say(talk, "done\n");
    look(talk);
    EXPECT_COMMAND(talk, "");
}

Test(exabgp, an_empty_table_and_nothing_wished)
{
    struct talk talk;

    talk_open(&talk, 1);
    cr_assert_not(exabgp_aligned(talk.exabgp));
    align(&talk);
    cr_assert(exabgp_aligned(talk.exabgp));
    cr_assert_eq(talk.events[EXABGP_EVENT_SYNCED], 1);
    cr_assert_eq(talk.events[EXABGP_EVENT_SESSION], 1);
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_WITHDRAWN);
    /* withdrawing what is not there needs no command */
    want(&talk, 0, ROUTE_WITHDRAW);
    EXPECT_COMMAND(&talk, "");
    talk_close(&talk);
}

Test(exabgp, announce_then_read_back)
{
    struct talk talk;

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 0, ROUTE_ANNOUNCE);
    want(&talk, 1, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    EXPECT_COMMAND(&talk, ""); /* one in flight */
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_WITHDRAWN);
    say(&talk, "do");
    EXPECT_COMMAND(&talk, "");
    say(&talk, "ne\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_ANNOUNCED);
    EXPECT_COMMAND(&talk, "announce route 2001:db8::53/128 next-hop self\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\n"
               "neighbor fd99::2 ipv6 unicast 2001:db8::53/128 next-hop self\n"
               "neighbor fd99::3 ipv6 unicast 2001:db8::53/128 next-hop self\ndone\n");
    EXPECT_COMMAND(&talk, "");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 1).holders_n, 2);
    cr_assert_eq(talk.events[EXABGP_EVENT_MISMATCH], 0);
    /* it is asked whether it is there, and a minute later for its table once more */
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(exabgp_deadline_ns(talk.exabgp, talk.now_ns), talk.now_ns + 10000 * MS);
        talk.now_ns += 10000 * MS;
        EXPECT_COMMAND(&talk, i < 5 ? "version\n" : "show adj-rib out extensive\n");
        say(&talk, i < 5 ? "exabgp 4.2.21\ndone\n" : "");
    }
    cr_assert_eq(talk.events[EXABGP_EVENT_VERSION], 1);
    talk_close(&talk);
}

Test(exabgp, done_without_effect_is_told_once_and_tried_more_and_more_slowly)
{
    struct talk talk;
    int64_t wait_ns = 1000 * MS;

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 1, ROUTE_ANNOUNCE);
    for (int i = 0; i < 4; i++) {
        EXPECT_COMMAND(&talk, "announce route 2001:db8::53/128 next-hop self\n");
        say(&talk, "done\n");
        EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
        say(&talk, "done\n");
        EXPECT_COMMAND(&talk, "");
        cr_assert_eq(exabgp_deadline_ns(talk.exabgp, talk.now_ns), talk.now_ns + wait_ns);
        talk.now_ns += wait_ns;
        wait_ns *= 2;
    }
    cr_assert_eq(talk.events[EXABGP_EVENT_MISMATCH], 1);
    talk_close(&talk);
}

Test(exabgp, other_attributes_are_announced_and_read_back)
{
    struct talk talk;

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    /* only the latest of what comes while a command is in flight */
    talk.routes[0].attributes.has_med = true;
    talk.routes[0].attributes.med = 500;
    want(&talk, 0, ROUTE_ANNOUNCE);
    talk.routes[0].attributes.med = 1000;
    talk.routes[0].attributes.communities_n = 2;
    talk.routes[0].attributes.communities[0] = (struct route_community){65535, 0};
    talk.routes[0].attributes.communities[1] = (struct route_community){65001, 53};
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "");
    say(&talk, "done\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_ANNOUNCED);
    cr_assert_not(exabgp_route_status(talk.exabgp, 0).current);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self med 1000 community [ "
                          "65535:0 65001:53 ]\n");
    say(&talk, "done\n");
    cr_assert(exabgp_route_status(talk.exabgp, 0).current);
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    /* as 4.2.21 prints it: communities in its own order */
    say(&talk, "neighbor 10.99.0.2 local-ip 10.99.0.1 local-as 65001 peer-as 65000 router-id "
               "10.99.0.1 family-allowed in-open ipv4 unicast 192.0.2.53/32 next-hop self med 1000 "
               "community [ 65001:53 65535:0 ]\ndone\n");
    EXPECT_COMMAND(&talk, "");
    cr_assert_eq(talk.events[EXABGP_EVENT_DIFFERENT], 0);
    /* and back */
    talk.routes[0].attributes = (struct route_attributes){.next_hop_self = true};
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

Test(exabgp, held_with_other_attributes_is_told_and_announced_again)
{
    static const char *const others[] = {"next-hop 10.0.0.1", "next-hop self med 5",
                                         "next-hop self community [ 65001:x ]"};

    for (size_t i = 0; i < COUNT(others); i++) {
        struct talk talk;
        char text[256];

        talk_open(&talk, 1);
        align(&talk);
        want(&talk, 0, ROUTE_ANNOUNCE);
        EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
        say(&talk, "done\n");
        EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
        snprintf(text, sizeof(text),
                 "neighbor 10.99.0.3 ipv4 unicast 192.0.2.53/32 next-hop self\n"
                 "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 %s\ndone\n",
                 others[i]);
        say(&talk, text);
        EXPECT_COMMAND(&talk, "");
        cr_assert_eq(talk.events[EXABGP_EVENT_DIFFERENT], 1);
        cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_FOUND);
        talk.now_ns += 1000 * MS;
        EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
        talk_close(&talk);
    }
}

Test(exabgp, a_refusal_is_told_and_tried_again)
{
    struct talk talk;

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    say(&talk, "error\n");
    cr_assert_eq(talk.events[EXABGP_EVENT_REFUSED], 1);
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "");
    talk.now_ns += 1000 * MS;
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

Test(exabgp, a_lost_reply_leads_to_realignment_before_the_next_announcement)
{
    struct talk talk;

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk.now_ns += 999 * MS;
    EXPECT_COMMAND(&talk, "");
    talk.now_ns += 1 * MS;
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    cr_assert_eq(talk.events[EXABGP_EVENT_TIMEOUT], 1);
    /* the late reply is not taken for the marker's */
    say(&talk, "done\n");
    cr_assert_not(exabgp_aligned(talk.exabgp));
    EXPECT_COMMAND(&talk, "");
    say(&talk, HEADER "done\n");
    cr_assert(exabgp_aligned(talk.exabgp));
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\ndone\n");
    /* it is there, but who says with our attributes? */
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

Test(exabgp, a_withdrawal_does_not_wait_for_alignment)
{
    struct talk talk;

    talk_open(&talk, 1);
    want(&talk, 0, ROUTE_WITHDRAW);
    EXPECT_COMMAND(&talk, "withdraw route 192.0.2.53/32\n");
    /* a reply of a process before us proves nothing */
    say(&talk, "done\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_NOTHING);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk, "done\n" HEADER "done\n");
    EXPECT_COMMAND(&talk, "withdraw route 192.0.2.53/32\n");
    say(&talk, "done\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_WITHDRAWN);
    talk_close(&talk);
}

Test(exabgp, a_withdrawal_waits_200_ms_for_a_question_and_no_longer)
{
    struct talk talk;

    talk_open(&talk, 1);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk, HEADER "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\n");
    talk.now_ns += 100 * MS;
    want(&talk, 0, ROUTE_WITHDRAW);
    EXPECT_COMMAND(&talk, "");
    cr_assert_eq(exabgp_deadline_ns(talk.exabgp, talk.now_ns), talk.now_ns + 100 * MS);
    talk.now_ns += 100 * MS;
    EXPECT_COMMAND(&talk, "withdraw route 192.0.2.53/32\n");
    talk_close(&talk);
}

Test(exabgp, a_long_table_is_no_timeout)
{
    struct talk talk;

    talk_open(&talk, 1);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk, HEADER "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    for (int i = 0; i < 5; i++) {
        talk.now_ns += 900 * MS;
        say(&talk, "neighbor 10.99.0.2 ipv4 unicast 198.51.100.0/24 next-hop self\n");
        EXPECT_COMMAND(&talk, "");
    }
    say(&talk, "done\n");
    cr_assert_eq(talk.events[EXABGP_EVENT_TIMEOUT], 0);
    cr_assert_eq(talk.last[EXABGP_EVENT_SYNCED].count, 5);
    talk_close(&talk);
}

Test(exabgp, found_routes_are_held_then_announced_anew_and_flushed)
{
    struct talk talk;

    talk_open(&talk, 1);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk,
        HEADER "10.99.0.2       65000     0:00:05 established           1          0\ndone\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\ndone\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_FOUND);
    cr_assert_eq(exabgp_route_status(talk.exabgp, 1).known, EXABGP_KNOWN_WITHDRAWN);
    look(&talk);
    EXPECT_COMMAND(&talk, "flush adj-rib out\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "");
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

Test(exabgp, an_exabgp_that_does_not_answer_is_found_out_when_nothing_else_is_to_be_said)
{
    struct talk talk;

    talk_open(&talk, 1);
    align(&talk);
    talk.now_ns += 10000 * MS;
    EXPECT_COMMAND(&talk, "version\n");
    talk.now_ns += 1000 * MS;
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    cr_assert_eq(talk.events[EXABGP_EVENT_TIMEOUT], 1);
    cr_assert_not(exabgp_aligned(talk.exabgp));
    talk_close(&talk);
}

static const char graceful[] =
    "neighbor 10.99.0.2 {\n  capability {\n    graceful-restart 20;\n  }\n  api {\n    processes [ "
    "isochrone ];\n  }\n}\ndone\n";

Test(exabgp, nothing_is_announced_with_graceful_restart)
{
    struct talk talk;

    talk_open(&talk, 1);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk, HEADER "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor fd99::2 ipv6 unicast 2001:db8::53/128 next-hop self\ndone\n");
    EXPECT_COMMAND(&talk, "show neighbor configuration\n");
    say(&talk, graceful);
    cr_assert_eq(talk.events[EXABGP_EVENT_GRACEFUL], 1);
    cr_assert_eq(talk.last[EXABGP_EVENT_GRACEFUL].count, 0);
    EXPECT_COMMAND(&talk, "");
    cr_assert_gt(exabgp_deadline_ns(talk.exabgp, talk.now_ns), talk.now_ns);
    /* withdrawing is another thing */
    want(&talk, 1, ROUTE_WITHDRAW);
    EXPECT_COMMAND(&talk, "withdraw route 2001:db8::53/128\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "done\n");
    /* it is looked at again with each table, and announced when it is gone */
    EXPECT_COMMAND(&talk, "show neighbor configuration\n");
    say(&talk, graceful);
    cr_assert_eq(talk.events[EXABGP_EVENT_GRACEFUL], 1, "told once");
    for (int i = 0; i < 6; i++) {
        talk.now_ns += 10000 * MS;
        EXPECT_COMMAND(&talk, i < 5 ? "version\n" : "show adj-rib out extensive\n");
        say(&talk, "done\n");
    }
    look(&talk);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

Test(exabgp, graceful_restart_may_be_allowed)
{
    static const struct exabgp_options options = {.graceful_restart = true};
    struct talk talk;

    talk_open(&talk, 1);
    exabgp_configure(talk.exabgp, &options);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk, HEADER "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "show neighbor configuration\n");
    say(&talk, graceful);
    cr_assert_eq(talk.last[EXABGP_EVENT_GRACEFUL].count, 1);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

/* A talk that has announced route 0 on one session, which closes the loop. */
static void loop_open(struct talk *talk, bool has_instance)
{
    struct exabgp_options options = {.loop_peers_n = 1,
                                     .loop_wait_ns = 5000 * MS,
                                     .loop_interval_ns = 2000 * MS,
                                     .has_instance = has_instance,
                                     .instance = {65001, 1, 7}};

    talk_open(talk, 1);
    address_parse("10.99.0.2", &options.loop_peers[0]);
    exabgp_configure(talk->exabgp, &options);
    EXPECT_COMMAND(talk, "show neighbor summary\n");
    say(talk,
        HEADER "10.99.0.2       65000     0:00:05 established           1          0\ndone\n");
    EXPECT_COMMAND(talk, "show adj-rib out extensive\n");
    say(talk, "done\n");
    look(talk);
    EXPECT_COMMAND(talk, "show adj-rib in extensive\n");
    say(talk, "done\n");
    want(talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(talk, "announce route 192.0.2.53/32 next-hop self\n");
    say(talk, "done\n");
    EXPECT_COMMAND(talk, "show adj-rib out extensive\n");
    say(talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\ndone\n");
    EXPECT_COMMAND(talk, "");
    talk->now_ns += 2000 * MS;
}

/* The next look at the loop, and what it shows. */
static void loop_look(struct talk *talk, const char *shown)
{
    EXPECT_COMMAND(talk, "show adj-rib in extensive\n");
    say(talk, shown);
    say(talk, "done\n");
}

#define BACK "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop 10.99.0.1"

Test(exabgp, a_route_that_does_not_come_back_is_sent_again_ever_more_rarely)
{
    int64_t wait_ns = 10000 * MS, last_ns = 0;
    struct talk talk;

    loop_open(&talk, false);
    loop_look(&talk, ""); /* on its way */
    EXPECT_COMMAND(&talk, "");
    cr_assert_eq(talk.events[EXABGP_EVENT_LOST], 0);
    talk.now_ns += 4000 * MS;
    /* until the table is due in between */
    for (int repairs = 0; talk.now_ns < 50000 * MS; talk.now_ns += 2000 * MS) {
        char line[ROUTE_COMMAND_LEN];

        loop_look(&talk, "neighbor 10.99.0.9 ipv4 unicast 192.0.2.53/32 next-hop 10.99.0.1\n"
                         "neighbor 10.99.0.2 ipv4 unicast 192.0.2.99/32 next-hop 10.99.0.1\n");
        cr_assert_eq(exabgp_route_status(talk.exabgp, 0).seen, EXABGP_SEEN_NO);
        if (exabgp_command(talk.exabgp, talk.now_ns, line) > 0) {
            cr_assert(strncmp(line, "flush", 5) == 0);
            cr_assert_geq(talk.now_ns - last_ns, repairs ? wait_ns : 0);
            wait_ns *= repairs ? 2 : 1;
            last_ns = talk.now_ns;
            repairs++;
            say(&talk, "done\n");
        }
    }
    cr_assert_geq(exabgp_counters(talk.exabgp)->repairs, 3);
    cr_assert_eq(talk.events[EXABGP_EVENT_LOST], 1, "told once");
    loop_look(&talk, BACK "\n");
    cr_assert_eq(talk.events[EXABGP_EVENT_SEEN], 1);
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).seen, EXABGP_SEEN_YES);
    talk_close(&talk);
}

Test(exabgp, with_an_instance_only_our_own_routes_count)
{
    struct talk talk;

    loop_open(&talk, true);
    talk.now_ns += 4000 * MS;
    loop_look(&talk, BACK " large-community 65001:1:8\n" BACK "\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).seen, EXABGP_SEEN_NO);
    EXPECT_COMMAND(&talk, "flush adj-rib out\n");
    say(&talk, "done\n");
    talk.now_ns += 2000 * MS;
    loop_look(&talk, BACK " large-community [ 65001:1:7 65001:9:9 ]\n");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).seen, EXABGP_SEEN_YES);
    /* withdrawn, and yet it comes back with our mark */
    want(&talk, 0, ROUTE_WITHDRAW);
    EXPECT_COMMAND(&talk, "withdraw route 192.0.2.53/32\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "done\n");
    talk.now_ns += 6000 * MS;
    loop_look(&talk, BACK " large-community 65001:1:8\n");
    EXPECT_COMMAND(&talk, "");
    talk.now_ns += 2000 * MS;
    loop_look(&talk, BACK " large-community 65001:1:7\n");
    cr_assert_eq(talk.events[EXABGP_EVENT_LINGERS], 1);
    EXPECT_COMMAND(&talk, "withdraw route 192.0.2.53/32\n");
    talk_close(&talk);
}

Test(exabgp, routes_may_change)
{
    struct talk talk;
    struct route routes[2];

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    /* the other one comes first now, the one in flight goes, a new one comes */
    routes[0] = talk.routes[1];
    routes[1] = talk.routes[1];
    prefix_parse("203.0.113.53/32", true, &routes[1].prefix);
    cr_assert_eq(exabgp_routes(talk.exabgp, routes, 2, talk.now_ns), 0);
    cr_assert_not(exabgp_route_status(talk.exabgp, 1).read);
    say(&talk, "done\n"); /* is about the one that goes */
    cr_assert_eq(exabgp_route_status(talk.exabgp, 0).known, EXABGP_KNOWN_WITHDRAWN);
    cr_assert_eq(exabgp_route_status(talk.exabgp, 1).known, EXABGP_KNOWN_NOTHING);
    EXPECT_COMMAND(&talk, "withdraw route 192.0.2.53/32\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "");
    cr_assert_eq(exabgp_route_status(talk.exabgp, 1).known, EXABGP_KNOWN_WITHDRAWN);
    /* once it is out it is not ours any more, whoever announces it */
    talk.now_ns += 60000 * MS;
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\ndone\n");
    EXPECT_COMMAND(&talk, "");
    cr_assert_eq(talk.events[EXABGP_EVENT_MISMATCH], 0);
    talk_close(&talk);
}

Test(exabgp, sessions)
{
    static const char event[] =
        "{ \"type\": \"state\", \"neighbor\": { \"address\": { \"peer\": \"10.99.0.2\" }, "
        "\"state\": \"%s\", \"reason\": \"because\" } }\n";
    static const char *const states[] = {"connected", "down", "connected", "up", "down"};
    struct talk talk;

    talk_open(&talk, 1);
    for (size_t i = 0; i < COUNT(states); i++) {
        char text[256];

        snprintf(text, sizeof(text), event, states[i]);
        say(&talk, text);
    }
    /* of five changes, two matter */
    cr_assert_eq(talk.events[EXABGP_EVENT_SESSION], 2);
    cr_assert_eq(exabgp_sessions_up(exabgp_sessions(talk.exabgp)), 0);
    align(&talk);
    cr_assert_eq(exabgp_sessions_up(exabgp_sessions(talk.exabgp)), 1);
    talk_close(&talk);
}

Test(exabgp, a_neighbor_that_appears_later_is_told_too)
{
    static const char event[] =
        "{ \"type\": \"state\", \"neighbor\": { \"address\": { \"peer\": \"10.99.0.%d\" }, "
        "\"state\": \"%s\" } }\n";
    struct talk talk;
    char text[256];

    talk_open(&talk, 1);
    align(&talk);
    want(&talk, 0, ROUTE_ANNOUNCE);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    say(&talk, "done\n");
    EXPECT_COMMAND(&talk, "show adj-rib out extensive\n");
    say(&talk, "neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self\ndone\n");
    EXPECT_COMMAND(&talk, "");
    /* one we know flaps: ExaBGP repeats its table by itself */
    snprintf(text, sizeof(text), event, 2, "down");
    say(&talk, text);
    snprintf(text, sizeof(text), event, 2, "up");
    say(&talk, text);
    look(&talk);
    EXPECT_COMMAND(&talk, "");
    snprintf(text, sizeof(text), event, 3, "connected");
    say(&talk, text);
    EXPECT_COMMAND(&talk, "");
    snprintf(text, sizeof(text), event, 3, "up");
    say(&talk, text);
    EXPECT_COMMAND(&talk, "announce route 192.0.2.53/32 next-hop self\n");
    talk_close(&talk);
}

Test(exabgp, lines_too_long_are_dropped_whole)
{
    static char junk[3 * EXABGP_LINE_LEN];
    struct talk talk;

    talk_open(&talk, 1);
    memset(junk, 'x', sizeof(junk) - 1);
    EXPECT_COMMAND(&talk, "show neighbor summary\n");
    say(&talk, junk);
    say(&talk, HEADER); /* still the same line */
    say(&talk, HEADER "done\n");
    cr_assert(exabgp_aligned(talk.exabgp));
    cr_assert_eq(exabgp_counters(talk.exabgp)->bad_lines, 1);
    talk_close(&talk);
}

/* ---- properties ---- */

static int64_t allowed_after_ns(const struct talk *talk, const char *next)
{
    if (talk->line[0] == '\0' || talk->answered) {
        return 0;
    }
    if (strncmp(talk->line, "withdraw", 8) == 0) {
        return 50 * MS;
    }
    if (strncmp(talk->line, "announce", 8) != 0 && strncmp(next, "withdraw", 8) == 0) {
        return 200 * MS;
    }
    return 1000 * MS;
}

static void listen_for_replies(struct talk *talk, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '\n') {
            cr_assert_lt(talk->heard_len, sizeof(talk->heard) - 1);
            talk->heard[talk->heard_len++] = bytes[i];
            continue;
        }
        talk->heard[talk->heard_len] = '\0';
        talk->heard_len = 0;
        talk->answered =
            talk->answered || strcmp(talk->heard, "done") == 0 || strcmp(talk->heard, "error") == 0;
    }
}

static void step(struct talk *talk)
{
    char line[ROUTE_COMMAND_LEN], bytes[512];
    size_t len;

    while ((len = exabgp_command(talk->exabgp, talk->now_ns, line)) > 0) {
        line[len] = '\0';
        /* nothing is sent before what went before was answered or given up */
        cr_assert_geq(talk->now_ns - talk->sent_ns, allowed_after_ns(talk, line),
                      "%safter %sin %lld ms", line, talk->line,
                      (long long)((talk->now_ns - talk->sent_ns) / MS));
        memcpy(talk->line, line, len + 1);
        talk->sent_ns = talk->now_ns;
        talk->answered = false;
        fake_write(&talk->fake, line, len);
    }
    fake_step(&talk->fake, talk->now_ns);
    while ((len = fake_read(&talk->fake, bytes, 1 + fake_random(&talk->fake, sizeof(bytes) - 1))) >
           0) {
        listen_for_replies(talk, bytes, len);
        exabgp_receive(talk->exabgp, bytes, len, talk->now_ns);
    }
    talk->now_ns += (1 + (int64_t)fake_random(&talk->fake, 200)) * MS;
}

static const struct fake_faults kinds[] = {
    {.lose_reply = 300},
    {.lose_command = 300},
    {.lose_reply = 150, .lose_command = 150},
    {.refuse = 400},
    {.chatter = 700, .lose_reply = 100},
    {.flap = 30, .lose_reply = 100},
    {.freeze = 10},
    {.freeze = 10, .lose_reply = 100, .flap = 10},
    {.max_delay_ms = 1500},
    {.max_delay_ms = 3000, .lose_reply = 100, .chatter = 200},
    {.max_delay_ms = 2500,
     .lose_reply = 200,
     .lose_command = 50,
     .refuse = 100,
     .chatter = 300,
     .flap = 20,
     .freeze = 5},
};

/* Any interleaving of faults, wishes, attributes and restarts; once the faults end, the peer has
 * what is wished. */
Test(exabgp, reaches_the_wish_after_any_faults, .timeout = 300)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct talk talk;

        talk_open(&talk, seed);
        talk.fake.held[0] = talk.fake.sent[0] = fake_random(&talk.fake, 2);
        talk.fake.faults = kinds[seed % COUNT(kinds)];
        for (int i = 0; i < 400; i++) {
            if (fake_random(&talk.fake, 5) == 0) {
                const size_t route = fake_random(&talk.fake, 2);

                talk.routes[route].attributes.has_med = fake_random(&talk.fake, 3) > 0;
                talk.routes[route].attributes.med = (uint32_t)fake_random(&talk.fake, 2) * 1000;
                want(&talk, route, (enum route_wish)(1 + fake_random(&talk.fake, 2)));
            }
            if (fake_random(&talk.fake, 150) == 0) {
                talk_restart(&talk); /* replies to the old one arrive at the new one */
            }
            step(&talk);
        }
        talk.fake.faults = (struct fake_faults){0};
        talk.fake.frozen_until_ns = 0;
        for (size_t i = 0; i < COUNT(talk.routes); i++) {
            if (exabgp_route_status(talk.exabgp, i).wish == ROUTE_HOLD) {
                want(&talk, i, ROUTE_WITHDRAW);
            }
        }
        for (const int64_t end_ns = talk.now_ns + 150000 * MS; talk.now_ns < end_ns;) {
            step(&talk);
        }
        for (size_t i = 0; i < COUNT(talk.routes); i++) {
            const struct exabgp_route_status status = exabgp_route_status(talk.exabgp, i);

            cr_assert_eq(talk.fake.sent[i], status.wish == ROUTE_ANNOUNCE, "seed %llu, route %zu",
                         (unsigned long long)seed, i);
            cr_assert_eq(status.known, status.wish == ROUTE_ANNOUNCE ? EXABGP_KNOWN_ANNOUNCED
                                                                     : EXABGP_KNOWN_WITHDRAWN);
            if (status.wish == ROUTE_ANNOUNCE) {
                char line[ROUTE_COMMAND_LEN];
                const size_t len = route_announce_command(&talk.routes[i], line);

                line[len - 1] = '\0';
                cr_assert(strstr(line, talk.fake.sent_attributes[i]) &&
                              strlen(talk.fake.sent_attributes[i]) ==
                                  strlen(strstr(line, "next-hop")),
                          "seed %llu: %s, not %s", (unsigned long long)seed,
                          talk.fake.sent_attributes[i], line);
            }
        }
        cr_assert(exabgp_aligned(talk.exabgp), "seed %llu", (unsigned long long)seed);
        cr_assert_eq(talk.fake.bad_commands_n, 0);
        talk_close(&talk);
    }
}

/* The model itself must be able to fail: the same changes written at once go wrong in it. */
Test(exabgp, the_model_has_the_ordering_fault)
{
    static const char batch[] = "announce route 192.0.2.53/32 next-hop self\n"
                                "withdraw route 192.0.2.53/32\n"
                                "announce route 192.0.2.53/32 next-hop self\n";
    struct fake_exabgp fake;

    fake_init(&fake, 1);
    fake_write(&fake, batch, strlen(batch));
    fake_step(&fake, 0);
    cr_assert(fake.held[0]);
    cr_assert_not(fake.sent[0]);
}

Test(exabgp, and_for_attributes)
{
    static const char batch[] = "announce route 192.0.2.53/32 next-hop self med 100\n"
                                "announce route 192.0.2.53/32 next-hop self med 1000\n"
                                "announce route 192.0.2.53/32 next-hop self med 100\n";
    struct fake_exabgp fake;

    fake_init(&fake, 1);
    fake_write(&fake, batch, strlen(batch));
    fake_step(&fake, 0);
    cr_assert_str_eq(fake.sent_attributes[0], "next-hop self med 1000");
}

/* Without acknowledgements nothing is announced, loudly, and withdrawals still go out. */
Test(exabgp, mute)
{
    struct talk talk;

    talk_open(&talk, 3);
    talk.fake.held[0] = talk.fake.sent[0] = true;
    talk.fake.faults.mute = true;
    want(&talk, 0, ROUTE_WITHDRAW);
    want(&talk, 1, ROUTE_ANNOUNCE);
    for (int i = 0; i < 1000; i++) {
        step(&talk);
    }
    cr_assert_eq(talk.events[EXABGP_EVENT_NO_REPLIES], 1);
    cr_assert_not(talk.fake.sent[0]);
    cr_assert_eq(talk.fake.announces_n, 0);
    talk_close(&talk);
}

/* An ExaBGP that never reads must not be written to without bound. */
Test(exabgp, silence_slows_it_down)
{
    struct talk talk;
    char line[ROUTE_COMMAND_LEN];
    unsigned commands_n = 0;

    talk_open(&talk, 3);
    want(&talk, 0, ROUTE_WITHDRAW);
    for (; talk.now_ns < 3600 * CLOCK_NS_PER_S; talk.now_ns += 10 * MS) {
        commands_n += exabgp_command(talk.exabgp, talk.now_ns, line) > 0;
    }
    cr_assert_lt(commands_n, 300); /* an hour; the pipe holds 64 KiB */
    cr_assert_eq(talk.events[EXABGP_EVENT_TIMEOUT], 1);
    talk_close(&talk);
}

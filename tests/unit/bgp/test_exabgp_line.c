/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lines as ExaBGP 4.2.21 prints them, and lines it should never print.
 */
#include "bgp/speak/exabgp_line.h"
#include "bgp/speak/exabgp_neighbors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define STATE(state, more)                                                                         \
    "{ \"exabgp\": \"4.0.1\", \"time\": 1700000000.1, \"host\" : \"pop\", \"pid\" : 7, \"ppid\" "  \
    ": 1, \"counter\": 3, \"type\": \"state\", \"neighbor\": { \"address\": { \"local\": "         \
    "\"10.99.0.1\", \"peer\": \"10.99.0.2\" }, \"asn\": { \"local\": 65001, \"peer\": 65000 } , "  \
    "\"state\": \"" state "\"" more " } }"

#define RIB                                                                                        \
    "neighbor 10.99.0.2 local-ip 10.99.0.1 family-allowed in-open ipv4 unicast 192.0.2.53/32 "

Test(exabgp_neighbors, configuration)
{
    /* as 4.2.21 prints it, shortened */
#define NEIGHBOR(address, table, graceful, api)                                                    \
    "neighbor " address " {\n  description \"graceful-restart 20;\";\n  hold-time 9;\n"            \
    "  adj-rib-out " table ";\n\n  capability {\n    asn4 enable;\n    graceful-restart " graceful \
    ";\n  }\n  family {\n    ipv4 unicast;\n  }\n  api {\n" api "  }\n}\n"
#define OURS "    processes [ hc ];\n    neighbor-changes;\n"
    static const struct {
        const char *text;
        size_t graceful_n, tableless_n;
    } rows[] = {
        {NEIGHBOR("10.99.0.2", "true", "disable", OURS), 0, 0},
        {NEIGHBOR("10.99.0.2", "true", "20", OURS), 1, 0},
        {NEIGHBOR("10.99.0.2", "true", "20", ""), 0, 0},
        {NEIGHBOR("10.99.0.2", "true", "20", "    processes [ ];\n"), 0, 0},
        {NEIGHBOR("10.99.0.2", "false", "disable", OURS), 0, 1},
        {NEIGHBOR("10.99.0.3", "true", "disable", OURS) NEIGHBOR("10.99.0.2", "true", "0", OURS)
             NEIGHBOR("fd99::2", "true", "20", OURS),
         2, 0},
        {"    graceful-restart 20;\n    processes [ hc ];\n}\n", 0, 0},
        {"neighbor nobody {\n    graceful-restart 20;\n    processes [ hc ];\n}\n", 0, 0},
        {"neighbor 10.99.0.2 {\n    graceful-restart 20;\n    processes [ hc ];\n", 0, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exabgp_neighbors neighbors;
        char text[ADDRESS_TEXT_LEN];

        exabgp_neighbors_start(&neighbors);
        for (const char *at = rows[i].text; *at; at += strcspn(at, "\n") + 1) {
            exabgp_neighbors_line(&neighbors, at, strcspn(at, "\n"));
        }
        cr_expect_eq(neighbors.graceful_n, rows[i].graceful_n, "row %zu", i);
        cr_expect_eq(neighbors.tableless_n, rows[i].tableless_n, "row %zu", i);
        cr_expect(neighbors.graceful_n == 0 ||
                  strcmp(address_format(&neighbors.graceful, text), "10.99.0.2") == 0);
    }
}

Test(exabgp_line, attributes)
{
    static const struct {
        const char *text;
        bool read;
        const char *same; /* a command with these attributes */
    } rows[] = {
        {"next-hop self", true, "next-hop self"},
        {"next-hop 10.0.0.1 origin igp local-preference 100", true, "next-hop 10.0.0.1"},
        {"next-hop fd00::1 med 0", true, "next-hop fd00::1 med 0"},
        {"next-hop self as-path [ 65001 65001 ] med 100 community [ 65001:53 65535:0 ] "
         "large-community [ 65001:1:2 65001:3:4294967295 ]",
         true,
         "next-hop self med 100 community [ 65001:53 65535:0 ] large-community [ 65001:1:2 "
         "65001:3:4294967295 ] as-path [ 65001 65001 ]"},
        {"next-hop self as-path [ ] community 65001:53 large-community 65001:1:2", true,
         "next-hop self community [ 65001:53 ] large-community [ 65001:1:2 ]"},
        {"next-hop nobody", false, NULL},
        {"next-hop", false, NULL},
        {"next-hop self med", false, NULL},
        {"next-hop self med 4294967296", false, NULL},
        {"next-hop self community [ 65001:53", false, NULL},
        {"next-hop self community [ 65001 ]", false, NULL},
        {"next-hop self community [ 65001:53:1 ]", false, NULL},
        {"next-hop self community no-export", false, NULL},
        {"next-hop self large-community [ 1:2 ]", false, NULL},
        {"next-hop self as-path [ 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 ]", false, NULL},
        {"next-hop self as-path [ ( 1 2 ) ]", false, NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512], command[ROUTE_COMMAND_LEN];
        struct exabgp_line line;

        snprintf(text, sizeof(text), RIB "%s", rows[i].text);
        exabgp_line_parse(text, strlen(text), &line);
        cr_expect_eq(line.kind, EXABGP_LINE_RIB_ROUTE, "%s", text);
        cr_expect_eq(line.attributes_read, rows[i].read, "%s", text);
        if (rows[i].read) {
            const struct route route = {line.prefix, line.attributes};

            snprintf(text, sizeof(text), "announce route 192.0.2.53/32 %s\n", rows[i].same);
            route_announce_command(&route, command);
            cr_expect_str_eq(command, text);
        }
    }
}

Test(exabgp_line, kinds)
{
    static const struct {
        const char *text;
        enum exabgp_line_kind kind;
    } rows[] = {
        {"done", EXABGP_LINE_DONE},
        {"done\r", EXABGP_LINE_DONE},
        {"error", EXABGP_LINE_ERROR},
        {"done done", EXABGP_LINE_OTHER},
        {"undone", EXABGP_LINE_OTHER},
        {"Done", EXABGP_LINE_OTHER},
        {"", EXABGP_LINE_OTHER},
        {"exabgp 4.2.21", EXABGP_LINE_VERSION},
        {"exabgp", EXABGP_LINE_OTHER},
        {"exabgp is stopping", EXABGP_LINE_OTHER},
        {"shutdown in progress", EXABGP_LINE_OTHER},
        {"Peer            AS        up/down state       |     #sent     #recvd",
         EXABGP_LINE_SUMMARY_HEADER},
        {"10.99.0.2       65000     0:00:05 established           1          0",
         EXABGP_LINE_SUMMARY_PEER},
        {"10.99.0.2       65000        down active                0          0", EXABGP_LINE_OTHER},
        {"neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32 next-hop self", EXABGP_LINE_RIB_ROUTE},
        {"neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/32", EXABGP_LINE_RIB_ROUTE},
        {"neighbor 10.99.0.2 local-ip 10.99.0.1 family-allowed in-open ipv4 unicast 192.0.2.53/32",
         EXABGP_LINE_RIB_ROUTE},
        {"neighbor 10.99.0.2 ipv4 unicast 192.0.2.53", EXABGP_LINE_OTHER},
        {"neighbor 10.99.0.2 ipv4 unicast 192.0.2.53/33", EXABGP_LINE_OTHER},
        {"neighbor 10.99.0.2 ipv4 multicast 192.0.2.53/32", EXABGP_LINE_OTHER},
        {"neighbor nobody ipv4 unicast 192.0.2.53/32", EXABGP_LINE_OTHER},
        {STATE("up", ""), EXABGP_LINE_SESSION},
        {STATE("connected", ""), EXABGP_LINE_SESSION},
        {STATE("down", ", \"reason\": \"peer reset, message (x) error(y)\""), EXABGP_LINE_SESSION},
        {STATE("something", ""), EXABGP_LINE_EVENT},
        {"{ \"exabgp\": \"4.0.1\", \"time\": 1.1, \"host\" : \"pop\", \"pid\" : 7, \"ppid\" : 1, "
         "\"type\": \"notification\", \"notification\": \"shutdown\" }",
         EXABGP_LINE_SHUTDOWN},
        {"{ \"type\": \"keepalive\" }", EXABGP_LINE_EVENT},
        {"{ \"type\": \"state\", \"neighbor\": { \"state\": \"up\" } }", EXABGP_LINE_BAD_EVENT},
        {"{ \"type\": \"state\", \"neighbor\": [ ] }", EXABGP_LINE_BAD_EVENT},
        {"{ \"type\": 3 }", EXABGP_LINE_BAD_EVENT},
        {"{ }", EXABGP_LINE_BAD_EVENT},
        {"{", EXABGP_LINE_BAD_EVENT},
        {"{ \"done\"", EXABGP_LINE_BAD_EVENT},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct exabgp_line line;

        exabgp_line_parse(rows[i].text, strlen(rows[i].text), &line);
        cr_expect_eq(line.kind, rows[i].kind, "%s: %d", rows[i].text, line.kind);
    }
}

Test(exabgp_line, contents)
{
    static const char route[] = "neighbor fd99::2 ipv6 unicast 2001:db8::53/128 next-hop self";
    static const char down[] = STATE("down", ", \"reason\": \"it said \\\"no\\\"\"");
    struct exabgp_line line;
    char text[ADDRESS_TEXT_LEN];

    exabgp_line_parse(route, strlen(route), &line);
    cr_assert_str_eq(address_format(&line.peer, text), "fd99::2");
    cr_assert_str_eq(prefix_format(&line.prefix, text), "2001:db8::53/128");

    exabgp_line_parse(down, strlen(down), &line);
    cr_assert_eq(line.session, EXABGP_SESSION_DOWN);
    cr_assert_str_eq(address_format(&line.peer, text), "10.99.0.2");
    cr_assert_str_eq(line.detail, "it said \"no\"");
}

Test(exabgp_line, bytes_are_not_strings)
{
    struct exabgp_line line;

    exabgp_line_parse("done\0", 5, &line);
    cr_assert_eq(line.kind, EXABGP_LINE_OTHER);
    exabgp_line_parse("doneX", 4, &line);
    cr_assert_eq(line.kind, EXABGP_LINE_DONE);
    exabgp_line_parse("neighbor 10.0.0.1\0x ipv4 unicast 192.0.2.53/32", 47, &line);
    cr_assert_eq(line.kind, EXABGP_LINE_OTHER);
}

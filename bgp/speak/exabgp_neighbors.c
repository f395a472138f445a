/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 *   neighbor 10.99.0.2 {
 *     ...
 *     adj-rib-out true;
 *     capability {
 *       graceful-restart 20;           (or disable)
 *     }
 *     api {
 *       processes [ isochrone ];
 *     }
 *   }
 */
#include "bgp/speak/exabgp_neighbors.h"

#include <stdio.h>
#include <string.h>

#define LINE_LEN 256 /* of interest */

static bool line_is(const char *line, const char *text)
{
    return strcmp(line + strspn(line, " "), text) == 0;
}

static bool line_starts(const char *line, const char *text)
{
    return strncmp(line + strspn(line, " "), text, strlen(text)) == 0;
}

static void neighbor_start(struct exabgp_neighbors *neighbors, const char *line)
{
    char text[ADDRESS_TEXT_LEN];

    neighbors->inside =
        sscanf(line, "neighbor %63s {", text) == 1 && address_parse(text, &neighbors->peer) == 0;
    neighbors->is_graceful = neighbors->is_tableless = neighbors->has_process = false;
}

static void neighbor_finish(struct exabgp_neighbors *neighbors)
{
    neighbors->inside = false;
    if (!neighbors->has_process) {
        return; /* no process can announce to it */
    }
    if (neighbors->is_graceful && neighbors->graceful_n++ == 0) {
        neighbors->graceful = neighbors->peer;
    }
    if (neighbors->is_tableless && neighbors->tableless_n++ == 0) {
        neighbors->tableless = neighbors->peer;
    }
}

void exabgp_neighbors_start(struct exabgp_neighbors *neighbors)
{
    *neighbors = (struct exabgp_neighbors){0};
}

void exabgp_neighbors_line(struct exabgp_neighbors *neighbors, const char *text, size_t len)
{
    char line[LINE_LEN];

    if (len >= sizeof(line) || memchr(text, '\0', len)) {
        return;
    }
    memcpy(line, text, len);
    line[len] = '\0';
    if (strncmp(line, "neighbor ", 9) == 0) {
        neighbor_start(neighbors, line);
    } else if (!neighbors->inside) {
        return;
    } else if (strcmp(line, "}") == 0) {
        neighbor_finish(neighbors);
    } else if (line_starts(line, "graceful-restart ")) {
        neighbors->is_graceful = !line_is(line, "graceful-restart disable;");
    } else if (line_is(line, "adj-rib-out false;")) {
        neighbors->is_tableless = true;
    } else if (line_starts(line, "processes [ ")) {
        neighbors->has_process = !line_is(line, "processes [ ];");
    }
}

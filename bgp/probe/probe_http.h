/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The probes of http checks: one GET over HTTP/1.1, by libcurl, on the one epoll. What would blur
 * the question who answered is off: no name is looked up (the address is the check's server's), no
 * redirect is followed, no proxy is used whatever the environment says, no connection lives on.
 */
#ifndef BGP_PROBE_HTTP_H
#define BGP_PROBE_HTTP_H

#include "bgp/probe/probe.h"

#define PROBE_HTTP_STATUSES_MAX 16
#define PROBE_HTTP_HEADERS_MAX 8
#define PROBE_HTTP_BODY_MAX 65536 /* bytes that are read, and searched */

struct probe_http_header {
    const char *name;
    const char *text; /* what its value holds */
};

/* config_check.settings of this type; an https URL is verified unless `insecure`. */
struct probe_http_settings {
    const char *url;
    size_t statuses_n; /* 0: 200 to 299 */
    uint16_t statuses[PROBE_HTTP_STATUSES_MAX];
    const char *body; /* what it holds, or NULL */
    size_t headers_n;
    struct probe_http_header headers[PROBE_HTTP_HEADERS_MAX];
    const char *ca; /* a file of PEM certificates, or NULL: the system's */
    bool insecure;
};

extern const struct probe_type probe_http;

#endif

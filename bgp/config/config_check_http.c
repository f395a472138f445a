/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of http checks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_http.h"

#define URL_LEN_MAX 1024
#define TEXT_LEN_MAX 1024

static int text_read(const struct yaml_node *node, struct arena *arena, const char **ret_text,
                     struct failure *failure)
{
    const char *text;
    int result = node ? yaml_text(node, &text, failure) : 0;

    if (!node || result < 0) {
        return result;
    }
    if (strlen(text) == 0 || strlen(text) > TEXT_LEN_MAX) {
        return yaml_fail(node, -ERANGE, failure, "a text of 1 to %d bytes", TEXT_LEN_MAX);
    }
    return config_keep_text(arena, text, ret_text, failure);
}

/* The host as an address, if it is one, and the port. */
static int url_server(CURLU *url, struct endpoint *server)
{
    char *host = NULL, *port = NULL;
    int result = -ENOMEM;

    *server = (struct endpoint){0};
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        const size_t len = strlen(host);

        if (host[0] == '[' && host[len - 1] == ']') {
            host[len - 1] = '\0';
            (void)address_parse(host + 1, &server->address);
        } else {
            (void)address_parse(host, &server->address);
        }
        server->port = (uint16_t)strtoul(port, NULL, 10);
        result = 0;
    }
    curl_free(host);
    curl_free(port);
    return result;
}

/* Is it a URL of ours: http or https, a host, and no password that logs would show? */
static bool url_fits(CURLU *url)
{
    char *scheme = NULL, *user = NULL;
    const bool fits = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                      (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                      curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;

    curl_free(scheme);
    curl_free(user);
    return fits;
}

static int url_read(const struct yaml_node *node, struct arena *arena,
                    struct probe_http_settings *settings, struct endpoint *ret_server,
                    struct failure *failure)
{
    const struct yaml_node *item = yaml_get(node, "url");
    CURLU *url = curl_url();
    const char *text;
    int result;

    if (!url) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    if (!item) {
        result = yaml_fail(node, -EINVAL, failure, "an http check needs a url");
    } else if ((result = yaml_text(item, &text, failure)) == 0) {
        if (strlen(text) > URL_LEN_MAX || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
            !url_fits(url)) {
            result =
                yaml_fail(item, -EINVAL, failure, "url is http://HOST/PATH or https://HOST/PATH");
        } else {
            result = url_server(url, ret_server);
            result = result ? failure_set(failure, result, "out of memory")
                            : config_keep_text(arena, text, &settings->url, failure);
        }
    }
    curl_url_cleanup(url);
    return result;
}

/* `server` says who is asked; without it the URL does, if its host is an address: no name is ever
 * looked up for a check. */
static int pin_read(const struct yaml_node *node, const struct endpoint *url,
                    struct config_check *check, struct failure *failure)
{
    if (yaml_get(node, "server")) {
        return config_read_server(node, url->port, check, failure);
    }
    if (url->address.family == ADDRESS_NONE) {
        return yaml_fail(yaml_get(node, "url"), -EINVAL, failure,
                         "names are not looked up: say which server is asked");
    }
    check->server = *url;
    check->family = (enum address_family)url->address.family;
    return 0;
}

static int status_read(const struct yaml_node *node, struct probe_http_settings *settings,
                       struct failure *failure)
{
    uint64_t value = 0;
    const int result = yaml_u64(node, 200, 599, &value, failure);

    settings->statuses[settings->statuses_n++] = (uint16_t)value;
    return result;
}

static int statuses_read(const struct yaml_node *node, struct probe_http_settings *settings,
                         struct failure *failure)
{
    int result = 0;

    if (!node || yaml_kind(node) != YAML_KIND_LIST) {
        return node ? status_read(node, settings, failure) : 0;
    }
    if (yaml_count(node) == 0 || yaml_count(node) > PROBE_HTTP_STATUSES_MAX) {
        return yaml_fail(node, -ERANGE, failure, "1 to %d statuses", PROBE_HTTP_STATUSES_MAX);
    }
    for (size_t i = 0; result == 0 && i < yaml_count(node); i++) {
        result = status_read(yaml_item(node, i), settings, failure);
    }
    return result;
}

static int headers_read(const struct yaml_node *node, struct arena *arena,
                        struct probe_http_settings *settings, struct failure *failure)
{
    int result = 0;

    if (!node) {
        return 0;
    }
    if (yaml_kind(node) != YAML_KIND_MAP || yaml_count(node) > PROBE_HTTP_HEADERS_MAX) {
        return yaml_fail(node, -EINVAL, failure, "headers is a map of at most %d names and texts",
                         PROBE_HTTP_HEADERS_MAX);
    }
    for (size_t i = 0; result == 0 && i < yaml_count(node); i++) {
        const struct yaml_node *item = yaml_item(node, i);
        struct probe_http_header *header = &settings->headers[i];

        result = config_keep_text(arena, yaml_key(item), &header->name, failure);
        result = result ? result : text_read(item, arena, &header->text, failure);
        settings->headers_n = i + 1;
    }
    return result;
}

/* {status: N | [N, ...], body: TEXT, headers: {NAME: TEXT}} */
static int expect_read(const struct yaml_node *node, struct arena *arena,
                       struct probe_http_settings *settings, struct failure *failure)
{
    static const char *const expect_keys[] = {"status", "body", "headers", NULL};
    int result = node ? yaml_check_keys(node, expect_keys, failure) : 0;

    result = result ? result : statuses_read(yaml_get(node, "status"), settings, failure);
    result = result ? result : text_read(yaml_get(node, "body"), arena, &settings->body, failure);
    return result ? result : headers_read(yaml_get(node, "headers"), arena, settings, failure);
}

static int verification_read(const struct yaml_node *node, struct arena *arena,
                             struct probe_http_settings *settings, struct failure *failure)
{
    const struct yaml_node *ca = yaml_get(node, "ca"), *insecure = yaml_get(node, "insecure");
    char *path = NULL;
    int result = insecure ? yaml_bool(insecure, &settings->insecure, failure) : 0;

    if (result == 0 && ca && settings->insecure) {
        return yaml_fail(ca, -EINVAL, failure, "ca verifies nothing with insecure");
    }
    if (result == 0 && ca) {
        result = yaml_path(ca, &path, failure);
        result = result ? result : config_keep_text(arena, path, &settings->ca, failure);
        free(path);
    }
    return result;
}

static int http_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                     struct failure *failure)
{
    struct probe_http_settings *settings = arena_alloc(arena, sizeof(*settings));
    struct endpoint url;
    char server[ADDRESS_TEXT_LEN];
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    result = url_read(node, arena, settings, &url, failure);
    result = result ? result : pin_read(node, &url, check, failure);
    result = result ? result : expect_read(yaml_get(node, "expect"), arena, settings, failure);
    result = result ? result : verification_read(node, arena, settings, failure);
    return result ? result
                  : config_set_subject(arena, check, failure, "%s at %s", settings->url,
                                       endpoint_format(&check->server, server));
}

static const char *const keys[] = {"url", "server", "expect", "ca", "insecure", NULL};

const struct config_check_type config_check_http = {
    .probe = &probe_http, .keys = keys, .read = http_read};

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of tcp checks.
 */
#include <errno.h>
#include <string.h>

#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_tcp.h"

#define SEND_LEN_MAX 4096

/* A text of 1 to so many bytes; NULL and 0 if there is no node. */
static int bytes_read(const struct yaml_node *node, size_t max_len, struct arena *arena,
                      const char **ret_bytes, size_t *ret_len, struct failure *failure)
{
    const char *text;
    int result;

    if (!node) {
        return 0;
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && (strlen(text) == 0 || strlen(text) > max_len)) {
        return yaml_fail(node, -ERANGE, failure, "a text of 1 to %zu bytes", max_len);
    }
    result = result ? result : config_keep_text(arena, text, ret_bytes, failure);
    *ret_len = result ? 0 : strlen(*ret_bytes);
    return result;
}

static int tcp_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                    struct failure *failure)
{
    struct probe_tcp_settings *settings = arena_alloc(arena, sizeof(*settings));
    char server[ADDRESS_TEXT_LEN];
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    result = config_read_server(node, 0, check, failure);
    if (result == 0 && check->server.port == 0) {
        return yaml_fail(yaml_get(node, "server"), -EINVAL, failure, "a tcp check needs a port");
    }
    result = result ? result
                    : bytes_read(yaml_get(node, "send"), SEND_LEN_MAX, arena, &settings->send,
                                 &settings->send_len, failure);
    result = result ? result
                    : bytes_read(yaml_get(node, "expect"), PROBE_TCP_EXPECT_WITHIN, arena,
                                 &settings->expect, &settings->expect_len, failure);
    return result ? result
                  : config_set_subject(arena, check, failure, "%s over TCP",
                                       endpoint_format(&check->server, server));
}

static const char *const keys[] = {"server", "send", "expect", NULL};

const struct config_check_type config_check_tcp = {
    .probe = &probe_tcp, .keys = keys, .read = tcp_read};

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/decide/override.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* It will stand in log lines and on terminals. */
static void text_keep(const char *text, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "%s", text ? text : "");
    for (char *byte = ret_text; *byte; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == 0x7f) {
            *byte = '?';
        }
    }
}

struct override override_make(enum override_action action, bool force, int64_t for_ns,
                              const char *reason, const char *owner, int64_t now_ns)
{
    struct override override = {
        .action = action,
        .force = force,
        .since_ns = now_ns,
        .expires_ns = for_ns < OVERRIDE_FOR_EVER - now_ns ? now_ns + for_ns : OVERRIDE_FOR_EVER,
    };

    text_keep(reason, override.reason, sizeof(override.reason));
    text_keep(owner, override.owner, sizeof(override.owner));
    return override;
}

bool override_expire(struct override *override, int64_t now_ns)
{
    if (override->action == OVERRIDE_AUTO || now_ns < override->expires_ns) {
        return false;
    }
    *override = (struct override){.action = OVERRIDE_AUTO, .since_ns = now_ns};
    return true;
}

bool override_names(const char *pattern, const struct prefix *vip)
{
    char text[ADDRESS_TEXT_LEN];

    if (strcmp(pattern, "all") == 0 || fnmatch(pattern, prefix_format(vip, text), 0) == 0) {
        return true;
    }
    return fnmatch(pattern, address_format(&vip->address, text), 0) == 0;
}

const char *override_action_name(enum override_action action)
{
    switch (action) {
    case OVERRIDE_AUTO:
        return "auto";
    case OVERRIDE_WITHDRAW:
        return "withdraw";
    case OVERRIDE_DRAIN:
        return "drain";
    case OVERRIDE_ANNOUNCE:
        return "announce";
    }
    return "?";
}

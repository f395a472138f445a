/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_play.h"

#include <criterion/criterion.h>
#include <string.h>

#include "bgp/probe/probe_dns.h"

struct config *config_play_load(const char *text, struct failure *failure)
{
    struct config *config = NULL;

    failure->text[0] = '\0';
    if (config_load_bytes("bgp.yaml", (const uint8_t *)text, strlen(text), &config, failure) < 0) {
        return NULL;
    }
    return config;
}

struct config *config_play_good(const char *text)
{
    struct failure failure;
    struct config *config = config_play_load(text, &failure);

    cr_assert(config, "%s", failure.text);
    return config;
}

const struct dns_check *config_play_dns(const struct config *config, size_t check)
{
    cr_assert_eq(config->checks[check].type, &probe_dns);
    return &((const struct probe_dns_settings *)config->checks[check].settings)->check;
}

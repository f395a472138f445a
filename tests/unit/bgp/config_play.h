/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Configurations from text, for tests.
 */
#ifndef CONFIG_PLAY_H
#define CONFIG_PLAY_H

#include "bgp/config/config.h"
#include "bgp/probe/dns_check.h"

/* As "bgp.yaml". NULL, and why, if it is refused; the caller frees. */
struct config *config_play_load(const char *text, struct failure *failure);

/* Fails the test if it is refused. */
struct config *config_play_good(const char *text);

/* What a dns check asks. */
const struct dns_check *config_play_dns(const struct config *config, size_t check);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A history of responses on the accounts of one set: the first bytes are the limits, then each
 * three are which account and how much later. Whatever the history, nobody is sent more than a
 * second's worth and his rate, nobody who keeps to it is limited, and debt ends.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps/admit_core.h"

#define ACCOUNTS 4

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct admit_limits limits = {.ipv4_bits = 24, .ipv6_bits = 56};
    __u64 set[ADMIT_SET] = {0};
    uint64_t first_us[ACCOUNTS] = {0}, sent[ACCOUNTS] = {0}, last_us[ACCOUNTS] = {0};
    uint64_t now_us = 1ULL << 35;

    if (len < 4) {
        return 0;
    }
    limits.cost_us[ADMIT_POSITIVE] = 1u + (uint32_t)bytes[0] * bytes[0] * 4;
    limits.window_s = bytes[1];
    limits.slip = bytes[2] % (ADMIT_SLIP_MAX + 1);
    for (size_t i = 3; i + 2 < len; i += 3) {
        unsigned who = bytes[i] % ACCOUNTS;
        uint64_t key = (uint64_t)(who + 1) << ADMIT_TAG_SHIFT;
        uint64_t cost = limits.cost_us[ADMIT_POSITIVE];
        uint64_t owed, before;
        uint32_t place;
        enum admit_verdict verdict;

        now_us += (uint64_t)bytes[i + 1] << (bytes[i + 2] % 18);
        place = admit_place(&limits, set, key, now_us);
        before = admit_tag_of(set[place]) == admit_tag(key)
                     ? admit_owed(&limits, set[place], now_us)
                     : 0;
        verdict = admit_step(&limits, ADMIT_POSITIVE, key, set[place], now_us, &set[place]);
        owed = admit_owed(&limits, set[place], now_us);
        need(admit_tag_of(set[place]) == admit_tag(key), "whose account it is");
        need(owed <= (uint64_t)(limits.window_s + 1) * ADMIT_US_PER_S, "debt has an end");
        need((verdict == ADMIT_SEND) == (before + cost <= ADMIT_US_PER_S), "who has is given");
        need(verdict != ADMIT_SLIP || limits.slip, "no slip");
        if (!first_us[who]) {
            first_us[who] = now_us;
        } else {
            need(verdict == ADMIT_SEND ||
                     now_us - last_us[who] < (limits.window_s + 1ull) * ADMIT_US_PER_S,
                 "who was quiet is answered");
        }
        last_us[who] = now_us;
        sent[who] += verdict == ADMIT_SEND;
        need(sent[who] * cost <= ADMIT_US_PER_S + (now_us - first_us[who]),
             "a second's worth and the rate");
    }
    return 0;
}

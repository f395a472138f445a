/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/daemon/age.h"

#include <stdio.h>

#include "base/clock.h"

double age_seconds(int64_t ns)
{
    return (double)ns / (double)CLOCK_NS_PER_S;
}

const char *age_format(int64_t ns, char ret_text[static AGE_LEN])
{
    const long long s = ns < 0 ? 0 : (long long)(ns / CLOCK_NS_PER_S);

    if (s < 60) {
        snprintf(ret_text, AGE_LEN, "%.1fs", ns < 0 ? 0.0 : age_seconds(ns));
    } else if (s < 3600) {
        snprintf(ret_text, AGE_LEN, "%lldm%02llds", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(ret_text, AGE_LEN, "%lldh%02lldm", s / 3600, s / 60 % 60);
    } else {
        snprintf(ret_text, AGE_LEN, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    }
    return ret_text;
}

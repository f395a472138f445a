/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_exabgp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)

static const char *const chatter[] = {
    "{ \"exabgp\": \"4.0.1\", \"time\": 1.5, \"type\": \"keepalive\", \"neighbor\": { } }",
    "{ \"exabgp\": \"4.0.1\", \"broken",
    "something else entirely",
    "",
};

void fake_init(struct fake_exabgp *fake, uint64_t seed)
{
    memset(fake, 0, sizeof(*fake));
    fake->random = seed * 2 + 1;
    fake->session_up = true;
    fake->prefixes[0] = "192.0.2.53/32";
    fake->prefixes[1] = "2001:db8::53/128";
}

/* splitmix64 */
uint64_t fake_random(struct fake_exabgp *fake, uint64_t below)
{
    uint64_t value = fake->random += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (value ^ (value >> 31)) % below;
}

static bool happens(struct fake_exabgp *fake, unsigned per_mille)
{
    return fake_random(fake, 1000) < per_mille;
}

static void say(struct fake_exabgp *fake, const char *format, ...)
{
    va_list arguments;
    int len;

    va_start(arguments, format);
    len =
        vsnprintf(fake->out + fake->out_len, sizeof(fake->out) - fake->out_len, format, arguments);
    va_end(arguments);
    if (len > 0 && (size_t)len < sizeof(fake->out) - fake->out_len) {
        fake->out_len += (size_t)len;
    }
}

static void batch_end(struct fake_exabgp *fake)
{
    for (size_t i = 0; i < FAKE_ROUTES; i++) {
        /* announce, withdraw, announce in one batch: the announcement goes out before the
         * withdrawal */
        const bool misordered = fake->withdrawn_between[i] && fake->held[i];

        fake->sent[i] = fake->session_up && fake->held[i] && !misordered;
        if (fake->sent[i]) {
            /* updates are grouped by attributes in the order of their first use: those used first
             * and again go out before the others */
            const bool returned =
                fake->other[i][0] && strcmp(fake->first[i], fake->attributes[i]) == 0;

            memcpy(fake->sent_attributes[i], returned ? fake->other[i] : fake->attributes[i],
                   sizeof(fake->attributes[i]));
            if (!returned) {
                fake->first[i][0] = fake->other[i][0] = '\0';
            }
        }
        if (misordered && fake->session_up) {
            continue; /* stays lost until something makes ExaBGP send it again */
        }
        fake->announced_before[i] = false;
        fake->withdrawn_between[i] = false;
    }
}

static void send_all(struct fake_exabgp *fake)
{
    memset(fake->announced_before, 0, sizeof(fake->announced_before));
    memset(fake->withdrawn_between, 0, sizeof(fake->withdrawn_between));
    memset(fake->first, 0, sizeof(fake->first));
    memset(fake->other, 0, sizeof(fake->other));
}

static bool change(struct fake_exabgp *fake, const char *line, bool announce)
{
    char prefix[64], attributes[256] = "";

    if (sscanf(line, "%*s route %63s %255[^\n]", prefix, attributes) < 1) {
        return false;
    }
    for (size_t i = 0; i < FAKE_ROUTES && fake->prefixes[i]; i++) {
        if (strcmp(prefix, fake->prefixes[i]) != 0) {
            continue;
        }
        if (announce && fake->first[i][0] && strcmp(fake->first[i], attributes) != 0) {
            memcpy(fake->other[i], attributes, sizeof(attributes));
        } else if (announce) {
            memcpy(fake->first[i], attributes, sizeof(attributes));
        }
        if (announce) {
            fake->announced_before[i] = fake->announced_before[i] || !fake->held[i];
        } else if (fake->announced_before[i]) {
            fake->withdrawn_between[i] = true;
        }
        fake->held[i] = announce;
        memcpy(fake->attributes[i], attributes, sizeof(attributes));
        *(announce ? &fake->announces_n : &fake->withdraws_n) += 1;
        return true;
    }
    return false;
}

static void show_table(struct fake_exabgp *fake)
{
    for (size_t i = 0; i < FAKE_ROUTES && fake->prefixes[i]; i++) {
        if (fake->held[i]) {
            say(fake,
                "neighbor 10.99.0.2 local-ip 10.99.0.1 local-as 65001 peer-as 65000 router-id "
                "10.99.0.1 family-allowed in-open %s unicast %s %s\n",
                strchr(fake->prefixes[i], '.') ? "ipv4" : "ipv6", fake->prefixes[i],
                fake->attributes[i][0] ? fake->attributes[i] : "next-hop self");
        }
    }
}

/* What the peer has, sent back by it. */
static void show_back(struct fake_exabgp *fake)
{
    for (size_t i = 0; i < FAKE_ROUTES && fake->prefixes[i]; i++) {
        if (fake->sent[i]) {
            say(fake,
                "neighbor 10.99.0.2 local-ip 10.99.0.1 family-allowed in-open %s unicast %s %s "
                "origin "
                "igp\n",
                strchr(fake->prefixes[i], '.') ? "ipv4" : "ipv6", fake->prefixes[i],
                fake->sent_attributes[i][0] ? fake->sent_attributes[i] : "next-hop self");
        }
    }
}

static void serve(struct fake_exabgp *fake, const char *line)
{
    bool ok = true;

    if (happens(fake, fake->faults.lose_command)) {
        return;
    }
    if (happens(fake, fake->faults.chatter)) {
        say(fake, "%s\n", chatter[fake_random(fake, sizeof(chatter) / sizeof(chatter[0]))]);
    }
    if (happens(fake, fake->faults.refuse)) {
        ok = false;
    } else if (strncmp(line, "announce ", 9) == 0) {
        ok = change(fake, line, true);
    } else if (strncmp(line, "withdraw ", 9) == 0) {
        ok = change(fake, line, false);
    } else if (strcmp(line, "show neighbor summary") == 0) {
        say(fake, "Peer            AS        up/down state       |     #sent     #recvd\n");
        if (fake->session_up) {
            say(fake, "10.99.0.2       65000     0:00:05 established           1          0\n");
        }
    } else if (strcmp(line, "show adj-rib out extensive") == 0) {
        show_table(fake);
    } else if (strcmp(line, "show neighbor configuration") == 0) {
        say(fake,
            "neighbor 10.99.0.2 {\n  adj-rib-out true;\n  capability {\n    graceful-restart %s;\n "
            " "
            "}\n  api {\n    processes [ isochrone ];\n  }\n}\n",
            fake->graceful_restart ? "20" : "disable");
    } else if (strcmp(line, "show adj-rib in extensive") == 0) {
        show_back(fake);
    } else if (strcmp(line, "version") == 0) {
        say(fake, "exabgp 4.2.21\n");
    } else if (strcmp(line, "flush adj-rib out") == 0) {
        ok = fake->session_up;
        send_all(fake);
    } else {
        fake->bad_commands_n++;
        ok = false;
    }
    if (!fake->faults.mute && !happens(fake, fake->faults.lose_reply)) {
        say(fake, "%s\n", ok ? "done" : "error");
    }
}

void fake_write(struct fake_exabgp *fake, const char *line, size_t len)
{
    if (len <= sizeof(fake->in) - fake->in_len) {
        memcpy(fake->in + fake->in_len, line, len);
        fake->in_len += len;
    }
}

static void session_event(struct fake_exabgp *fake, const char *state)
{
    say(fake,
        "{ \"exabgp\": \"4.0.1\", \"time\": 1.5, \"type\": \"state\", \"neighbor\": { \"address\": "
        "{ \"local\": \"10.99.0.1\", \"peer\": \"10.99.0.2\" }, \"state\": \"%s\" } }\n",
        state);
}

static void misbehave(struct fake_exabgp *fake, int64_t now_ns)
{
    if (happens(fake, fake->faults.freeze)) {
        fake->frozen_until_ns = now_ns + (int64_t)fake_random(fake, 40000) * MS;
    }
    if (fake->session_up && happens(fake, fake->faults.flap)) {
        fake->session_up = false;
        session_event(fake, "down");
    } else if (!fake->session_up && fake_random(fake, 20) == 0) {
        fake->session_up = true;
        send_all(fake);
        session_event(fake, "connected");
        session_event(fake, "up");
    }
}

void fake_step(struct fake_exabgp *fake, int64_t now_ns)
{
    misbehave(fake, now_ns);
    while (now_ns >= fake->frozen_until_ns && now_ns >= fake->next_ns) {
        char line[2048];
        const char *end = memchr(fake->in, '\n', fake->in_len);
        size_t len;

        if (!end) {
            break;
        }
        len = (size_t)(end - fake->in);
        if (len < sizeof(line)) {
            memcpy(line, fake->in, len);
            line[len] = '\0';
            serve(fake, line);
        }
        fake->in_len -= len + 1;
        memmove(fake->in, end + 1, fake->in_len);
        if (fake->faults.max_delay_ms > 0) {
            fake->next_ns = now_ns + (int64_t)fake_random(fake, fake->faults.max_delay_ms) * MS;
        }
    }
    if (now_ns >= fake->frozen_until_ns) {
        batch_end(fake);
    }
}

size_t fake_read(struct fake_exabgp *fake, char *bytes, size_t max)
{
    const size_t len = fake->out_len < max ? fake->out_len : max;

    memcpy(bytes, fake->out, len);
    fake->out_len -= len;
    memmove(fake->out, fake->out + len, fake->out_len);
    return len;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A model of ExaBGP 4.2 for tests in virtual time: it serves commands in order, keeps a table,
 * sends what changed to a peer in batches with the ordering fault of the real one, and can lose,
 * refuse, delay, freeze and chatter on command.
 */
#ifndef TEST_FAKE_EXABGP_H
#define TEST_FAKE_EXABGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_ROUTES 4
#define FAKE_QUEUE 65536

struct fake_faults {
    unsigned lose_reply;   /* per mille of commands: served, never answered */
    unsigned lose_command; /* neither served nor answered */
    unsigned refuse;       /* answered with "error" */
    unsigned chatter;      /* an event or a stray line before the reply */
    unsigned flap;         /* the session goes down and up again, per mille of steps */
    unsigned freeze;       /* nothing is served for up to 40 s, per mille of steps */
    unsigned max_delay_ms; /* before a command is served */
    bool mute;             /* exabgp.api.ack=false */
};

struct fake_exabgp {
    const char *prefixes[FAKE_ROUTES]; /* NULL after the last */
    struct fake_faults faults;
    uint64_t random;
    bool held[FAKE_ROUTES];            /* in the table */
    bool sent[FAKE_ROUTES];            /* the peer has it */
    char attributes[FAKE_ROUTES][256]; /* in the table, as announced */
    char sent_attributes[FAKE_ROUTES][256];
    bool session_up, graceful_restart;
    int64_t frozen_until_ns, next_ns;
    /* changes of one route in the batch under way */
    bool announced_before[FAKE_ROUTES], withdrawn_between[FAKE_ROUTES];
    char first[FAKE_ROUTES][256], other[FAKE_ROUTES][256]; /* attributes announced in it */
    size_t in_len, out_len;
    char in[FAKE_QUEUE], out[FAKE_QUEUE];
    unsigned announces_n, withdraws_n, bad_commands_n;
};

void fake_init(struct fake_exabgp *fake, uint64_t seed);
uint64_t fake_random(struct fake_exabgp *fake, uint64_t below);

/* A command line from the process under test. */
void fake_write(struct fake_exabgp *fake, const char *line, size_t len);

/* Serves what is due. */
void fake_step(struct fake_exabgp *fake, int64_t now_ns);

/* Up to `max` bytes for the process under test. */
size_t fake_read(struct fake_exabgp *fake, char *bytes, size_t max);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A probe of any type against a listener of our own on loopback that plays one part: what it says
 * once it has heard something, and how it ends.
 */
#ifndef STREAM_PLAY_H
#define STREAM_PLAY_H

#include "bgp/probe/probe.h"

struct stream_play {
    struct config_check check; /* the caller sets type, settings */
    struct probe probe;
    struct probe_outcome outcome;
    int listener, connection; /* -1: none */
    char heard[4096];
    size_t heard_len;
};

/* `check->server` is the listener's then; the timeout is 600 ms. */
void stream_play_open(struct stream_play *play, const struct probe_type *type,
                      const void *settings);
void stream_play_close(struct stream_play *play);

/* Starts a probe and plays until there is an outcome: accepts, hears `heard_min` bytes, says the
 * bytes and then closes, unless it `stays`. False if nothing comes of it in half a second. */
bool stream_play_run(struct stream_play *play, size_t heard_min, const char *bytes, size_t len,
                     bool stays);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/daemon/fast_tap.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/control.h"
#include "base/number.h"
#include "edge/daemon/fast_words.h"

#define FAST_TAP_KEPT 1024u                    /* samples somebody may still ask for */
#define FAST_TAP_REPLY 256u                    /* in one reply */
#define FAST_TAP_RATE 100u                     /* unless asked for */
#define FAST_TAP_LEASE_NS (3 * CLOCK_NS_PER_S) /* how long somebody counts as looking */
#define FAST_TAP_ROUND 4096u /* samples read at once at most: the control thread has more to do */

struct fast_tapping {
    struct xdp_path *path;
    fast_tap_see see;
    void *context;
    uint32_t always; /* one in so many; 0: none. So for the next ones */
    uint32_t looked;
    uint32_t asked; /* of the program */
    int64_t until_ns;
    uint64_t last;         /* number of the newest sample */
    struct fast_tap *kept; /* NULL: nobody has looked yet */
};

struct fast_tapping *fast_tapping_new(struct xdp_path *path, fast_tap_see see, void *context)
{
    struct fast_tapping *tapping = calloc(1, sizeof(*tapping));

    if (tapping) {
        tapping->path = path;
        tapping->see = see;
        tapping->context = context;
    }
    return tapping;
}

void fast_tapping_free(struct fast_tapping *tapping)
{
    if (tapping) {
        free(tapping->kept);
        free(tapping);
    }
}

static void fast_tapping_ask(struct fast_tapping *tapping)
{
    uint32_t wanted = tapping->always;

    if (tapping->looked && (!wanted || tapping->looked < wanted)) {
        wanted = tapping->looked;
    }
    if (wanted != tapping->asked) {
        tapping->asked = wanted;
        xdp_path_tap(tapping->path, wanted);
    }
}

void fast_tapping_always(struct fast_tapping *tapping, uint32_t one_in)
{
    tapping->always = one_in;
    fast_tapping_ask(tapping);
}

static void fast_tapping_take(void *context, const struct fast_tap *sample)
{
    struct fast_tapping *tapping = context;

    tapping->last++;
    if (tapping->kept && tapping->looked) {
        tapping->kept[tapping->last % FAST_TAP_KEPT] = *sample;
    }
    if (tapping->see) {
        tapping->see(tapping->context, sample);
    }
}

void fast_tapping_run(struct fast_tapping *tapping, int64_t now_ns)
{
    if (tapping->asked) {
        (void)xdp_path_tap_read(tapping->path, FAST_TAP_ROUND, fast_tapping_take, tapping);
    }
    if (tapping->looked && now_ns > tapping->until_ns) {
        tapping->looked = 0;
        fast_tapping_ask(tapping);
    }
}

/* --- somebody who looks --- */

static void fast_tapping_look(struct fast_tapping *tapping, uint32_t one_in, int64_t now_ns)
{
    if (!tapping->kept) {
        tapping->kept = calloc(FAST_TAP_KEPT, sizeof(*tapping->kept));
    }
    tapping->looked = one_in;
    tapping->until_ns = now_ns + FAST_TAP_LEASE_NS;
    fast_tapping_ask(tapping);
}

static json_t *fast_tap_bytes(const struct fast_tap *sample)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = sample->len < FAST_TAP_BYTES ? sample->len : FAST_TAP_BYTES;
    char text[2 * FAST_TAP_BYTES];

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[sample->bytes[i] >> 4];
        text[2 * i + 1] = digits[sample->bytes[i] & 15];
    }
    return json_stringn(text, 2 * len);
}

static json_t *fast_tap_sample(const struct fast_tap *sample, uint64_t number, int64_t offset_ns)
{
    char interface[IF_NAMESIZE] = "?";
    const char *verdict = "?";
    json_int_t at_ns = (json_int_t)sample->at_ns + offset_ns;

    (void)if_indextoname(sample->ifindex, interface);
    if (sample->answered && sample->verdict < FAST_ANSWERS) {
        verdict = fast_answer_name((enum fast_answer)sample->verdict);
    } else if (!sample->answered && sample->verdict < FAST_PASS_REASONS) {
        verdict = fast_reason_name((enum fast_reason)sample->verdict);
    }
    return json_pack("{s:I, s:I, s:s, s:b, s:s, s:i, s:o}", "number", (json_int_t)number, "at_ns",
                     at_ns, "interface", interface, "answered", sample->answered, "verdict",
                     verdict, "len", (int)sample->len, "bytes", fast_tap_bytes(sample));
}

static uint64_t fast_tap_option(const json_t *options, const char *name, uint64_t absent)
{
    const char *text = json_string_value(json_object_get(options, name));
    uint64_t value = absent;

    return text && number_parse_u64(text, strlen(text), 0, INT64_MAX, &value) == 0 ? value : absent;
}

json_t *fast_tapping_reply(struct fast_tapping *tapping, const json_t *options)
{
    int64_t now_ns = clock_monotonic_ns();
    struct timespec wall;
    uint64_t rate = fast_tap_option(options, "rate", FAST_TAP_RATE);
    uint64_t at;
    uint64_t lost = 0;
    json_t *samples = json_array();

    if (rate == 0 || rate > UINT32_MAX) {
        json_decref(samples);
        return control_refuse("the rate is one packet in so many, 1 or more");
    }
    fast_tapping_look(tapping, (uint32_t)rate, now_ns);
    fast_tapping_run(tapping, now_ns);
    at = fast_tap_option(options, "since", tapping->last);
    if (at > tapping->last) { /* another process's number */
        at = tapping->last;
    }
    if (tapping->last - at > FAST_TAP_KEPT) {
        lost = tapping->last - FAST_TAP_KEPT - at;
        at += lost;
    }
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    for (unsigned i = 0; tapping->kept && i < FAST_TAP_REPLY && at < tapping->last; i++) {
        at++;
        json_array_append_new(
            samples, fast_tap_sample(&tapping->kept[at % FAST_TAP_KEPT], at,
                                     wall.tv_sec * CLOCK_NS_PER_S + wall.tv_nsec - now_ns));
    }
    return json_pack("{s:b, s:{s:I, s:I, s:b, s:o}}", "ok", 1, "data", "last", (json_int_t)at,
                     "lost", (json_int_t)lost, "more", at < tapping->last, "samples", samples);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_option.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"

#define DNS_PORT 53u
#define IDENTITY_MAX 128u
#define LISTEN_MAX 64u /* of isochrone-edge */

/* --- numbers that shape zones --- */

static int number_read(const struct vscf *options, const char *key, uint64_t max,
                       struct model *model, uint32_t *value)
{
    const struct vscf *node = vscf_get(options, key);
    const char *text = vscf_text(node);
    uint64_t number;

    if (!node) {
        return 0;
    }
    if (!text || number_parse_u64(text, strlen(text), 0, max, &number) != 0) {
        return notes_add(&model->notes, NOTE_LEFT_OUT, node->file, node->line,
                         "%s is not a number of 0 to %llu: the default is taken", key,
                         (unsigned long long)max);
    }
    *value = (uint32_t)number;
    return 0;
}

static int zone_options_read(const struct vscf *options, struct model *model,
                             struct gdnsd_zone_options *ret_options)
{
    int err =
        number_read(options, "zones_default_ttl", UINT32_MAX, model, &ret_options->default_ttl_s);

    err = err ? err : number_read(options, "min_ttl", 86400, model, &ret_options->min_ttl_s);
    err = err ? err : number_read(options, "max_ttl", 0xfffffff, model, &ret_options->max_ttl_s);
    err = err ? err
              : number_read(options, "max_ncache_ttl", 86400, model, &ret_options->max_negative_s);
    err = err ? err
              : number_read(options, "acme_challenge_dns_ttl", 3600, model,
                            &ret_options->challenge_ttl_s);
    (void)vscf_bool(vscf_get(options, "disable_text_autosplit"), &ret_options->no_text_split);
    return err;
}

/* --- listen --- */

static int endpoint_add(struct model *model, const struct vscf *node, const char *text,
                        uint16_t port)
{
    struct endpoint endpoint;
    char formatted[ADDRESS_TEXT_LEN];
    const char **grown;

    if (!text || endpoint_parse(text, port, &endpoint) != 0) {
        return notes_add(&model->notes, NOTE_LEFT_OUT, node->file, node->line,
                         "\"%.80s\" is no address to listen on", text ? text : "");
    }
    if (model->edge.listen_n == LISTEN_MAX) {
        return notes_add(&model->notes, NOTE_LEFT_OUT, node->file, node->line,
                         "more than %u addresses to listen on", LISTEN_MAX);
    }
    grown = arena_alloc(model->arena, (model->edge.listen_n + 1) * sizeof(*grown));
    if (!grown) {
        return -ENOMEM;
    }
    if (model->edge.listen_n) {
        memcpy(grown, model->edge.listen, model->edge.listen_n * sizeof(*grown));
    }
    grown[model->edge.listen_n] = model_text(model, "%s", endpoint_format(&endpoint, formatted));
    model->edge.listen = grown;
    return grown[model->edge.listen_n++] ? 0 : -ENOMEM;
}

/* A listener of the hash form may have options of its own. */
static int listener_add(struct model *model, const struct vscf *node, uint16_t port)
{
    bool is_proxy = false;

    (void)vscf_bool(vscf_get(node, "tcp_proxy"), &is_proxy);
    if (is_proxy) {
        return notes_add(&model->notes, NOTE_LEFT_OUT, node->file, node->line,
                         "listener \"%.60s\" speaks the PROXY protocol, which isochrone-edge does "
                         "not",
                         node->key);
    }
    if (node->kind == VSCF_HASH && node->n) {
        int err = notes_add(&model->notes, NOTE_IGNORED, node->file, node->line,
                            "options of the listener \"%.60s\": isochrone-edge has them for all "
                            "listeners or chooses them itself",
                            node->key);

        if (err) {
            return err;
        }
    }
    return endpoint_add(model, node, node->key, port);
}

static int listen_read(const struct vscf *options, struct model *model)
{
    const struct vscf *node = vscf_get(options, "listen");
    const char *text = vscf_text(node);
    uint32_t port = DNS_PORT;
    struct vscf any = {.file = "", .line = 0};
    int err = number_read(options, "dns_port", UINT16_MAX, model, &port);

    if (err) {
        return err;
    }
    if (!node || (text && strcmp(text, "any") == 0)) {
        err = endpoint_add(model, &any, "0.0.0.0", (uint16_t)port);
        return err ? err : endpoint_add(model, &any, "::", (uint16_t)port);
    }
    for (uint32_t i = 0; node->kind == VSCF_HASH && i < node->n && !err; i++) {
        err = listener_add(model, node->child[i], (uint16_t)port);
    }
    for (size_t i = 0; i < vscf_list_n(node) && !err; i++) {
        err = endpoint_add(model, node, vscf_text(vscf_list_item(node, i)), (uint16_t)port);
    }
    return err;
}

/* --- who answers --- */

/* NSID: two hexadecimal digits a byte; only printable ones can be an identity. */
static const char *nsid_decode(struct model *model, const char *digits)
{
    char text[IDENTITY_MAX + 1];
    size_t n = 0;

    for (; digits[0] && digits[1] && n < IDENTITY_MAX; digits += 2) {
        unsigned value = 0;

        for (int i = 0; i < 2; i++) {
            int digit = tolower((unsigned char)digits[i]);

            if (!isxdigit(digit)) {
                return NULL;
            }
            value = value * 16 + (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
        }
        if (value < 0x20 || value > 0x7e) {
            return NULL;
        }
        text[n++] = (char)value;
    }
    text[n] = '\0';
    return *digits || n == 0 ? NULL : model_text(model, "%s", text);
}

static int identity_read(const struct vscf *options, struct model *model)
{
    const struct vscf *hex = vscf_get(options, "nsid");
    const char *ascii = vscf_text(vscf_get(options, "nsid_ascii"));

    model->edge.identity = ascii ? model_text(model, "%.128s", ascii) : NULL;
    if (vscf_text(hex)) {
        model->edge.identity = nsid_decode(model, vscf_text(hex));
        if (!model->edge.identity) {
            return notes_add(
                &model->notes, NOTE_LEFT_OUT, hex->file, hex->line,
                "nsid has bytes that are no printable ASCII: identity takes text only");
        }
    }
    if (vscf_text(vscf_get(options, "chaos_response"))) {
        model->edge.version =
            model_text(model, "%.200s", vscf_text(vscf_get(options, "chaos_response")));
    }
    return 0;
}

/* --- the rest --- */

struct option_fate {
    const char *key;
    enum note_kind kind;
    const char *text;
};

/* Keys that are taken over, above or in gdnsd.c, have no text. */
static const struct option_fate fates[] = {
    {"zones_default_ttl", NOTE_IGNORED, NULL},
    {"max_ttl", NOTE_IGNORED, NULL},
    {"min_ttl", NOTE_IGNORED, NULL},
    {"max_ncache_ttl", NOTE_IGNORED, NULL},
    {"acme_challenge_dns_ttl", NOTE_IGNORED, NULL},
    {"disable_text_autosplit", NOTE_IGNORED, NULL},
    {"listen", NOTE_IGNORED, NULL},
    {"dns_port", NOTE_IGNORED, NULL},
    {"nsid", NOTE_IGNORED, NULL},
    {"nsid_ascii", NOTE_IGNORED, NULL},
    {"chaos_response", NOTE_IGNORED, NULL},
    {"tcp_timeout", NOTE_IGNORED, NULL},
    {"state_dir", NOTE_IGNORED, NULL},
    {"edns_client_subnet", NOTE_LEFT_OUT,
     "client subnets cannot be switched off: isochrone-edge uses them on every service"},
    {"cookie_key_file", NOTE_LEFT_OUT,
     "cookies are those of RFC 9018 with secrets of another kind: make new ones for the fleet, "
     "see cookies in edge.yaml(5)"},
    {"disable_cookies", NOTE_IGNORED, NULL},
    {"max_nocookie_response", NOTE_LEFT_OUT, "see rate_limit in edge.yaml(5) against reflection"},
    {"tcp_control", NOTE_LEFT_OUT, "isochronectl speaks over a Unix socket only"},
    {"experimental_no_chain", NOTE_DIFFERS,
     "isochrone-edge follows a CNAME inside its zones as RFC 1034 section 4.3.2 says"},
    {"acme_challenge_ttl", NOTE_LEFT_OUT,
     "challenges cannot be added at run time: write them into the zone and reload"},
};

static int fate_note(struct model *model, const struct vscf *node)
{
    for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
        if (strcmp(fates[i].key, node->key) == 0) {
            bool off = false;

            if (!fates[i].text || (strcmp(node->key, "edns_client_subnet") == 0 &&
                                   vscf_bool(node, &off) == 0 && off)) {
                return 0;
            }
            return notes_add(&model->notes, fates[i].kind, node->file, node->line, "%s: %s",
                             node->key, fates[i].text);
        }
    }
    return notes_add(&model->notes, NOTE_IGNORED, node->file, node->line,
                     "%.60s: nothing in edge.yaml(5) corresponds to it", node->key);
}

int gdnsd_options_read(const struct vscf *options, struct model *model,
                       struct gdnsd_options *ret_options)
{
    const char *idle = vscf_text(vscf_get(options, "tcp_timeout"));
    const char *state_dir = vscf_text(vscf_get(options, "state_dir"));
    uint64_t idle_s;
    int err;

    *ret_options = (struct gdnsd_options){.zone = {.default_ttl_s = 86400,
                                                   .min_ttl_s = 5,
                                                   .max_ttl_s = 3600000,
                                                   .max_negative_s = 10800},
                                          .state_dir = state_dir ? state_dir : "/var/lib/gdnsd"};
    err = zone_options_read(options, model, &ret_options->zone);
    err = err ? err : listen_read(options, model);
    err = err ? err : identity_read(options, model);
    (void)vscf_bool(vscf_get(options, "disable_cookies"), &model->edge.no_cookies);
    if (!err && idle && number_parse_u64(idle, strlen(idle), 5, 1800, &idle_s) == 0) {
        model->edge.tcp_idle = model_text(model, "%us", (unsigned)idle_s);
    }
    for (uint32_t i = 0; options && options->kind == VSCF_HASH && i < options->n && !err; i++) {
        err = fate_note(model, options->child[i]);
    }
    return err;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/gdnsd_state.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define KEY_TEXT_MAX 512

enum forced {
    FORCED_NOT,
    FORCED_UP,
    FORCED_DOWN,
};

/* One line of the file. */
struct rule {
    const struct vscf *node;
    enum forced forced;
    bool matched;
};

struct rules {
    struct rule *item;
    size_t n;
};

/* The last line whose pattern fits decides. */
static enum forced rules_apply(struct rules *rules, const char *key)
{
    enum forced forced = FORCED_NOT;

    for (size_t i = 0; i < rules->n; i++) {
        if (rules->item[i].forced && fnmatch(rules->item[i].node->key, key, 0) == 0) {
            rules->item[i].matched = true;
            forced = rules->item[i].forced;
        }
    }
    return forced;
}

static const char *service_type(const struct gdnsd_choice *choice, size_t index)
{
    const char *name =
        choice->service_types ? vscf_text(vscf_list_item(choice->service_types, index)) : NULL;

    return name ? name : "up";
}

static size_t service_type_n(const struct gdnsd_choice *choice)
{
    size_t n = vscf_list_n(choice->service_types);

    return n ? n : 1;
}

/* Is what stands under `what` forced down by any of its service types? */
static bool watched_down(struct rules *rules, const struct gdnsd_choice *choice, const char *what)
{
    bool down = false;

    for (size_t i = 0; i < service_type_n(choice); i++) {
        char key[KEY_TEXT_MAX];

        (void)snprintf(key, sizeof(key), "%.250s/%.250s", what, service_type(choice, i));
        down = rules_apply(rules, key) == FORCED_DOWN || down;
    }
    return down;
}

/* Do too many of a choice's addresses count as down (gdnsd-plugin-multifo(8) "UP THRESH")? */
static bool addresses_down(struct rules *rules, const struct gdnsd_choice *choice,
                           size_t *ret_down_n)
{
    bool failed = false;

    *ret_down_n = 0;
    for (unsigned family = ADDRESS_IPV4; family <= ADDRESS_IPV6; family += 2) {
        size_t n = 0;
        size_t down_n = 0;

        for (size_t i = 0; i < choice->address_n; i++) {
            char text[ADDRESS_TEXT_LEN];

            if (choice->address[i].family != family) {
                continue;
            }
            n++;
            down_n += watched_down(rules, choice, address_format(&choice->address[i], text));
        }
        *ret_down_n += down_n;
        failed = failed || (n && (double)(n - down_n) < ceil(choice->up_thresh * (double)n));
    }
    return failed;
}

/* What the keys say, the outermost last: each overrides what is inside it. */
static enum forced keys_forced(struct rules *rules, const struct gdnsd_choice *choice)
{
    enum forced forced = FORCED_NOT;

    for (size_t i = 0; i < choice->key_n; i++) {
        enum forced own = rules_apply(rules, choice->key[i]);

        forced = own ? own : forced;
    }
    return forced;
}

static int choice_state(struct rules *rules, const struct gdnsd_services *services,
                        const struct gdnsd_made *made, size_t index)
{
    const struct gdnsd_choice *choice = &made->plan.choice[index];
    struct model *model = services->model;
    size_t down_n = 0;
    bool down = choice->target ? watched_down(rules, choice, choice->target)
                               : addresses_down(rules, choice, &down_n);
    enum forced forced = keys_forced(rules, choice);

    down = forced ? forced == FORCED_DOWN : down;
    if (down && made->service != MODEL_NONE) {
        return model_state_add(model, made->pop[index], made->service, "down",
                               "forced down in gdnsd's admin_state");
    }
    if (!down && !forced && !choice->target && down_n) {
        const struct vscf *node = rules->item[rules->n - 1].node;

        return notes_add(&model->notes, NOTE_LEFT_OUT, node->file, node->line,
                         "%zu of the addresses of \"%.60s\" in %.80s are forced down; a state is "
                         "one of the whole PoP here: take the addresses out of services.yaml",
                         down_n, choice->name, made->reference);
    }
    return 0;
}

static int rule_read(struct notes *notes, const struct vscf *node, struct rule *rule)
{
    const char *state = vscf_text(node);
    size_t len = state ? strcspn(state, "/") : 0;

    *rule = (struct rule){.node = node};
    if (len == 2 && strncasecmp(state, "UP", 2) == 0) {
        rule->forced = FORCED_UP;
    } else if (len == 4 && strncasecmp(state, "DOWN", 4) == 0) {
        rule->forced = FORCED_DOWN;
    } else {
        return notes_add(notes, NOTE_LEFT_OUT, node->file, node->line,
                         "\"%.60s\" is not forced UP or DOWN", node->key);
    }
    return 0;
}

static int rules_use(struct rules *rules, const struct gdnsd_services *services)
{
    int err = 0;

    for (size_t i = 0; i < services->n && !err; i++) {
        const struct gdnsd_made *made = &services->made[i];

        for (size_t k = 0; made->usable && k < made->plan.n && !err; k++) {
            err = choice_state(rules, services, made, k);
        }
    }
    for (size_t i = 0; i < rules->n && !err; i++) {
        const struct vscf *node = rules->item[i].node;

        if (rules->item[i].forced && !rules->item[i].matched) {
            err = notes_add(&services->model->notes, NOTE_LEFT_OUT, node->file, node->line,
                            "\"%.80s\" fits nothing that was converted", node->key);
        }
    }
    return err;
}

int gdnsd_states_read(const char *path, const struct gdnsd_services *services,
                      struct failure *failure)
{
    struct notes *notes = &services->model->notes;
    const struct vscf *root = NULL;
    struct rules rules = {0};
    int err;

    if (access(path, F_OK) != 0) {
        return 0;
    }
    err = vscf_load_file(services->resources.arena, path, &root, failure);
    if (err || root->kind != VSCF_HASH) {
        return err == -ENOMEM ? err
                              : notes_add(notes, NOTE_LEFT_OUT, path, 0,
                                          "cannot be read, no state is taken over: %.300s",
                                          err ? failure->text : "it is a list");
    }
    rules.item = calloc((size_t)root->n + 1, sizeof(*rules.item));
    err = rules.item ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < root->n && !err; i++) {
        err = rule_read(notes, root->child[i], &rules.item[rules.n++]);
    }
    if (!err && rules.n) {
        err = rules_use(&rules, services);
    }
    free(rules.item);
    return err ? failure_set(failure, err, "out of memory") : 0;
}

/* --- what was watched --- */

static void setting_list(struct text *text, const struct vscf *node)
{
    text_format(text, "    %.60s:", node->key);
    for (size_t i = 0; i < vscf_list_n(node); i++) {
        const char *value = vscf_text(vscf_list_item(node, i));

        text_string(text, " ");
        text_string(text, value ? value : "...");
    }
    text_string(text, node->kind == VSCF_HASH ? " {...}\n" : "\n");
}

static void watched_list(struct text *text, const struct gdnsd_services *services,
                         const struct gdnsd_made *made, size_t index)
{
    const struct gdnsd_choice *choice = &made->plan.choice[index];

    for (size_t i = 0; i < choice->address_n; i++) {
        char address[ADDRESS_TEXT_LEN];

        text_format(text, "      %s", address_format(&choice->address[i], address));
        if (made->service != MODEL_NONE) {
            text_format(text, "  state key: %s/", services->model->pop[made->pop[index]].name);
            text_string(text, services->model->service[made->service].name);
        }
        text_string(text, "\n");
    }
    if (choice->target) {
        text_string(text, "      ");
        text_string(text, choice->target);
        text_string(text, "\n");
    }
}

static void type_list(struct text *text, const struct vscf *type,
                      const struct gdnsd_services *services)
{
    text_format(text, "  %.100s (%s:%u)\n", type->key, type->file, type->line);
    for (uint32_t i = 0; type->kind == VSCF_HASH && i < type->n; i++) {
        setting_list(text, type->child[i]);
    }
    text_string(text, "    watched:\n");
    for (size_t i = 0; i < services->n; i++) {
        const struct gdnsd_made *made = &services->made[i];

        for (size_t k = 0; made->usable && k < made->plan.n; k++) {
            for (size_t t = 0; t < service_type_n(&made->plan.choice[k]); t++) {
                if (strcmp(service_type(&made->plan.choice[k], t), type->key) == 0) {
                    watched_list(text, services, made, k);
                }
            }
        }
    }
}

int gdnsd_monitoring_list(const struct vscf *types, const struct gdnsd_services *services)
{
    struct text *text = &services->model->monitoring;

    for (uint32_t i = 0; types && types->kind == VSCF_HASH && i < types->n; i++) {
        type_list(text, types->child[i], services);
    }
    return text->failed ? -ENOMEM : 0;
}

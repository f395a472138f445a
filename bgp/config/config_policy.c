/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What policy goes by: drains, graces, guards, budgets, damping. Read last, for it speaks of
 * checks, VIPs and neighbors.
 */
#include "bgp/config/config_parts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "bgp/probe/probe.h"

#define HOUR_NS (3600 * CLOCK_NS_PER_S)
#define DAY_NS (24 * HOUR_NS)
#define LEAVE_RETRY_NS (60 * CLOCK_NS_PER_S)
#define PENALTY_MAX 1e6

/* ---- checks ---- */

static int percent_read(const struct yaml_node *node, uint64_t *ret_percent,
                        struct failure *failure)
{
    const char *text;
    const int result = yaml_text(node, &text, failure);
    const size_t len = result == 0 ? strlen(text) : 0;

    if (result == 0 && (len < 2 || text[len - 1] != '%' ||
                        number_parse_u64(text, len - 1, 1, 100, ret_percent) < 0)) {
        return yaml_fail(node, -EINVAL, failure, "a share from 1%% to 100%%");
    }
    return result;
}

static int window_map_read(const struct yaml_node *node, struct health_limits *limits,
                           struct failure *failure)
{
    static const char *const known[] = {"size", "fail", NULL};
    const struct yaml_node *size = yaml_get(node, "size"), *fail = yaml_get(node, "fail");
    uint64_t count = 10, percent = 50;
    int result = yaml_check_keys(node, known, failure);

    if (result == 0 && size) {
        result = yaml_u64(size, 2, HEALTH_WINDOW_MAX, &count, failure);
    }
    if (result == 0 && fail) {
        result = percent_read(fail, &percent, failure);
    }
    limits->window = (uint32_t)count;
    limits->window_fails = (uint32_t)((count * percent + 99) / 100);
    return result;
}

/* Unless said, half of four times `fall`: what fails every other time goes down, and what never
 * fails more than `fall` times of that stays as it is. */
static void window_default(struct health_limits *limits)
{
    if (limits->fall <= HEALTH_WINDOW_MAX / 4) {
        limits->window = 4 * limits->fall;
        limits->window_fails = 2 * limits->fall;
    }
}

int config_read_limits(const struct yaml_node *node, struct health_limits *limits,
                       struct failure *failure)
{
    const struct yaml_node *window = yaml_get(node, "window"), *hold = yaml_get(node, "hold_down");
    int result = 0;

    if (!window) {
        window_default(limits);
    } else if (!yaml_is_off(window)) {
        result = window_map_read(window, limits, failure);
    }
    if (result == 0 && hold) {
        result = yaml_duration_ns(hold, 0, HOUR_NS, &limits->hold_down_ns, failure);
    }
    return result;
}

static bool type_is(const struct config_check *check, const char *name)
{
    return strcmp(check->type->name, name) == 0;
}

static int vouched_by_read(const struct yaml_node *node, const struct config *config,
                           size_t *vouched_by, struct failure *failure)
{
    int result;

    if (!node) {
        return 0;
    }
    result = config_find_check(node, config, vouched_by, failure);
    if (result == 0 && !type_is(&config->checks[*vouched_by], "traffic")) {
        return yaml_fail(node, -EINVAL, failure, "only a traffic check can vouch for another");
    }
    return result;
}

static int checks_relate(const struct yaml_node *root, struct config *config,
                         struct failure *failure)
{
    const struct yaml_node *checks = yaml_get(root, "checks");
    int result = 0;

    for (size_t i = 0; result == 0 && i < config->checks_n; i++) {
        struct config_check *check = &config->checks[i];

        /* Probes start up to a twentieth late. */
        check->fresh_ns = check->interval_ns + check->interval_ns / 10 + check->timeout_ns;
        result = vouched_by_read(yaml_get(yaml_item(checks, i), "vouched_by"), config,
                                 &check->vouched_by, failure);
    }
    return result;
}

/* ---- drain ---- */

static int step_attributes_read(const struct yaml_node *node, const char *key,
                                struct drain_step *step, struct failure *failure)
{
    struct route_attributes attributes = {0};
    const int result = config_read_announce(node, &attributes, failure);

    if (result < 0) {
        return result;
    }
    if (strcmp(key, "med") == 0) {
        step->kind = DRAIN_MED;
        step->number = attributes.med;
    } else if (strcmp(key, "communities") == 0) {
        step->kind = DRAIN_COMMUNITIES;
        step->count = attributes.communities_n;
        memcpy(step->communities, attributes.communities, sizeof(step->communities));
    } else {
        step->kind = DRAIN_LARGE_COMMUNITIES;
        step->count = attributes.large_communities_n;
        memcpy(step->large_communities, attributes.large_communities,
               sizeof(step->large_communities));
    }
    return 0;
}

static int step_map_read(const struct yaml_node *node, struct drain_step *step,
                         struct failure *failure)
{
    static const char *const known[] = {"prepend", "communities", "large_communities",
                                        "med",     "wait",        NULL};
    const struct yaml_node *item;
    int result = yaml_check_keys(node, known, failure);
    uint64_t count;

    if (result == 0 && yaml_count(node) != 1) {
        return yaml_fail(node, -EINVAL, failure, "a step is one thing");
    }
    if (result < 0) {
        return result;
    }
    item = yaml_item(node, 0);
    if (strcmp(yaml_key(item), "prepend") == 0) {
        result = yaml_u64(item, 1, ROUTE_AS_PATH_MAX - 1, &count, failure);
        if (result == 0) {
            *step = (struct drain_step){.kind = DRAIN_PREPEND, .number = (uint32_t)count};
        }
        return result;
    }
    if (strcmp(yaml_key(item), "wait") == 0) {
        step->kind = DRAIN_WAIT;
        return yaml_duration_ns(item, CLOCK_NS_PER_S, DAY_NS, &step->wait_ns, failure);
    }
    return step_attributes_read(node, yaml_key(item), step, failure);
}

static int step_read(const struct yaml_node *node, struct drain_step *step, bool last,
                     struct failure *failure)
{
    const char *text;
    int result;

    *step = (struct drain_step){0};
    if (yaml_kind(node) == YAML_KIND_MAP) {
        return step_map_read(node, step, failure);
    }
    result = yaml_text(node, &text, failure);
    if (result == 0 && strcmp(text, "withdraw") != 0) {
        return yaml_fail(node, -EINVAL, failure,
                         "a step is withdraw or a map of prepend, communities, large_communities, "
                         "med or wait");
    }
    if (result == 0 && !last) {
        return yaml_fail(node, -EINVAL, failure, "after withdraw there is nothing left to do");
    }
    step->kind = DRAIN_WITHDRAW;
    return result;
}

static int drain_read(const struct yaml_node *node, struct drain_plan *plan,
                      struct failure *failure)
{
    int result = 0;

    if (!node) {
        return 0;
    }
    if (yaml_kind(node) != YAML_KIND_LIST || yaml_count(node) == 0 ||
        yaml_count(node) > DRAIN_STEPS_MAX) {
        return yaml_fail(node, -EINVAL, failure, "drain is a list of 1 to %d steps",
                         DRAIN_STEPS_MAX);
    }
    plan->steps_n = yaml_count(node);
    for (size_t i = 0; result == 0 && i < plan->steps_n; i++) {
        result = step_read(yaml_item(node, i), &plan->steps[i], i + 1 == plan->steps_n, failure);
    }
    return result;
}

static bool drain_prepends(const struct drain_plan *plan)
{
    for (size_t i = 0; i < plan->steps_n; i++) {
        if (plan->steps[i].kind == DRAIN_PREPEND) {
            return true;
        }
    }
    return false;
}

/* One path is sent to all neighbors as it is written, so they must agree on what our AS is; and an
 * internal neighbor takes a path with it for a loop (RFC 4271 section 9.1.2). */
static int prepend_check(const struct yaml_node *node, const struct config *config,
                         struct failure *failure)
{
    if (config->local_as == 0) {
        return yaml_fail(node, -EINVAL, failure,
                         "prepend needs to know our AS: local_as, or neighbors");
    }
    for (size_t i = 0; i < config->neighbors_n; i++) {
        if (config->neighbors[i].local_as != config->local_as) {
            return yaml_fail(node, -EINVAL, failure,
                             "prepend says the same path to all neighbors, and they know us by "
                             "different local_as");
        }
        if (config->neighbors[i].peer_as == config->local_as) {
            return yaml_fail(
                node, -EINVAL, failure,
                "prepend says our own AS, which an internal neighbor takes for a loop");
        }
    }
    return 0;
}

static int drain_check(const struct yaml_node *node, const struct config *config, size_t vip,
                       struct failure *failure)
{
    const struct policy_settings *settings = &config->vips[vip].settings;
    int result = 0;

    if (drain_prepends(&settings->drain)) {
        result = prepend_check(node, config, failure);
    }
    if (result == 0 && !drain_fits(&settings->drain, settings->attributes, NULL)) {
        return yaml_fail(node, -ERANGE, failure,
                         "draining this VIP would give it more than %d AS numbers or communities",
                         ROUTE_AS_PATH_MAX);
    }
    return result;
}

static int local_as_read(const struct yaml_node *node, struct config *config,
                         struct failure *failure)
{
    uint64_t number = config->neighbors_n > 0 ? config->neighbors[0].local_as : 0;
    const int result = node ? yaml_u64(node, 1, UINT32_MAX, &number, failure) : 0;

    config->local_as = (uint32_t)number;
    return result;
}

/* ---- last PoP ---- */

static int peer_add(const struct yaml_node *node, const struct config *config, size_t check,
                    struct config_vip *vip, struct failure *failure)
{
    if (config->checks[check].class != CHECK_PEER) {
        return yaml_fail(node, -EINVAL, failure, "%s does not look at a peer: its class is %s",
                         config->checks[check].name, check_class_name(config->checks[check].class));
    }
    for (size_t i = 0; i < vip->peers_n; i++) {
        if (vip->peers[i] == check) {
            return yaml_fail(node, -EEXIST, failure, "named twice");
        }
    }
    vip->peers[vip->peers_n++] = check;
    return 0;
}

static int peers_read(const struct yaml_node *node, const struct config *config,
                      struct config_vip *vip, struct failure *failure)
{
    const struct yaml_node *peers = yaml_get(node, "peers");
    int result = 0;

    vip->peers_n = 0;
    if (!peers) {
        for (size_t i = 0; i < config->checks_n; i++) {
            if (config->checks[i].class == CHECK_PEER) {
                vip->peers[vip->peers_n++] = i;
            }
        }
    } else if (yaml_kind(peers) != YAML_KIND_LIST) {
        return yaml_fail(peers, -EINVAL, failure, "peers must be a list of checks");
    }
    for (size_t i = 0; peers && result == 0 && i < yaml_count(peers); i++) {
        size_t check;

        result = config_find_check(yaml_item(peers, i), config, &check, failure);
        result = result ? result : peer_add(yaml_item(peers, i), config, check, vip, failure);
    }
    if (result == 0 && vip->peers_n == 0) {
        return yaml_fail(node, -EINVAL, failure, "last_pop needs a check of class peer");
    }
    return result;
}

/* Longer than the word of any peer may be old: see guard.h. */
static int64_t settle_default_ns(const struct config *config, const struct config_vip *vip)
{
    int64_t settle_ns = 0;

    for (size_t i = 0; i < vip->peers_n; i++) {
        const struct config_check *check = &config->checks[vip->peers[i]];
        const int64_t word_ns = check->fresh_ns + check->timeout_ns + CLOCK_NS_PER_S;

        settle_ns = word_ns > settle_ns ? word_ns : settle_ns;
    }
    return settle_ns;
}

static int last_pop_read(const struct yaml_node *node, const struct config *config,
                         struct config_vip *vip, struct failure *failure)
{
    static const char *const known[] = {"peers", "at_least", "settle", NULL};
    const struct yaml_node *item;
    uint64_t at_least = 1;
    int result;

    if (!node) {
        return 0;
    }
    vip->settings.guard = (struct guard_limits){0};
    vip->peers_n = 0;
    if (yaml_is_off(node)) {
        return 0;
    }
    result = yaml_check_keys(node, known, failure);
    result = result ? result : peers_read(node, config, vip, failure);
    if (result == 0 && (item = yaml_get(node, "at_least"))) {
        result = yaml_u64(item, 1, vip->peers_n, &at_least, failure);
    }
    vip->settings.guard.at_least = (size_t)at_least;
    vip->settings.guard.settle_ns = settle_default_ns(config, vip);
    if (result == 0 && (item = yaml_get(node, "settle"))) {
        result = yaml_duration_ns(item, vip->settings.guard.settle_ns, HOUR_NS,
                                  &vip->settings.guard.settle_ns, failure);
    }
    return result;
}

/* ---- SOFT withdrawals, damping ---- */

static int soft_withdraw_keys_read(const struct yaml_node *node, struct config *config,
                                   struct leave_limits *leave, struct failure *failure)
{
    const struct yaml_node *item;
    uint64_t allow = 1;
    const char *of = "all";
    int result = 0;

    if ((item = yaml_get(node, "allow"))) {
        result = yaml_u64(item, 1, BUDGET_ALLOW_MAX, &allow, failure);
    }
    if (result == 0 && (item = yaml_get(node, "per"))) {
        result =
            yaml_duration_ns(item, CLOCK_NS_PER_S, 7 * DAY_NS, &config->budget.per_ns, failure);
    }
    if (result == 0 && (item = yaml_get(node, "of"))) {
        result = yaml_text(item, &of, failure);
        if (result == 0 && strcmp(of, "all") != 0 && strcmp(of, "each") != 0) {
            return yaml_fail(item, -EINVAL, failure, "of is all (VIPs together) or each (alone)");
        }
    }
    if (result == 0 && (item = yaml_get(node, "jitter"))) {
        result = yaml_duration_ns(item, 0, HOUR_NS, &leave->jitter_ns, failure);
    }
    config->budget.allow = (uint32_t)allow;
    config->budget.each = strcmp(of, "each") == 0;
    return result;
}

static int soft_withdraw_read(const struct yaml_node *node, struct config *config,
                              struct failure *failure)
{
    static const char *const known[] = {"allow", "per", "of", "jitter", NULL};
    struct leave_limits leave = {
        .allowed = true, .jitter_ns = 10 * CLOCK_NS_PER_S, .retry_ns = LEAVE_RETRY_NS};
    int result;

    config->budget.per_ns = HOUR_NS;
    if (!node || yaml_is_off(node)) {
        return 0;
    }
    result = yaml_check_keys(node, known, failure);
    result = result ? result : soft_withdraw_keys_read(node, config, &leave, failure);
    for (size_t i = 0; result == 0 && i < config->vips_n; i++) {
        if (config->vips[i].settings.guard.at_least == 0) {
            return yaml_fail(node, -EINVAL, failure,
                             "soft_withdraw needs last_pop for every VIP: nothing else would keep "
                             "all PoPs from leaving for the same cause");
        }
        config->vips[i].settings.leave = leave;
    }
    return result;
}

static int damping_numbers_read(const struct yaml_node *node, struct damping_limits *limits,
                                struct failure *failure)
{
    const struct {
        const char *key;
        double *value;
    } numbers[] = {
        {"penalty", &limits->penalty}, {"suppress", &limits->suppress}, {"reuse", &limits->reuse}};
    const struct {
        const char *key;
        int64_t *ns;
    } times[] = {{"half_life", &limits->half_life_ns}, {"max", &limits->max_ns}};
    int result = 0;

    for (size_t i = 0; result == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct yaml_node *item = yaml_get(node, numbers[i].key);

        result = item ? yaml_double(item, 1, PENALTY_MAX, numbers[i].value, failure) : 0;
    }
    for (size_t i = 0; result == 0 && i < sizeof(times) / sizeof(times[0]); i++) {
        const struct yaml_node *item = yaml_get(node, times[i].key);

        result = item ? yaml_duration_ns(item, CLOCK_NS_PER_S, DAY_NS, times[i].ns, failure) : 0;
    }
    if (result == 0 && limits->reuse >= limits->suppress) {
        return yaml_fail(node, -EINVAL, failure, "reuse must be less than suppress");
    }
    return result;
}

/* Unless said, where the last-PoP guard can overrule it: a PoP that may be alone must not wait. */
static int damping_read(const struct yaml_node *node, struct config *config,
                        struct failure *failure)
{
    static const char *const known[] = {"penalty", "suppress", "reuse", "half_life", "max", NULL};
    struct damping_limits limits = damping_limits_usual();
    int result = 0;

    if (node && yaml_is_off(node)) {
        return 0;
    }
    if (node) {
        result = yaml_check_keys(node, known, failure);
        result = result ? result : damping_numbers_read(node, &limits, failure);
    }
    for (size_t i = 0; result == 0 && i < config->vips_n; i++) {
        config->vips[i].settings.damping = limits;
        config->vips[i].settings.damping.on = node || config->vips[i].settings.guard.at_least > 0;
    }
    return result;
}

/* ---- all of it ---- */

static int startup_read(const struct yaml_node *node, int64_t *wait_ns, struct failure *failure)
{
    static const char *const known[] = {"wait", NULL};
    const struct yaml_node *item;
    int result;

    if (!node || yaml_is_off(node)) {
        return 0;
    }
    result = yaml_check_keys(node, known, failure);
    if (result == 0 && !(item = yaml_get(node, "wait"))) {
        return yaml_fail(node, -EINVAL, failure, "startup needs wait");
    }
    return result ? result : yaml_duration_ns(item, 0, HOUR_NS, wait_ns, failure);
}

static void heartbeats_find(const struct config *config, size_t vip, struct config_vip *governed)
{
    const uint8_t family = config->routes[vip].prefix.address.family;

    for (size_t i = 0; i < config->checks_n; i++) {
        const struct config_check *check = &config->checks[i];

        if (type_is(check, "xdp") && check->class != CHECK_PEER &&
            (check->family == ADDRESS_NONE || (uint8_t)check->family == family)) {
            governed->heartbeats[governed->heartbeats_n++] = i;
        }
    }
}

static int vip_read(const struct yaml_node *root, size_t vip, struct config *config,
                    struct failure *failure)
{
    const struct yaml_node *node = yaml_item(yaml_get(root, "vips"), vip);
    const struct yaml_node *drain =
        yaml_get(node, "drain") ? yaml_get(node, "drain") : yaml_get(root, "drain");
    const struct yaml_node *last_pop =
        yaml_get(node, "last_pop") ? yaml_get(node, "last_pop") : yaml_get(root, "last_pop");
    struct config_vip *governed = &config->vips[vip];
    int result;

    governed->settings = (struct policy_settings){
        .attributes = &config->routes[vip].attributes,
        .drain = drain_plan_usual(),
    };
    result = drain_read(drain, &governed->settings.drain, failure);
    governed->settings.drain.local_as = config->local_as;
    result = result ? result : drain_check(drain ? drain : node, config, vip, failure);
    result = result ? result : last_pop_read(last_pop, config, governed, failure);
    if (result == 0 && yaml_get(root, "restart_grace")) {
        result = yaml_duration_ns(yaml_get(root, "restart_grace"), 0, HOUR_NS,
                                  &governed->settings.restart_grace_ns, failure);
    }
    result = result ? result
                    : startup_read(yaml_get(root, "startup"), &governed->settings.startup_wait_ns,
                                   failure);
    heartbeats_find(config, vip, governed);
    return result;
}

int config_read_policy(const struct yaml_node *root, struct config *config, struct failure *failure)
{
    int result = local_as_read(yaml_get(root, "local_as"), config, failure);

    result = result ? result : checks_relate(root, config, failure);
    for (size_t i = 0; result == 0 && i < config->vips_n; i++) {
        result = vip_read(root, i, config, failure);
    }
    result = result ? result : soft_withdraw_read(yaml_get(root, "soft_withdraw"), config, failure);
    return result ? result : damping_read(yaml_get(root, "damping"), config, failure);
}

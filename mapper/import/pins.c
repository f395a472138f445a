/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/pins.h"

#include "mapper/key.h"
#include "maps/image_abi.h"

#define PIN_POPS 8u /* of one pin */

struct pins {
    const struct model *model;
    const struct model_map *map;
    enum map_family family;
    struct text *text;
    uint64_t rows;
};

static void row_add(struct pins *pins, struct map_key first, unsigned len, uint32_t list)
{
    const struct model_list *pops = &pins->model->list[list];
    struct prefix prefix = {.address = key_to_address(first, pins->family), .len = (uint8_t)len};
    char text[ADDRESS_TEXT_LEN];

    if (key_from_prefix(&prefix).family != pins->family || pops->n == 0) {
        return; /* IPv6 that stands for IPv4 is looked up as that */
    }
    text_string(pins->text, prefix_format(&prefix, text));
    text_string(pins->text, ",");
    text_string(pins->text, pins->map->name);
    text_string(pins->text, ",");
    for (size_t i = 0; i < pops->n && i < PIN_POPS; i++) {
        text_string(pins->text, i ? " " : "");
        text_string(pins->text, pins->model->pop[pops->pop[i]].name);
    }
    text_string(pins->text, "\n");
    pins->rows++;
}

/* How long the largest block is that starts at `first` and ends at or before `last`. */
static unsigned block_len(struct map_key first, struct map_key last, unsigned bits)
{
    unsigned len = bits;

    while (len > 0 && key_compare(key_first(first, len - 1), first) == 0 &&
           key_compare(key_last(first, len - 1), last) <= 0) {
        len--;
    }
    return len;
}

/* The fewest blocks from `first` to `last`. */
static void range_add(struct pins *pins, struct map_key first, struct map_key last, uint32_t list)
{
    unsigned bits = pins->family == MAP_FAMILY_IPV4 ? 32 : 128;
    bool more = true;

    while (more && key_compare(first, last) <= 0) {
        unsigned len = block_len(first, last, bits);

        row_add(pins, first, len, list);
        first = key_last(first, len);
        more = key_advance(&first);
    }
}

/* The last position of step `index`. */
static struct map_key step_last(const struct steps *steps, size_t index)
{
    struct map_key last = {UINT64_MAX, UINT64_MAX};

    if (index + 1 < steps->n) {
        last = steps_start(steps, index + 1);
        last.lo--;
        last.hi -= last.lo == UINT64_MAX;
    }
    return last;
}

static bool is_uniform(const struct steps *steps)
{
    return steps->n == 1 && key_compare(steps_start(steps, 0), (struct map_key){0, 0}) == 0;
}

static void family_add(struct pins *pins)
{
    const struct steps *steps = &pins->map->ranking[pins->family];
    uint32_t everybody = pins->map->elsewhere;

    if (is_uniform(steps) && steps->value[0] != STEPS_NONE) {
        everybody = steps->value[0];
    }
    row_add(pins, (struct map_key){0, 0}, 0, everybody);
    for (size_t i = 0; i < steps->n; i++) {
        if (steps->value[i] != STEPS_NONE && steps->value[i] != everybody) {
            range_add(pins, steps_start(steps, i), step_last(steps, i), steps->value[i]);
        }
    }
}

uint64_t pins_add(const struct model *model, struct text *text)
{
    struct pins pins = {.model = model, .text = text};

    text_string(text, "prefix,map,pops\n");
    for (size_t i = 0; i < model->map_n; i++) {
        for (int family = 0; family < MAP_FAMILIES; family++) {
            pins.map = &model->map[i];
            pins.family = (enum map_family)family;
            family_add(&pins);
        }
    }
    return pins.rows;
}

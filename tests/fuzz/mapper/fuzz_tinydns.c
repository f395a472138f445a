/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "mapper/import/pins.h"
#include "mapper/import/tinydns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Each line of a zone is one record; each service has a site, of PoPs that its map ranks. */
static void model_check(const struct model *model)
{
    for (size_t i = 0; i < model->zone_n; i++) {
        const char *text = model->zone[i].text.bytes;

        for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
            if (!strchr(line, '\n') || *line == '\t') {
                abort();
            }
        }
    }
    for (size_t i = 0; i < model->service_n; i++) {
        const struct model_service *service = &model->service[i];
        const struct model_list *order = &model->list[model->map[service->map].order];

        for (size_t k = 0; k < service->site_n; k++) {
            if (!memchr(order->pop, (int)service->site[k].pop, order->n)) {
                abort();
            }
        }
        if (service->site_n == 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct model *model = malloc(sizeof(*model));
    struct text pins = {0};
    struct failure failure;

    if (model && model_init(model) == 0) {
        if (tinydns_import_bytes("fuzz", bytes, len, 1, 1700000000, model, &failure) == 0) {
            model_check(model);
            (void)pins_add(model, &pins);
        }
        text_done(&pins);
        model_done(model);
    }
    free(model);
    return 0;
}

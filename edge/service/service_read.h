/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One service of services.yaml into a struct service. Part of loading services.
 */
#ifndef EDGE_SERVICE_READ_H
#define EDGE_SERVICE_READ_H

#include "base/failure.h"
#include "edge/service/services.h"

struct arena;
struct yaml_node;

struct service_reader {
    struct arena *arena;       /* takes the addresses */
    const struct image *image; /* NULL: no service can be read */
    bool form_only;            /* without an image, look at the form; the service is of no use */
    struct failure *failure;
};

/* Fills all of `service`, whose name is set, but its index. Fails with FILE:LINE:COL: reason. */
int service_read(const struct service_reader *reader, const struct yaml_node *node,
                 struct service *service);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/serve/serve.h"

size_t serve_admit(const struct serve_context *context, const struct address *client,
                   enum answer_transport transport, uint8_t *response, size_t len,
                   struct answer_outcome *outcome)
{
    enum admit_class class;
    enum admit_verdict verdict = admission_judge(context->snapshot->admission, client, transport,
                                                 outcome, context->now_coarse_ns, &class);

    if (verdict == ADMIT_SEND) {
        return len;
    }
    counters_add_limited(context->counters, class, verdict);
    return verdict == ADMIT_SLIP ? admission_shorten(response, len, outcome) : 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/judge.h"

#include <stddef.h>

#include "edge/compare/exchange.h"
#include "edge/compare/reply.h"

struct answers {
    struct reply udp;
    struct reply tcp;
};

static int answers_parse(struct answers *answers, const struct exchange *exchange, bool fold)
{
    int status = 0;

    *answers = (struct answers){0};
    if (exchange->udp.bytes) {
        status = reply_parse(&answers->udp, exchange->udp.bytes, exchange->udp.len, fold);
    }
    if (!status && exchange->tcp.bytes) {
        status = reply_parse(&answers->tcp, exchange->tcp.bytes, exchange->tcp.len, fold);
    }
    return status;
}

static const struct reply *answers_whole(const struct answers *answers)
{
    return answers->tcp.bytes ? &answers->tcp : &answers->udp;
}

static void judge_answers(struct difference *difference, const struct difference_rules *rules,
                          const struct answers *olds, const struct answers *news)
{
    struct difference_rules rest = *rules;

    if (olds->udp.bytes && news->udp.bytes && (olds->tcp.bytes || news->tcp.bytes)) {
        /* One of the UDP answers was cut short: what is left in it is no promise, its header is. */
        difference_find_header(difference, rules, &olds->udp, &news->udp);
        /* TC differs between transports by design; other faults are told once, not for each */
        rest.ignored |= difference->classes | UINT32_C(1) << DIFFERENCE_TRUNCATION;
    }
    difference_find(difference, &rest, answers_whole(olds), answers_whole(news));
}

static const char *answer_text(const struct exchange *exchange)
{
    return exchange->reason ? exchange->reason : "an answer";
}

bool judge(struct difference *ret_difference, const struct difference_rules *rules, bool fold,
           const struct exchange *old_exchange, const struct exchange *new_exchange)
{
    struct answers olds = {{0}, {0}};
    struct answers news = {{0}, {0}};

    if (old_exchange->reason && new_exchange->reason) {
        return false;
    }
    if (old_exchange->reason || new_exchange->reason) {
        difference_add(ret_difference, rules, DIFFERENCE_NO_ANSWER, answer_text(old_exchange),
                       answer_text(new_exchange));
        return true;
    }
    if (answers_parse(&olds, old_exchange, fold) || answers_parse(&news, new_exchange, fold)) {
        ret_difference->failed = true;
    } else {
        judge_answers(ret_difference, rules, &olds, &news);
    }
    reply_done(&olds.udp);
    reply_done(&olds.tcp);
    reply_done(&news.udp);
    reply_done(&news.tcp);
    return true;
}

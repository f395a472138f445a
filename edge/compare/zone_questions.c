/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "edge/compare/zone_questions.h"

#include <stddef.h>
#include <string.h>

#include "edge/compare/question.h"
#include "edge/wire/wire.h"
#include "edge/zone/zone.h"

/* Types that are asked for whether a name has them or not: what resolvers ask for most, what a
 * delegation treats specially, and one nobody has. */
static const uint16_t types_always[] = {WIRE_TYPE_A,   WIRE_TYPE_AAAA, WIRE_TYPE_NS,
                                        WIRE_TYPE_SOA, WIRE_TYPE_MX,   WIRE_TYPE_TXT,
                                        WIRE_TYPE_DS,  WIRE_TYPE_ANY,  65280};
#define TYPES_ALWAYS_N (sizeof(types_always) / sizeof(types_always[0]))

enum step {
    STEP_LETTERS, /* in capitals */
    STEP_BELOW,
    STEP_BELOW_TYPE, /* a type other than A there */
    STEP_DEEPER,     /* two labels below */
    STEP_BESIDE,
    STEP_WILDCARD, /* the name "*" below it, as a name */
    STEP_N,
};

void zone_questions_init(struct zone_questions *ret_questions, const struct zone *zone)
{
    *ret_questions = (struct zone_questions){.zone = zone};
}

/* Puts `labels`, in wire form without the root, before the name from label `skip` on. False when
 * that is too long. */
static bool make_name(uint8_t *ret_name, const char *labels, const uint8_t *name, unsigned skip)
{
    const size_t before = strlen(labels);

    for (; skip > 0 && name[0]; skip--) {
        name += (size_t)name[0] + 1;
    }
    if (before + name_len(name) > NAME_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < before; i++) {
        ret_name[i] = (uint8_t)labels[i];
    }
    memcpy(ret_name + before, name, name_len(name));
    return true;
}

static bool step_question(struct question *question, const struct zone_node *node, enum step step)
{
    uint8_t name[NAME_LEN_MAX + NAME_SLACK + 1] = {0};
    uint16_t type = WIRE_TYPE_A;
    bool possible = false;

    switch (step) {
    case STEP_LETTERS:
        possible = make_name(name, "", node->name, 0);
        for (size_t i = 0; i < NAME_LEN_MAX; i++) { /* lengths are below 'a' */
            name[i] = name[i] >= 'a' && name[i] <= 'z' ? (uint8_t)(name[i] - 32) : name[i];
        }
        type = node->rrset_n ? node->rrsets[0].type : type;
        break;
    case STEP_BELOW_TYPE:
        type = WIRE_TYPE_MX;
        possible = make_name(name, "\6absent", node->name, 0);
        break;
    case STEP_BELOW:
        possible = make_name(name, "\6absent", node->name, 0);
        break;
    case STEP_DEEPER:
        possible = make_name(name, "\4deep\6absent", node->name, 0);
        break;
    case STEP_BESIDE:
        possible = node->label_n > 0 && make_name(name, "\6absent", node->name, 1);
        break;
    case STEP_WILDCARD:
        possible = make_name(name, "\1*", node->name, 0);
        break;
    case STEP_N:
        break;
    }
    if (possible) {
        question_init(question, name, type);
        question->flags = 0;
    }
    return possible;
}

/* Is the type of this RRset also that of one before it (RRSIGs of several types), or always asked?
 */
static bool asked_anyway(const struct zone_rrset *rrsets, uint32_t index)
{
    for (size_t i = 0; i < TYPES_ALWAYS_N; i++) {
        if (types_always[i] == rrsets[index].type) {
            return true;
        }
    }
    for (uint32_t i = 0; i < index; i++) {
        if (rrsets[i].type == rrsets[index].type) {
            return true;
        }
    }
    return false;
}

bool zone_questions_next(struct zone_questions *questions, struct question *ret_question)
{
    while (questions->node < questions->zone->node_n) {
        const struct zone_node *node = &questions->zone->nodes[questions->node];
        const uint32_t step = questions->step++;

        if (step < node->rrset_n) {
            if (!asked_anyway(node->rrsets, step)) {
                question_init(ret_question, node->name, node->rrsets[step].type);
                ret_question->flags = 0;
                return true;
            }
        } else if (step - node->rrset_n < TYPES_ALWAYS_N) {
            question_init(ret_question, node->name, types_always[step - node->rrset_n]);
            ret_question->flags = 0;
            return true;
        } else if (step - node->rrset_n - TYPES_ALWAYS_N < STEP_N) {
            if (step_question(ret_question, node,
                              (enum step)(step - node->rrset_n - TYPES_ALWAYS_N))) {
                return true;
            }
        } else {
            questions->node++;
            questions->step = 0;
        }
    }
    return false;
}

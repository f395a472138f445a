/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Builds the tree from libyaml's events. Recursion and its bound are ours: a stack of open lists
 * and maps.
 */
#include "base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/yaml_node.h"

#define MAX_BYTES ((size_t)64 << 20)
#define MAX_DEPTH 32
#define MAX_NODES ((size_t)4 << 20) /* "[,,," makes a node of every other byte */

struct yaml_document {
    struct arena *arena;
    const char *name;
    const struct yaml_node *root;
};

/* A list or map whose end has not come yet. */
struct frame {
    struct yaml_node *node;
    const struct yaml_node **children;
    size_t count, capacity;
    const char *key; /* of a map: read, its value still to come */
    yaml_mark_t key_mark;
};

struct builder {
    struct yaml_document *document;
    struct frame frames[MAX_DEPTH];
    size_t depth;
    size_t node_count;
    bool document_seen;
    struct failure *failure;
};

static int fail_at(const struct builder *builder, yaml_mark_t mark, int code, const char *reason)
{
    return failure_set(builder->failure, code, "%s:%zu:%zu: %s", builder->document->name,
                       mark.line + 1, mark.column + 1, reason);
}

static int fail_memory(const struct builder *builder)
{
    return failure_set(builder->failure, -ENOMEM, "%s: %s", builder->document->name,
                       strerror(ENOMEM));
}

/* The reader (bytes to characters) knows no lines, only how far it came. */
static yaml_mark_t mark_of_offset(const uint8_t *bytes, size_t len, size_t offset)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < len && i < offset; i++) {
        if (bytes[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((bytes[i] & 0xc0) != 0x80) { /* not the rest of a UTF-8 character */
            mark.column++;
        }
    }
    return mark;
}

static int fail_parser(const struct builder *builder, const yaml_parser_t *parser,
                       const uint8_t *bytes, size_t len)
{
    const char *problem = parser->problem ? parser->problem : "not YAML";
    yaml_mark_t mark = parser->problem_mark;

    if (parser->error == YAML_MEMORY_ERROR) {
        return fail_memory(builder);
    }
    if (parser->error == YAML_READER_ERROR) {
        mark = mark_of_offset(bytes, len, parser->problem_offset);
    }
    if (!parser->context) {
        return fail_at(builder, mark, -EINVAL, problem);
    }
    return failure_set(builder->failure, -EINVAL, "%s:%zu:%zu: %s (%s that starts in line %zu)",
                       builder->document->name, mark.line + 1, mark.column + 1, problem,
                       parser->context, parser->context_mark.line + 1);
}

static struct frame *frame_top(struct builder *builder)
{
    return builder->depth ? &builder->frames[builder->depth - 1] : NULL;
}

static int frame_append(struct frame *frame, const struct yaml_node *child)
{
    if (frame->count == frame->capacity) {
        size_t capacity = frame->capacity ? frame->capacity * 2 : 8;
        const struct yaml_node **children =
            reallocarray(frame->children, capacity, sizeof(*children));

        if (!children) {
            return -ENOMEM;
        }
        frame->children = children;
        frame->capacity = capacity;
    }
    frame->children[frame->count++] = child;
    return 0;
}

/* A new node in its place: the root, or a child of the innermost open list or map. */
static int node_add(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark,
                    struct yaml_node **ret_node)
{
    struct frame *parent = frame_top(builder);
    struct yaml_node *node;

    if (++builder->node_count > MAX_NODES) {
        return fail_at(builder, mark, -E2BIG, "too many values in one file");
    }
    node = arena_alloc(builder->document->arena, sizeof(*node));
    if (!node || (parent && frame_append(parent, node) < 0)) {
        return fail_memory(builder);
    }
    node->document = builder->document;
    node->kind = kind;
    node->line = (uint32_t)mark.line + 1;
    node->column = (uint32_t)mark.column + 1;
    if (!parent) {
        builder->document->root = node;
    } else if (parent->key) {
        node->key = parent->key;
        node->key_line = (uint32_t)parent->key_mark.line + 1;
        node->key_column = (uint32_t)parent->key_mark.column + 1;
        parent->key = NULL;
    }
    *ret_node = node;
    return 0;
}

static bool wants_key(struct builder *builder)
{
    struct frame *top = frame_top(builder);

    return top && top->node->kind == YAML_KIND_MAP && !top->key;
}

static int take_scalar(struct builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    struct yaml_node *node;
    char *text;
    int err;

    if (memchr(value, '\0', len)) {
        return fail_at(builder, event->start_mark, -EINVAL, "text with a NUL character in it");
    }
    text = arena_copy(builder->document->arena, value, len);
    if (!text) {
        return fail_memory(builder);
    }
    if (wants_key(builder)) {
        if (len == 0) {
            return fail_at(builder, event->start_mark, -EINVAL, "a key is missing");
        }
        frame_top(builder)->key = text;
        frame_top(builder)->key_mark = event->start_mark;
        return 0;
    }
    err = node_add(builder, YAML_KIND_SCALAR, event->start_mark, &node);
    if (err < 0) {
        return err;
    }
    node->text = text;
    node->len = len;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

static int open_frame(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node;
    int err;

    if (wants_key(builder)) {
        return fail_at(builder, mark, -EINVAL, "a key must be text, not a list or map");
    }
    if (builder->depth == MAX_DEPTH) {
        return fail_at(builder, mark, -EINVAL, "nested too deeply");
    }
    err = node_add(builder, kind, mark, &node);
    if (err < 0) {
        return err;
    }
    builder->frames[builder->depth++] = (struct frame){.node = node};
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *const *left = a, *const *right = b;
    int order = strcmp((*left)->key, (*right)->key);

    if (order == 0 && (*left)->key_line != (*right)->key_line) {
        order = (*left)->key_line < (*right)->key_line ? -1 : 1;
    } else if (order == 0 && (*left)->key_column != (*right)->key_column) {
        order = (*left)->key_column < (*right)->key_column ? -1 : 1;
    }
    return order;
}

static int index_keys(const struct builder *builder, struct yaml_node *map)
{
    size_t size = map->len * sizeof(const struct yaml_node *);

    map->by_key = arena_alloc(builder->document->arena, size);
    if (!map->by_key) {
        return fail_memory(builder);
    }
    if (map->len == 0) {
        return 0;
    }
    memcpy(map->by_key, map->children, size);
    qsort(map->by_key, map->len, sizeof(const struct yaml_node *), compare_keys);
    for (size_t i = 1; i < map->len; i++) {
        const struct yaml_node *earlier = map->by_key[i - 1], *later = map->by_key[i];

        if (strcmp(earlier->key, later->key) == 0) {
            return yaml_fail_at_key(later, -EINVAL, builder->failure,
                                    "the key \"%.64s\" is already in line %u", later->key,
                                    (unsigned)earlier->key_line);
        }
    }
    return 0;
}

static int close_frame(struct builder *builder)
{
    struct frame *frame = frame_top(builder);
    struct yaml_node *node = frame->node;
    const struct yaml_node **children =
        arena_alloc(builder->document->arena, frame->count * sizeof(*children));

    if (!children) {
        return fail_memory(builder);
    }
    if (frame->count) {
        memcpy(children, frame->children, frame->count * sizeof(*children));
    }
    node->children = children;
    node->len = frame->count;
    free(frame->children);
    frame->children = NULL;
    builder->depth--;
    return node->kind == YAML_KIND_MAP ? index_keys(builder, node) : 0;
}

/* Properties that make a value differ from what is written in its place. */
static int refuse_properties(const struct builder *builder, const yaml_event_t *event,
                             const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor) {
        return fail_at(builder, event->start_mark, -EINVAL, "anchors are not supported");
    }
    if (tag) {
        return fail_at(builder, event->start_mark, -EINVAL, "tags are not supported");
    }
    return 0;
}

static int take_document_start(struct builder *builder, const yaml_event_t *event)
{
    if (builder->document_seen) {
        return fail_at(builder, event->start_mark, -EINVAL, "more than one document in a file");
    }
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end) {
        return fail_at(builder, event->start_mark, -EINVAL, "tags are not supported");
    }
    builder->document_seen = true;
    return 0;
}

static int take_event(struct builder *builder, const yaml_event_t *event)
{
    int err;

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return take_document_start(builder, event);
    case YAML_ALIAS_EVENT:
        return fail_at(builder, event->start_mark, -EINVAL, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        err = refuse_properties(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
        return err < 0 ? err : take_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        err = refuse_properties(builder, event, event->data.sequence_start.anchor,
                                event->data.sequence_start.tag);
        return err < 0 ? err : open_frame(builder, YAML_KIND_LIST, event->start_mark);
    case YAML_MAPPING_START_EVENT:
        err = refuse_properties(builder, event, event->data.mapping_start.anchor,
                                event->data.mapping_start.tag);
        return err < 0 ? err : open_frame(builder, YAML_KIND_MAP, event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_frame(builder);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 0;
}

static int build(struct builder *builder, const uint8_t *bytes, size_t len)
{
    yaml_parser_t parser;
    bool ended = false;
    int err = 0;

    if (!yaml_parser_initialize(&parser)) {
        return fail_memory(builder);
    }
    yaml_parser_set_input_string(&parser, bytes, len);
    while (err == 0 && !ended) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            err = fail_parser(builder, &parser, bytes, len);
            break;
        }
        err = take_event(builder, &event);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    while (builder->depth > 0) {
        free(builder->frames[--builder->depth].children);
    }
    return err;
}

/* Nothing at all, only comments, or "---": an empty map, so that callers need not care. */
static int settle_root(struct builder *builder)
{
    const struct yaml_node *root = builder->document->root;
    int err;

    if (root && !(root->kind == YAML_KIND_SCALAR && root->plain && root->len == 0)) {
        return 0;
    }
    err = open_frame(builder, YAML_KIND_MAP, (yaml_mark_t){0});
    return err < 0 ? err : close_frame(builder);
}

int yaml_load_bytes(const char *name, const uint8_t *bytes, size_t len,
                    struct yaml_document **ret_document, struct failure *failure)
{
    struct builder builder = {.failure = failure};
    struct yaml_document *document = calloc(1, sizeof(*document));
    int err;

    if (len > MAX_BYTES) {
        free(document);
        return failure_set(failure, -EFBIG, "%s: longer than %zu bytes", name, MAX_BYTES);
    }
    if (document) {
        document->arena = arena_new();
    }
    if (document && document->arena) {
        document->name = arena_copy(document->arena, name, strlen(name));
    }
    if (!document || !document->name) {
        yaml_unload(document);
        return failure_set(failure, -ENOMEM, "%s: %s", name, strerror(ENOMEM));
    }
    builder.document = document;
    err = build(&builder, bytes, len);
    if (err == 0) {
        err = settle_root(&builder);
    }
    if (err < 0) {
        yaml_unload(document);
        return err;
    }
    *ret_document = document;
    return 0;
}

int yaml_load_file(const char *path, struct yaml_document **ret_document, struct failure *failure)
{
    uint8_t *bytes;
    size_t len;
    int err = fd_read_file(path, MAX_BYTES, &bytes, &len, failure);

    if (err < 0) {
        return err;
    }
    err = yaml_load_bytes(path, bytes, len, ret_document, failure);
    free(bytes);
    return err;
}

void yaml_unload(struct yaml_document *document)
{
    if (document) {
        arena_free(document->arena);
        free(document);
    }
}

const struct yaml_node *yaml_root(const struct yaml_document *document)
{
    return document->root;
}

const char *yaml_file(const struct yaml_node *node)
{
    return node->document->name;
}

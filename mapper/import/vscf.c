/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A recursive descent over the bytes of one file. Every step looks at most one byte ahead and asks
 * reader_peek() for it, which knows the end.
 */
#include "mapper/import/vscf.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fd.h"

#define VSCF_FILE_MAX ((size_t)256 << 20)
#define VSCF_NODES_MAX (16u << 20)
#define VSCF_DEPTH_MAX 64u
#define VSCF_INCLUDES_MAX 16u
#define END (-1)

struct reader {
    struct arena *arena;
    struct failure *failure;
    const char *file;
    const uint8_t *bytes;
    size_t len;
    size_t at;
    uint32_t line;
    unsigned depth;
    unsigned include_depth;
    size_t *nodes_left; /* of the whole load */
};

/* The children of a hash or list while it is read. */
struct children {
    struct vscf **item;
    size_t n;
    size_t capacity;
};

static int value_read(struct reader *reader, struct vscf **ret_node);
static int container_read(struct reader *reader, bool is_hash, int close, struct vscf *node);
static int file_read(const struct reader *outer, const char *path, struct vscf **ret_root);

#define reader_fail(reader, ...)                                                                   \
    failure_code(reader_describe((reader), (reader)->line, __VA_ARGS__), -EINVAL)

static int reader_describe(const struct reader *reader, uint32_t line, const char *reason,
                           const char *what)
{
    (void)failure_set(reader->failure, 0, "%s:%u: %s%s%.100s%s", reader->file, line, reason,
                      what ? " \"" : "", what ? what : "", what ? "\"" : "");
    return 0;
}

static int out_of_memory(const struct reader *reader)
{
    return failure_set(reader->failure, -ENOMEM, "out of memory");
}

static int reader_peek(const struct reader *reader)
{
    return reader->at < reader->len ? reader->bytes[reader->at] : END;
}

static int reader_take(struct reader *reader)
{
    int byte = reader_peek(reader);

    reader->at += byte != END;
    reader->line += byte == '\n';
    return byte;
}

/* White space, comments and, between values, commas. */
static void blanks_skip(struct reader *reader, bool commas)
{
    for (int byte = reader_peek(reader); byte != END; byte = reader_peek(reader)) {
        if (byte == '#' || byte == ';') {
            while (byte != END && byte != '\n') {
                byte = reader_take(reader);
            }
        } else if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' ||
                   (commas && byte == ',')) {
            (void)reader_take(reader);
        } else {
            return;
        }
    }
}

static bool is_bare(int byte)
{
    return byte != END && byte > ' ' && byte != 127 && !strchr("][}{;#,\"=", byte);
}

/* One byte behind a backslash: "\X" is X, "\DDD" the byte with that number. */
static int escape_take(struct reader *reader, uint8_t *ret_byte)
{
    int byte = reader_take(reader);
    unsigned value = 0;

    if (byte == END) {
        return reader_fail(reader, "the file ends inside an escape", NULL);
    }
    if (byte < '0' || byte > '9') {
        *ret_byte = (uint8_t)byte;
        return 0;
    }
    for (int i = 0; i < 3; i++) {
        if (byte < '0' || byte > '9') {
            return reader_fail(reader, "an escape has one other byte or three digits", NULL);
        }
        value = value * 10 + (unsigned)(byte - '0');
        byte = i < 2 ? reader_take(reader) : 0;
    }
    if (value > 255) {
        return reader_fail(reader, "an escape is over \\255", NULL);
    }
    *ret_byte = (uint8_t)value;
    return 0;
}

/* The bytes of a text; `ret_text` has room for all that is left of the file. */
static int text_bytes(struct reader *reader, uint8_t *text, size_t *ret_len)
{
    bool quoted = reader_peek(reader) == '"';
    size_t n = 0;
    int err = 0;

    if (quoted) {
        (void)reader_take(reader);
    }
    while (!err) {
        int byte = reader_peek(reader);

        if (quoted ? byte == '"' : !is_bare(byte) && byte != '\\') {
            break;
        }
        if (byte == END) {
            return reader_fail(reader, "the file ends inside a quoted text", NULL);
        }
        (void)reader_take(reader);
        text[n] = (uint8_t)byte;
        err = byte == '\\' ? escape_take(reader, &text[n]) : 0;
        if (!err && text[n] == 0) {
            return reader_fail(reader, "a NUL byte in a text", NULL);
        }
        n++;
    }
    if (quoted) {
        (void)reader_take(reader);
    }
    *ret_len = n;
    return err;
}

/* Where the longest text that may start here ends, escapes included: a bound for its copy. */
static size_t text_bound(const struct reader *reader)
{
    size_t at = reader->at;

    if (at < reader->len && reader->bytes[at] == '"') {
        for (at++; at < reader->len && reader->bytes[at] != '"'; at++) {
            at += reader->bytes[at] == '\\';
        }
    } else {
        while (at < reader->len && (is_bare(reader->bytes[at]) || reader->bytes[at] == '\\')) {
            at += reader->bytes[at] == '\\' ? 2 : 1;
        }
    }
    return (at < reader->len ? at : reader->len) - reader->at;
}

static int text_read(struct reader *reader, const char **ret_text)
{
    uint8_t *text;
    size_t n;
    int byte = reader_peek(reader);
    int err;

    if (byte != '"' && byte != '\\' && !is_bare(byte)) {
        return reader_fail(reader,
                           byte == END ? "the file ends where a text should stand"
                                       : "a text should stand here",
                           NULL);
    }
    text = arena_pack(reader->arena, text_bound(reader) + 1, 1);
    if (!text) {
        return out_of_memory(reader);
    }
    err = text_bytes(reader, text, &n);
    if (!err) {
        text[n] = '\0';
        *ret_text = (const char *)text;
    }
    return err;
}

static int node_new(struct reader *reader, enum vscf_kind kind, struct vscf **ret_node)
{
    struct vscf *node;

    if (*reader->nodes_left == 0) {
        return reader_fail(reader, "too many values", NULL);
    }
    --*reader->nodes_left;
    node = arena_alloc(reader->arena, sizeof(*node));
    if (!node) {
        return out_of_memory(reader);
    }
    *node = (struct vscf){.kind = kind, .line = reader->line, .file = reader->file};
    *ret_node = node;
    return 0;
}

static int children_add(const struct reader *reader, struct children *children, struct vscf *node)
{
    if (children->n == children->capacity) {
        size_t capacity = children->capacity ? children->capacity * 2 : 8;
        struct vscf **item = realloc(children->item, capacity * sizeof(*item));

        if (!item) {
            return out_of_memory(reader);
        }
        children->item = item;
        children->capacity = capacity;
    }
    children->item[children->n++] = node;
    return 0;
}

static int key_compare_nodes(const void *a, const void *b)
{
    const struct vscf *const *left = a;
    const struct vscf *const *right = b;
    int order = strcmp((*left)->key, (*right)->key);

    return order ? order : ((*left)->line > (*right)->line) - ((*left)->line < (*right)->line);
}

/* gdnsd refuses a key that stands twice in one hash, wherever it was included from. */
static int duplicates_check(struct reader *reader, const struct children *children)
{
    struct vscf **sorted = malloc((children->n + 1) * sizeof(*sorted));
    int err = 0;

    if (!sorted) {
        return out_of_memory(reader);
    }
    if (children->n) {
        memcpy(sorted, children->item, children->n * sizeof(*sorted));
        qsort(sorted, children->n, sizeof(*sorted), key_compare_nodes);
    }
    for (size_t i = 1; i < children->n && !err; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0) {
            err = failure_set(reader->failure, -EINVAL, "%s:%u: the key \"%.100s\" stands twice",
                              sorted[i]->file, sorted[i]->line, sorted[i]->key);
        }
    }
    free(sorted);
    return err;
}

/* "$include{PATH}" behind its "$": the path, resolved beside this file. Malloc'ed. */
static int include_path(struct reader *reader, char **ret_path)
{
    static const char word[] = "$include{";
    const char *text;
    int err;

    for (size_t i = 0; word[i]; i++) {
        if (reader_take(reader) != word[i]) {
            return reader_fail(reader, "only $include{PATH} may start with $", NULL);
        }
    }
    if (reader->include_depth == VSCF_INCLUDES_MAX) {
        return reader_fail(reader, "files include each other too deeply", NULL);
    }
    blanks_skip(reader, false);
    err = text_read(reader, &text);
    if (err) {
        return err;
    }
    blanks_skip(reader, false);
    if (reader_take(reader) != '}') {
        return reader_fail(reader, "$include{PATH} lacks its brace", NULL);
    }
    *ret_path = fd_resolve_path(reader->file, text);
    return *ret_path ? 0 : out_of_memory(reader);
}

/* The files a path stands for: itself as a pattern, or all files of the folder it is. To be freed
 * also on failure, if there are any. */
static int include_glob(struct reader *reader, const char *path, glob_t *ret_files)
{
    struct stat status;
    bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    char *pattern;
    int found;

    if (asprintf(&pattern, "%s%s", path, is_folder ? "/*" : "") < 0) {
        return out_of_memory(reader);
    }
    found = glob(pattern, GLOB_ERR, NULL, ret_files);
    free(pattern);
    if (found == 0 || (found == GLOB_NOMATCH && is_folder)) {
        return 0;
    }
    return reader_fail(reader, "cannot include", path);
}

/* Where a key is expected: the entries of the included hashes become this hash's own. */
static int include_merge(struct reader *reader, struct children *children)
{
    glob_t files = {0};
    char *path = NULL;
    int err = include_path(reader, &path);

    err = err ? err : include_glob(reader, path, &files);
    for (size_t i = 0; !err && i < files.gl_pathc; i++) {
        struct vscf *root = NULL;

        err = file_read(reader, files.gl_pathv[i], &root);
        if (!err && root->kind != VSCF_HASH) {
            err = reader_fail(reader, "only a file of keys can be included here, not",
                              files.gl_pathv[i]);
        }
        for (uint32_t k = 0; !err && k < root->n; k++) {
            err = children_add(reader, children, root->child[k]);
        }
    }
    if (files.gl_pathv) {
        globfree(&files);
    }
    free(path);
    return err;
}

/* Where a value is expected: the one included file is the value. */
static int include_value(struct reader *reader, struct vscf **ret_node)
{
    glob_t files = {0};
    char *path = NULL;
    int err = include_path(reader, &path);

    err = err ? err : include_glob(reader, path, &files);
    if (!err && files.gl_pathc != 1) {
        err = reader_fail(reader, "exactly one file can be a value, not", path);
    }
    err = err ? err : file_read(reader, files.gl_pathv[0], ret_node);
    if (files.gl_pathv) {
        globfree(&files);
    }
    free(path);
    return err;
}

static int entry_read(struct reader *reader, struct vscf **ret_node)
{
    uint32_t line = reader->line;
    const char *key;
    int err = text_read(reader, &key);

    if (err) {
        return err;
    }
    blanks_skip(reader, false);
    if (reader_take(reader) != '=') {
        return reader_fail(reader, "no = or => behind the key", key);
    }
    if (reader_peek(reader) == '>') {
        (void)reader_take(reader);
    }
    blanks_skip(reader, false);
    err = value_read(reader, ret_node);
    if (!err) {
        (*ret_node)->key = key;
        (*ret_node)->line = line;
        (*ret_node)->file = reader->file;
    }
    return err;
}

static int children_read(struct reader *reader, bool is_hash, int close, struct children *children)
{
    int err = 0;

    while (!err) {
        struct vscf *node = NULL;
        int byte;

        blanks_skip(reader, true);
        byte = reader_peek(reader);
        if (byte == close) {
            (void)reader_take(reader);
            return 0;
        }
        if (byte == END) {
            return reader_fail(reader, "the file ends inside braces", NULL);
        }
        if (is_hash && byte == '$') {
            err = include_merge(reader, children);
            continue;
        }
        err = is_hash ? entry_read(reader, &node) : value_read(reader, &node);
        err = err ? err : children_add(reader, children, node);
    }
    return err;
}

/* Up to `close`; END is the end of the file. */
static int container_read(struct reader *reader, bool is_hash, int close, struct vscf *node)
{
    struct children children = {0};
    int err;

    if (reader->depth == VSCF_DEPTH_MAX) {
        return reader_fail(reader, "values are nested too deeply", NULL);
    }
    reader->depth++;
    err = children_read(reader, is_hash, close, &children);
    reader->depth--;
    err = err || !is_hash ? err : duplicates_check(reader, &children);
    if (!err && children.n) {
        struct vscf **kept = arena_alloc(reader->arena, children.n * sizeof(*kept));

        if (kept) {
            memcpy(kept, children.item, children.n * sizeof(*kept));
            node->child = kept;
            node->n = (uint32_t)children.n;
        }
        err = kept ? 0 : out_of_memory(reader);
    }
    free(children.item);
    return err;
}

static int text_value_read(struct reader *reader, struct vscf *node)
{
    size_t start = reader->at;
    bool quoted = reader_peek(reader) == '"';
    int err = text_read(reader, &node->text);

    if (err) {
        return err;
    }
    node->raw = arena_copy(reader->arena, reader->bytes + start + quoted,
                           reader->at - start - 2 * (size_t)quoted);
    return node->raw ? 0 : out_of_memory(reader);
}

static int value_read(struct reader *reader, struct vscf **ret_node)
{
    int byte = reader_peek(reader);
    int err;

    if (byte == '$') {
        return include_value(reader, ret_node);
    }
    err = node_new(reader, byte == '{' ? VSCF_HASH : byte == '[' ? VSCF_LIST : VSCF_TEXT, ret_node);
    if (err) {
        return err;
    }
    if (byte == '{' || byte == '[') {
        (void)reader_take(reader);
        return container_read(reader, byte == '{', byte == '{' ? '}' : ']', *ret_node);
    }
    return text_value_read(reader, *ret_node);
}

/* A whole file: an implicit hash, or one list. */
static int root_read(struct reader *reader, struct vscf **ret_root)
{
    int err;

    blanks_skip(reader, false);
    if (reader_peek(reader) == '[') {
        err = value_read(reader, ret_root);
        blanks_skip(reader, false);
        return err || reader_peek(reader) == END
                   ? err
                   : reader_fail(reader, "something behind the list that the file is", NULL);
    }
    err = node_new(reader, VSCF_HASH, ret_root);
    return err ? err : container_read(reader, true, END, *ret_root);
}

static int file_read(const struct reader *outer, const char *path, struct vscf **ret_root)
{
    struct reader reader = *outer;
    uint8_t *bytes = NULL;
    int err;

    reader.file = arena_copy(reader.arena, path, strlen(path));
    if (!reader.file) {
        return out_of_memory(outer);
    }
    reader.at = 0;
    reader.line = 1;
    reader.include_depth++;
    err = fd_read_file(path, VSCF_FILE_MAX, &bytes, &reader.len, reader.failure);
    reader.bytes = bytes;
    err = err ? err : root_read(&reader, ret_root);
    free(bytes);
    return err;
}

int vscf_load_file(struct arena *arena, const char *path, const struct vscf **ret_root,
                   struct failure *failure)
{
    size_t nodes_left = VSCF_NODES_MAX;
    struct reader outer = {.arena = arena, .failure = failure, .nodes_left = &nodes_left};
    struct vscf *root = NULL;
    int err = file_read(&outer, path, &root);

    *ret_root = root;
    return err;
}

int vscf_load_bytes(struct arena *arena, const char *name, const uint8_t *bytes, size_t len,
                    const struct vscf **ret_root, struct failure *failure)
{
    size_t nodes_left = VSCF_NODES_MAX;
    struct reader reader = {.arena = arena,
                            .failure = failure,
                            .file = name,
                            .bytes = bytes,
                            .len = len,
                            .line = 1,
                            .nodes_left = &nodes_left};
    struct vscf *root = NULL;
    int err = root_read(&reader, &root);

    *ret_root = root;
    return err;
}

const struct vscf *vscf_get(const struct vscf *node, const char *key)
{
    if (!node || node->kind != VSCF_HASH) {
        return NULL;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if (strcmp(node->child[i]->key, key) == 0) {
            return node->child[i];
        }
    }
    return NULL;
}

size_t vscf_list_n(const struct vscf *node)
{
    if (!node || node->kind == VSCF_HASH) {
        return 0;
    }
    return node->kind == VSCF_TEXT ? 1 : node->n;
}

const struct vscf *vscf_list_item(const struct vscf *node, size_t index)
{
    return node->kind == VSCF_TEXT ? node : node->child[index];
}

const char *vscf_text(const struct vscf *node)
{
    return node && node->kind == VSCF_TEXT ? node->text : NULL;
}

int vscf_bool(const struct vscf *node, bool *ret_value)
{
    const char *text = vscf_text(node);

    if (!text || (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)) {
        return -EINVAL;
    }
    *ret_value = strcasecmp(text, "true") == 0;
    return 0;
}

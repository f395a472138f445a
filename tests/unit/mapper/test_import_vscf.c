/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/vscf.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "scratch.h"

/* The tree on one line: texts in ', lists in [], hashes in {}. */
static void describe(const struct vscf *node, char *text, size_t size)
{
    size_t len = strlen(text);

    if (node->key) {
        snprintf(text + len, size - len, "%s=", node->key);
        len = strlen(text);
    }
    if (node->kind == VSCF_TEXT) {
        snprintf(text + len, size - len, "'%s'", node->text);
        return;
    }
    snprintf(text + len, size - len, "%s", node->kind == VSCF_HASH ? "{" : "[");
    for (uint32_t i = 0; i < node->n; i++) {
        if (i) {
            strncat(text, " ", size - strlen(text) - 1);
        }
        describe(node->child[i], text, size);
    }
    strncat(text, node->kind == VSCF_HASH ? "}" : "]", size - strlen(text) - 1);
}

static int load(struct arena *arena, const char *source, const struct vscf **ret_root,
                struct failure *failure)
{
    return vscf_load_bytes(arena, "test", (const uint8_t *)source, strlen(source), ret_root,
                           failure);
}

Test(import_vscf, forms)
{
    static const struct {
        const char *source;
        const char *tree; /* or the failure */
    } cases[] = {
        {"", "{}"},
        {" # only\n ; comments", "{}"},
        {"a=b", "{a='b'}"},
        {"a => b, c = [ d e,f ] ", "{a='b' c=['d' 'e' 'f']}"},
        {"options={listen=[192.0.2.1 192.0.2.2]}", "{options={listen=['192.0.2.1' '192.0.2.2']}}"},
        {"[ a { b => c } [ ] ]", "['a' {b='c'} []]"},
        {"a=\"white space\" b=white\\ space", "{a='white space' b='white space'}"},
        {"a=ex\\097mpl\\e", "{a='example'}"},
        {"\"\\\\===\" = \\092\\=\\=\\=", "{\\===='\\==='}"},
        {"a=\"\"", "{a=''}"},
        {"a = \"# no comment ; here\"", "{a='# no comment ; here'}"},
        {"2001:DB8::1 => %multifo!x", "{2001:DB8::1='%multifo!x'}"},
        {"a=b\na=c", "test:2: the key \"a\" stands twice"},
        {"a", "test:1: no = or => behind the key \"a\""},
        {"a=", "test:1: the file ends where a text should stand"},
        {"a={", "test:1: the file ends inside braces"},
        {"a=[\n}", "test:2: a text should stand here"},
        {"a=\"x", "test:1: the file ends inside a quoted text"},
        {"a=\\25", "test:1: an escape has one other byte or three digits"},
        {"a=\\256", "test:1: an escape is over \\255"},
        {"a=\\000", "test:1: a NUL byte in a text"},
        {"a=$x", "test:1: only $include{PATH} may start with $"},
        {"a=$include{/nonexistent/x}", "test:1: cannot include \"/nonexistent/x\""},
        {"[a] b", "test:1: something behind the list that the file is"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new();
        const struct vscf *root = NULL;
        struct failure failure;
        char text[512] = "";

        if (load(arena, cases[i].source, &root, &failure) == 0) {
            describe(root, text, sizeof(text));
            cr_assert_str_eq(text, cases[i].tree, "%s: %s", cases[i].source, text);
        } else {
            cr_assert_str_eq(failure.text, cases[i].tree, "%s: %s", cases[i].source, failure.text);
        }
        arena_free(arena);
    }
}

Test(import_vscf, lines_and_lists)
{
    static const char source[] = "# first\na => {\n  b => x\n  c => [ y,\n z ] }\n";
    struct arena *arena = arena_new();
    const struct vscf *root;
    struct failure failure;
    bool value = true;

    cr_assert_eq(load(arena, source, &root, &failure), 0, "%s", failure.text);
    cr_assert_eq(vscf_get(root, "a")->line, 2);
    cr_assert_eq(vscf_get(vscf_get(root, "a"), "c")->line, 4);
    cr_assert_eq(vscf_list_n(vscf_get(vscf_get(root, "a"), "b")), 1, "a text is a list of one");
    cr_assert_str_eq(vscf_text(vscf_list_item(vscf_get(vscf_get(root, "a"), "b"), 0)), "x");
    cr_assert_eq(vscf_list_n(vscf_get(vscf_get(root, "a"), "c")), 2);
    cr_assert_eq(vscf_list_n(vscf_get(root, "a")), 0);
    cr_assert_null(vscf_get(NULL, "a"));
    cr_assert_null(vscf_text(vscf_get(root, "a")));
    cr_assert_neq(vscf_bool(vscf_get(root, "a"), &value), 0);
    arena_free(arena);
}

Test(import_vscf, names_keep_their_escapes)
{
    struct arena *arena = arena_new();
    const struct vscf *root;
    struct failure failure;

    cr_assert_eq(load(arena, "a=b\\.c. d=\"e\\.f.\" g=\"\"", &root, &failure), 0, "%s",
                 failure.text);
    cr_assert_str_eq(vscf_get(root, "a")->text, "b.c.");
    cr_assert_str_eq(vscf_get(root, "a")->raw, "b\\.c.");
    cr_assert_str_eq(vscf_get(root, "d")->raw, "e\\.f.");
    cr_assert_str_eq(vscf_get(root, "g")->raw, "");
    arena_free(arena);
}

Test(import_vscf, depth_is_bounded)
{
    struct arena *arena = arena_new();
    const struct vscf *root;
    struct failure failure;
    char source[256] = "a=";

    memset(source + 2, '[', 200);
    source[202] = '\0';
    cr_assert_neq(load(arena, source, &root, &failure), 0);
    cr_assert_str_eq(failure.text, "test:1: values are nested too deeply");
    arena_free(arena);
}

Test(import_vscf, includes)
{
    struct scratch scratch;
    struct arena *arena = arena_new();
    const struct vscf *root;
    struct failure failure;
    char text[512] = "";

    scratch_open(&scratch);
    scratch_write(&scratch, "main", "a => $include{ \"list\" }, $include{part*} x => y");
    scratch_write(&scratch, "list", "[ 1, 2 ]");
    scratch_write(&scratch, "part1", "b => 3");
    scratch_write(&scratch, "part2", "c => { d => 4 }");
    cr_assert_eq(vscf_load_file(arena, scratch_path(&scratch, "main"), &root, &failure), 0, "%s",
                 failure.text);
    describe(root, text, sizeof(text));
    cr_assert_str_eq(text, "{a=['1' '2'] b='3' c={d='4'} x='y'}");
    cr_assert(strstr(vscf_get(root, "b")->file, "/part1"), "a value knows its own file");

    scratch_write(&scratch, "part2", "b => 5");
    cr_assert_neq(vscf_load_file(arena, scratch_path(&scratch, "main"), &root, &failure), 0);
    cr_assert(strstr(failure.text, "part2:1: the key \"b\" stands twice"), "%s", failure.text);
    scratch_write(&scratch, "part2", "$include{part2}");
    cr_assert_neq(vscf_load_file(arena, scratch_path(&scratch, "main"), &root, &failure), 0);
    cr_assert(strstr(failure.text, "too deeply"), "%s", failure.text);
    scratch_close(&scratch);
    arena_free(arena);
}

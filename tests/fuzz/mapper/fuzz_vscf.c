/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "mapper/import/vscf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void tree_check(const struct vscf *node)
{
    if ((node->kind == VSCF_TEXT) != (node->text != NULL) || node->line == 0) {
        abort();
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if ((node->kind == VSCF_HASH) != (node->child[i]->key != NULL)) {
            abort();
        }
        if (node->kind == VSCF_HASH && !vscf_get(node, node->child[i]->key)) {
            abort();
        }
        tree_check(node->child[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena *arena;
    const struct vscf *root;
    struct failure failure = {""};

    if (memmem(bytes, len, "$include", 8)) { /* other files are no part of the input */
        return 0;
    }
    arena = arena_new();
    if (!arena) {
        return 0;
    }
    if (vscf_load_bytes(arena, "fuzz", bytes, len, &root, &failure) == 0) {
        tree_check(root);
    } else if (failure.text[0] == '\0') {
        abort();
    }
    arena_free(arena);
    return 0;
}

# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the tree can fail: each finds what it is there for in a tree made to break it."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LICENCE = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"
KERNEL_LICENCE = "/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */\n"


@pytest.fixture
def tree(tmp_path):
    """A small tree that keeps every habit."""
    shutil.copytree(ROOT / "tests/habits", tmp_path / "tests/habits")
    shutil.copy(ROOT / ".clang-format", tmp_path)
    files = {
        "tests/README.md": "tests\n",
        "base/README.md": "base\n",
        "base/text.h": LICENCE + "#ifndef BASE_TEXT_H\n#define BASE_TEXT_H\n#endif\n",
        "base/text.c": LICENCE + '#include "base/text.h"\n\nint text_len(void)\n{\n    return 0;\n}\n',
        "maps/README.md": "maps\n",
        "maps/word_core.h": KERNEL_LICENCE + "#include <linux/types.h>\n",
    }
    for name, text in files.items():
        write(tmp_path / name, text)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(tree, *checks):
    return subprocess.run([tree / "tests/habits/run", *checks], capture_output=True, text=True, timeout=60)


def test_a_tree_that_keeps_them_passes(tree):
    done = run(tree)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "8 passed, 0 failed"), done.stdout + done.stderr


BREAKS = [
    ("includes", "base/a.c", LICENCE + '#include "maps/image.h"\n', "base/ may not use maps/"),
    ("includes", "maps/a.c", LICENCE + '#include "mapper/build.h"\n', "maps/ may not use mapper/"),
    ("includes", "mapper/a.c", LICENCE + '#include "edge/answer/answer.h"\n', "mapper/ may not use edge/"),
    ("includes", "edge/a.c", LICENCE + '#include "xdp/xdp_loader.h"\n', "edge/ may not use xdp/"),
    ("includes", "xdp/a.c", LICENCE + '#include "edge/answer/answer.h"\n', "xdp/ may not use edge/"),
    ("includes", "edge/wire/a.c", LICENCE + '#include "edge/answer/answer.h"\n', "only use those before it"),
    ("includes", "bgp/a.c", LICENCE + '#include "maps/image.h"\n', "bgp/ may not use maps/"),
    ("includes", "edge/a.c", LICENCE + '#include "answer.h"\n', 'included as "folder/name.h"'),
    ("includes", "maps/a_core.h", KERNEL_LICENCE + "#include <stdint.h>\n", "kernel-side headers include"),
    ("includes", "maps/a_abi.h", KERNEL_LICENCE + '#include "maps/image.h"\n', "kernel-side headers include"),
    ("includes", "xdp/a.bpf.c", KERNEL_LICENCE + '#include "base/log.h"\n', "the kernel side includes"),
    ("headers", "edge/a.h", LICENCE + "size_t a_len(void);\n", "edge/a.h: "),
    ("bpf_headers", "maps/a_core.h", KERNEL_LICENCE + "static inline u8 a(void)\n{\n    return 0;\n}\n", "a_core.h: "),
    ("format", "edge/a.c", LICENCE + "int a(void) { return 0; }\n", "edge/a.c: clang-format"),
    ("licences", "edge/a.c", "int a;\n", 'licence is ""'),
    ("licences", "edge/a.c", KERNEL_LICENCE, 'not "GPL-3.0-or-later"'),
    ("licences", "maps/a_core.h", LICENCE, 'not "GPL-2.0-or-later OR BSD-2-Clause"'),
    ("licences", "deploy/tool", "#!/bin/sh\ntrue\n", 'licence is ""'),
    ("readmes", "edge/a.c", LICENCE, "edge: no README.md"),
    ("leftovers", "edge/a.c", LICENCE + "/* TO" "DO later */\n", "edge/a.c:2"),
    ("sizes", "edge/a.c", LICENCE + "int a(void)\n{\n" + "    ;\n" * 98 + "}\n", "a() has 101 lines"),
    ("sizes", "edge/a.c", LICENCE + "\n" * 1000, "1001 lines"),
]


@pytest.mark.parametrize("check, name, text, found", BREAKS, ids=[f"{row[0]}-{i}" for i, row in enumerate(BREAKS)])
def test_what_breaks_them_is_found(tree, check, name, text, found):
    write(tree / name, text)
    done = run(tree, check)
    assert done.returncode == 1
    assert found in done.stdout


ALLOWED = [
    ("edge/daemon/a.c", LICENCE + '#include "xdp/xdp_publish.h"\n#include "maps/image.h"\n#include "base/log.h"\n'),
    ("bgp/a.c", LICENCE + '#include "maps/pop_state.h"\n#include "base/log.h"\n'),
    ("maps/a_core.h", KERNEL_LICENCE + '#include "maps/word_core.h"\n#include "maps/image_abi.h"\n'),
    ("xdp/a.bpf.c", KERNEL_LICENCE + '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n'),
    ("xdp/a.c", LICENCE + '#include "xdp/a.skel.h"\n#include <yaml.h>\n'),
    ("tests/unit/edge/a.c", LICENCE + '#include "edge/answer/answer.h"\n#include "bgp/decide/policy.h"\n'),
]


@pytest.mark.parametrize("name, text", ALLOWED, ids=[row[0] for row in ALLOWED])
def test_allowed_includes_pass(tree, name, text):
    write(tree / name, text)
    done = run(tree, "includes")
    assert done.returncode == 0, done.stdout

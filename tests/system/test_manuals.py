# SPDX-License-Identifier: GPL-3.0-or-later
"""The man pages say what the programs say of themselves: options of --help, keys of configuration files."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAN = ROOT / "deploy/man"
BIN = Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin"))
PROGRAMS = {"isochrone-edge": 8, "isochrone-mapper": 1, "isochrone-bgp": 8, "isochronectl": 1, "isochrone-xdpbench": 1}
KEYS_OF = {  # sources that read a configuration file -> its page
    "edge.yaml.5": ["edge/daemon/config*.c", "edge/daemon/states_file.c"],
    "services.yaml.5": ["edge/service/serv*.c"],
    "mapper.yaml.5": ["mapper/config*.c"],
    "bgp.yaml.5": ["bgp/config/*.c"],
}
PAGES = sorted(p.name for p in MAN.glob("*.[158]"))


def options_of_help(program):
    done = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, timeout=10, check=True)
    return set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", done.stdout))


@pytest.mark.parametrize("program", PROGRAMS)
def test_options(program):
    if not (BIN / program).exists():
        pytest.skip(f"{BIN / program} is not built")
    page = (MAN / f"{program}.{PROGRAMS[program]}").read_text()
    said = options_of_help(program)
    written = set(re.findall(r"\bFl -([a-z][a-z0-9-]*)", page))
    assert written == said


@pytest.mark.parametrize("page", KEYS_OF)
def test_configuration_keys(page):
    text = (MAN / page).read_text()
    sources = [path for pattern in KEYS_OF[page] for path in ROOT.glob(pattern)]
    if not sources:
        pytest.skip(f"nothing reads {page} yet")
    arrays = (array for path in sources
              for array in re.findall(r"char \*const \w*(?:known|keys)\w*\[\]\s*=\s*\{([^}]*)\}", path.read_text()))
    tables = (array for path in sources for array in re.findall(r"\w*_keys\[\]\s*=\s*\{(.*?)\n\};", path.read_text(), re.S))
    keys = {key for array in [*arrays, *tables] for key in re.findall(r'"([a-z][a-z0-9_]*)"', array)}
    assert keys, "the check no longer finds how the keys are written"
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_form(page):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww", "-z", MAN / page], capture_output=True, text=True,
                          timeout=30, check=True)
    assert done.stderr == ""

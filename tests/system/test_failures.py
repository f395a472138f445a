# SPDX-License-Identifier: GPL-3.0-or-later
"""bgp/FAILURES.md names tests; each has to exist."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def rows():
    lines = (ROOT / "bgp/FAILURES.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")][1:]


def test_every_row_names_a_test_that_exists_or_says_why_not():
    units = {f"{suite}/{name}" for path in (ROOT / "tests/unit/bgp").glob("*.c")
             for suite, name in re.findall(r"^Test\((\w+), (\w+)", path.read_text(), re.MULTILINE)}
    scenarios = {line[4:].strip() for line in subprocess.run(
        [ROOT / "tests/lab/run", "--list"], check=True, capture_output=True, text=True, timeout=30).stdout.splitlines()}
    assert len(rows()) >= 30
    for failure, _, shown in rows():
        quoted, named = re.findall(r'"([^"]+)"', shown), re.findall(r"`([^`]+)`", shown)
        assert quoted or shown.startswith("not tested: ") or any("/" in name or "::" in name for name in named), failure
        assert set(quoted) <= scenarios, (failure, set(quoted) - scenarios)
        for name in named:
            file, _, test = name.partition("::")
            if test:
                assert f"def {test}(" in (ROOT / "tests/system" / file).read_text(), (failure, name)
            elif file.endswith(".py"):
                assert (ROOT / file).exists(), (failure, name)
            elif "/" in name:
                assert name in units, (failure, name)

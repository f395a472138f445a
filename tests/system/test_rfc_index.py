# SPDX-License-Identifier: GPL-3.0-or-later
"""edge/RFC.md leads from an RFC to code and tests that exist: it is no longer than the code is true."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INDEX = (ROOT / "edge/RFC.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in INDEX.splitlines() if re.match(r"\| \d", line)]
GOLDEN = [line for line in (ROOT / "tests/golden/queries.txt").read_text().splitlines() if line.startswith("# --- ")]


def cited(text):
    """The numbers of the RFCs that a source cites: "RFC 1, 2 and 3" are three."""
    text = re.sub(r"\n[ /*#]*", " ", text)
    lists = re.findall(r"\bRFCs? (\d+(?:(?: section [\d.]+)?(?:, | and )(?:RFC )?\d{3,5}\b)*)", text)
    return {number for each in lists for number in re.findall(r"(?<![\d.])\d{3,5}(?![\d.]*\d)", re.sub(r"section [\d.]+", "", each))}


def numbers(cell):
    """4034 3, 4035 2.2, 3.1.1: two RFCs, their sections left out."""
    return set(re.findall(r"(?:^|, )(\d{3,5})(?= |,|$)", cell))


def parts(cell):
    return [tuple(part.strip() for part in item.split(":", 1)) for item in re.findall(r"`([^`]+)`", cell)]


def test_every_rfc_cited_has_its_place():
    files = [path for path in (ROOT / "edge").rglob("*.[ch]")]
    there = set.union(*(cited(path.read_text()) for path in files))
    listed = set.union(*(numbers(row[0]) for row in ROWS)) | set(re.findall(r"\b\d{3,5}\b", INDEX.split("\n\nWhat reads", 1)[1]))
    assert len(files) > 50 and len(there) > 30, "the check no longer finds citations"
    assert there - listed == set()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_row(row):
    rfcs, _, code, tests = row
    left = numbers(rfcs)
    assert left and parts(code) and parts(tests)
    for name, function in parts(code):
        path = ROOT / name if (ROOT / name).exists() else ROOT / "edge" / name
        text = path.read_text()
        assert re.search(rf"\b{function}\b", text), f"{name} has no {function}"
        assert cited(text) & numbers(rfcs), f"{name} cites none of {rfcs}"
        left -= cited(text)
    assert not left, f"none of the files cites RFC {left}"
    for name, test in parts(tests):
        if name == "golden":
            assert any(test in line for line in GOLDEN), f"the golden table has no part {test}"
        else:
            assert re.search(rf"\b{test}\b", (ROOT / "tests" / name).read_text()), f"{name} has no {test}"

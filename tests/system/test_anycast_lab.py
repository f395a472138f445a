# SPDX-License-Identifier: GPL-3.0-or-later
"""The anycast lab in its short form, and that nothing is left of it, however it ends."""
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()
RUN = ROOT / "tests/lab/run"
sys.path.insert(0, str(ROOT / "tests/lab"))
import world  # noqa: E402  pylint: disable=wrong-import-position

WHY_NOT = world.why_not(BIN)
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"SKIP: no anycast lab: {WHY_NOT}")


def play(*options, **keys):
    return subprocess.Popen([RUN, "--bin", BIN, *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **keys)


@pytest.fixture(autouse=True)
def nothing_is_left():
    def traces():
        namespaces = {line.split()[0] for line in world.run("ip", "netns", "list").splitlines() if line.startswith("iso-")}
        return namespaces | {str(path) for folder in ("/tmp", "/run") for path in pathlib.Path(folder).glob("iso*-*")
                             if path.name.startswith(("isochrone-lab-", "iso-"))}
    before = traces()
    yield
    assert traces() <= before


def test_short_form(tmp_path):
    results = ROOT / "build/results"  # tests/run leaves it there
    page = (results if results.is_dir() else tmp_path) / "anycast-lab.html"
    lab = play("--ci", "--page", page)
    said, _ = lab.communicate(timeout=280)
    print(said)
    assert lab.returncode == 0
    assert re.search(r"^\d+ scenarios in \d+ s, 0 failed$", said, re.MULTILINE)
    text = page.read_text()
    assert text.count("<svg") == said.count("\nok ") and "http" not in text


def test_interrupted():
    lab = play("--only", "all is well")
    for line in lab.stdout:
        if "are up after" in line:
            break
    lab.send_signal(signal.SIGINT)
    said, _ = lab.communicate(timeout=30)
    assert lab.returncode == 1 and "interrupted" in said


def test_up_to_play_in_and_down(tmp_path):
    up = play("up", "--state", tmp_path / "lab")
    said, _ = up.communicate(timeout=60)
    print(said)
    assert up.returncode == 0
    try:
        dig = next(line for line in said.splitlines() if " dig " in line).partition("nsenter")
        answer = subprocess.run(dig[1] + dig[2], shell=True, capture_output=True, text=True, check=True, timeout=20).stdout
        assert "NSID" in answer and "NOERROR" in answer
        for second in (play("up", "--state", tmp_path / "lab"), play("--ci", "--state", tmp_path / "lab")):
            assert second.wait(30) == 1
        assert (tmp_path / "lab/lab.json").exists()
    finally:
        down = play("down", "--state", tmp_path / "lab")
        assert down.wait(30) == 0
    assert not (tmp_path / "lab").exists()

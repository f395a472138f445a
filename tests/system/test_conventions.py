# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command of the project promises alike: --help, --version, exit codes."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin"))
PROGRAMS = ["isochrone-edge", "isochrone-mapper", "isochrone-bgp", "isochronectl", "isochrone-xdpbench"]
SCRIPTS = ["deploy/quickstart", "deploy/install-packages", "deploy/lab/vip-lab", "tests/run"]


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("program", PROGRAMS)
def test_version(program):
    done = run(BIN / program, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    version = next(line for line in (ROOT / "CMakeLists.txt").read_text().splitlines() if "VERSION" in line
                   and line.startswith("project")).split("VERSION ")[1].split()[0]
    assert done.stdout.strip().endswith(version)


@pytest.mark.parametrize("command", [BIN / program for program in PROGRAMS] + [ROOT / name for name in SCRIPTS],
                         ids=lambda path: path.name)
def test_help(command):
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert command.name in done.stdout


@pytest.mark.parametrize("command", [BIN / program for program in PROGRAMS] + [ROOT / name for name in SCRIPTS],
                         ids=lambda path: path.name)
def test_wrong_usage(command):
    done = run(command, "--no-such-option")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr != ""


READERS = {
    "edge": ["isochrone-edge", "--check", "--config"],
    "bgp": ["isochrone-bgp", "--check", "--config"],
    "mapper": ["isochrone-mapper", "build", "--output", "/nonexistent/out.isomap", "--config"],
}


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_configuration_is_the_worlds_fault(reader):
    program, *options = READERS[reader]
    done = run(BIN / program, *options, "/nonexistent/config.yaml")
    assert done.returncode == 1
    assert "/nonexistent/config.yaml: No such file" in done.stderr


@pytest.mark.parametrize("reader", READERS)
def test_a_broken_configuration_names_the_place(reader, tmp_path):
    program, *options = READERS[reader]
    config = tmp_path / "broken.yaml"
    config.write_text("# first line\nno-such-key: 1\n")
    done = run(BIN / program, *options, config)
    assert done.returncode == 1
    assert f'{config}:2:1: unknown key "no-such-key"' in done.stderr

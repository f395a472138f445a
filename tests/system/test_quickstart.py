# SPDX-License-Identifier: GPL-3.0-or-later
"""What quickstart says about a visitor's measurements, and that it leaves nothing behind. tests/fresh-root proves the rest."""

import os
import re
import shutil
import socket
import subprocess

import pytest

ROOT = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
QUICKSTART = os.path.join(ROOT, "deploy/quickstart")
SAMPLE = os.path.join(ROOT, "maps/sample")
MAPPER = os.path.join(ROOT, "build/release/bin/isochrone-mapper")

needs_build = pytest.mark.skipif(not os.path.exists(MAPPER), reason="there is no release build")

# 58.27.134.0/24 is near Mumbai on the map, and here 100 ms nearer to Dubai in time; 75.34.16.0/24 is where it seems to be.
POPS = """\
pops:
  bom: {location: [19.07, 72.87]}
  dxb: {location: [25.20, 55.27]}
  chi: {location: [41.88, -87.63]}
"""
HEADER = "time,client,pop,rtt_ms\n"
ROWS = "".join(f"{1795300000 + n},58.27.134.0/24,bom,{150 + n}\n{1795300000 + n},58.27.134.0/24,dxb,{50 + n}\n"
               f"{1795300000 + n},75.34.16.0/24,chi,{10 + n}\n" for n in range(8))


def quickstart(*arguments):
    return subprocess.run([QUICKSTART, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=300, check=False)


@pytest.fixture(name="visitor")
def fixture_visitor(tmp_path):
    """A folder with the visitor's two files, and a state folder beside."""
    (tmp_path / "pops.yaml").write_text(POPS)
    (tmp_path / "my rows.csv").write_text(HEADER + ROWS)
    yield tmp_path
    quickstart("--down", "--state", tmp_path / "state")


def try_it(visitor, rows="my rows.csv", *more):
    return quickstart("try", visitor / rows, "--pops", visitor / "pops.yaml", "--state", visitor / "state", *more)


@needs_build
def test_try_names_who_geography_sends_astray(visitor):
    result = try_it(visitor)
    assert result.returncode == 0, result.stderr
    assert "2 networks with 24 measurements." in result.stdout
    assert "Geography sends 1 of them (66.7% of the measurements)" in result.stdout
    row = re.search(r"^58\.27\.134\.0/24 +bom +(\d+) ms +dxb +(\d+) ms +(\d+) ms +16$", result.stdout, re.M)
    assert row, result.stdout
    geography, ours, saved = map(int, row.groups())
    assert abs(geography - 152) <= 10 and abs(ours - 52) <= 10 and abs(saved - 100) <= 10  # p25, shrunk
    assert "75.34.16.0/24" not in result.stdout


@needs_build
@pytest.mark.parametrize("tool, ending", [("gzip", ".gz"), ("zstd", ".zst")])
def test_try_reads_compressed_rows(visitor, tool, ending):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    subprocess.run([tool, "-q", visitor / "my rows.csv"], check=True)
    result = try_it(visitor, "my rows.csv" + ending)
    assert result.returncode == 0 and "2 networks with 24 measurements." in result.stdout, result.stderr


@needs_build
def test_try_reads_json_lines(visitor):
    lines = [line.split(",") for line in ROWS.splitlines()]
    (visitor / "rows.jsonl").write_text("".join(
        f'{{"time": {time}, "client": "{client}", "pop": "{pop}", "rtt_ms": {rtt}}}\n' for time, client, pop, rtt in lines))
    result = try_it(visitor, "rows.jsonl")
    assert result.returncode == 0 and "2 networks with 24 measurements." in result.stdout, result.stderr


@needs_build
def test_try_points_at_the_bad_row(visitor):
    (visitor / "my rows.csv").write_text(HEADER + "1795300000,58.27.134.0/24,nowhere,20\n")
    result = try_it(visitor)
    assert result.returncode == 1
    assert f"{visitor}/my rows.csv:2" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--wrong"], ["try"], ["try", "rows.csv"], ["--port", "x"], ["--state"]])
def test_usage_errors_exit_2(arguments):
    result = quickstart(*arguments)
    assert result.returncode == 2 and "Usage:" in result.stderr


def test_a_folder_of_somebody_else_is_not_touched(visitor):
    (visitor / "state").mkdir()
    (visitor / "state" / "precious").write_text("mine")
    assert try_it(visitor).returncode == 1
    assert quickstart("--down", "--state", visitor / "state").returncode == 0
    assert (visitor / "state" / "precious").read_text() == "mine"


@needs_build
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_up_answers_and_down_removes_it(visitor):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = visitor / "state"
    up = quickstart("--state", state, "--port", port)
    assert up.returncode == 0, up.stdout + up.stderr
    for mark in ("[1/5] map", "[2/5] dig", "[3/5] why", "[4/5] xdp", "[5/5] break"):
        assert mark in up.stdout
    pid = int((state / "edge.pid").read_text())
    assert os.path.exists(f"/proc/{pid}")
    answer = subprocess.check_output(["dig", "@127.0.0.1", "-p", str(port), "www.example.com", "+short",
                                      "+subnet=58.27.134.0/24"], text=True)
    assert answer == "192.0.2.110\n"  # Dubai, though Mumbai is nearer
    down = quickstart("--down", "--state", state)
    assert down.returncode == 0 and not state.exists() and not os.path.exists(f"/proc/{pid}")

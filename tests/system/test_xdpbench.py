# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-xdpbench with a configuration: the program as it is attached, on packets of our own."""
import json
import os
import struct
import subprocess

import pytest

from edge_lab import BIN, PINS, SERVICES, Edge, build_map

CONFIG = {"listen": ["192.0.2.53@53", "2001:db8::53@53"], "map": "cdn.isomap", "services": "services.yaml",
          "metrics": None, "state_dir": None}


def bench(folder, queries, *options):
    path = folder / "queries"
    path.write_bytes(queries if isinstance(queries, bytes) else queries.encode())
    command = [BIN / "isochrone-xdpbench", "--config", folder / "edge.yaml", "--queries", path, "--packets", "2000",
               "--rounds", "2", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def measured(folder, queries, *options):
    done = bench(folder, queries, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pinned():
    return {name for name in os.listdir("/sys/fs/bpf") if name.startswith("isochrone-bench-")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("xdpbench")
    build_map(made, PINS)
    (made / "services.yaml").write_text(SERVICES)
    Edge(made, **CONFIG)
    probe = subprocess.run([BIN / "isochrone-xdpbench", "--map", made / "cdn.isomap", "--clients", "1", "--if-allowed"],
                           capture_output=True, text=True, timeout=60)
    if probe.stdout.startswith("SKIPPED"):
        pytest.skip(probe.stdout.strip())
    before = pinned()
    yield made
    assert pinned() <= before, "what a run pins is gone with it"


def test_shares_are_those_of_the_queries(folder):
    result = measured(folder, "static.example.com A\nstatic.example.com A from=2400:1::5\nwww.example.com A ecs=20.1.2.0/24\n"
                              "absent.example.com A\nstatic.example.com ANY\n", "--mix", "file")
    assert (result["queries"], result["distinct"], list(result["mixes"])) == (5, 5, ["file"])
    mix = result["mixes"]["file"]
    assert mix["answered_share"] == pytest.approx(0.6, abs=0.01)
    assert mix["answered"]["positive"] == pytest.approx(0.4, abs=0.01)
    assert mix["answered"]["geo"] == pytest.approx(0.2, abs=0.01)
    assert mix["passed"] == {"unknown": pytest.approx(0.2, abs=0.01), "class": pytest.approx(0.2, abs=0.01)}
    assert result["miss_ns"] > 0
    assert mix["answer"]["mean_ns"] > mix["empty"]["mean_ns"] > 0


def test_every_packet_is_a_query_again(folder):
    """Answers are longer than queries, by different lengths: a packet that was not restored is no query any more."""
    result = measured(folder, "big.example.com TXT\nstatic.example.com A\nwww.example.com AAAA ecs=2400:2::/48\n",
                      "--flags", "+edns=0")
    assert set(result["mixes"]) == {"file", "hot", "zipf", "uniform"}
    for mix in result["mixes"].values():
        assert mix["answered_share"] == 1
        assert mix["passed"] == {}


def test_names_decide_what_the_kernel_has(folder):
    queries = "static.example.com A\n" * 3 + "www.example.com A\nbig.example.com TXT\n"
    shares = {names: measured(folder, queries, "--names", names, "--mix", "file")["mixes"]["file"]["answered_share"]
              for names in ("services", "hot")}
    assert shares == {"services": pytest.approx(0.2, abs=0.01), "hot": 1}


def test_a_capture(folder):
    message = b"\0\7\1\0\0\1\0\0\0\0\0\0\6static\7example\3com\0\0\1\0\1"
    frames = []
    for source, port in ((b"\x14\1\0\1", 53), (b"\x14\1\0\2", 5353)):
        udp = struct.pack("!HHHH", 4000, port, 8 + len(message), 0) + message
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + source + b"\xc0\0\2\x63"
        frames.append(b"\2" * 12 + b"\x08\0" + ip + udp)
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
        struct.pack("<IIII", 0, 0, len(f), len(f)) + f for f in frames)
    result = measured(folder, capture, "--mix", "file")
    assert (result["queries"], result["left_out"]) == (1, 1)
    assert result["mixes"]["file"]["answered_share"] == 1


def test_tables_for_people(folder):
    done = bench(folder, "static.example.com A\nabsent.example.com A\n", "--mix", "hot,uniform")
    assert done.returncode == 0, done.stderr
    assert "| hot | 5" in done.stdout or "| hot | 4" in done.stdout
    assert "| uniform | unknown |" in done.stdout
    assert "| zipf |" not in done.stdout


def test_what_is_wrong_is_said(folder, tmp_path):
    done = bench(folder, "static.example.com NOTYPE\n")
    assert done.returncode == 1 and "queries:1:20: " in done.stderr
    Edge(tmp_path, **CONFIG)
    done = bench(tmp_path, "static.example.com A\n")
    assert done.returncode == 1 and "cdn.isomap" in done.stderr
    done = bench(folder, "static.example.com A\n", "--names", "some")
    assert done.returncode == 1 and "services, hot or all" in done.stderr


@pytest.mark.parametrize("options", ([], ["--config", "x"], ["--queries", "x"], ["--config", "x", "--map", "y"],
                                     ["--config", "x", "--queries", "y", "--mix", "cold"],
                                     ["--config", "x", "--queries", "y", "--rounds", "0"]))
def test_usage(options):
    done = subprocess.run([BIN / "isochrone-xdpbench", *options], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2

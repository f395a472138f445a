# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer costs, in user instructions inside both halves of answer(), counted by callgrind: the same on a busy machine and a
quiet one. No kind of answer may cost over 3 % more than the ceiling kept here; who makes it dearer, or cheaper, says so
by changing the number."""
import re
import shutil
import socket
import subprocess

import dns.edns
import dns.message
import pytest

from edge_lab import BIN, SERVICES, Edge, build_map

QUERIES = 1500
WINDOW = 50
CEILINGS = {"static": 1230, "nxdomain": 1340, "geo_ecs": 1786}
COMPILER = "GCC: (Debian 12."  # another one makes other code


def question(name, kind="A", client=None):
    options = [dns.edns.ECSOption(client, 24)] if client else []
    message = dns.message.make_query(name, kind, use_edns=0, payload=1232, options=options)
    message.flags = 0
    return message.to_wire()


REPLAYS = {
    "static": [question(f"h{i:05d}.example.com.", kind) for i in range(QUERIES // 2) for kind in ("A", "AAAA")],
    "nxdomain": [question(f"x{i:05d}.example.com.") for i in range(QUERIES)],
    "geo_ecs": [question("www.example.com.", "A", f"20.{1 + i % 2}.{i % 256}.0") for i in range(QUERIES)],
}


def built_by():
    done = subprocess.run(["readelf", "-p", ".comment", BIN / "isochrone-edge"], capture_output=True, text=True, timeout=30)
    return done.stdout


@pytest.fixture
def counted(tmp_path):
    """A server that counts the instructions of answer()."""
    if shutil.which("callgrind_control") is None:
        pytest.skip("valgrind is not installed")
    if "/release/" not in f"{BIN}/" or COMPILER not in built_by():
        pytest.skip(f"the ceilings are for the release build by {COMPILER.strip('.')}")
    build_map(tmp_path)
    (tmp_path / "services.yaml").write_text(SERVICES.replace("  home.example.com.: home\n", ""))
    hosts = "".join(f"h{i:05d} A 203.0.113.1\nh{i:05d} AAAA 2001:db8::1\n" for i in range(2_000))
    (tmp_path / "example.com.zone").write_text(
        f"$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.250\n"
        f"www A 192.0.2.99\nwww AAAA 2001:db8::99\nhome A 192.0.2.98\n{hosts}")

    class Counted(Edge):
        start_limit_s = 60

        def command(self, *options):
            return ["valgrind", "--tool=callgrind", "--toggle-collect=answer_read", "--toggle-collect=answer_write",
                    "--dump-instr=no",
                    f"--callgrind-out-file={tmp_path}/counted", *super().command(*options)]

    with Counted(tmp_path, workers=1, map="cdn.isomap", services="services.yaml", seccomp=False) as server:
        yield server


def replay(port, queries):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        for start in range(0, len(queries), WINDOW):
            batch = queries[start:start + WINDOW]
            for query in batch:
                sock.send(query)
            for _ in batch:
                sock.recv(4096)


def test_no_answer_costs_more_than_its_ceiling(counted, tmp_path):
    figures = {}
    for kind, queries in REPLAYS.items():
        replay(counted.port, queries[:100])  # what is done once is not counted
        subprocess.run(["callgrind_control", "-z", str(counted.process.pid)], check=True, capture_output=True, timeout=30)
        replay(counted.port, queries)
        subprocess.run(["callgrind_control", f"--dump={kind}", str(counted.process.pid)], check=True, capture_output=True,
                       timeout=30)
        dump = next(file for file in tmp_path.glob("counted*") if f"Trigger: dump {kind}\n" in file.read_text())
        total = int(re.findall(r"^(?:totals|summary): (\d+)", dump.read_text(), re.M)[-1])
        figures[kind] = total / len(queries)
        dump.unlink()
    print({kind: round(figure) for kind, figure in figures.items()})
    assert all(figure > 100 for figure in figures.values()), figures  # something was counted
    assert {k: v for k, v in figures.items() if v > 1.03 * CEILINGS[k]} == {}

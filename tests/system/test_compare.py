# SPDX-License-Identifier: GPL-3.0-or-later
"""isochronectl compare between two real edges, one of which is made to differ."""
import json
import socket
import struct
import subprocess
import threading
import time

import dns.flags
import dns.message
import pytest

from edge_lab import BIN, Edge, build_map, free_port, SERVICES, zone_text

QUERIES = """; as dnsperf reads them
www.example.com A
static.example.com. A
big.example.com TXT +norec +bufsize=512
nowhere.example.com AAAA +do +cd
elsewhere.test A
\\# 17 0000000000010000000000000000010001 +tcp
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two edges: the second has another zone, in which static has another address and www no AAAA; `twin` has the first's."""
    edges = []
    for number, text in enumerate((zone_text(1, "x" * 200), zone_text(2, "x" * 200).replace("www IN AAAA", "www2 IN AAAA"),
                                   zone_text(1, "x" * 200))):
        folder = tmp_path_factory.mktemp(f"edge{number}")
        (folder / "example.com.zone").write_text(text)
        edges.append(Edge(folder, workers=1, metrics=None).start())
    yield edges
    for edge in edges:
        edge.__exit__()


def compare(old, new, queries, *options, **keys):
    command = [BIN / "isochronectl", "compare", "--old", f"127.0.0.1@{old}", "--new", f"127.0.0.1:{new}",
               "--queries", queries, "--rate", "0", "--timeout", "1s", "--confirm", "0", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, **keys)


def found(done):
    """{question: {class, ...}} and the summary of a run with --json."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["question"]: {item["class"] for item in line["differences"]} for line in lines[:-1]}, lines[-1]["summary"]


def test_servers_that_agree(pair, tmp_path):
    old, _, twin = pair
    (tmp_path / "queries").write_text(QUERIES)
    done = compare(old.port, twin.port, tmp_path / "queries")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["asked", "6", "answered", "alike", "6", "answered", "differently", "0"]


def test_each_difference_is_told_with_both_sides(pair, tmp_path):
    old, new, _ = pair
    (tmp_path / "queries").write_text(QUERIES + "www.example.com AAAA\n")
    done = compare(old.port, new.port, tmp_path / "queries", "--json")
    differences, summary = found(done)
    assert done.returncode == 1
    assert differences["static.example.com. A"] == {"answer"}
    assert differences["www.example.com. AAAA"] == {"answer", "authority"}
    assert differences["nowhere.example.com. AAAA +cd +bufsize=1232 +do"] == {"authority"}
    assert "www.example.com. A" not in differences and summary["asked"] == 7
    assert summary["classes"] == {"answer": 2, "authority": len(differences) - 1}
    text = compare(old.port, new.port, tmp_path / "queries", "--ignore", "authority", "--limit", "1")
    assert text.returncode == 1
    assert text.stdout.splitlines()[0] == "static.example.com. A"
    assert text.stdout.splitlines()[1].split() == ["answer", "old", "static.example.com.", "300", "A", "192.0.2.1"]
    assert "(1 more are not shown)" in text.stdout


def test_what_is_ignored_is_no_difference(pair, tmp_path):
    old, new, _ = pair
    (tmp_path / "queries").write_text("www.example.com AAAA\n")
    assert compare(old.port, new.port, tmp_path / "queries", "--ignore", "answer,authority").returncode == 0


def test_questions_that_a_zone_suggests(pair):
    old, new, twin = pair
    zone = old.folder / "example.com.zone"
    done = compare(old.port, twin.port, zone, "--origin", "example.com", "--json")
    differences, summary = found(done)
    assert (done.returncode, differences) == (0, {}) and summary["equal"] == summary["asked"] > 70
    differences, _ = found(compare(old.port, new.port, zone, "--origin", "example.com", "--json", "--flags", "+do +tcp"))
    assert differences["www.example.com. AAAA +norec +bufsize=1232 +do +tcp"] == {"answer", "authority"}


def test_nobody_there_is_no_agreement(tmp_path, pair):
    (tmp_path / "queries").write_text("www.example.com A\nwww.example.com A +tcp\n")
    nobody = free_port()
    done = compare(nobody, nobody, tmp_path / "queries", "--timeout", "100ms", "--tries", "2")
    assert done.returncode == 1 and "nothing was compared" in done.stdout
    done = compare(pair[0].port, nobody, tmp_path / "queries", "--timeout", "100ms", "--json")
    assert set(map(frozenset, found(done)[0].values())) == {frozenset({"no-answer"})}


def test_faults_in_a_query_file_are_named(pair, tmp_path):
    (tmp_path / "queries").write_text("www.example.com A\nwww.example.com NOSUCHTYPE\n")
    done = compare(pair[0].port, pair[2].port, tmp_path / "queries")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f'{tmp_path / "queries"}:2:17: "NOSUCHTYPE": not a record type']


@pytest.mark.parametrize("options", [["--old", "::1"], ["--old", "127.0.0.1", "--new", "1.2.3.4.5", "--queries", "q"],
                                     ["--ignore", "nothing"], ["--rate", "many"], ["--flags", "do"], ["--what"]])
def test_usage(options):
    done = subprocess.run([BIN / "isochronectl", "compare", *options], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "compare: " in done.stderr


class Answerer:
    """A server that makes its answers with a function of the query, over UDP only."""

    def __init__(self, make):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.seen = []
        self.make = make
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            wire, client = self.socket.recvfrom(65535)
            self.seen.append(wire)
            for reply in self.make(dns.message.from_wire(wire)):
                self.socket.sendto(reply.to_wire() if hasattr(reply, "to_wire") else reply, client)


def test_a_difference_that_passes_is_not_believed(tmp_path):
    (tmp_path / "queries").write_text("x.test A\n")
    refuse_once = []

    def moody(query):
        reply = dns.message.make_response(query)
        reply.set_rcode(5 if len(refuse_once) == 0 else 0)
        refuse_once.append(1)
        return [reply]

    steady = Answerer(lambda query: [dns.message.make_response(query)])
    done = compare(steady.port, Answerer(moody).port, tmp_path / "queries", "--json", "--confirm", "1")
    assert done.returncode == 0 and found(done)[1]["unstable"] == 1


def test_answers_to_somebody_else_are_not_taken(tmp_path):
    """A wrong id, a wrong question, a query sent back: the right answer comes after them."""
    (tmp_path / "queries").write_text("x.test A\n")

    def noisy(query):
        other = dns.message.make_query("y.test", "A")
        other.id = query.id
        wrong_id = dns.message.make_response(query)
        wrong_id.id ^= 1
        return [wrong_id, dns.message.make_response(other), query, dns.message.make_response(query)]

    steady = Answerer(lambda query: [dns.message.make_response(query)])
    assert compare(steady.port, Answerer(noisy).port, tmp_path / "queries").returncode == 0


def test_lost_queries_are_sent_again(tmp_path):
    (tmp_path / "queries").write_text("x.test A\n")
    lossy = Answerer(lambda query: [dns.message.make_response(query)] if len(lossy.seen) > 1 else [])
    steady = Answerer(lambda query: [dns.message.make_response(query)])
    done = compare(steady.port, lossy.port, tmp_path / "queries", "--timeout", "100ms")
    assert done.returncode == 0 and len(lossy.seen) == 2


def udp_frame(wire, source):
    udp = struct.pack("!HHHH", 4096, 53, 8 + len(wire), 0) + wire
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(source),
                         socket.inet_aton("192.0.2.53"))
    return header + udp


def pcap_record(frame):
    return struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame


PCAP_HEADER = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101)


def test_a_capture_is_asked_again_for_the_clients_in_it(tmp_path):
    """Both edges have the service, with different maps: only a client subnet shows it."""
    edges = []
    for number, pins in enumerate(("prefix,pop\n20.1.0.0/16,fra\n", "prefix,pop\n20.1.0.0/17,fra\n20.1.128.0/17,sin\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        build_map(folder, pins)
        (folder / "services.yaml").write_text(SERVICES)
        edges.append(Edge(folder, workers=1, metrics=None, map="cdn.isomap", services="services.yaml").start())
    wires = [dns.message.make_query("www.example.com.", "A").to_wire(), dns.message.make_query("static.example.com.", "A").to_wire(),
             dns.message.make_response(dns.message.make_query("www.example.com.", "A")).to_wire()]
    (tmp_path / "pcap").write_bytes(PCAP_HEADER + b"".join(
        pcap_record(udp_frame(wire, source)) for wire in wires for source in ("20.1.200.7", "20.9.9.9")))
    done = compare(edges[0].port, edges[1].port, tmp_path / "pcap", "--json")
    assert done.returncode == 0 and found(done)[1]["asked"] == 4 and found(done)[1]["left_out"] == 2
    done = compare(edges[0].port, edges[1].port, tmp_path / "pcap", "--json", "--ecs-from-source")
    assert found(done)[0] == {"www.example.com. A +bufsize=1232 +subnet=20.1.200.0/24": {"answer", "ecs"}}
    for edge in edges:
        edge.__exit__()


@pytest.mark.parametrize("kind", ["text", "pcap"])
def test_a_growing_file_is_followed(pair, tmp_path, kind):
    """Also when the last line or record is only half there, and when the file is replaced."""
    old, new, _ = pair
    path = tmp_path / "growing"

    def content(name):
        if kind == "text":
            return name.encode() + b" A\n"
        return pcap_record(udp_frame(dns.message.make_query(name, "A").to_wire(), "192.0.2.9"))

    start = PCAP_HEADER if kind == "pcap" else b""
    path.write_bytes(start + content("www.example.com.") + content("static.example.com.")[:7])
    follower = subprocess.Popen([BIN / "isochronectl", "compare", "--old", f"127.0.0.1@{old.port}", "--new", f"127.0.0.1@{new.port}",
                                 "--queries", path, "--follow", "--json", "--confirm", "0", "--count", "4"], stdout=subprocess.PIPE,
                                text=True)
    time.sleep(0.2)
    with open(path, "ab") as file:
        file.write(content("static.example.com.")[7:])
    assert json.loads(follower.stdout.readline())["question"].startswith("static.example.com. A")
    (tmp_path / "next").write_bytes(start + content("nowhere.example.com.") + content("www.example.com."))
    (tmp_path / "next").rename(path)
    assert json.loads(follower.stdout.readline())["question"].startswith("nowhere.example.com. A")
    summary = json.loads(follower.stdout.readline())["summary"]
    assert (summary["asked"], summary["different"], follower.wait(10)) == (4, 2, 1)

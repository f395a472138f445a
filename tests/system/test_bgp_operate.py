# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-bgp as an operator meets it: words and their end, history, journal and replay, bad disks, edge's services.
ExaBGP is played by the test, edge and isochronectl are real."""
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import threading
import time
import urllib.request

import pytest

from edge_lab import SERVICES, Edge, build_map, free_port, until
from test_bgp import ANNOUNCE, BGP, BIN, HEADER, PEER, READ, WITHDRAW, Answerer, Fake

DRAINED = "announce route 127.0.0.1/32 next-hop self med 100 community [ 65535:0 ]\n"


class Pop(Fake):
    """Holds what it was told, attributes included, and can be asked."""

    def __init__(self, config, *options):
        self.folder = config.parent
        self.route = None
        super().__init__(config, *options)

    def serve(self, command):
        if command.startswith("announce route "):
            self.route = command[len("announce route "):]
        elif command.startswith("withdraw route "):
            self.route = None
        elif command == "show neighbor summary\n":
            self.say(HEADER + PEER)
        elif command == READ and self.route:
            self.say(f"neighbor 10.99.0.2 ipv4 unicast {self.route}")
        self.say("done\n")

    def ctl(self, *words):
        """isochronectl, while ExaBGP goes on."""
        child = subprocess.Popen([BIN / "isochronectl", "--socket", self.folder / "bgp.sock", *words],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while child.poll() is None:
            self.serve_for(0.02)
        out, err = child.communicate()
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def data(self, *words):
        done = self.ctl("--json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def vip(self):
        return self.data("vip", "status")["vips"][0]

    def wait(self, wanted, seconds=10):
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, (self.commands, self.log)
            self.serve_for(0.05)


@pytest.fixture(name="answerer", scope="module")
def answerer_fixture():
    return Answerer()


def write_config(folder, answerer, more="", fall=2):
    answerer.mood = ""
    (folder / "state").mkdir(exist_ok=True)
    path = folder / "bgp.yaml"
    path.write_text(f"""\
vips:
  - {{prefix: 127.0.0.1/32, announce: {{med: 100}}}}
checks:
  answers: {{type: dns, server: "127.0.0.1@{answerer.port}", name: www.example.com., interval: 50ms, timeout: 400ms,
            retry: 10ms, rise: 3, fall: {fall}}}
drain: [{{communities: ["65535:0"]}}, {{wait: 1s}}, withdraw]
control: bgp.sock
state_dir: state
journal: bgp.journal
{more}""")
    return path


@pytest.fixture(name="config")
def config_fixture(tmp_path, answerer):
    return write_config(tmp_path, answerer)


@pytest.fixture(name="pop")
def pop_fixture(config):
    pop = Pop(config)
    yield pop
    pop.end()


def replay(config, *options):
    done = subprocess.run([BGP, "--config", config, "--replay", config.parent / "bgp.journal", *options],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_drain_and_its_end(pop, config):
    pop.serve_until(ANNOUNCE)
    done = pop.ctl("vip", "drain", "127.0.0.*", "--for", "3s", "--reason", "router upgrade", "--owner", "noc")
    assert done.returncode == 0 and "127.0.0.1/32: drain for" in done.stdout and "router upgrade" in done.stdout
    pop.wait(lambda: DRAINED in pop.commands)
    assert "drain by noc" in pop.ctl("vip", "status").stdout
    pop.wait(lambda: WITHDRAW in pop.commands)
    vip = pop.vip()
    assert vip["code"] == "operator_withdraws" and vip["overrode"] == "up"
    assert vip["operator"]["owner"] == "noc" and 0 < vip["operator"]["left_s"] <= 3
    assert "2 more withdrawals now" in pop.ctl("vip", "why").stdout
    assert pop.told("noc says drain: router upgrade")
    pop.wait(lambda: pop.commands.count(ANNOUNCE) == 2)  # its time is over
    assert pop.vip()["operator"] is None
    history = pop.ctl("vip", "history", "--count", "20").stdout
    for words in ("operator noc: drain, until", "announce, operator_drains: ", "withdraw, operator_withdraws: ",
                  "operator: auto", "announce, up: "):
        assert words in history, words
    pop.process.send_signal(signal.SIGTERM)
    pop.process.wait(5)
    result = json.loads(replay(config, "--json"))
    assert not any(row["differs"] for row in result["rows"]), result["rows"]
    assert result["vips"][0]["would"]["withdrawals"] == 1 and result["bad_lines"] == 0


def test_a_word_outlives_every_process(pop):
    pop.serve_until(ANNOUNCE)
    assert pop.ctl("vip", "withdraw", "all", "--for", "1h", "--owner", "noc").returncode == 0
    pop.wait(lambda: WITHDRAW in pop.commands)
    pop.wait(lambda: "withdraw" in (pop.folder / "state/bgp.state").read_text())
    before = pop.brain()
    os.kill(before, signal.SIGKILL)
    pop.wait(lambda: pop.brain() not in (0, before) and pop.ctl("vip", "status").returncode == 0)
    vip = pop.vip()
    assert vip["operator"]["action"] == "withdraw" and 3500 < vip["operator"]["left_s"] <= 3600
    pop.serve_for(0.5)
    assert pop.commands.count(ANNOUNCE) == 1
    assert "operator noc: withdraw, until" in pop.ctl("vip", "history", "--count", "100").stdout
    # unforced, an announcement does not beat what is down
    assert pop.ctl("vip", "announce", "all").returncode == 0
    pop.wait(lambda: pop.commands.count(ANNOUNCE) == 2)


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"isochrone-bgp state 1 length 2 crc32c 00000000\n{}\n",
                                     b"isochrone-bgp state 2 whatever\n"])
def test_a_damaged_state_file_is_ignored_loudly(config, content):
    (config.parent / "state/bgp.state").write_bytes(content)
    pop = Pop(config)
    try:
        pop.serve_until(ANNOUNCE)
        assert pop.told("ignored: starting without memory")
    finally:
        pop.end()


def test_a_journal_shows_what_another_threshold_would_have_done(pop, config, answerer):
    pop.serve_until(ANNOUNCE)
    pop.serve_for(0.3)
    answerer.mood = "servfail"
    pop.serve_until(WITHDRAW)
    pop.serve_for(0.5)
    answerer.mood = ""
    pop.wait(lambda: pop.commands.count(ANNOUNCE) == 2)
    pop.serve_for(0.3)
    pop.process.send_signal(signal.SIGTERM)
    pop.process.wait(5)
    same = json.loads(replay(config, "--json"))["vips"][0]
    assert same["did"]["withdrawals"] == same["would"]["withdrawals"] == 1 and same["differs_s"] < 0.2, same
    table = replay(write_config(config.parent, answerer, fall=100))
    assert " * did: hard check answers down after 2 failures (SERVFAIL" in table, table
    other = json.loads(replay(config, "--json"))["vips"][0]
    assert other["would"]["withdrawals"] == 0 and other["differs_s"] > 0.4, other
    done = subprocess.run([BGP, "--config", config, "--replay", config.parent / "nowhere"], capture_output=True,
                          text=True, timeout=5, check=False)
    assert done.returncode == 1 and "nowhere" in done.stderr


def test_a_full_disk_costs_lines_only(config, answerer):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
    # limits are inherited by what decides
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    small()
    try:
        pop = Pop(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    try:
        pop.serve_until(ANNOUNCE)
        answerer.mood = "servfail"
        pop.serve_until(WITHDRAW)
        answerer.mood = ""
        pop.wait(lambda: pop.commands.count(ANNOUNCE) == 2)
        assert pop.told("going on without it")
        books = pop.data("vip", "status")["books"]
        assert books["journal_failing"] and books["journal_lost"] > 0
        assert (config.parent / "bgp.journal").stat().st_size <= 300
    finally:
        pop.end()


def test_services_of_the_pop_are_drained_when_asked(tmp_path, answerer):
    folder = tmp_path / "edge"
    folder.mkdir()
    build_map(folder)
    (folder / "services.yaml").write_text(SERVICES)
    config = write_config(tmp_path, answerer, f"services: {{control: {folder}/edge.sock, pop: fra}}\n")
    pop = Pop(config)
    try:
        with Edge(folder, map="cdn.isomap", services="services.yaml") as edge:
            key = 'isochrone_edge_pop_state{service="web",pop="fra",family="ipv4"}'
            pop.serve_until(ANNOUNCE)
            assert pop.ctl("vip", "drain", "all", "--for", "1h").returncode == 0
            assert edge.metrics()[key] == 0, "queries are moved, users are not"
            done = pop.ctl("vip", "drain", "all", "--for", "1h", "--owner", "noc", "--with-services")
            assert done.returncode == 0, done.stderr
            until(lambda: edge.metrics()[key] == 128)
            done = pop.ctl("vip", "auto", "all", "--with-services")
            assert done.returncode == 0, done.stderr
            until(lambda: edge.metrics()[key] == 0)
        done = pop.ctl("vip", "drain", "all", "--with-services")
        assert done.returncode == 1 and "the VIP is changed, the services are not" in done.stderr
    finally:
        pop.end()


def test_metrics(tmp_path, answerer):
    port = free_port()
    config = write_config(tmp_path, answerer, f"metrics: 127.0.0.1@{port}\n")
    pages = []

    def scrape():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            pages.append(reply.read().decode())

    def metrics():
        scraper = threading.Thread(target=scrape)
        scraper.start()
        while scraper.is_alive():
            pop.serve_for(0.02)
        return {key: float(value) for key, value in
                (line.rsplit(" ", 1) for line in pages[-1].splitlines() if line[0] != "#")}

    pop = Pop(config)
    try:
        pop.serve_until(ANNOUNCE)
        pop.serve_for(0.2)
        values = metrics()
        vip = '{vip="127.0.0.1/32"}'
        for name in ("wanted", "acknowledged", "current", "holders", "stays"):
            assert values[f"isochrone_bgp_vip_{name}{vip}"] == 1, name
        assert values[f"isochrone_bgp_vip_seen{vip}"] == -1
        assert values['isochrone_bgp_check_state{check="answers",class="hard"}'] == 1
        assert values['isochrone_bgp_session_up{peer="10.99.0.2"}'] == 1
        assert values["isochrone_bgp_brains_total"] == 1 and values["isochrone_bgp_commands_in_flight"] == 0
        assert pop.ctl("vip", "withdraw", "all", "--for", "1h").returncode == 0
        pop.wait(lambda: WITHDRAW in pop.commands)
        pop.serve_for(0.2)
        values = metrics()
        assert values[f"isochrone_bgp_vip_wanted{vip}"] == values[f"isochrone_bgp_vip_acknowledged{vip}"] == 0
        assert values['isochrone_bgp_vip_transitions_total{vip="127.0.0.1/32",code="operator_withdraws"}'] == 1
        assert 990 < values['isochrone_bgp_vip_penalty{vip="127.0.0.1/32",of="network"}'] <= 1000
        assert values['isochrone_bgp_vip_override_left_seconds{vip="127.0.0.1/32",action="withdraw"}'] > 3500
        assert values["isochrone_bgp_journal_lines_total"] > 5
        # what decides hangs: the scrape says so and does not wait for ever
        os.kill(pop.brain(), signal.SIGSTOP)
        with pytest.raises((OSError, TimeoutError)):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=0.3)
        os.kill(pop.brain(), signal.SIGCONT)
        metrics()
    finally:
        pop.end()
    said = set(re.findall(r"^# TYPE (\S+)", "\n".join(pages), re.M))
    page = (pathlib.Path(__file__).resolve().parents[2] / "deploy/METRICS.md").read_text()
    written = set(re.findall(r"`(isochrone_bgp_\w+)`", page))
    assert said == written

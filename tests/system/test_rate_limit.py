# SPDX-License-Identifier: GPL-3.0-or-later
"""Floods from one network, as spoofed sources make them, against a real edge in a network namespace of its own: the
network is sent little, everybody else loses nothing, and who can prove its address goes on."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import edge_lab
from edge_lab import Edge

FLOOD = pathlib.Path(__file__).resolve().parent / "flood.py"
PROVE = """
import sys, dns.edns, dns.message, dns.query, dns.rcode
port, source = int(sys.argv[1]), "198.51.100.7"
def ask(tcp=False, cookie=b"a client"):
    options = [dns.edns.GenericOption(10, cookie)] if cookie else []
    message = dns.message.make_query("big.example.com.", "TXT", use_edns=0, options=options)
    reply = (dns.query.tcp if tcp else dns.query.udp)(message, "127.0.0.1", port=port, timeout=1, source=source)
    found = [option.to_wire() for option in reply.options if int(option.otype) == 10]
    return dns.rcode.to_text(reply.rcode()), len(reply.answer), found[0] if found else b""
def first():
    for _ in range(20):
        try:
            return ask()
        except dns.exception.Timeout:
            pass
print("tcp", *ask(tcp=True, cookie=None)[:2])
rcode, answers, cookie = first()
print("client", rcode, answers)
for _ in range(5):
    print("proven", *ask(cookie=cookie)[:2])
"""


class Namespace:
    def __init__(self):
        self.name = f"isorate-{os.getpid()}"

    def run(self, *command, **options):
        return subprocess.run(["ip", "netns", "exec", self.name, *map(str, command)], check=True, **options)

    def __enter__(self):
        done = subprocess.run(["ip", "netns", "add", self.name], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"SKIP: no network namespaces: {done.stderr.strip()}")
        self.run("ip", "link", "set", "lo", "up")
        for network in ("198.51.100.0/24", "203.0.0.0/16"):  # every address of it may be a source
            self.run("ip", "route", "add", "local", network, "dev", "lo")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


class InsideEdge(Edge):
    def __init__(self, namespace, folder, **keys):
        self.namespace = namespace
        super().__init__(folder, listen=None, metrics=None, **keys)
        self.configure(listen=[f"127.0.0.1@{self.port}"])

    def command(self, *options):
        return ["ip", "netns", "exec", self.namespace.name, *super().command(*options)]

    def limited(self):
        return self.data("stats")["limited"]

    def flood(self, *options):
        done = self.namespace.run(sys.executable, FLOOD, self.port, *options, capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)


@pytest.fixture
def edge(tmp_path):
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("SKIP: needs root and iproute2 for a network namespace")
    (tmp_path / "example.com.zone").write_text(edge_lab.zone_text(1, '"' + '" "'.join(["x" * 200] * 2) + '"'))
    with Namespace() as namespace:
        limits = {"responses_per_second": 50, "window": 5, "slip": 2}
        with InsideEdge(namespace, tmp_path, rate_limit=limits) as running:
            yield running


def undisturbed(tally):
    return tally["whole"] == tally["sent"] and tally["short"] == tally["other"] == 0


def test_reflection(edge):
    """One name asked again and again for one network."""
    result = edge.flood("--name", "static.example.com.", "--polite", "www.example.com.")
    victim = result["victim"]
    assert victim["sent"] > 3000
    assert victim["whole"] <= 50 + 10, "a second's worth, then nothing while it lasts"
    assert abs(victim["short"] - victim["sent"] / 2) < 60, "every other one is sent short"
    assert victim["received_bytes"] < victim["sent_bytes"]
    assert undisturbed(result["polite"]), result
    assert undisturbed(result["inside"]), "another name of that network: it is not blocked"
    limited = edge.limited()
    assert limited["slipped_positive"] == victim["short"]
    assert limited["dropped_positive"] == victim["sent"] - victim["whole"] - victim["short"]
    assert "50/s; slip 2" in edge.ctl("status").stdout


def test_random_names(edge):
    """Random names share one account: the zone's. Names that exist are answered, to that network too."""
    result = edge.flood("--name", "%r.example.com.")
    assert result["victim"]["whole"] <= 60, result
    assert undisturbed(result["polite"]) and undisturbed(result["inside"]), result
    limited = edge.limited()
    assert limited["slipped_nxdomain"] > 1000 and limited["slipped_positive"] == limited["dropped_positive"] == 0


def test_proof(edge):
    """TCP is never limited. A client with a cookie is told BADCOOKIE and given one that lets it through."""
    process = subprocess.Popen(["ip", "netns", "exec", edge.namespace.name, sys.executable, FLOOD, str(edge.port), "--name",
                                "big.example.com."], stdout=subprocess.DEVNULL)
    try:
        edge_lab.until(lambda: edge.limited()["slipped_nodata"] > 500)
        lines = edge.namespace.run(sys.executable, "-c", PROVE.replace('"TXT"', '"A"'), edge.port, capture_output=True,
                                   text=True, timeout=30).stdout.splitlines()
    finally:
        process.wait(30)
    assert lines == ["tcp NOERROR 0", "client BADCOOKIE 0"] + ["proven NOERROR 0"] * 5
    assert edge.data("stats")["rcodes"]["BADCOOKIE"] > 0


def test_reload_keeps_accounts(edge):
    edge.flood("--name", "static.example.com.", "--seconds", "0.5")
    assert edge.ctl("reload").returncode == 0
    before = edge.limited()["slipped_positive"]
    result = edge.flood("--name", "static.example.com.", "--seconds", "0.5", "--rate", "1000")
    assert result["victim"]["whole"] == 0, "what was owed is still owed"
    assert edge.limited()["slipped_positive"] > before
    edge.configure(rate_limit=False)
    assert edge.ctl("reload").returncode == 0
    assert undisturbed(edge.flood("--name", "static.example.com.", "--seconds", "0.3")["victim"])
    assert "limits    off" in edge.ctl("status").stdout


def test_queries_per_second(edge):
    """Whatever a network asks; a cookie's account is its own."""
    edge.configure(rate_limit={"queries_per_second": 100, "slip": 0, "window": 0})
    assert edge.ctl("reload").returncode == 0
    result = edge.flood("--name", "%r.example.com.", "--seconds", "1")
    assert 100 <= result["victim"]["whole"] <= 330, result
    assert result["victim"]["short"] == 0 and undisturbed(result["polite"])
    assert edge.limited()["dropped_queries"] > 1000

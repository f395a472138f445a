# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-bgp on a pipe, with an ExaBGP played by the test: no privileges, nothing but loopback."""
import json
import os
import pathlib
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()
BGP = BIN / "isochrone-bgp"
sys.path.insert(0, str(ROOT / "tests/lab"))
import responder  # noqa: E402  pylint: disable=wrong-import-position

HEADER = "Peer            AS        up/down state       |     #sent     #recvd\n"
PEER = "10.99.0.2       65000     0:00:05 established           1          0\n"
EVENT = ('{ "exabgp": "4.0.1", "time": 1.5, "type": "state", "neighbor": { "address": { "local": "10.99.0.1", '
         '"peer": "10.99.0.2" }, "state": "%s" } }\n')
ANNOUNCE = "announce route 127.0.0.1/32 next-hop self med 100\n"
LOOK = "show neighbor configuration\n"
READ = "show adj-rib out extensive\n"
WITHDRAW = "withdraw route 127.0.0.1/32\n"


class Answerer(threading.Thread):
    """Answers DNS on a loopback port; `mood` as in responder.py."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.mood = ""
        self.start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            reply = responder.answer(query, self.mood)
            if self.mood != "silent" and reply:
                self.socket.sendto(reply, client)


class Fake:
    """ExaBGP's side of the pipe. `rules` turn a command into what is said about it (None: nothing)."""

    def __init__(self, config, *options):
        self.process = subprocess.Popen([BGP, "--config", config, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.held = False
        self.commands = []
        self.buffer = b""
        self.log = []
        self.logger = threading.Thread(target=self.read_log, daemon=True)
        self.logger.start()

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line.decode())

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def command(self, seconds=5.0):
        """The next command, or None in that time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            if not select.select([self.process.stdout], [], [], max(deadline - time.monotonic(), 0))[0]:
                return None
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.commands.append(line.decode() + "\n")
        return self.commands[-1]

    def serve(self, command):
        """As the real one would."""
        if command == ANNOUNCE:
            self.held = True
        elif command == WITHDRAW:
            self.held = False
        elif command == "show neighbor summary\n":
            self.say(HEADER + PEER)
        elif command == LOOK:
            self.say("neighbor 10.99.0.2 {\n  api {\n    processes [ isochrone ];\n  }\n}\n")
        elif command == READ and self.held:
            self.say("neighbor 10.99.0.2 ipv4 unicast 127.0.0.1/32 next-hop self med 100\n")
        self.say("done\n")

    def serve_until(self, wanted, seconds=10.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            command = self.command(0.1)
            if command:
                assert not self.buffer, "a second command before the reply"
                self.serve(command)
            if command == wanted:
                return
        raise AssertionError(f"{wanted!r} never came: {self.commands} {self.log}")

    def serve_for(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            command = self.command(0.05)
            if command:
                self.serve(command)

    def brain(self):
        """The process id of the one child, which decides; 0 if there is none."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def told(self, text, seconds=2.0):
        """Whether its log says so, now or soon."""
        deadline = time.monotonic() + seconds
        while not any(text in line for line in list(self.log)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.logger.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


@pytest.fixture(name="answerer", scope="module")
def answerer_fixture():
    return Answerer()


@pytest.fixture(name="config")
def config_fixture(tmp_path, answerer):
    answerer.mood = ""
    path = tmp_path / "bgp.yaml"
    path.write_text(f"""\
vips:
  - {{prefix: 127.0.0.1/32, announce: {{med: 100}}}}
checks:
  answers: {{type: dns, server: "127.0.0.1@{answerer.port}", name: www.example.com., interval: 50ms, timeout: 400ms,
            retry: 10ms, rise: 3, fall: 2}}
neighbors:
  - {{address: 10.99.0.2, local_address: 10.99.0.1, local_as: 65001, peer_as: 65000}}
control: bgp.sock
""")
    return path


@pytest.fixture(name="fake")
def fake_fixture(config):
    fake = Fake(config)
    yield fake
    fake.end()


def test_announce_and_withdraw(fake, answerer):
    fake.serve_until(ANNOUNCE)
    assert fake.commands[0] == "show neighbor summary\n", "asks before it acts"
    answerer.mood = "servfail"
    fake.serve_until(WITHDRAW)
    assert fake.told("check answers: down after 2 failures (SERVFAIL")
    answerer.mood = ""
    fake.serve_until(ANNOUNCE)


def test_nothing_is_announced_while_nothing_answers(fake, answerer):
    answerer.mood = "silent"
    fake.serve_for(1.5)
    assert ANNOUNCE not in fake.commands and WITHDRAW not in fake.commands


def test_a_second_command_only_after_the_reply(fake, answerer):
    fake.serve_until(LOOK)
    assert fake.command() == ANNOUNCE
    answerer.mood = "servfail"
    assert fake.command(0.6) is None
    fake.say(EVENT % "down" + EVENT % "up" + '{"broken\n' + "do")
    assert fake.command(0.1) is None
    fake.say("ne\n")
    assert fake.command() == WITHDRAW


def test_missing_reply(fake):
    fake.serve_until(LOOK)
    assert fake.command() == ANNOUNCE
    begin = time.monotonic()
    assert fake.command() == "show neighbor summary\n"
    assert 0.8 < time.monotonic() - begin < 3
    assert fake.told('no reply to "announce route"')
    fake.held = True
    fake.say("done\n")  # late: must not count as the marker's
    assert fake.command(0.2) is None
    fake.serve("show neighbor summary\n")
    fake.serve_until(ANNOUNCE)


def test_no_replies_at_all_is_said(fake):
    deadline = time.monotonic() + 15
    while not fake.told("set exabgp.api.ack=true", 0):
        assert time.monotonic() < deadline
        if fake.command(0.2) == "show neighbor summary\n":
            fake.say(HEADER + PEER)
    assert ANNOUNCE not in fake.commands


def test_refusal_is_said_and_tried_again(fake):
    fake.serve_until(LOOK)
    assert fake.command() == ANNOUNCE
    fake.say("error\n")
    fake.serve_until(ANNOUNCE)
    assert fake.told("refused to announce")


def test_an_adopted_route_that_fails_goes_at_once(config, answerer):
    answerer.mood = "servfail"
    fake = Fake(config)
    try:
        fake.held = True
        fake.serve_until(WITHDRAW)
        assert fake.told("fails at once (SERVFAIL)") or fake.told("check answers: down")
        fake.serve_for(0.5)
        assert not fake.held
    finally:
        fake.end()


def test_input_is_always_read(fake):
    fake.serve_until(ANNOUNCE)
    begin = time.monotonic()
    for _ in range(200):  # 20 MB: would block at 64 KiB
        fake.say((EVENT % "connected") * 500)
    assert time.monotonic() - begin < 20
    assert fake.process.poll() is None


@pytest.mark.parametrize("close", ["stdin", "stdout"])
def test_a_closed_pipe_ends_it(fake, answerer, close):
    fake.serve_until(ANNOUNCE)
    if close == "stdin":
        fake.process.stdin.close()
    else:
        fake.serve_for(0.2)
        fake.process.stdout.close()
        answerer.mood = "servfail"
    assert fake.process.wait(5) == 0
    assert fake.told("closed our")


def test_an_exabgp_that_never_reads(config):
    """Its pipe is full from the start: no blocking, no growing, still reading."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    try:
        while True:
            os.write(theirs, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(theirs, True)
    process = subprocess.Popen([BGP, "--config", config], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE)
    try:
        for _ in range(20):
            process.stdin.write((EVENT % "connected").encode() * 500)
            process.stdin.flush()
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.stderr.close()
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_without_a_word_to_exabgp(fake, number):
    fake.serve_until(ANNOUNCE)
    fake.serve_for(0.3)
    before = len(fake.commands)
    fake.process.send_signal(number)
    assert fake.process.wait(5) == 0
    assert fake.command(0.1) is None and len(fake.commands) == before


def test_it_dies_with_its_parent_even_if_the_pipe_stays_open(config):
    """As when ExaBGP is killed while something else holds the pipe."""
    ours, theirs = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys, time\n"
         "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
         "print(child.pid, flush=True)\ntime.sleep(60)", BGP, "--config", config],
        stdin=ours, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        child = int(parent.stdout.readline())
        time.sleep(0.5)
        os.kill(child, 0)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 5
        while pathlib.Path(f"/proc/{child}/cmdline").exists() and \
                pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.stdout.close()
        os.close(ours)
        os.close(theirs)


def test_running_out_of_descriptors_withdraws_nothing(fake):
    fake.serve_until(ANNOUNCE)
    fake.serve_for(0.3)
    brain = fake.brain()
    hard = resource.prlimit(brain, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(brain, resource.RLIMIT_NOFILE, (3, hard))
    fake.serve_for(1.0)
    assert fake.told("cannot be made, it stays up (opening a socket: Too many open files)")
    assert WITHDRAW not in fake.commands
    resource.prlimit(brain, resource.RLIMIT_NOFILE, (hard, hard))
    fake.serve_for(0.3)
    assert WITHDRAW not in fake.commands


def test_a_wrong_configuration_is_no_reason_to_end(config):
    """ExaBGP gives up, with all its routes, when a process dies six times in a minute."""
    good = config.read_text()
    config.write_text("nonsense: 1\n")
    fake = Fake(config)
    try:
        assert fake.told("brain: cannot start: " + str(config) + ":1:1: unknown key")
        assert fake.told("trying again in 1 s")
        assert fake.process.poll() is None and not fake.commands
        config.write_text(good)
        fake.serve_until(ANNOUNCE)
    finally:
        fake.end()


def test_without_a_pipe_it_says_so(config):
    done = subprocess.run([BGP, "--config", config], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=5, check=False)
    assert done.returncode == 1 and "is started by ExaBGP" in done.stderr and done.stdout == ""


def once(config, *options):
    return subprocess.run([BGP, "--config", config, "--once", *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=10, check=False)


def test_once(config, answerer):
    good = once(config)
    assert good.returncode == 0
    assert "check  answers" in good.stdout and "pass" in good.stdout and "announce  all 1 hard checks up" in good.stdout
    answerer.mood = "servfail"
    bad = once(config, "--json")
    assert bad.returncode == 1
    data = json.loads(bad.stdout)
    assert data["checks"][0]["verdict"] == "fail" and data["checks"][0]["evidence"] == "SERVFAIL"
    assert data["vips"][0]["wish"] == "withdraw"


def test_check(config):
    done = subprocess.run([BGP, "--check", "--config", config], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=5, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "good: 1 VIPs, 1 checks, 1 neighbors" in done.stdout


def test_dry_run(config):
    process = subprocess.Popen([BGP, "--config", config, "--dry-run"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("dry run: announce"):
            break
    process.terminate()
    out, _ = process.communicate(timeout=5)
    assert line == "dry run: " + ANNOUNCE
    assert out == "", "nothing that could reach an ExaBGP"


def test_exabgp_config(config):
    done = subprocess.run([BGP, "--config", config, "--print-exabgp-config"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=5, check=False)
    assert done.returncode == 0
    assert f"run {BGP.resolve()} --config {config};" in done.stdout
    for setting in ("encoder json;", "respawn true;", "hold-time 9;", "ipv4 unicast;", "processes [ isochrone ];",
                    "neighbor-changes;", "router-id 10.99.0.1;"):
        assert setting in done.stdout
    assert "ipv6 unicast" not in done.stdout
    settings = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert not any("graceful" in line for line in settings)


def test_exabgp_config_never_holds_what_exabgp_would_take_apart(config):
    odd = config.parent / "bgp; run evil.yaml"
    odd.write_text(config.read_text())
    done = subprocess.run([BGP, "--config", odd, "--print-exabgp-config"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=5, check=False)
    assert done.returncode == 1 and done.stdout == "" and "cannot hold this path" in done.stderr


def test_control_socket(fake, config, answerer):
    def ask(raw):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(str(config.parent / "bgp.sock"))
            client.sendall(raw)
            return client.makefile("rb").readline()

    fake.serve_until(ANNOUNCE)
    fake.serve_for(0.2)
    assert (config.parent / "bgp.sock").stat().st_mode & 0o777 == 0o660
    reply = json.loads(ask(b'{"verb":"vip status"}\n'))
    assert reply["ok"] and reply["data"]["vips"][0]["state"] == "announced"
    assert "127.0.0.1/32" in reply["text"]
    assert json.loads(ask(b'{"verb":"vip","arguments":["why"]}\n'))["data"]["vip"]["vip"] == "127.0.0.1/32"
    for bad in (b"[]\n", b"{}\n", b"nonsense\n", b'{"verb":"vip","verb":"vip"}\n', b'{"verb":"vip drain"}\n',
                b'{"verb":"vip why","vip":"no address"}\n', b'{"verb":7}\n'):
        assert json.loads(ask(bad))["ok"] is False
    with pytest.raises(ConnectionResetError):
        ask(b"x" * 5000)  # too long: closed
    # idle clients do not keep others out for ever, and do not stop the announcer
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(40)]
    for client in idle:
        client.setblocking(False)
        client.connect_ex(str(config.parent / "bgp.sock"))
    answerer.mood = "servfail"
    fake.serve_until(WITHDRAW)
    fake.serve_for(5.5)
    for client in idle:
        client.close()
    assert json.loads(ask(b'{"verb":"vip status"}\n'))["data"]["vips"][0]["state"] == "withdrawn"

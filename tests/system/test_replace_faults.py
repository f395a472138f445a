# SPDX-License-Identifier: GPL-3.0-or-later
"""Either side of a replacement dies, hangs or talks nonsense at each step: one server serves, and exactly one.

The other side is the test, which speaks the conversation of edge/daemon/replace.h.
"""
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from edge_lab import Edge, free_port, until
from test_replace import TCP, Load, ask, owner

HELLO = {"verb": "replace", "options": {"protocol": 1, "oldest": 1, "version": "a test", "of the future": [1]}}
STEPS = ["sockets", "stop", "ready", "serving", "done"]


class Peer:
    """One end of a conversation: lines of JSON, descriptors beside them."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(10)
        self.bytes = b""
        self.fds = []

    def say(self, message, *fds):
        line = json.dumps({**message, **({"fds": len(fds)} if fds else {})}).encode() + b"\n"
        socket.send_fds(self.socket, [line], fds) if fds else self.socket.sendall(line)

    def hear(self):
        """None when the other side has gone."""
        while b"\n" not in self.bytes:
            try:
                got, fds, _, _ = socket.recv_fds(self.socket, 1 << 16, 200)
            except ConnectionResetError:
                return None
            self.fds += fds
            if not got:
                return None
            self.bytes += got
        line, self.bytes = self.bytes.split(b"\n", 1)
        return json.loads(line)

    def hear_all(self, step):
        """A list that comes in parts."""
        items = []
        while True:
            part = self.hear()
            assert part["step"] == step
            items += part[step]
            if not part["more"]:
                return items

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.socket.close()


class Successor(Peer):
    """Takes over from a real server, up to a step."""

    def __init__(self, edge, pid=None):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(edge.folder / "edge.sock"))
        super().__init__(connection)
        self.pidfd = os.pidfd_open(pid or os.getpid())
        self.say(HELLO)
        self.hello = self.hear()

    def reach(self, last):
        """Says everything up to and with the step `last`, and hears the answers."""
        for step in STEPS[:STEPS.index(last) + 1]:
            if step == "sockets":
                self.say({"step": step}, self.pidfd)
                self.sockets = self.hear_all("sockets")
            elif step == "stop":
                self.say({"step": step})
                self.connections = self.hear_all("connections")
                self.state = self.hear()
            elif step == "ready":
                self.say({"step": step, "control": True, "of the future": {}})
                assert self.hear() == {"step": "go"}
            else:
                self.say({"step": step})

    def close(self):
        os.close(self.pidfd)
        super().close()


@pytest.fixture
def server(tmp_path):
    with Edge(tmp_path, tcp=TCP) as edge:
        yield edge


@pytest.fixture
def victim():
    """A process that may be killed in place of a new server."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def serves(server, connection):
    """As before, to old and new connections, and to an operator."""
    assert server.process.poll() is None
    assert server.static() == 1
    ask(connection)
    assert server.ask("static.example.com.", tcp=True).answer
    assert server.data("status")["identity"] == "lab"


# --- the new one fails

def test_what_the_old_one_offers(server):
    with server.connect() as connection:
        ask(connection)
        peer = Successor(server)
        assert peer.hello["step"] == "hello" and peer.hello["protocol"] == 1 and peer.hello["pid"] == server.process.pid
        peer.reach("sockets")
        assert [one["role"] for one in peer.sockets] == ["dns"] * 8 + ["control", "metrics"]
        assert len(peer.fds) == 1 + 10  # and a pidfd
        peer.reach("stop")
        assert len(peer.connections) == 1 and len(peer.state["counters"]) == 2
        assert peer.connections[0]["queries"] == 1 and peer.connections[0]["held"] == ""
        peer.close()
        serves(server, connection)


@pytest.mark.parametrize("step", ["hello", "sockets", "stop"])
def test_the_new_one_dies_before_go(server, step):
    connections = [server.connect() for _ in range(30)]
    for connection in connections:
        ask(connection)
    load = Load(server, 500)
    assert until(lambda: server.total() > 100)
    for _ in range(3):
        peer = Successor(server)
        if step != "hello":
            peer.reach(step)
        peer.close()
        for connection in connections:
            ask(connection)
    report = load.report()
    assert report["sent"] == report["answered"]
    serves(server, connections[0])
    assert server.metrics()["isochrone_edge_tcp_connections"] == 30
    server.replace()
    serves(server, connections[0])
    for connection in connections:
        connection.close()


def test_the_new_one_dies_after_go(server, victim):
    with server.connect() as connection:
        ask(connection)
        peer = Successor(server, victim.pid)
        peer.reach("ready")
        victim.kill()
        victim.wait()
        peer.close()
        assert until(lambda: "this server goes on" in server.logged())
        serves(server, connection)


def test_the_new_one_dies_before_it_is_done(server, victim):
    """It has served: half a query it may have read is nothing to build on."""
    with server.connect() as connection, server.connect() as within:
        ask(connection)
        within.sendall(b"\0")
        assert until(lambda: server.metrics()["isochrone_edge_tcp_connections"] == 2)
        peer = Successor(server, victim.pid)
        peer.reach("serving")
        control = [one["role"] for one in peer.sockets].index("control")
        with socket.socket(fileno=os.dup(peer.fds[1 + control])) as listener:
            listener.listen()
        assert owner(server) == os.getpid()
        victim.kill()
        victim.wait()
        peer.close()
        assert until(lambda: "has died: this server goes on" in server.logged())
        serves(server, connection)
        assert within.recv(1) == b""
        assert server.metrics()["isochrone_edge_tcp_connections"] == 1
        assert until(lambda: owner(server) == server.process.pid)


def test_the_new_one_hangs_after_go_and_is_ended(server, victim):
    """It might serve any moment: the old one may go on only when it is dead."""
    with server.connect() as connection:
        ask(connection)
        peer = Successor(server, victim.pid)
        peer.reach("ready")
        start = time.monotonic()
        assert victim.wait(10) == -signal.SIGKILL
        assert 1 < time.monotonic() - start < 4
        assert until(lambda: "this server goes on" in server.logged())
        serves(server, connection)
        peer.close()


def test_the_new_one_hangs_before_go(server):
    with server.connect() as connection:
        ask(connection)
        peer = Successor(server)
        peer.reach("stop")
        load = Load(server, 200)
        assert peer.hear() is None  # it was left behind
        assert until(lambda: "this server goes on" in server.logged())
        report = load.report()
        assert report["sent"] == report["answered"]  # after a while
        serves(server, connection)
        peer.close()


def test_nonsense_changes_nothing(server):
    noise = random.Random(1)
    with server.connect() as connection:
        for step in ("hello", "sockets", "stop"):
            for line in (b"\n", b"[]\n", b"{}\n", b'{"step": "go"}\n', b'{"step": "serving"}\n', b'{"fds": 9}\n',
                         b'{"step": "abort", "reason": "a test"}\n', noise.randbytes(300) + b"\n", b'{"step": 5}\n'):
                peer = Successor(server)
                if step != "hello":
                    peer.reach(step)
                peer.socket.sendall(line)
                assert peer.hear() is None
                peer.close()
        serves(server, connection)


def test_who_is_not_heard(server):
    for options in ({}, {"protocol": "1"}, {"protocol": 0, "oldest": 0}, {"protocol": 9, "oldest": 2}):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.folder / "edge.sock"))
            peer = Peer(connection)
            peer.say({"verb": "replace", "options": options})
            assert not peer.hear()["ok"]
    newer = Successor(server)  # which speaks ours too
    newer.socket.close()
    second, third = Successor(server), Successor(server)
    assert second.hear() is None  # given up for the third
    third.reach("sockets")
    second.close()
    third.close()
    assert server.static() == 1


# --- the old one fails

class Predecessor(threading.Thread):
    """Is replaced by a real server, up to the answer of `last`; then it dies or hangs."""

    def __init__(self, folder, last, process, hang=False, hello=None):
        super().__init__()
        self.last, self.hang, self.process = last, hang, process
        self.hello = {"ok": True, "step": "hello", "protocol": 1, "version": "a test", **(hello or {})}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / "edge.sock"))
        self.listener.listen()
        self.udp, self.tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        self.port = free_port()
        for one in (self.udp, self.tcp):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, one is self.tcp)
            one.bind(("127.0.0.1", self.port))
        self.tcp.listen()
        self.heard = []

    def run(self):
        peer = Peer(self.listener.accept()[0])
        while True:
            message = peer.hear()
            if message is None:
                break
            step = message.get("step", "hello")
            self.heard.append(step)
            if step == "hello":
                pidfd = os.pidfd_open(self.process.pid)
                peer.say(self.hello, pidfd)
                os.close(pidfd)
            elif step == "sockets":
                listener = self.listener
                peer.say({"step": "sockets", "more": False,
                          "sockets": [{"role": "dns", "name": "u"}, {"role": "dns", "name": "t"}, {"role": "tea"},
                                      {"role": "control"}]},
                         self.udp.fileno(), self.tcp.fileno(), listener.fileno(), listener.fileno())
            elif step == "stop":
                peer.say({"step": "connections", "connections": [], "more": False})
                if self.last != "connections":
                    peer.say({"step": "state", "counters": [{"query_bytes": 1000, "tea": 5}], "tea": {}})
            elif step == "ready":
                peer.say({"step": "go"})
            if step == self.last or (step == "stop" and self.last == "connections"):
                break
        if self.hang:
            assert self.process.wait(20)
        else:
            self.process.kill()
            self.process.wait()
        for one in (self.udp, self.tcp, self.listener):
            one.close()
        peer.close()


def replace(tmp_path, last, victim, **options):
    old = Predecessor(tmp_path, last, victim, **options)
    edge = Edge(tmp_path, listen=[f"127.0.0.1@{old.port}"], metrics=None)
    edge.port = old.port
    old.start()
    edge.log = open(tmp_path / "log", "ab")
    edge.process = subprocess.Popen(edge.command("--replace"), stderr=edge.log, stdout=edge.log)
    old.join()
    return edge


def is_serving(edge):
    assert until(lambda: ": serving " in edge.logged())
    assert edge.static() == 1
    assert edge.ask("static.example.com.", tcp=True).answer
    assert edge.stop() == 0
    edge.log.close()


def test_the_old_one_dies_before_it_gave_anything(tmp_path, victim):
    """Who watches over it starts it again."""
    edge = replace(tmp_path, "hello", victim)
    assert edge.process.wait(10) == 1
    edge.log.close()


@pytest.mark.parametrize("last", ["sockets", "connections", "stop", "ready"])
def test_the_old_one_dies_once_the_new_one_has_the_sockets(tmp_path, victim, last):
    """Nobody else can serve any more what waits in them."""
    is_serving(replace(tmp_path, last, victim))


def test_the_old_one_hangs_once_it_stands_still(tmp_path, victim):
    """It should have gone on by itself long ago; it does no more."""
    edge = replace(tmp_path, "connections", victim, hang=True)
    assert victim.returncode == -signal.SIGKILL
    is_serving(edge)


def test_protocols_that_do_not_meet(tmp_path, victim):
    edge = replace(tmp_path, "hello", victim, hello={"protocol": 2})
    assert edge.process.wait(10) == 1
    assert "chose hand-over protocol 2" in edge.logged()
    edge.log.close()


def test_a_server_that_cannot_be_replaced_is_left_alone(tmp_path, victim):
    edge = replace(tmp_path, "hello", victim, hello={"ok": False, "step": None, "errors": ["unknown verb 'replace'"]})
    assert edge.process.wait(10) == 1
    assert "unknown verb 'replace'" in edge.logged()
    edge.log.close()


# --- anybody, anywhere

def test_kills_at_any_moment_leave_one_server(server):
    """The new one is killed after a time that is anything from nothing to more than it needs."""
    chance = random.Random(7)
    load = Load(server, 300)
    with server.connect() as connection:
        ask(connection)
        for number in range(int(os.environ.get("ISOCHRONE_KILLS", 10))):
            new = subprocess.Popen(server.command("--replace"), stderr=server.log, stdout=server.log)
            time.sleep(chance.random() * 0.08)
            old, dead = server.process, new
            if until(lambda: old.poll() is not None, 0):
                server.process = new  # it was done already
                continue
            new.kill()
            new.wait()
            try:
                assert old.wait(0.3) == 0, server.logged()
            except subprocess.TimeoutExpired:
                ask(connection)
                continue
            server.process = dead  # the old one had seen it serve, and was right: the manager's turn
            server.log_offset = (server.folder / "log").stat().st_size
            server.start()
            connection = server.connect()
        serves(server, connection)
    load.report()

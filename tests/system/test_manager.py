# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-edge under a service manager: sockets it is given, sockets it leaves there, and who is the main process.

systemd itself is not here: the manager is the test, which speaks sd_notify(3) and sd_listen_fds(3) over real sockets.
"""
import os
import socket
import subprocess

import dns.query
import pytest

from edge_lab import Edge, free_port, query, until
from manager_lab import Manager
from test_replace import Load


@pytest.fixture
def manager(tmp_path):
    with Manager(tmp_path / "notify") as one:
        yield one


def bound(fd):
    """(kind, address, port) of a kept descriptor."""
    with socket.socket(fileno=os.dup(fd)) as one:
        return one.type & 15, *one.getsockname()[:2]


def test_every_socket_is_left_with_the_manager(tmp_path, manager):
    with Edge(tmp_path).start(manager.env) as server:
        assert until(lambda: len(manager.store) == 8)  # two workers, two addresses, UDP and TCP
        places = sorted(bound(fd) for fd in manager.store.values())
        assert places == sorted(2 * [(kind, host, server.port) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
                                     for host in ("127.0.0.1", "::1")])
        assert not any(":" in name for name in manager.store)


def test_after_a_crash_nothing_that_came_in_is_lost(tmp_path, manager):
    with Edge(tmp_path).start(manager.env) as server:
        assert until(lambda: len(manager.store) == 8)
        load = Load(server, 500)
        for _ in range(2):
            assert until(lambda: server.total() > 100)
            server.kill()  # what it has read and not answered goes with it: none, or one round
            waiting = server.connect()
            waiting.sendall(b"\0\x21" + query("static.example.com.", use_edns=False).to_wire()[:33])
            manager.start(server)
            assert waiting.recv(2)
            waiting.close()
            assert len(manager.store) == 8
        report = load.report()
        assert report["lost"] <= 2 * 64 and not report["wrong"] and not report["twice"]
        assert "service manager" not in server.logged()


def test_sockets_of_another_configuration(tmp_path, manager):
    with Edge(tmp_path).start(manager.env) as server:
        assert until(lambda: len(manager.store) == 8)
        server.stop()
        server.configure(listen=[f"127.0.0.1@{server.port}"], workers=3)
        manager.start(server)
        assert server.static() == 1
        assert until(lambda: len(manager.store) == 6)
        assert {bound(fd)[1] for fd in manager.store.values()} == {"127.0.0.1"}


def test_socket_activation_needs_no_privilege(tmp_path, manager):
    """As from a socket unit: one socket of each kind, for all workers, of names of their own."""
    port = free_port()
    udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    tcp.bind(("127.0.0.1", port))
    tcp.listen()
    edge = Edge(tmp_path, listen=[f"127.0.0.1@{port}"])
    edge.port = port
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    client.settimeout(5)
    client.send(query("static.example.com.").to_wire())  # what the socket was made for
    with manager.start(edge, {"dns.socket": udp.fileno(), "tcp": tcp.fileno(), "odd": other.fileno()}) as server:
        assert client.recv(4096)
        assert server.static() == 1
        assert server.ask("static.example.com.", tcp=True).answer
        assert "socket 'odd' of the service manager" in server.logged()
    for one in (udp, tcp, other, client):
        one.close()


def test_the_main_process_changes(tmp_path, manager):
    more = free_port()
    with Edge(tmp_path).start(manager.env) as server:
        assert manager.next() == "READY=1"
        assert until(lambda: len(manager.store) == 8)
        kept = dict(manager.store)
        # not from a shell: the manager would take it for the end of the service
        done = subprocess.run(server.command("--replace"), capture_output=True, text=True, timeout=10)
        assert done.returncode == 1 and "service manager" in done.stderr
        server.replace(env=manager.env)
        assert manager.next() == f"MAINPID={server.process.pid}\nREADY=1"
        assert manager.store == kept
        server.configure(listen=[f"127.0.0.1@{server.port}", f"127.0.0.1@{more}"])
        server.replace(env=manager.env)
        assert manager.next() == f"MAINPID={server.process.pid}\nREADY=1"
        assert until(lambda: len(manager.store) == 8)
        assert {bound(fd)[1:] for fd in manager.store.values()} == {("127.0.0.1", server.port), ("127.0.0.1", more)}
        assert dns.query.udp(query("static.example.com."), "127.0.0.1", port=more, timeout=3).answer
        assert manager.heard.empty()  # no STOPPING from those who ended


def test_the_watchdog_passes_on(tmp_path, manager):
    with Edge(tmp_path).start(manager.env | {"WATCHDOG_USEC": "6000000"}) as server:
        assert manager.next() == "READY=1"
        server.replace(env=manager.env)
        assert manager.next() == f"MAINPID={server.process.pid}\nREADY=1"
        assert manager.next() == "WATCHDOG=1"

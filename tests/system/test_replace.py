# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-edge --replace: a new process takes over, and nobody outside notices.

ISOCHRONE_REPLACEMENTS=100 makes the run under load that long, and prints what it saw.
"""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

import dns.message
import dns.rcode
import pytest

from edge_lab import BIN, SERVICES, Edge, build_map, frame, free_port, query, read_frame, until, zone_text

REPLACEMENTS = int(os.environ.get("ISOCHRONE_REPLACEMENTS", 5))
LATE_MS = 1000  # no answer later than that, on a machine that does other things besides
TCP = {"connections_per_client": 1000, "idle": "300s"}
# Another build of another version; deployment builds have none, the debug build of the same tree has.
OTHER = next((path for path in (BIN / "isochrone-edge-next", BIN.parents[1] / "dev/bin/isochrone-edge-next")
              if path.exists()), None)


@pytest.fixture
def server(tmp_path):
    with Edge(tmp_path, tcp=TCP) as edge:
        yield edge


class Load:
    """Queries at a constant rate from a process of its own; report() ends it."""

    def __init__(self, edge, rate, sockets=32):
        tool = pathlib.Path(__file__).with_name("udp_load.py")
        self.process = subprocess.Popen([sys.executable, tool, str(edge.port), str(rate), str(sockets)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def report(self):
        return json.loads(self.process.communicate(timeout=30)[0])


def ask(connection, name="static.example.com."):
    message = query(name)
    connection.sendall(frame(message.to_wire()))
    response = dns.message.from_wire(read_frame(connection))
    assert response.id == message.id and response.rcode() == dns.rcode.NOERROR
    return response


def owner(server):
    """Whom the control socket says it belongs to."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.folder / "edge.sock"))
        return struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


# --- nothing is lost

@pytest.mark.skipif(OTHER is None, reason="isochrone-edge-next is not built: cmake --build --preset dev")
def test_replacements_under_load_lose_nothing(server):
    programs = [OTHER, "isochrone-edge"]
    connections = [server.connect() for _ in range(300)]
    for connection in connections:
        ask(connection)
    load = Load(server, 2000)
    before = server.total()
    for number in range(REPLACEMENTS):
        server.replace(program=programs[number % 2])
        now = server.total()
        assert now >= before, "counters go back"
        before = now
        for connection in connections:
            ask(connection)
        assert server.data("status")["version"].endswith("+next") == (number % 2 == 0)
    report = load.report()
    values = server.metrics()
    print(f"\n{REPLACEMENTS} replacements, {len(connections)} idle connections: {json.dumps(report)}")
    assert report["sent"] == report["answered"] > 100 * REPLACEMENTS
    assert not any(report[key] for key in ("lost", "twice", "wrong", "unsent"))
    assert report["longest_ms"] < LATE_MS
    assert values["isochrone_edge_tcp_connections"] == values["isochrone_edge_tcp_opened_total"] == 300
    assert server.total(values) == report["sent"] + 300 * (REPLACEMENTS + 1)
    for connection in connections:
        connection.close()


def test_a_connection_is_passed_on_with_what_it_holds(tmp_path):
    with Edge(tmp_path, tcp=TCP) as server:
        (tmp_path / "example.com.zone").write_text(zone_text(1, " ".join(["x" * 250] * 200)))
        assert server.ctl("reload").returncode == 0
        within, blocked, fresh = server.connect(), server.connect(), server.connect()
        first, last = (frame(query(name).to_wire()) for name in ("static.example.com.", "www.example.com."))
        within.sendall(first + last[:7])  # answered, and half a query
        assert dns.message.from_wire(read_frame(within)).answer
        asked = frame(query("big.example.com.", "TXT").to_wire()) * 40
        blocked.sendall(asked)  # 40 x 50 KB of answers nobody reads yet
        ask(fresh)
        time.sleep(0.3)
        for _ in range(2):
            server.replace()
        within.sendall(last[7:])
        assert dns.message.from_wire(read_frame(within)).answer
        for _ in range(40):
            assert len(read_frame(blocked)) > 50000
        ask(blocked)
        ask(fresh)
        values = server.metrics()
        assert values["isochrone_edge_tcp_connections"] == 3
        for connection in (within, blocked, fresh):
            connection.close()


def test_the_control_socket_belongs_to_whoever_serves(server):
    for _ in range(2):
        assert owner(server) == server.process.pid
        server.replace()
        assert until(lambda: owner(server) == server.process.pid)


def test_what_waits_in_the_queues_is_answered(server):
    """Nobody reads the sockets while the old one stands still: it is stopped on purpose."""
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
    server.process.send_signal(signal.SIGSTOP)
    for client in clients:
        client.connect(("127.0.0.1", server.port))
        client.settimeout(10)
        client.send(query("static.example.com.").to_wire())
    waiting = [server.connect() for _ in range(20)]
    for connection in waiting:
        connection.sendall(frame(query("static.example.com.").to_wire()))
    server.process.send_signal(signal.SIGCONT)
    server.replace()
    for client in clients:
        assert dns.message.from_wire(client.recv(4096)).answer
        client.close()
    for connection in waiting:
        assert dns.message.from_wire(read_frame(connection)).answer
        connection.close()


# --- what passes on

def test_states_counters_and_cookies_pass_on(tmp_path):
    build_map(tmp_path)
    (tmp_path / "services.yaml").write_text(SERVICES)
    (tmp_path / "states.yaml").write_text("pops: {sin: drain}\n")
    with Edge(tmp_path, map="cdn.isomap", services="services.yaml", states=["states.yaml"], state_dir=None) as server:
        assert server.ctl("pop", "nyc", "down", "--for", "2h", "--reason", "a test").returncode == 0
        assert server.ctl("reload").returncode == 0
        (tmp_path / "states.yaml").unlink()  # its last states stay, here and there
        assert until(lambda: server.data("status")["feeds"][0]["status"] == "missing")
        cookie = dns.edns.GenericOption(10, bytes(8))
        message = dns.message.make_query("static.example.com.", "A", use_edns=0, options=[cookie])
        first = dns.query.udp(message, "127.0.0.1", port=server.port, timeout=3).options[0]
        states, values = server.data("status")["states"], server.metrics()
        server.replace()
        assert server.data("status")["states"] == states
        assert [state["state"] for state in states] == ["down", "drain"]
        after = server.metrics()
        for key, value in values.items():
            if "_total" in key:
                assert after[key] >= value, key
        assert after['isochrone_edge_reloads_total{result="ok"}'] == 1
        message = dns.message.make_query("static.example.com.", "A", use_edns=0, options=[first])
        assert dns.query.udp(message, "127.0.0.1", port=server.port, timeout=3).options
        assert server.metrics()["isochrone_edge_cookie_valid_total"] == 1


def test_a_reload_while_the_new_one_loads_is_not_undone(tmp_path):
    """The new one read the zone before the old one did: it has to look again."""
    with Edge(tmp_path, tcp=TCP) as server:
        server.configure(zones=[{"origin": "example.com.", "file": "example.com.zone"},
                                {"origin": "slow.test.", "file": "slow.zone"}])
        (tmp_path / "slow.zone").write_text(zone_text(1) + "".join(f"n{i} IN A 192.0.2.1\n" for i in range(60000)))
        new = subprocess.Popen(server.command("--replace"), stderr=server.log, stdout=server.log)
        assert until(lambda: "is going to replace" in server.logged())
        (tmp_path / "example.com.zone").write_text(zone_text(2))
        assert server.ctl("reload").returncode == 0
        assert server.process.wait(30) == 0
        server.process = new
        assert until(lambda: server.static() == 2)


# --- another configuration

def test_addresses_come_and_go(server):
    more, kept = free_port(), server.connect()
    ask(kept)
    server.configure(listen=[f"127.0.0.1@{server.port}", f"127.0.0.1@{more}"])
    server.replace()
    assert dns.query.udp(query("static.example.com."), "127.0.0.1", port=more, timeout=3).answer
    assert dns.query.tcp(query("static.example.com."), "127.0.0.1", port=more, timeout=3).answer
    assert server.static() == 1
    ask(kept)
    with pytest.raises(OSError):
        dns.query.tcp(query("static.example.com."), "::1", port=server.port, timeout=1)
    gone, server.port = server.port, more
    server.configure(listen=[f"127.0.0.1@{more}"])
    server.replace()
    assert server.static() == 1
    ask(kept)  # of an address that is no more, but open
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", gone), timeout=1)
    kept.close()


def test_workers_come_and_go_under_load(server):
    load = Load(server, 1000)
    connections = [server.connect() for _ in range(50)]
    for workers in (4, 1, 3, 2):
        server.configure(workers=workers)
        server.replace()
        assert server.metrics()["isochrone_edge_workers"] == workers
        for connection in connections:
            ask(connection)
    report = load.report()
    assert report["sent"] == report["answered"]
    assert server.metrics()["isochrone_edge_tcp_connections"] == 50
    for connection in connections:
        connection.close()


def test_control_and_metrics_move(server):
    old = server.folder / "edge.sock"
    server.configure(control="other.sock", metrics=f"127.0.0.1@{free_port()}")
    server.metrics_port = int(server.keys["metrics"].split("@")[1])
    server.replace(f"--replace={old}")
    assert not old.exists()
    assert server.total() == 0
    done = subprocess.run([BIN / "isochronectl", "--socket", server.folder / "other.sock", "status"], timeout=10)
    assert done.returncode == 0
    server.replace()
    assert (server.folder / "other.sock").exists()


def test_detached_the_caller_ends_when_the_new_one_serves(server):
    done = subprocess.run(server.command("--replace", "--detach"), timeout=20, stderr=server.log)
    assert done.returncode == 0
    assert server.process.wait(10) == 0
    text = server.logged()
    pid = int(text.rsplit("replaced by process ", 1)[1].split()[0])
    try:
        assert server.static() == 1
    finally:
        os.kill(pid, signal.SIGTERM)
    assert until(lambda: "stopping on signal 15" in server.logged())
    server.log_offset = len(server.logged())
    server.start()
    broken = subprocess.run(server.command("--replace=/nowhere", "--detach"), timeout=20, capture_output=True)
    assert broken.returncode == 1 and b"/nowhere" in broken.stderr


# --- nothing changes

def refused(server, *options):
    """What a replacement says that must not happen; the server of before goes on."""
    done = subprocess.run(server.command(*(options or ("--replace",))), capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert server.process.poll() is None
    assert server.static() == 1
    assert (server.folder / "edge.sock").exists() and server.ctl("status").returncode == 0
    return done.stderr


def test_what_is_wrong_changes_nothing(server):
    good = dict(server.keys)
    connection = server.connect()
    ask(connection)
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    address = f"127.0.0.1@{taken.getsockname()[1]}"
    server.configure(listen=good["listen"] + [address])
    assert "Address already in use" in refused(server)
    server.configure(listen=good["listen"] + ["192.0.2.1@53"])
    assert "Cannot assign requested address" in refused(server)
    server.configure(**good)
    (server.folder / "example.com.zone").write_text(zone_text(2) + "broken IN A x\n")
    assert "nothing is replaced" in refused(server)
    server.configure(map="none.isomap")
    assert "none.isomap" in refused(server)
    server.configure(map=None, user="nobody-of-that-name")
    assert "nobody-of-that-name" in refused(server)
    del server.keys["user"]
    server.configure(**good)
    assert "there is nobody to replace" in refused(server, "--replace=/nowhere/edge.sock")
    (server.folder / "example.com.zone").write_text(zone_text(1))
    ask(connection)
    server.replace()
    ask(connection)
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: to become another user needs root")
def test_privileges_a_new_address_needs(tmp_path):
    """Taken over, a low port needs none; a new one does, and says so."""
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:-2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    with Edge(tmp_path, listen=["127.0.0.81@53"], user="nobody", state_dir=None) as server:
        server.keys["user"] = None
        os.chown(tmp_path / "edge.sock", 65534, 65534)
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                   "--bounding-set=-all"]
        server.configure(listen=["127.0.0.81@53", "127.0.0.82@53"])
        done = subprocess.run(as_user + server.command("--replace"), capture_output=True, text=True, timeout=10)
        assert done.returncode == 1 and "127.0.0.82:53" in done.stderr and "Permission denied" in done.stderr
        server.configure(listen=["127.0.0.81@53"])
        new = subprocess.Popen(as_user + server.command("--replace"), stderr=server.log, stdout=server.log)
        assert server.process.wait(10) == 0
        server.process = new
        assert dns.query.udp(query("static.example.com."), "127.0.0.81", timeout=3).answer
        # and nobody else's word counts
        stranger = subprocess.run(["setpriv", "--reuid=65533", "--regid=65534", "--clear-groups"] +
                                  server.command("--replace"), capture_output=True, text=True, timeout=10)
        assert stranger.returncode == 1
        assert dns.query.udp(query("static.example.com."), "127.0.0.81", timeout=3).answer

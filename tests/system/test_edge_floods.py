# SPDX-License-Identifier: GPL-3.0-or-later
"""Floods at the level of sockets: isochrone-edge in a network namespace of its own, many clients in another."""
import contextlib
import errno
import os
import random
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from edge_lab import Edge, frame, halt, query, read_exactly, read_frame, until, zone_text
from xdp_lab import inside

_IP_FREEBIND = 15
SERVER, SERVER6 = "192.0.2.1", "2001:db8::1"
WIRE = frame(query("static.example.com.").to_wire())


def run(*words):
    subprocess.run(words, check=True, capture_output=True, timeout=20)


def why_not():
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        run("ip", "netns", "add", f"isoprobe{os.getpid()}")
        run("ip", "netns", "del", f"isoprobe{os.getpid()}")
    except (OSError, subprocess.CalledProcessError) as why:
        return f"no network namespaces: {why}"
    return None


pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"SKIP: {why_not()}")


def write(namespace, path, value):
    with inside(namespace), open(path, "w", encoding="ascii") as file:
        file.write(value)


class Internet:
    """Two hosts joined by a veth pair; the clients' one has all of 10.0.0.0/8 and 2001:db8:c000::/36 as its own."""

    def __init__(self):
        self.server, self.clients = f"isofs{os.getpid()}", f"isofc{os.getpid()}"

    def make(self):
        for namespace in (self.server, self.clients):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            for which in ("all", "default"):  # a link-local address that is still in doubt asks for no neighbours
                write(namespace, f"/proc/sys/net/ipv6/conf/{which}/accept_dad", "0")
        run("ip", "-n", self.server, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", self.clients)
        for namespace, last in ((self.server, 1), (self.clients, 2)):
            run("ip", "-n", namespace, "address", "add", f"192.0.2.{last}/24", "dev", "v0")
            run("ip", "-n", namespace, "address", "add", f"2001:db8::{last}/64", "dev", "v0", "nodad")
            run("ip", "-n", namespace, "link", "set", "v0", "up")
        run("ip", "-n", self.server, "route", "add", "default", "via", "192.0.2.2")
        run("ip", "-n", self.server, "route", "add", "2001:db8:c000::/36", "via", "2001:db8::2")
        run("ip", "-n", self.clients, "route", "add", "local", "10.0.0.0/8", "dev", "lo")
        run("ip", "-n", self.clients, "route", "add", "local", "2001:db8:c000::/36", "dev", "lo")

    def down(self):
        for namespace in (self.server, self.clients):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def socket(self, source, kind=socket.SOCK_STREAM, timeout=5):
        """A client's, bound to any of the clients' addresses."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with inside(self.clients):
            client = socket.socket(family, kind)
        client.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        client.bind((source, 0))
        client.settimeout(timeout)
        return client


@pytest.fixture(name="internet", scope="module")
def internet_fixture():
    internet = Internet()
    try:
        internet.make()
        yield internet
    finally:
        internet.down()


@pytest.fixture(name="start")
def start_fixture(internet, tmp_path):
    """start(tcp limits): a server with one worker, in whose namespace the test then runs."""
    with contextlib.ExitStack() as stack:
        def start(**tcp):
            stack.enter_context(inside(internet.server))
            server = Edge(tmp_path, workers=1, tcp=tcp)
            server.configure(listen=[f"{SERVER}@{server.port}", f"{SERVER6}@{server.port}"])
            return stack.enter_context(server)
        yield start


def connect(internet, server, source):
    client = internet.socket(source)
    client.connect((SERVER6 if ":" in source else SERVER, server.port))
    return client


def ask_udp(internet, server, source, count):
    """How many of `count` queries, one after the other, are answered."""
    answered = 0
    with internet.socket(source, socket.SOCK_DGRAM, timeout=2) as client:
        client.connect((SERVER, server.port))
        for _ in range(count):
            client.send(WIRE[2:])
            with contextlib.suppress(TimeoutError):
                answered += len(client.recv(2048)) > 12
    return answered


def ask_tcp(client):
    client.sendall(WIRE)
    return len(read_frame(client)) > 12


def kernel(name):
    """A counter of the server's namespace."""
    with open("/proc/thread-self/net/netstat", encoding="ascii") as file:
        lines = [line.split() for line in file]
    for names, values in zip(lines[::2], lines[1::2]):
        if name in names:
            return int(values[names.index(name)])
    raise KeyError(name)


def tcp_counts(server):
    """{what: count} of the metrics tcp_WHAT_total."""
    return {key.removeprefix("isochrone_edge_tcp_").removesuffix("_total"): value
            for key, value in server.metrics().items() if key.startswith("isochrone_edge_tcp_")}


def each_closed_for_a_reason(counts):
    reasons = ("closed_by_peer", "closed_idle", "closed_slow", "closed_spent", "closed_memory", "evicted", "bad", "errors")
    return counts["closed"] == sum(counts[reason] for reason in reasons) and \
        counts["connections"] == counts["opened"] - counts["closed"]


@contextlib.contextmanager
def meanwhile(work, count=1):
    """Threads that do `work(stop)` until the block is left."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(stop,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# --- connections

def test_a_flood_of_connections_is_paid_for_by_who_makes_it(internet, start):
    server = start(connections=100, connections_per_client=20)
    patient = connect(internet, server, "10.200.0.1")
    assert ask_tcp(patient)

    def flood(stop):
        """40 addresses, each with as many connections as it gets."""
        held = []
        while not stop.is_set():
            client = internet.socket(f"10.1.0.{random.randint(1, 40)}")
            client.setblocking(False)
            client.connect_ex((SERVER, server.port))
            held.append(client)
            if len(held) > 600:
                held.pop(0).close()
        for client in held:
            client.close()

    with patient, meanwhile(flood):
        assert until(lambda: server.metrics()["isochrone_edge_tcp_evicted_total"] > 100)
        for number in range(25):
            assert ask_udp(internet, server, f"10.201.0.{number + 1}", 20) == 20
            with connect(internet, server, f"10.202.0.{number + 1}") as newcomer:
                assert ask_tcp(newcomer)
            assert ask_tcp(patient), "who has one connection keeps it"
        counts = tcp_counts(server)
        assert counts["connections"] <= 100
        assert counts["evicted"] > 100
    assert until(lambda: server.metrics()["isochrone_edge_tcp_connections"] == 0)
    assert each_closed_for_a_reason(tcp_counts(server))


def test_one_client_alone_fills_no_more_than_its_share(internet, start):
    server = start(connections=100, connections_per_client=5)
    mine = [connect(internet, server, "10.1.0.1") for _ in range(5)]
    for client in mine:
        assert ask_tcp(client)
    for _ in range(20):
        with pytest.raises((ConnectionResetError, BrokenPipeError, EOFError)):
            with connect(internet, server, "10.1.0.1") as one_more:
                ask_tcp(one_more)
    with connect(internet, server, "10.1.0.2") as neighbour:
        assert ask_tcp(neighbour)
    counts = tcp_counts(server)
    assert (counts["limited"], counts["evicted"], counts["opened"]) == (20, 0, 6)
    for client in mine:
        assert ask_tcp(client)
        client.close()


def test_an_ipv6_site_is_one_client(internet, start):
    server = start(connections_per_client=2)
    with connect(internet, server, "2001:db8:c000::1") as one, connect(internet, server, "2001:db8:c000:ff::1") as two:
        assert ask_tcp(one) and ask_tcp(two)
        with pytest.raises((ConnectionResetError, BrokenPipeError, EOFError)):
            with connect(internet, server, "2001:db8:c000:7f::1") as three:
                ask_tcp(three)
        with connect(internet, server, "2001:db8:c000:100::1") as other_site:
            assert ask_tcp(other_site)
        assert tcp_counts(server)["limited"] == 1


def test_clients_that_do_not_read_take_bounded_memory_and_nobodys_time(internet, start, tmp_path):
    big = " ".join(f'"{"x" * 250}"' for _ in range(200))
    (tmp_path / "example.com.zone").write_text(zone_text(1, big))
    server = start(idle="1s", memory=2 << 20)
    wanted = frame(query("big.example.com.", "TXT").to_wire())
    deaf = []
    for number in range(120):
        client = internet.socket(f"10.1.{number}.1")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((SERVER, server.port))
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.send(wanted * 200)  # 10 MB of answers
        deaf.append(client)
        if number % 10 == 0:
            assert ask_udp(internet, server, "10.200.0.1", 3) == 3
            with connect(internet, server, "10.200.0.2") as reading:
                assert ask_tcp(reading)
    rss = int(next(line for line in open(f"/proc/{server.process.pid}/status", encoding="ascii")
                   if line.startswith("VmRSS")).split()[1])
    assert rss < 64 << 10
    assert until(lambda: tcp_counts(server)["connections"] == 0), "all are closed once their time is up"
    counts = tcp_counts(server)
    assert counts["closed_slow"] > 10 and counts["closed_memory"] > 10
    assert each_closed_for_a_reason(counts)
    for client in deaf:
        client.close()


def test_who_asks_without_pause_leaves_others_their_turn(internet, start):
    server = start(idle="30s")
    many = WIRE * 2000

    def press(stop):
        """More queries at once than one round answers, and more before those are answered."""
        client = connect(internet, server, f"10.1.0.{random.randint(1, 250)}")
        client.setblocking(False)
        at = 0
        while not stop.is_set():
            readable, writable, _ = select.select([client], [client], [], 0.1)
            if readable:
                client.recv(1 << 20)
            if writable:
                at = (at + client.send(many[at:])) % len(many)
        client.close()

    with meanwhile(press, 4):
        assert until(lambda: server.outcome("positive", "tcp") > 20000, 20)
        with connect(internet, server, "10.200.0.1") as patient:
            for _ in range(20):
                assert ask_tcp(patient)
                assert ask_udp(internet, server, "10.200.0.2", 5) == 5
        with connect(internet, server, "10.200.0.3") as newcomer:
            assert ask_tcp(newcomer)
    counts = tcp_counts(server)
    assert counts["evicted"] == counts["closed_slow"] == counts["closed_memory"] == 0


def test_slow_writers_are_left(internet, start):
    server = start(query="500ms", idle="30s")
    drips = [connect(internet, server, f"10.1.{number}.1") for number in range(30)]
    begin = time.monotonic()
    while drips and time.monotonic() - begin < 5:
        for client in list(drips):
            try:
                client.send(b"\1")
            except OSError as why:
                assert why.errno in (errno.EPIPE, errno.ECONNRESET)
                drips.remove(client)
        time.sleep(0.05)
        with connect(internet, server, "10.200.0.1") as honest:
            assert ask_tcp(honest)
    assert not drips
    assert tcp_counts(server)["closed_slow"] == 30


# --- what an operator allows

def test_after_its_last_query_a_connection_is_closed_without_losing_an_answer(internet, start):
    server = start(queries=7)
    with connect(internet, server, "10.1.0.1") as client:
        client.sendall(WIRE * 1000)  # most of it is never looked at, and must not cost the answers
        time.sleep(0.2)
        for _ in range(7):
            assert len(read_frame(client)) > 12
        with pytest.raises(EOFError):
            read_exactly(client, 1)
    assert until(lambda: tcp_counts(server)["connections"] == 0)
    counts = tcp_counts(server)
    assert (counts["closed_spent"], counts["errors"]) == (1, 0)
    assert server.outcome("positive", "tcp") == 7


def test_a_lifetime_ends_even_a_busy_connection(internet, start):
    server = start(lifetime="300ms")
    answered = 0
    with connect(internet, server, "10.1.0.1") as client, pytest.raises(EOFError):
        while answered < 1000:
            answered += ask_tcp(client)
            time.sleep(0.02)
    assert 5 < answered < 1000
    assert tcp_counts(server)["closed_spent"] == 1


# --- before us

def test_what_finds_the_listeners_queue_full_is_counted(internet, start):
    server = start(backlog=4)
    before = kernel("ListenDrops")
    halt(server.process)
    clients = []
    for number in range(20):
        client = internet.socket(f"10.1.0.{number + 1}")
        client.setblocking(False)
        client.connect_ex((SERVER, server.port))
        clients.append(client)
    assert until(lambda: kernel("ListenDrops") > before)
    server.process.send_signal(signal.SIGCONT)
    drops = 'isochrone_edge_socket_drops_total{worker="0",transport="tcp"}'
    assert until(lambda: server.metrics()[drops] == kernel("ListenDrops") - before)
    assert server.metrics()[drops] > 0
    # who was dropped comes again
    assert until(lambda: len(select.select([], clients, [], 0)[1]) == 20)
    for client in clients:
        client.settimeout(5)
        assert ask_tcp(client)
        client.close()


def test_half_open_connections_keep_nobody_out(internet, start):
    server = start(backlog=32)
    before = kernel("SyncookiesSent")
    with inside(internet.clients):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
    for number in range(2000):  # from addresses that nobody has: no handshake ends
        source = struct.pack("!BBH", 172, 16, number)
        header = struct.pack("!HHIIBBHHH", 1024 + number, server.port, number, 0, 0x50, 0x02, 1024, 0, 0)
        pseudo = source + socket.inet_aton(SERVER) + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(header))
        total = sum(struct.unpack(f"!{(len(pseudo) + len(header)) // 2}H", pseudo + header))
        total = (total & 0xffff) + (total >> 16)
        total = ~((total & 0xffff) + (total >> 16)) & 0xffff
        header = header[:16] + struct.pack("!H", total) + header[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0) + source + socket.inet_aton(SERVER)
        raw.sendto(ip + header, (SERVER, 0))
    raw.close()
    for number in range(10):
        with connect(internet, server, f"10.1.0.{number + 1}") as client:
            assert ask_tcp(client)
    assert kernel("SyncookiesSent") > before
    counts = tcp_counts(server)
    assert (counts["opened"], counts["evicted"]) == (10, 0), "half a handshake is no connection of ours"


@pytest.mark.parametrize("allowed", [True, False])
def test_a_query_may_come_with_the_first_packet(internet, start, allowed):
    server = start(fastopen=allowed)
    for namespace in (internet.server, internet.clients):
        write(namespace, "/proc/sys/net/ipv4/tcp_fastopen", "3")
    before = kernel("TCPFastOpenPassive")
    for _ in range(2):  # the first one fetches the cookie
        with internet.socket("10.1.0.1") as client:
            client.settimeout(None)  # else it may only say that the connection is on its way
            client.sendto(WIRE, socket.MSG_FASTOPEN, (SERVER, server.port))
            assert len(read_frame(client)) > 12
    assert kernel("TCPFastOpenPassive") - before == (1 if allowed else 0)

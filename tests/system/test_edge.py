# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-edge on loopback: transports, limits, metrics, life and death."""
import http.client
import os
import pwd
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from edge_lab import BIN, Edge, free_port, frame, halt, query, read_exactly, read_frame, until, zone_text
from manager_lab import Manager


@pytest.fixture
def edge(tmp_path):
    with Edge(tmp_path) as server:
        yield server


# --- transports

@pytest.mark.parametrize("where,family", [("127.0.0.1", "ipv4"), ("::1", "ipv6")])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_each_transport_answers_and_counts_where_it_came_in(edge, where, family, tcp):
    for _ in range(3):
        assert edge.addresses("static.example.com.", where=where, tcp=tcp) == ["192.0.2.1"]
    values = {key: value for key, value in edge.metrics().items()
              if key.startswith("isochrone_edge_queries_total") and value}
    transport = "tcp" if tcp else "udp"
    assert values == {f'isochrone_edge_queries_total{{outcome="positive",transport="{transport}",family="{family}"}}': 3}


def test_a_wildcard_server_answers_from_the_address_it_was_asked_at(tmp_path):
    server = Edge(tmp_path)
    server.configure(listen=[f"0.0.0.0@{server.port}", f"::@{server.port}"])
    with server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        for address in ("127.0.0.1", "127.0.0.2", "127.1.2.3"):
            client.sendto(query("static.example.com.").to_wire(), (address, server.port))
            assert client.recvfrom(2048)[1] == (address, server.port)
        assert server.addresses("static.example.com.", where="::1") == ["192.0.2.1"]
        assert server.outcome("positive") == 3
        assert server.outcome("positive", family="ipv6") == 1


def test_a_burst_is_answered_whole_and_in_batches(edge):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.settimeout(3)
        client.connect(("127.0.0.1", edge.port))
        wire = query("static.example.com.").to_wire()[2:]
        halt(edge.process)
        for number in range(200):
            client.send(struct.pack("!H", number) + wire)
        edge.process.send_signal(signal.SIGCONT)
        numbers = sorted(struct.unpack("!H", client.recv(2048)[:2])[0] for _ in range(200))
    assert numbers == list(range(200))
    assert edge.outcome("positive") == 200
    assert edge.metrics()["isochrone_edge_udp_batches_total"] <= 8


def test_packets_lost_before_us_are_counted(edge):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", edge.port))
        halt(edge.process)
        sent = 0
        padding = b"\0" * 1400
        while sent < 30000:
            client.send(padding)
            sent += 1
        edge.process.send_signal(signal.SIGCONT)

    def settled():
        values = edge.metrics()
        seen = sum(value for key, value in values.items() if key.startswith("isochrone_edge_queries_total"))
        lost = sum(value for key, value in values.items()
                   if key.startswith("isochrone_edge_socket_drops_total") and 'transport="udp"' in key)
        return seen + lost == sent and lost > 0

    assert until(settled)


def test_what_is_no_query_gets_no_response(edge):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.3)
        client.connect(("127.0.0.1", edge.port))
        client.send(b"short")
        client.send(query("static.example.com.").to_wire()[:2] + b"\x80\0" + b"\0" * 8)  # a response
        with pytest.raises(socket.timeout):
            client.recv(100)
    assert edge.outcome("dropped") == 2


def test_an_answer_too_large_for_udp_is_truncated_and_whole_over_tcp(tmp_path):
    big = " ".join(f'"{"x" * 200}"' for _ in range(12))
    (tmp_path / "example.com.zone").write_text(zone_text(1, big))
    with Edge(tmp_path) as server:
        short = server.ask("big.example.com.", "TXT")
        assert short.flags & dns.flags.TC
        assert len(short.to_wire()) <= 1232
        assert len(server.ask("big.example.com.", "TXT", tcp=True).answer[0][0].to_wire()) > 2400
        assert server.metrics()["isochrone_edge_truncated_total"] == 1


# --- TCP

def test_pipelined_queries_are_answered_in_order(edge):
    with edge.connect() as client:
        wire = query("static.example.com.").to_wire()[2:]
        client.sendall(b"".join(frame(struct.pack("!H", number) + wire) for number in range(2000)))
        for number in range(2000):
            assert struct.unpack("!H", read_frame(client)[:2])[0] == number
    assert edge.outcome("positive", "tcp") == 2000


def test_segments_may_be_cut_anywhere(edge):
    with edge.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = frame(query("static.example.com.").to_wire())
        for byte in whole:
            client.send(bytes([byte]))
            time.sleep(0.001)
        assert dns.message.from_wire(read_frame(client)).rcode() == 0
        # the end of one with the start of the next
        client.sendall(whole + whole[:7])
        read_frame(client)
        client.sendall(whole[7:])
        assert dns.message.from_wire(read_frame(client)).rcode() == 0
    assert edge.outcome("positive", "tcp") == 3


def test_a_client_that_does_not_read_is_left_behind_alone(tmp_path):
    big = " ".join(f'"{"x" * 250}"' for _ in range(100))
    (tmp_path / "example.com.zone").write_text(zone_text(1, big))
    with Edge(tmp_path, tcp={"idle": "1s"}, workers=1) as server:
        wire = frame(query("big.example.com.", "TXT").to_wire())
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", server.port))
            slow.settimeout(0.2)
            sent = 0
            with pytest.raises(OSError):
                while sent < 64 << 20:  # the server stops reading long before
                    sent += slow.send(wire * 100)
            assert sent < 32 << 20
            assert server.addresses("static.example.com.") == ["192.0.2.1"]
            assert server.addresses("static.example.com.", tcp=True) == ["192.0.2.1"]
            assert until(lambda: server.metrics()["isochrone_edge_tcp_closed_slow_total"] == 1)
        rss = int(next(line for line in open(f"/proc/{server.process.pid}/status") if line.startswith("VmRSS")).split()[1])
        assert rss < 64 << 10


def test_a_slow_reader_gets_everything_in_order(tmp_path):
    big = " ".join(f'"{"x" * 250}"' for _ in range(40))
    (tmp_path / "example.com.zone").write_text(zone_text(1, big))
    with Edge(tmp_path) as server, server.connect() as client:
        wire = query("big.example.com.", "TXT").to_wire()[2:]
        count = 1500

        def feed():
            client.sendall(b"".join(frame(struct.pack("!H", number) + wire) for number in range(count)))

        feeder = threading.Thread(target=feed)
        feeder.start()
        time.sleep(0.3)  # responses pile up to the limit meanwhile
        for number in range(count):
            response = read_frame(client)
            assert struct.unpack("!H", response[:2])[0] == number
            assert len(response) > 10000
        feeder.join()
        assert server.outcome("positive", "tcp") == count


@pytest.mark.parametrize("garbage", [b"\0\0", frame(b"hello"), b"\0\x0c" + b"\xff" * 12], ids=["empty", "short", "response"])
def test_what_is_no_dns_closes_the_connection(edge, garbage):
    with edge.connect() as client:
        client.sendall(frame(query("static.example.com.").to_wire()) + garbage)
        read_frame(client)
        with pytest.raises((EOFError, ConnectionResetError)):
            read_exactly(client, 1)
    assert edge.metrics()["isochrone_edge_tcp_bad_total"] == 1


def test_a_malformed_query_costs_its_own_answer_only(edge):
    with edge.connect() as client:
        good = query("static.example.com.").to_wire()
        broken = [good[:-1], good[:14], good + b"\1", good[:4] + b"\0\2" + good[6:], good[:2] + b"\x28" + good[3:]]
        client.sendall(b"".join(frame(wire) for one in broken for wire in (one, good)))
        rcodes = [dns.message.from_wire(read_frame(client)).rcode() for _ in range(10)]
        assert rcodes == [dns.rcode.FORMERR, dns.rcode.NOERROR] * 4 + [dns.rcode.NOTIMP, dns.rcode.NOERROR]
    assert until(lambda: edge.metrics()["isochrone_edge_tcp_closed_by_peer_total"] == 1)
    assert edge.metrics()["isochrone_edge_tcp_bad_total"] == 0


def test_a_client_that_says_no_more_gets_its_answers(edge):
    with edge.connect() as client:
        client.sendall(frame(query("static.example.com.").to_wire()) * 50)
        client.shutdown(socket.SHUT_WR)
        for _ in range(50):
            read_frame(client)
        with pytest.raises(EOFError):
            read_exactly(client, 1)
    assert until(lambda: edge.metrics()["isochrone_edge_tcp_connections"] == 0)
    assert edge.metrics()["isochrone_edge_tcp_errors_total"] == 0


def test_an_idle_connection_lives_as_long_as_it_was_told(tmp_path):
    asking = dns.message.make_query("static.example.com.", "A", use_edns=0,
                                    options=[dns.edns.GenericOption(dns.edns.OptionType.KEEPALIVE, b"")])
    with Edge(tmp_path, tcp={"idle": "800ms"}) as server, server.connect() as client:
        for _ in range(4):  # longer than that altogether: each query begins the time anew
            client.sendall(frame(asking.to_wire()))
            told = [option.data for option in dns.message.from_wire(read_frame(client)).options if option.otype == 11]
            assert told == [struct.pack("!H", 8)]  # RFC 7828: units of 100 ms
            time.sleep(0.3)
        client.sendall(frame(asking.to_wire()))
        read_frame(client)
        start = time.monotonic()
        with pytest.raises(EOFError):
            read_exactly(client, 1)
        assert time.monotonic() - start > 0.7
        assert server.metrics()["isochrone_edge_tcp_closed_idle_total"] == 1


def test_idle_connections_are_closed_even_if_bytes_trickle(tmp_path):
    with Edge(tmp_path, tcp={"idle": "500ms", "query": "400ms"}) as server, server.connect() as silent, server.connect() as trickling:
        start = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError, EOFError)):
            while time.monotonic() - start < 4:
                trickling.send(b"\1")  # 257 bytes are announced
                time.sleep(0.1)
        with pytest.raises(EOFError):
            read_exactly(silent, 1)
        values = server.metrics()
        assert (values["isochrone_edge_tcp_closed_idle_total"], values["isochrone_edge_tcp_closed_slow_total"]) == (1, 1)


def test_limits_of_connections(tmp_path):
    with Edge(tmp_path, workers=1, tcp={"connections": 4, "connections_per_client": 3}) as server:
        mine = [server.connect() for _ in range(3)]
        for client in mine:
            client.sendall(frame(query("static.example.com.").to_wire()))
            read_frame(client)
        with pytest.raises((EOFError, ConnectionResetError, BrokenPipeError)):
            with server.connect() as fourth:
                fourth.sendall(frame(query("static.example.com.").to_wire()))
                read_frame(fourth)
        assert server.metrics()["isochrone_edge_tcp_limited_total"] == 1
        others = []
        for address in ("127.0.0.2", "127.0.0.3"):
            client = socket.socket()
            client.settimeout(5)
            client.bind((address, 0))
            client.connect(("127.0.0.1", server.port))
            client.sendall(frame(query("static.example.com.").to_wire()))
            read_frame(client)
            others.append(client)
        # the fifth took the place of the one that was silent for longest
        with pytest.raises((EOFError, ConnectionResetError)):
            read_exactly(mine[0], 1)
        mine[1].sendall(frame(query("static.example.com.").to_wire()))
        read_frame(mine[1])
        assert server.metrics()["isochrone_edge_tcp_evicted_total"] == 1
        for client in mine + others:
            client.close()
        assert until(lambda: server.metrics()["isochrone_edge_tcp_connections"] == 0)


def test_more_connections_than_the_soft_limit_of_descriptors(tmp_path):
    server = Edge(tmp_path, tcp={"connections": 1500, "connections_per_client": 1500})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("the hard limit of descriptors is too low here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
        with server:
            clients = [server.connect() for _ in range(600)]
            clients[-1].sendall(frame(query("static.example.com.").to_wire()))
            read_frame(clients[-1])
            assert until(lambda: server.metrics()["isochrone_edge_tcp_connections"] == 600)
            for client in clients:
                client.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("spare", [0, 6])
def test_without_descriptors_it_goes_on(tmp_path, spare):
    with Edge(tmp_path, workers=1) as server:
        used = {int(fd) for fd in os.listdir(f"/proc/{server.process.pid}/fd")}
        limit = next(fd for fd in range(1 << 20) if fd not in used and len(set(range(fd)) - used) == spare)
        soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, hard))
        clients = []
        for number in range(20):
            client = socket.socket()
            client.bind((f"127.0.1.{number + 1}", 0))
            client.settimeout(5)
            try:
                client.connect(("127.0.0.1", server.port))
                client.sendall(frame(query("static.example.com.").to_wire()))
                read_frame(client)
                clients.append(client)
            except (EOFError, ConnectionResetError, BrokenPipeError):
                assert spare == 0  # else a new one takes the place of an old one
                client.close()
        assert len(clients) == (20 if spare else 0)
        assert server.addresses("static.example.com.") == ["192.0.2.1"]
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        values = server.metrics()
        # one more may go: without a descriptor the kernel does not say whether anybody waits
        assert values["isochrone_edge_tcp_evicted_total"] in ((20 - spare, 21 - spare) if spare else (0,))
        assert values["isochrone_edge_tcp_limited_total"] == (0 if spare else 20)
        for client in clients:
            client.close()


# --- metrics, stats and status say the same

def test_every_number_is_what_was_sent(edge):
    edge.ask("static.example.com.")
    edge.ask("static.example.com.", "AAAA")
    edge.ask("nothere.example.com.", "MX")
    edge.ask("elsewhere.test.", "TXT")
    edge.ask("static.example.com.", subnet="198.51.100.0/24", tcp=True)
    values = edge.metrics()
    for kind, transport, count in (("positive", "udp", 1), ("nodata", "udp", 1), ("nxdomain", "udp", 1),
                                   ("refused", "udp", 1), ("positive", "tcp", 1)):
        assert values[f'isochrone_edge_queries_total{{outcome="{kind}",transport="{transport}",family="ipv4"}}'] == count
    assert sum(value for key, value in values.items() if key.startswith("isochrone_edge_queries_total")) == 5
    assert values['isochrone_edge_responses_total{rcode="NOERROR"}'] == 3
    assert values['isochrone_edge_responses_total{rcode="NXDOMAIN"}'] == 1
    assert values['isochrone_edge_responses_total{rcode="REFUSED"}'] == 1
    assert values['isochrone_edge_query_types_total{type="A"}'] == 2
    assert values['isochrone_edge_query_types_total{type="TXT"}'] == 1
    assert values["isochrone_edge_edns_total"] == 5
    assert values["isochrone_edge_ecs_total"] == 1
    assert values["isochrone_edge_tcp_opened_total"] == 1
    assert values["isochrone_edge_zones_loaded"] == 1
    assert values["isochrone_edge_workers"] == 2
    stats = edge.data("stats")
    assert stats["queries"] == 5
    assert stats["outcomes"]["positive"] == {"udp4": 1, "udp6": 0, "tcp4": 1, "tcp6": 0}
    assert stats["rcodes"]["NOERROR"] == 3
    status = edge.data("status")
    assert sum(worker["queries"] for worker in status["workers"]) == 5
    assert [zone["serial"] for zone in status["zones"]] == [1]
    health = edge.data("health")
    assert health["answered"] == {"udp4": 4, "udp6": 0, "tcp4": 1, "tcp6": 0}
    assert health["pid"] == edge.process.pid and health["map"] is None and health["xdp"] is None


def test_documented_metrics_are_those_that_exist(edge):
    documented = open(os.path.join(os.path.dirname(__file__), "../../deploy/METRICS.md"), encoding="utf-8").read()
    names = {key.split("{")[0] for key in edge.metrics()}
    undocumented = sorted(name for name in names if f"`{name}" not in documented)
    assert undocumented == []


def test_the_metrics_server_knows_one_page(edge):
    def status(path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", edge.metrics_port, timeout=5)
        connection.request(method, path)
        return connection.getresponse().status

    assert (status("/metrics"), status("/"), status("/metrics", "POST")) == (200, 404, 405)


# --- life and death

def test_a_graceful_stop_answers_what_has_arrived(edge):
    with edge.connect() as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(3)
        udp.connect(("127.0.0.1", edge.port))
        client.sendall(frame(query("static.example.com.").to_wire()))
        read_frame(client)
        halt(edge.process)
        client.sendall(frame(query("static.example.com.").to_wire()) * 20)
        for _ in range(20):
            udp.send(query("static.example.com.").to_wire())
        edge.process.send_signal(signal.SIGTERM)
        edge.process.send_signal(signal.SIGCONT)
        for _ in range(20):
            read_frame(client)
            udp.recv(2048)
    assert edge.process.wait(5) == 0
    assert "stopped after 41 queries" in edge.logged()


def test_a_second_server_does_not_take_half_of_the_queries(edge, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    second = Edge(other, listen=[f"127.0.0.1@{edge.port}"])
    done = subprocess.run(second.command(), capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert f"127.0.0.1:{edge.port}: cannot listen on UDP: Address already in use" in done.stderr
    third = Edge(other, control=str(edge.folder / "edge.sock"))
    done = subprocess.run(third.command(), capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert edge.ctl("status").returncode == 0


def test_a_log_that_nobody_reads_any_more_is_no_reason_to_die(tmp_path):
    server = Edge(tmp_path)
    reader, writer = os.pipe()
    process = subprocess.Popen(server.command(), stderr=writer, stdin=subprocess.DEVNULL)
    os.close(writer)
    try:
        assert until(lambda: (tmp_path / "edge.sock").exists() and server.ctl("status").returncode == 0)
        os.close(reader)
        (tmp_path / "example.com.zone").write_text(zone_text(2))
        assert server.ctl("reload").returncode == 0
        assert server.static() == 2
    finally:
        process.terminate()
        assert process.wait(5) == 0


def test_systemd_hears_of_start_reload_and_stop(tmp_path):
    with Manager(tmp_path / "notify") as manager, Edge(tmp_path).start(manager.env) as server:
        assert manager.next() == "READY=1"
        server.process.send_signal(signal.SIGHUP)
        assert manager.next().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert manager.next() == "READY=1"
        server.process.send_signal(signal.SIGTERM)
        assert manager.next() == "STOPPING=1"
        assert server.process.wait(5) == 0


def test_the_watchdog_is_fed_while_workers_live(tmp_path):
    with Manager(tmp_path / "notify") as manager, Edge(tmp_path).start(manager.env | {"WATCHDOG_USEC": "6000000"}):
        assert manager.next() == "READY=1"
        assert manager.next() == "WATCHDOG=1"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give privileges up")
def test_privileges_are_gone_once_it_serves(tmp_path):
    user = pwd.getpwnam("nobody")
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        os.chmod(folder, 0o755)
    with Edge(tmp_path, user="nobody", listen=["127.0.0.1@5", "::1@5"]) as server:
        server.port = 5  # a port that takes root to bind
        assert server.addresses("static.example.com.") == ["192.0.2.1"]
        for task in os.listdir(f"/proc/{server.process.pid}/task"):
            status = dict(line.split(":\t", 1) for line in
                          open(f"/proc/{server.process.pid}/task/{task}/status").read().splitlines() if ":\t" in line)
            assert status["Uid"].split() == [str(user.pw_uid)] * 4
            assert status["Gid"].split() == [str(user.pw_gid)] * 4
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
            assert status["NoNewPrivs"] == "1"
        assert os.stat(tmp_path / "state").st_uid == user.pw_uid
        assert server.ctl("status").returncode == 0
        (tmp_path / "example.com.zone").write_text(zone_text(2))
        assert server.ctl("reload").returncode == 0
        assert server.static() == 2


def test_system_calls_are_confined(edge):
    if edge.keys.get("seccomp") is False:
        pytest.skip("a sanitizer build is not confined")
    for task in os.listdir(f"/proc/{edge.process.pid}/task"):
        assert "\nSeccomp:\t2\n" in open(f"/proc/{edge.process.pid}/task/{task}/status").read()


def test_an_unknown_user_is_no_start(tmp_path):
    done = subprocess.run(Edge(tmp_path, user="nobody-of-that-name").command(), capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert "user 'nobody-of-that-name': there is nobody of that name" in done.stderr


# --- the control socket

def control(server, payload, answer=True):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(server.folder / "edge.sock"))
        client.sendall(payload)
        return client.makefile().readline() if answer else ""


@pytest.mark.parametrize("payload,words", [
    (b"nonsense\n", "no JSON object"),
    (b"[]\n", "no JSON object"),
    (b"{}\n", "no verb"),
    (b'{"verb": "dance"}\n', "unknown verb 'dance'"),
    (b'{"verb": 5}\n', "no verb"),
    (b'{"verb": "pop", "arguments": 5, "options": []}\n', "is no PoP"),
    (b'{"verb": "explain", "arguments": ["a"]}\n', "explain CLIENT NAME"),
    (b"\xff\xfe\n", "no JSON object"),
])
def test_requests_that_are_none_are_refused(edge, payload, words):
    reply = control(edge, payload)
    assert '"ok":false' in reply
    assert words in reply


def test_a_request_without_end_is_closed(edge):
    assert control(edge, b"x" * 4096) == ""
    with pytest.raises(ConnectionError):
        control(edge, b"x" * 65536)  # closed before it was read
    assert edge.ctl("status").returncode == 0


def test_slow_clients_block_nobody(edge):
    lazy = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(edge.folder / "edge.sock"))
        client.sendall(b'{"verb": "status"}\n' * 200 + b'{"verb":')  # and never reads
        lazy.append(client)
    start = time.monotonic()
    assert edge.ctl("status").returncode == 0
    assert time.monotonic() - start < 8  # before the lazy ones were closed for being idle
    for client in lazy:
        client.close()


def test_only_owner_and_group_may_ask(edge):
    assert os.stat(edge.folder / "edge.sock").st_mode & 0o777 == 0o660


def test_isochronectl_without_a_server(tmp_path):
    done = subprocess.run([BIN / "isochronectl", "--socket", tmp_path / "none.sock", "status"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.sock: No such file or directory" in done.stderr


@pytest.mark.parametrize("words", [[], ["dance"], ["status", "now"], ["explain", "a"], ["pop", "fra"]])
def test_isochronectl_usage(words):
    done = subprocess.run([BIN / "isochronectl", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: isochronectl")

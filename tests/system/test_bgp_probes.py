# SPDX-License-Identifier: GPL-3.0-or-later
"""What isochrone-bgp's checks say of real servers on loopback: a signed zone on Knot and on our edge, pages of
nginx."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from edge_lab import Edge, zone_text
from peer_servers import SBIN, Peer, free_port
from signed_zones import sign, tools_missing

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")).resolve()

ZONE = "nsec.example."
BIG = '"' + '" "'.join(["y" * 250] * 8) + '"'  # more than a datagram takes


def once(folder, **checks):
    """{check: what --once --json says of it}; `checks` are their keys."""
    config = {"vips": [{"prefix": "127.0.0.1/32"}, {"prefix": "192.0.2.53/32"}], "checks": checks}
    (folder / "bgp.yaml").write_text(json.dumps(config))  # JSON is YAML
    done = subprocess.run([BIN / "isochrone-bgp", "--config", folder / "bgp.yaml", "--once", "--json"],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout, done.stderr
    return {check["check"]: check for check in json.loads(done.stdout)["checks"]}


def said(check):
    return check["verdict"], check["cause"], check["evidence"]


@pytest.fixture(name="servers", scope="module")
def servers_fixture(tmp_path_factory):
    """An edge and a Knot with a zone whose signatures last three hours; Knot's other zone is newer than the edge's."""
    if tools_missing() or not Peer.installed("knot"):
        pytest.skip(f"not installed: {tools_missing() or 'knot'}")
    folder = tmp_path_factory.mktemp("servers")
    signed, _ = sign(folder, "nsec", until="now+11400")
    (folder / "example.com.zone").write_text(zone_text(41, BIG))
    (folder / "newer.zone").write_text(zone_text(44))
    knot = Peer("knot", folder, {ZONE: signed, "example.com.": folder / "newer.zone"}).start()
    edge = Edge(folder, zones=[{"origin": ZONE, "file": signed.name},
                               {"origin": "example.com.", "file": "example.com.zone"}])
    with edge:
        assert knot.wait() == []
        yield {"edge": f"127.0.0.1@{edge.port}", "knot": f"127.0.0.1@{knot.port}"}
    knot.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("server", ["edge", "knot"])
def test_answers_and_their_signatures(servers, tmp_path, server, transport):
    common = {"type": "dns", "server": servers[server], "transport": transport}
    checks = once(
        tmp_path,
        plain={**common, "name": "www." + ZONE, "expect": ["192.0.2.91", "192.0.2.92"]},
        wrong={**common, "name": "www." + ZONE, "expect": ["192.0.2.91"]},
        chain={**common, "name": "leads." + ZONE, "expect": ["192.0.2.91", "192.0.2.92"], "signature": "2h"},
        synthesized={**common, "name": "a.b.wdname." + ZONE, "expect": "NXDOMAIN", "signature": "2h"},
        denied={**common, "name": "nothing." + ZONE, "expect": "NXDOMAIN", "signature": "2h"},
        ends={**common, "name": "www." + ZONE, "signature": "1d"},
        unsigned={**common, "name": "static.example.com.", "signature": "1d"},
    )
    assert said(checks["plain"])[:2] == ("pass", "none")
    assert said(checks["wrong"]) == ("fail", "wrong", "NOERROR with 192.0.2.92, which is not expected")
    assert said(checks["chain"]) == ("pass", "none", "NOERROR, 2 records, 192.0.2.91, signed for 3 h")
    assert said(checks["synthesized"])[:2] == ("pass", "none"), checks["synthesized"]
    assert said(checks["denied"]) == ("pass", "none", "NXDOMAIN, signed for 3 h")
    assert said(checks["ends"]) == ("fail", "stale", f"signature of www.{ZONE} A ends in 3 h")
    assert said(checks["unsigned"]) == ("fail", "wrong", "no signature of static.example.com. A")


def test_serials(servers, tmp_path):
    common = {"type": "dns", "server": servers["edge"], "name": "example.com."}
    knot = servers["knot"].replace("@", ":")
    checks = once(
        tmp_path,
        enough={**common, "serial": {"at_least": 41}},
        old={**common, "serial": {"at_least": 42}},
        same={**common, "serial": {"as": servers["edge"]}},
        behind={**common, "serial": {"as": servers["knot"]}},
        behind_tcp={**common, "serial": {"as": servers["knot"]}, "transport": "tcp"},
        allowed={**common, "serial": {"as": servers["knot"], "lag": "5m"}},
        ahead={**common, "server": servers["knot"], "serial": {"as": servers["edge"]}},
        no_reference={**common, "serial": {"as": "127.0.0.1@9"}},
    )
    assert said(checks["enough"]) == ("pass", "none", "serial 41")
    assert said(checks["old"]) == ("fail", "stale", "serial 41, needed is 42 or later")
    assert checks["same"]["verdict"] == "pass"
    for name in ("behind", "behind_tcp"):
        assert said(checks[name]) == ("fail", "stale", f"serial 41 behind 44 of {knot} for 0 s")
    assert checks["allowed"]["verdict"] == "pass"
    assert checks["ahead"]["verdict"] == "pass"
    assert said(checks["no_reference"]) == ("pass", "none", "serial 41, 127.0.0.1:9 does not tell its own")


def test_what_does_not_fit_is_asked_for_over_tcp(servers, tmp_path):
    check = once(tmp_path, big={"type": "dns", "server": servers["edge"], "name": "big.example.com.", "qtype": "TXT"})["big"]
    assert said(check) == ("pass", "none", "NOERROR, 1 records")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_vip_is_never_asked_elsewhere(tmp_path, transport):
    check = once(tmp_path, vip={"type": "dns", "server": "192.0.2.53", "name": "example.com.", "transport": transport})["vip"]
    assert said(check)[:2] == ("fail", "dead")


NGINX = """daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {dir}/server.pem;
    ssl_certificate_key {dir}/server.key;
    add_header X-Pop fra1;
    location = /health {{ return 200 "all is well"; }}
    location = /moved {{ return 302 http://127.0.0.1:{plain}/health; }}
    location = /broken {{ return 503; }}
    location /files/ {{ alias {dir}/files/; }}
  }}
}}
"""


def test_probes_leave_nothing_behind(nginx, tmp_path):
    """A hundred probes of each kind, good and bad, and no descriptor more than at first."""
    often = {"interval": "10ms", "retry": "10ms", "timeout": "20ms", "class": "soft"}
    server = f"127.0.0.1@{nginx['plain']}"
    config = {"vips": [{"prefix": "127.0.0.1/32"}], "checks": {
        "needed": {"type": "tcp", "server": server},
        "page": {"type": "http", "url": f"http://127.0.0.1:{nginx['plain']}/health", **often},
        "no_tls": {"type": "http", "url": f"https://127.0.0.1:{nginx['plain']}/", **often},
        "talk": {"type": "tcp", "server": server, "send": "HEAD / HTTP/1.0\r\n\r\n", "expect": "nginx", **often},
        "silent": {"type": "tcp", "server": server, "expect": "x", **often},
        "refused": {"type": "dns", "server": server, "name": "x.", **often},
        "no_dns": {"type": "dns", "server": server, "name": "x.", "transport": "tcp", **often}}}
    (tmp_path / "bgp.yaml").write_text(json.dumps(config))
    process = subprocess.Popen([BIN / "isochrone-bgp", "--config", tmp_path / "bgp.yaml", "--dry-run"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        counts = []
        for _ in range(20):
            time.sleep(0.1)
            counts.append(len(os.listdir(f"/proc/{process.pid}/fd")))
        assert max(counts[10:]) <= max(counts[:10]) + 3 and max(counts) < 40, counts
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdin.close()


def certificate(folder):
    """Its own authority, for www.example.com."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", "/CN=www.example.com", "-addext", "subjectAltName=DNS:www.example.com", "-keyout",
                    folder / "server.key", "-out", folder / "server.pem"], check=True, capture_output=True, timeout=20)


@pytest.fixture(name="closed_port")
def closed_port_fixture():
    """A TCP port that nobody listens on and nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(name="nginx", scope="module")
def nginx_fixture(tmp_path_factory):
    program = shutil.which("nginx", path=SBIN)
    if not program:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    ports = {"plain": free_port(), "tls": free_port()}
    certificate(folder)
    (folder / "files").mkdir()
    (folder / "files/big").write_bytes(b"x" * 1_000_000 + b"the end")
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, **ports))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([program, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"], stdout=log,
                                   stderr=log, stdin=subprocess.DEVNULL)
    for port in ports.values():
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
    yield {**ports, "ca": str(folder / "server.pem")}
    process.terminate()
    process.wait(10)


def test_pages(nginx, closed_port, tmp_path):
    def page(path, **keys):
        return {"type": "http", "url": f"http://127.0.0.1:{nginx['plain']}{path}", **keys}

    checks = once(
        tmp_path,
        fine=page("/health", expect={"body": "is well", "headers": {"x-pop": "fra1"}}),
        moved=page("/moved"),
        moved_as_said=page("/moved", expect={"status": [301, 302]}),
        broken=page("/broken"),
        other_body=page("/health", expect={"body": "is bad"}),
        other_pop=page("/health", expect={"headers": {"X-Pop": "sin1"}}),
        big=page("/files/big"),
        named={"type": "http", "url": f"http://www.example.com:{nginx['plain']}/health",
               "server": f"127.0.0.1@{nginx['plain']}"},
        nobody={"type": "http", "url": f"http://127.0.0.1:{closed_port}/"},
        vip={"type": "http", "url": "http://192.0.2.53/"},
    )
    assert said(checks["fine"]) == ("pass", "none", "status 200, 11 bytes")
    assert said(checks["moved"]) == ("fail", "wrong", "status 302")
    assert checks["moved_as_said"]["verdict"] == "pass"
    assert said(checks["broken"]) == ("fail", "wrong", "status 503")
    assert said(checks["other_body"]) == ("fail", "wrong", "status 200, body is not as expected in 11 bytes")
    assert said(checks["other_pop"]) == ("fail", "wrong", "status 200, X-Pop is not as expected")
    assert said(checks["big"]) == ("pass", "none", "status 200, 65536 bytes and more")
    assert said(checks["named"]) == ("pass", "none", "status 200, 11 bytes")
    assert said(checks["nobody"]) == ("fail", "dead", "nobody listens (refused)")
    assert said(checks["vip"])[:2] == ("fail", "dead")


def test_certificates(nginx, tmp_path):
    server = f"127.0.0.1@{nginx['tls']}"
    name = f"https://www.example.com:{nginx['tls']}/health"
    checks = once(
        tmp_path,
        known={"type": "http", "url": name, "server": server, "ca": nginx["ca"], "timeout": "5s"},
        unknown={"type": "http", "url": name, "server": server, "timeout": "5s"},
        other_name={"type": "http", "url": name.replace("www", "w"), "server": server, "ca": nginx["ca"], "timeout": "5s"},
        insecure={"type": "http", "url": name.replace("www", "w"), "server": server, "insecure": True, "timeout": "5s"},
        no_file={"type": "http", "url": name, "server": server, "ca": "/nowhere.pem", "timeout": "5s"},
        plain={"type": "http", "url": f"https://127.0.0.1:{nginx['plain']}/", "timeout": "5s"},
    )
    assert said(checks["known"]) == ("pass", "none", "status 200, 11 bytes")
    assert checks["unknown"]["cause"] == "wrong" and "certificate" in checks["unknown"]["evidence"], checks["unknown"]
    assert checks["other_name"]["cause"] == "wrong" and "w.example.com" in checks["other_name"]["evidence"]
    assert checks["insecure"]["verdict"] == "pass"
    assert said(checks["no_file"])[:2] == ("unknown", "internal"), "our own file is missing"
    assert checks["plain"]["cause"] == "wrong", checks["plain"]


def test_connections(nginx, closed_port, tmp_path):
    server = f"127.0.0.1@{nginx['plain']}"
    checks = once(
        tmp_path,
        open={"type": "tcp", "server": server},
        talks={"type": "tcp", "server": server, "send": "GET /health HTTP/1.0\r\n\r\n", "expect": "all is well"},
        nonsense={"type": "tcp", "server": server, "send": "nonsense\r\n\r\n", "expect": "all is well"},
        waits={"type": "tcp", "server": server, "expect": "220 "},
        nobody={"type": "tcp", "server": f"127.0.0.1@{closed_port}"},
        vip={"type": "tcp", "server": "192.0.2.53@80"},
    )
    assert said(checks["open"]) == ("pass", "none", "connected")
    assert checks["talks"]["verdict"] == "pass"
    assert said(checks["nonsense"])[1] == "wrong" and "closed after" in checks["nonsense"]["evidence"]
    assert said(checks["waits"]) == ("fail", "silent", "no answer in 500 ms")
    assert said(checks["nobody"]) == ("fail", "dead", "nobody listens (refused)")
    assert said(checks["vip"])[:2] == ("fail", "dead")

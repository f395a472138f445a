# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS cookies between a real edge, dig, and the servers it may share an address with (RFC 7873, RFC 9018)."""
import shutil
import subprocess

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

import edge_lab
from edge_lab import Edge

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
SHARED, OTHER = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"
CLIENT = "2464c4abcf10c957"

KNOT = """
server:
  listen: 127.0.0.1@{port}
  rundir: {dir}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: {dir}/knot.sock
database:
  storage: {dir}/knotdb
mod-cookies:
  - id: default
    secret: 0x{secret}
    badcookie-slip: 1
template:
  - id: default
    storage: {dir}
    zonefile-sync: -1
    journal-content: none
    global-module: mod-cookies/default
zone:
  - domain: example.com.
    file: example.com.zone
"""
NSD = """
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{dir}"
  pidfile: "{dir}/nsd.pid"
  database: ""
  zonelistfile: "{dir}/zone.list"
  xfrdfile: "{dir}/xfrd.state"
  xfrdir: "{dir}"
  answer-cookie: yes
  cookie-secret: "{secret}"
remote-control:
  control-enable: no
zone:
  name: "example.com."
  zonefile: "example.com.zone"
"""
BIND = """
options {{ directory "{dir}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{dir}/named.pid"; session-keyfile "{dir}/session.key"; empty-zones-enable no; notify no;
  cookie-algorithm siphash24; cookie-secret "{secret}"; require-server-cookie yes; }};
controls {{ }};
zone "example.com." {{ type primary; file "example.com.zone"; }};
"""
PEERS = {"knot": (KNOT, ["knotd", "-c"]), "nsd": (NSD, ["nsd", "-d", "-c"]), "bind": (BIND, ["named", "-f", "-g", "-c"])}


class Peer:
    def __init__(self, name, folder, secret):
        text, command = PEERS[name]
        program = shutil.which(command[0], path=PATH)
        if not program:
            pytest.skip(f"{command[0]} is not installed")
        self.port = edge_lab.free_port()
        (folder / "peer.conf").write_text(text.format(port=self.port, dir=folder, secret=secret))
        self.log = open(folder / "peer.log", "wb")
        self.process = subprocess.Popen([program, *command[1:], folder / "peer.conf"], cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def __enter__(self):
        assert edge_lab.until(self.answers, 15), open(self.log.name).read()
        return self

    def answers(self):
        try:
            return exchange(self.port, CLIENT, timeout=0.2)
        except (dns.exception.Timeout, OSError):
            return None

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def exchange(port, cookie, name="static.example.com.", tcp=False, timeout=3, where="127.0.0.1"):
    """(rcode, cookie in the answer as hex or None)"""
    message = dns.message.make_query(name, "A", use_edns=0, options=[dns.edns.GenericOption(10, bytes.fromhex(cookie))])
    reply = (dns.query.tcp if tcp else dns.query.udp)(message, where, port=port, timeout=timeout)
    found = [option.data.hex() for option in reply.options if int(option.otype) == 10]
    assert len(found) <= 1
    return dns.rcode.to_text(reply.rcode()), found[0] if found else None


def write_secret(path, digits, mode=0o600):
    path.write_text(digits + "\n")
    path.chmod(mode)


def counted(edge):
    metrics = edge.metrics()
    return [metrics[f"isochrone_edge_cookie_{verdict}_total"] for verdict in ("client_only", "bad", "valid")]


@pytest.fixture
def shared(tmp_path):
    write_secret(tmp_path / "cookie.key", SHARED)
    with Edge(tmp_path, cookies={"secrets": ["cookie.key"]}) as edge:
        yield edge


def test_dig(shared):
    """dig keeps the server cookie of one answer for its next query; +badcookie or a wrong client part would be said."""
    if not shutil.which("dig"):
        pytest.skip("dig is not installed")
    run = ["dig", "@127.0.0.1", "-p", str(shared.port), "+cookie=" + CLIENT, "static.example.com.", "A"]
    for transport in ([], ["+tcp"]):
        out = subprocess.run(run + transport, capture_output=True, text=True, timeout=20).stdout
        assert f"; COOKIE: {CLIENT}01000000" in out and "(good)" in out, out
    words = next(line for line in out.splitlines() if "COOKIE" in line).split()
    run[4] = "+cookie=" + words[2]
    out = subprocess.run(run, capture_output=True, text=True, timeout=20).stdout
    assert words[2] in out and "(good)" in out and "status: NOERROR" in out
    assert counted(shared) == [2, 0, 1]


@pytest.mark.parametrize("name", PEERS)
def test_peer_with_the_same_secret(tmp_path, name):
    write_secret(tmp_path / "cookie.key", SHARED)
    with Edge(tmp_path, cookies={"secrets": ["cookie.key"]}) as edge, Peer(name, tmp_path, SHARED) as peer:
        for _ in range(20):  # in the same second both make the same cookie
            ours, theirs = exchange(edge.port, CLIENT)[1], exchange(peer.port, CLIENT)[1]
            if ours[24:32] == theirs[24:32]:
                break
        assert ours == theirs
        before = counted(edge)
        assert exchange(edge.port, theirs) == ("NOERROR", theirs)
        assert counted(edge) == [before[0], before[1], before[2] + 1]
        rcode, again = exchange(peer.port, ours)
        assert rcode == "NOERROR" and again[:24] == ours[:24]
        if name != "nsd":  # NSD has no policy by which a bad cookie could be told from a good one
            assert exchange(peer.port, ours[:-1] + ("0" if ours[-1] != "0" else "1"))[0] == "BADCOOKIE"


def test_bound_to_the_address(shared):
    cookie = exchange(shared.port, CLIENT)[1]
    assert exchange(shared.port, cookie, tcp=True) == ("NOERROR", cookie)
    assert exchange(shared.port, cookie, where="::1")[0] == "NOERROR"
    assert counted(shared) == [1, 1, 1]


def test_staged_rollover(shared):
    """First signs, all verify; each step is a reload and no client notices."""
    folder, cookie = shared.folder, exchange(shared.port, CLIENT)[1]
    write_secret(folder / "new.key", OTHER)
    for files in (["cookie.key", "new.key"], ["new.key", "cookie.key"], ["new.key"]):
        shared.configure(cookies={"secrets": files})
        assert shared.ctl("reload").returncode == 0
        valid = counted(shared)[2]
        rcode, cookie = exchange(shared.port, cookie)
        assert rcode == "NOERROR" and counted(shared)[2] == valid + 1
    (folder / "new.key").chmod(0o644)
    done = shared.ctl("reload")
    assert done.returncode == 1 and "mode 0644" in done.stderr + done.stdout
    assert exchange(shared.port, cookie) == ("NOERROR", cookie), "the secrets stay"
    logged, status = shared.logged(), shared.ctl("status", "--json").stdout
    assert OTHER not in logged + status and SHARED not in logged + status


def test_unreadable_secret_at_the_start(tmp_path):
    write_secret(tmp_path / "cookie.key", SHARED, 0o644)
    edge = Edge(tmp_path, cookies={"secrets": ["cookie.key"]})
    done = edge.check()
    assert done.returncode == 1 and "cookie.key: mode 0644" in done.stderr
    with pytest.raises(AssertionError, match="mode 0644"):
        edge.start()


def test_own_secret_survives_a_restart(tmp_path):
    with Edge(tmp_path) as edge:
        cookie = exchange(edge.port, CLIENT)[1]
        assert edge.ctl("reload").returncode == 0
        assert exchange(edge.port, cookie) == ("NOERROR", cookie)
        edge.kill()
        edge.start()
        assert exchange(edge.port, cookie) == ("NOERROR", cookie)
        assert counted(edge) == [0, 0, 1]
        assert (tmp_path / "state" / "cookie-secret").stat().st_mode & 0o777 == 0o600


def test_off(tmp_path):
    with Edge(tmp_path, cookies=False) as edge:
        assert exchange(edge.port, CLIENT) == ("NOERROR", None)
        assert exchange(edge.port, "01") == ("NOERROR", None), "an option nobody knows"
        assert counted(edge) == [0, 0, 0]

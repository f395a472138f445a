# SPDX-License-Identifier: GPL-3.0-or-later
"""isochrone-edge and its files: reloads under load, units of failure, last good copies, --check."""
import shutil
import signal
import subprocess
import threading
import time

import dns.message
import dns.rcode
import pytest

from edge_lab import PINS, SERVICES, Edge, build_map, query, until, zone_text

FRA, SIN, NYC = "20.1.5.0/24", "20.2.5.0/24", "99.9.9.0/24"
ADDRESS = {"fra": "192.0.2.10", "sin": "192.0.2.20", "nyc": "192.0.2.30"}
TWO_ZONES = [{"origin": "example.com.", "file": "example.com.zone"}, {"origin": "other.test.", "file": "other.zone"}]


@pytest.fixture
def world(tmp_path):
    """A server with a map and services, not started."""
    build_map(tmp_path)
    (tmp_path / "services.yaml").write_text(SERVICES)
    return Edge(tmp_path, map="cdn.isomap", services="services.yaml")


def put(server, name, text):
    """Replaces a file in one step, as deployments should."""
    (server.folder / (name + ".new")).write_text(text)
    (server.folder / (name + ".new")).rename(server.folder / name)


# --- reload

def test_a_reload_returns_when_the_new_zone_is_served(tmp_path):
    with Edge(tmp_path) as server:
        for serial in range(2, 30):
            put(server, "example.com.zone", zone_text(serial))
            done = server.ctl("reload")
            assert (done.returncode, done.stderr) == (0, "")
            assert server.static() == serial
        values = server.metrics()
        assert values['isochrone_edge_reloads_total{result="ok"}'] == 28
        assert values["isochrone_edge_publications_total"] == 29


def test_no_answer_is_lost_or_torn_under_reloads(tmp_path):
    with Edge(tmp_path) as server:
        stop = threading.Event()
        faults, answered = [], []

        def client(tcp):
            while not stop.is_set():
                try:
                    response = server.ask("static.example.com.", tcp=tcp)
                    soa = server.ask("example.com.", "SOA", tcp=tcp).answer[0][0].serial
                    address = int(response.answer[0][0].to_text().split(".")[-1])
                    if not address <= soa:  # a newer answer before an older one
                        faults.append((address, soa))
                    answered.append(1)
                except Exception as fault:  # noqa: BLE001: whatever it is, it is a lost answer
                    faults.append(fault)

        clients = [threading.Thread(target=client, args=(tcp,)) for tcp in (False, False, True)]
        for thread in clients:
            thread.start()
        for serial in range(2, 60):
            put(server, "example.com.zone", zone_text(serial))
            assert server.ctl("reload").returncode == 0
        stop.set()
        for thread in clients:
            thread.join()
        assert faults == []
        assert len(answered) > 100
        total = sum(value for key, value in server.metrics().items() if key.startswith("isochrone_edge_queries_total"))
        assert total == 2 * len(answered)


def test_sighup_reloads_too(tmp_path):
    with Edge(tmp_path) as server:
        put(server, "example.com.zone", zone_text(2))
        server.process.send_signal(signal.SIGHUP)
        assert until(lambda: server.static() == 2)


def test_a_change_in_an_included_file_is_seen(tmp_path):
    (tmp_path / "more").write_text("more IN A 192.0.2.1\n")
    (tmp_path / "example.com.zone").write_text(zone_text(1) + "$INCLUDE more\n")
    with Edge(tmp_path) as server:
        assert server.addresses("more.example.com.") == ["192.0.2.1"]
        put(server, "more", "more IN A 192.0.2.2\n")
        assert server.ctl("reload").returncode == 0
        assert server.addresses("more.example.com.") == ["192.0.2.2"]


def test_a_change_within_the_clocks_resolution_is_seen(tmp_path):
    with Edge(tmp_path) as server:
        for serial in range(2, 10):  # same size, same inode, same second
            (tmp_path / "example.com.zone").write_text(zone_text(serial))
            assert server.ctl("reload").returncode == 0
            assert server.static() == serial


def test_a_zone_that_did_not_change_is_not_read_again(tmp_path):
    (tmp_path / "other.zone").write_text(zone_text(1))
    with Edge(tmp_path, zones=TWO_ZONES) as server:
        before = [zone["loaded"] for zone in server.data("status")["zones"]]
        time.sleep(1.1)
        put(server, "other.zone", zone_text(2))
        assert server.ctl("reload").returncode == 0
        after = [zone["loaded"] for zone in server.data("status")["zones"]]
        assert after[0] == before[0] and after[1] > before[1]
        assert server.static() == 1


def test_zones_come_and_go_with_the_configuration(tmp_path):
    (tmp_path / "other.zone").write_text(zone_text(7))
    with Edge(tmp_path) as server:
        assert server.ask("static.other.test.").rcode() == dns.rcode.REFUSED
        server.configure(zones=TWO_ZONES, identity="renamed")
        assert server.ctl("reload").returncode == 0
        assert server.addresses("static.other.test.") == ["192.0.2.7"]
        assert server.data("status")["identity"] == "renamed"
        server.configure(zones=TWO_ZONES[1:])
        assert server.ctl("reload").returncode == 0
        assert server.ask("static.example.com.").rcode() == dns.rcode.REFUSED


def test_what_needs_a_restart_is_said(tmp_path):
    with Edge(tmp_path) as server:
        server.configure(workers=1)
        for serial in (2, 3):
            put(server, "example.com.zone", zone_text(serial))
            done = server.ctl("reload")
            assert done.returncode == 1
            assert "a change of 'workers' takes effect at the next start" in done.stderr
            assert server.static() == serial  # everything else is as it says
        assert server.metrics()["isochrone_edge_workers"] == 2


# --- units of failure

def test_a_broken_zone_fails_alone(tmp_path):
    (tmp_path / "other.zone").write_text(zone_text(1))
    with Edge(tmp_path, zones=TWO_ZONES) as server:
        put(server, "example.com.zone", zone_text(2) + "broken IN A not-an-address\n")
        put(server, "other.zone", zone_text(2))
        done = server.ctl("reload")
        assert done.returncode == 1
        assert f"{tmp_path}/example.com.zone:10:" in done.stderr
        assert "keeps serial 1" in done.stderr
        assert server.static() == 1
        assert server.addresses("static.other.test.") == ["192.0.2.2"]
        assert server.metrics()["isochrone_edge_zones_failed"] == 1
        assert server.metrics()["isochrone_edge_reload_ok"] == 0
        assert [zone["status"] for zone in server.data("status")["zones"]] == ["stale", "ok"]
        (tmp_path / "example.com.zone").unlink()
        done = server.ctl("reload")
        assert done.returncode == 1
        assert "edge.yaml:1:" in done.stderr and "No such file" in done.stderr
        assert server.static() == 1
        put(server, "example.com.zone", zone_text(3))
        assert server.ctl("reload").returncode == 0
        assert server.static() == 3
        assert server.metrics()["isochrone_edge_zones_failed"] == 0


def test_a_reason_that_is_no_utf8_is_still_told(tmp_path):
    with Edge(tmp_path) as server:
        (tmp_path / "example.com.zone").write_bytes(zone_text(2).encode() + b"\xff\xfe IN A\n$INCLUDE n\xf6ne\n")
        done = server.ctl("reload")
        assert done.returncode == 1
        assert "example.com.zone:" in done.stderr
        assert "example.com.zone:" in server.ctl("status").stdout


def test_health_says_how_much_of_it_is_old_or_missing(world):
    with world:
        health = world.data("health")
        assert health["map"] == {"generation": 1700000000, "fault": None}
        assert health["zones"] == {"count": 1, "servfail": 0, "stale": 0} and health["reload_ok"]
        put(world, "example.com.zone", "broken")
        put(world, "cdn.isomap", "broken")
        world.configure(zones=TWO_ZONES)
        assert world.ctl("reload").returncode == 1
        health = world.data("health")
        assert health["map"]["generation"] == 1700000000 and "cdn.isomap" in health["map"]["fault"]
        assert health["zones"] == {"count": 2, "servfail": 1, "stale": 1} and not health["reload_ok"]


def test_a_zone_that_never_loaded_answers_servfail(tmp_path):
    (tmp_path / "other.zone").write_text("nonsense\n")
    with Edge(tmp_path, zones=TWO_ZONES) as server:
        assert server.ask("www.other.test.").rcode() == dns.rcode.SERVFAIL
        assert server.ask("www.elsewhere.test.").rcode() == dns.rcode.REFUSED
        assert server.static() == 1
        assert server.metrics()["isochrone_edge_zones_loaded"] == 1
        put(server, "other.zone", zone_text(2))
        assert server.ctl("reload").returncode == 0
        assert server.addresses("static.other.test.") == ["192.0.2.2"]


def test_a_broken_configuration_changes_nothing_of_itself(tmp_path):
    with Edge(tmp_path) as server:
        good = (tmp_path / "edge.yaml").read_text()
        put(server, "edge.yaml", good[:-1] + ', "lisen": 5}')
        put(server, "example.com.zone", zone_text(2))
        done = server.ctl("reload")
        assert done.returncode == 1
        assert "edge.yaml:1:" in done.stderr and "lisen" in done.stderr
        assert server.static() == 2  # what it names is another unit
        put(server, "edge.yaml", good)
        assert server.ctl("reload").returncode == 0


@pytest.mark.parametrize("fault", ["cut", "flipped", "missing", "empty"])
def test_a_broken_map_leaves_the_last_good_one(world, fault):
    with world as server:
        assert server.addresses("www.example.com.", subnet=FRA) == [ADDRESS["fra"]]
        image = (server.folder / "cdn.isomap").read_bytes()
        broken = {"cut": image[:-4096], "empty": b"", "missing": None,
                  "flipped": image[:5000] + bytes([image[5000] ^ 1]) + image[5001:]}[fault]
        (server.folder / "cdn.isomap").unlink()
        if broken is not None:
            (server.folder / "cdn.isomap").write_bytes(broken)
        put(server, "example.com.zone", zone_text(2))
        put(server, "services.yaml", SERVICES.replace("192.0.2.10", "192.0.2.11"))
        done = server.ctl("reload")
        assert done.returncode == 1
        assert "cdn.isomap: " in done.stderr and "the last good map stays" in done.stderr
        assert server.addresses("www.example.com.", subnet=FRA) == ["192.0.2.11"]  # services are another unit
        assert server.static() == 2
        assert server.metrics()["isochrone_edge_map_stale"] == 1
        # a restart with the broken file: the copy in state_dir, loudly
        server.kill()
        server.start()
        assert server.addresses("www.example.com.", subnet=SIN) == [ADDRESS["sin"]]
        assert "last good copies" in server.logged()
        assert server.metrics()["isochrone_edge_map_stale"] == 1
        # mended: no trace is left
        (server.folder / "cdn.isomap").write_bytes(image)
        assert server.ctl("reload").returncode == 0
        assert server.metrics()["isochrone_edge_map_stale"] == 0
        assert server.data("status")["map"]["from_state_dir"] is False


def test_broken_services_leave_the_last_good_ones(world):
    with world as server:
        put(server, "services.yaml", SERVICES.replace("ttl: 30", "tll: 30"))
        done = server.ctl("reload")
        assert done.returncode == 1
        assert f"{server.folder}/services.yaml:4:5:" in done.stderr
        assert server.addresses("www.example.com.", subnet=FRA) == [ADDRESS["fra"]]
        assert server.metrics()["isochrone_edge_services_stale"] == 1
        server.kill()
        server.start()
        assert server.addresses("www.example.com.", subnet=FRA) == [ADDRESS["fra"]]
        assert "last good copies" in server.logged()
        put(server, "services.yaml", SERVICES.replace("192.0.2.10", "192.0.2.11"))
        assert server.ctl("reload").returncode == 0
        assert server.addresses("www.example.com.", subnet=FRA) == ["192.0.2.11"]


def test_services_that_do_not_fit_a_new_map_keep_the_old_map(world):
    with world as server:
        pins = PINS.replace("sin", "nyc")
        mapper = (server.folder / "mapper.yaml")
        (server.folder / "pins.csv").write_text(pins)
        import edge_lab
        mapper.write_text(edge_lab.MAPPER.replace("  sin: {location: [1.3, 103.8]}\n", ""))
        subprocess.run([edge_lab.BIN / "isochrone-mapper", "build", "--config", mapper, "--output",
                        server.folder / "cdn.isomap", "--as-of", "1700000001"], check=True, capture_output=True)
        done = server.ctl("reload")
        assert done.returncode == 1
        assert "PoP sin is not in map web (with the new map; the last good map stays)" in done.stderr
        assert server.addresses("www.example.com.", subnet=SIN) == [ADDRESS["sin"]]
        assert server.data("status")["map"]["generation"] == 1700000000


@pytest.mark.parametrize("broken", ["cdn.isomap", "services.yaml"])
def test_without_a_copy_a_broken_start_is_none(world, broken):
    world.configure(state_dir=None)
    (world.folder / broken).write_bytes(b"broken: [")
    done = subprocess.run(world.command(), capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert broken in done.stderr and "nothing to serve" in done.stderr


def test_a_new_map_moves_clients_and_keeps_states(world):
    with world as server:
        assert server.ctl("pop", "nyc", "drain").returncode == 0
        build_map(server.folder, PINS.replace("20.1.0.0/16,fra", "20.1.0.0/16,sin"), as_of=1700000009)
        assert server.ctl("reload").returncode == 0
        assert server.addresses("www.example.com.", subnet=FRA) == [ADDRESS["sin"]]
        assert server.data("status")["map"]["generation"] == 1700000009
        assert server.data("explain", "20.1.5.1", "www.example.com.")["generation"] == 1700000009
        assert [state["pop"] for state in server.data("status")["states"]] == ["nyc"]
        assert server.metrics()["isochrone_edge_map_generation"] == 1700000009


def test_a_map_that_is_overwritten_while_it_serves_hurts_nobody(world):
    with world as server:
        (server.folder / "cdn.isomap").write_bytes(b"")  # in place: the same inode
        assert server.addresses("www.example.com.", subnet=FRA) == [ADDRESS["fra"]]
        assert server.addresses("www.example.com.", subnet=SIN) == [ADDRESS["sin"]]


def test_reloads_with_geo_under_load_lose_nothing(world):
    with world as server:
        stop = threading.Event()
        faults, count = [], []

        def client():
            while not stop.is_set():
                try:
                    got = server.addresses("www.example.com.", subnet=FRA)
                    if got not in ([ADDRESS["fra"]], [ADDRESS["sin"]]):
                        faults.append(got)
                    count.append(1)
                except Exception as fault:  # noqa: BLE001
                    faults.append(fault)

        threads = [threading.Thread(target=client) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(10):
            build_map(server.folder, PINS if number % 2 else PINS.replace("20.1.0.0/16,fra", "20.1.0.0/16,sin"),
                      as_of=1700000100 + number)
            assert server.ctl("reload").returncode == 0
            assert server.ctl("pop", "nyc", "drain" if number % 2 else "up").returncode == 0
        stop.set()
        for thread in threads:
            thread.join()
        assert faults == [] and len(count) > 50
        assert server.outcome("geo") == len(count)


# --- --check

def test_check_says_ok_and_starts_nothing(world):
    done = world.check()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ok: 1 zones, 2 services\n"
    assert not (world.folder / "edge.sock").exists()
    assert not (world.folder / "state").exists()


def test_check_lists_every_fault(world):
    shutil.copy(world.folder / "example.com.zone", world.folder / "good.zone")
    (world.folder / "example.com.zone").write_text("nonsense\n")
    (world.folder / "services.yaml").write_text(SERVICES.replace("ttl: 30", "tll: 30"))
    (world.folder / "states.yaml").write_text("pops: {fra: sideways}\n")
    world.configure(states=["states.yaml", "none.yaml"], user="nobody-of-that-name",
                    zones=TWO_ZONES + [{"origin": "good.test.", "file": "good.zone"}])
    done = world.check()
    assert (done.returncode, done.stdout) == (1, "")
    for words in ("example.com.zone:1:", "other.zone: No such file", "services.yaml:4:5:", "states.yaml:1:13:",
                  "none.yaml: No such file", "nobody-of-that-name"):
        assert words in done.stderr, words
    assert "good" not in done.stderr


def test_check_does_not_take_copies_for_the_files(world):
    with world:
        pass
    (world.folder / "cdn.isomap").write_bytes(b"")
    done = world.check()
    assert done.returncode == 1
    assert "cdn.isomap" in done.stderr

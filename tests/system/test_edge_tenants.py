# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of services: one file per tenant, each its own unit of failure, within its suffixes and limits."""
import dns.rcode
import pytest

from edge_lab import SERVICES, Edge, build_map, zone_text

FRA = "20.1.5.0/24"
ACME = """services:
  acme: {map: web, on_empty: nodata, pops: {fra: [192.0.2.61], sin: [192.0.2.62], nyc: [192.0.2.63]}}
names: {acme.example.com.: acme, "*.acme.example.com.": acme}
"""
BOLT = """services:
  bolt: {map: web, on_empty: nodata, pops: {fra: {cname: fra.bolt.test.}, sin: {cname: static.example.com.}}}
names: {go.bolt.example.com.: bolt}
"""
TENANTS = {"acme.yaml": {"suffixes": ["acme.example.com."], "services": 2, "names": 2, "addresses": 3},
           "bolt.yaml": {"suffixes": ["bolt.example.com"]}, "*": {"services": 10}}


@pytest.fixture()
def world(tmp_path):
    build_map(tmp_path)
    folder = tmp_path / "services.d"
    folder.mkdir()
    (folder / "acme.yaml").write_text(ACME)
    (folder / "bolt.yaml").write_text(BOLT)
    (folder / "own.yaml").write_text(SERVICES)
    return Edge(tmp_path, map="cdn.isomap", services={"folder": "services.d", "tenants": TENANTS})


def put(server, name, text):
    (server.folder / "services.d" / name).write_text(text)


def places(server):
    return {item["file"].rsplit("/", 1)[1]: item["state"] for item in server.data("status")["services_files"]}


def test_a_wrong_file_is_its_tenants_business_alone(world):
    with world as server:
        assert set(places(server).values()) == {"served"}
        put(server, "acme.yaml", ACME.replace("on_empty", "on_epmty"))
        put(server, "own.yaml", SERVICES.replace("192.0.2.10", "192.0.2.11"))
        put(server, "late.yaml", "services: {late: {}}\nnames: {late.example.com.: late}\n")
        done = server.ctl("reload")
        assert done.returncode == 1
        assert f"{server.folder}/services.d/acme.yaml:2:20: " in done.stderr and "last good content stays" in done.stderr
        assert f"{server.folder}/services.d/late.yaml:1:18: " in done.stderr and "nothing of it is served" in done.stderr
        assert places(server) == {"acme.yaml": "last good content", "bolt.yaml": "served", "late.yaml": "refused",
                                  "own.yaml": "served"}
        assert server.metrics()["isochrone_edge_services_files_failed"] == 2
        assert server.metrics()["isochrone_edge_services_stale"] == 1
        assert server.addresses("x.acme.example.com.", subnet=FRA) == ["192.0.2.61"]
        assert server.addresses("www.example.com.", subnet=FRA) == ["192.0.2.11"]
        assert server.ask("late.example.com.").rcode() == dns.rcode.NXDOMAIN

        server.kill()  # the last good contents come back, each for itself
        server.start()
        assert server.addresses("x.acme.example.com.", subnet=FRA) == ["192.0.2.61"]
        assert server.addresses("www.example.com.", subnet=FRA) == ["192.0.2.11"]
        # nobody knows what the late one was before: others may
        assert server.ask("late.example.com.").rcode() == dns.rcode.SERVFAIL
        assert "held" in server.ctl("explain", "20.1.5.1", "late.example.com.").stdout
        assert places(server)["late.yaml"] == "held"
        done = server.check()
        assert done.returncode == 1 and "acme.yaml:2:20: " in done.stderr and "late.yaml:1:18: " in done.stderr

        put(server, "acme.yaml", ACME)
        (server.folder / "services.d/late.yaml").unlink()
        assert server.ctl("reload").returncode == 0
        assert server.metrics()["isochrone_edge_services_files_failed"] == 0
        assert server.ask("late.example.com.").rcode() == dns.rcode.NXDOMAIN


def test_suffixes_limits_and_claims(world):
    with world as server:
        for text, fault in [(BOLT.replace("go.bolt", "acme"), "3:28: acme.example.com. is below none of the suffixes"),
                            (BOLT.replace("go.bolt", "go.nobolt"), "3:33: go.nobolt.example.com. is below none"),
                            (BOLT.replace("bolt:", "acme:", 1), "2:9: service acme is defined twice, first at")]:
            put(server, "bolt.yaml", text)
            done = server.ctl("reload")
            assert done.returncode == 1 and f"bolt.yaml:{fault}" in done.stderr, done.stderr
            answer = server.ask("go.bolt.example.com.", subnet=FRA).answer
            assert answer[0][0].to_text() == "fra.bolt.test."
        put(server, "bolt.yaml", BOLT)
        put(server, "acme.yaml", ACME.replace("[192.0.2.61]", "[192.0.2.61, 192.0.2.64]"))
        assert "acme.yaml:2:9: more than the 3 addresses" in server.ctl("reload").stderr
        put(server, "acme.yaml", ACME)
        put(server, "thief.yaml", SERVICES.replace("web:", "thief:", 1).replace("home", "thief2").replace(": web\n", ": thief\n")
            .replace("map: thief", "map: web"))
        done = server.ctl("reload")
        assert "thief.yaml:16:21:" in done.stderr
        assert f"www.example.com. already belongs to service web at {server.folder}/services.d/own.yaml:16:" in done.stderr
        assert server.addresses("www.example.com.", subnet=FRA) == ["192.0.2.10"]
        world.configure(services={"folder": "services.d", "tenants": {k: v for k, v in TENANTS.items() if k != "*"}})
        assert "own.yaml: is the file of no tenant that" in server.ctl("reload").stderr
        assert server.addresses("www.example.com.", subnet=FRA) == ["192.0.2.10"]  # still its last good content


def test_units_do_not_hold_each_other_back(world):
    """Wrong services do not keep a good map out; a broken map does not hide what is wrong with services."""
    with world as server:
        put(server, "acme.yaml", "nonsense\n")
        build_map(server.folder, as_of=1700000005)
        assert server.ctl("reload").returncode == 1
        assert server.data("status")["map"]["generation"] == 1700000005
        assert server.addresses("x.acme.example.com.", subnet=FRA) == ["192.0.2.61"]
        (server.folder / "cdn.isomap").write_bytes(b"")
        done = server.check()
        assert done.returncode == 1
        assert "cdn.isomap" in done.stderr and "acme.yaml:1:1: " in done.stderr, done.stderr
        # a missing file is named by who names it
        (server.folder / "cdn.isomap").unlink()
        server.configure(states=["none.yaml"], services="none.d")
        done = server.check()
        for key in ("none.yaml", "none.d", "cdn.isomap"):
            line = next(line for line in done.stderr.splitlines() if key in line)
            assert line.startswith(f"{server.folder}/edge.yaml:1:"), line
        assert server.ctl("reload").returncode == 1  # and takes nothing away
        assert server.addresses("x.acme.example.com.", subnet=FRA) == ["192.0.2.61"]


def test_names_instead_of_addresses(world):
    (world.folder / "example.com.zone").write_text(zone_text(7))
    with world as server:
        answer = server.ask("go.bolt.example.com.", "MX", subnet=FRA)
        assert [rrset.to_text() for rrset in answer.answer] == ["go.bolt.example.com. 30 IN CNAME fra.bolt.test."]
        assert answer.options[0].scopelen == 16
        assert server.ctl("pop", "fra/bolt", "down", "--reason", "test").returncode == 0
        answer = server.ask("go.bolt.example.com.", subnet=FRA)
        assert [rrset.to_text() for rrset in answer.answer] == [
            "go.bolt.example.com. 5 IN CNAME static.example.com.", "static.example.com. 300 IN A 192.0.2.7"]
        assert answer.options[0].scopelen == 16  # whoever is down
        text = server.ctl("explain", "20.1.5.1", "go.bolt.example.com.").stdout
        assert "bolt.yaml:2:9), map web, a CNAME per PoP" in text and "-> sin: NOERROR (geo) static.example.com." in text
        assert server.ctl("pop", "sin/bolt", "down").returncode == 1  # nobody would be left
        assert server.ctl("pop", "sin/bolt", "down", "--force", "--reason", "test").returncode == 0
        answer = server.ask("go.bolt.example.com.", subnet=FRA)
        assert not answer.answer and answer.rcode() == 0 and answer.options[0].scopelen == 16
        assert server.metrics()['isochrone_edge_service_empty{service="bolt",family="cname"}'] == 1
        data = server.data("explain", "20.1.5.1", "www.example.com.", "TXT")
        assert data["service"] == "web" and data["defined"].endswith("own.yaml:3:5") and not data["geo"]

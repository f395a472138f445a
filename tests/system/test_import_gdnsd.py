# SPDX-License-Identifier: GPL-3.0-or-later
"""import-gdnsd: what it writes answers as the packaged gdnsd does, and what it cannot write it lists."""
import json
import subprocess

import pytest
import yaml

import edge_lab
import gdnsd_lab


def run_import(folder, output, *options):
    return subprocess.run([edge_lab.BIN / "isochrone-mapper", "import-gdnsd", folder, "--output", output, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def small_world(folder, config="", zone=""):
    (folder / "zones").mkdir(parents=True)
    (folder / "config").write_text(config)
    (folder / "zones/example.org").write_text("@ SOA ns1 host 1 7200 1800 259200 900\n@ NS ns1\nns1 A 192.0.2.53\n" + zone)
    return folder


def test_the_same_answers_as_gdnsd(tmp_path):
    if not gdnsd_lab.gdnsd_path():
        pytest.skip("gdnsd is not installed")
    port = edge_lab.free_port()
    networks = gdnsd_lab.write_world(tmp_path / "gdnsd", port, networks=800)
    imported = gdnsd_lab.import_world(tmp_path / "gdnsd", tmp_path / "imported")
    assert imported["left_out"] == 0
    said = []
    with gdnsd_lab.Gdnsd(tmp_path / "gdnsd", port), gdnsd_lab.ImportedEdge(tmp_path / "imported") as edge:
        count = gdnsd_lab.compare(port, edge.port, networks, 2500, report=said.append)
        drained = edge.data("explain", "2001:db8:1::", "drained.example.com.", "A")
    assert said == []
    assert (count["asked"], count["different"], count["broken promise"]) == (2500, 0, 0)
    assert count["same scope"] > count["longer scope"] + count["shorter scope"]
    assert "admin_state" in json.dumps(drained)


def test_what_is_left_out_is_listed(tmp_path):
    folder = small_world(tmp_path / "gdnsd", """options => { listen => 192.0.2.53, edns_client_subnet => false }
plugins => {
  weighted => { steep => { a => [ 192.0.2.1, 3 ], b => [ 192.0.2.2, 1 ] } }
  reflect => {}
  metafo => { resources => { mixed => { datacenters => [ x, y ], dcmap => { x => 192.0.2.9, y => y.example.net. } } } }
}
""", "a DYNA weighted!steep\nb DYNA reflect\nc DYNA geoip!none\nd TXT\ne HINFO a b\nf DYNC metafo!mixed\n")
    done = run_import(folder, tmp_path / "out")
    assert done.returncode == 1
    assert [line.rsplit("/", 1)[1].split(": ")[0] for line in done.stderr.splitlines()] == [
        "config:1", "config:3", "example.org:5", "example.org:6", "example.org:7", "example.org:8", "example.org:9"]
    assert "192.0.2.1" in (tmp_path / "out/zones/example.org.zone").read_text()
    assert "steep" in (tmp_path / "out/import.txt").read_text()
    assert run_import(folder, tmp_path / "out", "--partial").returncode == 0
    report = json.loads(run_import(folder, tmp_path / "out", "--partial", "--json").stdout)
    assert (report["left_out"], report["services"]) == (7, 2)
    assert report["notes"][0]["line"] == 1


@pytest.mark.parametrize("config, reason", [
    ("options => {", "config:1: the file ends inside braces"),
    ("options => {}\noptions => {}", 'config:2: the key "options" stands twice'),
    ("$include{none}", "config:1: cannot include"),
    ("plugin => {}", 'config:1: "plugin" is not options, service_types or plugins'),
])
def test_a_broken_configuration_is_refused_whole(tmp_path, config, reason):
    done = run_import(small_world(tmp_path / "gdnsd", config), tmp_path / "out")
    assert done.returncode == 1
    assert reason in done.stderr
    assert not (tmp_path / "out").exists()


def test_no_configuration_is_all_defaults(tmp_path):
    folder = small_world(tmp_path / "gdnsd")
    (folder / "config").unlink()
    assert run_import(folder, tmp_path / "out").returncode == 0
    assert '"0.0.0.0@53"' in (tmp_path / "out/edge.yaml").read_text().replace(":53", "@53")
    check = subprocess.run([edge_lab.BIN / "isochrone-edge", "--config", tmp_path / "out/edge.yaml", "--check"],
                           capture_output=True, text=True, timeout=20)
    assert check.returncode == 0, check.stderr


def test_options_that_edge_knows(tmp_path):
    folder = small_world(tmp_path / "gdnsd", """options => {
  dns_port => 5353, listen => { 192.0.2.1 => { udp_threads => 4 }, "[2001:db8::1]:53" => {} }
  nsid => 6c6162, chaos_response => "no version", disable_cookies => TRUE, tcp_timeout => 20
  min_ttl => 60, max_ttl => 7200, max_ncache_ttl => 100, zones_default_ttl => 8000
}""")
    done = run_import(folder, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    edge = yaml.safe_load((tmp_path / "out/edge.yaml").read_text())
    assert (edge["identity"], edge["version"], edge["cookies"], edge["tcp"]) == ("lab", "no version", False, {"idle": "20s"})
    assert edge["listen"] == ["192.0.2.1:5353", "[2001:db8::1]:53"]
    zone = (tmp_path / "out/zones/example.org.zone").read_text()
    assert "example.org.\t100\tIN\tSOA\tns1.example.org. host.example.org. 1 7200 1800 259200 100\n" in zone
    assert "ns1.example.org.\t7200\tIN\tA" in zone
    check = subprocess.run([edge_lab.BIN / "isochrone-edge", "--config", tmp_path / "out/edge.yaml", "--check"],
                           capture_output=True, text=True, timeout=20)
    assert check.returncode == 0, check.stderr


def test_usage(tmp_path):
    assert run_import(tmp_path, tmp_path, "--no-such").returncode == 2
    done = subprocess.run([edge_lab.BIN / "isochrone-mapper", "import-gdnsd", tmp_path], capture_output=True, text=True)
    assert done.returncode == 2
    missing = run_import(tmp_path / "nowhere", tmp_path / "out")
    assert missing.returncode == 1
    assert "nowhere/zones: No such file" in missing.stderr

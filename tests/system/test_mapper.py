# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapper as its users meet it: files in, an image and answers out."""
import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAPPER = pathlib.Path(os.environ.get("ISOCHRONE_BIN", ROOT / "build/release/bin")) / "isochrone-mapper"
SAMPLE = ROOT / "maps/sample"

CONFIG = """
pops:
  fra: {location: [50.11, 8.68], capacity: {rps: 40000}}
  sin: {location: [1.35, 103.82]}
  nyc: {location: [40.71, -74.01]}
maps:
  web: {default: [nyc, fra]}
  video: {pops: [fra, sin], default: [fra]}
sources:
  measurements: ["rows*"]
"""


def mapper(*arguments, cwd=None):
    return subprocess.run([MAPPER, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, cwd=cwd)


def build(folder, *options):
    done = mapper("build", "--config", folder / "mapper.yaml", "--output", folder / "out.isomap", *options)
    assert done.returncode == 0, done.stderr
    return done


def lookup(folder, *clients):
    done = mapper("lookup", folder / "out.isomap", *clients, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def row(time, client, pop, rtt_ms, resolver="", count=1):
    return {"time": time, "client": client, "pop": pop, "rtt_ms": rtt_ms, "resolver": resolver, "count": count}


def rows_of_a_small_world():
    draw = random.Random(53)
    rows = [row(1763790000, "103.21.125.9", "sin", 41, "8.8.8.8", 88), row(1763790007, "103.21.125.77", "fra", 240, "", 70),
            row(1763790001, "2a00:1450:4001::5", "fra", 9.5, "2a00:1450::53", 20)]
    for i in range(3000):
        client = f"{20 + i % 5}.{draw.randrange(8)}.{draw.randrange(40)}.{draw.randrange(256)}"
        rows.append(row(1763700000 + i, client, draw.choice(["fra", "sin", "nyc"]), round(draw.uniform(3, 300), 1),
                        f"9.9.9.{i % 9}", 1 + i % 3))
    return rows


def as_csv(rows, columns=("time", "client", "pop", "rtt_ms", "resolver", "count")):
    return "".join(",".join(str(r[c]) for c in columns) + "\n" for r in [dict(zip(columns, columns))] + rows)


def as_json_lines(rows):
    return "".join(json.dumps({k: v for k, v in r.items() if v != ""}) + "\n" for r in rows)


@pytest.fixture
def world(tmp_path):
    (tmp_path / "mapper.yaml").write_text(CONFIG)
    return tmp_path


def test_lookup_has_every_key_of_the_contract(world):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    build(world)
    client, six, nobody = lookup(world, "103.21.125.200", "2a00:1450:4001:7::1", "10.0.0.1")
    assert list(client)[:9] == ["client", "map", "block", "scope", "ranking", "source", "rtt_ms", "samples", "generation"]
    assert client["client"] == "103.21.125.200"
    assert client["map"] == "web"
    assert (client["block"], client["scope"]) == ("103.21.125.0/24", 24)
    assert (client["ranking"][0], client["source"]) == ("sin", "measured")
    assert sorted(client["ranking"]) == ["fra", "nyc", "sin"]
    assert client["samples"]["sin"] == 88 and client["samples"]["fra"] == 70 and client["samples"]["nyc"] == 0
    assert abs(client["rtt_ms"]["sin"] - 41) < 10 and abs(client["rtt_ms"]["fra"] - 240) < 30
    assert client["generation"] == 1763790007
    assert (six["block"], six["scope"], six["ranking"][0]) == ("2a00:1450:4001::/48", 48, "fra")
    assert (nobody["source"], nobody["ranking"]) == ("default", ["nyc", "fra", "sin"])


def test_a_prefix_is_cut_into_its_blocks_in_order(world):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    build(world)
    blocks = lookup(world, "20.0.0.0/15")
    assert len(blocks) > 10
    end = None
    for block in blocks:
        address, length = block["block"].split("/")
        first = int.from_bytes(bytes(map(int, address.split("."))), "big")
        assert end is None or first == end
        assert block["scope"] == int(length) <= 24
        end = first + (1 << (32 - int(length)))


PACKERS = {
    "plain": lambda path, text: path.with_suffix(".csv").write_text(text),
    "gz": lambda path, text: path.with_suffix(".csv.gz").write_bytes(gzip.compress(text.encode())),
    "two gzip members": lambda path, text: path.with_suffix(".gz").write_bytes(
        gzip.compress(text[:5000].encode()) + gzip.compress(text[5000:].encode())),
    "zst": lambda path, text: subprocess.run(["zstd", "-q", "-o", str(path.with_suffix(".zst"))], input=text.encode(),
                                             check=True),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "mapper.yaml").write_text(CONFIG)
    (folder / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    build(folder, "--threads", 1)
    return (folder / "out.isomap").read_bytes()


@pytest.mark.parametrize("packer", PACKERS)
def test_packing_changes_nothing(world, reference, packer):
    if packer == "zst" and not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    PACKERS[packer](world / "rows", as_csv(rows_of_a_small_world()))
    build(world)
    assert (world / "out.isomap").read_bytes() == reference


def test_neither_order_nor_files_nor_threads_nor_json_change_a_byte(world, reference):
    rows = rows_of_a_small_world()
    random.Random(7).shuffle(rows)
    (world / "rows-1.csv").write_text(as_csv(rows[:700], ("rtt_ms", "count", "client", "resolver", "time", "pop")))
    (world / "rows-2.jsonl").write_text(as_json_lines(rows[700:2000]))
    (world / "rows-3.csv.gz").write_bytes(gzip.compress(as_csv(rows[2000:]).encode()))
    for threads in (1, 2, 3):
        build(world, "--threads", threads)
        assert (world / "out.isomap").read_bytes() == reference


def test_as_of_is_the_generation(world):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    summary = json.loads(build(world, "--as-of", 1800000000, "--json").stdout)
    assert summary["generation"] == 1800000000
    assert lookup(world, "1.1.1.1")[0]["generation"] == 1800000000


BAD = [row(1763790000000, "20.0.0.1", "fra", 5), row(1763790000, "10.0.0.1", "fra", 5), row(1763790000, "20.0.0.1", "lhr", 5)]


def test_too_many_bad_rows_refuse_the_build(world):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()[:40] + BAD))
    done = mapper("build", "--config", world / "mapper.yaml", "--output", world / "out.isomap")
    assert done.returncode == 1
    assert done.stdout == ""
    assert not (world / "out.isomap").exists()
    last = done.stderr.splitlines()[-1]
    assert f"{world}/rows.csv:42: time is not in unix seconds" in last and "7.0 %" in last
    for reason in ("client is a special-purpose address", "PoP is not configured"):
        assert reason in done.stderr
    # the operator may insist
    assert "10.0.0.1" not in build(world, "--max-bad", "10%").stdout
    assert (world / "out.isomap").exists()


def test_few_bad_rows_are_reported_by_reason_and_place(world):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world() + BAD))
    done = build(world, "--json")
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["bad_rows"]) == (3006, 3)
    assert sum(summary["bad_rows_by_reason"].values()) == 3
    assert f"rows.csv:{3003 + 2}: time is not in unix seconds" in done.stderr


@pytest.mark.parametrize("name, text, reason", [
    ("mapper.yaml", CONFIG + "speling: 1\n", "mapper.yaml:11:1: "),
    ("rows.csv", "when,client,pop,rtt_ms\n", 'rows.csv:1:1: the header has no column "time"'),
    ("pins.csv", "20.0.0.0/24,lhr\n", 'pins.csv:1:13: no PoP "lhr"'),
    ("as.csv", "1.0.0.0,1.0.0.255\n", "as.csv:1:1: a row is start,end,asn"),
    ("city.mmdb", "no database", "city.mmdb: not a sound MMDB file"),
])
def test_wrong_input_is_named_by_file_and_line(world, name, text, reason):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()[:9]))
    (world / "pins.csv").write_text("20.0.0.0/24,fra\n")
    (world / "as.csv").write_text("1.0.0.0,1.0.0.255,13335,x\n")
    config = CONFIG + "  asn: [as.csv]\n" + ("  geo: [city.mmdb]\n" if name == "city.mmdb" else "") + "overrides: pins.csv\n"
    (world / "mapper.yaml").write_text(config)
    (world / name).write_text(text)
    done = mapper("build", "--config", world / "mapper.yaml", "--output", world / "out.isomap")
    assert done.returncode == 1
    assert reason in done.stderr.splitlines()[-1]
    assert not (world / "out.isomap").exists()


def test_a_gzip_file_that_was_cut_short_is_no_shorter_file(world):
    packed = gzip.compress(as_csv(rows_of_a_small_world()).encode())
    (world / "rows.csv.gz").write_bytes(packed[:len(packed) // 2])
    done = mapper("build", "--config", world / "mapper.yaml", "--output", world / "out.isomap")
    assert done.returncode == 1
    assert "rows.csv.gz: cut short" in done.stderr


def test_show_tells_what_is_inside(world):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    build(world)
    shown = json.loads(mapper("show", world / "out.isomap", "--json").stdout)
    assert [pop["name"] for pop in shown["pops"]] == ["fra", "sin", "nyc"]
    assert [m["name"] for m in shown["maps"]] == ["web", "video"]
    assert shown["maps"][1]["pops"] == ["fra", "sin"]
    assert shown["generation"] == 1763790007
    assert shown["bytes"] == (world / "out.isomap").stat().st_size
    assert "generation 1763790007 (2025-11-22T05:40:07Z)" in mapper("show", world / "out.isomap").stdout


@pytest.mark.parametrize("damage", ["cut", "bit", "text"])
def test_a_damaged_image_is_refused(world, damage):
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    build(world)
    image = bytearray((world / "out.isomap").read_bytes())
    if damage == "cut":
        image = image[:-4096]
    elif damage == "bit":
        image[len(image) // 2] ^= 4
    else:
        image = b"not an image"
    (world / "out.isomap").write_bytes(image)
    for verb in (["show"], ["lookup", "1.1.1.1"], ["export-nets"]):
        done = mapper(verb[0], world / "out.isomap", *verb[1:])
        assert done.returncode == 1
        assert done.stderr.startswith(f"{world}/out.isomap: ")


def test_gdnsd_reads_the_exported_nets(world):
    gdnsd = shutil.which("gdnsd") or shutil.which("gdnsd", path="/usr/sbin")
    if not gdnsd:
        pytest.skip("gdnsd is not installed")
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()))
    build(world)
    exported = mapper("export-nets", world / "out.isomap", "--map", "web", "--top", 2)
    assert exported.returncode == 0
    lines = [line for line in exported.stdout.splitlines() if not line.startswith("#")]
    assert '103.21.125.0/24 => [ "sin", "nyc" ]' in lines or '103.21.125.0/24 => [ "sin", "fra" ]' in lines
    for folder in ("gd/zones", "gd/geoip", "gd/run", "gd/state"):
        (world / folder).mkdir(parents=True)
    (world / "gd/geoip/nets").write_text(exported.stdout)
    (world / "gd/zones/example.test").write_text(
        "@ SOA ns1 host 1 7200 1800 259200 300\n@ NS ns1\nns1 A 192.0.2.53\nwww 60 DYNA geoip!www\n")
    (world / "gd/config").write_text(
        f"options => {{ listen => 127.0.0.1, run_dir => {world}/gd/run, state_dir => {world}/gd/state }}\n"
        "plugins => { geoip => { maps => { m => { datacenters => [ nyc, fra, sin ], nets => nets } } resources => {"
        " www => { map => m, service_types => up, dcmap => { nyc => { addrs_v4 => [ 192.0.2.1 ] },"
        " fra => { addrs_v4 => [ 192.0.2.2 ] }, sin => { addrs_v4 => [ 192.0.2.3 ] } } } } } }\n")
    done = subprocess.run([gdnsd, "-c", world / "gd", "checkconf"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "map 'm' runtime db updated. nets: " in said
    assert "nets" not in "".join(line for line in said.splitlines() if "warning" in line)


def test_120_000_pins(world):
    draw = random.Random(3)
    pins = {f"{draw.randrange(20, 200)}.{draw.randrange(256)}.{draw.randrange(256)}.0/24" for _ in range(120000)}
    (world / "rows.csv").write_text(as_csv(rows_of_a_small_world()[:1]))
    (world / "mapper.yaml").write_text(CONFIG + "overrides: pins.csv\n")
    (world / "pins.csv").write_text("prefix,pop\n" + "".join(f"{p},{draw.choice(['fra', 'sin'])}\n" for p in sorted(pins)))
    summary = json.loads(build(world, "--json").stdout)
    assert summary["pins"] == len(pins)
    assert summary["sources"]["override"] > 100000
    some = sorted(pins)[777]
    assert lookup(world, some)[0]["source"] == "override"


def test_the_sample_world_beats_geography(tmp_path):
    import lzma
    built = mapper("build", "--config", SAMPLE / "mapper.yaml", "--output", tmp_path / "out.isomap", "--json")
    assert built.returncode == 0, built.stderr
    geography = "".join(line + "\n" for line in (SAMPLE / "mapper.yaml").read_text().splitlines()
                        if not line.startswith("overrides") and "measurements:" not in line)
    (tmp_path / "geo.yaml").write_text(geography.replace("city-ipv", f"{SAMPLE}/city-ipv").replace("asn-ipv",
                                                                                                  f"{SAMPLE}/asn-ipv"))
    assert mapper("build", "--config", tmp_path / "geo.yaml", "--output", tmp_path / "geo.isomap").returncode == 0
    (tmp_path / "truth.csv").write_bytes(lzma.open(SAMPLE / "truth.csv.xz").read())
    done = mapper("eval", tmp_path / "out.isomap", "--truth", tmp_path / "truth.csv", "--baseline",
                  tmp_path / "geo.isomap", "--json")
    assert done.returncode == 0, done.stderr
    figures = {f["group"]: f for f in map(json.loads, done.stdout.splitlines())}
    assert figures["all"]["clients"] > 20000
    assert figures["measured"]["mean_loss_ms"] < 1.2
    assert figures["held out"]["mean_loss_ms"] < 2.0
    assert figures["all"]["baseline_mean_loss_ms"] > 5 * figures["all"]["mean_loss_ms"]
    assert figures["all"]["harm_percent"] < 3

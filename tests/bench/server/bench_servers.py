# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers: what each needs to be there, its configuration for the same data, and how it starts in the foreground.

Every one gets one worker, the same zones, and the whole map in its own language. A server that cannot do a kind of
answers, or is not installed, says so and is skipped.
"""
import os
import shutil
import subprocess
from pathlib import Path

import bench_data as data
from bench_net import SERVER_ADDRESS

ROOT = Path(__file__).resolve().parents[3]


class Skip(Exception):
    pass


def _need(program, package):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Skip(f"{program} is not installed (package {package}; see install-peers)")
    return path


def _map_rows(directory):
    with open(directory / "map.csv", encoding="ascii") as rows:
        for row in rows:
            prefix, pop = row.rstrip().split(",")
            yield prefix, int(pop)


class Server:
    """`prepare` writes the configuration under `work` and returns the command line; `geo` chooses the data."""
    name = ""
    answers_geo = True
    forks = False  # its workers are processes
    start_limit_s = 30

    def prepare(self, directory, work, geo):
        raise NotImplementedError


class Echo(Server):
    name = "echo"

    def __init__(self, port):
        self.port = port

    def prepare(self, directory, work, geo):
        return [str(directory / "echo"), SERVER_ADDRESS, str(self.port)]


class Knot(Server):
    name = "knot"

    def prepare(self, directory, work, geo):
        knotd = _need("knotd", "knot")
        module = ""
        if geo:
            if not any(Path("/usr/lib").glob("*/knot/modules*/geoip.so")):
                raise Skip("mod-geoip is not installed (package knot-module-geoip; see install-peers)")
            nets = ((prefix, pop) for prefix, pop in _map_rows(directory))
            with open(work / "map.yaml", "w", encoding="ascii") as out:
                out.write(f"{data.GEO_NAME}:\n")
                for prefix, pop in [("0.0.0.0/0", 0), ("::/0", 0), *nets]:
                    out.write(f" - net: {prefix}\n   A: {data.pop_v4(pop)}\n   AAAA: {data.pop_v6(pop)}\n")
            module = (f"mod-geoip:\n  - id: geo\n    config-file: {work}/map.yaml\n"
                      f"    ttl: {data.GEO_TTL}\n    mode: subnet\n")
        origin, file, use = (data.GEO_ORIGIN, "geo.zone", "    module: mod-geoip/geo\n") if geo else (
            data.STATIC_ORIGIN, "static.zone", "")
        (work / "knot.conf").write_text(f"""server:
  rundir: {work}
  user: root:root
  listen: {SERVER_ADDRESS}@53
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
database:
  storage: {work}
control:
  listen: {work}/knot.sock
log:
  - target: stderr
    any: warning
{module}zone:
  - domain: {origin}
    file: {directory}/{file}
    journal-content: none
    zonefile-sync: -1
{use}""")
        return [knotd, "-c", str(work / "knot.conf")]


class Nsd(Server):
    name = "nsd"
    answers_geo = False
    forks = True

    def prepare(self, directory, work, geo):
        nsd = _need("nsd", "nsd")
        (work / "nsd.conf").write_text(f"""server:
  server-count: 1
  ip-address: {SERVER_ADDRESS}
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: "{work}/pid"
  xfrdfile: "{work}/xfrd"
  zonelistfile: "{work}/zones"
  xfrdir: "{work}"
  rrl-ratelimit: 0
  minimal-responses: yes
  tcp-count: 100
  tcp-query-count: 0
remote-control:
  control-enable: no
zone:
  name: {data.STATIC_ORIGIN}
  zonefile: static.zone
""")
        return [nsd, "-d", "-c", str(work / "nsd.conf")]


class Gdnsd(Server):
    name = "gdnsd"

    def prepare(self, directory, work, geo):
        gdnsd = _need("gdnsd", "gdnsd")
        zones = work / "zones"
        zones.mkdir()
        config = (f"options => {{ listen => {SERVER_ADDRESS}, udp_threads => 1, tcp_threads => 1, tcp_clients_per_thread => 256, "
                  f"run_dir => {work}, state_dir => {work}, zones_rfc1035_auto => false }}\n")
        if geo:
            with open(work / "nets", "w", encoding="ascii") as out:
                out.writelines(f"{prefix} => p{pop}\n" for prefix, pop in _map_rows(directory))
            centers = ", ".join(f"p{i}" for i in range(data.POP_N))
            addresses = "".join(f"  p{i} => {{ addrs_v4 => [ {data.pop_v4(i)} ], addrs_v6 => [ {data.pop_v6(i)} ] }}\n"
                                for i in range(data.POP_N))
            config += (f"plugins => {{ geoip => {{ maps => {{ m => {{ datacenters => [ {centers} ], nets => {work}/nets }} }}\n"
                       f" resources => {{ www => {{ map => m, service_types => up, dcmap => {{\n{addresses}}} }} }} }} }}\n")
            zone = data.zone_text(data.GEO_ORIGIN, f"www {data.GEO_TTL} DYNA geoip!www\n")
            (zones / data.GEO_ORIGIN).write_text(zone)
        else:
            (zones / data.STATIC_ORIGIN).symlink_to(directory / "static.zone")
        (work / "config").write_text(config)
        return [gdnsd, "-c", str(work), "start"]


class PowerDns(Server):
    name = "pdns"
    start_limit_s = 60

    def prepare(self, directory, work, geo):
        pdns = _need("pdns_server", "pdns-server")
        backend = "geoip" if geo else "bind"
        if not any(Path("/usr/lib").glob(f"*/pdns/lib{backend}backend.so")):
            raise Skip(f"backend {backend} is not installed (package pdns-backend-{backend}; see install-peers)")
        if geo:
            self._map(directory, work)
            launch = f"launch=geoip\ngeoip-zones-file={work}/map.yaml\ngeoip-database-files=\n"
        else:
            (work / "named.conf").write_text(
                f'zone "{data.STATIC_ORIGIN}" {{ type master; file "{directory}/static.zone"; }};\n')
            launch = f"launch=bind\nbind-config={work}/named.conf\n"
        (work / "pdns.conf").write_text(f"""local-address={SERVER_ADDRESS}
local-port=53
receiver-threads=1
distributor-threads=1
socket-dir={work}
guardian=no
daemon=no
disable-syslog=yes
loglevel=3
security-poll-suffix=
max-tcp-connections=256
edns-subnet-processing=yes
{launch}""")
        return [pdns, f"--config-dir={work}"]

    @staticmethod
    def _map(directory, work):
        origin = data.GEO_ORIGIN
        with open(work / "map.yaml", "w", encoding="ascii") as out:
            out.write(f"domains:\n- domain: {origin}\n  ttl: {data.GEO_TTL}\n  records:\n    {origin}:\n"
                      f"      - soa: ns1.{origin} hostmaster.{origin} 1 7200 1800 1209600 300\n      - ns: ns1.{origin}\n"
                      f"    ns1.{origin}:\n      - a: 192.0.2.250\n")
            for i in range(data.POP_N):
                out.write(f"    p{i}.{origin}:\n      - a: {data.pop_v4(i)}\n      - aaaa: {data.pop_v6(i)}\n")
            out.write(f"  services:\n    {data.GEO_NAME}:\n      default: [ 'p0.{origin}' ]\n")
            out.writelines(f"      {prefix}: [ 'p{pop}.{origin}' ]\n" for prefix, pop in _map_rows(directory))


class Isochrone(Server):
    name = "isochrone"
    start_limit_s = 60

    def __init__(self, programs=None):
        self.programs = Path(programs) if programs else ROOT / "build/release/bin"

    def _program(self, name):
        path = self.programs / name
        if not path.exists():
            raise Skip(f"{path} is not built (cmake --preset release && cmake --build --preset release)")
        return str(path)

    def prepare(self, directory, work, geo):
        edge = self._program("isochrone-edge")
        pops = range(data.POP_N)
        config = (f'identity: bench\nlisten: ["{SERVER_ADDRESS}@53"]\nworkers: 1\ncontrol: {work}/edge.sock\n'
                  f"state_dir: {work}/state\nrate_limit: off\nzones:\n")
        (work / "state").mkdir()
        if geo:
            self._image(directory, work)
            config += f"  - {{origin: {data.GEO_ORIGIN}., file: {directory}/geo.zone}}\n"
            config += "map: map.isomap\nservices: services.yaml\n"
            addresses = "".join(f'      p{i}: ["{data.pop_v4(i)}", "{data.pop_v6(i)}"]\n' for i in pops)
            (work / "services.yaml").write_text(
                f"services:\n  web:\n    map: web\n    ttl: {data.GEO_TTL}\n    on_empty: nodata\n    pops:\n{addresses}"
                f"names:\n  {data.GEO_NAME}.: web\n")
        else:
            config += f"  - {{origin: {data.STATIC_ORIGIN}., file: {directory}/static.zone}}\n"
        (work / "edge.yaml").write_text(config)
        return [edge, "--config", str(work / "edge.yaml")]

    def _image(self, directory, work):
        """The whole map as overrides, so that the answers are the other servers' answers."""
        mapper = self._program("isochrone-mapper")
        with open(work / "pins.csv", "w", encoding="ascii") as out:
            out.write("prefix,pop\n")
            out.writelines(f"{prefix},p{pop}\n" for prefix, pop in _map_rows(directory))
        pops = "".join(f"  p{i}: {{location: [0.0, {i}.0]}}\n" for i in range(data.POP_N))
        (work / "mapper.yaml").write_text(f"pops:\n{pops}maps:\n  web: {{default: [p0]}}\noverrides: pins.csv\n")
        command = [mapper, "build", "--config", str(work / "mapper.yaml"), "--output", str(work / "map.isomap")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError("isochrone-mapper build failed: " + done.stderr.strip()[-300:])


ALL = (Isochrone, Knot, Nsd, Gdnsd, PowerDns)

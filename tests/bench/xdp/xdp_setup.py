# SPDX-License-Identifier: GPL-3.0-or-later
"""What all commands of this folder need first: root, the programs, tools and data in one folder."""
import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import xdp_data

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def parser(description):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--build", type=Path, default=ROOT / "build/release", help="finished build (default build/release)")
    made.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "isochrone-bench-xdp",
                      help="data and tools, kept for the next run (remove it when done)")
    made.add_argument("--prefixes", type=int, default=1_000_000, help="of the map")
    made.add_argument("--names", type=int, default=100_000, help="of the static zone")
    made.add_argument("--seed", type=int, default=53)
    made.add_argument("--json", action="store_true")
    return made


def prepare_tools(options):
    if os.geteuid() != 0:
        raise SystemExit("BPF and network namespaces need root")
    if not (options.build / "bin/isochrone-xdpbench").exists():
        raise SystemExit(f"no programs in {options.build}/bin (cmake --preset release && cmake --build --preset release)")
    options.build = options.build.resolve()
    options.dir.mkdir(parents=True, exist_ok=True)
    subprocess.run([HERE / "compile", options.build, options.dir], check=True)


def prepare(options):
    """Builds the tools and makes the data that is not there yet."""
    prepare_tools(options)
    wanted = f"{options.prefixes} {options.names} {options.seed} 1\n"
    marker = options.dir / "complete"
    if marker.exists() and marker.read_text() == wanted:
        return
    marker.unlink(missing_ok=True)
    drawn = xdp_data.write_map(options.dir, options.build / "bin/isochrone-mapper", options.prefixes, options.seed)
    xdp_data.write_zones(options.dir, options.names)
    xdp_data.write_services(options.dir)
    xdp_data.write_queries(options.dir, drawn, options.names)
    marker.write_text(wanted)


def print_verdicts(rows):
    """Each row: (what, measured, limit); held when not above."""
    print("\n| target | measured | limit | |\n|---|---|---|---|")
    missed = 0
    for what, measured, limit in rows:
        missed += measured > limit
        print(f"| {what} | {measured:.2f} | {limit:.2f} | {'holds' if measured <= limit else 'MISSED'} |")
    return missed

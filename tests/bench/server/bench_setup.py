# SPDX-License-Identifier: GPL-3.0-or-later
"""What all commands of this folder need first: the place, the two tools, the data, the namespaces."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import bench_data
import bench_net

HERE = Path(__file__).resolve().parent
_LAYOUT = 2  # of the data: what an older version of this bench has left is made again
_DONE = "complete"  # written last: a half-made folder is made again


def default_directory():
    return Path(tempfile.gettempdir()) / "isochrone-bench-server"


def prepare(directory, seed):
    """Builds the tools and makes the data of this seed unless it is there."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(HERE / "compile"), str(directory)], check=True)
    marker = directory / _DONE
    wanted = f"seed {seed}, layout {_LAYOUT}\n"
    if marker.exists() and marker.read_text() == wanted:
        return
    marker.unlink(missing_ok=True)
    bench_data.write(bench_data.World(seed=seed), directory)
    marker.write_text(wanted)


def require_root():
    if os.geteuid() != 0:
        raise SystemExit("network namespaces need root")


def remove(directory):
    bench_net.down()
    if (directory / "load").exists():  # only a folder that is ours
        shutil.rmtree(directory)

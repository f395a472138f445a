#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does publishing stall anybody? A map of a million blocks and a hundred thousand names are published again and again into
the kernel while a client asks one question after the other; printed are the longest times without an answer, beside those
of the same client while nothing is published, and how long the publisher was busy.

Usage: tests/system/xdp_gap.py [--blocks N] [--names N] [--rounds N] [--json]     needs root; about a minute
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import dns.message

from xdp_lab import BIN, XdpLab, why_not

MAPPER = """pops:
  fra: {{location: [50.0, 8.6]}}
  sin: {{location: [1.3, 103.8]}}
  nyc: {{location: [40.7, -74.0]}}
maps:
  web: {{default: [{default}]}}
overrides: pins.csv
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def build_images(folder, blocks):
    """Two images with a block for every other /24 or so, which differ in the default."""
    draw = random.Random(1)
    networks = draw.sample(range(1 << 16, 223 << 16), blocks)
    with open(folder / "pins.csv", "w", encoding="ascii") as pins:
        pins.write("prefix,pop\n")
        for network in sorted(networks):
            pins.write(f"{network >> 16}.{network >> 8 & 255}.{network & 255}.0/24,{draw.choice(('fra', 'sin', 'nyc'))}\n")
    images = []
    for default in ("fra", "sin"):
        (folder / "mapper.yaml").write_text(MAPPER.format(default=default))
        images.append(folder / f"{default}.isomap")
        subprocess.run([BIN / "isochrone-mapper", "build", "--config", folder / "mapper.yaml", "--output", images[-1],
                        "--as-of", "1700000000"], check=True, capture_output=True)
    return images


class Asking:
    """One question at a time; how long each took, in ms."""

    def __init__(self, lab):
        self.lab, self.ending, self.times, self.lost = lab, False, [], 0
        self.wire = dns.message.make_query("www.example.", "A").to_wire()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        # on a CPU of its own, before all others: what is left is what publishing does to packets, not who runs when
        os.sched_setaffinity(0, {0})
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -20)
        with self.lab.socket("192.0.2.2", 2.0) as client:
            client.connect(("192.0.2.1", 53))
            while not self.ending:
                begin = time.monotonic()
                client.send(self.wire)
                try:
                    client.recv(512)
                except (TimeoutError, ConnectionRefusedError):
                    self.lost += 1
                self.times.append((time.monotonic() - begin) * 1000)
                time.sleep(0.0001)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending = True
        self.thread.join()

    def figures(self):
        self.times.sort()
        return {"asked": len(self.times), "lost": self.lost, "p50_ms": statistics.median(self.times),
                "p999_ms": self.times[int(len(self.times) * 0.999)], "longest_ms": self.times[-1]}


def measure(lab, options, images):
    blocks = max(image.stat().st_size // 4096 for image in images) + 1
    driver = lab.driver()
    os.sched_setaffinity(driver.process.pid, set(range(1, os.cpu_count())) or {0})
    driver.ask("open", lab.pins / "edge", "native", blocks, max(64, options.names // 8), 8, "v0")
    driver.ask("listen", "192.0.2.1", 53)
    driver.ask("fill", options.names)
    took, states = [], []
    driver.ask("publish", 1, images[1])
    driver.ask("publish", 2, images[0])
    begin = time.monotonic()
    with Asking(lab) as busy:
        for number in range(3, 3 + options.rounds):
            answer = driver.ask("publish", number, images[number % 2])
            assert not answer["left_out"], answer
            took.append(answer["took_ns"] / 1e6)
            for _ in range(8):
                states.append(driver.ask("states", number)["took_ns"] / 1e6)
            driver.ask("beat")
    seconds = time.monotonic() - begin
    with Asking(lab) as idle:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            driver.ask("beat")
            time.sleep(0.2)
    status = driver.ask("status")
    driver.ask("close", "detach")
    return {"image_mib": status["image_blocks"] / 256, "template_mib": status["template_blocks"] / 256,
            "publications": len(took), "published_ms": statistics.median(took), "published_longest_ms": max(took),
            "states": len(states), "states_ms": statistics.median(states), "states_longest_ms": max(states),
            "while_publishing": busy.figures(), "while_idle": idle.figures()}


def print_human(result):
    print(f"image {result['image_mib']:.1f} MiB, templates {result['template_mib']:.1f} MiB")
    print(f"everything published {result['publications']} times: the publisher was busy {result['published_ms']:.1f} ms, at most "
          f"{result['published_longest_ms']:.1f}")
    print(f"states published {result['states']} times: {result['states_ms']:.3f} ms, at most {result['states_longest_ms']:.1f}"
          " (with the wait for a slot)")
    print("| client | asked | lost | p50 ms | p99.9 ms | longest ms |\n|---|---|---|---|---|---|")
    for name in ("while_publishing", "while_idle"):
        one = result[name]
        print(f"| {name.replace('_', ' ')} | {one['asked']} | {one['lost']} | {one['p50_ms']:.3f} | {one['p999_ms']:.3f} | "
              f"{one['longest_ms']:.2f} |")


def main():
    options = arguments()
    if why_not():
        raise SystemExit(f"SKIP: {why_not()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = build_images(folder, options.blocks)
        with XdpLab(folder) as lab:
            lab.pass_on("v0")
            result = measure(lab, options, images)
    if options.json:
        print(json.dumps(result))
    else:
        print_human(result)


if __name__ == "__main__":
    main()

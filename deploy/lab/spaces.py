# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces of this host with programs in them, below one folder, that end together.

lab.json in the folder names all of it, so that another process can open() what one has made. Nothing of the host is
listened on or changed. Needs root. Only the standard library is used.
"""
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time


class LabError(Exception):
    """What cannot be set up or did not happen, in words."""


def why_not(needed):
    """Why no namespaces can be made here, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    for program in needed:
        if not find(program):
            return f"{program} is not installed"
    probe = f"isochrone-probe-{secrets.token_hex(3)}"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        done = subprocess.run(["ip", "netns", "del", probe], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"network namespaces cannot be made here ({done.stderr.strip()})"
    return None


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/usr/lib/frr")


def inside(namespace):
    """What to put before a command. Not `ip netns exec` and `ip -n`: they remount /, which a chroot may not be able to."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


def run(*command, text=None):
    """Its output; a LabError with what it complained about if it fails. `text` is its standard input."""
    done = subprocess.run([str(word) for word in command], input=text or "", capture_output=True, text=True, timeout=30,
                          check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def process_started(pid):
    """When a process was started, in clock ticks: with it a process id names one process only."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for(condition, seconds, what, step=0.01):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(step)


def control_ask(path, request):
    """One request to a control socket of ours."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile("rb") as reply:
            return json.loads(reply.readline())


class Spaces:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.tag = ""
        self.processes = {}  # name -> [pid, started]
        self.namespaces = []
        self.made_folder = False

    # ---- what is kept between calls

    @classmethod
    def open(cls, folder):
        lab = cls(folder)
        try:
            kept = json.loads((lab.folder / "lab.json").read_text())
        except OSError as error:
            raise LabError(f"{lab.folder}: no lab is up here ({error.strerror})") from error
        for key, value in kept.items():
            setattr(lab, key, value)
        return lab

    def kept_keys(self):
        return ["tag", "processes", "namespaces", "made_folder"]

    def keep(self):
        kept = {key: getattr(self, key) for key in self.kept_keys()}
        (self.folder / "lab.json").write_text(json.dumps(kept) + "\n")

    # ---- up and down

    def folder_make(self):
        if (self.folder / "lab.json").exists():
            raise LabError(f"{self.folder}: a lab is up here already (down first)")
        self.made_folder = not self.folder.exists()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tag = secrets.token_hex(3)
        self.keep()

    def namespace_make(self, name):
        self.namespaces.append(name)
        self.keep()
        run("ip", "netns", "add", name)
        run(*inside(name), "ip", "link", "set", "lo", "up")

    def start(self, name, namespace, command, environment=None, log=None):
        """A program in a namespace that outlives us; its output goes to `log`, NAME.log unless said."""
        with open(log or self.folder / f"{name}.log", "ab") as output:
            child = subprocess.Popen(
                [*inside(namespace), *map(str, command)], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, cwd="/", env={**os.environ, **(environment or {})})
        self.processes[name] = [child.pid, process_started(child.pid)]
        self.keep()
        return child.pid

    def processes_end(self):
        """All that runs in the namespaces, whoever started it; then they are removed."""
        for namespace in self.namespaces:
            for pid in self.pids(namespace):
                signal_quietly(pid, signal.SIGTERM)
                signal_quietly(pid, signal.SIGCONT)
        deadline = time.monotonic() + 3
        while any(self.pids(space) for space in self.namespaces) and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.02)
        for namespace in self.namespaces:
            for pid in self.pids(namespace):
                signal_quietly(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        self.reap()

    @staticmethod
    def pids(namespace):
        done = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
        return [int(word) for word in done.stdout.split()]

    def reap(self):
        for pid, _ in self.processes.values():
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    # ---- looking and breaking

    def alive(self, name):
        pid, started = self.processes.get(name, (0, None))
        self.reap()
        return pid if started and process_started(pid) == started else 0

    def kill(self, name, number=signal.SIGKILL):
        """The wall-clock time just before."""
        pid = self.alive(name)
        if not pid:
            raise LabError(f"{name} does not run")
        now = time.time()
        os.kill(pid, number)
        return now

    def log(self, name):
        try:
            return (self.folder / f"{name}.log").read_text(errors="replace")
        except OSError:
            return ""


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass

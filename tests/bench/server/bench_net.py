# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces joined by one veth pair: servers in one, the load in the other.

Both ends use GRO, without TSO, which makes veth receive through NAPI, and NAPI runs threaded: all the kernel does to
receive for the server happens in one kernel thread, which is pinned to the server's core and whose time can be read.
Nothing leads out of the two namespaces. Whatever runs in them was started by us.
"""
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import time
import zlib

# A run ends what it finds in its namespaces: give runs that shall not meet different names.
_NAME = os.environ.get("BENCH_NET", "isobench")
SERVER_NS, LOAD_NS = f"{_NAME}-srv", f"{_NAME}-gen"
# Of their own in each pair of namespaces: the kernel threads that receive for them are found by these names.
_TAG = zlib.crc32(_NAME.encode()) % 1000
SERVER_IF, LOAD_IF = f"ibs{_TAG}", f"ibg{_TAG}"
SERVER_ADDRESS, LOAD_ADDRESS = "198.18.0.1", "198.18.0.2"  # RFC 2544: for benchmarks
LOAD_CORE, SERVER_CORE = 0, 1

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_ETHTOOL_STSO, _ETHTOOL_SGRO = 0x1F, 0x2C


def _setns(path):
    with open(path, "rb") as ns:
        if _LIBC.setns(ns.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


def enter(ns):
    """For a child between fork and exec."""
    _setns(f"/run/netns/{ns}")


@contextlib.contextmanager
def inside(ns):
    """The calling thread is in namespace `ns` meanwhile; a socket stays where it was made."""
    with open("/proc/thread-self/ns/net", "rb") as home:
        enter(ns)
        try:
            yield
        finally:
            if _LIBC.setns(home.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")


def _ip(*words, ns=None, check=True):
    command = ["ip"] + (["-n", ns] if ns else []) + list(words)
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def _offload(ns, interface, command, on):
    """What `ethtool -K` does, without needing it."""
    with inside(ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        value = ctypes.create_string_buffer(struct.pack("II", command, on))
        request = struct.pack("16sP", interface.encode(), ctypes.addressof(value)) + bytes(16)
        fcntl.ioctl(s, _SIOCETHTOOL, request)


def _threaded(ns, interface):
    # `ip netns exec` mounts a sysfs that shows the devices of the namespace.
    script = f"echo 1 >/sys/class/net/{interface}/threaded"
    subprocess.run(["ip", "netns", "exec", ns, "sh", "-c", script], check=True)


def _sysctl(ns, **values):
    with inside(ns):
        for name, value in values.items():
            with open("/proc/sys/net/" + name.replace("__", "/"), "w", encoding="ascii") as f:
                f.write(str(value))


def exists():
    return all(os.path.exists(f"/run/netns/{ns}") for ns in (SERVER_NS, LOAD_NS))


def up():
    down()
    for ns in (SERVER_NS, LOAD_NS):
        _ip("netns", "add", ns)
    _ip("link", "add", SERVER_IF, "netns", SERVER_NS, "numtxqueues", "1", "numrxqueues", "1",
        "type", "veth", "peer", "name", LOAD_IF, "netns", LOAD_NS, "numtxqueues", "1", "numrxqueues", "1")
    mac = {}
    for ns, interface, address in ((SERVER_NS, SERVER_IF, SERVER_ADDRESS), (LOAD_NS, LOAD_IF, LOAD_ADDRESS)):
        _sysctl(ns, ipv6__conf__all__disable_ipv6=1, ipv4__conf__all__rp_filter=0,
                **{f"ipv4__conf__{interface}__rp_filter": 0})
        _ip("addr", "add", f"{address}/24", "dev", interface, ns=ns)
        _offload(ns, interface, _ETHTOOL_SGRO, 1)
        _offload(ns, interface, _ETHTOOL_STSO, 0)
        _ip("link", "set", "lo", "up", ns=ns)
        _ip("link", "set", interface, "up", ns=ns)
        mac[ns] = _ip("-br", "link", "show", interface, ns=ns).split()[2]
        _threaded(ns, interface)
    # No ARP in the measurement, and answers to any source address go back to the load, which takes all as its own.
    _ip("neigh", "replace", LOAD_ADDRESS, "lladdr", mac[LOAD_NS], "dev", SERVER_IF, "nud", "permanent", ns=SERVER_NS)
    _ip("neigh", "replace", SERVER_ADDRESS, "lladdr", mac[SERVER_NS], "dev", LOAD_IF, "nud", "permanent", ns=LOAD_NS)
    _ip("route", "add", "default", "via", LOAD_ADDRESS, "dev", SERVER_IF, ns=SERVER_NS)
    _ip("route", "add", "local", "default", "dev", "lo", "table", "100", ns=LOAD_NS)
    _ip("rule", "add", "iif", LOAD_IF, "lookup", "100", "pref", "5", ns=LOAD_NS)


def processes(ns):
    """Ids of the processes inside one of our namespaces."""
    try:
        wanted = os.stat(f"/run/netns/{ns}").st_ino
    except OSError:
        return []
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino == wanted:
                found.append(int(entry))
    return found


def sweep():
    """Ends what is still inside our namespaces."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        left = [pid for ns in (SERVER_NS, LOAD_NS) for pid in processes(ns)]
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, how)
        for _ in range(20):
            if not any(processes(ns) for ns in (SERVER_NS, LOAD_NS)):
                return
            time.sleep(0.05)


def down():
    sweep()
    for ns in (SERVER_NS, LOAD_NS):
        if os.path.exists(f"/run/netns/{ns}"):
            _ip("netns", "del", ns, check=False)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A service manager for the system tests of isochrone-edge."""
import fcntl
import os
import queue
import socket
import threading


class Manager:
    """What systemd does for a service of Type=notify: hears it, keeps its descriptors, starts it with them."""

    def __init__(self, path):
        self.env = {"NOTIFY_SOCKET": str(path)}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.heard = queue.Queue()  # but for what concerns descriptors
        self.store = {}  # name: descriptor
        self.main_pid = None
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while True:
            message, fds, _, _ = socket.recv_fds(self.socket, 4096, 16)
            if message == b"end":
                return
            lines = message.decode().split("\n")
            fields = dict(line.split("=", 1) for line in lines)
            if fields.get("FDSTORE") == "1":
                # the same socket a second time is not kept twice
                known = {os.fstat(fd).st_ino for fd in self.store.values()}
                for fd in fds:
                    if os.fstat(fd).st_ino in known:
                        os.close(fd)
                    else:
                        self.store[fields["FDNAME"]] = fd
                continue
            for fd in fds:  # BARRIER=1: heard all that was said before
                os.close(fd)
            if fields.get("FDSTOREREMOVE") == "1":
                os.close(self.store.pop(fields["FDNAME"]))
            elif "BARRIER" not in fields:
                self.main_pid = int(fields.get("MAINPID", self.main_pid or 0))
                self.heard.put(message.decode())

    def next(self):
        return self.heard.get(timeout=10)

    def start(self, edge, fds=None):
        """Starts the server with the descriptors of the store, or these: {name: descriptor}."""
        fds = self.store if fds is None else fds
        names = ":".join(fds)

        def place():
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in fds.values()]
            for number, fd in enumerate(high):
                os.dup2(fd, 3 + number)
                os.close(fd)

        env = self.env | {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names}
        return edge.start(env, wrapper=["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh"], preexec_fn=place,
                          close_fds=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"end", self.env["NOTIFY_SOCKET"])
        self.thread.join()
        self.socket.close()
        for fd in self.store.values():
            os.close(fd)

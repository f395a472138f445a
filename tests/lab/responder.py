#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest thing that answers DNS over UDP, for tests of what watches it.

Usage: responder.py ADDRESS [MOOD_FILE]     answers every question with one record of its type (A, AAAA)

The word in MOOD_FILE, read for every query, changes that: servfail, silent, wrong-id, wrong-question, late.
"""
import pathlib
import socket
import struct
import sys
import time

ADDRESSES = {1: socket.inet_aton("192.0.2.10"), 28: socket.inet_pton(socket.AF_INET6, "2001:db8:1::10")}


def answer(query, mood):
    if len(query) < 17 or query[2] & 0x80:
        return b""
    end = 12
    while query[end] != 0:
        end += query[end] + 1
    question = query[12:end + 5]
    qtype = struct.unpack("!H", query[end + 1:end + 3])[0]
    record = b""
    if qtype in ADDRESSES and mood != "servfail":
        data = ADDRESSES[qtype]
        record = struct.pack("!HHHIH", 0xC00C, qtype, 1, 30, len(data)) + data
    ident = query[:2] if mood != "wrong-id" else bytes([query[0] ^ 0xFF, query[1]])
    if mood == "wrong-question":
        question = b"\x05other\x00" + question[-4:]
    flags = 0x8400 | (2 if mood == "servfail" else 0)
    return ident + struct.pack("!HHHHH", flags, 1, 1 if record else 0, 0, 0) + question + record


def main():
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((sys.argv[1], 53))
    while True:
        query, client = server.recvfrom(4096)
        mood = ""
        if len(sys.argv) > 2:
            path = pathlib.Path(sys.argv[2])
            mood = path.read_text().strip() if path.exists() else ""
        if mood == "late":
            time.sleep(0.7)
        reply = answer(query, mood)
        if mood != "silent" and reply:
            server.sendto(reply, client)


if __name__ == "__main__":
    main()

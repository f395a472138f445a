# SPDX-License-Identifier: GPL-3.0-or-later
"""MaxMind DB files (format 2.0), as far as the sample world needs them: walk all networks, look one address up, write.

Reading knows every data type of the format but only trees without aliases (DB-IP's have none). Writing does both layouts
that exist in the wild: FLAT with 32-bit float coordinates (DB-IP from npm) and NESTED with doubles (MaxMind's own).
"""

import struct
from array import array

UNPACK_U64 = struct.Struct(">Q").unpack_from
METADATA_MARKER = b"\xab\xcd\xefMaxMind.com"


class Float(float):
    """A number that is written with the format's 32-bit float type; a plain float becomes a double."""


class Uint16(int):
    pass


class Uint32(int):
    pass


class Uint64(int):
    pass


class Reader:
    def __init__(self, path):
        with open(path, "rb") as stream:
            self.bytes = stream.read()
        marker = self.bytes.rfind(METADATA_MARKER)
        if marker < 0:
            raise ValueError(f"{path}: not a MaxMind DB")
        self.data_start = marker + len(METADATA_MARKER)
        metadata, _ = self._decode(self.data_start)
        self.node_n = metadata["node_count"]
        self.record_bits = metadata["record_size"]
        self.address_bits = 32 if metadata["ip_version"] == 4 else 128
        self.data_start = self.node_n * self.record_bits // 4 + 16
        self.records = {}

    def _node(self, node):
        if self.record_bits == 28:
            # Eight bytes for a node of seven: the data section behind the tree makes that safe for the last one.
            word = UNPACK_U64(self.bytes, node * 7)[0] >> 8
            return (word >> 32) | ((word >> 28) & 0xF) << 24, word & 0xFFFFFFF
        size = self.record_bits // 8
        at = node * 2 * size
        return (int.from_bytes(self.bytes[at:at + size], "big"),
                int.from_bytes(self.bytes[at + size:at + 2 * size], "big"))

    def networks(self):
        """All networks with data, as parallel arrays in address order: start, prefix length, record pointer.

        A start is the address itself in an IPv4 tree, its upper 64 bits in an IPv6 tree; longer networks are left out.
        """
        starts, lengths, pointers = array("Q"), array("B"), array("I")
        key_bits = min(64, self.address_bits)
        low_bits = self.address_bits - key_bits
        stack = [(0, 0, 0)]
        node_n, top = self.node_n, self.address_bits - 1
        while stack:
            node, depth, address = stack.pop()
            if node >= node_n:
                if node > node_n and depth <= key_bits:
                    starts.append(address >> low_bits)
                    lengths.append(depth)
                    pointers.append(node)
                continue
            left, right = self._node(node)
            if right != node_n:
                stack.append((right, depth + 1, address | 1 << (top - depth)))
            if left != node_n:
                stack.append((left, depth + 1, address))
        return starts, lengths, pointers

    def find(self, address):
        """The record of an address (an int of the tree's width), or None."""
        node = 0
        for depth in range(self.address_bits):
            node = self._node(node)[address >> (self.address_bits - 1 - depth) & 1]
            if node >= self.node_n:
                break
        return self.record(node) if node > self.node_n else None

    def record(self, pointer):
        found = self.records.get(pointer)
        if found is None:
            found, _ = self._decode(pointer - self.node_n - 16 + self.data_start)
            self.records[pointer] = found
        return found

    def _decode(self, at):
        control = self.bytes[at]
        at += 1
        kind = control >> 5
        if kind == 1:
            return self._follow(control, at)
        if kind == 0:
            kind = 7 + self.bytes[at]
            at += 1
        size = control & 0x1F
        if size >= 29:
            extra = size - 28
            size = (29, 285, 65821)[extra - 1] + int.from_bytes(self.bytes[at:at + extra], "big")
            at += extra
        if kind == 7:
            result = {}
            for _ in range(size):
                key, at = self._decode(at)
                result[key], at = self._decode(at)
            return result, at
        if kind == 11:
            items = []
            for _ in range(size):
                item, at = self._decode(at)
                items.append(item)
            return items, at
        if kind == 14:
            return bool(size), at
        raw = self.bytes[at:at + size]
        at += size
        if kind == 2:
            return raw.decode(), at
        if kind == 3:
            return struct.unpack(">d", raw)[0], at
        if kind == 15:
            return struct.unpack(">f", raw)[0], at
        if kind == 8:
            return int.from_bytes(raw.rjust(4, b"\0"), "big", signed=True), at
        if kind in (5, 6, 9, 10):
            return int.from_bytes(raw, "big"), at
        return raw, at

    def _follow(self, control, at):
        size = (control >> 3) & 3
        value = int.from_bytes(self.bytes[at:at + size + 1], "big")
        if size < 3:
            value += ((control & 7) << 8 * (size + 1)) + (0, 2048, 526336)[size]
        return self._decode(self.data_start + value)[0], at + size + 1


class _DataSection:
    """Serialises values; a string or map seen before becomes a pointer to its first copy."""

    def __init__(self):
        self.bytes = bytearray()
        self.seen = {}

    def add(self, value):
        """Offset of a top-level value."""
        key = repr(value)
        if key not in self.seen:
            encoded_at = len(self.bytes)
            # The members of a map go out first, so that the map itself can point at them.
            body = self._encode(value, self._pool(value))
            self.seen[key] = encoded_at = len(self.bytes)
            self.bytes += body
        return self.seen[key]

    def _pool(self, value):
        pool = {}
        for name, member in value.items():
            for item in (name, member):
                if (isinstance(item, str) and len(item) > 2) or isinstance(item, dict):
                    pool[repr(item)] = self._intern(item)
        return pool

    def _intern(self, item):
        key = repr(item)
        if key not in self.seen:
            body = self._encode(item, self._pool(item) if isinstance(item, dict) else {})
            self.seen[key] = len(self.bytes)
            self.bytes += body
        return self.seen[key]

    @classmethod
    def _encode(cls, value, pool):
        if isinstance(value, dict):
            body = _control(7, len(value))
            for name, member in value.items():
                for item in (name, member):
                    at = pool.get(repr(item)) if isinstance(item, (str, dict)) else None
                    body += cls._encode(item, {}) if at is None else _pointer(at)
            return body
        if isinstance(value, list):
            return _control(11, len(value)) + b"".join(cls._encode(item, {}) for item in value)
        if isinstance(value, str):
            raw = value.encode()
            return _control(2, len(raw)) + raw
        if isinstance(value, Float):
            return _control(15, 4) + struct.pack(">f", value)
        if isinstance(value, float):
            return _control(3, 8) + struct.pack(">d", value)
        kind = {Uint16: 5, Uint32: 6, Uint64: 9}[type(value)]
        raw = int(value).to_bytes(8, "big").lstrip(b"\0")
        return _control(kind, len(raw)) + raw


def _control(kind, size):
    if size < 29:
        low, extra = size, b""
    elif size < 285:
        low, extra = 29, bytes([size - 29])
    else:
        low, extra = 30, (size - 285).to_bytes(2, "big")
    if kind < 8:
        return bytes([kind << 5 | low]) + extra
    return bytes([low, kind - 7]) + extra


def _pointer(at):
    if at < 2048:
        return bytes([0x20 | at >> 8, at & 0xFF])
    if at < 526336:
        at -= 2048
        return bytes([0x28 | at >> 16]) + (at & 0xFFFF).to_bytes(2, "big")
    at -= 526336
    return bytes([0x30 | at >> 24]) + (at & 0xFFFFFF).to_bytes(3, "big")


class Writer:
    """A tree of networks; a later, more specific network carves its part out of an earlier one."""

    def __init__(self, address_bits):
        self.address_bits = address_bits
        self.root = [None, None]

    def insert(self, start, length, value):
        """`value` is any hashable that `save` turns into a record; length is at least 1."""
        node = self.root
        for depth in range(length - 1):
            bit = start >> (self.address_bits - 1 - depth) & 1
            if not isinstance(node[bit], list):
                node[bit] = [node[bit], node[bit]]
            node = node[bit]
        node[start >> (self.address_bits - length) & 1] = value

    def _prune(self, node):
        for bit in (0, 1):
            if isinstance(node[bit], list):
                node[bit] = self._prune(node[bit])
        if not isinstance(node[0], list) and node[0] == node[1]:
            return node[0]
        return node

    def save(self, path, record_bits, make_record, database_type, description, epoch):
        for bit in (0, 1):
            if isinstance(self.root[bit], list):
                self.root[bit] = self._prune(self.root[bit])
        nodes, number = [self.root], {id(self.root): 0}
        for node in nodes:
            for child in node:
                if isinstance(child, list):
                    number[id(child)] = len(nodes)
                    nodes.append(child)
        data, offsets = _DataSection(), {}
        tree = bytearray()
        for node in nodes:
            pair = []
            for child in node:
                if isinstance(child, list):
                    pair.append(number[id(child)])
                elif child is None:
                    pair.append(len(nodes))
                else:
                    if child not in offsets:
                        offsets[child] = data.add(make_record(child))
                    pair.append(len(nodes) + 16 + offsets[child])
            tree += _pack_node(pair, record_bits)
        metadata = {
            "binary_format_major_version": Uint16(2), "binary_format_minor_version": Uint16(0),
            "build_epoch": Uint64(epoch), "database_type": database_type, "description": {"en": description},
            "ip_version": Uint16(4 if self.address_bits == 32 else 6), "languages": ["en"],
            "node_count": Uint32(len(nodes)), "record_size": Uint16(record_bits),
        }
        with open(path, "wb") as stream:
            stream.write(tree + bytes(16) + data.bytes + METADATA_MARKER + _DataSection._encode(metadata, {}))
        return len(nodes), len(offsets)


def _pack_node(pair, record_bits):
    left, right = pair
    if max(pair) >= 1 << record_bits:
        raise ValueError(f"the tree does not fit records of {record_bits} bits")
    if record_bits == 28:
        return ((left & 0xFFFFFF) << 32 | (left >> 24) << 28 | right).to_bytes(7, "big")
    size = record_bits // 8
    return left.to_bytes(size, "big") + right.to_bytes(size, "big")

"""Runs a classic BPF program as the kernel does for a listening socket, as far as ours needs."""

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

PASSES = 0xFFFF_FFFF

_EXTENSIONS, _NETWORK = 0x1_0000_0000 - 0x1000, 0x1_0000_0000 - 0x10_0000


class Packet(NamedTuple):
    """A TCP packet."""

    source: IPv4Address | IPv6Address
    flags: int
    random: int  # what the kernel draws for it

    def load(self, where: int, size_bytes: int) -> int:
        if where == _EXTENSIONS:
            return 0x0800 if isinstance(self.source, IPv4Address) else 0x86DD
        if where == _EXTENSIONS + 56:
            return self.random
        if where >= _NETWORK:
            at = where - _NETWORK - (12 if isinstance(self.source, IPv4Address) else 8)
            assert 0 <= at <= len(self.source.packed) - size_bytes
            return int.from_bytes(self.source.packed[at : at + size_bytes])
        assert (where, size_bytes) == (13, 1)
        return self.flags


def run(program: bytes, packet: Packet) -> int:
    """What the program returns."""
    code = list(struct.iter_unpack("=HBBI", program))
    at, accumulator, kept = 0, 0, dict[int, int]()
    while True:
        operation, if_true, if_false, k = code[at]
        at += 1
        match operation:
            case 0x30 | 0x28 | 0x20:
                accumulator = packet.load(k, {0x30: 1, 0x28: 2, 0x20: 4}[operation])
            case 0x60:
                accumulator = kept[k]
            case 0x02:
                kept[k] = accumulator
            case 0x54:
                accumulator &= k
            case 0x05:
                at += k
            case 0x15:
                at += if_true if accumulator == k else if_false
            case 0x06:
                return int(k)
            case _:
                raise AssertionError(operation)

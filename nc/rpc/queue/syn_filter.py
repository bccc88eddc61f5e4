"""A socket filter for a listening socket: of some addresses it drops most SYNs.

A connection that does not begin costs no handshake, and its caller gets no answer that would make
it try again at once. Which SYNs pass is left to chance: the kernel of an honest machine behind
the same address sends its SYN again, and one of them passes, some seconds later.

The program is classic BPF (linux/filter.h, `struct sock_filter`): code (2) | jt (1) | jf (1) | k
(4). The kernel runs it on each packet that reaches the listening socket, and on those of
connections that were accepted meanwhile, which inherit it: of these it drops none.
"""

import struct
from collections.abc import Collection
from ipaddress import IPv6Network, ip_network
from typing import Final

# So many addresses at most. The program has up to 5 instructions for each and is counted against
# each connection's `net.core.optmem_max`, of 20 KB in older kernels.
MOST_ADDRESSES: Final = 64

# One SYN in so many passes; a power of two. A kernel sends 3 in 3 s (Linux from 6.5 on: 4).
PASSES_ONE_IN: Final = 4

# Instructions.
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20  # BPF_LD | size | BPF_ABS
_LOAD_KEPT, _KEEP = 0x60, 0x02  # BPF_LD | BPF_MEM, BPF_ST
_AND, _JUMP, _JUMP_EQUAL, _RETURN = 0x54, 0x05, 0x15, 0x06  # all with BPF_K

# Where to load from: 0 is the TCP header, below it are SKF_AD_OFF and SKF_NET_OFF.
_TCP_FLAGS: Final = 13
_PROTOCOL, _RANDOM = 0x1_0000_0000 - 0x1000, 0x1_0000_0000 - 0x1000 + 56
_IPV4_SOURCE, _IPV6_SOURCE = 0x1_0000_0000 - 0x10_0000 + 12, 0x1_0000_0000 - 0x10_0000 + 8

_SYN, _ACK = 0x02, 0x10
_IPV4: Final = 0x0800
_PASS, _DROP = 0xFFFF_FFFF, 0


def program(parties: Collection[str]) -> bytes:
    """The filter's instructions.

    Args:
        parties: as `nc.net.party.party_at` gives them, `192.0.2.1` or `2001:db8::/64`.
    """
    networks = [ip_network(party) for party in parties]
    of_ipv4 = [int(each.network_address) for each in networks if each.version == 4]  # noqa: PLR2004
    of_ipv6 = [int(each.network_address) for each in networks if isinstance(each, IPv6Network)]
    maybe = [
        (_LOAD_WORD, 0, 0, _RANDOM),
        (_AND, 0, 0, PASSES_ONE_IN - 1),
        (_JUMP_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _PASS),
        (_RETURN, 0, 0, _DROP),
    ]
    ipv4 = _compared(of_ipv4, [_IPV4_SOURCE], maybe)
    ipv6 = _compared(of_ipv6, [_IPV6_SOURCE, _IPV6_SOURCE + 4], maybe)
    code = [
        (_LOAD_BYTE, 0, 0, _TCP_FLAGS),
        (_AND, 0, 0, _SYN | _ACK),
        (_JUMP_EQUAL, 1, 0, _SYN),
        (_RETURN, 0, 0, _PASS),
        (_LOAD_HALF, 0, 0, _PROTOCOL),
        (_JUMP_EQUAL, 1, 0, _IPV4),
        (_JUMP, 0, 0, len(ipv4)),
        *ipv4,
        *ipv6,
    ]
    return b"".join(struct.pack("=HBBI", *each) for each in code)


_Instruction = tuple[int, int, int, int]


def _compared(
    addresses: Collection[int], sources: Collection[int], maybe: list[_Instruction]
) -> list[_Instruction]:
    """Pass what comes from other addresses; go to `maybe`, which follows, for these.

    Args:
        addresses: of IPv4, or networks of IPv6.
        sources: where the packet's first words of it are.
        maybe: what lets some pass.
    """
    code: list[_Instruction] = []
    for number, source in enumerate(sources):
        code += [(_LOAD_WORD, 0, 0, source), (_KEEP, 0, 0, number)]
    size = 2 * len(sources) + 1
    left = len(addresses) * size + 1  # instructions to the end, where `maybe` begins
    for address in addresses:
        words = struct.unpack(">4I", address.to_bytes(16))
        words = words[:2] if len(sources) > 1 else words[3:]
        for number, word in enumerate(words):
            to_next = size - 2 * (number + 1)
            code += [(_LOAD_KEPT, 0, 0, number), (_JUMP_EQUAL, 0, to_next, word)]
        left -= size
        code.append((_JUMP, 0, 0, left))
    return [*code, (_RETURN, 0, 0, _PASS), *maybe]

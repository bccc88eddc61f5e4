"""Relocates redacted addresses: networks move, and offsets within them stay. Pure.

A network that is not part of a larger one moves as a whole, with its addresses and subnetworks,
to the first free block from 10.0.0.0 on, the largest network first. So prefix lengths, host numbers
and the nesting of networks stay, and the new base says nothing about the old one. (A network larger
than 10.0.0.0/8 has fewer blocks to move to; the whole of IPv4 has none.) An address that is in no
network is treated as part of a network of the smallest size.
"""

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface
from typing import Final, NamedTuple

from nc.domain.network import Network

_PLACE: Final = int(IPv4Address("10.0.0.0"))
_ALL: Final = 1 << 32
SMALLEST: Final = 8  # addresses in the smallest network: a /29


class Block(NamedTuple):
    base: int
    size: int  # a power of two that divides `base`

    @property
    def end(self) -> int:
        return self.base + self.size


def block_of(network: Network) -> Block:
    return Block(network.base, network.size)


class Relocation:
    """The new address for each address.

    Args:
        blocks: networks, and a block for each address in none; their order decides the new bases.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        outermost = _outermost(blocks)
        targets = _placed(outermost)
        self._blocks = sorted(targets)
        self._bases = [block.base for block in self._blocks]
        self._targets = targets

    def moved(self, address: int) -> int:
        """The new address.

        Raises:
            KeyError: it is in none of the blocks.
        """
        block = self._blocks[bisect_right(self._bases, address) - 1]
        if not block.base <= address < block.end:
            raise KeyError(address)
        return self._targets[block] + address - block.base

    def address(self, text: str) -> str:
        """As `moved`, for `10.1.1.3`; raises ValueError for a text that is not an address."""
        return str(IPv4Address(self.moved(int(IPv4Address(text)))))

    def interface(self, text: str) -> str:
        interface = IPv4Interface(text)
        return f"{self.address(str(interface.ip))}/{interface.network.prefixlen}"

    def network(self, network: Network) -> Network:
        return Network(self.moved(network.base), network.prefix_length, self.moved(network.server))


def _outermost(blocks: Iterable[Block]) -> list[Block]:
    """Those that no other one holds, the largest first, otherwise as they came."""
    largest_first = sorted(dict.fromkeys(blocks), key=lambda block: -block.size)
    sizes = sorted({block.size for block in largest_first}, reverse=True)
    chosen: dict[Block, None] = {}
    for block in largest_first:
        around = (Block(block.base & -size, size) for size in sizes if size > block.size)
        if not any(each in chosen for each in around):
            chosen[block] = None
    return list(chosen)


def _placed(blocks: list[Block]) -> dict[Block, int]:
    """Where each of these goes; the largest come first, so there is room for all."""
    targets: dict[Block, int] = {}
    taken: list[Block] = []  # by base
    for block in blocks:
        at = _PLACE & -block.size
        while (other := _overlapping(taken, at)) is not None:
            at = other.end % _ALL
        targets[block] = at
        taken.insert(bisect_right(taken, Block(at, 0)), Block(at, block.size))
    return targets


def _overlapping(taken: list[Block], at: int) -> Block | None:
    """The block that an address is in; what is asked for is no larger than any of them."""
    index = bisect_right(taken, Block(at, _ALL)) - 1
    return taken[index] if index >= 0 and at < taken[index].end else None

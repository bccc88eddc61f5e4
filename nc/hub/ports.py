"""The ends of the switch: a node's link, the uplink, another server; with their counters. Pure."""

import struct
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from nc.net.wire import VNET_HEADER_BYTES, Frame

# The longest queue of one receiver: some 180 packets of 1,400 bytes, or 3 ms of 600 Mbit/s. More
# would only add latency. A frame is taken as long as less than this is queued.
MAX_QUEUED_BYTES: Final = 256 * 1024

# Version and header length, total length, source and destination (RFC 791, 3.1).
_PLAIN: Final = struct.Struct("!BxH8xII").unpack_from
_BEHIND_VNET_HEADER: Final = struct.Struct(f"!{VNET_HEADER_BYTES}xBxH8xII").unpack_from


class Drop(StrEnum):
    """Why a packet was dropped; bytes that are no packet count as one, to the frame's end."""

    NOT_IPV4 = "not_ipv4"
    TRUNCATED = "truncated"  # shorter than its header says, or than a header
    WRONG_SOURCE = "wrong_source"  # not the node's own address
    BAD_OFFLOAD = "bad_offload"  # the offload header does not fit its packet
    FRAGMENTED = "fragmented"  # one message over several frames: a packet is one frame
    TOO_EARLY = "too_early"  # before the node has its address
    NOT_INTERCONNECTED = "not_interconnected"  # nodes may not reach each other
    NOBODY_THERE = "nobody_there"  # an address of the network that no connected node holds
    NOT_UNICAST = "not_unicast"  # multicast, broadcast, loopback, "this network" (RFC 6890)
    NOT_ALLOWED = "not_allowed"  # beyond the network, and no `--allow-destination` has it
    NO_UPLINK = "no_uplink"  # for the server itself or beyond, and there is no TUN device
    SLOW_READER = "slow_reader"  # the receiver's queue is full
    SLOW_PEER = "slow_peer"  # the queue to another server is full
    PEER_AWAY = "peer_away"  # there is no connection to the server that has the node's link


class SwitchPort:
    """One end of the switch, and its counters.

    Args:
        send: hands a frame to the other side, at once or into its queue; the frame is only good
            until it returns, and holds several packets only if the port offloads.
        queued_bytes: the length of its queue.
        offloads: whether frames begin with a virtio_net_hdr (`nc.net.wire.OFFLOAD`).
        address: the node's overlay address as a number; None: any source address is accepted.

    Attributes:
        packets_in, bytes_in: received from the other side, dropped or not; IP bytes.
        packets_out, bytes_out: handed to the other side.
        drops: packets from it, and those for it that its full queue did not take.
    """

    full = Drop.SLOW_READER  # the reason, when its queue takes no more

    __slots__ = (
        "address",
        "bytes_in",
        "bytes_out",
        "drops",
        "fields",
        "header_bytes",
        "packets_in",
        "packets_out",
        "queued_bytes",
        "send",
    )

    def __init__(
        self,
        send: Callable[[Frame], object],
        queued_bytes: Callable[[], int],
        *,
        offloads: bool = False,
        address: int | None = None,
    ) -> None:
        self.send = send
        self.queued_bytes = queued_bytes
        self.address = address
        self.header_bytes = VNET_HEADER_BYTES if offloads else 0
        self.fields = _BEHIND_VNET_HEADER if offloads else _PLAIN
        self.packets_in = self.bytes_in = 0
        self.packets_out = self.bytes_out = 0
        self.drops: Counter[Drop] = Counter()


class PeerPort(SwitchPort):
    """Another server: its nodes and its own address are behind it.

    Attributes:
        session: the server's.
        is_away: there is no connection to it.
    """

    __slots__ = ("is_away", "session")

    def __init__(self, session: str) -> None:
        super().__init__(_nowhere, _no_room, offloads=True)
        self.session = session
        self.is_away = True

    @property
    def full(self) -> Drop:  # type: ignore[override]  # it differs from time to time
        return Drop.PEER_AWAY if self.is_away else Drop.SLOW_PEER

    def use(self, send: Callable[[Frame], object], queued_bytes: Callable[[], int]) -> None:
        """Send over a connection from now on."""
        self.send, self.queued_bytes, self.is_away = send, queued_bytes, False

    def leave(self) -> None:
        """There is no connection any more."""
        self.send, self.queued_bytes, self.is_away = _nowhere, _no_room, True


def _nowhere(_frame: Frame) -> None:
    """Nothing is sent without a connection: there is no room for it."""


def _no_room() -> int:
    return MAX_QUEUED_BYTES

"""The switch: which frame goes to whom, by IPv4 addresses alone.

    a node's link ──┐                        ┌──▶ another node's link, by its overlay address
                    ├──▶ source is its own ──┤
    the uplink ─────┘    (a link's only)     └──▶ the uplink: the server's own address, and
                                                  whatever lies beyond the network

The uplink is the server's TUN device when there is one. A packet is looked at once, where it lies
in the receive buffer, and forwarded from there, together with those around it that go the same way
if both ends speak the offload subprotocol; only between an end that does and one that does not is
it made anew.

Laws: a packet is either handed to exactly one port or counted under exactly one reason; nobody
speaks with another's address; a port that does not drain loses its own packets, and delays
nobody's; what one end sends another stays in its order.

No sockets in here: a port is two functions.
"""

import struct
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from nc.domain.network import Network
from nc.net.offload import BadHeader, VnetHeader, require_harmless, whole_packets
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets

# What may wait for one slow reader: some 180 packets of 1,400 bytes, or 3 ms of 600 Mbit/s. More
# would only make its packets old. A frame is taken as long as less than this waits.
MAX_QUEUED_BYTES: Final = 256 * 1024

# Version and header length, total length, source and destination (RFC 791, 3.1).
_PLAIN: Final = struct.Struct("!BxH8xII").unpack_from
_BEHIND_VNET_HEADER: Final = struct.Struct(f"!{VNET_HEADER_BYTES}xBxH8xII").unpack_from

_TOTAL_LENGTH: Final = struct.Struct("!2xH").unpack_from

_VERSION: Final = 4
_SMALLEST_HEADER_WORDS: Final = 5
_NO_OPTIONS: Final = _VERSION << 4 | _SMALLEST_HEADER_WORDS  # how nearly every packet begins
_SMALLEST_PACKET_BYTES: Final = 20


class Drop(StrEnum):
    """Why a packet went nowhere; what is no packet at all counts as one, to the frame's end."""

    NOT_IPV4 = "not_ipv4"
    TRUNCATED = "truncated"  # shorter than its header says, or than a header
    WRONG_SOURCE = "wrong_source"  # not the node's own address
    BAD_OFFLOAD = "bad_offload"  # the offload header does not fit its packet
    FRAGMENTED = "fragmented"  # one message over several frames: a packet is one frame
    TOO_EARLY = "too_early"  # before the node was handed its address
    NOT_INTERCONNECTED = "not_interconnected"  # nodes are kept apart
    NOBODY_THERE = "nobody_there"  # an address of the network that no connected node holds
    NO_UPLINK = "no_uplink"  # for the server itself or beyond, and there is no TUN device
    SLOW_READER = "slow_reader"  # too much waits for the receiver already


class Port:
    """One end of the switch, and what went through it.

    Args:
        send: hands a frame to the other side, at once or into its queue; the frame is only good
            until it returns, and holds several packets only if the port offloads.
        queued_bytes: how much waits to be sent.
        offloads: whether frames begin with a virtio_net_hdr (`nc.net.wire.OFFLOAD`).
        address: the node's overlay address as a number; None: whatever comes may speak for anybody.

    Attributes:
        packets_in, bytes_in: what came from the other side, dropped or not; IP bytes.
        packets_out, bytes_out: what was handed to it.
        drops: what came from it and was dropped, and what was for it and it was too slow for.
    """

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


class Switch:
    """The table of ports.

    Args:
        network: the overlay network; the server's own address is in it.
        interconnection: whether nodes may reach each other, and not the server alone.

    Attributes:
        drops: what was dropped since the start, by reason.
    """

    def __init__(self, network: Network, *, interconnection: bool = True) -> None:
        self._server = network.server
        self._base = network.base
        self._end = network.base + network.size
        self._interconnection = interconnection
        self._ports: dict[int, Port] = {}  # by overlay address
        self._uplink: Port | None = None
        self.drops: Counter[Drop] = Counter()

    def attach(self, port: Port) -> None:
        """Let frames for the port's address go to it, and no longer to an older port's."""
        if port.address is None:
            raise ValueError("a node's port has an address; the uplink has a method of its own")
        self._ports[port.address] = port

    def detach(self, port: Port) -> None:
        """Nothing goes to this port any more; nothing happens if a newer one took its place."""
        if port.address is not None and self._ports.get(port.address) is port:
            del self._ports[port.address]

    def attach_uplink(self, port: Port) -> None:
        """Let what is for the server, or beyond the network, go there."""
        self._uplink = port

    def detach_uplink(self) -> None:
        """There is no uplink any more."""
        self._uplink = None

    def receive(self, sender: Port, frame: Frame) -> None:
        """Forward what came from a port, packet by packet, or count why not."""
        receiver: Port | None = None  # of the packets from `begin` to `at`
        size, begin, at, count = len(frame), 0, 0, 0
        while True:
            found, end = self._look(sender, frame, at)
            if found is not receiver:
                if receiver is not None:
                    self._forward(sender, receiver, frame[begin:at], count)
                receiver, begin, count = found, at, 0
            count += 1
            sender.packets_in += 1
            sender.bytes_in += max(end - at - sender.header_bytes, 0)
            at = end
            if at >= size:
                break
        if receiver is not None:
            self._forward(sender, receiver, frame[begin:], count)

    def _look(self, sender: Port, frame: Frame, at: int) -> tuple[Port | None, int]:
        """Whose the packet is that begins there, None if it was dropped, and where it ends."""
        size = len(frame) - at - sender.header_bytes
        if size < _SMALLEST_PACKET_BYTES:
            self.drop(sender, Drop.TRUNCATED)
            return None, len(frame)
        first, total, source, destination = sender.fields(frame, at)
        if first != _NO_OPTIONS or not _SMALLEST_PACKET_BYTES <= total <= size:
            fault = _fault(first, total, size)
            if fault is not None:
                self.drop(sender, fault)
                return None, len(frame)
        end = at + sender.header_bytes + total if sender.header_bytes else len(frame)
        if sender.address is not None:  # what comes from our own kernel is believed
            if source != sender.address:
                self.drop(sender, Drop.WRONG_SOURCE)
                return None, end
            if sender.header_bytes and not _is_harmless(frame, at, total):
                self.drop(sender, Drop.BAD_OFFLOAD)
                return None, end
        receiver = self._ports.get(destination)
        if receiver is None:
            receiver = self._elsewhere(sender, destination)
        elif not self._interconnection and sender.address is not None:
            self.drop(sender, Drop.NOT_INTERCONNECTED)
            receiver = None
        return receiver, end

    def _forward(self, sender: Port, receiver: Port, frame: Frame, count: int) -> None:
        """Let so many packets go where they are for."""
        if receiver.queued_bytes() >= MAX_QUEUED_BYTES:
            self.drop(receiver, Drop.SLOW_READER, count)
        elif receiver.header_bytes == sender.header_bytes:
            _hand_over(receiver, frame, count)
        elif receiver.header_bytes:
            (total,) = _TOTAL_LENGTH(frame)  # the next packet would begin right behind this one
            _hand_over(receiver, PLAIN_VNET_HEADER + bytes(frame[:total]))
        else:
            for packet in packets(frame):
                self._make_whole(sender, receiver, packet)

    def drop(self, port: Port, reason: Drop, count: int = 1) -> None:
        """Count packets that go nowhere, for the port whose doing it is."""
        port.drops[reason] += count
        self.drops[reason] += count

    def _elsewhere(self, sender: Port, destination: int) -> Port | None:
        """Where a frame goes whose destination is no connected node's."""
        if destination != self._server and self._base <= destination < self._end:
            kept_apart = not self._interconnection and sender.address is not None
            self.drop(sender, Drop.NOT_INTERCONNECTED if kept_apart else Drop.NOBODY_THERE)
            return None
        if self._uplink is None or self._uplink is sender:  # never back where it came from
            self.drop(sender, Drop.NO_UPLINK)
            return None
        return self._uplink

    def _make_whole(self, sender: Port, receiver: Port, packet: Frame) -> None:
        """Forward to an end without offloads what came from one that has them."""
        if packet[:VNET_HEADER_BYTES] == PLAIN_VNET_HEADER:
            _hand_over(receiver, packet[VNET_HEADER_BYTES:])
            return
        try:
            whole = whole_packets(packet)
        except BadHeader:
            self.drop(sender, Drop.BAD_OFFLOAD)
            return
        for one in whole:
            _hand_over(receiver, one)


def _hand_over(receiver: Port, frame: Frame, count: int = 1) -> None:
    receiver.packets_out += count
    receiver.bytes_out += len(frame) - count * receiver.header_bytes
    receiver.send(frame)


def _is_harmless(frame: Frame, at: int, packet_bytes: int) -> bool:
    """Whether the offload header that begins there may be passed on with its packet."""
    header = frame[at : at + VNET_HEADER_BYTES]
    if header == PLAIN_VNET_HEADER:
        return True
    try:
        require_harmless(VnetHeader.unpack(header), packet_bytes)
    except BadHeader:
        return False
    return True


def _fault(first: int, total: int, size: int) -> Drop | None:
    """What is wrong with a packet that begins like this; None: nothing."""
    header_bytes = 4 * (first & 0x0F)
    if first >> 4 != _VERSION or header_bytes < _SMALLEST_PACKET_BYTES or total < header_bytes:
        return Drop.NOT_IPV4
    return Drop.TRUNCATED if total > size else None

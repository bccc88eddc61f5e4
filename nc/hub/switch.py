"""The switch: forwards packets between ports by their IPv4 addresses.

    a node's link ──┐                        ┌──▶ another node's link, by its overlay address
                    ├──▶ source is its own ──┤
    the uplink ─────┘    (a link's only)     └──▶ the uplink: the server's own address, and the
                                                  destinations that the operator allows

The uplink is the server's TUN device when there is one. Through it a node reaches the server's
overlay address alone, so that the server is no open router, whatever its kernel forwards; more
takes `--allow-destination`. Multicast, broadcast, loopback and reserved addresses go nowhere.

A packet is parsed once, in the receive buffer, and forwarded from there, together with its
neighbours for the same port if both ends speak the offload subprotocol; it is copied only between
an end that does and one that does not.

Laws: a packet is either handed to exactly one port or counted under exactly one reason; a node
sends from its own address only, and reaches beyond the network only what is allowed; a port that
does not drain loses its own packets, and delays no other's; what one port sends another stays in
its order.

Pure: a port is two functions.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import IPv4Network, collapse_addresses
from typing import Final

from nc.domain.network import Network
from nc.net import ipv4
from nc.net.offload import BadHeader, VnetHeader, require_harmless, whole_packets
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets

# The longest queue of one receiver: some 180 packets of 1,400 bytes, or 3 ms of 600 Mbit/s. More
# would only add latency. A frame is taken as long as less than this is queued.
MAX_QUEUED_BYTES: Final = 256 * 1024

# Version and header length, total length, source and destination (RFC 791, 3.1).
_PLAIN: Final = struct.Struct("!BxH8xII").unpack_from
_BEHIND_VNET_HEADER: Final = struct.Struct(f"!{VNET_HEADER_BYTES}xBxH8xII").unpack_from

_TOTAL_LENGTH: Final = struct.Struct("!2xH").unpack_from

# First octets of what is no host's address outside of its own machine or network: "this network",
# loopback, multicast, reserved, limited broadcast (RFC 6890).
NOT_UNICAST_OCTETS: Final = frozenset({0, 127, *range(224, 256)})

_MIN_BYTES: Final = ipv4.MIN_HEADER_BYTES
_NO_OPTIONS: Final = ipv4.VERSION << 4 | _MIN_BYTES // 4  # how nearly every packet begins


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
        destinations: what nodes may reach beyond the network, through the uplink.

    Attributes:
        ports: the nodes' ports by overlay address.
        drops: packets dropped since the start, by reason.
        packets_in, bytes_in: received from all ports since the start, dropped or not; IP bytes.
    """

    def __init__(
        self,
        network: Network,
        *,
        interconnection: bool = True,
        destinations: Iterable[IPv4Network] = (),
    ) -> None:
        self._server = network.server
        self._base = network.base
        self._end = network.base + network.size
        self._interconnection = interconnection
        self._allowed = tuple(
            (int(one.network_address), int(one.broadcast_address))
            for one in collapse_addresses(destinations)
        )
        self.ports: dict[int, SwitchPort] = {}
        self._uplink: SwitchPort | None = None
        self.drops: Counter[Drop] = Counter()
        self.packets_in = self.bytes_in = 0

    def attach(self, port: SwitchPort) -> None:
        """Forward packets for the port's address to it, and no longer to an older port."""
        if port.address is None:
            raise ValueError("a node's port has an address; the uplink has a method of its own")
        self.ports[port.address] = port

    def detach(self, port: SwitchPort) -> None:
        """Forward nothing to this port any more. A newer one with its address stays."""
        if port.address is not None and self.ports.get(port.address) is port:
            del self.ports[port.address]

    def attach_uplink(self, port: SwitchPort) -> None:
        """Forward packets for the server, or beyond the network, to this port."""
        self._uplink = port

    def detach_uplink(self) -> None:
        self._uplink = None

    def receive(self, sender: SwitchPort, frame: Frame) -> None:
        """Forward or drop each packet of a frame that came from a port."""
        receiver: SwitchPort | None = None  # of the packets from `begin` to `at`
        size, begin, at, count = len(frame), 0, 0, 0
        packets_in = bytes_in = 0
        while True:
            found, end = self._route(sender, frame, at)
            if found is not receiver:
                if receiver is not None:
                    self._forward(sender, receiver, frame[begin:at], count)
                receiver, begin, count = found, at, 0
            count += 1
            packets_in += 1
            bytes_in += max(end - at - sender.header_bytes, 0)
            at = end
            if at >= size:
                break
        sender.packets_in += packets_in
        sender.bytes_in += bytes_in
        self.packets_in += packets_in
        self.bytes_in += bytes_in
        if receiver is not None:
            self._forward(sender, receiver, frame[begin:], count)

    def _route(self, sender: SwitchPort, frame: Frame, at: int) -> tuple[SwitchPort | None, int]:
        """The receiver of the packet that begins at `at`, None if dropped, and where it ends."""
        size = len(frame) - at - sender.header_bytes
        if size < _MIN_BYTES:
            self.drop(sender, Drop.TRUNCATED)
            return None, len(frame)
        first, total, source, destination = sender.fields(frame, at)
        if first != _NO_OPTIONS or not _MIN_BYTES <= total <= size:
            fault = _fault(first, total, size)
            if fault is not None:
                self.drop(sender, fault)
                return None, len(frame)
        end = at + sender.header_bytes + total if sender.header_bytes else len(frame)
        if sender.address is not None:  # our own kernel is trusted
            if source != sender.address:
                self.drop(sender, Drop.WRONG_SOURCE)
                return None, end
            if sender.header_bytes and not _is_harmless(frame, at, total):
                self.drop(sender, Drop.BAD_OFFLOAD)
                return None, end
        elif source >> 24 in NOT_UNICAST_OCTETS:
            self.drop(sender, Drop.NOT_UNICAST)
            return None, end
        receiver = self.ports.get(destination)
        if receiver is None:
            receiver = self._route_beyond(sender, destination)
        elif not self._interconnection and sender.address is not None:
            self.drop(sender, Drop.NOT_INTERCONNECTED)
            receiver = None
        return receiver, end

    def _forward(self, sender: SwitchPort, receiver: SwitchPort, frame: Frame, count: int) -> None:
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

    def drop(self, port: SwitchPort, reason: Drop, count: int = 1) -> None:
        """Count dropped packets, for the port that caused it."""
        port.drops[reason] += count
        self.drops[reason] += count

    def _route_beyond(self, sender: SwitchPort, destination: int) -> SwitchPort | None:
        """The receiver of a packet whose destination is no connected node's."""
        if destination != self._server and self._base <= destination < self._end:
            is_kept_apart = not self._interconnection and sender.address is not None
            self.drop(sender, Drop.NOT_INTERCONNECTED if is_kept_apart else Drop.NOBODY_THERE)
            return None
        if destination >> 24 in NOT_UNICAST_OCTETS:
            self.drop(sender, Drop.NOT_UNICAST)
            return None
        if destination != self._server and not self._is_allowed(destination):
            self.drop(sender, Drop.NOT_ALLOWED)
            return None
        if self._uplink is None or self._uplink is sender:  # never back to its sender
            self.drop(sender, Drop.NO_UPLINK)
            return None
        return self._uplink

    def _is_allowed(self, destination: int) -> bool:
        return any(first <= destination <= last for first, last in self._allowed)

    def _make_whole(self, sender: SwitchPort, receiver: SwitchPort, packet: Frame) -> None:
        """Forward a packet from a port with offloads to one without."""
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


def _hand_over(receiver: SwitchPort, frame: Frame, count: int = 1) -> None:
    receiver.packets_out += count
    receiver.bytes_out += len(frame) - count * receiver.header_bytes
    receiver.send(frame)


def _is_harmless(frame: Frame, at: int, packet_bytes: int) -> bool:
    """Whether the offload header at `at` may be passed on with its packet."""
    header = frame[at : at + VNET_HEADER_BYTES]
    if header == PLAIN_VNET_HEADER:
        return True
    try:
        require_harmless(VnetHeader.unpack(header), packet_bytes)
    except BadHeader:
        return False
    return True


def _fault(first: int, total: int, size: int) -> Drop | None:
    """What is wrong with a packet's first bytes and lengths; None: nothing."""
    header_bytes = 4 * (first & 0x0F)
    if first >> 4 != ipv4.VERSION or header_bytes < _MIN_BYTES or total < header_bytes:
        return Drop.NOT_IPV4
    return Drop.TRUNCATED if total > size else None

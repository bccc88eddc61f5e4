"""The switch: forwards packets between ports by their IPv4 addresses.

    a node's link ──┐                        ┌──▶ another node's link, by its overlay address
                    ├──▶ source is its own ──┼──▶ a peer: another server, which has that link
    the uplink ─────┘    (a link's only)     └──▶ the uplink: the server's own address, and the
                                                  destinations that the operator allows
    a peer ──▶ source is at that peer ──▶ a node's link here, or the uplink for this server's own
                                          address; never another peer: so a packet hops once

The uplink is the server's TUN device when there is one. Through it a node reaches the server's
overlay address alone, so that the server is no open router, whatever its kernel forwards; more
takes `--allow-destination`. Multicast, broadcast, loopback and reserved addresses go nowhere.

A packet is parsed once, in the receive buffer, and forwarded from there, together with its
neighbours for the same port if both ends speak the offload subprotocol; it is copied only between
an end that does and one that does not.

Laws: a packet is either handed to exactly one port or counted under exactly one reason; what came
from a peer goes to none; a node sends from its own address only, and reaches beyond the network
only what is allowed; a port that does not drain loses its own packets, and delays no other's; what
one port sends another stays in its order.

Pure: a port is two functions.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, collapse_addresses
from typing import Final

from nc.domain.network import Network
from nc.hub.ports import MAX_QUEUED_BYTES, Drop, PeerPort, SwitchPort
from nc.net import ipv4
from nc.net.offload import BadHeader, VnetHeader, require_harmless, whole_packets
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets

_TOTAL_LENGTH: Final = struct.Struct("!2xH").unpack_from

# First octets of what is no host's address outside of its own machine or network: "this network",
# loopback, multicast, reserved, limited broadcast (RFC 6890).
NOT_UNICAST_OCTETS: Final = frozenset({0, 127, *range(224, 256)})

_MIN_BYTES: Final = ipv4.MIN_HEADER_BYTES
_NO_OPTIONS: Final = ipv4.VERSION << 4 | _MIN_BYTES // 4  # how nearly every packet begins


class Switch:
    """The table of ports.

    Args:
        network: the overlay network; the server's own address is in it.
        interconnection: whether nodes may reach each other, and not the server alone.
        destinations: what nodes may reach beyond the network, through the uplink.

    Attributes:
        ports: the nodes' ports by overlay address.
        peers: the ports of other servers, by the overlay addresses behind them.
        own_address: this server's own among several, which share the server's; None: it has none.
        own_changed: called when it has another.
        servers: the own addresses of the peers.
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
        self.peers: dict[int, PeerPort] = {}
        self.own_address: int | None = None
        self.own_changed: Callable[[], None] = lambda: None
        self.servers: frozenset[int] = frozenset()
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

    def _route(  # noqa: C901, PLR0911 - every packet comes here: a call costs a tenth of it
        self, sender: SwitchPort, frame: Frame, at: int
    ) -> tuple[SwitchPort | None, int]:
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
        elif isinstance(sender, PeerPort):
            return self._route_from_peer(sender, frame[at:end], source, destination), end
        receiver = self.ports.get(destination)
        if receiver is None:
            receiver = self._route_beyond(sender, destination)
        elif not self._interconnection and sender.address is not None:
            self.drop(sender, Drop.NOT_INTERCONNECTED)
            receiver = None
        return receiver, end

    def _forward(self, sender: SwitchPort, receiver: SwitchPort, frame: Frame, count: int) -> None:
        if receiver.queued_bytes() >= MAX_QUEUED_BYTES:
            self.drop(receiver, receiver.full, count)
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
        """The receiver of a packet whose destination is no node's that is connected here."""
        is_own = destination in (self._server, self.own_address)
        if not is_own and self._base <= destination < self._end:
            found: SwitchPort | Drop = self._at_peer(sender, destination)
        elif destination >> 24 in NOT_UNICAST_OCTETS:
            found = Drop.NOT_UNICAST
        elif not is_own and not self._is_allowed(destination):
            found = Drop.NOT_ALLOWED
        elif self._uplink is None or self._uplink is sender:  # never back to its sender
            found = Drop.NO_UPLINK
        else:
            return self._uplink
        if isinstance(found, Drop):
            self.drop(sender, found)
            return None
        return found

    def _at_peer(self, sender: SwitchPort, destination: int) -> SwitchPort | Drop:
        is_of_a_node = sender.address is not None
        if is_of_a_node and not (self._interconnection or destination in self.servers):
            return Drop.NOT_INTERCONNECTED
        return self.peers.get(destination, Drop.NOBODY_THERE)

    def _route_from_peer(
        self, peer: PeerPort, packet: Frame, source: int, destination: int
    ) -> SwitchPort | None:
        """The receiver of a packet from a peer, None if dropped."""
        is_own = destination == self.own_address
        receiver = self._uplink if is_own else self.ports.get(destination)
        may_reach = self._interconnection or is_own or source in self.servers
        if self.peers.get(source) is not peer:
            fault = Drop.WRONG_SOURCE
        elif receiver is None:
            fault = Drop.NOBODY_THERE  # here: another hop would be the second
        elif not _is_harmless(packet, 0, len(packet) - VNET_HEADER_BYTES):
            fault = Drop.BAD_OFFLOAD
        elif not may_reach:
            fault = Drop.NOT_INTERCONNECTED
        else:
            return receiver
        self.drop(peer, fault)
        return None

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

"""A switch with ends, and a model that says in the plainest way where a frame goes."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from hypothesis import strategies as st

from nc.domain.network import Network
from nc.hub.ports import MAX_QUEUED_BYTES, Drop, SwitchPort
from nc.hub.switch import Switch
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame
from tests.support.link_client import packet

NETWORK = Network.parse("10.1.1.1/24")
NODES = ("10.1.1.3", "10.1.1.5", "10.1.1.7")
UPLINK = "uplink"

# What a packet may claim to be from or to: nodes, one that is not there, the server, the world.
ADDRESSES = (
    *(*NODES, "10.1.1.9", "10.1.1.1", "10.1.1.255", "192.0.2.1", "203.0.113.1"),
    *("127.0.0.1", "0.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
)
ALLOWED = IPv4Network("192.0.2.0/24")


@dataclass
class End:
    """The far side of a port, which keeps what it is sent."""

    offloads: bool = False
    address: str | None = None
    waiting_bytes: int = 0
    got: list[bytes] = field(default_factory=list)
    port: SwitchPort = field(init=False)

    def __post_init__(self) -> None:
        number = None if self.address is None else int(IPv4Address(self.address))
        self.port = SwitchPort(self.keep, self.waiting, offloads=self.offloads, address=number)

    def keep(self, frame: Frame) -> None:
        """As a link would, copy it at once."""
        self.got.append(bytes(frame))

    def waiting(self) -> int:
        """How much this end has not read yet."""
        return self.waiting_bytes

    def frame(self, content: bytes) -> bytes:
        """A packet as this end sends and gets it."""
        return (PLAIN_VNET_HEADER if self.offloads else b"") + content


@dataclass
class Bench:
    """A switch with ends, by their addresses."""

    switch: Switch
    ends: dict[str, End]

    def send(self, sender: str, frame: bytes) -> None:
        """Let an end send a frame that is gone afterwards, as a receive buffer is."""
        buffer = bytearray(frame)
        with memoryview(buffer) as view:
            self.switch.receive(self.ends[sender].port, view)
        buffer[:] = b"\xee" * len(buffer)


def bench(
    *, interconnection: bool = True, offloads: tuple[str, ...] = (), uplink: bool = True
) -> Bench:
    """Three nodes and perhaps an uplink."""
    switch = Switch(NETWORK, interconnection=interconnection, destinations=[ALLOWED])
    ends = {node: End(node in offloads, node) for node in NODES}
    for end in ends.values():
        switch.attach(end.port)
    if uplink:
        ends[UPLINK] = End(UPLINK in offloads)
        switch.attach_uplink(ends[UPLINK].port)
    return Bench(switch, ends)


def is_no_host(address: IPv4Address) -> bool:
    """Whether an address is no single machine's (RFC 6890, 2.2.2)."""
    is_local = address.is_loopback or address in IPv4Network("0.0.0.0/8")
    return is_local or address.is_multicast or address in IPv4Network("240.0.0.0/4")


def expected(  # noqa: C901, PLR0911 - one reason after the other, as the standards have them
    bench: Bench, sender: str, content: bytes, *, interconnection: bool
) -> str | Drop:
    """Where a packet goes, or why not: slowly, and from the texts of the standards."""
    if len(content) < 20:
        return Drop.TRUNCATED
    header, total = 4 * (content[0] % 16), int.from_bytes(content[2:4])
    if content[0] // 16 != 4 or header < 20 or total < header:
        return Drop.NOT_IPV4
    if total > len(content):
        return Drop.TRUNCATED
    source, to = IPv4Address(content[12:16]), IPv4Address(content[16:20])
    if sender != UPLINK and str(source) != sender:
        return Drop.WRONG_SOURCE
    if is_no_host(source):
        return Drop.NOT_UNICAST
    in_network = to in IPv4Network("10.1.1.0/24") and str(to) != "10.1.1.1"
    if in_network and sender != UPLINK and not interconnection:
        return Drop.NOT_INTERCONNECTED
    if in_network and str(to) not in bench.ends:
        return Drop.NOBODY_THERE
    if is_no_host(to):
        return Drop.NOT_UNICAST
    if not (in_network or str(to) == "10.1.1.1" or to in ALLOWED):
        return Drop.NOT_ALLOWED
    receiver = str(to) if in_network else UPLINK
    if receiver not in bench.ends or receiver == sender == UPLINK:
        return Drop.NO_UPLINK
    return Drop.SLOW_READER if bench.ends[receiver].waiting() >= MAX_QUEUED_BYTES else receiver


def in_frame(frame: bytes) -> list[bytes]:
    """What a frame holds that begins each packet with an offload header, which is left away."""
    packet, rest = frame[VNET_HEADER_BYTES:], b""
    total = int.from_bytes(packet[2:4])
    header = 4 * (packet[0] % 16) if packet else 0
    if len(packet) > total >= header >= 20 and packet[0] // 16 == 4:
        packet, rest = packet[:total], packet[total:]
    return [packet, *in_frame(rest)] if rest else [packet]


def packets(sender: str) -> st.SearchStrategy[bytes]:
    """Packets of one sender, most of them its own and whole, some cut, lengthened or garbled."""
    own = ADDRESSES if sender == UPLINK else (sender,) * len(ADDRESSES)
    whole = st.builds(
        packet,
        st.sampled_from((*own, *ADDRESSES)),
        st.sampled_from(ADDRESSES),
        st.binary(max_size=40),
        st.sampled_from([b"", bytes(4), bytes(40)]),
    )

    def garbled(content: bytes, at: int, byte: int) -> bytes:
        return content[: at % 20] + bytes([byte]) + content[at % 20 + 1 :]

    return st.one_of(
        whole,
        st.builds(lambda content, size: content[:size], whole, st.integers(0, 30)),
        st.builds(lambda content, more: content + more, whole, st.binary(max_size=9)),
        st.builds(garbled, whole, st.integers(0, 19), st.integers(0, 255)),
        st.binary(max_size=60),
    )


SENDERS = st.sampled_from((*NODES, UPLINK))

"""The switch of one of several servers, against a model that says plainly where a packet goes."""

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.network import Network
from nc.domain.state import State
from nc.hub import peer_nodes
from nc.hub.peer_nodes import PeerNodes
from nc.hub.ports import Drop, PeerPort, SwitchPort
from nc.hub.switch import Switch
from nc.net.wire import PLAIN_VNET_HEADER, Frame
from tests.support.link_client import packet

NETWORK = Network.parse("10.1.1.1/24")
HERE, THERE, FARTHER = ("10.1.1.3", "10.1.1.5"), ("10.1.1.7", "10.1.1.9"), ("10.1.1.11",)
OWN, OWN_THERE, NOBODY, SERVER = "10.1.1.21", "10.1.1.23", "10.1.1.99", "10.1.1.1"
ADDRESSES = (*HERE, *THERE, *FARTHER, OWN, OWN_THERE, NOBODY, SERVER, "192.0.2.1")


class Bench:
    """A switch with two nodes, an uplink and two peers; what each got, by name."""

    def __init__(self, *, interconnection: bool) -> None:
        self.switch = Switch(NETWORK, interconnection=interconnection)
        self.got: dict[str, list[bytes]] = {}
        self.ports: dict[str, SwitchPort] = {}
        for name in HERE:
            port = SwitchPort(self._keeper(name), _empty, offloads=True, address=number(name))
            self.switch.attach(port)
            self.ports[name] = port
        self.ports["uplink"] = SwitchPort(self._keeper("uplink"), _empty, offloads=True)
        self.switch.attach_uplink(self.ports["uplink"])
        for name, addresses in (("there", (*THERE, OWN_THERE)), ("farther", FARTHER)):
            peer = self.ports[name] = PeerPort(name)
            peer.use(self._keeper(name), _empty)
            self.switch.peers.update((number(address), peer) for address in addresses)
        self.switch.own_address = number(OWN)
        self.switch.servers = frozenset({number(OWN_THERE)})

    def _keeper(self, name: str) -> Callable[[Frame], None]:
        kept: list[bytes] = []
        self.got[name] = kept

        def keep(frame: Frame) -> None:
            kept.append(bytes(frame))

        return keep

    def send(self, sender: str, content: bytes) -> None:
        self.switch.receive(self.ports[sender], PLAIN_VNET_HEADER + content)


def _empty() -> int:
    return 0


def number(address: str) -> int:
    return int(IPv4Address(address))


def from_peer(sender: str, source: str, to: str, *, interconnection: bool) -> str | Drop:
    """Where a packet of a peer goes, or why it does not."""
    behind = (*THERE, OWN_THERE) if sender == "there" else FARTHER
    if source not in behind:
        return Drop.WRONG_SOURCE
    if to not in (*HERE, OWN):
        return Drop.NOBODY_THERE
    if not interconnection and to != OWN and source != OWN_THERE:
        return Drop.NOT_INTERCONNECTED
    return "uplink" if to == OWN else to


def from_here(sender: str, source: str, to: str, *, interconnection: bool) -> str | Drop:
    """Where a packet of a node or of the uplink goes, or why it does not."""
    if sender not in {"uplink", source}:
        return Drop.WRONG_SOURCE
    if to in {OWN, SERVER}:
        return "uplink" if sender != "uplink" else Drop.NO_UPLINK
    if to == "192.0.2.1":
        return Drop.NOT_ALLOWED
    if not interconnection and sender != "uplink" and to != OWN_THERE:
        return Drop.NOT_INTERCONNECTED
    if to in (*THERE, OWN_THERE):
        return "there"
    return "farther" if to in FARTHER else to if to in HERE else Drop.NOBODY_THERE


@given(
    st.sampled_from((*HERE, "uplink", "there", "farther")),
    st.sampled_from(ADDRESSES),
    st.sampled_from(ADDRESSES),
    st.booleans(),
)
def test_the_switch_with_peers_does_what_the_model_says(
    sender: str, source: str, to: str, interconnection: bool
) -> None:
    """Own node, then a peer's node, then the uplink; from a peer never to a peer; or counted."""
    here = Bench(interconnection=interconnection)
    here.send(sender, packet(source, to))
    expected = from_peer if sender in {"there", "farther"} else from_here
    outcome = expected(sender, source, to, interconnection=interconnection)
    arrived = {name for name, frames in here.got.items() if frames}
    assert arrived == (set() if isinstance(outcome, Drop) else {outcome})
    assert here.switch.drops == ({outcome: 1} if isinstance(outcome, Drop) else {})
    assert (here.switch.packets_in, here.ports[sender].packets_in) == (1, 1)


@pytest.mark.parametrize("cut", [0, 9, 29])
def test_what_is_no_packet_is_counted_for_the_peer(cut: int) -> None:
    """Whatever a peer sends, it is one drop of that peer's, or more."""
    here = Bench(interconnection=True)
    frame = PLAIN_VNET_HEADER + packet(THERE[0], HERE[0])
    here.switch.receive(here.ports["there"], frame[:cut])
    assert here.ports["there"].drops == {Drop.TRUNCATED: 1}


def test_an_offload_header_that_does_harm_ends_at_the_peers_border() -> None:
    """As it does at a node's."""
    here = Bench(interconnection=True)
    bad = b"\x01\x01" + bytes(8) + packet(THERE[0], HERE[0], bytes(60))
    here.switch.receive(here.ports["there"], bad)
    assert here.switch.drops == {Drop.BAD_OFFLOAD: 1}


def test_totals_are_summed_while_servers_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus asks for them in another thread."""
    nodes = PeerNodes(Switch(NETWORK), State, lambda: "own")
    nodes.ports = {name: PeerPort(name) for name in ("r1", "r2")}
    count = peer_nodes._counters

    def counting(port: PeerPort) -> Counter[str]:
        nodes.ports[f"{len(nodes.ports)}"] = PeerPort("newer")
        return count(port)

    monkeypatch.setattr(peer_nodes, "_counters", counting)
    assert nodes.totals().total() == 0

"""The hub's links, as nc.admin.v1 shows them."""

from collections.abc import Iterator, Mapping
from functools import partial

from nc.hub.hub import Hub
from nc.hub.mesh import Mesh
from nc.hub.ports import PeerPort
from nc.hub.session import Session
from nc.rpc.admin.live_links import LiveLink, LivePeer

_NS_PER_MS = 1_000_000


class HubLinks:
    """See `nc.rpc.admin.live_links.LiveLinks`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def link(self, link_id: str) -> LiveLink | None:
        session = self._hub.sessions.get(link_id)
        return None if session is None else _live(session)

    def links(self) -> Iterator[LiveLink]:
        return map(_live, tuple(self._hub.sessions.values()))

    def dropped(self) -> Mapping[str, int]:
        return {reason.value: count for reason, count in sorted(self._hub.switch.drops.items())}

    def peers(self) -> Iterator[LivePeer]:
        mesh = self._hub.mesh
        return iter(()) if mesh is None else map(partial(_peer, mesh), mesh.nodes.ports.values())


def _peer(mesh: Mesh, port: PeerPort) -> LivePeer:
    return LivePeer(
        port.session,
        mesh.address_of(port.session),
        not port.is_away,
        port.packets_in,
        port.packets_out,
        port.bytes_in,
        port.bytes_out,
        {reason.value: count for reason, count in sorted(port.drops.items())},
    )


def _live(session: Session) -> LiveLink:
    port = session.port
    return LiveLink(
        session.node_id,
        session.link_id,
        session.peer,
        session.since_ns // _NS_PER_MS,
        port.packets_in,
        port.packets_out,
        port.bytes_in,
        port.bytes_out,
        {reason.value: count for reason, count in sorted(port.drops.items())},
    )

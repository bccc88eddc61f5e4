"""Puts nc.admin.v1 together from a server's parts."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from nc.hub.hub import Hub
from nc.hub.mesh import Mesh
from nc.hub.ports import PeerPort
from nc.hub.session import Session
from nc.replica.waiting import WaitingNodes
from nc.rpc.admin.administrators import AdministratorsService
from nc.rpc.admin.context import Context
from nc.rpc.admin.events import EventsService
from nc.rpc.admin.history import HistoryService
from nc.rpc.admin.live_links import LiveLink, LivePeer
from nc.rpc.admin.methods import AdminServices
from nc.rpc.admin.nodes import NodesService
from nc.rpc.admin.replicas import ReplicasService
from nc.rpc.admin.server import ServerService
from nc.rpc.admin.tokens import BootstrapTokensService
from nc.rpc.admin.turns import Turns
from nc.rpc.api import Endpoints
from nc.server.parts import Parts
from nc.server.standing import join_addresses, out_of_touch_s, standing_of
from nc.server.status import Status

if TYPE_CHECKING:
    from nc.server.server import Server


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


# Lists that are made at once, and calls that wait to make one.
_LISTING, _LISTS_WAITING = 4, 256


def admin_services(
    server: "Server",
    parts: Parts,
    waiting: WaitingNodes,
    version: str,
    failing: Mapping[str, str],
) -> AdminServices:
    replica = server.replica

    def endpoints() -> Endpoints:
        return server.endpoints

    standing = partial(standing_of, server)
    context = Context(
        replica,
        parts.token_ids,
        parts.clock,
        parts.secrets,
        HubLinks(server.hub),
        Turns("list", _LISTING, _LISTS_WAITING),
    )
    events = EventsService(context, parts.log)
    status = Status(
        parts,
        replica,
        version,
        lambda: server.endpoints.advertised,
        lambda: events.first_seq,
        failing,
        partial(out_of_touch_s, server),
    )
    return AdminServices(
        nodes=NodesService(context, waiting),
        tokens=BootstrapTokensService(
            context, parts.authorities, endpoints, partial(join_addresses, server)
        ),
        administrators=AdministratorsService(context, parts.authorities),
        replicas=ReplicasService(
            context, parts.authorities, endpoints, parts.name, parts.inviting, standing
        ),
        events=events,
        history=HistoryService(context, parts.log_folder, events.require_in_log),
        server=ServerService(context, status),
    )

"""Puts nc.admin.v1 together from a server's parts."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from nc.replica.waiting import WaitingNodes
from nc.rpc.admin.administrators import AdministratorsService
from nc.rpc.admin.context import Context
from nc.rpc.admin.events import EventsService
from nc.rpc.admin.history import HistoryService
from nc.rpc.admin.methods import AdminServices
from nc.rpc.admin.nodes import NodesService
from nc.rpc.admin.replicas import ReplicasService
from nc.rpc.admin.server import ServerService
from nc.rpc.admin.tokens import BootstrapTokensService
from nc.rpc.admin.turns import Turns
from nc.rpc.api import Endpoints
from nc.server.live_links import HubLinks
from nc.server.parts import Parts
from nc.server.standing import standing_of
from nc.server.status import Status

if TYPE_CHECKING:
    from nc.server.server import Server

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
    )
    return AdminServices(
        nodes=NodesService(context, waiting),
        tokens=BootstrapTokensService(context, parts.authorities, endpoints),
        administrators=AdministratorsService(context, parts.authorities),
        replicas=ReplicasService(
            context, parts.authorities, endpoints, parts.name, parts.inviting, standing
        ),
        events=events,
        history=HistoryService(context, parts.log_folder, events.require_in_log),
        server=ServerService(context, status),
    )

"""nc.admin.v1.Server: how the server is, and the links that it holds."""

from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple, Protocol

from nc.domain.fsm import ConnectionState
from nc.domain.invitations import LostReplica
from nc.domain.links import link_of
from nc.domain.map_items import items_of
from nc.domain.names import shown_name
from nc.domain.state import State
from nc.pb.admin.v1 import status_pb2 as pb
from nc.rpc.admin.context import Context
from nc.rpc.admin.live_links import LiveLink, LivePeer
from nc.rpc.admin.paging import Key, list_id, page_of, page_size, place_of
from nc.rpc.admin.selection import ends_for_good
from nc.rpc.admin.turns import in_slices
from nc.rpc.admin.views import STATES, link_view
from nc.rpc.api import Call

# Certificates that end within this time, and cannot be renewed, are counted.
_SOON_MS: Final = 30 * 24 * 60 * 60 * 1000


class LogFacts(NamedTuple):
    """Of the event log; sizes in bytes, 0 where there is no folder."""

    folder: str
    first_seq: int
    last_seq: int
    size_bytes: int
    free_bytes: int
    snapshot_seq: int
    stream: str = ""
    waits_for: str = ""


class CertificateFacts(NamedTuple):
    """Of one of the server's own certificates; as `CertificateStatus` has it."""

    authority: str
    kind: str
    file: str
    not_after_ms: int
    renewed_from_ms: int


class ServerFacts(NamedTuple):
    """What the rest of the server tells of itself.

    Attributes:
        degraded: sentences that say what is wrong now, and what to do.
    """

    version: str
    replica_id: str
    started_at_ms: int
    advertised: str
    log: LogFacts
    certificates: Sequence[CertificateFacts]
    degraded: Sequence[str]
    lost_replicas: Sequence[LostReplica] = ()
    advertised_names: Sequence[str] = ()
    out_of_touch_since_ms: int = 0


class Facts(Protocol):
    """Gathers the facts; reads files, but not on the event loop."""

    def __call__(self) -> Awaitable[ServerFacts]: ...


class ServerService:
    """The operations of the service; the errors are those of `errors`."""

    def __init__(self, context: Context, facts: Facts) -> None:
        self._context = context
        self.facts = facts

    async def status(self, _request: pb.StatusRequest, _call: Call) -> pb.StatusResponse:
        context, state, now_ms = self._context, self._context.state, self._context.now_ms
        facts = await self.facts()
        states = [link.state for _, link in items_of(state.links)]
        init = states.count(ConnectionState.INIT)
        async with context.listing.taken():
            unrenewable = 0
            async for some in in_slices(items_of(state.nodes)):
                unrenewable += sum(ends_for_good(node, now_ms + _SOON_MS) for _, node in some)
            over = revoked = 0
            async for others in in_slices(items_of(state.tokens)):
                over += sum(token.is_over(now_ms) for _, token in others)
                revoked += sum(token.is_revoked for _, token in others)
        network = state.addresses.network
        return pb.StatusResponse(
            version=facts.version,
            started_at_ms=facts.started_at_ms,
            now_ms=now_ms,
            network=str(network),
            advertised=facts.advertised,
            addresses_total=network.capacity,
            addresses_bound=len(state.addresses.by_node),
            nodes_idle=len(state.nodes) - len(states),
            nodes_init=init,
            nodes_connected=len(states) - init,
            tokens=len(state.tokens) - over,
            tokens_expired=over - revoked,
            tokens_revoked=revoked,
            log=pb.Log(**facts.log._asdict(), writable=context.replica.takes_changes),
            certificates=[pb.CertificateStatus(**each._asdict()) for each in facts.certificates],
            degraded=facts.degraded,
            unrenewable_nodes=unrenewable,
            replica_id=facts.replica_id,
            advertised_names=facts.advertised_names,
            out_of_touch_since_ms=facts.out_of_touch_since_ms,
            lost_replicas=[pb.LostReplica(**each._asdict()) for each in facts.lost_replicas],
        )

    async def links(self, request: pb.LinksRequest, _call: Call) -> pb.LinksResponse:
        """By the names of the nodes."""
        context, state = self._context, self._context.state
        listed = list_id("links")
        live = {link.link_id: link for link in context.links.links()}

        def key_of(link: LiveLink) -> Key:
            return _name(state, link), link.link_id

        async with context.listing.taken():
            page = await page_of(
                live.values(),
                key_of,
                after=place_of(request.page_token, listed, str),
                size=page_size(request.page_size),
                descending=False,
                listed=listed,
            )
        return pb.LinksResponse(
            links=[_link(state, live[link_id]) for _, link_id in page.keys],
            next_page_token=page.next_token,
            total=page.total,
            dropped=dict(context.links.dropped()),
            peers=[_peer(state, peer) for peer in context.links.peers()],
        )


def _name(state: State, link: LiveLink) -> str:
    node = state.nodes.get(link.node_id)
    return "" if node is None else shown_name(node.profile.name, link.node_id)


def _peer(state: State, peer: LivePeer) -> pb.PeerServer:
    return pb.PeerServer(**peer._asdict(), replica_id=state.sessions.get(peer.session, ""))


def _link(state: State, link: LiveLink) -> pb.NodeLink:
    return pb.NodeLink(
        node_id=link.node_id,
        name=_name(state, link),
        address=state.addresses.address_of(link.node_id),
        state=STATES[link_of(state.links, link.node_id).state],
        link=link_view(link),
    )

"""nc.admin.v1.Nodes: list, describe, rename, remove nodes, and give them addresses and ends."""

from collections.abc import Iterable, Sequence, Sized
from typing import Final

from nc.clock import now_utc
from nc.contract import LARGEST_EXPIRY_S, SERVER_NODE_TOKEN
from nc.domain import assignments, departures, nodes, updates
from nc.domain.errors import NodeTokenEmpty, ServerNodeFixed
from nc.domain.links import link_of
from nc.domain.map_items import items_of
from nc.domain.names import shown_name
from nc.domain.operator_errors import (
    NodeReferenceUnknown,
    TokenReferenceAmbiguous,
    TokenReferenceUnknown,
)
from nc.domain.references import SHORTEST_PREFIX, IdOf, node_meant, token_meant
from nc.domain.state import State
from nc.pb.admin.v1 import nodes_pb2 as pb
from nc.pki.certificates import LEAF_LIFETIME, milliseconds
from nc.replica.waiting import WaitingNode, WaitingNodes
from nc.rpc.admin.context import Context
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.paging import list_id, page_of, page_size, place_of
from nc.rpc.admin.selection import Item, node_filter, node_key, ordering_of
from nc.rpc.admin.turns import in_slices
from nc.rpc.admin.views import STATES, node_view
from nc.rpc.api import Call
from nc.text import moment

# References in one request, each of which is looked up.
MOST_REFERENCES: Final = 20_000


class NodesService:
    """The operations of the service; the errors are the domain's, and those of `errors`.

    Args:
        waiting: the nodes that the log does not know.
    """

    def __init__(self, context: Context, waiting: WaitingNodes) -> None:
        self._context = context
        self._waiting = waiting

    async def list(self, request: pb.ListNodesRequest, _call: Call) -> pb.ListNodesResponse:
        context, state, now_ms = self._context, self._context.state, self._context.now_ms
        ordering = ordering_of(request.order)
        listed = list_id("nodes", request.filter, request.order, request.descending)
        after = place_of(request.page_token, listed, ordering.kind)
        size = page_size(request.page_size)
        key_of = node_key(state, node_filter(state, request.filter), ordering)
        async with context.listing.taken():
            page = await page_of(
                items_of(state.nodes),
                key_of,
                after=after,
                size=size,
                descending=request.descending,
                listed=listed,
            )
        found = ((node_id, state.nodes[node_id]) for _, node_id in page.keys)
        views = [node_view(state, *each, context.links, now_ms) for each in found]
        return pb.ListNodesResponse(nodes=views, next_page_token=page.next_token, total=page.total)

    async def get(self, request: pb.GetNodeRequest, call: Call) -> pb.Node:
        return self._view(self._meant(request.node, call))

    async def update(self, request: pb.UpdateNodeRequest, call: Call) -> pb.Node:
        node_id = self._meant(request.node, call)
        command = updates.UpdateNode(
            node_id,
            name=request.name if request.HasField("name") else None,
            set_labels=dict(request.set_labels),
            remove_labels=tuple(request.remove_labels),
            note=request.note if request.HasField("note") else None,
        )
        await self._context.submit(command, call)
        call.means(self._context.state, node_id)  # by its new name
        return self._view(node_id)

    async def unregister(
        self, request: pb.UnregisterNodesRequest, call: Call
    ) -> pb.UnregisterNodesResponse:
        """Remove nodes: all, or none."""
        if bool(request.nodes) == bool(request.token_id):
            raise InvalidField("nodes", "set either the nodes or token_id, and not both")
        if request.revoke_token and not request.token_id:
            raise InvalidField("revoke_token", "it goes with token_id")
        # No certificate that was signed before now lasts longer.
        until_ms = milliseconds(now_utc(self._context.clock) + LEAF_LIFETIME)
        before = self._context.state
        command: departures.UnregisterNodes | departures.UnregisterNodesOfToken
        if request.token_id:
            token_id = _token_of_nodes(before, request.token_id, self._context.token_ids.id_of)
            command = departures.UnregisterNodesOfToken(token_id, until_ms, request.revoke_token)
        else:
            _check_count(request.nodes)
            meant = tuple(self._id_of(each, "nodes") for each in request.nodes)
            call.means(before, *meant)
            command = departures.UnregisterNodes(meant, until_ms)
        events = await self._context.submit(command, call)
        unregistered = [e.unregistered.node_id for e in events if e.HasField("unregistered")]
        call.means(before, *unregistered)
        return pb.UnregisterNodesResponse(node_ids=unregistered)

    async def set_expiry(self, request: pb.SetNodeExpiryRequest, call: Call) -> pb.Node:
        latest_ms = LARGEST_EXPIRY_S * 1000
        if not 0 <= request.expires_at_ms <= latest_ms:
            raise InvalidField(
                "expires_at_ms",
                f"{request.expires_at_ms} is not Unix time in milliseconds until "
                f"{moment(latest_ms)}, or 0 for never",
            )
        node_id = self._meant(request.node, call)
        expiries = (nodes.Expiry(node_id, request.expires_at_ms),)
        await self._context.submit(nodes.SetExpiries(expiries, self._context.now_ms), call)
        return self._view(node_id)

    async def assign_address(self, request: pb.AssignAddressRequest, call: Call) -> pb.Node:
        node_id = self._meant(request.node, call)
        await self._context.submit(assignments.AssignAddress(node_id, request.address), call)
        return self._view(node_id)

    async def states(self, request: pb.NodeStatesRequest, call: Call) -> pb.NodeStatesResponse:
        state = self._context.state
        answer = pb.NodeStatesResponse()
        async with self._context.listing.taken():
            if request.nodes:
                _check_count(request.nodes)
                items: Sequence[Item] = await self._named(state, request.nodes, answer)
            else:
                items = items_of(state.nodes)
            fits = node_filter(state, request.filter)
            async for some in in_slices(items):
                chosen = some if fits is None else [item for item in some if fits(*item)]
                _add_states(answer, state, chosen)
        if len(answer.ids) == 1:
            call.means(state, *answer.ids)
        else:
            call.target = len(answer.ids)
        return answer

    async def take_back(self, request: pb.TakeBackRequest, call: Call) -> pb.TakeBackResponse:
        """Register nodes again that the log does not know.

        Raises:
            NodeUnknown, NodeNotWaiting: a node was unregistered, or has shown no certificate; those
                before it in the request are taken back.
        """
        for token in request.node_tokens:
            if not token:
                raise NodeTokenEmpty
            if token == SERVER_NODE_TOKEN:
                raise ServerNodeFixed
        context, waiting = self._context, self._waiting
        node_ids = [context.token_ids.id_of(token) for token in request.node_tokens]
        if request.all_waiting:
            node_ids += waiting.not_taken_back(context.state.nodes)
        call.means(context.state, *node_ids)
        taken_back = []
        for node_id in dict.fromkeys(node_ids):
            command = nodes.TakeBackNode(
                node_id, waiting.certificate_of(node_id), waiting.key_of(node_id)
            )
            if await context.submit(command, call):
                taken_back.append(node_id)
        if taken_back:
            call.means(context.state, *taken_back)
        left = waiting.not_taken_back(context.state.nodes)
        return pb.TakeBackResponse(
            node_ids=taken_back,
            waiting_ids=left,
            waiting=[_waiting_view(each, waiting.get(each)) for each in left],
        )

    def _meant(self, reference: str, call: Call) -> str:
        """The id of the one node that a request refers to."""
        node_id = self._id_of(reference, "node")
        call.means(self._context.state, node_id)
        return node_id

    def _id_of(self, reference: str, field: str) -> str:
        if not reference:
            raise InvalidField(
                field, "it is empty; give a node's name, id, overlay address or token"
            )
        if reference == SERVER_NODE_TOKEN:
            raise ServerNodeFixed
        return node_meant(self._context.state, reference, self._context.token_ids.id_of)

    def _view(self, node_id: str) -> pb.Node:
        """The node as it is now; its id alone if it left just after it was changed."""
        context, state = self._context, self._context.state
        node = state.nodes.get(node_id)
        if node is None:
            return pb.Node(id=node_id)
        return node_view(state, node_id, node, context.links, context.now_ms)

    async def _named(
        self, state: State, references: Iterable[str], answer: pb.NodeStatesResponse
    ) -> Sequence[Item]:
        """The nodes that these references mean, each once; the others are put into the answer."""
        found: dict[str, nodes.Node] = {}
        async for some in in_slices(references):
            for reference in some:
                try:
                    node_id = node_meant(state, reference, self._context.token_ids.id_of)
                except NodeReferenceUnknown:
                    answer.unknown.append(reference)
                else:
                    found[node_id] = state.nodes[node_id]
        return tuple(found.items())


def _waiting_view(node_id: str, node: WaitingNode | None) -> pb.WaitingNode:
    if node is None:
        return pb.WaitingNode(id=node_id)
    return pb.WaitingNode(
        id=node_id,
        hostname=node.hostname,
        address=node.address,
        peer_address=node.peer,
        asked_at_ms=node.asked_at_ms,
    )


def _check_count(references: Sized) -> None:
    if len(references) > MOST_REFERENCES:
        raise InvalidField(
            "nodes", f"{len(references)} references are more than {MOST_REFERENCES}; ask in parts"
        )


def _add_states(answer: pb.NodeStatesResponse, state: State, items: list[Item]) -> None:
    links, addresses = state.links, state.addresses
    answer.ids.extend([node_id for node_id, _ in items])
    answer.states.extend([STATES[link_of(links, node_id).state] for node_id, _ in items])
    answer.addresses.extend([addresses.address_of(node_id) for node_id, _ in items])
    answer.names.extend([shown_name(node.profile.name, node_id) for node_id, node in items])


def _token_of_nodes(state: State, reference: str, id_of: IdOf) -> str:
    """The id of a token that is known, or that a registered node came with. O(nodes).

    The nodes of a forgotten token stay.

    Raises:
        TokenReferenceUnknown: no token is meant.
        TokenReferenceAmbiguous: several are.
    """
    try:
        return token_meant(state, reference, id_of)
    except TokenReferenceUnknown:
        if len(reference) < SHORTEST_PREFIX:
            raise
        start, by_token = reference.lower(), id_of(reference)
        meant = {
            node.token_id
            for _, node in items_of(state.nodes)
            if node.token_id == by_token or node.token_id.startswith(start)
        }
        if not meant:
            raise
        if len(meant) > 1:
            raise TokenReferenceAmbiguous(len(meant)) from None
        return meant.pop()

"""`client.nodes`: find, change and remove nodes.

A node is meant by a reference: its id or a prefix of it (at least 4 digits), its name, its overlay
address, or its token.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, TypedDict, Unpack

from nc.client.arguments import checked
from nc.client.calls import Area, Items
from nc.client.convert import convert, members_of, ms_of, number_of, uint32
from nc.client.types import Node, NodeOrder, NodeState, OrderText, StateOfNode, StateText, TakenBack
from nc.pb.admin.v1 import nodes_pb2

PAGE_SIZE: Final = 1000

_STATES: Final = nodes_pb2.DESCRIPTOR.enum_types_by_name["NodeState"]
_ORDERS: Final = nodes_pb2.DESCRIPTOR.enum_types_by_name["NodeOrder"]


class NodeFilter(TypedDict, total=False):
    """Nodes that fit everything that is given.

    Attributes:
        states: any of them.
        selector: `key=value`, `key!=value`, `key` or `!key`, several with commas in between.
        text: in the name, hostname, note, id or address, without regard to case.
        token_id: of the bootstrap token that was redeemed, or a prefix of it.
        unrenewable_until: whose certificates end before then and cannot be renewed.
    """

    states: Iterable[NodeState | StateText]
    selector: str
    text: str
    token_id: str
    unrenewable_until: datetime | None


def filter_message(given: NodeFilter) -> nodes_pb2.NodeFilter:
    return nodes_pb2.NodeFilter(
        states=[number_of(NodeState(state), _STATES) for state in given.get("states", ())],  # type: ignore[misc]  # numbers
        selector=given.get("selector", ""),
        text=given.get("text", ""),
        token_id=given.get("token_id", ""),
        unrenewable_until_ms=ms_of(given.get("unrenewable_until")),
    )


class Nodes(Area):
    @checked
    def list(
        self,
        *,
        order: NodeOrder | OrderText = NodeOrder.NAME,
        descending: bool = False,
        page_size: int = PAGE_SIZE,
        **given: Unpack[NodeFilter],
    ) -> Items[Node]:
        """The nodes that fit the filter.

        Args:
            order: what they are sorted by.
            descending: the other way round.
            page_size: how many come with one call, at most 1,000.
            given: see `NodeFilter`.
        """
        request = nodes_pb2.ListNodesRequest(
            page_size=uint32("page_size", page_size),
            filter=filter_message(given),
            order=number_of(NodeOrder(order), _ORDERS),  # type: ignore[arg-type]  # a number
            descending=descending,
        )
        return self._calls.pages(
            "Nodes.List", request, lambda page: [convert(Node, node) for node in page.nodes]
        )

    @checked
    async def count(self, **given: Unpack[NodeFilter]) -> int:
        """How many nodes `list` would give."""
        request = nodes_pb2.ListNodesRequest(page_size=1, filter=filter_message(given))
        return int((await self._calls.read("Nodes.List", request)).total)

    @checked
    async def get(self, node: str) -> Node:
        """One node.

        Raises:
            NotFound, FailedPrecondition: the reference fits none, or several.
        """
        request = nodes_pb2.GetNodeRequest(node=node)
        return convert(Node, await self._calls.read("Nodes.Get", request))

    @checked
    async def update(
        self,
        node: str,
        *,
        name: str | None = None,
        note: str | None = None,
        set_labels: Mapping[str, str] | None = None,
        remove_labels: Iterable[str] = (),
    ) -> Node:
        """Change what is given; the rest stays.

        Raises:
            AlreadyExists: another node has the name.
        """
        request = nodes_pb2.UpdateNodeRequest(
            node=node, name=name, note=note, set_labels=set_labels, remove_labels=remove_labels
        )
        return convert(Node, await self._calls.write("Nodes.Update", request))

    @checked
    async def unregister(self, *nodes: str) -> tuple[str, ...]:
        """Remove nodes for good, all or none; gives their ids."""
        request = nodes_pb2.UnregisterNodesRequest(nodes=nodes)
        return tuple((await self._calls.write("Nodes.Unregister", request)).node_ids)

    @checked
    async def unregister_all_of(
        self, token_id: str, *, revoke_token: bool = False
    ) -> tuple[str, ...]:
        """Remove all nodes that redeemed a bootstrap token; gives their ids."""
        request = nodes_pb2.UnregisterNodesRequest(token_id=token_id, revoke_token=revoke_token)
        return tuple((await self._calls.write("Nodes.Unregister", request)).node_ids)

    @checked
    async def set_expiry(self, node: str, at: datetime | None) -> Node:
        """Refuse the node from a moment on; None: never."""
        request = nodes_pb2.SetNodeExpiryRequest(node=node, expires_at_ms=ms_of(at))
        return convert(Node, await self._calls.write("Nodes.SetExpiry", request))

    @checked
    async def assign_address(self, node: str, address: str = "") -> Node:
        """Give a node this overlay address; empty: any, which may be reclaimed when it is idle.

        Raises:
            AlreadyExists: another node has it.
        """
        request = nodes_pb2.AssignAddressRequest(node=node, address=address)
        return convert(Node, await self._calls.write("Nodes.AssignAddress", request))

    @checked
    async def states(self, *nodes: str, **given: Unpack[NodeFilter]) -> tuple[StateOfNode, ...]:
        """The states and addresses of many nodes in one call; unknown ones are left out.

        Args:
            nodes: references; none: all nodes that fit the filter.
            given: see `NodeFilter`.
        """
        request = nodes_pb2.NodeStatesRequest(nodes=nodes, filter=filter_message(given))
        got = await self._calls.read("Nodes.States", request)
        named = members_of(NodeState, _STATES)
        rows = zip(got.ids, got.names, got.states, got.addresses, strict=True)
        return tuple(
            StateOfNode(id_, name, named[state], address) for id_, name, state, address in rows
        )

    @checked
    async def take_back(self, *node_tokens: str, all_waiting: bool = False) -> TakenBack:
        """Register nodes again that an older log does not know (docs/how-to/backup.md).

        Args:
            node_tokens: of the nodes.
            all_waiting: all that have asked for a link since the server started.
        """
        request = nodes_pb2.TakeBackRequest(node_tokens=node_tokens, all_waiting=all_waiting)
        return convert(TakenBack, await self._calls.write("Nodes.TakeBack", request))

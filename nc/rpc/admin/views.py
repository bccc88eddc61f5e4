"""Parts of the state as the messages of nc.admin.v1. Pure."""

from typing import Final

from nc.domain.administrators import Administrator
from nc.domain.bindings import Binding
from nc.domain.events import pb as events_pb
from nc.domain.expiry import has_passed
from nc.domain.fsm import ConnectionState
from nc.domain.links import NO_LINK, link_of
from nc.domain.names import shown_name
from nc.domain.nodes import Node
from nc.domain.state import State
from nc.domain.tokens import Token
from nc.pb.admin.v1 import administrators_pb2, nodes_pb2, tokens_pb2
from nc.rpc.admin.live_links import LiveLink, LiveLinks

_NO_BINDING: Final = Binding("", None)

STATES: Final[dict[ConnectionState, nodes_pb2.NodeState]] = {
    ConnectionState.IDLE: nodes_pb2.NODE_STATE_IDLE,
    ConnectionState.INIT: nodes_pb2.NODE_STATE_INIT,
    ConnectionState.CONNECTED: nodes_pb2.NODE_STATE_CONNECTED,
}

ROLES: Final[dict[int, administrators_pb2.Role]] = {
    events_pb.ADMINISTRATOR_ROLE_ADMIN: administrators_pb2.ROLE_ADMIN,
    events_pb.ADMINISTRATOR_ROLE_VIEWER: administrators_pb2.ROLE_VIEWER,
}


def state_since_ms(state: State, node_id: str, node: Node) -> int:
    """When a node came into the state that it is in; 0 if that is not known."""
    link = state.links.get(node_id)
    return node.idle_since_ms if link is None else link.since_ms


def node_view(
    state: State, node_id: str, node: Node, links: LiveLinks, now_ms: int
) -> nodes_pb2.Node:
    profile, link = node.profile, link_of(state.links, node_id)
    binding = state.addresses.by_node.get(node_id, _NO_BINDING)
    live = links.link(link.link_id) if link is not NO_LINK else None
    return nodes_pb2.Node(
        id=node_id,
        name=shown_name(profile.name, node_id),
        labels=dict(profile.labels),
        note=profile.note,
        facts=nodes_pb2.NodeFacts(**profile.facts._asdict()),
        state=STATES[link.state],
        state_since_ms=state_since_ms(state, node_id, node),
        address=binding.address,
        address_assigned=binding.is_assigned,
        registered_at_ms=node.registered_at_ms,
        token_id=node.token_id,
        expires_at_ms=node.expires_at_ms,
        expired=has_passed(node.expires_at_ms, now_ms),
        certificates_end_ms=node.certificates_end_ms,
        renewable=node.is_renewable,
        links=node.links,
        link=None if live is None else link_view(live),
    )


def link_view(link: LiveLink) -> nodes_pb2.Link:
    return nodes_pb2.Link(
        link_id=link.link_id,
        peer=link.peer,
        opened_at_ms=link.opened_at_ms,
        packets_in=link.packets_in,
        packets_out=link.packets_out,
        bytes_in=link.bytes_in,
        bytes_out=link.bytes_out,
        dropped=dict(link.dropped),
    )


def token_view(token_id: str, token: Token, now_ms: int) -> tokens_pb2.BootstrapToken:
    terms = token.terms
    return tokens_pb2.BootstrapToken(
        id=token_id,
        label=terms.label,
        issued_at_ms=token.issued_at_ms,
        expires_at_ms=token.expires_at_ms,
        expired=has_passed(token.expires_at_ms, now_ms),
        revoked=token.is_revoked,
        max_uses=terms.max_uses,
        uses=token.uses,
        max_nodes=terms.max_nodes,
        nodes=token.nodes,
        node_labels=dict(terms.node_labels),
        node_name_prefix=terms.node_name_prefix,
    )


def administrator_view(
    serial: str, administrator: Administrator, installed: str, own_serial: str
) -> administrators_pb2.Administrator:
    return administrators_pb2.Administrator(
        name=administrator.name,
        role=ROLES.get(administrator.role, administrators_pb2.ROLE_UNSPECIFIED),
        serial=serial,
        issued_at_ms=administrator.added_at_ms,
        certificate_ends_ms=administrator.ends_at_ms,
        revoked=administrator.revoked_at_ms is not None,
        revoked_at_ms=administrator.revoked_at_ms or 0,
        installed=serial == installed,
        self=serial == own_serial,
    )

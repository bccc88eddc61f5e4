"""A state in JSON."""

from ipaddress import IPv4Address
from typing import Any

from nc.domain.events import pb
from nc.domain.expiry import has_passed
from nc.domain.links import link_of
from nc.domain.state import State
from nc.text import iso_time


def state_fields(state: State, now_ns: int) -> dict[str, Any]:
    """The nodes, tokens and addresses of a state, and which of them had expired by then."""
    now_ms = now_ns // 1_000_000
    return {
        "seq": state.seq,
        "time": iso_time(now_ns),
        "network": str(state.addresses.network),
        "nodes": [
            {
                "node_id": node_id,
                "state": link_of(state.links, node_id).state.name,
                "address": state.addresses.address_of(node_id),
                "expires_at_ms": node.expires_at_ms,
                "expired": has_passed(node.expires_at_ms, now_ms),
                "token_id": node.token_id,
                "name": node.profile.name,
                "labels": dict(node.profile.labels),
                "note": node.profile.note,
                "facts": node.profile.facts._asdict(),
                "registered_at_ms": node.registered_at_ms,
                "certificates_end_ms": node.certificates_end_ms,
                "renewable": node.is_renewable,
                "links": node.links,
            }
            for node_id, node in sorted(state.nodes.items())
        ],
        "tokens": [
            {
                "token_id": token_id,
                "expires_at_ms": token.expires_at_ms,
                "expired": has_passed(token.expires_at_ms, now_ms),
                "revoked": token.is_revoked,
                "uses": token.uses,
                "nodes": token.nodes,
                **token.terms._asdict(),
                "node_labels": dict(token.terms.node_labels),
            }
            for token_id, token in sorted(state.tokens.items())
        ],
        "addresses": [
            {"address": address, "node_id": node_id}
            for address, node_id in sorted(
                (
                    (binding.address, node_id)
                    for node_id, binding in state.addresses.by_node.items()
                ),
                key=lambda held: IPv4Address(held[0]),
            )
        ],
        "administrators": [
            {
                "serial": serial,
                "name": each.name,
                "role": pb.AdministratorRole.Name(each.role).rpartition("_")[2].lower(),
                "ends_at_ms": each.ends_at_ms,
                "revoked": each.revoked_at_ms is not None,
            }
            for serial, each in sorted(state.administrators.by_serial.items())
        ],
    }

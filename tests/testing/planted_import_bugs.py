"""Planted bugs about nodes that were imported, and which certificate opens a node's link."""

from typing import Any

import pytest

from nc.domain import litekube_import, updates
from nc.domain.events import Event
from nc.domain.nodes import Node
from nc.hub import admission
from nc.pki.identity import read_peer
from nc.rpc import permissions
from tests.testing.planting import Bug, everywhere, into

BUGS: list[Bug] = []
bug = into(BUGS)

UPSTREAM = "a link needs the certificate of its node"


@bug(UPSTREAM)
def upstream_s_certificate_opens_any_node_s_link(patch: pytest.MonkeyPatch) -> None:
    original = admission._node_certificate

    def lenient(certificate_pem: bytes, node_id: str, node: Node | None, now_ms: int) -> Any:
        if node is not None:
            node = node._replace(profile=node.profile._replace(imported=True))
        return original(certificate_pem, node_id, node, now_ms)

    patch.setattr(admission, "_node_certificate", lenient)


@bug(UPSTREAM)
def a_node_stays_imported_when_it_has_renewed(patch: pytest.MonkeyPatch) -> None:
    original = updates.evolve_renewed

    def lenient(draft: Any, event: Any) -> None:
        node = draft.get(event.node_id)
        was_imported = node is not None and node.profile.imported
        original(draft, event)
        if was_imported:
            renewed = draft.get(event.node_id)
            kept = renewed.profile._replace(imported=True)
            draft[event.node_id] = renewed._replace(profile=kept)

    patch.setattr(updates, "evolve_renewed", lenient)


@bug(UPSTREAM)
def upstream_s_certificate_is_good_for_any_token(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, permissions.require_imported, lambda *_: None)


@bug(UPSTREAM)
def any_node_s_certificate_opens_a_link(patch: pytest.MonkeyPatch) -> None:
    """It is only verified, as TLS does."""
    original = admission._node_certificate

    def careless(certificate_pem: bytes, _node_id: str, *arguments: Any) -> Any:
        name = read_peer(certificate_pem).common_name
        return original(certificate_pem, name, *arguments)

    patch.setattr(admission, "_node_certificate", careless)


@bug("some order of the commands explains every answer", "an address stays with its node")
def an_import_loses_the_addresses(patch: pytest.MonkeyPatch) -> None:
    original = litekube_import._node_events

    def forgetful(node: Any, name: str) -> list[Event]:
        return original(node, name)[:1]

    patch.setattr(litekube_import, "_node_events", forgetful)


@bug("some order of the commands explains every answer", UPSTREAM)
def imported_nodes_are_refused(patch: pytest.MonkeyPatch) -> None:
    """Upstream's common name is not known."""
    patch.setattr(admission, "UPSTREAM_NETWORK_COMMON_NAME", "network-controller")

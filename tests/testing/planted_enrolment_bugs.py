"""Planted bugs about machines that enrol with keys of their own, and about nodes imported."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from nc.domain import (
    assignments,
    litekube_import,
    names,
    nodes,
    profile,
    redeeming,
    tokens,
    updates,
)
from nc.domain.events import Certificate, Event
from nc.domain.nodes import Node
from nc.hub import admission
from nc.pki.identity import read_peer
from nc.rpc import permissions
from nc.rpc.node import enrolment
from nc.rpc.node.enrolment import EnrolmentService
from nc.secrets import TokenIds
from tests.testing.planted_bugs import Bug, bug, everywhere
from tests.testing.planted_operator_bugs import BUGS, LET_IN

__all__ = ["BUGS", "Bug"]

ONE_NODE = "an attempt to enrol makes one node"
OWN_KEY = "certificates are renewed for a node's own key"
UPSTREAM = "a link needs the certificate of its node"
TOLD = "what is shown of a machine is what it told"
USABLE = "certificates for a machine's key are usable"
CALLED = "a node is called what it was called"


@bug(ONE_NODE)
def each_reply_to_an_attempt_is_another_node(patch: pytest.MonkeyPatch) -> None:
    """Its token is drawn anew each time."""
    original, drawn = TokenIds.node_token_of, count()

    def fickle(self: TokenIds, attempt: str, token_id: str) -> str:
        return original(self, f"{attempt}{next(drawn)}", token_id)

    patch.setattr(TokenIds, "node_token_of", fickle)


@bug(ONE_NODE, "codes are the contract's")
def a_repeated_attempt_finds_its_id_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redeeming, "is_repeated", lambda *_: False)


@bug("a bootstrap token serves until it expires", ONE_NODE)
def a_repeated_attempt_costs_a_use(patch: pytest.MonkeyPatch) -> None:
    """Its token is looked at before the attempt is, and counted again."""
    original: Any = redeeming.decide_redeem

    def strict(known: Any, *arguments: Any) -> list[Event]:
        *_, command = arguments
        tokens.require_live(known, command.token_id, command.now_ms)
        events: list[Event] = original(known, *arguments)
        return events

    patch.setattr(redeeming, "decide_redeem", strict)


@bug("an attempt is for the key that came first", OWN_KEY)
def another_machine_s_attempt_gets_the_node(patch: pytest.MonkeyPatch) -> None:
    """The key is not compared."""
    original: Any = redeeming.decide_redeem

    def trusting(known: Any, there: Any, *arguments: Any) -> list[Event]:
        *rest, command = arguments
        node = there.get(command.node_id)
        if node is not None and command.attempt_id:
            command = replace(command, key_sha256=node.profile.key_sha256)
        events: list[Event] = original(known, there, *rest, command)
        return events

    patch.setattr(redeeming, "decide_redeem", trusting)


@bug(LET_IN)
def a_server_s_cap_does_not_count_who_enrols(patch: pytest.MonkeyPatch) -> None:
    original: Any = EnrolmentService.__init__

    def unlimited(self: EnrolmentService, *arguments: Any, **settings: Any) -> None:
        original(self, *arguments, **{**settings, "max_nodes": 0})

    patch.setattr(EnrolmentService, "__init__", unlimited)


@bug(OWN_KEY)
def any_key_is_renewed(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, updates.require_key, lambda *_: None)


@bug(OWN_KEY)
def a_key_that_the_server_made_is_renewed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Node, "is_renewable", True)


@bug("an expired node token is refused")
def an_expired_node_renews_its_certificates(patch: pytest.MonkeyPatch) -> None:
    def lenient(there: Any, gone: Any, node_id: str, _now_ms: int) -> Node:
        return nodes.require_node(there, gone, node_id)

    patch.setattr(updates, "require_live", lenient)


@bug("who may call what")
def a_renewal_ends_the_older_certificate(patch: pytest.MonkeyPatch) -> None:
    """Only what ends last is accepted."""
    original = permissions._require_live_node

    def strict(caller: Any, state: Any, now_ms: int) -> None:
        original(caller, state, now_ms)
        if caller.serial not in newest.get(caller.node_id, {caller.serial}):
            raise permissions.PermissionDenied("renewed")

    newest: dict[str, set[str]] = {}
    renewed = updates.decide_renew

    def noting(there: Any, names: Any, gone: Any, command: Any) -> list[Event]:
        events = renewed(there, names, gone, command)
        newest[command.node_id] = {each.serial for each in command.certificates}
        return events

    patch.setattr(permissions, "_require_live_node", strict)
    patch.setattr(updates, "decide_renew", noting)


@bug(USABLE)
def both_certificates_are_of_one_authority(patch: pytest.MonkeyPatch) -> None:
    original: Any = EnrolmentService._certificate

    def careless(self: EnrolmentService, _authority: Any, *arguments: Any) -> Any:
        return original(self, self._authorities.grpc, *arguments)

    patch.setattr(EnrolmentService, "_certificate", careless)


@bug(CALLED, TOLD)
def a_renewal_forgets_what_is_known_of_a_node(patch: pytest.MonkeyPatch) -> None:
    original = updates.evolve_renewed

    def forgetful(draft: Any, event: Any) -> None:
        original(draft, event)
        node = draft.get(event.node_id)
        if node is not None:
            kept = profile.NO_PROFILE._replace(key=node.profile.key)
            draft[event.node_id] = node._replace(profile=kept)

    patch.setattr(updates, "evolve_renewed", forgetful)


@bug(TOLD)
def the_first_facts_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(updates, "evolve_facts", lambda *_: None)


@bug(TOLD)
def what_a_machine_leaves_out_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(updates, "told", lambda _before, said: said.cleaned())


@bug(TOLD)
def a_renewal_tells_no_facts(patch: pytest.MonkeyPatch) -> None:
    original = updates.decide_renew

    def silent(there: Any, names: Any, gone: Any, command: Any) -> list[Event]:
        return original(there, names, gone, command)[:1]

    patch.setattr(updates, "decide_renew", silent)


@bug("no two nodes have one name")
def a_newcomer_gets_a_name_that_is_taken(patch: pytest.MonkeyPatch) -> None:
    def careless(prefix: str, wanted: str, node_id: str, _is_taken: Any) -> str:
        return names.newcomer_name(prefix, wanted, node_id, lambda _: False)

    patch.setattr(redeeming, "newcomer_name", careless)


@bug("a newcomer is called as it asked", CALLED)
def a_token_s_prefix_is_left_out(patch: pytest.MonkeyPatch) -> None:
    def plain(_prefix: str, *arguments: Any) -> str:
        return names.newcomer_name("", *arguments)

    patch.setattr(redeeming, "newcomer_name", plain)


@bug("a newcomer is called as it asked", CALLED)
def a_hostname_is_preferred_to_the_name_that_is_wanted(patch: pytest.MonkeyPatch) -> None:
    original: Any = redeeming.decide_redeem

    def stubborn(*arguments: Any) -> list[Event]:
        *state, command = arguments
        wanted = command.facts.hostname or command.name
        events: list[Event] = original(*state, replace(command, name=wanted))
        return events

    patch.setattr(redeeming, "decide_redeem", stubborn)


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


@bug("some order of the commands explains every answer", ONE_NODE)
def the_sweep_forgets_who_has_just_left(patch: pytest.MonkeyPatch) -> None:
    """Its attempt to enrol may make another node then, and a renewal says that it is unknown."""
    original = nodes.decide_forget

    def hasty(gone: Any, command: Any) -> list[Event]:
        return original(gone, replace(command, now_ms=2 * command.now_ms))

    patch.setattr(nodes, "decide_forget", hasty)


@bug(TOLD)
def late_facts_of_an_older_link_are_recorded(patch: pytest.MonkeyPatch) -> None:
    """A node has another link by then, and its machine told other facts there."""
    original: Any = updates.decide_report

    def trusting(there: Any, gone: Any, links: Any, command: Any) -> list[Event]:
        current = links.get(command.node_id)
        if current is not None:
            command = replace(command, link_id=current.link_id)
        events: list[Event] = original(there, gone, links, command)
        return events

    patch.setattr(updates, "decide_report", trusting)


@bug("a certificate ends when the log says")
def a_certificate_s_end_is_recorded_as_that_of_the_setting(patch: pytest.MonkeyPatch) -> None:
    """Not as that of the certificate, which begins a little earlier."""
    original: Any = enrolment._recorded

    def careless(*arguments: Any) -> Certificate:
        certificate: Certificate = original(*arguments)
        certificate.not_after_ms += 60_000
        return certificate

    patch.setattr(enrolment, "_recorded", careless)


@bug("some order of the commands explains every answer")
def any_text_is_an_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(enrolment, "is_id", lambda _: True)


@bug("some order of the commands explains every answer")
def a_name_that_is_none_is_mended(patch: pytest.MonkeyPatch) -> None:
    """In place of a refusal the node is called otherwise."""
    patch.setattr(enrolment, "require_name", lambda _: None)


@bug("an address is one for nodes", "some order of the commands explains every answer")
def any_address_can_be_assigned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(assignments, "is_assignable", lambda *_: True)


@bug("a lifetime is at most ten years")
def a_token_may_live_for_centuries(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tokens, "LONGEST_LIFETIME_MINUTES", 2**40)

"""Planted bugs about machines that enrol with keys of their own."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from nc.domain import assignments, nodes, redeeming, tokens, updates
from nc.domain.events import Certificate, Event
from nc.domain.nodes import Node
from nc.rpc import permissions
from nc.rpc.node import enrolment
from nc.rpc.node.enrolment import EnrolmentService
from nc.secrets import TokenIds
from tests.testing.planted_operator_bugs import LET_IN
from tests.testing.planting import Bug, everywhere, into

BUGS: list[Bug] = []
bug = into(BUGS)

ONE_NODE = "an attempt to enrol makes one node"
OWN_KEY = "certificates are renewed for a node's own key"
USABLE = "certificates for a machine's key are usable"


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


@bug("some order of the commands explains every answer", ONE_NODE)
def the_sweep_forgets_who_has_just_left(patch: pytest.MonkeyPatch) -> None:
    """Its attempt to enrol may make another node then, and a renewal says that it is unknown."""
    original = nodes.decide_forget

    def hasty(gone: Any, command: Any) -> list[Event]:
        return original(gone, replace(command, now_ms=2 * command.now_ms))

    patch.setattr(nodes, "decide_forget", hasty)


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


@bug("an address is one for nodes", "some order of the commands explains every answer")
def any_address_can_be_assigned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(assignments, "is_assignable", lambda *_: True)


@bug("a lifetime is at most ten years")
def a_token_may_live_for_centuries(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tokens, "LONGEST_LIFETIME_MINUTES", 2**40)

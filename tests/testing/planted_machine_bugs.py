"""Planted bugs about what a machine tells: the name that it wants, and its facts."""

from dataclasses import replace
from typing import Any

import pytest

from nc.domain import names, profile, redeeming, updates
from nc.domain.events import Event
from nc.rpc.node import enrolment
from tests.testing.planting import Bug, into

BUGS: list[Bug] = []
bug = into(BUGS)

TOLD = "what is shown of a machine is what it told"
CALLED = "a node is called what it was called"


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


@bug("some order of the commands explains every answer")
def a_name_that_is_none_is_mended(patch: pytest.MonkeyPatch) -> None:
    """In place of a refusal the node is called otherwise."""
    patch.setattr(enrolment, "require_name", lambda _: None)

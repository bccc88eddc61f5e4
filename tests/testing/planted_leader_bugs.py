"""Planted bugs about servers that lead and follow."""

from collections.abc import Iterable
from typing import Any

import pytest

from nc.domain import leadership as leadership_rules
from nc.replica import leadership
from nc.replica.errors import NoMajority
from nc.replica.leases import LeaderLeases
from nc.replica.queue import CommandQueue
from nc.replica.role import Role
from nc.server.membership import Membership
from nc.server.standing import OwnSessions
from tests.testing.cluster_planting import A_LINK_TOO_MANY, ClusterBug, into

BUGS: list[ClusterBug] = []
bug = into(BUGS)

_OLDER = ("no server answers with what is past", "answers are never stale")
_OLDER_BY_CONTRACT = (
    "an acknowledged enrolment is never forgotten",
    "unregister is final",
    "an expired node token is refused",
    "a later expiry revives a node",
    "a list is applied as a whole or not at all",
    "a bootstrap token serves until it expires",
    "an address stays with its node",
)


@bug(*_OLDER, *_OLDER_BY_CONTRACT, is_shared=True)
def followers_and_leaders_answer_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    """What they know may be out of date."""
    patch.setattr(Role, "may_answer", lambda _: True)


@bug(*_OLDER, *_OLDER_BY_CONTRACT, "one leader after the other acknowledges", is_shared=True)
def a_leader_goes_on_until_it_hears_of_another(patch: pytest.MonkeyPatch) -> None:
    """Its lease never ends, and a new one does not wait."""
    patch.setattr(LeaderLeases, "until_ns", lambda *_: 1 << 62)
    patch.setattr(leadership.Candidate, "quiet_until_ns", lambda *_: 0)


@bug(*_OLDER, *_OLDER_BY_CONTRACT, is_shared=True)
def the_leader_acknowledges_before_its_followers_know(patch: pytest.MonkeyPatch) -> None:
    """It waits for nobody."""
    patch.setattr(LeaderLeases, "_in", lambda _: iter(()))


@bug(*_OLDER, *_OLDER_BY_CONTRACT, "one leader after the other acknowledges", is_shared=True)
def a_new_leader_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """It acknowledges while leases of the one before it go on."""
    patch.setattr(leadership.Candidate, "quiet_until_ns", lambda *_: 0)
    patch.setattr(leadership, "SILENCE_S", 0.7)


@bug("what is answered of a change is so", is_shared=True)
def an_open_outcome_is_called_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What may be in the log is said not to be."""
    patch.setattr(CommandQueue, "leave_open", lambda queue, _count: queue.refuse(NoMajority))


@bug(
    "what is answered of a change is so",
    "an acknowledged change is in the log once",
    "nothing crashes",
    *_OLDER,
    *_OLDER_BY_CONTRACT,
    *A_LINK_TOO_MANY,
    is_shared=True,
)
def an_open_outcome_is_called_a_success(patch: pytest.MonkeyPatch) -> None:
    """What may not be in the log is said to be."""
    patch.setattr(
        CommandQueue, "leave_open", lambda queue, count: queue.answer([[] for _ in range(count)])
    )


@bug("a link is lost with its server alone", is_shared=True)
def links_of_other_servers_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """A loss ends all links but the leader's own."""

    def others(links: Any, sessions: Any) -> Iterable[str]:
        first = min(session for session, _ in sessions.items()) if sessions else ""
        return (node for node, link in links.items() if link.session != first)

    patch.setattr(leadership_rules, "unowned", others)


@bug(
    "servers on one log agree",
    "codes are the contract's",
    "an acknowledged enrolment is never forgotten",
    is_shared=True,
)
def a_lost_session_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A server that reads of its own loss begins no other session."""

    async def nothing(_: Membership) -> None: ...

    patch.setattr(Membership, "_begin_anew_if_lost", nothing)


@bug("nothing crashes", is_shared=True)
def a_start_whose_outcome_is_open_is_asked_for_under_another_session(
    patch: pytest.MonkeyPatch,
) -> None:
    """And what the log says of the one before is taken for another server's."""

    def ask(self: OwnSessions, session: str) -> None:
        self._asked = {session}

    patch.setattr(OwnSessions, "ask", ask)
    patch.setattr(OwnSessions, "has_begun", lambda _self, _session: True)


@bug("who is in touch is not lost", is_shared=True)
def a_server_that_is_slow_is_taken_for_lost(patch: pytest.MonkeyPatch) -> None:
    """Once it was silent for one look of the leader's."""
    patch.setattr(leadership, "LOST_AFTER_LOOKS", 1)

"""Runs the histories in this folder: given what was done, when this is done, then that comes of it.

Each step is a sentence of the table `STEPS`; the clock starts at 0 and moves when a step says so.
`then` lists what the last steps led to, event by event and in order (a refusal by its name), and
`nodes` where these nodes are afterwards, with their addresses.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nc.domain.assignments import AssignAddress
from nc.domain.decide import Command, decide
from nc.domain.departures import UnregisterNodesOfToken
from nc.domain.errors import DomainError
from nc.domain.events import Event, pb
from nc.domain.evolve import evolve
from nc.domain.invitations import (
    ForgetInvitations,
    InviteReplica,
    RedeemInvitation,
    RemoveReplica,
)
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, link_of
from nc.domain.nodes import ExpireNodes, Expiry, SetExpiries, Unregister
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State
from nc.domain.tokens import ForgetExpiredTokens, IssueToken, RedeemToken, RevokeToken
from nc.domain.updates import UpdateNode

MINUTE_MS = 60_000
UNITS_MS = {"ms": 1, "min": MINUTE_MS, "h": 60 * MINUTE_MS, "d": 1440 * MINUTE_MS}
START_MS = 1_800_000_000_000  # what the scenarios call 0


def at(text: str) -> int:
    """The moment `5 min`, counted from the beginning of the scenario; `never` is 0."""
    if text == "never":
        return 0
    number, unit = text.split()
    return START_MS + int(number) * UNITS_MS[unit]


def expiries(listed: str) -> tuple[Expiry, ...]:
    """Read `a 5 min, b never`."""
    pairs = (item.partition(" ") for item in listed.split(", "))
    return tuple(Expiry(node_id, at(when)) for node_id, _, when in pairs)


def connection(now_ms: int, node_id: str, link_id: str) -> list[Command]:
    """Both halves of connecting."""
    return [AcceptLink(node_id, link_id, now_ms), HandOverAddress(node_id, link_id, now_ms)]


STEPS: dict[str, Callable[..., Command | list[Command]]] = {
    r"a server starts on (\S+)": lambda _, network: StartReplica("r", "1", network),
    r"the server stops": lambda _: StopReplica("r"),
    r"token (\S+) is issued for (-?\d+) minutes": lambda now, t, n: IssueToken(t, int(n), now),
    r"(\S+) joins with (\S+)": lambda now, node, token: RedeemToken(token, node, (), now),
    r"(\S+) begins on (\S+)": lambda now, node, link: AcceptLink(node, link, now),
    r"(\S+) is handed its address on (\S+)": lambda now, n, link: HandOverAddress(n, link, now),
    r"(\S+) connects on (\S+)": connection,
    r"(\S+) loses (\S+)": lambda _, node, link: DropLink(
        node, link, pb.STATE_CHANGE_REASON_LINK_CLOSED
    ),
    r"(\S+) is unregistered": lambda _, node: Unregister(node),
    r"expiries are set: (.+)": lambda now, listed: SetExpiries(expiries(listed), now),
    r"token (\S+) is revoked": lambda _, token: RevokeToken(token),
    r"token (\S+) is revoked with its nodes": lambda _, token: UnregisterNodesOfToken(
        token, 0, revoke=True
    ),
    r"(\S+) is assigned (\S+)": lambda _, node, address: AssignAddress(node, address),
    r"(\S+) is renamed (\S+)": lambda _, node, name: UpdateNode(node, name),
    r"replica (\S+) starts": lambda _, name: StartReplica(
        name, "1", "10.1.1.1/24", session=f"of-{name}"
    ),
    r"replica (\S+) is removed by (\S+)": lambda _, name, by: RemoveReplica(name, by),
    r"invitation (\S+) is issued": lambda now, name: InviteReplica(name, now),
    r"(\S+) redeems (\S+)": lambda now, replica, name: RedeemInvitation(
        name, replica, "192.0.2.1", f"of-{replica}", now
    ),
    r"the sweep passes": lambda now: [
        ForgetInvitations(now),
        ExpireNodes(now),
        ForgetExpiredTokens(("t", "for-ever"), now),
    ],
}


class Run:
    """One scenario under way."""

    def __init__(self) -> None:
        self.state = State()
        self.now_ms = START_MS

    def step(self, sentence: str) -> list[str]:
        """Do what the sentence says, and tell what came of it."""
        if clock := re.fullmatch(r"it is (.+)", sentence):
            self.now_ms = at(clock[1])
            return []
        outcome: list[str] = []
        for command in self.commands(sentence):
            try:
                events = decide(self.state, command)
            except DomainError as refusal:
                return [*outcome, f"refused: {type(refusal).__name__}"]
            self.state = evolve(self.state, events, self.now_ms)
            outcome += [told(event) for event in events]
        return outcome

    def commands(self, sentence: str) -> list[Command]:
        for pattern, make in STEPS.items():
            if found := re.fullmatch(pattern, sentence):
                made = make(self.now_ms, *found.groups())
                return made if isinstance(made, list) else [made]
        raise ValueError(f"no step reads {sentence!r}; the table has {', '.join(STEPS)}")

    def where_is(self, node_id: str) -> str:
        """The node's state and address, `CONNECTED 10.1.1.3`, or `gone`."""
        if node_id not in self.state.nodes:
            return "gone"
        state = link_of(self.state.links, node_id).state.name
        return f"{state} {self.state.addresses.address_of(node_id)}".strip()


# What is told of the kinds of which it is no node's id.
ID_FIELDS = {
    **dict.fromkeys(("token_issued", "token_expired", "token_revoked"), "token_id"),
    **dict.fromkeys(("replica_invited", "invitation_redeemed"), "invitation_id"),
    "replica_removed": "replica_id",
}


def told(event: Event) -> str:
    """An event as the scenarios write it: `StateChanged n IDLE→INIT link_accepted`."""
    kind = str(event.WhichOneof("kind"))
    fact = getattr(event, kind)
    name = type(fact).__name__
    match kind:
        case "state_changed":
            states = "→".join(
                pb.ConnectionState.Name(state).removeprefix("CONNECTION_STATE_")
                for state in (fact.from_state, fact.to_state)
            )
            reason = pb.StateChangeReason.Name(fact.reason).removeprefix("STATE_CHANGE_REASON_")
            return f"{name} {fact.node_id} {states} {reason.lower()}"
        case "address_released":
            reason = pb.AddressReleaseReason.Name(fact.reason)
            reason = reason.removeprefix("ADDRESS_RELEASE_REASON_").lower()
            return f"{name} {fact.node_id} {fact.address} {reason}"
        case "address_bound":
            return f"{name} {fact.node_id} {fact.address}"
        case "replica_started" | "replica_stopped":
            return name
        case "invitation_ended":
            reason = pb.InvitationEndReason.Name(fact.reason)
            reason = reason.removeprefix("INVITATION_END_REASON_").lower()
            return f"{name} {fact.invitation_id} {reason}"
        case _:
            return f"{name} {getattr(fact, ID_FIELDS.get(kind, 'node_id'))}"


def scenarios() -> list[Any]:
    """All the scenarios of this folder, each under its law."""
    return [
        pytest.param(scenario, id=scenario["law"])
        for file in sorted(Path(__file__).parent.glob("*.yaml"))
        for scenario in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("scenario", scenarios())
def test_scenario(scenario: dict[str, Any]) -> None:
    """Given, when, then."""
    assert set(scenario) <= {"law", "given", "when", "then", "nodes"}
    run = Run()
    for sentence in scenario["given"]:
        for line in run.step(sentence):
            assert not line.startswith("refused"), f"{sentence}: {line}"
    outcome = [line for sentence in scenario["when"] for line in run.step(sentence)]
    assert outcome == scenario["then"]
    nodes = scenario.get("nodes", {})
    assert {node_id: run.where_is(node_id) for node_id in nodes} == nodes

"""Histories with one lie in them: what was answered, or what the log has, is altered afterwards."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from nc.pb import events_pb2 as pb
from nc.testing import (
    SERVER_NODE,
    Answer,
    CheckState,
    CloseLink,
    Crash,
    Facts,
    GetAddress,
    Handshake,
    History,
    InProcess,
    IssueToken,
    OpenLink,
    Operation,
    Port,
    Redeem,
    SetExpiries,
    Sweep,
    Unregister,
)
from nc.testing.contract.administration import (
    AssignAddress,
    Describe,
    IssueLimited,
    IssueOperator,
    RevokeOperator,
    RevokeToken,
    UpdateNode,
)
from nc.testing.contract.enrolment import (
    NO_REQUEST,
    CheckAsUpstream,
    Enrol,
    OpenLinkWith,
    Renew,
)
from nc.testing.contract.history import Step
from nc.testing.contract.values import ADMIN, NO_LIMITS, UPSTREAM, VIEWER, Limits, Told, old
from nc.testing.search import Trial
from nc.testing.targets.in_process import START_MS

NOBODY = "0123456789abcdef"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_S = START_MS // 1000

Lie = Callable[[History], History]


def a_life(trial: Trial) -> None:
    """Two nodes and all that may become of them, but for a lack of addresses."""
    for operation in (
        IssueToken("token 1", 10),
        IssueToken("token 2", 1),
        IssueToken("token 3", 5_256_001),
        Redeem("token 1", "node 1"),
        Redeem("token 1", "node 2"),
        Redeem("token 1", "node 3"),
        Redeem(NOBODY, "nobody", Port.CONTROL),
        Redeem(NOBODY, "nobody", Port.BOOTSTRAP),
        Redeem("", "nobody"),
        OpenLink("node 1", "link 1"),
        Handshake("node 1", "link 1"),
        GetAddress("node 1"),
        OpenLink("node 1", "link 2"),
        CloseLink("node 1", "link 1"),
        CheckState("node 1"),
        Handshake("node 1", "link 2"),
        CheckState("node 1"),
        OpenLink("node 2", "link 3"),
        Handshake("node 2", "link 3"),
        CheckState("node 2"),
        GetAddress("node 2"),
        SetExpiries((("node 1", START_S - 1), (NOBODY, 0))),
        CheckState("node 1"),
        CheckState("node 1", "node 1"),
        Unregister("node 1", "node 2"),
        CheckState(SERVER_NODE),
        SetExpiries(((SERVER_NODE, 1),)),
        Unregister(SERVER_NODE),
        CheckState(NOBODY),
        SetExpiries((("node 2", START_S + 60),)),
    ):
        trial.perform(operation)
    trial.wait(60_000)
    for operation in (
        Redeem("token 2", "nobody"),
        GetAddress("node 2"),
        SetExpiries((("node 2", 0),)),
        CheckState("node 2"),
    ):
        trial.perform(operation)
    trial.restart()
    trial.perform(GetAddress("node 1"))
    trial.perform(CheckState("node 1"))
    trial.perform(GetAddress("node 2"), crash=Crash(at_step=20))
    trial.perform(Unregister("node 2"))
    trial.perform(GetAddress("node 2"))
    trial.wait(2 * DAY_MS)
    trial.perform(Sweep())
    trial.finish()


def an_office(trial: Trial) -> None:
    """What operators do with tokens, nodes and one another."""
    for operation in (
        IssueLimited("token 1", 10, max_uses=2, prefix="web-", label="a"),
        Redeem("token 1", "node 1"),
        Describe("node 1"),
        UpdateNode("node 1", name="db"),
        Redeem("token 1", "node 2"),
        UpdateNode("node 2", name="db"),
        UpdateNode("node 2", name="web"),
        RevokeToken("token 1"),
        Redeem("token 1", "nobody"),
        RevokeOperator(ADMIN),
        IssueOperator("operator 1", VIEWER),
        CheckState("node 1", "operator 1"),
        IssueToken("token 2", 10, "operator 1"),
        RevokeOperator("operator 1"),
        CheckState("node 1", "operator 1"),
    ):
        trial.perform(operation)
    trial.finish()


def a_workshop(trial: Trial) -> None:
    """Machines with keys of their own, and a node that was imported."""
    first = Enrol("token 1", "node 1", told=Told("db", "1.0"))
    for operation in (
        IssueLimited("token 1", 10, max_uses=2, prefix="web-"),
        first,
        first,
        replace(first, port=Port.CONTROL),
        replace(first, machine=NO_REQUEST),  # refused, which is no matter of the port
        replace(first, machine="another machine"),
        Renew("node 1", told=Told("", "1.1")),
        Renew("node 1", "another machine"),
        Describe("node 1"),
        CheckAsUpstream("node 1"),
        CheckAsUpstream("imported 1"),
        Renew("imported 1"),
        OpenLinkWith("imported 1", "link 1", UPSTREAM),
        OpenLinkWith("imported 1", "link 2"),
        CheckState("node 1", old("node 1")),
    ):
        trial.perform(operation)
    trial.finish()


def a_full_house(trial: Trial) -> None:
    """Two addresses: one is an operator's choice, the other is reclaimed for a fourth node."""
    trial.perform(IssueToken("token 1", 10))
    for number in (1, 2):
        trial.perform(Redeem("token 1", f"node {number}"))
        trial.perform(OpenLink(f"node {number}", f"link {number}"))
        trial.perform(Handshake(f"node {number}", f"link {number}"))
        trial.perform(CloseLink(f"node {number}", f"link {number}"))
    trial.perform(AssignAddress("node 1", address="10.1.1.3"))
    trial.wait(HOUR_MS)
    trial.perform(IssueToken("token 2", 10))
    trial.perform(Redeem("token 2", "node 3"))
    trial.perform(OpenLink("node 3", "link 3"))
    trial.perform(Handshake("node 3", "link 3"))
    trial.finish()


def a_crowd(trial: Trial) -> None:
    """Three nodes, and addresses for two."""
    trial.perform(IssueToken("token 1", 10))
    for number in (1, 2, 3):
        trial.perform(Redeem("token 1", f"node {number}"))
    for number in (1, 2):
        trial.perform(OpenLink(f"node {number}", f"link {number}"))
        trial.perform(Handshake(f"node {number}", f"link {number}"))
    for number in (1, 2):
        trial.perform(CloseLink(f"node {number}", f"link {number}"))
    trial.perform(OpenLink("node 3", "link 3"))
    trial.perform(Handshake("node 3", "link 3"))
    trial.finish()


LIMITS: dict[Callable[[Trial], None], Limits] = {
    a_full_house: Limits(reclaim_after_ms=HOUR_MS),
    a_workshop: Limits(imported=1),
}


@cache
def recorded(script: Callable[[Trial], None]) -> History:
    """The history of a script; callers do not change it."""
    target = InProcess()
    network = "10.1.1.1/24" if script in {a_life, an_office, a_workshop} else "10.1.1.1/29"
    limits = LIMITS.get(script, NO_LIMITS)
    trial = Trial(target, network, limits)
    script(trial)
    target.end()
    target.close()
    return trial.history


def answering(
    operation: Operation, change: Callable[[Answer, History], Answer], at: int = -1
) -> Lie:
    """One of the times that this was asked, the last one mostly, it was answered otherwise."""

    def lie(history: History) -> History:
        number = [step.number for step in history.steps if step.operation == operation][at]
        forged = replace(history, items=[], steps=[])
        for item in history.items:
            if isinstance(item, Step) and item.number == number:
                assert item.answer is not None
                forged.add(replace(item, answer=change(item.answer, history)))
            else:
                forged.add(item)
        return forged

    return lie


def saying(operation: Operation, *facts: Any, at: int = -1) -> Lie:
    """It was answered with these facts."""
    message = "ok" if facts[0] == "200" else "no"
    return answering(operation, lambda a, _: a._replace(facts=Facts(*facts), message=message), at)


def writing(kind: str, change: Callable[[pb.Entry, Any], None]) -> Lie:
    """The log has the last entry with such an event otherwise."""

    def lie(history: History) -> History:
        assert history.log is not None
        entries = [pb.Entry.FromString(entry.SerializeToString()) for entry in history.log.entries]
        events = [(e, event) for e in entries for event in e.events if event.HasField(kind)]
        entry, event = events[-1]
        change(entry, getattr(event, kind))
        return replace(history, log=replace(history.log, entries=entries))

    return lie

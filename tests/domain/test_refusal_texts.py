"""What a refusal says: its facts, what to do, and nothing that is secret."""

import inspect
import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain import errors, operator_errors, replica_errors
from nc.domain.decide import Command, decide
from nc.domain.errors import DomainError, WithoutFacts
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.tokens import IssueToken, RedeemToken
from nc.text import moment
from tests.support.histories import MINUTE_MS, NOW_MS, after, connect, refusal, register, started

CANARY = "c0ffee00c0ffee00"

CLASSES = [
    error
    for module in (errors, operator_errors, replica_errors)
    for _, error in inspect.getmembers(module, inspect.isclass)
    if issubclass(error, DomainError) and error not in (DomainError, WithoutFacts)
]


def test_a_moment_reads_as_people_write_it() -> None:
    """UTC, to the second."""
    assert moment(1_795_186_800_000) == "2026-11-20T15:00:00Z"
    assert moment(0) == "1970-01-01T00:00:00Z"


@given(st.integers())
def test_every_number_is_some_moment(unix_ms: int) -> None:
    """However far away, a moment has a text: saying that something expired never fails."""
    assert moment(unix_ms)


def _fact(name: str, kind: type) -> object:
    known = {int: 7, list[str]: [f"the {name}"], Mapping[str, str]: {"server-b": f"the {name}"}}
    return known.get(kind, f"the {name}")


@pytest.mark.parametrize("error", CLASSES)
def test_a_refusal_says_what_and_what_to_do(error: type[DomainError]) -> None:
    """Each text is one line that a client can be shown, with the facts that came with it."""
    facts = {
        name: _fact(name, parameter.annotation)
        for name, parameter in inspect.signature(error).parameters.items()
    }
    refused = error(**facts)
    text = str(refused)
    assert len(text) > 10
    assert "\n" not in text
    assert {**vars(refused)}.items() <= facts.items()


@pytest.mark.parametrize(
    "command",
    [
        IssueToken(CANARY, -1, NOW_MS),
        IssueToken(CANARY, 2**31 - 1, NOW_MS),
        RedeemToken("no token", CANARY, (), NOW_MS),
        RedeemToken("t", CANARY, (), NOW_MS),
        Unregister(CANARY + "0"),
        SetExpiries((Expiry(CANARY + "0", 1),), NOW_MS),
        AcceptLink(CANARY, CANARY, NOW_MS + MINUTE_MS),
        HandOverAddress(CANARY, CANARY, NOW_MS),
        HandOverAddress(CANARY, f"link-{CANARY}", NOW_MS),
    ],
)
def test_a_refusal_holds_no_id(command: Command) -> None:
    """Whatever is refused, the text names neither the token nor the node nor the link."""
    state = after(started(), IssueToken(CANARY, -1, NOW_MS))
    state = after(state, *register(CANARY), *connect(CANARY))
    state = after(state, SetExpiries((Expiry(CANARY, NOW_MS + MINUTE_MS),), NOW_MS))
    with pytest.raises(DomainError) as refused:
        decide(state, command)
    assert CANARY not in str(refused.value)
    assert refusal(lambda: decide(state, command)) is type(refused.value)


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (
            replica_errors.InvitationLifetimeWrong(691_200, 604_800),
            "8 days: from one second to 7 days",
        ),
        (replica_errors.InvitationLifetimeWrong(604_801, 604_800), "7 days 1 second"),
        (errors.LifetimeTooLong(5_760_000, 5_256_000), "4000 days: at most ten years (3650 days"),
        (errors.LifetimeTooLong(4000 * 86_400, 315_360_000, 1), "4000 days: at most ten years"),
    ],
)
def test_a_duration_is_refused_in_the_unit_that_people_type(
    refused: DomainError, says: str
) -> None:
    """`8d` is refused as 8 days; what is a second too long is not rounded to what is allowed."""
    assert says in str(refused)
    assert not re.search(r"[0-9]{4,} seconds", str(refused))

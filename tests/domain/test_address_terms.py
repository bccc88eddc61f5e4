"""Who keeps an address, and who may take it: assigned ones, idle nodes, a token's share."""

import pytest

from nc.domain import errors, operator_errors
from nc.domain.assignments import AssignAddress
from nc.domain.decide import decide
from nc.domain.evolve import evolve
from nc.domain.limits import DEFAULT_RECLAIM_AFTER_MS
from nc.domain.links import AcceptLink, HandOverAddress
from tests.support.histories import (
    DAY_MS,
    NOW_MS,
    address_of,
    after,
    connect,
    disconnect,
    kinds,
    refused,
    register,
    started,
)


def test_an_assigned_address_is_its_nodes() -> None:
    """The node's link is dropped for it, nobody else gets it, and it is not reclaimed."""
    state = after(started("10.1.1.1/29"), *register("a", "b", "c"), *connect("a"))
    events = decide(state, AssignAddress("a", "10.1.1.5"))
    assert kinds(events) == ["state_changed", "address_released", "address_bound"]
    state = evolve(state, events)
    assert decide(state, AssignAddress("a", "10.1.1.5")) == []
    assert refused(state, AssignAddress("b", "10.1.1.5")) is operator_errors.AddressTaken
    assert refused(state, AssignAddress("b", "10.1.1.4")) is operator_errors.AddressNotAssignable
    state = after(state, *connect("b"))
    assert refused(state, connect("c")[0]) is errors.AddressPoolExhausted
    state = after(state, AssignAddress("a", ""), *connect("c"))
    assert (address_of(state, "a"), address_of(state, "c")) == ("", "10.1.1.5")


@pytest.mark.parametrize(
    ("idle_ms", "expected"),
    [(DEFAULT_RECLAIM_AFTER_MS - 1, errors.AddressRecentlyHeld), (DEFAULT_RECLAIM_AFTER_MS, None)],
)
def test_an_address_is_reclaimed_after_a_time(
    idle_ms: int, expected: type[Exception] | None
) -> None:
    """A node that has been off for a shorter time keeps its address."""
    state = after(started("10.1.1.1/29"), *register("a", "b"), *connect("a", "b"))
    for command in disconnect("a"):
        state = evolve(state, decide(state, command), NOW_MS)
    late = NOW_MS + idle_ms
    state = evolve(state, decide(state, *register("c")), late)
    assert refused(state, AcceptLink("c", "l", late)) is expected


def test_with_no_time_set_any_idle_node_gives_its_address_up() -> None:
    """Also one that became idle after the command was made, while that waited in the queue."""
    state = after(started("10.1.1.1/29"), *register("a", "b", "c"), *connect("a", "b"))
    for command in disconnect("a"):
        state = evolve(state, decide(state, command), NOW_MS + 1)
    assert refused(state, AcceptLink("c", "l", NOW_MS, reclaim_after_ms=0)) is None


def test_newcomers_beyond_their_tokens_share_take_no_address() -> None:
    """Of a token that enrols a fleet in a day only the first ones get what others held."""
    late = NOW_MS + 2 * DEFAULT_RECLAIM_AFTER_MS
    old = [f"old-{number}" for number in range(6)]
    state = after(started("10.1.1.1/28"), *register(*old), *connect(*old))
    for command in disconnect(*old):
        state = evolve(state, decide(state, command), NOW_MS)
    new = [f"new-{number}" for number in range(5)]
    for number, command in enumerate(register(*new)):
        state = evolve(state, decide(state, command), late + number)
    results = [refused(state, AcceptLink(node_id, "l", late + DAY_MS)) for node_id in new]
    assert results == [None, None, *[errors.TokenShareReached] * 3]
    accept, hand_over = (kind(new[0], "l", late) for kind in (AcceptLink, HandOverAddress))
    assert address_of(after(state, accept, hand_over), new[0])

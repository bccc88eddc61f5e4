"""Nodes: their expiry, one or many at once, and leaving for good."""

import pytest

from nc.domain.decide import Command, decide
from nc.domain.errors import ListedNodeUnknown, NodeExpired, NodeUnknown
from nc.domain.events import pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.nodes import (
    ExpireNodes,
    Expiry,
    ForgetUnregistered,
    SetExpiries,
    Unregister,
    require_live,
)
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State
from tests.support.histories import (
    NOW_MS,
    address_of,
    after,
    connect,
    disconnect,
    kinds,
    refusal,
    register,
    started,
    state_of,
)

IDLE, CONNECTED = ConnectionState.IDLE, ConnectionState.CONNECTED


def set_expiries(*expiries: tuple[str, int], now_ms: int = NOW_MS) -> SetExpiries:
    """Set when nodes expire."""
    return SetExpiries(tuple(Expiry(*expiry) for expiry in expiries), now_ms)


def connected(*node_ids: str) -> State:
    """These nodes are registered and connected."""
    return after(started(), *register(*node_ids), *connect(*node_ids))


def test_a_node_is_good_until_its_last_millisecond() -> None:
    """One millisecond before its expiry a node's token is good; at it, it is refused."""
    state = after(connected("n"), set_expiries(("n", NOW_MS + 5)))
    require_live(state.nodes, state.unregistered, "n", NOW_MS + 4)
    with pytest.raises(NodeExpired) as refused:
        require_live(state.nodes, state.unregistered, "n", NOW_MS + 5)
    assert refused.value.expired_at_ms == NOW_MS + 5


@pytest.mark.parametrize("command", [AcceptLink, HandOverAddress])
def test_an_expired_node_gets_no_link(command: type[AcceptLink | HandOverAddress]) -> None:
    """Expiry is looked at at the moment of use, whether or not a sweep has been."""
    state = after(started(), *register("n"), AcceptLink("n", "l", NOW_MS))
    state = after(state, set_expiries(("n", NOW_MS + 5)))
    assert refusal(lambda: decide(state, command("n", "l", NOW_MS + 4))) is None
    assert refusal(lambda: decide(state, command("n", "l", NOW_MS + 5))) is NodeExpired


@pytest.mark.parametrize(
    "command", [AcceptLink("x", "l", NOW_MS), HandOverAddress("x", "l", NOW_MS), Unregister("x")]
)
def test_an_unknown_node_gets_nothing(command: Command) -> None:
    """Whoever is not registered is refused as unknown."""
    with pytest.raises(NodeUnknown):
        decide(started(), command)


def test_a_sweep_drops_whoever_is_over() -> None:
    """Exactly the expired nodes lose their links, at their millisecond; addresses stay."""
    state = after(connected("a", "b", "c"), set_expiries(("a", NOW_MS + 5), ("b", NOW_MS + 6)))
    assert decide(state, ExpireNodes(NOW_MS + 4)) == []
    (event,) = decide(state, ExpireNodes(NOW_MS + 5))
    assert event.state_changed.reason == pb.STATE_CHANGE_REASON_EXPIRED
    state = after(state, ExpireNodes(NOW_MS + 5))
    assert [state_of(state, node_id) for node_id in "abc"] == [IDLE, CONNECTED, CONNECTED]
    assert address_of(state, "a") == "10.1.1.3"
    assert decide(state, ExpireNodes(NOW_MS + 5)) == []


def test_an_expiry_in_the_past_drops_the_link_at_once() -> None:
    """Whoever is given an expiry that is over is idle with the same command."""
    events = decide(connected("n"), set_expiries(("n", NOW_MS)))
    assert kinds(events) == ["expiry_changed", "state_changed"]
    assert kinds(decide(connected("n"), set_expiries(("n", NOW_MS + 1)))) == ["expiry_changed"]


@pytest.mark.parametrize("revival", [0, NOW_MS + 1])
def test_a_later_expiry_revives(revival: int) -> None:
    """A later time, or never, makes an expired token good again; the link has to come anew."""
    state = after(connected("n"), set_expiries(("n", NOW_MS - 1)))
    assert refusal(lambda: after(state, *connect("n"))) is NodeExpired
    revived = after(state, set_expiries(("n", revival)))
    assert state_of(revived, "n") is IDLE
    assert address_of(after(revived, *connect("n")), "n") == "10.1.1.3"


def test_a_list_with_an_unknown_node_changes_nothing() -> None:
    """The first unknown node is named by its position from 1; those before it are left alone."""
    state = connected("a", "b")
    command = set_expiries(("a", 1), ("b", 1), ("x", 1), ("y", 1))
    with pytest.raises(ListedNodeUnknown) as refused:
        decide(state, command)
    assert refused.value.position == 3
    with pytest.raises(ListedNodeUnknown) as refused:
        decide(state, set_expiries(("x", 1), ("a", 1)))
    assert refused.value.position == 1


def test_of_a_repeated_node_the_last_counts() -> None:
    """A node that is listed twice gets one event, with its last expiry, and is judged by that."""
    state = connected("a", "b")
    (event,) = decide(state, set_expiries(("a", 1), ("b", 0), ("a", NOW_MS + 5)))
    changed = event.expiry_changed
    assert (changed.node_id, changed.expires_at_ms) == ("a", NOW_MS + 5)


def test_what_does_not_change_is_no_event() -> None:
    """The same expiry once more, or an empty list, leads to nothing."""
    state = after(connected("n"), set_expiries(("n", NOW_MS + 5)))
    assert decide(state, set_expiries(("n", NOW_MS + 5))) == []
    assert decide(state, set_expiries()) == []
    assert decide(connected("n"), set_expiries(("n", 0))) == []


def test_the_same_expiry_still_drops_when_it_is_over() -> None:
    """Confirming an expiry that has passed in the meantime drops the link, as the sweep would."""
    state = after(connected("n"), set_expiries(("n", NOW_MS + 5)))
    events = decide(state, set_expiries(("n", NOW_MS + 5), now_ms=NOW_MS + 5))
    assert kinds(events) == ["state_changed"]


def test_unregistering_takes_all_that_a_node_has() -> None:
    """Its link, its address and itself go with one command, each said by an event."""
    events = decide(connected("n"), Unregister("n"))
    assert kinds(events) == ["state_changed", "address_released", "unregistered"]
    state = after(connected("n"), Unregister("n"))
    assert (len(state.nodes), len(state.links), len(state.addresses.by_node)) == (0, 0, 0)
    assert refusal(lambda: decide(state, Unregister("n"))) is NodeUnknown


def test_unregistering_says_only_what_changes() -> None:
    """A node that is idle has no state to change, and one that never connected no address."""
    assert kinds(decide(after(started(), *register("n")), Unregister("n"))) == ["unregistered"]
    idle = after(connected("n"), *disconnect("n"))
    assert kinds(decide(idle, Unregister("n"))) == ["address_released", "unregistered"]


def test_an_expired_node_can_be_unregistered() -> None:
    """Expiry does not keep an operator from tidying up."""
    state = after(connected("n"), set_expiries(("n", 1)))
    assert "n" not in after(state, Unregister("n")).nodes


@pytest.mark.parametrize(
    "command",
    [ExpireNodes(NOW_MS), StopReplica("r"), StartReplica("r", "1", "10.1.1.1/24")],
)
def test_equal_states_decide_equally(command: Command) -> None:
    """Who is dropped first does not depend on how the state's maps came to be."""
    names = [str(number) for number in range(20)]
    states = []
    for order in (names, names[::-1]):
        state = after(started(), *register(*order), *connect(*names), *disconnect(*names))
        state = after(
            state, *connect(*order), set_expiries(*((n, NOW_MS) for n in order), now_ms=0)
        )
        states.append(state)
    first, second = (decide(state, command) for state in states)
    assert first == second
    assert len(first) >= 20


def test_an_unregistered_node_is_remembered_until_its_certificates_end() -> None:
    """It is refused as unregistered, not as unknown; from that moment on it may be forgotten."""
    until_ms = NOW_MS + 1000
    state = after(connected("n", "m"), Unregister("n", until_ms), Unregister("m"))
    for node_id, is_known in (("n", True), ("m", False), ("x", False)):
        for command in (AcceptLink(node_id, "l", NOW_MS), Unregister(node_id, until_ms)):
            with pytest.raises(NodeUnknown) as refused:
                decide(state, command)
            assert refused.value.was_unregistered == is_known
            assert str(refused.value).startswith("the node was unregistered") == is_known
    names = ("n", "m", "x")
    assert decide(state, ForgetUnregistered(names, until_ms - 1)) == []
    assert kinds(decide(state, ForgetUnregistered(names, until_ms))) == ["node_forgotten"]
    state = after(state, ForgetUnregistered(names, until_ms))
    assert len(state.unregistered) == 0
    assert decide(state, ForgetUnregistered(names, until_ms)) == []


def test_a_node_that_is_registered_again_is_not_unregistered() -> None:
    """Its id may be drawn again, however unlikely that is."""
    state = after(connected("n"), Unregister("n", NOW_MS + 1000), *register("n"))
    assert len(state.unregistered) == 0

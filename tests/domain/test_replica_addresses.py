"""The overlay address of a replica's own: from the pool, for as long as its session lives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.addresses import free_addresses
from nc.domain.assignments import AssignAddress
from nc.domain.codec.digest import digest
from nc.domain.codec.snapshot import decode, encode
from nc.domain.decide import Command, decide
from nc.domain.errors import AddressPoolExhausted, SessionEnded
from nc.domain.events import Event, NodeRegistered, ReplicaAddressBound, ReplicaStopped
from nc.domain.evolve import evolve
from nc.domain.invariants import InconsistentHistory, InvariantChecker
from nc.domain.leadership import LoseReplica, StandForElection
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.operator_errors import AddressTaken
from nc.domain.replica_addresses import BindReplicaAddress, own_address, without_address
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.state import State

NETWORK = "10.1.1.1/24"
SMALL = "10.1.1.1/29"


def start(replica: str, session: str, network: str = NETWORK, *, alone: bool = False) -> Command:
    return StartReplica(replica, "1", network, session=session, is_alone=alone)


def after(*commands: Command, base: State | None = None) -> State:
    """The state after these; each event must be one that can have happened."""
    state = base or State()
    checker = InvariantChecker(state)
    for command in commands:
        events = decide(state, command)
        for event in events:
            checker.follow(event)
        state = evolve(state, events)
        if isinstance(command, BindReplicaAddress):
            assert decide(state, command) == []
    return state


TWO = after(start("a", "s1"), start("b", "s2"), BindReplicaAddress("s1"), BindReplicaAddress("s2"))


def test_each_replica_has_one_of_its_own() -> None:
    """Two sessions have two addresses; no node gets them, and digests have them."""
    one, two = (own_address(TWO.addresses, session) for session in ("s1", "s2"))
    assert one != two
    assert without_address(TWO.addresses, TWO.sessions) == []
    state = evolve(TWO, [Event(node_registered=NodeRegistered(node_id="n"))])
    state = after(AcceptLink("n", "l1", 1, "s1"), HandOverAddress("n", "l1", 2), base=state)
    assert state.addresses.address_of("n") not in ("", one, two)
    without = evolve(state, [Event(replica_stopped=ReplicaStopped(session="s2"))])
    assert digest(without) != digest(state)
    with pytest.raises(AddressTaken, match="a server"):
        decide(state, AssignAddress("n", one))


@pytest.mark.parametrize(
    "end",
    [
        StopReplica("b", "s2"),
        start("b", "s3"),
        start("a", "s3", alone=True),
        LoseReplica("s2"),
    ],
)
def test_it_is_free_when_the_session_has_ended(end: Command) -> None:
    """By a stop, a loss, a new start of the same replica or one that has the log to itself."""
    state = after(StandForElection("s1", 1, ""), base=TWO)
    address = own_address(TWO.addresses, "s2")
    state = after(end, base=state)
    assert own_address(state.addresses, "s2") == ""
    assert state.addresses.holder_of(address) == ""
    assert address in state.addresses.released
    with pytest.raises(SessionEnded):
        decide(state, BindReplicaAddress("s2"))


def test_no_node_gives_an_address_up_for_a_replica() -> None:
    """When the pool is used up, the replica has none, however long a node has been idle."""
    state = after(start("a", "s1", SMALL), start("b", "s2", SMALL), BindReplicaAddress("s1"))
    while next(free_addresses(state.addresses), None) is not None:
        session = f"more {state.seq}"
        state = after(start(session, session, SMALL), BindReplicaAddress(session), base=state)
    with pytest.raises(AddressPoolExhausted):
        decide(state, BindReplicaAddress("s2"))


def test_a_network_that_changes_gives_another_one() -> None:
    """The old one is given up for it."""
    state = after(start("a", "s1"), BindReplicaAddress("s1"), start("c", "s4", "10.9.9.1/24"))
    assert without_address(state.addresses, state.sessions) == ["s1", "s4"]
    state = after(BindReplicaAddress("s1"), base=state)
    assert own_address(state.addresses, "s1").startswith("10.9.9.")


@pytest.mark.parametrize(
    "event",
    [
        ReplicaAddressBound(session="s9", address="10.1.1.99"),
        ReplicaAddressBound(session="s1", address=own_address(TWO.addresses, "s2")),
    ],
)
def test_what_cannot_have_happened_is_refused(event: ReplicaAddressBound) -> None:
    """An address for a session that is not there, or one that another holds."""
    with pytest.raises(InconsistentHistory):
        InvariantChecker(TWO).follow(Event(replica_address_bound=event))


@given(st.lists(st.sampled_from(["s1", "s2", "s3"]), max_size=8))
def test_addresses_of_sessions_are_kept_by_snapshots(bound: list[str]) -> None:
    """A state that is written and read back is the same."""
    state = after(*(start(session, session) for session in ("s1", "s2", "s3")))
    state = after(*map(BindReplicaAddress, bound), base=state)
    assert decode(b"".join(encode(state)), state.seq) == state

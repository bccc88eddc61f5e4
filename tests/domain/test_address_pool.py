"""Who is given which address: fresh ones first, then the longest rested, then the longest idle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.decide import decide
from nc.domain.errors import AddressPoolExhausted
from nc.domain.events import pb
from nc.domain.evolve import evolve
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.network import Network
from nc.domain.nodes import Unregister
from nc.domain.state import State
from tests.support.histories import (
    NOW_MS,
    address_of,
    after,
    connect,
    disconnect,
    kinds,
    newcomers,
    register,
    started,
    state_of,
)

SMALL = "10.1.1.1/28"  # room for six: .3 .5 .7 .9 .11 .13


def members(state: State, *node_ids: str) -> State:
    """The nodes register, and connect in this order."""
    return after(state, *register(*node_ids), *connect(*node_ids))


def addresses(state: State, *node_ids: str) -> list[str]:
    """What the nodes hold: the last octets."""
    return [address_of(state, node_id).rpartition(".")[2] for node_id in node_ids]


def test_fresh_addresses_come_in_order() -> None:
    """The first nodes get .3, .5 and .7, in the order in which they connect."""
    state = members(started(), "a", "b", "c")
    assert addresses(state, "a", "b", "c") == ["3", "5", "7"]


@pytest.mark.parametrize("network", ["10.1.1.1/24", "10.1.1.9/25", "10.7.255.1/23"])
def test_a_network_is_used_to_its_last_address(network: str) -> None:
    """Each node gets an address of its own until there are none; then nodes are refused."""
    parsed = Network.parse(network)
    room = sum(parsed.address(slot) is not None for slot in range(parsed.slots))
    ids = newcomers()
    everybody = [next(ids) for _ in range(room)]
    state = members(started(network), *everybody)
    assert len({address_of(state, node_id) for node_id in everybody}) == room
    assert len(state.addresses.by_node) == room
    state = after(state, *register("late"))
    with pytest.raises(AddressPoolExhausted) as refused:
        decide(state, AcceptLink("late", "l", NOW_MS, reclaim_after_ms=0))
    assert refused.value.network == network


def test_an_address_stays_with_its_node() -> None:
    """Whoever reconnects, in whatever order, has the address of before, and no event says so."""
    state = after(members(started(), "a", "b", "c"), *disconnect("a", "b", "c"))
    state = after(state, AcceptLink("c", "again", NOW_MS, reclaim_after_ms=0))
    events = decide(state, HandOverAddress("c", "again", NOW_MS, reclaim_after_ms=0))
    assert kinds(events) == ["state_changed"]
    state = after(
        state, HandOverAddress("c", "again", NOW_MS, reclaim_after_ms=0), *connect("b", "a")
    )
    assert addresses(state, "a", "b", "c") == ["3", "5", "7"]


def test_an_address_stays_with_its_node_across_a_crash() -> None:
    """After a start on the same network everybody is idle and holds what it held."""
    state = started(state=members(started(), "a", "b"))
    assert [state_of(state, node_id) for node_id in "ab"] == [ConnectionState.IDLE] * 2
    assert addresses(after(state, *connect("b", "a")), "a", "b") == ["3", "5"]


def test_a_fresh_address_goes_before_a_released_one() -> None:
    """While there are addresses that nobody ever had, released ones rest."""
    state = after(members(started(SMALL), "a", "b"), Unregister("a"))
    state = members(state, "c", "d", "e", "f")
    assert addresses(state, "c", "d", "e", "f") == ["7", "9", "11", "13"]
    assert addresses(members(state, "g"), "g") == ["3"]


def test_a_released_address_is_given_to_one_node_only() -> None:
    """Once a released address is bound again it is no longer free: the next node gets another."""
    state = members(started(SMALL), "a", "b", "c", "d", "e", "f")
    state = members(after(state, Unregister("d"), Unregister("a")), "g", "h")
    assert address_of(state, "g") != address_of(state, "h")
    assert list(state.addresses.released) == []


def test_of_the_released_the_longest_rested_goes_first() -> None:
    """Released addresses are given out in the order in which they were released."""
    state = members(started(SMALL), "a", "b", "c", "d", "e", "f")
    state = after(state, Unregister("d"), Unregister("a"), Unregister("f"))
    state = members(state, "g", "h")
    assert addresses(state, "g", "h") == ["9", "3"]
    state = after(state, Unregister("g"))
    assert addresses(members(state, "i", "j"), "i", "j") == ["13", "9"]


def test_the_longest_idle_gives_its_address_up() -> None:
    """In a full network the newcomer gets the address of the node that went idle first."""
    state = members(started(SMALL), "a", "b", "c", "d", "e", "f")
    state = after(state, *disconnect("e", "b", "a"), *connect("e"), *disconnect("e"))
    state = after(state, *register("g"), AcceptLink("g", "l", NOW_MS, reclaim_after_ms=0))
    events = decide(state, HandOverAddress("g", "l", NOW_MS, reclaim_after_ms=0))
    assert kinds(events) == ["address_released", "address_bound", "state_changed"]
    assert events[0].address_released.node_id == "b"
    assert events[0].address_released.reason == pb.ADDRESS_RELEASE_REASON_RECLAIMED
    state = evolve(state, events)
    assert addresses(state, "b", "g") == ["", "5"]
    state = members(state, "h", "i")
    assert addresses(state, "a", "h", "e", "i") == ["", "3", "", "11"]


def test_whoever_lost_its_address_gets_another() -> None:
    """A node whose address was reclaimed takes part in the same rules when it next connects."""
    state = members(started("10.1.1.1/29"), "a", "b")
    state = members(after(state, *disconnect("a", "b")), "c")
    assert addresses(state, "a", "b", "c") == ["", "5", "3"]
    state = after(state, *connect("a"))
    assert addresses(state, "a", "b", "c") == ["5", "", "3"]
    with pytest.raises(AddressPoolExhausted):
        after(state, *connect("b"))


def test_a_node_that_has_begun_keeps_its_address() -> None:
    """INIT is not idle: its address is not for the taking."""
    state = after(members(started("10.1.1.1/29"), "a", "b"), *disconnect("a"))
    state = after(state, AcceptLink("a", "again", NOW_MS, reclaim_after_ms=0), *register("c"))
    with pytest.raises(AddressPoolExhausted):
        decide(state, AcceptLink("c", "l", NOW_MS, reclaim_after_ms=0))


def test_two_that_were_promised_the_last_address() -> None:
    """Of two nodes that were accepted for one free address the later is refused at hand-over."""
    state = after(members(started("10.1.1.1/29"), "a"), *register("b", "c"))
    state = after(
        state,
        AcceptLink("b", "lb", NOW_MS, reclaim_after_ms=0),
        AcceptLink("c", "lc", NOW_MS, reclaim_after_ms=0),
    )
    state = after(state, HandOverAddress("c", "lc", NOW_MS, reclaim_after_ms=0))
    with pytest.raises(AddressPoolExhausted):
        decide(state, HandOverAddress("b", "lb", NOW_MS, reclaim_after_ms=0))
    assert addresses(state, "a", "b", "c") == ["3", "", "5"]


def test_another_network_rebinds_at_the_next_connection() -> None:
    """After a network change nodes keep the old address until they connect, then get a new one."""
    state = started("10.9.0.1/24", members(started(), "a", "b"))
    assert addresses(state, "a", "b") == ["3", "5"]
    state = after(state, AcceptLink("b", "l", NOW_MS, reclaim_after_ms=0))
    assert address_of(state, "b") == "10.1.1.5"
    events = decide(state, HandOverAddress("b", "l", NOW_MS, reclaim_after_ms=0))
    assert kinds(events) == ["address_released", "address_bound", "state_changed"]
    assert events[0].address_released.reason == pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED
    state = evolve(state, events)
    assert [address_of(state, node_id) for node_id in "ab"] == ["10.1.1.3", "10.9.0.3"]


def test_a_larger_network_around_the_old_one_keeps_addresses() -> None:
    """An address that the new network would give, too, stays; nobody else is given it."""
    state = started("10.1.0.1/16", members(started("10.1.0.1/24"), "a", "b"))
    state = members(after(state, *connect("b")), "c")
    assert [address_of(state, node_id) for node_id in "abc"] == ["10.1.0.3", "10.1.0.5", "10.1.0.7"]


def test_the_server_moves_onto_a_nodes_address() -> None:
    """Whoever holds what is the server's now is given another address."""
    state = started("10.1.1.5/24", members(started(), "a", "b", "c"))
    state = after(state, *connect("a", "b", "c"))
    assert addresses(state, "a", "b", "c") == ["3", "9", "7"]


def test_addresses_of_the_old_network_are_no_use_to_the_new_one() -> None:
    """In a full network a node that still holds an address of the old network is not reclaimed."""
    state = started("10.9.0.1/29", members(started(), "old"))
    state = members(state, "a", "b")
    state = after(state, *register("c"))
    with pytest.raises(AddressPoolExhausted):
        decide(state, AcceptLink("c", "l", NOW_MS, reclaim_after_ms=0))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_no_two_nodes_ever_share(moves: list[tuple[int, bool]]) -> None:
    """However ten nodes come and go in a network of six: each address has one holder."""
    everybody = [str(number) for number in range(10)]
    state = after(started(SMALL), *register(*everybody))
    for number, leaves in moves:
        node_id = str(number)
        try:
            state = after(state, *disconnect(node_id), *([] if leaves else connect(node_id)))
        except AddressPoolExhausted:
            assert len(state.links) == 6
        held = {node: binding.address for node, binding in state.addresses.by_node.items()}
        assert [state.addresses.holder_of(address) for address in held.values()] == list(held)
        assert len(set(held.values())) == len(held)
        assert not set(state.addresses.released) & set(held.values())

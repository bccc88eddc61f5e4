"""A snapshot's payload and a state's digest: the same state, whatever led to it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap, HashTrieSet

from nc.domain.codec.digest import count_entries, digest, entries, joined, parts
from nc.domain.codec.snapshot import decode, encode
from nc.domain.events import AddressBound, Event
from nc.domain.evolve import evolve
from nc.domain.nodes import Unregister
from nc.domain.profile import NO_PROFILE
from nc.domain.state import State
from nc.pb.snapshot_pb2 import StatePart
from tests.support.event_strategies import events as any_event
from tests.support.histories import NOW_MS, after, connect, disconnect, register, started

histories = st.lists(any_event, max_size=40)


def many_nodes(count: int) -> State:
    """Nodes with and without links and addresses, and addresses that were released."""
    names = [f"node-{number}" for number in range(count)]
    state = after(started("10.1.0.1/16"), *register(*names), *connect(*names[: count // 2]))
    return after(state, *disconnect(*names[: count // 3]), *map(Unregister, names[: count // 4]))


@given(histories, histories)
def test_a_state_survives_its_snapshot(past: list[Event], future: list[Event]) -> None:
    """Whatever was folded, sense or nonsense: read back it is the same, and goes on as the same."""
    state = evolve(State(), past, NOW_MS)
    read_back = decode(b"".join(encode(state)), state.seq)
    assert read_back == state
    assert read_back.membership.replicas == state.membership.replicas
    assert digest(read_back) == digest(state)
    assert evolve(read_back, future) == evolve(state, future)


def test_a_snapshot_of_many_parts() -> None:
    """More than goes into one part: nothing is lost between parts, and none of them is large."""
    state = many_nodes(1200)
    parts = list(encode(state))
    assert len(parts) > 9
    assert max(map(len, parts)) < 64 * 1024
    assert decode(b"".join(parts), state.seq) == state


def test_what_is_unusual_is_in_both() -> None:
    """An address held ahead of its turn, and one of somebody who is no node, are not lost."""
    older = after(started("10.1.1.1/29"), *register("a", "b"), *connect("a", "b"))
    state = started("10.1.1.1/24", older)
    assert sorted(state.addresses.ahead) == ["10.1.1.3", "10.1.1.5"]
    stray = Event(address_bound=AddressBound(node_id="nobody", address="9.9.9.9"))
    state = evolve(state, [stray])
    assert decode(b"".join(encode(state)), state.seq) == state
    for changed in (
        replace(state.addresses, ahead=HashTrieSet(["10.1.1.3"])),
        replace(state.addresses, by_node=state.addresses.by_node.remove("nobody")),
    ):
        assert digest(replace(state, addresses=changed)) != digest(state)


def without_ends(state: State) -> State:
    nodes = {key: node._replace(certificates_end_ms=0) for key, node in state.nodes.items()}
    return replace(state, nodes=HashTrieMap(nodes))


@given(histories, histories)
def test_digests_differ_where_states_do(one: list[Event], two: list[Event]) -> None:
    """Equal states have one digest, and different ones have two.

    But for when certificates end, which the digests that released versions recorded leave out.
    """
    states = without_ends(evolve(State(), one)), without_ends(evolve(State(), two))
    assert (digest(states[0]) == digest(states[1])) == (states[0] == states[1])


@given(histories)
def test_a_digest_is_made_of_as_many_entries_as_are_counted(history: list[Event]) -> None:
    """The count that digests are spaced by is that of what they are made of."""
    state = evolve(State(), history)
    assert count_entries(state) == len(list(entries(state)))


def test_a_digest_can_be_made_in_parts() -> None:
    """The parts of a large state make its digest, whatever is done between them."""
    state = many_nodes(400)
    made = list(parts(state))
    assert len(made) > 2
    assert joined(made) == digest(many_nodes(400))
    assert count_entries(state) == len(list(entries(state)))


def test_a_snapshot_of_before_the_key_was_known_is_read() -> None:
    """It lacks a field, which is as good as an empty one."""
    known = replace(many_nodes(20), key_check="0123")
    first, *others = encode(known)
    part = StatePart.FromString(first[4:])  # its length stands before it
    assert part.key_check == "0123"
    part.ClearField("key_check")
    data = part.SerializeToString()
    payload = b"".join([len(data).to_bytes(4, "little"), data, *others])
    assert decode(payload, many_nodes(20).seq) == many_nodes(20)


def test_a_snapshot_of_before_unregistered_nodes_were_remembered_is_read() -> None:
    """It lacks their part, and the state has none of them; with them the digest is another."""
    older = many_nodes(20)
    gone = replace(older, unregistered=HashTrieMap({f"gone-{n}": n + 1 for n in range(600)}))
    payload = b"".join(part for part in encode(gone) if not parsed(part).unregistered.ids)
    assert decode(payload, older.seq) == older
    assert decode(b"".join(encode(gone)), older.seq) == gone
    assert digest(gone) != digest(older)


def parsed(part: bytes) -> StatePart:
    """A part behind its length."""
    return StatePart.FromString(part[4:])


def test_a_digest_stays_what_it_is() -> None:
    """Digests are compared across versions: these are known by heart."""
    state = many_nodes(40)
    assert digest(state).hex() == DIGEST
    nameless = {node_id: node._replace(profile=NO_PROFILE) for node_id, node in state.nodes.items()}
    assert digest(replace(state, nodes=HashTrieMap(nameless))).hex() == DIGEST_WITHOUT_NAMES


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 40, -1, -7])
def test_a_payload_that_is_cut_is_refused(cut: int) -> None:
    """What is no whole payload is a ValueError, whatever is missing."""
    payload = b"".join(encode(many_nodes(20)))
    with pytest.raises(ValueError):  # noqa: PT011 - whichever says so first
        decode(payload[:cut], 0)


def test_no_payload_is_refused() -> None:
    """No bytes at all are no state."""
    with pytest.raises(ValueError, match="without parts"):
        decode(b"", 0)


DIGEST = "ce19734f893f60e71f318bbabc207b364e9b02ca7c0a274676aae368c81a9969"
DIGEST_WITHOUT_NAMES = "ba5f38347086becef2f8d2c62734e2ffa2c241b2b30536632b673bcbf4b43863"

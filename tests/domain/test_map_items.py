"""All items of a persistent map at once, and ids found by how they begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap

from nc.domain.map_items import items_of
from nc.domain.network import Network
from nc.domain.nodes import Node
from nc.domain.operator_errors import NodeReferenceAmbiguous, NodeReferenceUnknown
from nc.domain.references import node_meant
from nc.domain.state import State

ids = st.text("0123456789abcdef", min_size=6, max_size=6)


@given(items=st.dictionaries(st.text(), st.integers()), gone=st.integers(0, 5))
def test_the_items_are_those_of_the_map(items: dict[str, int], gone: int) -> None:
    """Whatever the map was made of, and whatever was removed from it."""
    mapping = HashTrieMap(items)
    for key in list(items)[:gone]:
        mapping = mapping.remove(key)
        del items[key]
    assert dict(items_of(mapping)) == items
    assert len(items_of(mapping)) == len(items)


@given(node_ids=st.sets(ids), more=st.sets(ids), prefix=st.text("0123456789abcdef", max_size=6))
def test_a_prefix_means_the_one_id_that_begins_so(
    node_ids: set[str], more: set[str], prefix: str
) -> None:
    """One is meant, several are ambiguous; also after nodes have come."""
    for registered in (node_ids, node_ids | more):
        state = State(nodes=HashTrieMap({each: Node("t") for each in registered}))
        fitting = sorted(each for each in registered if each.startswith(prefix))
        if len(prefix) < 4 or not fitting:
            with pytest.raises(NodeReferenceUnknown):
                node_meant(state, prefix, str)
        elif len(fitting) == 1:
            assert node_meant(state, prefix, str) == fitting[0]
        else:
            with pytest.raises(NodeReferenceAmbiguous):
                node_meant(state, prefix, str)


@given(prefix=st.integers(20, 29), host=st.integers(1, (1 << 12) - 2))
def test_a_networks_capacity_is_the_number_of_its_addresses(prefix: int, host: int) -> None:
    """Counted without looking at each, wherever the server is in it."""
    size = 1 << (32 - prefix)
    address = host % size
    if address in (0, size - 1):
        return
    network = Network.parse(f"10.1.{address >> 8}.{address & 255}/{prefix}")
    slots = (network.address(slot) for slot in range(network.slots))
    assert network.capacity == sum(each is not None for each in slots)

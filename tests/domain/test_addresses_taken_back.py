"""Addresses that are not given out in their order: of nodes that were taken back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nc.domain.addresses import Addresses, bind, evolve_bound, evolve_released, release
from nc.domain.addresses import TransientAddresses as Pool
from nc.domain.bindings import Reclaim
from nc.domain.errors import AddressPoolExhausted
from nc.domain.events import pb
from nc.domain.network import Network

NETWORK = Network.parse("10.1.1.1/29")
ALL = {a for slot in range(NETWORK.slots) if (a := NETWORK.address(slot)) is not None}
nodes = st.sampled_from([f"n{number}" for number in range(len(ALL) + 3)])
anything = st.sampled_from([*sorted(ALL), "", "10.1.1.1", "10.9.9.9", "10.1.1.0"])


def apply(addresses: Addresses, events: list[pb.Event]) -> Addresses:
    """The pool after these events."""
    pool = Pool(addresses)
    for event in events:
        if event.WhichOneof("kind") == "address_bound":
            evolve_bound(pool, event.address_bound)
        else:
            evolve_released(pool, event.address_released)
    return pool.finish()


def nothing_idle() -> Reclaim:
    """What may be reclaimed: nothing, since every node has a link."""
    return Reclaim(0)


@settings(max_examples=2 * settings().max_examples)
@given(
    steps=st.lists(
        st.tuples(nodes, anything, st.frozensets(anything, max_size=3), st.booleans()), max_size=60
    )
)
def test_no_address_is_given_twice_or_lost(
    steps: list[tuple[str, str, frozenset[str], bool]],
) -> None:
    """A free address that is wanted is given; one to be avoided is not; all remain to be given."""
    addresses = Addresses(NETWORK)
    for node_id, wanted, avoided, leaves in steps:
        held = {binding.address for binding in addresses.by_node.values()}
        if leaves:
            reason = pb.ADDRESS_RELEASE_REASON_UNREGISTERED
            addresses = apply(addresses, release(addresses, node_id, reason))
        elif not addresses.address_of(node_id):
            try:
                addresses = apply(
                    addresses, bind(addresses, node_id, nothing_idle, wanted, avoided)
                )
            except AddressPoolExhausted:
                assert ALL - held <= avoided
                continue
            given_out = addresses.address_of(node_id)
            assert given_out in ALL - held
            if wanted in ALL - held:
                assert given_out == wanted
            else:
                assert given_out not in avoided
    for number in range(len(ALL) - len(addresses.by_node)):
        addresses = apply(addresses, bind(addresses, f"last {number}", nothing_idle))
    assert {binding.address for binding in addresses.by_node.values()} == ALL

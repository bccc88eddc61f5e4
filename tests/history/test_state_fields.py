"""A state in JSON."""

from ipaddress import IPv4Address

from nc.history.state_fields import state_fields
from tests.support.histories import after, connect, register, started


def test_addresses_are_in_numeric_order() -> None:
    """10.1.1.3 comes before 10.1.1.11, and each is with its node."""
    names = [f"node-{number}" for number in range(9)]
    state = after(started(), *register(*names), *(e for name in names for e in connect(name)))
    held = state_fields(state, 0)["addresses"]
    addresses = [each["address"] for each in held]
    assert addresses == sorted(addresses, key=IPv4Address) != sorted(addresses)
    assert {each["node_id"]: each["address"] for each in held} == {
        name: state.addresses.address_of(name) for name in names
    }

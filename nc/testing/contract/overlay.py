"""The overlay network by the contract: the server's address, and those for nodes.

As with the model, nothing in here is taken from `nc.domain`.
"""

from ipaddress import IPv4Address, IPv4Interface

OVERFLOWING_OCTET = 255  # the peer of such an address would be in the next block


def server_address(network: str) -> str:
    """The server's own address in a network; `10.1.1.0/24` stands for host 1."""
    interface = IPv4Interface(network)
    first = interface.network.network_address
    return str(interface.ip if interface.ip != first else first + 1)


def named(network: str) -> str:
    """A network as the server's own address in it: `10.1.1.1/24`, also for `10.1.1.0/24`."""
    return f"{server_address(network)}/{IPv4Interface(network).network.prefixlen}"


def assignable(network: str) -> list[str]:
    """The addresses for nodes: the odd hosts from .3 up, then host 1 unless the server is there."""
    interface = IPv4Interface(network)
    first, last = interface.network.network_address, interface.network.broadcast_address
    server = IPv4Address(server_address(network))
    return [
        str(IPv4Address(number))
        for number in [*range(int(first) + 3, int(last), 2), int(first) + 1]
        if number % 256 != OVERFLOWING_OCTET and abs(number - int(server)) > 1
    ]

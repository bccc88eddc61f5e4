"""The party that a stranger counts as: its address, or for IPv6 the network of it."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

# An IPv6 host usually has a /64 of its own, and can connect from any address of it.
_IPV6_PREFIX_BITS: Final = 64


def party_at(host: str) -> str | None:
    """`192.0.2.1`, `2001:db8::/64`; None for what is no address.

    Args:
        host: an address, with or without a zone; an IPv4 address may be in IPv6's form.
    """
    try:
        ip = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, _IPV6_PREFIX_BITS), strict=False))

"""The names in a server certificate: from texts to subjectAltName entries.

IP addresses and DNS names are different kinds of entries, and clients compare each with its own
kind only. Pure.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from cryptography import x509

from nc.pki.errors import InvalidName
from nc.text import quoted

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

NOT_ITS_NAME: Final = {62, 64}
"""OpenSSL's errors for a certificate for another name, or address (openssl/x509_vfy.h)."""

_DNS_NAME_MAX_CHARACTERS = 253  # RFC 1035, 2.3.4, as text without the final dot

# A label of letters, digits and inner hyphens (RFC 1123, 2.1). Underscores are not legal in host
# names, yet container networks use them and TLS clients accept them.
_DNS_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def server_names(advertised: Iterable[str], overlay_address: str) -> tuple[str, ...]:
    """All names by which clients reach a server: locally, from outside, through the overlay."""
    return (*LOCAL_NAMES, *advertised, overlay_address)


def general_names(names: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """Each name as an IP address or a DNS name, once each, in the order given.

    Raises:
        InvalidName: one of them is neither.
    """
    return tuple(dict.fromkeys(general_name(name) for name in names))


def general_name(name: str) -> x509.GeneralName:
    """A name as an IPv4 or IPv6 address, or a DNS name in lower case.

    Raises:
        InvalidName: it is neither, or carries a port, a prefix length, brackets or a zone.
    """
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return x509.DNSName(_dns_name(name))
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise InvalidName(
            None,
            f"server name {quoted(name)} has a zone, which means nothing on another machine",
            "give the address without the part from the % on",
        )
    return x509.IPAddress(address)


def _dns_name(name: str) -> str:
    folded = name.lower()
    labels = folded.split(".")
    if (
        len(folded) > _DNS_NAME_MAX_CHARACTERS
        or not all(_DNS_LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()  # a mistyped IPv4 address: no top-level domain is a number
    ):
        raise InvalidName(
            None,
            f"server name {quoted(name)} is neither an IP address nor a DNS name",
            "give a plain one, such as 192.0.2.7, 2001:db8::7 or nc.example.com, without port, "
            "prefix length, brackets, wildcard or final dot (international names as xn--...)",
        )
    return folded

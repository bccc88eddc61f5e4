"""The types of settings: which values are allowed, and what the error says of others."""

import re
from datetime import timedelta
from ipaddress import IPv4Interface, IPv4Network, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainValidator

from nc.contract import DEFAULT_METRICS_LISTEN, LARGEST_UINT32
from nc.domain.network import DEFAULT_NETWORK, Network
from nc.durations import parse_duration
from nc.net.overlay import OverlayRefused, require_bounded
from nc.pki.certificates import LEAF_LIFETIME
from nc.pki.errors import InvalidName
from nc.pki.names import general_name

_LAST_PORT = 65_535
_DIGITS = 9  # more than any of our numbers has
_LONGEST_DURATION = 60  # characters
_SHORTEST_LIFETIME = timedelta(minutes=1)
_LONGEST_NETWORK = 60  # characters, which are more than such a network takes
_LONGEST_PATH = 4096  # PATH_MAX
_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_LOWEST_RATE = 0.001


def _whole_number(low: int, high: int, what: str) -> BeforeValidator:
    def check(value: object) -> int:
        text = "" if isinstance(value, bool) else str(value)  # Python would count with true
        is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
        if is_number and low <= int(text) <= high:
            return int(text)
        raise ValueError(f"expected {what}, {low} to {high}")

    return BeforeValidator(check)


def _is_rate(value: object) -> float:
    text = "" if isinstance(value, bool) else str(value)
    if _RATE.fullmatch(text) and (text.strip("0.") == "" or float(text) >= _LOWEST_RATE):
        return float(text)
    raise ValueError(f"expected a number a second, {_LOWEST_RATE:g} or more, or 0 for no limit")


def _is_switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("expected true or false")


def _is_path(value: object) -> Path:
    text = str(value) if isinstance(value, (str, Path)) else ""
    if text and text.isprintable() and len(text) <= _LONGEST_PATH:
        return Path(text)
    raise ValueError(f"expected a path without control characters, at most {_LONGEST_PATH} long")


GuessRate = Annotated[float, BeforeValidator(_is_rate)]
Switch = Annotated[bool, BeforeValidator(_is_switch)]
Folder = Annotated[Path, BeforeValidator(_is_path)]
StreamReplicas = Annotated[int, _whole_number(1, 5, "a number of servers")]
Port = Annotated[int, _whole_number(1, 65_535, "a port number")]
PortOrAny = Annotated[int, _whole_number(0, 65_535, "a port number, or 0 for any that is free")]
Metric = Annotated[int, _whole_number(0, LARGEST_UINT32, "a route's metric, or 0 for none")]
Mtu = Annotated[int, _whole_number(576, 65_535, "a number of bytes")]  # RFC 791: never below 576


def _checked_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    text = str(value)[:_LONGEST_DURATION]
    return timedelta() if text == "0" else parse_duration(text)


def _checked_lifetime(value: object) -> timedelta:
    lifetime = _checked_duration(value)
    if _SHORTEST_LIFETIME <= lifetime <= LEAF_LIFETIME:
        return lifetime
    raise ValueError("expected a duration of 1m to 365d, such as 30d")


# `7d`, `12h`; 0 is none.
Duration = Annotated[timedelta, PlainValidator(_checked_duration)]
Lifetime = Annotated[timedelta, PlainValidator(_checked_lifetime)]
NodeCount = Annotated[int, _whole_number(0, 999_999_999, "a number of nodes, or 0 for any")]


def _checked_network(value: object) -> str:
    try:
        network = str(Network.parse(str(value)[:_LONGEST_NETWORK]))
        require_bounded(IPv4Interface(network))  # nodes take no other
    except (ValueError, OverlayRefused) as error:
        raise ValueError(
            f"{error}; expected the server's IPv4 address and a prefix length, "
            f"such as {DEFAULT_NETWORK}"
        ) from error
    return network


def _checked_name(value: str) -> str:
    try:
        general_name(value)
    except InvalidName as error:
        raise ValueError(str(error)) from error
    return value


def _checked_names(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_checked_name(name) for name in _texts(value)))


def _texts(value: object) -> list[str]:
    """One text or several, separated by commas, or in a list."""
    if isinstance(value, str):
        value = value.split(",")
    if not (
        isinstance(value, (list, tuple)) and value and all(isinstance(one, str) for one in value)
    ):
        raise ValueError("input should be a valid string, or a list of them")
    return [text.strip() for text in value]


def _checked_listen(value: object) -> str:
    try:
        address = ip_address(str(value).removeprefix("[").removesuffix("]"))
    except ValueError:
        address = None
    if address is None or (isinstance(address, IPv6Address) and address.scope_id):
        raise ValueError(
            "expected an IP address of this machine without a port; 0.0.0.0: all of IPv4, [::]: all"
        )
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def checked_metrics_listen(value: object) -> tuple[str, int] | None:
    """`IP:PORT`, or `none`."""
    text = str(value)
    if text == "none":
        return None
    host, colon, port = text.rpartition(":")
    try:
        if not (
            colon and port.isascii() and port.isdecimal() and int(port[:_DIGITS]) <= _LAST_PORT
        ):
            raise ValueError  # noqa: TRY301 - as of a wrong address
        return _checked_listen(host), int(port)
    except ValueError:
        raise ValueError(
            f"expected an IP address of this machine and a port, such as {DEFAULT_METRICS_LISTEN}, "
            "or none"
        ) from None


def _metrics_listen_text(value: object) -> str:
    """The text as it is, checked; an absent one is something else than `none`."""
    checked_metrics_listen(value)
    return str(value)


def _checked_destinations(value: object) -> tuple[IPv4Network, ...]:
    """A list of networks, or one alone."""
    texts = value if isinstance(value, (list, tuple)) else [value]
    try:
        return tuple(IPv4Network(str(text)) for text in texts)
    except ValueError as error:
        raise ValueError(
            f"{error}; expected an IPv4 network, such as 192.0.2.0/24, or 0.0.0.0/0 for all"
        ) from error


Destinations = Annotated[tuple[IPv4Network, ...], BeforeValidator(_checked_destinations)]
NetworkAddress = Annotated[str, BeforeValidator(_checked_network)]

# What goes into the server's certificate; refused here, nothing was made yet.
ServerNames = Annotated[tuple[str, ...], PlainValidator(_checked_names)]

# Where metrics are served: an address and a port, 0 for any that is free; None: nowhere.
MetricsListen = Annotated[tuple[str, int] | None, PlainValidator(checked_metrics_listen)]

MetricsListenText = Annotated[str, PlainValidator(_metrics_listen_text)]  # in a file

# Where a port listens; an IPv6 address in brackets.
ListenAddress = Annotated[str, BeforeValidator(_checked_listen)]


def _checked_servers(value: object) -> tuple[str, ...]:
    """Addresses, IPv6 with brackets or without, or names; the port has a key of its own."""
    texts = _texts(value)
    return tuple(_checked_name(text.removeprefix("[").removesuffix("]")) for text in texts)


# Whom a node connects to: one server's addresses, or those of several.
ServerAddresses = Annotated[tuple[str, ...], PlainValidator(_checked_servers)]


def checked_proxy(value: object) -> str:
    url = urlsplit(str(value))
    try:
        is_proxy = url.scheme == "http" and bool(url.hostname) and url.port is not None
    except ValueError:
        is_proxy = False
    if not is_proxy or url.path.strip("/") or url.query or url.fragment:
        raise ValueError("expected the URL of an HTTP proxy, such as http://192.0.2.9:3128")
    return str(value).rstrip("/")


# An HTTP proxy that connections go through (CONNECT); it may carry a name and a password.
Proxy = Annotated[str, BeforeValidator(checked_proxy)]


def explain(message: str) -> str:
    """What pydantic says of a wrong value, as part of a sentence."""
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]

"""Where a server is, as `HOST:PORT` or `HOST` on a command line."""

import re
from dataclasses import dataclass
from typing import Final

from nc.contract import DEFAULT_BOOTSTRAP_PORT
from nc.text import unwrapped

DEFAULT_IP = "127.0.0.1"

_LAST_PORT = 65_535  # gRPC would count on from 0
_PORT_DIGITS = 5
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST: Final = re.compile(r"[\w.:%-]{1,253}")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a bootstrap token can be redeemed."""

    host: str = DEFAULT_IP
    port: int = DEFAULT_BOOTSTRAP_PORT

    @classmethod
    def parse(cls, text: str) -> "ServerAddress":
        """Read `HOST:PORT`, an IPv6 address in brackets; the default for an empty text.

        A scheme (`https://`) and a path are ignored.

        Raises:
            ValueError: it is neither; the message says what is expected.
        """
        if not text:
            return cls()
        host, _, port = _without_scheme(text).rpartition(":")
        is_number = port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS
        if not (is_number and 0 < int(port) <= _LAST_PORT):
            raise ValueError(f"expected HOST:PORT, with a port from 1 to {_LAST_PORT}")
        return cls(_host(host), int(port))


def read_host(text: str) -> str:
    """A host name or an IP address, which may have brackets.

    Raises:
        ValueError: it is neither, or has a port.
    """
    host = _without_scheme(text)
    name, colon, port = host.rpartition(":")
    is_ipv6 = ":" in name and not name.endswith("]")
    if colon and not is_ipv6 and port.isdecimal():
        raise ValueError(f"it has a port: give the address alone, and --port {port[:_PORT_DIGITS]}")
    return _host(host)


def _without_scheme(text: str) -> str:
    return _SCHEME.sub("", unwrapped(text), count=1).partition("/")[0]


def _host(text: str) -> str:
    host = text.removeprefix("[").removesuffix("]").rstrip(".")
    if not _HOST.fullmatch(host):
        raise ValueError("expected a host name or an IP address")
    return host

"""Where a server is, as `HOST:PORT` on a command line."""

from dataclasses import dataclass

from nc.contract import DEFAULT_BOOTSTRAP_PORT

DEFAULT_IP = "127.0.0.1"

_LAST_PORT = 65_535  # gRPC would count on from 0
_PORT_DIGITS = 5


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a bootstrap token can be redeemed."""

    host: str = DEFAULT_IP
    port: int = DEFAULT_BOOTSTRAP_PORT

    @classmethod
    def parse(cls, text: str) -> "ServerAddress":
        """Read `HOST:PORT`, an IPv6 address in brackets; the default for an empty text.

        Raises:
            ValueError: it is neither.
        """
        host, _, port = text.rpartition(":")
        if not text:
            return cls()
        is_number = port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS
        if not (host and is_number and 0 < int(port) <= _LAST_PORT):
            raise ValueError("expected HOST:PORT")
        return cls(host.strip("[]"), int(port))

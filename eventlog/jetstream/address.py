"""Where a stream is: servers, its name, and the files that a connection needs.

    nats://10.0.0.1,10.0.0.2:4222,10.0.0.3/STREAM?ca=FILE&cert=FILE&key=FILE&creds=FILE&monitor=PORT

A secret is in a file and never in the address, since addresses are written on command lines.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from eventlog.errors import LogError

SCHEMES: Final = ("nats", "tls")
DEFAULT_STREAM: Final = "eventlog"
_DEFAULT_PORT: Final = 4222
_STREAM: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_SERVER: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
_FILES: Final = ("ca", "cert", "key", "creds")
_HIGHEST_PORT: Final = 65535
_FORM: Final = (
    "nats://HOST[:PORT][,HOST…]/STREAM[?ca=FILE&cert=FILE&key=FILE&creds=FILE&monitor=PORT]"
)


class AddressWrong(LogError, ValueError):
    """An address that is not of this form."""

    text = "address {address}: {problem}; expected {form}"

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(address, problem)
        self.address = re.sub("//.*@", "//…@", address)  # a password may be in it
        self.problem = problem
        self.form = _FORM


class StreamAddress(NamedTuple):
    servers: tuple[tuple[str, int], ...]  # hosts and ports
    stream: str
    is_tls: bool
    ca: Path | None  # PEM; None: what the machine trusts
    certificate: Path | None  # the client's, PEM
    key: Path | None
    credentials: Path | None  # a `.creds` file, with a JWT and a seed
    monitor: int | None  # the port, on each server's host, of its monitoring page

    @classmethod
    def parse(cls, address: str) -> "StreamAddress":
        """Read an address.

        Raises:
            AddressWrong: it is none.
        """
        # `urlsplit` of newer versions of Python takes no IPv6 address behind another host.
        text, _, fragment = address.strip().partition("#")
        text, _, query = text.partition("?")
        scheme, _, place = text.partition(":")
        hosts, _, path = place[2:].partition("/") if place.startswith("//") else ("", "", "")
        if "@" in text:
            raise AddressWrong(address, "a password in it can be seen by others; name a creds file")
        if (scheme := scheme.lower()) not in SCHEMES:
            raise AddressWrong(address, "no nats:// or tls:// at its beginning")
        if not hosts:
            raise AddressWrong(address, "it names no host")
        if fragment:
            raise AddressWrong(address, f"“#{fragment}” is no part of it; write %23 for a #")
        stream = path.strip("/") or DEFAULT_STREAM
        if not _STREAM.fullmatch(stream):
            problem = f"“{stream}” as a stream's name, which has letters, digits, - and _"
            raise AddressWrong(address, problem)
        options = _options(address, query)
        monitor = options.get("monitor")
        files = {name: options.get(name) for name in _FILES}
        if (files["cert"] is None) != (files["key"] is None):
            raise AddressWrong(address, "cert and key belong together")
        ca, cert, key, creds = (None if name is None else Path(name) for name in files.values())
        return cls(
            tuple(_server(address, each) for each in hosts.split(",")),
            stream,
            scheme == "tls" or ca is not None or cert is not None,
            ca,
            cert,
            key,
            creds,
            None if monitor is None else _port(address, monitor),
        )

    @property
    def urls(self) -> list[str]:
        scheme = "tls" if self.is_tls else "nats"
        return [f"{scheme}://{host}:{port}" for host, port in self.servers]

    def __str__(self) -> str:
        """Servers and stream, without the files."""
        scheme = "tls" if self.is_tls else "nats"
        return f"{scheme}://{','.join(f'{h}:{p}' for h, p in self.servers)}/{self.stream}"


def _options(address: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    as_typed = query.replace("+", "%2B")  # in forms it is a space, and files have it in their names
    for name, value in parse_qsl(as_typed, keep_blank_values=True):
        if name not in (*_FILES, "monitor"):
            raise AddressWrong(address, f"“{name}” is no option")
        if name in options or not value:
            raise AddressWrong(address, f"“{name}” has {'two values' if value else 'no value'}")
        options[name] = value
    return options


def _server(address: str, text: str) -> tuple[str, int]:
    match = _SERVER.fullmatch(text)
    if match is None:
        raise AddressWrong(address, f"“{text}” is no HOST or HOST:PORT")
    return match["host"], _port(address, match["port"] or str(_DEFAULT_PORT))


def _port(address: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST_PORT):
        raise AddressWrong(address, f"“{text}” is no port")
    return int(text)

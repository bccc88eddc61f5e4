"""Secrets, every form in which one could be written down, and the search for all of them."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_SHORTEST_NEEDLE = 8  # bytes; a shorter one could be there by chance


class Needle(NamedTuple):
    """One form of one secret."""

    name: str
    form: str
    data: bytes


class Canaries:
    """The secrets of one life, by name."""

    def __init__(self) -> None:
        self.needles: list[Needle] = []

    def add_token(self, name: str, token: str) -> None:
        """A token: its text, and the bytes that its digits stand for."""
        self._add(name, "text", token.encode())
        self._add(name, "number", bytes.fromhex(token))
        self._add(name, "decimal", str(int(token, 16)).encode())

    def add_bytes(self, name: str, secret: bytes) -> None:
        self._add(name, "bytes", secret)

    def add_private_key(self, name: str, pem: bytes) -> None:
        """A private key: its PEM, whole and line by line, its DER in both formats, its scalar."""
        lines = pem.decode().strip().splitlines()[1:-1]
        self._add(name, "PEM", pem)
        self._add(name, "PEM in one line", "".join(lines).encode())
        for number, line in enumerate(lines, start=1):
            self._add(name, f"PEM line {number}", line.encode())
        key = load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        for form, format_ in (
            ("SEC1 DER", PrivateFormat.TraditionalOpenSSL),
            ("PKCS8 DER", PrivateFormat.PKCS8),
        ):
            self._add(name, form, key.private_bytes(Encoding.DER, format_, NoEncryption()))
        scalar = key.private_numbers().private_value
        self._add(name, "scalar", scalar.to_bytes(32))
        self._add(name, "scalar backwards", scalar.to_bytes(32, "little"))
        self._add(name, "scalar in decimal", str(scalar).encode())

    def _add(self, name: str, form: str, secret: bytes) -> None:
        for written, data in _written(secret):
            assert len(data) >= _SHORTEST_NEEDLE, (name, form, written)
            self.needles.append(Needle(name, f"{form}, {written}", data))

    def found_in(self, data: bytes) -> list[str]:
        """Which secrets are in there, and how they are written."""
        # What a file was preallocated with holds nothing, and there is much of it.
        data = data.rstrip(b"\0")
        return [f"{needle.name}: {needle.form}" for needle in self.needles if needle.data in data]

    def found_in_folder(self, folder: Path) -> list[str]:
        """As `found_in`, in the name and every byte of every file."""
        return [
            f"{path.name}: {found}"
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            for found in self.found_in(path.name.encode() + b"\n" + path.read_bytes())
        ]


def _written(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """The ways in which a program could write bytes down."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "upper hex", secret.hex().upper().encode()
    yield "hex with colons", secret.hex(":").encode()
    yield "repr", repr(secret)[2:-1].encode()
    for shift in range(3):
        yield f"base64 at {shift}", _base64_within(secret, shift)
        yield (
            f"URL base64 at {shift}",
            _base64_within(secret, shift).translate(bytes.maketrans(b"+/", b"-_")),
        )
    if secret.isascii():
        text = secret.decode()
        yield "UTF-16 LE", text.encode("utf-16-le")
        yield "UTF-16 BE", text.encode("utf-16-be")
        yield "upper case", text.upper().encode()
        yield "backwards", secret[::-1]


def _base64_within(secret: bytes, shift: int) -> bytes:
    """The part of a base64 text that depends on the secret alone, wherever it stands in it."""
    encoded = base64.b64encode(b"\0" * shift + secret)
    whole = (shift + len(secret)) // 3 * 4
    return encoded[4 if shift else 0 : whole]


_TOKEN_LIKE = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{16}(?![0-9A-Fa-f])")


def token_like_words(text: str) -> list[str]:
    """Every word that could be a token: 16 hex digits, no more."""
    return _TOKEN_LIKE.findall(text)

"""A `.creds` file: the JWT and the seed by which a user of NATS is known.

The seed is an Ed25519 private key in base32: two bytes that say whose, 32 of the key, and a CRC-16
(XMODEM). It signs the server's nonce. It is read for each connection, so that a new file serves
from the next one on.
"""

import base64
import binascii
import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.errors import LogUnavailable

_BLOCK: Final = re.compile(
    r"-{3,}BEGIN ([^-\n]+)-{3,}\s*([^-\s][^\s]*)\s*-{3,}END ([^-\n]+)-{3,}", re.MULTILINE
)
_JWT, _SEED = "NATS USER JWT", "USER NKEY SEED"
_SEED_BYTES: Final = 36


class Credentials:
    """The two callbacks that the client asks at every connection.

    Args:
        path: the file.

    Raises:
        LogUnavailable: it cannot be read, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key()

    def jwt(self) -> bytearray:
        return bytearray(self._blocks()[_JWT].encode())

    def sign(self, nonce: str) -> bytes:
        """The signature of the server's nonce, in base64."""
        return base64.b64encode(self._key().sign(nonce.encode()))

    def _blocks(self) -> dict[str, str]:
        try:
            text = self._path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "they are no text"
            raise LogUnavailable(self._path, f"the credentials cannot be read: {why}") from error
        found = {begin.strip(): body for begin, body, _ in _BLOCK.findall(text)}
        if not {_JWT, _SEED} <= found.keys():
            raise LogUnavailable(self._path, f"no credentials: expected “{_JWT}” and “{_SEED}”")
        return found

    def _key(self) -> Ed25519PrivateKey:
        seed = self._blocks()[_SEED]
        try:
            data = base64.b32decode(seed + "=" * (-len(seed) % 8))
        except binascii.Error:
            data = b""
        if (
            len(data) != _SEED_BYTES
            or binascii.crc_hqx(data[:-2], 0).to_bytes(2, "little") != (data[-2:])
        ):
            raise LogUnavailable(self._path, "the seed in the credentials is damaged")
        return Ed25519PrivateKey.from_private_bytes(data[2:34])

"""Random values, and the ids that stand for tokens.

A token is known to its holder alone. What the log, the console and the log lines show instead is
its id, HMAC-SHA256 under a key that lies beside the log and never in it: from the log alone tokens
can neither be read nor guessed.
"""

import hmac
import itertools
import os
import re
from typing import Protocol

TOKEN_HEX_DIGITS = 16
CODE_HEX_DIGITS = 24
LONGEST_TOKEN = 64  # characters; an upstream server's tokens may be longer than ours
_ID_BYTES = 16
_CHECK_TEXT = "which key this is"  # what no token is
SECRET_KEY_BYTES = 32

_ID_PATTERN = re.compile(f"[0-9a-f]{{{2 * _ID_BYTES}}}")
_CODE_PATTERN = re.compile(f"[0-9a-f]{{{CODE_HEX_DIGITS}}}")
_TOKEN_PATTERN = re.compile(f"[0-9a-f]{{{TOKEN_HEX_DIGITS}}}")


class Secrets(Protocol):
    """The source of random values; passed in at the top, as the clock is."""

    def random_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""


class SystemSecrets:
    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)


def new_token(secrets: Secrets) -> str:
    """A bootstrap or node token: 16 hex digits, as existing clients expect."""
    return secrets.random_bytes(TOKEN_HEX_DIGITS // 2).hex()


def new_code(secrets: Secrets) -> str:
    """The code of an invitation: 24 hex digits, and so unlike any token, session and id."""
    return secrets.random_bytes(CODE_HEX_DIGITS // 2).hex()


def new_serial(secrets: Secrets) -> int:
    """A certificate's serial number: positive, at most 20 bytes (RFC 5280, 4.1.2.2)."""
    return int.from_bytes(secrets.random_bytes(20)) >> 1 | 1


def new_session(secrets: Secrets) -> str:
    """The name of one life of a server's process: 20 hex digits, unlike any other and any token."""
    return secrets.random_bytes(10).hex()


def is_well_formed(token: str) -> bool:
    return _TOKEN_PATTERN.fullmatch(token) is not None


def is_code(text: str) -> bool:
    """Whether it could be the code of an invitation."""
    return _CODE_PATTERN.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether it could be the id of a token or node."""
    return _ID_PATTERN.fullmatch(text) is not None


class RequestIds:
    """Ids for requests that came without one: 20 hex digits, unlike any token.

    Half of it tells this process from others, the other half counts: it has to be unique, not
    secret, and random bytes for each would cost a system call.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._prefix = secrets.random_bytes(5).hex()
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"{self._prefix}{next(self._numbers):010x}"


class TokenIds:
    """Turns tokens into the ids that stand for them."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod="sha256")  # copied for each token

    def __repr__(self) -> str:
        return "TokenIds(…)"

    @property
    def key_check(self) -> str:
        """A fingerprint of the key, to detect that it was swapped."""
        return self.id_of(_CHECK_TEXT)

    def node_token_of(self, attempt: str, token_id: str) -> str:
        """The node token of an attempt to enrol with a bootstrap token, the same each time.

        No id gives it away: what is hashed is longer than any text of `id_of`.
        """
        code = self._keyed.copy()
        code.update(f"node token of attempt {attempt} with bootstrap token {token_id}".encode())
        return code.hexdigest()[:TOKEN_HEX_DIGITS]

    def id_of(self, token: str) -> str:
        """The id: HMAC-SHA256(key, token), the first 16 bytes as hex.

        Of a text that is too long for a token only the beginning counts, so that all take the same
        time.
        """
        text = token[:LONGEST_TOKEN].encode("utf-8", "surrogateescape")
        code = self._keyed.copy()
        code.update(text)
        return code.digest()[:_ID_BYTES].hex()

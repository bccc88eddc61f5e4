"""The attempt to enrol: its id and its key, kept before the call, so that a repeat is the same.

    attempt made and kept ──▶ call ──▶ answer kept ──▶ attempt forgotten
                               │
                               └ no answer, or a crash: the kept one is repeated

The server answers a repeated attempt with the same node; it costs no use of the token.
"""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from nc.files import OS_FILES, replace_file
from nc.pki.errors import PkiError
from nc.pki.pem import PrivateKey, load_private_key, private_key_pem
from nc.secrets import Secrets, is_id
from nc.small_files import read_json_object

_MODE: Final = 0o600
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a machine enrols with, beside its bootstrap token."""

    id: str = field(repr=False)
    key: PrivateKey = field(repr=False)


class AttemptFile:
    """The file that keeps an attempt, for one bootstrap token at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load_or_make(self, token_digest: str, secrets: Secrets) -> Attempt:
        """The attempt that was kept for this bootstrap token; else a new one, which is kept.

        Raises:
            OSError: it cannot be kept; or what was kept cannot be read now, and the server may have
                a node for it.
        """
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, AttributeError, PkiError):
            kept = read_json_object(self._path)
            if kept["token"] == token_digest and is_id(kept["attempt"]):
                return Attempt(kept["attempt"], load_private_key(kept["key"].encode()))
        key = ec.generate_private_key(ec.SECP256R1())
        made = Attempt(secrets.random_bytes(_ID_BYTES).hex(), key)
        text = {
            "token": token_digest,
            "attempt": made.id,
            "key": private_key_pem(key).decode(),
        }
        replace_file(OS_FILES, self._path, json.dumps(text).encode(), _MODE)
        return made

    def forget(self) -> None:
        """Begin anew the next time: the answer is kept, or there will be none."""
        self._path.unlink(missing_ok=True)

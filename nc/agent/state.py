"""The state folder: a node's token and certificates, kept across restarts.

node.json         where the server is, the node's token, which folder its certificates are in
certificates-N/   grpc/ and network/, each `ca.pem client.pem client-key.pem`; renewal.json
                  (`nc.agent.node_files`)
attempt.json      an attempt to enrol that was not answered yet (`nc.agent.attempt`)
node-before.json  the node before another token was redeemed: its token, to unregister it with
addresses.json    where else the server may be (`nc.agent.addresses`)
redirect.json     the route to remove at the end (`nc.net.routes`)
lock              held while an agent runs

All files have mode 0600. `node.json` is replaced atomically, after the certificates that it names
were written to a new folder: a crash leaves the old node or the new one.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from nc.agent.attempt import Attempt, AttemptFile
from nc.agent.node_files import NodeFiles, Terms
from nc.certificate_files import FolderPaths
from nc.errors import OperatorError
from nc.files import OS_FILES, replace_file
from nc.permissions import folder_warnings
from nc.pki.errors import PkiError
from nc.pki.identity import read_peer
from nc.secrets import Secrets
from nc.small_files import read_json_object, read_small

_MODE: Final = 0o600

# More than a node and its certificates take, each file in blocks of its own.
_NODE_BYTES: Final = 64 * 1024
_CERTIFICATES: Final = "certificates-"
_FOLDER: Final = re.compile(r"certificates-[0-9]{1,9}")
_LAST_PORT: Final = 65_535


class StateFolderError(OperatorError):
    """The state folder cannot be used."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """A node's token and certificates, and its server's address.

    Attributes:
        host, port: the link port.
        certificates: a folder with `ca.pem client.pem client-key.pem`; None for plain text.
        joined_with: the digest of its invitation; "" if it came from a configuration file.
    """

    token: str = field(repr=False)
    host: str
    port: int
    certificates: Path | None
    joined_with: str = ""

    def node_id(self) -> str | None:
        """The id in its certificate; None if that is missing or unreadable."""
        if self.certificates is None:
            return None
        try:
            pem = read_small(FolderPaths.within(self.certificates).client)
            return read_peer(pem).common_name
        except (OSError, PkiError):
            return None


@dataclass(frozen=True, slots=True)
class CertificateSet:
    """The certificate for one kind of port, its key and its CA; PEM."""

    ca: bytes
    key: bytes = field(repr=False)
    certificate: bytes

    def write(self, folder: Path) -> None:
        OS_FILES.make_folder(folder)
        paths = FolderPaths.within(folder)
        for path, pem in (
            (paths.ca, self.ca),
            (paths.client_key, self.key),
            (paths.client, self.certificate),
        ):
            replace_file(OS_FILES, path, pem, _MODE)


@dataclass(frozen=True, slots=True)
class NodeCertificates:
    """What a node is given.

    Attributes:
        terms: how they are renewed; None: they cannot be.
    """

    grpc: CertificateSet
    network: CertificateSet
    terms: Terms | None = None

    def write(self, folder: Path) -> None:
        self.grpc.write(folder / "grpc")
        self.network.write(folder / "network")
        if self.terms is not None:
            NodeFiles(folder / "network").write_terms(self.terms)


def digest_of(invitation: str) -> str:
    """A digest of `TOKEN@IP:PORT`, to recognise it without keeping the token."""
    return hashlib.sha256(invitation.encode()).hexdigest()


class StateFolder:
    """A state folder; `locked`, `require_room` and `keep` make it if it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.redirect = path / "redirect.json"
        self.addresses = path / "addresses.json"
        self.attempt = AttemptFile(path / "attempt.json")
        self._node = path / "node.json"
        self.node_before = path / "node-before.json"

    def _make(self) -> None:
        OS_FILES.make_folder(self.path)
        folder_warnings(self.path)
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude a second agent as the same node: each would take the link from the other.

        Raises:
            StateFolderError: another agent runs with this folder, or it cannot be made or written.
        """
        with self._explained():
            self._make()
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateFolderError(
                    f"another agent runs with {self.path}; stop it, or choose another folder with "
                    "--state-dir"
                ) from None
            yield
        finally:
            os.close(lock)

    def load(self) -> NodeIdentity | None:
        """The node that is kept here, if there is one.

        Raises:
            StateFolderError: it cannot be read.
        """
        try:
            return self._identity(read_json_object(self._node))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateFolderError(
                f"{self._node} cannot be read: {error.strerror}; check what it is and who "
                "owns it, or name another folder with --state-dir"
            ) from error
        except (ValueError, TypeError) as error:
            problem = error if isinstance(error, ValueError) else "a key is missing or unknown"
            raise StateFolderError(
                f"{self._node} is damaged; move {self.path} away, and join again ({problem})"
            ) from None

    def _identity(self, kept: dict[str, Any]) -> NodeIdentity:
        folder = kept.pop("certificates", None)
        if not (folder is None or (isinstance(folder, str) and _FOLDER.fullmatch(folder))):
            raise ValueError(f"certificates: expected a name such as {_CERTIFICATES}1")
        for name in ("token", "host", "joined_with"):
            text = kept.get(name, "")
            if not (isinstance(text, str) and text.isascii() and text.isprintable()):
                raise ValueError(f"{name}: expected a printable text")
        port = kept.get("port")
        if not (type(port) is int and 0 < port <= _LAST_PORT):
            raise ValueError(f"port: expected a number from 1 to {_LAST_PORT}")
        certificates = None if folder is None else self.path / folder / "network"
        return NodeIdentity(**kept, certificates=certificates)

    def require_room(self) -> None:
        """Check that there is room for a node, before one is registered.

        Raises:
            StateFolderError: there is none.
        """
        probe = self.path / "probe"
        try:
            with self._explained():
                self._make()
                replace_file(OS_FILES, probe, bytes(_NODE_BYTES), _MODE)
        finally:
            probe.unlink(missing_ok=True)

    def attempt_with(self, token_digest: str, secrets: Secrets) -> Attempt:
        """The attempt to enrol with a bootstrap token, kept before it is made.

        Raises:
            StateFolderError: it cannot be kept.
        """
        with self._explained("used"):
            return self.attempt.load_or_make(token_digest, secrets)

    def keep(self, node: NodeIdentity, certificates: NodeCertificates | None) -> NodeIdentity:
        """Keep a node instead of the one before; gives it with its certificates folder.

        Raises:
            StateFolderError: it cannot be written; the node before is still kept.
        """
        with self._explained():
            self._make()
        before = sorted(self.path.glob(f"{_CERTIFICATES}*"))
        folder = self._next_folder(before) if certificates else None
        kept = asdict(node) | {"certificates": folder}
        with self._explained():
            if certificates and folder:
                certificates.write(self.path / folder)
                OS_FILES.sync_folder(self.path)
            if self._node.exists():
                replace_file(OS_FILES, self.node_before, read_small(self._node), _MODE)
            replace_file(OS_FILES, self._node, json.dumps(kept).encode(), _MODE)
        for old in before:
            shutil.rmtree(old, ignore_errors=True)
        kept_in = None if folder is None else self.path / folder / "network"
        return replace(node, certificates=kept_in)

    def _next_folder(self, before: list[Path]) -> str:
        numbers = [int(tail) for p in before if (tail := p.name.rpartition("-")[2]).isdecimal()]
        return f"{_CERTIFICATES}{max(numbers, default=0) + 1}"

    @contextlib.contextmanager
    def _explained(self, done: str = "written") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateFolderError(
                f"state folder {self.path} cannot be {done}: {(error.strerror or '').lower()}; "
                "choose another with --state-dir"
            ) from error

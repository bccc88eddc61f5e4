"""The data folder: everything that a server must keep.

pki/grpc/     the control port's certificates; client*.pem is the admin's set
pki/network/  the link's certificates
log/          the event log
secret.key    the key that token ids are made with; lost, no token is recognised any more
nats/         what NATS asks for, on a machine that an invitation made a replica
replica       with --cluster: the server's name among the others
links.sock    while a server runs: the report of its links, for the folder's owner
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nc.errors import DAMAGED, OperatorError
from nc.files import OS_FILES, replace_file
from nc.permissions import check_secret, folder_warnings
from nc.secrets import SECRET_KEY_BYTES, Secrets
from nc.small_files import read_small

SECRET_KEY_MODE = 0o600

DATA_DIR_VARIABLE = "NC_DATA_DIR"


def default_data_dir() -> Path:
    """The data folder when none is named: the system's for root, the user's own otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/network-controller")
    return home() / ".local" / "share" / "network-controller"


def home() -> Path:
    """The user's folder; / where there is none, as for a user id without a name or HOME."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def data_dir_variable() -> Path | None:
    value = os.environ.get(DATA_DIR_VARIABLE)
    return Path(value) if value else None


class DataFolderError(OperatorError):
    """The data folder cannot be used."""


class DataLost(DataFolderError):
    """Something that an earlier start has left is missing, or does not belong to the rest."""

    exit_code = DAMAGED
    kind = "damaged"


@dataclass(frozen=True, slots=True)
class DataFolder:
    path: Path

    @property
    def grpc_pki(self) -> Path:
        return self.path / "pki" / "grpc"

    @property
    def network_pki(self) -> Path:
        return self.path / "pki" / "network"

    @property
    def nats(self) -> Path:
        return self.path / "nats"

    @property
    def invitation_attempt(self) -> Path:
        """What a start with an invitation leaves until it has filled the folder."""
        return self.path / "invitation.attempt"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def secret_key(self) -> Path:
        return self.path / "secret.key"

    @property
    def replica_name(self) -> Path:
        return self.path / "replica"

    @property
    def links_socket(self) -> Path:
        return self.path / "links.sock"

    @property
    def upstream_database(self) -> Path:
        """Where an upstream server keeps its nodes."""
        return self.path / "db" / "litekube-nc.db"

    def prepare(self) -> None:
        """Make the folder if it is missing, and check that it can be written.

        Raises:
            DataFolderError: it cannot be made or written.
        """
        try:
            OS_FILES.make_folder(self.path)
        except OSError as error:
            raise DataFolderError(
                f"data folder {self.path} cannot be made: {error.strerror}; "
                "choose another with --data-dir, or NC_DATA_DIR"
            ) from error
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            reason = "cannot be written by this user; give it the right to"
            if os.statvfs(self.path).f_flag & os.ST_RDONLY:
                reason = "is on a read-only file system; make that writable"
            raise DataFolderError(
                f"data folder {self.path} {reason}, or choose another with --data-dir, or "
                "NC_DATA_DIR"
            )

    def permission_warnings(self) -> list[str]:
        """Warnings about whom the folders are open to.

        Raises:
            OpenToOthers: other users may write into them, or read the key.
        """
        for secret in (self.secret_key, *sorted(self.nats.glob("*"))):
            check_secret(secret)
        return [*folder_warnings(self.path), *folder_warnings(self.log)]

    def load_secret_key(self, secrets: Secrets) -> bytes:
        """Read the key of the token ids; make it if it is missing.

        Raises:
            DataFolderError: it cannot be read or written, or is not a key.
        """
        path = self.secret_key
        try:
            key = read_small(path)
        except FileNotFoundError:
            return self._make_secret_key(secrets)
        except OSError as error:
            raise DataFolderError(
                f"{path} cannot be read: {error.strerror}; check what it is, and who owns it"
            ) from error
        if len(key) != SECRET_KEY_BYTES:
            raise DataLost(
                f"{path} has {len(key)} bytes, expected {SECRET_KEY_BYTES}; "
                "put it back from a backup"
            )
        return key

    def _make_secret_key(self, secrets: Secrets) -> bytes:
        key = secrets.random_bytes(SECRET_KEY_BYTES)
        try:
            replace_file(OS_FILES, self.secret_key, key, SECRET_KEY_MODE)
        except OSError as error:
            raise DataFolderError(
                f"{self.secret_key} cannot be written: {error.strerror}; "
                "free some space, or choose another folder with --data-dir"
            ) from error
        return key

    @contextlib.contextmanager
    def forgotten_on_failure(self) -> Iterator[None]:
        """Remove the log's files and the key if the block fails: they are new and empty."""
        try:
            yield
        except BaseException:
            of_log = (*self.log.glob("*.seg"), self.log / "lock", self.log / "copy")
            for path in (*of_log, self.secret_key):
                path.unlink(missing_ok=True)
            for folder in (self.log, self.path):
                with contextlib.suppress(OSError):  # it holds other files
                    folder.rmdir()
            raise

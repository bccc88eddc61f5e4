"""The six files of a certificate folder: read as certificates and keys, written whole or not.

    ca.pem      ca-key.pem       the authority
    server.pem  server-key.pem   what this server shows to its clients
    client.pem  client-key.pem   the admin's set

It decides nothing (`folder` does); it remembers what it wrote, and turns what the operating system
refuses into a sentence.
"""

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from nc.certificate_files import FolderPaths
from nc.files import Disk, replace_file, unfinished
from nc.pki.errors import FolderUnusable
from nc.pki.pem import (
    PrivateKey,
    certificate_pem,
    load_certificates,
    load_private_key,
    private_key_pem,
)

KEY_MODE: Final = 0o600
CERTIFICATE_MODE: Final = 0o644  # anybody may see a certificate: every handshake shows it

_REMEDIES: Final = {
    errno.EACCES: "give the user that runs the controller the right to use it",
    errno.EPERM: "give the user that runs the controller the right to use it",
    errno.EROFS: "make it writable, or choose another folder",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EEXIST: "move away the file that stands where a folder should be",
    errno.ENOTDIR: "move away the file that stands where a folder should be",
    errno.EISDIR: "move away the folder that stands where a file should be",
}


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was written: its name, and why ("made: ..." or "renewed: ...")."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} {self.reason}"


@dataclass(frozen=True, slots=True)
class Store:
    """A folder's files while one process has it open.

    Attributes:
        disk: the file operations.
        paths: where the files are.
        made: what was written so far, in order.
    """

    disk: Disk
    paths: FolderPaths
    made: list[Made] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, disk: Disk) -> Iterator["Store"]:
        """Make the folder if need be, keep other processes out, and clear up after a crash.

        Raises:
            FolderUnusable: the folder cannot be made, entered or listed.
        """
        with contextlib.ExitStack() as stack:
            with _explained(folder):
                disk.make_folder(folder)
                stack.enter_context(disk.locked(folder))
            store = cls(disk, FolderPaths.within(folder))
            for path in store.paths.everything():
                # Half a key, perhaps; but closed to others, so one that has to stay does no harm.
                with contextlib.suppress(OSError):
                    disk.remove(unfinished(path))
            yield store

    def certificates(self, path: Path) -> tuple[x509.Certificate, ...]:
        """Read a certificate file; no certificates where there is no file.

        Raises:
            CertificateUnreadable: the file holds none, or a damaged one.
            FolderUnusable: the operating system refuses.
        """
        with _explained(path):
            pem = self.disk.read(path)
        return () if pem is None else load_certificates(pem, path)

    def key(self, path: Path) -> PrivateKey | None:
        """Read a key file; None where there is no file.

        Raises:
            KeyUnreadable: the file holds none, an encrypted one, or one of another kind.
            FolderUnusable: the operating system refuses.
        """
        with _explained(path):
            pem = self.disk.read(path)
        return None if pem is None else load_private_key(pem, path)

    def new_key(self, path: Path) -> PrivateKey:
        """Make a P-256 key and write it, for its owner only; raises FolderUnusable."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(path, private_key_pem(key), KEY_MODE, "made: it was missing")
        return key

    def write_certificate(self, path: Path, certificate: x509.Certificate, reason: str) -> None:
        """Write a certificate in the place of what was there; raises FolderUnusable."""
        self._write(path, certificate_pem(certificate), CERTIFICATE_MODE, reason)

    def key_warnings(self) -> list[str]:
        """Name the keys that others than their owner can get at."""
        warnings = []
        for path in self.paths.secrets():
            with _explained(path):
                mode = self.disk.mode(path)
            if mode & 0o077:
                warnings.append(
                    f"{path}: mode {mode:04o} opens this private key to other users; run "
                    f'"chmod 600 {path}", and replace the key if one of them may have read it'
                )
        return warnings

    def _write(self, path: Path, pem: bytes, mode: int, reason: str) -> None:
        with _explained(path):
            replace_file(self.disk, path, pem, mode)
        self.made.append(Made(path.name, reason))


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderUnusable(
            path,
            f"cannot be used: {error.strerror or type(error).__name__}",
            _REMEDIES.get(error.errno or 0, "see to the disk, then start again"),
        ) from error

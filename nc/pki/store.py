"""Reads and writes the six files of a certificate folder.

    ca.pem      ca-key.pem       the authority
    server.pem  server-key.pem   what this server shows to its clients
    client.pem  client-key.pem   the admin's set

It decides nothing (`folder` does), keeps a list of what it wrote, and turns the operating system's
errors into FolderUnusable.
"""

import contextlib
import errno
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from nc.certificate_files import FolderPaths
from nc.files import Files, replace_file, unfinished
from nc.pki.errors import FolderUnusable
from nc.pki.pem import (
    PrivateKey,
    certificate_pem,
    load_certificates,
    load_private_key,
    private_key_pem,
)

KEY_MODE: Final = 0o600
CERTIFICATE_MODE: Final = 0o644  # public: every handshake sends it
KEPT_MODE: Final = 0o600

# Begins the file of a certificate for the key that the one before was for, so that this is known as
# long as the certificate is. Readers of PEM skip such text (RFC 7468, 2).
RENEWAL: Final = b"Renewed for the same key\n"

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
    """An open folder; `made` lists what was written, in order."""

    files: Files
    paths: FolderPaths
    made: list[Made] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, files: Files) -> Iterator["Store"]:
        """Make the folder if it is missing, lock it, and remove what a crash left.

        Raises:
            FolderUnusable: the folder cannot be made, entered or listed.
        """
        with contextlib.ExitStack() as stack:
            with _explained(folder):
                files.make_folder(folder)
                stack.enter_context(files.locked(folder))
            store = cls(files, FolderPaths.within(folder))
            for path in store.paths.everything():
                # It may be half a key; with mode 0600 it does no harm if it cannot be removed.
                with contextlib.suppress(OSError):
                    files.remove(unfinished(path))
            yield store

    def certificates(self, path: Path) -> tuple[x509.Certificate, ...]:
        """The certificates in a file; none where there is no file.

        Raises:
            CertificateUnreadable: the file holds none, or a damaged one.
            FolderUnusable: the operating system refuses.
        """
        with _explained(path):
            pem = self.files.read(path)
        return () if pem is None else load_certificates(pem, path)

    def key(self, path: Path) -> PrivateKey | None:
        """The key in a file; None where there is no file.

        Raises:
            KeyUnreadable: the file holds none, an encrypted one, or one of another kind.
            FolderUnusable: the operating system refuses.
        """
        with _explained(path):
            pem = self.files.read(path)
        return None if pem is None else load_private_key(pem, path)

    def new_key(self, path: Path, reason: str = "made: it was missing") -> PrivateKey:
        """Make a P-256 key and write it with mode 0600; raises FolderUnusable."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(path, private_key_pem(key), KEY_MODE, reason)
        return key

    def keep(self, path: Path) -> str:
        """Copy a file that is about to be replaced to another name, which is returned.

        Raises:
            FolderUnusable: the operating system refuses.
        """
        with _explained(path):
            content, mode = self.files.read(path) or b"", self.files.mode(path)
            for number in itertools.count(1):
                kept = path.with_name(f"{path.stem}.kept-{number}{path.suffix}")
                there = self.files.read(kept)
                if there is None:
                    self._write(kept, content, mode & KEPT_MODE, f"kept: the old {path.name}")
                if there is None or there == content:  # the same: a crash came after the copy
                    break
        return kept.name

    def write_certificate(
        self, path: Path, certificate: x509.Certificate, reason: str, *, is_renewal: bool = False
    ) -> None:
        """Replace a certificate file; raises FolderUnusable."""
        head = RENEWAL if is_renewal else b""
        self._write(path, head + certificate_pem(certificate), CERTIFICATE_MODE, reason)

    def key_warnings(self) -> list[str]:
        """A warning for each key that other users can read."""
        warnings = []
        for path in self.paths.secrets():
            with _explained(path):
                mode = self.files.mode(path)
            if mode & 0o077:
                warnings.append(
                    f"{path}: mode {mode:04o} opens this private key to other users; run "
                    f'"chmod 600 {path}", and replace the key if one of them may have read it'
                )
        return warnings

    def _write(self, path: Path, pem: bytes, mode: int, reason: str) -> None:
        with _explained(path):
            replace_file(self.files, path, pem, mode)
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

"""The CAs of an upstream server, which signed the certificates of its nodes.

They are used where they are, or copied into a data folder that has none. Whatever is wrong with the
other certificates in their folders is mended by the next start (`nc.pki.folder`).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nc.certificate_files import FolderPaths
from nc.domain.replicas import AuthorityKeys
from nc.errors import OperatorError
from nc.files import OS_FILES, replace_file
from nc.permissions import check_secret, folder_warnings
from nc.pki.authority import CertificateAuthority
from nc.pki.chain import path_of
from nc.pki.store import CERTIFICATE_MODE, KEY_MODE, Store


class AuthorityRefused(OperatorError):
    """A CA is missing, or cannot be taken over."""


class AuthorityFolder(NamedTuple):
    """The folder of one CA: where the upstream server has it, and where ours will look."""

    source: Path
    target: Path


class AuthorityFolders(NamedTuple):
    grpc: AuthorityFolder
    network: AuthorityFolder

    @property
    def targets(self) -> tuple[Path, Path]:
        return self.grpc.target, self.network.target


def read_keys(folders: AuthorityFolders) -> AuthorityKeys:
    """The hashes of the CAs' keys; changes nothing.

    Raises:
        OpenToOthers: a folder is used in place, and a start would refuse it.
        AuthorityRefused: a CA is missing, or another one is where ours would look.
        PkiError: a CA cannot be used.
    """
    return AuthorityKeys(*map(_key_hash, folders))


def _key_hash(folder: AuthorityFolder) -> str:
    if folder.target == folder.source:
        folder_warnings(folder.target)
        for secret in FolderPaths.within(folder.target).secrets():
            check_secret(secret)
    authority = _read(folder.source)
    if authority is None:
        raise AuthorityRefused(
            f"{folder.source} does not hold both ca.pem and ca-key.pem, with which the upstream "
            "server signed its nodes' certificates; name its certificate folders with "
            "--grpc-cert-dir and --network-cert-dir, or its configuration with --config"
        )
    if folder.target != folder.source:
        present = _read(folder.target)
        if present is not None and present.key_hash != authority.key_hash:
            raise AuthorityRefused(
                f"{folder.target} holds another CA than {folder.source}: nodes of the one cannot "
                "connect to a server with the other; import into a new data folder"
            )
    return authority.key_hash


def _read(folder: Path) -> CertificateAuthority | None:
    """The CA of a folder; None if its certificate or its key is missing."""
    paths = FolderPaths.within(folder)
    store = Store(OS_FILES, paths)
    chain, key = store.certificates(paths.ca), store.key(paths.ca_key)
    if not chain or key is None:
        return None
    signing, issuers = path_of(chain, key)
    return CertificateAuthority(signing, key, paths.ca, issuers)


@contextlib.contextmanager
def taken_over(folders: AuthorityFolders) -> Iterator[None]:
    """Copy the files of each folder to where ours will look; taken away again if the block fails.

    A folder that has a CA already, which is the same, stays as it is.

    Raises:
        AuthorityRefused: a file cannot be copied.
    """
    copied: list[Path] = []
    try:
        for folder in folders:
            if folder.target != folder.source and _read(folder.target) is None:
                copied += _copy(folder)
        yield
    except BaseException:
        for path in copied:
            path.unlink(missing_ok=True)
        for folder in folders if copied else ():
            for made in (folder.target, folder.target.parent):
                with contextlib.suppress(OSError):  # it holds other files
                    made.rmdir()
        raise


def _copy(folder: AuthorityFolder) -> Iterator[Path]:
    """Copy what there is of the six files; yields each that was made."""
    source, target = FolderPaths.within(folder.source), FolderPaths.within(folder.target)
    path = folder.target
    try:
        OS_FILES.make_folder(path)
        for file, path in zip(source.everything(), target.everything(), strict=True):
            content = OS_FILES.read(file)
            if content is not None and not path.exists():
                mode = KEY_MODE if path in target.secrets() else CERTIFICATE_MODE
                replace_file(OS_FILES, path, content, mode)
                yield path
    except OSError as error:
        raise AuthorityRefused(
            f"{folder.source} cannot be copied to {path}: {error.strerror}; remove the cause, and "
            "import again"
        ) from error

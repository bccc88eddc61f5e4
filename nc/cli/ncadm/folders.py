"""The folders that `ncadm get-token` and `ncadm admins issue` write certificates to.

They are checked before the server is called: it hands out what is written there only once.
"""

import base64
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nc.certificate_files import FolderPaths
from nc.cli.entrypoint import OperationFailed
from nc.files import OS_FILES, replace_file


@contextlib.contextmanager
def prepared(*folders: Path) -> Iterator[None]:
    """Make the missing folders; remove them again if the `with` block fails."""
    above = {path for folder in folders for path in (folder, *folder.parents)}
    missing = [path for path in above if not path.exists()]
    try:
        for folder in folders:
            _prepare_folder(folder)
        yield
    except BaseException:
        for path in sorted(missing, reverse=True):  # the inner ones first
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _prepare_folder(folder: Path) -> None:
    """Make a folder for certificates, and check that it can be written.

    Raises:
        OperationFailed: it cannot, or other certificates would be overwritten.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = FolderPaths.within(folder)
        for path in (paths.ca_key, paths.server_key):
            if path.exists():
                raise OperationFailed(
                    f"{folder} is a server's: {path.name} is in it; choose another folder"
                )
        if paths.client_key.exists():
            raise OperationFailed(
                f"{folder} has certificates already, with the only copy of their key: "
                "choose another folder, or move them away"
            )
        for path in (paths.ca, paths.client):
            if path.is_dir():
                raise OperationFailed(f"{path} is a folder; choose another place")
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OperationFailed(
            f"{folder} cannot be written: {error.strerror}; choose another folder"
        ) from error


def write_set(folder: Path, ca: str, key: str, certificate: str) -> None:
    """Write one set of certificates, readable by its owner only."""
    paths = FolderPaths.within(folder)
    for path, text in ((paths.ca, ca), (paths.client_key, key), (paths.client, certificate)):
        try:
            replace_file(OS_FILES, path, base64.b64decode(text), 0o600)
        except OSError as error:
            raise OperationFailed(
                f"{path} cannot be written: {error.strerror}; the node is registered, but without "
                "certificates: free some space, and join again"
            ) from error

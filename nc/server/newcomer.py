"""A data folder is filled with what the other replicas have, for a machine that was invited.

    attempt kept ──▶ call ──▶ files written, secret.key last ──▶ attempt forgotten
                       │
                       └ no answer, or a crash: the next start repeats the attempt

A folder with `secret.key` and both CAs is filled, and an invitation is ignored. One that was not
filled to its end is refused without the invitation.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.certificate_files import FolderPaths
from nc.data_folder import SECRET_KEY_MODE, DataFolder, DataFolderError
from nc.errors import OperatorError
from nc.files import OS_FILES, replace_file
from nc.replica_secrets import NATS_FILES, ReplicaSecrets
from nc.secrets import SECRET_KEY_BYTES, Secrets, is_id
from nc.server import first_start
from nc.server.certificates import authority_folders
from nc.server.cluster import replica_name
from nc.server.settings import ServerSettings
from nc.small_files import read_json_object

_SECRET_MODE: Final = 0o600
_PUBLIC_MODE: Final = 0o644  # as of every CA's certificate
_ATTEMPT_BYTES: Final = 16

# Redeems an invitation, with an attempt and the name of this server. Raises InvitationRefused if no
# other try can succeed.
Redeem = Callable[[str, str], Awaitable[ReplicaSecrets]]


class InvitationRefused(OperatorError):
    """The invitation cannot be redeemed: another start with it changes nothing."""


async def fill(
    settings: ServerSettings,
    code: str,
    redeem: Redeem,
    secrets: Secrets,
    logger: FilteringBoundLogger,
) -> None:
    """Fill the data folder, unless it is.

    Args:
        settings: name the folders.
        code: the invitation's, to know its attempt again.
        redeem: asks a live replica.
        secrets: give the attempt.
        logger: gets a line of what was done.

    Raises:
        DataFolderError: it cannot be written, or has something of another server.
        InvitationRefused: and what else `redeem` raises.
    """
    folder = DataFolder(settings.data_dir)
    folder.prepare()
    folder.permission_warnings()  # raises where others could put files
    if _is_filled(settings, folder):
        folder.invitation_attempt.unlink(missing_ok=True)
        message = f"{folder.path} has its keys, so the invitation is ignored, and may be removed"
        logger.info(log_events.REPLICA_INVITATION_IGNORED, message=message)
        return
    is_new = not folder.invitation_attempt.exists()
    if is_new:
        _require_empty(settings, folder)
    name = replica_name(folder, secrets)
    try:
        given = await redeem(_attempt(folder, code, secrets), name)
    except InvitationRefused:
        if is_new:
            folder.invitation_attempt.unlink(missing_ok=True)
        raise
    _write(settings, folder, given)
    folder.invitation_attempt.unlink()
    logger.info(log_events.REPLICA_ADMITTED, folder=str(folder.path))


def require_finished(folder: DataFolder) -> None:
    """Check that no start was interrupted while it filled the folder.

    Raises:
        DataFolderError: one was.
    """
    if folder.invitation_attempt.exists() and not folder.secret_key.exists():
        raise DataFolderError(
            f"{folder.path} was not filled to its end: a start with an invitation was interrupted; "
            "start with the same --invite again, or choose an empty folder"
        )


def _is_filled(settings: ServerSettings, folder: DataFolder) -> bool:
    authorities = map(FolderPaths.within, authority_folders(settings, folder))
    files = [path for each in authorities for path in (each.ca, each.ca_key)]
    return all(path.exists() for path in (*files, folder.secret_key))


def _require_empty(settings: ServerSettings, folder: DataFolder) -> None:
    """Check that nothing of another server is there.

    Raises:
        DataFolderError: something is.
    """
    there = first_start.look(folder, authority_folders(settings, folder))
    of_authorities = [a.folder for a in there.authorities if a.has_certificate or a.has_key]
    left = [*there.traces, *of_authorities, *([there.log] if there.segments else [])]
    if left:
        raise DataFolderError(
            f"an invitation fills an empty data folder, and {left[0]} is there: move it away, or "
            "choose another folder with --data-dir"
        )


def _attempt(folder: DataFolder, code: str, secrets: Secrets) -> str:
    """The attempt that was kept for this invitation; else a new one, which is kept.

    Raises:
        DataFolderError: it cannot be kept; or the one that was cannot be read, and no other redeems
            the invitation.
    """
    path, digest = folder.invitation_attempt, sha256(code.encode()).hexdigest()
    try:
        kept = read_json_object(path)
        if kept["invitation"] == digest and is_id(kept["attempt"]):
            return str(kept["attempt"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # there is none, or not for this invitation
    except OSError as error:
        raise DataFolderError(
            f"{path} cannot be read: {error.strerror}; see to that, and start with the same "
            "invitation again"
        ) from error
    attempt = secrets.random_bytes(_ATTEMPT_BYTES).hex()
    text = json.dumps({"invitation": digest, "attempt": attempt})
    _replace(path, text.encode(), _SECRET_MODE)
    return attempt


def _write(settings: ServerSettings, folder: DataFolder, given: ReplicaSecrets) -> None:
    if len(given.secret_key) != SECRET_KEY_BYTES:
        raise DataFolderError(
            f"what was given has {len(given.secret_key)} bytes as secret.key, expected "
            f"{SECRET_KEY_BYTES}; see to the server that gave it"
        )
    for path, data, mode in _files(settings, folder, given):
        _replace(path, data, mode)


def _files(
    settings: ServerSettings, folder: DataFolder, given: ReplicaSecrets
) -> Iterator[tuple[Path, bytes, int]]:
    """What is to be written; the last one is what shows that nothing is missing."""
    folders = authority_folders(settings, folder)
    for path, authority in zip(folders, (given.grpc, given.network), strict=True):
        paths = FolderPaths.within(path)
        yield paths.ca_key, authority.key_pem, _SECRET_MODE
        yield paths.ca, authority.certificate_pem, _PUBLIC_MODE
    for name, data in given.nats.items():
        yield folder.nats / NATS_FILES[name], data, _SECRET_MODE
    yield folder.secret_key, given.secret_key, SECRET_KEY_MODE


def _replace(path: Path, data: bytes, mode: int) -> None:
    try:
        OS_FILES.make_folder(path.parent)
        replace_file(OS_FILES, path, data, mode)
    except OSError as error:
        raise DataFolderError(
            f"{path} cannot be written: {error.strerror}; free some space, or choose another "
            "folder with --data-dir, and start with the same invitation again"
        ) from error

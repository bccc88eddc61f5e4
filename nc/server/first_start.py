"""Whether a start is the first one: what is absent is made only where nothing was before.

    look ──▶ decide ──▶ the log is opened ──▶ check ──▶ certificates are opened
                └───────────── DataLost ──────┴──▶ with --new-cluster: set aside, and begin anew

`decide` and `check` are pure over what `look` lists. A certificate authority and a log know each
other: a mark beside the CA's certificate has the log's id, and the log has the hashes of the CAs'
keys (`ReplicaStarted`). A folder of certificates without a mark is another server's, or an older
version's, and is used as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from nc.certificate_files import FolderPaths
from nc.data_folder import DataFolder, DataFolderError, DataLost
from nc.files import OS_FILES, replace_file

MARK_NAME: Final = "log-id"  # beside the CA's certificate
_MARK_MODE: Final = 0o644
_KEPT: Final = "replaced-"  # and the time: a folder of what a new cluster has replaced

# In the data folder: what a server, its tools and an agent leave there.
_TRACES: Final = (
    *("secret.key*", "links.sock", "node.json"),
    *("*.jsonl*", "*.tar", "*.tar.*", "*.tgz", "*.zip", "*.7z"),
)
# In any folder below it: the files of a log, also compressed or renamed.
_OF_A_LOG: Final = ("*.seg", "*.seg.*", "*.snapshot", "*.snapshot.*")
# In the log's folder: what a first start that crashed leaves there.
_UNFINISHED: Final = ("lock", "*.tmp", "lost+found", f"{_KEPT}*")

_SHOWN: Final = 4

_INVITE: Final = (
    "to start a further server of that cluster, use an invitation (ncadm replicas invite) and an "
    "empty data folder; else "
)


class Start(Enum):
    """What kind of start this is."""

    FIRST = "first"
    TAKES_OVER = "takes over"  # the first one, with the certificates of another server
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """What there is of a certificate authority; `mark` is the id of its log, in hex."""

    folder: Path
    has_certificate: bool
    has_key: bool
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is before a start makes anything.

    Attributes:
        log: its folder.
        segments: it has at least one.
        traces: files that an earlier start, its tools or an agent have left, without certificates.
    """

    log: Path
    secret_key: Path
    segments: bool
    has_secret_key: bool
    traces: tuple[Path, ...]
    authorities: tuple[AuthorityFiles, ...]
    stream: str = ""  # which keeps the log, if one does; in the folder is a copy then

    @property
    def log_name(self) -> str:
        return self.stream or str(self.log)


def look(folder: DataFolder, authority_folders: tuple[Path, ...]) -> Listing:
    """List what there is.

    Raises:
        DataFolderError: a folder cannot be read.
    """
    try:
        in_log = _names(folder.log)
        in_data = _names(folder.path)
        traces = [folder.log / n for n in in_log if not _matches(n, _UNFINISHED)]
        traces += [
            folder.path / name
            for name in in_data
            if _matches(name, _TRACES + _OF_A_LOG) or _is_moved_log(folder.path / name, folder.log)
        ]
        authorities = tuple(_look_at_authority(path) for path in authority_folders)
    except OSError as error:
        raise DataFolderError(
            f"{error.filename} cannot be read: {error.strerror}; "
            "give the user that runs the controller the right to"
        ) from error
    return Listing(
        log=folder.log,
        secret_key=folder.secret_key,
        segments=any(name.endswith(".seg") for name in in_log),
        has_secret_key=folder.secret_key.exists(),
        traces=tuple(traces),
        authorities=authorities,
    )


def decide(there: Listing) -> Start:
    """What kind of start this is, before the log is opened; of a stream, if there is none.

    Raises:
        DataLost: the log has no segment, or is missing, and something of an earlier start is there.
    """
    if there.segments and not there.stream:
        return Start.AGAIN
    marked = [each.folder / MARK_NAME for each in there.authorities if each.mark is not None]
    if left := [*there.traces, *marked]:
        missing = [f"the stream {there.stream}" if there.stream else there.log / "*.seg"]
        raise DataLost(_lost(missing, left), remedy=_put_back(there))
    has_authority = any(each.has_certificate or each.has_key for each in there.authorities)
    return Start.TAKES_OVER if has_authority else Start.FIRST


def check(there: Listing, log_id: str, *, log_is_empty: bool) -> None:
    """Check that a log that was opened has its key and its certificate authorities.

    Raises:
        DataLost: one is missing though the log has events, or is that of another log.
    """
    for each in there.authorities:
        if each.mark not in (None, log_id):
            raise DataLost(
                f"the certificate authority in {each.folder} is that of another log ({each.mark}, "
                f"and {there.log_name} is {log_id}): no node that one of them knows is known to "
                "the other",
                remedy=f"put both back from the same backup; {_begin_anew(there)}",
            )
    if log_is_empty:
        return
    missing: list[Path | str] = [] if there.has_secret_key else [there.secret_key]
    missing += [FolderPaths.within(a.folder).ca_key for a in there.authorities if not a.has_key]
    if missing:
        invite = "" if there.has_secret_key or not there.stream else _INVITE
        raise DataLost(_lost(missing, [there.log_name]), remedy=invite + _put_back(there))


def mark(folders: tuple[Path, ...], log_id: str) -> Iterator[str]:
    """Write the log's id beside each CA; gives a warning for each folder that is read-only."""
    for folder in folders:
        path = folder / MARK_NAME
        if _read_mark(path) == log_id:
            continue
        try:
            replace_file(OS_FILES, path, f"{log_id}\n".encode(), _MARK_MODE)
        except OSError as error:
            yield (
                f"{path} cannot be written: {error.strerror}; make its folder writable: the file "
                "says which log this CA belongs to, which a start checks"
            )


def set_aside(there: Listing, now: datetime) -> list[Path]:
    """Move what a new cluster replaces into a folder beside it; gives these folders.

    Files are moved within their folder, which may be the root of a volume.

    Raises:
        DataFolderError: a file cannot be moved; those before it have been.
    """
    kept = f"{_KEPT}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    files = [*there.traces, *([there.secret_key] if there.has_secret_key else [])]
    for each in there.authorities:
        files += (*FolderPaths.within(each.folder).everything(), each.folder / MARK_NAME)
    moved: dict[Path, None] = {}
    for path in dict.fromkeys(files):
        if not path.exists() and not path.is_symlink():
            continue
        target = path.parent / kept
        try:
            OS_FILES.make_folder(target)
            path.rename(target / path.name)
            OS_FILES.sync_folder(path.parent)
        except OSError as error:
            raise DataFolderError(
                f"{path} cannot be moved to {target}: {error.strerror}; move it elsewhere by hand"
            ) from error
        moved[target] = None
    return list(moved)


def _begin_anew(there: Listing) -> str:
    where = " and with a stream that is not there yet" if there.stream else ""
    return (
        "for a new cluster, which no node of the old one can use, start with --new-cluster"
        f"{where}: it keeps what is there in a folder of its own"
    )


def _put_back(there: Listing) -> str:
    return (
        "put back what is missing (is its volume mounted? is it compressed or moved?) or restore "
        f"all of it from one backup (docs/how-to/backup.md); {_begin_anew(there)}"
    )


def _lost(missing: Sequence[Path | str], left: Sequence[Path | str]) -> str:
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    found = ", ".join(map(str, left[:_SHOWN])) + more
    absent = " and ".join(map(str, missing)) + (" is" if len(missing) == 1 else " are")
    return f"this is not a first start: {absent} missing, and there is {found}"


def _look_at_authority(folder: Path) -> AuthorityFiles:
    paths = FolderPaths.within(folder)
    return AuthorityFiles(
        folder, paths.ca.exists(), paths.ca_key.exists(), _read_mark(folder / MARK_NAME)
    )


def _read_mark(path: Path) -> str | None:
    try:
        content = OS_FILES.read(path)
    except NotADirectoryError:  # opening the certificates says what is wrong
        return None
    return None if content is None else content.decode("ascii", "replace").strip()


def _is_moved_log(path: Path, log: Path) -> bool:
    if path == log or path.name.startswith(_KEPT) or not path.is_dir():
        return False
    return any(_matches(name, _OF_A_LOG) for name in _names(path))


def _names(folder: Path) -> list[str]:
    """The names in a folder; none if it is not there."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)

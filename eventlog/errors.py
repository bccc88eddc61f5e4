"""What can go wrong with a log: one tree, each error with the fields that explain it.

A message says what, where, what was expected and what to do. An application that has a command for
repairs names it with `LogDamaged.describe`.
"""

from pathlib import Path
from typing import ClassVar

COPY_AGAIN = (
    "if it was copied, copy it again from where it is whole, or put it back from a backup: the "
    "events that the file has lost were acknowledged"
)
UPGRADE = "open it with the version of the program that wrote it, or a newer one"


class LogError(Exception):
    """Every error of this package."""

    text: ClassVar[str]  # a message with the names of the error's fields

    def __str__(self) -> str:
        return self.text.format_map(vars(self))


class SequenceConflict(LogError):
    """Something else was appended first; nothing was written."""

    text = (
        "the log ends at sequence number {actual}, expected {expected}; "
        "read what was missed and decide again"
    )

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(expected, actual)
        self.expected = expected  # the caller's idea of the last sequence number
        self.actual = actual  # the last durable sequence number


class RecordTooLarge(LogError):
    """A payload is larger than a record may be; nothing was written."""

    text = "a payload of {size_bytes} bytes, at most {limit_bytes} expected; append it in parts"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class FollowerBehind(LogError):
    """A follower's consumer is too slow for what is appended; it missed nothing yet."""

    text = (
        "the log ends at sequence number {last_seq}, and its follower is still at {after}, further "
        "behind than it wanted to be; follow it again after {after}, or begin anew at its end"
    )

    def __init__(self, after: int, last_seq: int) -> None:
        super().__init__(after, last_seq)
        self.after = after  # the last event that the follower gave: where to resume
        self.last_seq = last_seq  # of the log


class _WithReason(LogError):
    """An error of which the reason is known in words."""

    def __init__(self, log: Path | str, reason: str) -> None:
        super().__init__(log, reason)
        self.log = log  # the folder, or another name of the log
        self.reason = reason  # in one line


class LogUnavailable(_WithReason):
    """The log cannot be used; the outcome of an append under way is unknown.

    After a failed append the log stays closed for writing: the next open finds out whether its
    bytes reached the disk. Reading continues.
    """

    text = "log {log}: {reason}; expected a usable log: remove the cause, then open it again"


class LogUnreachable(LogUnavailable):
    """The servers that keep a log do not answer, or have no majority: nothing was refused."""

    text = (
        "log {log}: {reason}; expected an answer from the servers that keep it: "
        "check that they run, the address and the network, then try again"
    )


class SyncFailed(LogUnavailable):
    """An fsync failed, and repeating it would prove nothing.

    After a failed fsync the kernel may call pages clean that never reached the disk. The process
    should end: the next one to open the log writes them again.
    """

    text = (
        "log {log}: {reason}; expected a disk that keeps what it is given: "
        "see what the kernel's log says about it, then start again"
    )


class WriterReplaced(LogUnavailable):
    """Another writer has the log now; this one wrote nothing over it.

    It happens where the lock does not hold: its file was removed, or the file system has no locks.
    The state of this process may be out of date, so it should end.
    """

    text = (
        "log {log}: {reason}; expected to be its only writer: "
        "stop one of the two, keep the log on a local disk, and leave its lock file alone"
    )


class LogRewound(LogUnavailable):
    """Events that were in the log are not there any more, or others are in their place.

    Whatever was built on them is wrong: a writer has to stop, a reader to begin at the start.
    """

    text = (
        "log {log}: {reason}; expected a log that only grows: it was put back from an older copy, "
        "or another one is in its place; put the right one back, or read this one from the start"
    )


class RepairFailed(LogUnavailable):
    """A repair did not begin, or did not complete; no original is lost."""

    text = (
        "log {log} was not repaired: {reason}; no original is lost: "
        "remove the cause, then look at it again"
    )


class LogLacking(_WithReason):
    """Descriptors, memory or a right are lacking for now: nothing was appended.

    The log stays open for reading, and takes appends again as soon as the lack is over.
    """

    text = (
        "log {log}: {reason}; nothing was written: "
        "remove the cause, such as a limit of open files, and appending goes on"
    )


class LogBusy(_WithReason):
    """A log on several machines has no majority for now: whether the append happened is open.

    The log goes on finding that out, before anything else is appended. What was appended after all
    is read as any other record. Reading goes on; appending does when a majority is there again.
    """

    text = (
        "log {log}: {reason}; expected an answer from a majority of the servers that keep it: "
        "the outcome is open; bring them back, and appending goes on"
    )


class LogFull(LogLacking):
    """The disk has no room: nothing was appended."""

    text = (
        "log {log}: {reason}; expected room for the next record: "
        "free some space, and appending goes on"
    )


class SnapshotFailed(LogError):
    """A snapshot could not be written. The log is whole without it."""

    text = (
        "snapshot {snapshot}: {reason}; expected a file that can be written: "
        "the log is whole without it, and the next start only takes longer"
    )

    def __init__(self, snapshot: Path | str, reason: str) -> None:
        super().__init__(snapshot, reason)
        self.snapshot = snapshot  # its file
        self.reason = reason


class LogMissing(LogError):
    """There is no log in a folder that is to be read."""

    text = (
        "folder {folder}: no segment found, expected at least one <20 digits>.seg; "
        "name the folder that the log's writer uses"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder


class LogLocked(LogError):
    """Another writer holds the log."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(folder, pid)
        self.folder = folder
        self.pid = pid  # of the holder; None in the moment before it has written it down

    def __str__(self) -> str:
        holder = "another process" if self.pid is None else f"process {self.pid}"
        return (
            f"log {self.folder}: {holder} holds it, and a log has one writer; "
            f"stop that process, or only read"
        )


class LogDamaged(LogError):
    """What is stored is not what was written, and a crash does not explain it.

    Nothing was changed on disk: only `eventlog.repair` changes a damaged log.
    """

    def __init__(
        self,
        file: Path,
        offset: int,
        seq: int,
        found: str,
        expected: str,
        *,
        advice: str | None = None,
        repairable: bool = False,
    ) -> None:
        super().__init__(file, offset, seq, found, expected)
        self.file = file
        self.offset = offset  # bytes from the start of the file
        self.seq = seq  # the first event of the record that should be there
        self.found = found
        self.expected = expected
        self.advice = advice  # what to do first, if that is not a repair
        self.repairable = repairable or advice is None  # whether a repair may help

    def describe(self, repair_hint: str) -> str:
        """The message, with `repair_hint` at its end if a repair may help."""
        where = f"segment {self.file}, offset {self.offset}, record {self.seq}"
        problem = f"{where}: {self.found}, expected {self.expected}"
        hint = repair_hint if self.repairable else None
        return "; ".join(part for part in (problem, self.advice, hint) if part)

    def __str__(self) -> str:
        return self.describe("plan_repair of eventlog.repair says what can be saved")

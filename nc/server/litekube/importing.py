"""Imports an upstream server's database into a data folder: all of it, or nothing."""

import asyncio
import contextlib
import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import eventlog
from nc.clock import Clock
from nc.data_folder import DataFolder, DataLost
from nc.domain.decide import Command
from nc.domain.events import Event
from nc.domain.network import Network
from nc.domain.state import State
from nc.history.as_of import states_at
from nc.history.events import Point
from nc.replica.batch import Origin
from nc.replica.errors import Unwritable
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.secrets import SECRET_KEY_BYTES, Secrets, TokenIds
from nc.server import first_start
from nc.server.litekube.authorities import read_keys, taken_over
from nc.server.litekube.decision import Import, decide
from nc.server.litekube.plan import Plan

_NEW_FOLDER: Final = "import into a new data folder"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was imported, or would be.

    Attributes:
        events: of the import; none where it would be refused.
        ids_are_final: whether the import gives the same ids; a new data folder has no key yet.
        refusal: why it would be refused; None: it would not.
        warnings: sentences for the operator.
    """

    plan: Plan
    network: Network
    events: tuple[Event, ...]
    ids_are_final: bool
    refusal: Exception | None = None
    warnings: tuple[str, ...] = ()


def try_import(given: Import, clock: Clock, secrets: Secrets) -> Outcome:
    """What an import would do; changes nothing.

    Raises:
        OperatorError, LogError: the folder or the CAs cannot be used at all.
    """
    folder, keys = given.folder, read_keys(given.authorities)
    there = _look(given)
    state, warnings = State(), []
    if there.segments:
        log_id, state = _read_log(folder)
        _check(there, log_id, state.seq)
        if _is_served(folder):
            warnings.append(f"a server runs on {folder.path}: stop it before the import")
    key = secrets.random_bytes(SECRET_KEY_BYTES)
    if there.has_secret_key:
        key = folder.load_secret_key(secrets)
    decision = decide(given, state, keys, TokenIds(key), clock, secrets)
    return Outcome(
        decision.plan,
        decision.network,
        decision.events,
        ids_are_final=there.has_secret_key,
        refusal=decision.refusal,
        warnings=tuple(warnings),
    )


def import_database(given: Import, clock: Clock, secrets: Secrets) -> Outcome:
    """Import a database.

    Raises:
        ImportFailed: something does not fit; nothing was changed.
        OperatorError, LogError: the folder or the CAs cannot be used; likewise.
    """
    folder, keys = given.folder, read_keys(given.authorities)
    folder.prepare()
    warnings = folder.permission_warnings()
    there = _look(given)
    log = eventlog.open(folder.log, now_ns=clock.now_ns, random_bytes=secrets.random_bytes)
    with contextlib.closing(log):
        if (cut := log.recovery) is not None:
            warnings.append(
                f"{cut.torn_bytes} bytes after event {cut.last_seq}, which a crash left "
                f"unfinished, were cut from the log, and kept in {cut.kept_in}"
            )
        log_id = log.log_id.hex()
        _check(there, log_id, log.last_seq)
        with contextlib.nullcontext() if log.last_seq else folder.forgotten_on_failure():
            token_ids = TokenIds(folder.load_secret_key(secrets))
            _, state = _read_log(folder)
            decision = decide(given, state, keys, token_ids, clock, secrets)
            if decision.refusal is not None:
                raise decision.refusal
            with taken_over(given.authorities):
                asyncio.run(_append(log, clock, decision.commands))
    warnings += first_start.mark(given.authorities.targets, log_id)
    return Outcome(
        decision.plan,
        decision.network,
        decision.events,
        ids_are_final=True,
        warnings=tuple(warnings),
    )


def _look(given: Import) -> first_start.Listing:
    """What there is in the folders; raises DataLost if something is missing."""
    there = first_start.look(given.folder, given.authorities.targets)
    with _with_remedy():
        first_start.decide(there)
    return there


def _check(there: first_start.Listing, log_id: str, last_seq: int) -> None:
    """Check that log, key and CAs belong together; raises DataLost."""
    with _with_remedy():
        first_start.check(there, log_id, log_is_empty=last_seq == 0)


@contextlib.contextmanager
def _with_remedy() -> Iterator[None]:
    """Says what to do about data that is missing where an import is wanted."""
    try:
        yield
    except DataLost as lost:
        raise DataLost(
            lost.problem,
            remedy=f"put back what is missing, or {_NEW_FOLDER}; a CA that belongs to a log which "
            f"is not wanted any more is free for another without the file {first_start.MARK_NAME}",
        ) from None


def _read_log(folder: DataFolder) -> tuple[str, State]:
    """The log's id, and the state at its end."""
    reader = eventlog.LogReader(folder.log)
    return reader.log_id.hex(), states_at(reader, [Point()])[0].state


def _is_served(folder: DataFolder) -> bool:
    """Whether a process holds the log's lock."""
    try:
        with (folder.log / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or the file system has no locks
        return False
    return False


async def _append(
    log: eventlog.FileLog, clock: Clock, commands: tuple[tuple[Command, Origin], ...]
) -> None:
    replica = Replica(LocalLog(log, clock), clock)
    replica.start()
    try:
        # together, so that a start is never recorded without the import
        submitted = (replica.submit(each, origin, internal=True) for each, origin in commands)
        await asyncio.gather(*submitted)
    except Unwritable as error:
        raise replica.failure or error from None
    finally:
        await replica.stop()

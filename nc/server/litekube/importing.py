"""Imports an upstream server's database into a data folder: all of it, or nothing.

What the database leads to is decided first, on the state of the log, and only then appended, as one
record: a start, which says the network, the key and the CAs, and the import.
"""

import asyncio
import contextlib
import fcntl
import socket
from dataclasses import dataclass, replace
from datetime import tzinfo
from importlib.metadata import version
from typing import Final

import eventlog
from nc.clock import Clock, now_utc
from nc.data_folder import DataFolder
from nc.domain.decide import Command
from nc.domain.errors import AuthorityOfAnotherLog, DomainError, KeyOfAnotherLog
from nc.domain.events import Event
from nc.domain.litekube_import import ImportLitekube
from nc.domain.network import Network
from nc.domain.operator_errors import AlreadyImported
from nc.domain.replicas import AuthorityKeys, StartReplica, StopReplica
from nc.domain.state import State
from nc.errors import OperatorError
from nc.history.as_of import states_at
from nc.history.events import Point
from nc.replica.batch import Origin, decide_batch
from nc.replica.errors import Unwritable
from nc.replica.replica import Replica
from nc.secrets import RequestIds, Secrets, TokenIds, new_session
from nc.server import first_start
from nc.server.litekube.authorities import AuthorityFolders, read_keys, taken_over
from nc.server.litekube.database import UpstreamDatabase
from nc.server.litekube.plan import Plan, plan_import

ACTOR: Final = "import:litekube"
_METHOD: Final = "import-litekube"
_DISTRIBUTION: Final = "litekube-network-controller"
_SHOWN: Final = 3  # rows that an error names


class ImportFailed(OperatorError):
    """The database was not imported, and nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is to be imported, and into what.

    Attributes:
        network: of the upstream server; None: that of the log, or the default.
        zone: of the database's times; None: it is not known.
        skips_bad_rows: leave out rows that cannot be imported, instead of importing nothing.
    """

    database: UpstreamDatabase
    folder: DataFolder
    authorities: AuthorityFolders
    network: Network | None
    zone: tzinfo | None
    skips_bad_rows: bool


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
    there = first_start.look(folder, given.authorities.targets)
    first_start.decide(there)
    state, warnings = State(), []
    if there.segments:
        log_id, state = _read_log(folder)
        first_start.check(there, log_id, log_is_empty=state.seq == 0)
        if _is_served(folder):
            warnings.append(f"a server runs on {folder.path}: stop it before the import")
    key = folder.load_secret_key(secrets) if there.has_secret_key else secrets.random_bytes(32)
    decision = _decide(given, state, keys, TokenIds(key), clock, secrets)
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
    there = first_start.look(folder, given.authorities.targets)
    first_start.decide(there)
    log = eventlog.open(folder.log, now_ns=clock.now_ns, random_bytes=secrets.random_bytes)
    with contextlib.closing(log):
        if (cut := log.recovery) is not None:
            warnings.append(
                f"{cut.torn_bytes} bytes after event {cut.last_seq}, which a crash left "
                f"unfinished, were cut from the log, and kept in {cut.kept_in}"
            )
        log_id, is_empty = log.log_id.hex(), log.last_seq == 0
        first_start.check(there, log_id, log_is_empty=is_empty)
        with folder.forgotten_on_failure() if is_empty else contextlib.nullcontext():
            token_ids = TokenIds(folder.load_secret_key(secrets))
            _, state = _read_log(folder)
            decision = _decide(given, state, keys, token_ids, clock, secrets)
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


@dataclass(frozen=True, slots=True)
class _Decision:
    """The commands of an import and their events, or why it is refused."""

    plan: Plan
    network: Network
    commands: tuple[tuple[Command, Origin], ...]
    events: tuple[Event, ...] = ()
    refusal: Exception | None = None


def _decide(
    given: Import,
    state: State,
    keys: AuthorityKeys,
    token_ids: TokenIds,
    clock: Clock,
    secrets: Secrets,
) -> _Decision:
    known = state.addresses.network
    network = given.network or known
    plan = plan_import(given.database, token_ids.id_of, network, given.zone, now_utc(clock))
    name, session, request_id = (
        socket.gethostname(),
        new_session(secrets),
        RequestIds(secrets).new(),
    )
    command = ImportLitekube(
        given.database.sha256,
        tuple(token for _, token in plan.tokens),
        tuple(node for _, node in plan.nodes),
    )
    start = StartReplica(
        name,
        version(_DISTRIBUTION),
        str(network),
        token_ids.key_check,
        keys,
        session,
        is_alone=True,
    )
    commands = tuple(
        (each, Origin(ACTOR, method, request_id))
        for each, method in ((start, "start"), (command, _METHOD))
    )
    stop = (StopReplica(name, session), Origin(ACTOR, "stop", request_id))
    decision = _Decision(plan, network, (*commands, stop))
    if given.database.sha256 in state.imported:
        return replace(decision, refusal=ImportFailed(str(AlreadyImported())))
    if state.nodes and network != known:
        text = f"the nodes in this log are in the network {known}, and the imported in {network}"
        return replace(decision, refusal=ImportFailed(text, remedy=_NEW_FOLDER))
    if plan.problems and not given.skips_bad_rows:
        return replace(decision, refusal=_bad_rows(plan))
    events: list[Event] = []
    for outcome in decide_batch(state, commands, clock.now_ns()).outcomes:
        if isinstance(outcome, Exception):
            return replace(decision, refusal=_refusal(outcome, given))
        events = outcome  # of the last command, which is the import
    return replace(decision, events=tuple(events))


_NEW_FOLDER: Final = "import into a new data folder"


def _bad_rows(plan: Plan) -> ImportFailed:
    problems = plan.problems
    more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    rows = "; ".join(map(str, problems[:_SHOWN]))
    is_outside = any("is not in the network" in each.reason for each in problems)
    hint = "; is --network-addr the upstream server's?" if is_outside else ""
    return ImportFailed(
        f"{rows}{more}{hint}",
        remedy="nothing was imported: --dry-run shows all of it, and --skip-bad-rows leaves bad "
        "rows, and bad addresses of nodes, out",
    )


def _refusal(error: Exception, given: Import) -> Exception:
    match error:
        case KeyOfAnotherLog():
            return ImportFailed(
                f"{given.folder.secret_key} is not the key that the log was written with; put the "
                "right one back from a backup"
            )
        case AuthorityOfAnotherLog():
            folder = getattr(given.authorities, error.authority).source
            return ImportFailed(
                f"the CA in {folder} is not the one that signed the certificates of this log's "
                "nodes, and a server has one",
                remedy=_NEW_FOLDER,
            )
        case DomainError():
            return ImportFailed(str(error))
    return error


async def _append(
    log: eventlog.FileLog, clock: Clock, commands: tuple[tuple[Command, Origin], ...]
) -> None:
    replica = Replica(log, clock)
    replica.start()
    try:
        # together, so that a start is never recorded without the import
        submitted = (replica.submit(each, origin, internal=True) for each, origin in commands)
        await asyncio.gather(*submitted)
    except Unwritable as error:
        raise replica.failure or error from None
    finally:
        await replica.stop()

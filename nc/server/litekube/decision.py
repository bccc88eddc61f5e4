"""Decides what an import leads to, on the state of the log, before anything is appended.

It becomes one record: a start, which says the network, the key and the CAs, the import, and a stop.
"""

import socket
from dataclasses import dataclass, replace
from datetime import tzinfo
from importlib.metadata import version
from typing import Final

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
from nc.replica.batch import Origin, decide_batch
from nc.secrets import RequestIds, Secrets, TokenIds, new_session
from nc.server.litekube.authorities import AuthorityFolders
from nc.server.litekube.database import UpstreamDatabase
from nc.server.litekube.plan import Plan, plan_import

ACTOR: Final = "import:litekube"
_METHOD: Final = "import-litekube"
_DISTRIBUTION: Final = "litekube-network-controller"
_SHOWN: Final = 3  # rows that an error names
_NEW_FOLDER: Final = "import into a new data folder"


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
class Decision:
    """The commands of an import and their events, or why it is refused."""

    plan: Plan
    network: Network
    commands: tuple[tuple[Command, Origin], ...]
    events: tuple[Event, ...] = ()
    refusal: Exception | None = None


def decide(
    given: Import,
    state: State,
    keys: AuthorityKeys,
    token_ids: TokenIds,
    clock: Clock,
    secrets: Secrets,
) -> Decision:
    known = state.addresses.network
    network = given.network or known
    plan = plan_import(given.database, token_ids.id_of, network, given.zone, now_utc(clock))
    name, session = socket.gethostname(), new_session(secrets)
    request_id = RequestIds(secrets).new()
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
    decision = Decision(plan, network, (*commands, stop))
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

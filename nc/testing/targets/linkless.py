"""A server in this process whose links are operations on its replica, without connections."""

import asyncio
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final, cast
from unittest import mock

import structlog

from nc.clock import Clock, now_ms
from nc.contract import DEFAULT_LINK_PORT, SERVER_FAULT
from nc.domain.decide import Command
from nc.domain.errors import DomainError
from nc.domain.events import Event, pb
from nc.domain.fsm import ConnectionState
from nc.domain.invitations import ForgetInvitations
from nc.domain.levels import FIRST_LEVEL, LEVEL
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, link_of
from nc.domain.litekube_import import ImportedNode, ImportLitekube
from nc.domain.nodes import ExpireNodes, ForgetUnregistered
from nc.domain.profile import Facts
from nc.domain.replica_errors import ReplicaTooOld
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.tokens import ForgetExpiredTokens
from nc.domain.updates import ReportFacts
from nc.hub.admission import NodeWaits, admit
from nc.hub.refusals import LinkRefused
from nc.replica.batch import Origin
from nc.replica.waiting import WaitingNode
from nc.replica_secrets import AuthorityFiles, ReplicaSecrets
from nc.rpc.api import Inviting
from nc.secrets import TokenIds
from nc.server import server
from nc.server.own_session import OwnSession
from nc.server.parts import Parts
from nc.server.server import VERSION, Server, serve
from nc.testing.contract import operations as ops
from nc.testing.contract.enrolment import OpenLinkWith
from nc.testing.contract.history import Answer
from nc.testing.contract.membership import Import, StartOther
from nc.testing.contract.operations import MISTAKE, OK
from nc.testing.contract.operations import Facts as Answered
from nc.testing.contract.values import SERVER, Told
from nc.testing.targets.calls import Names
from nc.testing.targets.server import LocalServer, admin_pem

_NEVER_S: Final = 1e9  # a trial's own operations sweep


class LinklessServer(LocalServer):
    """See the module.

    Args:
        is_recorded: whether the log has its start and stop, which end every other replica's links.
        parts: see `LocalServer`.
    """

    def __init__(
        self, *, is_recorded: bool, clock: Clock, token_ids: TokenIds, **parts: Any
    ) -> None:
        super().__init__(
            serve if is_recorded else _serve_unrecorded,
            name=SERVER,
            inviting=Inviting("nats://192.0.2.8", _secrets),
            clock=clock,
            token_ids=token_ids,
            logger=structlog.wrap_logger(structlog.ReturnLogger(), processors=[_drop]),
            listen_for_links=lambda: cast("Any", _NoLinks()),
            append_on_loop=False,  # whoever gave `run_blocking` decides what appends meet
            sweep_interval_s=_NEVER_S,
            **parts,
        )
        self._clock = clock
        self._reclaim_after_ms = parts["node_limits"].reclaim_after_ms
        self._token_ids = token_ids
        self._telling: dict[str, Told] = {}  # facts, by the link that they come with

    async def carry_out(
        self, operation: ops.Operation, names: Names, request_id: str
    ) -> Answer | None:
        """The answer to a client's or a node's operation; None if that is not known."""
        if isinstance(operation, ops.Call):
            return await self.ports.call(operation, names, request_id)
        try:
            return await self._carry_out(operation, names, request_id)
        except (DomainError, LinkRefused) as error:
            return Answer(Answered(MISTAKE), str(error))
        except Exception as error:  # noqa: BLE001 - a call would be answered so, too
            return Answer(Answered(SERVER_FAULT), f"{type(error).__name__}: {error}")

    async def _carry_out(
        self, operation: ops.Operation, names: Names, request_id: str
    ) -> Answer | None:
        match operation:
            case ops.LinkOperation():
                if isinstance(operation, ops.OpenLink):
                    self._admit(operation, names)
                return await self._on_link(operation, names.token(operation.node), request_id)
            case Import(database, node, address):
                imported = ImportedNode(self._token_ids.id_of(names.token(node)), address)
                await self.bring(database, (imported,), request_id)
            case StartOther():
                await self._start_other(operation, request_id)
            case _:
                await self._sweep(request_id)
        return Answer(Answered(OK))

    def _admit(self, operation: ops.OpenLink, names: Names) -> None:
        """Look at the request for a link, as the hub does; a stranger shows an operator's."""
        shown = names.certificate_of(operation)
        pem = admin_pem() if shown is None else shown.certificate
        token = names.token(operation.node)
        try:
            admit(token, pem, self._token_ids, self.replica.state, now_ms(self._clock))
        except NodeWaits as waits:
            node = WaitingNode(waits.certificate, "", waits.key_sha256)
            self.server.waiting.note(waits.node_id, node)
            raise
        if isinstance(operation, OpenLinkWith):
            self._telling[operation.link] = operation.told

    async def _on_link(
        self, operation: ops.LinkOperation, token: str, request_id: str
    ) -> Answer | None:
        """What the hub does about a link."""
        node_id, link_id, now = self._token_ids.id_of(token), operation.link, now_ms(self._clock)
        command: Command
        match operation:
            case ops.OpenLink():
                session = self.replica.session
                command = AcceptLink(node_id, link_id, now, session, self._reclaim_after_ms)
            case ops.Handshake():
                command = HandOverAddress(
                    node_id, link_id, now, reclaim_after_ms=self._reclaim_after_ms
                )
            case _:
                command = DropLink(node_id, link_id, pb.STATE_CHANGE_REASON_LINK_CLOSED)
        is_handshake = isinstance(operation, ops.Handshake)
        address = self.replica.state.addresses.address_of(node_id)
        waited = is_handshake and self._is_init(node_id, link_id)
        origin = Origin(f"link:{node_id}", "link", request_id)
        try:
            events = await self._submit(command, origin)
        except DomainError:
            if waited and self._is_init(node_id, link_id):  # it ends, being refused its address
                refused = DropLink(node_id, link_id, pb.STATE_CHANGE_REASON_LINK_REFUSED)
                origin = Origin(f"link:{node_id}", "link", f"{request_id}, refused")
                await self.replica.submit(refused, origin)
            raise
        if not is_handshake:
            return Answer(Answered(OK))
        for event in events:
            if event.HasField("address_bound"):
                return Answer(Answered(OK, address=event.address_bound.address))
        is_same = address == self.replica.state.addresses.address_of(node_id)
        return Answer(Answered(OK, address=address)) if is_same else None  # assigned meanwhile

    async def _submit(self, command: Command, origin: Origin) -> list[Event]:
        """Submit a command; with a node's address, record the facts that came with its link."""
        told = None
        if isinstance(command, HandOverAddress):
            told = self._telling.pop(command.link_id, None)
        if told is None or not isinstance(command, HandOverAddress):
            return await self.replica.submit(command, origin)
        facts = Facts(told.hostname, agent_version=told.agent_version)
        report = ReportFacts(command.node_id, command.link_id, facts)
        later = origin._replace(request_id=f"{origin.request_id}, facts")
        events, reported = await asyncio.gather(  # together, so that nothing comes in between
            self.replica.submit(command, origin),
            self.replica.submit(report, later),
            return_exceptions=True,
        )
        for outcome in (events, reported):
            if isinstance(outcome, BaseException):
                raise outcome
        return cast("list[Event]", events)

    async def bring(self, database: str, nodes: tuple[ImportedNode, ...], request_id: str) -> None:
        command = ImportLitekube(sha256(database.encode()).hexdigest(), (), nodes)
        await self.replica.submit(command, Origin("import:litekube", "import", request_id))

    async def _start_other(self, other: StartOther, request_id: str) -> None:
        """What another server would write to the log as it starts and stops."""
        network = str(self.replica.state.addresses.network)
        level = FIRST_LEVEL if other.is_old else LEVEL
        replica, session = other.replica, f"of {other.replica}, level {level}"
        start = StartReplica(replica, VERSION, network, session=session, level=level)
        origin = Origin("system", "start", request_id)
        await self.replica.submit(start, origin)
        if not other.is_old:
            await self.replica.submit(StopReplica(replica, session), origin)

    def _is_init(self, node_id: str, link_id: str) -> bool:
        link = link_of(self.replica.state.links, node_id)
        return (link.state, link.link_id) == (ConnectionState.INIT, link_id)

    async def _sweep(self, request_id: str) -> None:
        now, origin = now_ms(self._clock), Origin("system", "sweep", request_id)
        await self.replica.submit(ExpireNodes(now), origin)
        tokens = tuple(self.replica.state.tokens)
        await self.replica.submit(ForgetExpiredTokens(tokens, now), origin)
        gone = tuple(self.replica.state.unregistered)
        await self.replica.submit(ForgetUnregistered(gone, now), origin)
        with suppress(ReplicaTooOld):  # as the sweep does
            await self.replica.submit(ForgetInvitations(now), origin)


async def _secrets() -> ReplicaSecrets:
    """What a machine is given that becomes a server: it shows nothing of this one."""
    files = AuthorityFiles(b"certificate", b"key")
    return ReplicaSecrets(files, files, b"secret", {})


class _Unrecorded(OwnSession):
    """Records neither its start nor its stop."""

    async def begin(self) -> None:
        pass

    async def end(self, writer: "asyncio.Task[None]") -> None:
        pass


def _serve_unrecorded(parts: Parts) -> Server:
    with mock.patch.object(server, "OwnSession", _Unrecorded):
        made = serve(parts)
    made.replica.session = ""  # the log has no start of it
    return made


class _NoLinks:
    """In place of the link port's socket: it accepts no connection."""

    def setblocking(self, _is_blocking: bool) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return "", DEFAULT_LINK_PORT

    async def accept(self) -> tuple[Any, tuple[str, int]]:
        await asyncio.Event().wait()  # for ever
        raise AssertionError

    def close(self) -> None:
        pass


def _drop(*_: object) -> Any:
    raise structlog.DropEvent

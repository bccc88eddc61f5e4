"""One life of the network controller in this process: everything but sockets, as it serves.

A call goes through the real edge, permissions, controller, replica and log, as bytes in both
directions; only gRPC itself is left out.
"""

import asyncio
from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import message_factory

from eventlog import EventLog
from nc.clock import Clock, now_ms
from nc.contract import (
    DEFAULT_BOOTSTRAP_PORT,
    DEFAULT_GRPC_PORT,
    DEFAULT_LINK_PORT,
    SERVER_FAULT,
)
from nc.domain.addresses import Network
from nc.domain.decide import Command
from nc.domain.errors import DomainError
from nc.domain.events import pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.presence import link_of
from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import ADMIN_ORGANIZATION, AuthorityKind
from nc.replica.replica import Origin, Replica
from nc.replica.snapshots import RunBlocking
from nc.rpc.api import Authorities
from nc.rpc.callers import Transport
from nc.rpc.edge import REQUEST_ID_KEY
from nc.rpc.services import BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE
from nc.secrets import Secrets, TokenIds
from nc.server.parts import Parts
from nc.server.server import serve
from nc.server.tasks import Sweep as ServerSweep
from nc.server.tasks import watch
from nc.testing.contract.expectations import MISTAKE, OK, Facts
from nc.testing.contract.history import Answer
from nc.testing.contract.operations import (
    ADMIN,
    CloseLink,
    Handshake,
    LinkOperation,
    OpenLink,
    Operation,
    Port,
    Sweep,
)
from nc.testing.targets.calls import Names, Rpc, answer_of, denied, rpc_of

# Certificates are good from some time before a trial begins until long after it.
_FOUNDED = datetime(2026, 12, 1, tzinfo=UTC)

_ADVERTISED = "192.0.2.7"


@cache
def _authorities() -> Authorities:
    """Made once a process: a CA has no part in any law but the enrolments'."""
    grpc, network = (
        self_signed(kind, ec.generate_private_key(ec.SECP256R1()), _FOUNDED, serial=1)
        for kind in (AuthorityKind.GRPC, AuthorityKind.NETWORK)
    )
    return Authorities(grpc, network)


@cache
def _admin_certificate() -> bytes:
    authority: CertificateAuthority = _authorities().grpc
    return authority.issue_client(ADMIN, ADMIN_ORGANIZATION, _FOUNDED, 2).certificate_pem


_NEVER_S = 1e9


def _silence(*_: object) -> Any:
    raise structlog.DropEvent


_SILENT = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_silence])


class _NoPorts:
    """No gRPC: calls are made at the edges."""

    def open(self, _methods: object, _edge_of: object) -> tuple[int, int]:
        return DEFAULT_GRPC_PORT, DEFAULT_BOOTSTRAP_PORT

    async def start(self) -> dict[str, asyncio.Task[None]]:
        return {}

    def set_serving(self, *, serving: bool) -> None:
        """No health check can ask."""

    async def stop(self, _grace_s: float) -> None:
        """No call is left."""


class _NoLinks:
    """A link port that no node connects to, for a `VirtualLoop`."""

    def setblocking(self, _is_blocking: bool) -> None:
        """It never blocks."""

    def getsockname(self) -> tuple[str, int]:
        return "", DEFAULT_LINK_PORT

    async def accept(self) -> Any:
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing was open."""


def parts_of(
    log: EventLog,
    network: str,
    run_blocking: RunBlocking,
    clock: Clock,
    secrets: Secrets,
    token_ids: TokenIds,
) -> Parts:
    """The parts of a server without ports, which sweeps when it is told to.

    Args:
        log: opened by the caller, and closed by it.
        network: the server's own address in the overlay, and the prefix length.
        run_blocking: runs what blocks for the disk.
        clock: see `nc.clock.Clock`.
        secrets: see `nc.secrets.Secrets`.
        clock: see `nc.clock.Clock`.
        secrets: see `nc.secrets.Secrets`.
        token_ids: the same in every life of one server.
    """
    no_links: Any = _NoLinks
    return Parts(
        name="harness",
        log=log,
        network=Network.parse(network),
        token_ids=token_ids,
        authorities=_authorities(),
        clock=clock,
        secrets=secrets,
        logger=_SILENT,
        rpc_ports=_NoPorts(),
        listen_for_links=no_links,
        link_tls=lambda: None,
        advertised=_ADVERTISED,
        run_blocking=run_blocking,
        sweep_interval_s=_NEVER_S,
    )


class Service:
    """A server, and clients that call it without gRPC."""

    def __init__(self, parts: Parts) -> None:
        self.server = serve(parts)
        self._clock = parts.clock
        self._token_ids = parts.token_ids
        self._edges = {
            Port.CONTROL: self.server.edge_of(Transport.MUTUAL_TLS),
            Port.BOOTSTRAP: self.server.edge_of(Transport.SERVER_TLS),
        }
        self._has_started = asyncio.Event()
        self._must_stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    @property
    def replica(self) -> Replica:
        return self.server.replica

    async def start(self) -> None:
        """Serve, in a task of its own."""
        self._life = asyncio.create_task(self._live())
        starting = asyncio.create_task(self._has_started.wait())
        await asyncio.wait([self._life, starting], return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if self._life.done():
            self._life.result()

    async def stop(self) -> None:
        """Stop cleanly."""
        self._must_stop.set()
        if self._life is not None:
            await watch(self._life)

    async def _live(self) -> None:
        """Serve until told to stop; if it is cancelled, the process has ended and stops nothing."""
        await self.server.__aenter__()
        self._has_started.set()
        await self._must_stop.wait()
        await self.server.__aexit__(None, None, None)

    async def carry_out(self, operation: Operation, names: Names, request_id: str) -> Answer:
        """One operation, as a client or a node asks for it."""
        try:
            if self._life is not None and self._life.done():
                raise RuntimeError("the server has ended by itself")  # noqa: TRY301 - as below
            if isinstance(operation, OpenLink | Handshake | CloseLink):
                return await self._on_link(operation, names, request_id)
            if isinstance(operation, Sweep):
                return await self._sweep(request_id)
        except DomainError as error:
            return Answer(Facts(MISTAKE), str(error))
        except Exception as error:  # noqa: BLE001 - a call would be answered with 500, too
            return Answer(Facts(SERVER_FAULT), f"{type(error).__name__}: {error}")
        return await self._call(rpc_of(operation, names), names, request_id)

    async def _call(self, rpc: Rpc, names: Names, request_id: str) -> Answer:
        is_admin = rpc.caller == ADMIN
        pem = _admin_certificate() if is_admin else names.certificates(rpc.caller).certificate
        handler: Any = self._edges[rpc.port].unary(self.server.methods[rpc.method])
        context = _Context(request_id, pem)
        try:
            data = await handler.unary_unary(rpc.request.SerializeToString(), context)
        except _Aborted as aborted:
            return denied(*aborted.args)
        return answer_of(_response(rpc, data))

    async def _on_link(self, operation: LinkOperation, names: Names, request_id: str) -> Answer:
        node_id = self._token_ids.id_of(names.token(operation.node))
        now, link_id = now_ms(self._clock), operation.link
        address = self.replica.state.addresses.address_of(node_id)
        command: Command
        match operation:
            case OpenLink():
                command = AcceptLink(node_id, link_id, now)
            case Handshake():
                command = HandOverAddress(node_id, link_id, now)
            case CloseLink():
                command = DropLink(node_id, link_id, pb.STATE_CHANGE_REASON_LINK_CLOSED)
        has_no_address = self._is_init(node_id, link_id)
        try:
            events = await self._submit(command, f"link:{node_id}", "link", request_id)
        except DomainError:
            if has_no_address and isinstance(operation, Handshake):
                await self._end_refused(node_id, link_id, request_id)
            raise
        if not isinstance(operation, Handshake):
            return Answer(Facts(OK))
        for event in events:
            if event.HasField("address_bound"):
                address = event.address_bound.address
        return Answer(Facts(OK, address=address))

    def _is_init(self, node_id: str, link_id: str) -> bool:
        return link_of(self.replica.state.presence, node_id) == (ConnectionState.INIT, link_id)

    async def _end_refused(self, node_id: str, link_id: str, request_id: str) -> None:
        """A link that waits for its address ends when that is refused, as the hub sees to."""
        if self._is_init(node_id, link_id):
            refused = DropLink(node_id, link_id, pb.STATE_CHANGE_REASON_LINK_REFUSED)
            await self._submit(refused, f"link:{node_id}", "link", f"{request_id}, refused")

    async def _sweep(self, request_id: str) -> Answer:
        async def submit(command: Command, method: str) -> None:
            await self._submit(command, "system", method, request_id)

        await ServerSweep(self.replica, submit, self._clock).sweep()
        return Answer(Facts(OK))

    async def _submit(self, command: Command, actor: str, method: str, request_id: str) -> Any:
        return await self.replica.submit(command, Origin(actor, method, request_id))


def _response(rpc: Rpc, data: bytes) -> Any:
    descriptors = (
        method
        for service in (CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE)
        for method in service.methods
        if method.name == rpc.method
    )
    return message_factory.GetMessageClass(next(descriptors).output_type).FromString(data)


class _Aborted(Exception):
    """A call ended with a status: its name, and what it says."""


class _Context:
    """A call, as gRPC would hand it over."""

    def __init__(self, request_id: str, certificate_pem: bytes) -> None:
        self._request_id = request_id
        self._certificate_pem = certificate_pem

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What the caller sent along."""
        return ((REQUEST_ID_KEY, self._request_id),)

    def set_trailing_metadata(self, _pairs: object) -> None:
        """What the caller gets along; nobody looks."""

    def auth_context(self) -> dict[str, list[bytes]]:
        """What the handshake found."""
        return {"x509_pem_cert": [self._certificate_pem]}

    async def abort(self, code: Any, details: str) -> None:
        """End the call."""
        raise _Aborted(code.name, details)

"""One life of the network controller in this process: everything but sockets, as it serves.

A call goes through the real edge, permissions, controller, replica and log, as bytes in both
directions; only gRPC itself is left out.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import message_factory

from eventlog import EventLog
from nc.clock import Clock, now_ms
from nc.contract import SERVER_FAULT
from nc.domain.decide import Command
from nc.domain.errors import DomainError
from nc.domain.events import pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, link_of
from nc.domain.network import Network
from nc.domain.nodes import ExpireNodes
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.tokens import ForgetExpiredTokens
from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import ADMIN_ORGANIZATION, AuthorityKind
from nc.replica.replica import Origin, Replica
from nc.replica.snapshots import RunBlocking
from nc.rpc.api import Authorities, Endpoints
from nc.rpc.callers import Callers, Transport
from nc.rpc.controller import Controller
from nc.rpc.edge import REQUEST_ID_KEY, Edge
from nc.rpc.methods import methods_of
from nc.secrets import Secrets, TokenIds
from nc.services import BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE
from nc.testing.expectations import MISTAKE, OK, Facts
from nc.testing.history import Answer
from nc.testing.operations import (
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


class Service:
    """A replica, and the two ports before it.

    Args:
        log: opened by the caller, and closed by it.
        network: the server's own address in the overlay, and the prefix length.
        run_blocking: runs what blocks for the disk.
        clock, secrets: see there.
        token_ids: the same in every life of one server.
    """

    def __init__(
        self,
        log: EventLog,
        network: str,
        run_blocking: RunBlocking,
        clock: Clock,
        secrets: Secrets,
        token_ids: TokenIds,
    ) -> None:
        self._network = network
        self._clock = clock
        self._token_ids = token_ids
        self.replica = Replica(log, clock, run_blocking=run_blocking)
        overlay_address = Network.parse(network).server_address
        endpoints = Endpoints(_ADVERTISED, overlay_address, 6440, 6439, 6441)
        controller = Controller(
            self.replica, _authorities(), lambda: endpoints, token_ids, clock, secrets
        )
        silent = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_silence])
        self._methods = methods_of(controller)
        self._edges = {
            port: Edge(
                transport,
                Callers(),
                lambda: self.replica.state,
                token_ids.id_of,
                clock,
                secrets,
                silent,
            )
            for port, transport in (
                (Port.CONTROL, Transport.MUTUAL_TLS),
                (Port.BOOTSTRAP, Transport.SERVER_TLS),
            )
        }

    async def start(self) -> None:
        """Read the log, and record that this life begins."""
        self.replica.start()
        await self._submit(StartReplica("harness", "0", self._network), "system", "start", "start")

    async def stop(self) -> None:
        """Record that this life ends, and leave a snapshot."""
        await self._submit(StopReplica("harness"), "system", "stop", "stop")
        await self.replica.stop()

    async def carry_out(self, operation: Operation, names: Names, request_id: str) -> Answer:
        """One operation, as a client or a node asks for it."""
        try:
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
        handler: Any = self._edges[rpc.port].unary(self._methods[rpc.method])
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
        return link_of(self.replica.state.links, node_id) == (ConnectionState.INIT, link_id)

    async def _end_refused(self, node_id: str, link_id: str, request_id: str) -> None:
        """A link that waits for its address ends when that is refused, as the hub sees to."""
        if self._is_init(node_id, link_id):
            refused = DropLink(node_id, link_id, pb.STATE_CHANGE_REASON_LINK_REFUSED)
            await self._submit(refused, f"link:{node_id}", "link", f"{request_id}, refused")

    async def _sweep(self, request_id: str) -> Answer:
        now = now_ms(self._clock)
        await self._submit(ExpireNodes(now), "system", "sweep", request_id)
        tokens = tuple(self.replica.state.tokens)
        await self._submit(ForgetExpiredTokens(tokens, now), "system", "sweep", request_id)
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


def _silence(*_: object) -> Any:
    raise structlog.DropEvent

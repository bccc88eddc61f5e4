"""A server in this process, put together by `serve`: real but for what is below gRPC.

A call goes through the real edge, permissions, controller, replica and log, as bytes in both
directions.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from nc.client.channel import BOOTSTRAP_PORT, CONTROL_PORT
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT
from nc.domain.administrators import InstallAdministrator
from nc.domain.events import Certificate
from nc.domain.events import pb as events_pb
from nc.domain.limits import NodeLimits
from nc.pki.authority import self_signed
from nc.pki.certificates import (
    ADMIN_ORGANIZATION,
    NODE_ORGANIZATION,
    UPSTREAM_GRPC_COMMON_NAME,
    UPSTREAM_NETWORK_COMMON_NAME,
    AuthorityKind,
    subject,
)
from nc.pki.identity import read_peer
from nc.pki.pem import certificate_pem, load_private_key
from nc.replica.local_log import LocalLog
from nc.rpc.answers import status_name
from nc.rpc.api import Authorities
from nc.rpc.callers import Transport
from nc.rpc.edge import Edge
from nc.rpc.methods import Methods
from nc.rpc.queue.binding import Metadata
from nc.rpc.request_ids import REQUEST_ID_KEY
from nc.server.parts import Parts
from nc.server.server import Server, serve
from nc.services import NODE_SERVICE, path_of
from nc.testing.contract.history import Answer, CertificateSet
from nc.testing.contract.machine_keys import key_pem
from nc.testing.contract.operations import Call, Port
from nc.testing.contract.values import ADMIN
from nc.testing.targets.calls import Names, answer_in, denied, methods_by_name, request_of

ADVERTISED: Final = "192.0.2.7"

# Certificates are good from some time before a trial begins until long after it.
_FOUNDED = datetime(2026, 12, 1, tzinfo=UTC)


# Of certificates that nodes renew: like those of GetToken, so that none ends within a trial.
LIFETIME: Final = timedelta(days=365)

# The methods that operations call, by port and name.
_METHODS: Final = {
    port: methods_by_name(services)
    for port, services in (
        (Port.CONTROL, (*CONTROL_PORT, NODE_SERVICE)),
        (Port.BOOTSTRAP, BOOTSTRAP_PORT),
    )
}


@cache
def authorities() -> Authorities:
    """The same in every process: the log has the hashes of their keys."""
    grpc, network = (
        self_signed(kind, ec.derive_private_key(number, ec.SECP256R1()), _FOUNDED, serial=1)
        for number, kind in enumerate((AuthorityKind.GRPC, AuthorityKind.NETWORK), start=1)
    )
    return Authorities(grpc, network)


@cache
def admin_pem() -> bytes:
    issued = authorities().grpc.issue_client(ADMIN, ADMIN_ORGANIZATION, _FOUNDED, 2)
    return issued.certificate_pem


def upstream_certificates(
    authorities: Authorities, now: datetime
) -> tuple[CertificateSet, CertificateSet]:
    """What all nodes of an upstream server show: for the control port, and for links."""
    named = (
        (authorities.grpc, UPSTREAM_GRPC_COMMON_NAME),
        (authorities.network, UPSTREAM_NETWORK_COMMON_NAME),
    )
    issued = [(ca, ca.issue_client(name, "upstream", now, serial=3)) for ca, name in named]
    grpc, network = (CertificateSet(a.chain_pem, i.certificate_pem, i.key_pem) for a, i in issued)
    return grpc, network


@cache
def imported_certificates() -> tuple[CertificateSet, CertificateSet]:
    return upstream_certificates(authorities(), _FOUNDED)


@cache
def certificates_of(
    node_id: str, machine: str, lifetime: timedelta
) -> tuple[CertificateSet, CertificateSet]:
    """A node's certificates for its machine's key, good since long before a trial begins."""
    key = load_private_key(key_pem(machine))
    name = subject(node_id, NODE_ORGANIZATION)
    signed = [
        (ca, ca.sign_client(name, key.public_key(), _FOUNDED, 4, lifetime))
        for ca in (authorities().grpc, authorities().network)
    ]
    grpc, network = (
        CertificateSet(ca.chain_pem, certificate_pem(each), key_pem(machine)) for ca, each in signed
    )
    return grpc, network


def _installed() -> InstallAdministrator:
    """The administrator's certificate as the server's folder would have it."""
    peer = read_peer(admin_pem())
    certificate = Certificate(
        authority=events_pb.CERTIFICATE_AUTHORITY_GRPC,
        serial=f"{peer.serial:x}",
        not_after_ms=peer.not_after_ms,
    )
    return InstallAdministrator(peer.common_name, certificate, is_renewal=False)


class MemoryPorts:
    """The control port and the bootstrap port without sockets."""

    def open(self, methods: Methods, edge_of: Callable[[Transport], Edge]) -> tuple[int, int]:
        self._edges = {
            Port.CONTROL: edge_of(Transport.MUTUAL_TLS),
            Port.BOOTSTRAP: edge_of(Transport.SERVER_TLS),
        }
        for port, edge in self._edges.items():
            edge.open({path: methods[path] for path in map(path_of, _METHODS[port].values())})
        return DEFAULT_GRPC_PORT, DEFAULT_BOOTSTRAP_PORT

    async def start(self) -> Mapping[str, Any]:
        return {}

    def set_serving(self, *, serving: bool) -> None:
        pass

    async def stop(self, grace_s: float) -> None:
        pass

    async def call(self, operation: Call, names: Names, request_id: str) -> Answer:
        who = operation.shown
        pem = names.certificates(who).certificate if who not in {"", ADMIN} else admin_pem()
        port = Port.CONTROL if who else Port.BOOTSTRAP
        call = LocalCall(path_of(_METHODS[port][operation.method]), request_id, pem)
        await self._carry_out(port, call, request_of(operation, names).SerializeToString())
        if call.answer is None:
            return denied(*call.refusal)
        return answer_in(operation, call.answer)

    async def ask(self, method: str, request: bytes, request_id: str) -> "LocalCall":
        """Make a call as an administrator; returns it with its answer."""
        call = LocalCall(path_of(_METHODS[Port.CONTROL][method]), request_id, admin_pem())
        await self._carry_out(Port.CONTROL, call, request)
        return call

    async def _carry_out(self, port: Port, call: "LocalCall", request: bytes) -> None:
        edge = self._edges[port]
        if refusal := edge.admit(call):
            call.refuse(refusal.code, refusal.details)
        elif work := edge.handle(call, request):
            await work
        edge.ended(call, is_cancelled=False)


class LocalServer:
    """A server and its ports, from start to a clean stop.

    Args:
        make: puts it together.
        parts: those of `Parts` that are not alike for all.
    """

    def __init__(self, make: Callable[[Parts], Server] = serve, **parts: Any) -> None:
        self.ports = MemoryPorts()
        if "cluster" not in parts:
            run_blocking = parts["run_blocking"]
            parts["log"] = LocalLog(parts["log"], parts["clock"], run_blocking=run_blocking)
        self.server = make(
            Parts(
                authorities=authorities(),
                rpc_ports=self.ports,
                link_tls=lambda: None,
                installed=_installed,
                certificate_lifetime=LIFETIME,
                **{
                    "advertised": (ADVERTISED,),
                    "node_limits": NodeLimits(reclaim_after_ms=0),
                    **parts,
                },
            )
        )
        self.replica = self.server.replica
        self.hub = self.server.hub
        self._started = AsyncExitStack()

    async def start(self) -> None:
        await self._started.enter_async_context(self.server)

    async def stop(self) -> None:
        await self._started.aclose()


class LocalCall:
    """A call without a transport, as an edge takes it.

    Attributes:
        answer: the response's bytes.
        refusal: or a status: its name, and its details.
    """

    deadline = inf

    def __init__(self, path: bytes, request_id: str, certificate_pem: bytes) -> None:
        self.path = path
        self.metadata: Metadata = ((REQUEST_ID_KEY, request_id),)
        self._certificate_pem = certificate_pem
        self.pool: Any = None
        self.party: Any = None
        self.context: Any = None
        self.trailing: Any = None
        self.status: int | None = None
        self.answer: bytes | None = None
        self.refusal = ("", "")

    def peer(self) -> str:
        return "local"

    def certificate(self) -> bytes:
        return self._certificate_pem

    def vouch(self) -> None:
        """There are no connections."""

    def reply(self, message: bytes) -> None:
        self.status, self.answer = 0, message

    def refuse(self, code: int, details: str) -> None:
        self.status, self.refusal = code, (status_name(code), details)

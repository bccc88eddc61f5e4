"""A machine that enrols at a whole server, over TLS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from nc.client.channel import BOOTSTRAP_PORT, Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.pb.node.v1 import node_pb2
from nc.pki.requests import request_for
from nc.secrets import SystemSecrets
from tests.support.link_cluster import logged_events
from tests.support.operators import Operator, operator
from tests.support.whole_server import LOOPBACK, Lines, MovableClock, WholeServer, running

STATUS = grpc.StatusCode
DAY_MS = 24 * 60 * 60 * 1000


def new_attempt() -> str:
    return SystemSecrets().random_bytes(16).hex()


class Machine:
    """A machine that makes its own key, and calls the bootstrap port."""

    def __init__(self, client: Channel) -> None:
        self._client = client
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.attempt = new_attempt()

    @property
    def request_pem(self) -> str:
        return request_for(self.key).decode()

    async def enrol(self, token: str, **fields: Any) -> node_pb2.EnrolResponse:
        request = node_pb2.EnrolRequest(
            **{"bootstrap_token": token, "attempt": self.attempt, "csr_pem": self.request_pem}
            | fields
        )
        answer: node_pb2.EnrolResponse = await self._client.call("Enrol", request)
        return answer

    async def renew(self, node_token: str, csr_pem: str = "") -> node_pb2.RenewResponse:
        request = node_pb2.RenewRequest(node_token=node_token, csr_pem=csr_pem or self.request_pem)
        answer: node_pb2.RenewResponse = await self._client.call("Renew", request)
        return answer


class Here:
    """A server, its operator, and its bootstrap port."""

    def __init__(self, server: WholeServer, operator: Operator, client: Channel) -> None:
        self.server = server
        self.operator = operator
        self.client = client

    def machine(self) -> Machine:
        return Machine(self.client)

    async def token(self, **terms: Any) -> str:
        answer = await self.operator.call("BootstrapTokens/Issue", **{"lifetime_s": 600} | terms)
        return str(answer.token)

    def kinds(self) -> list[str]:
        """The kinds of the events in the log."""
        return [str(e.WhichOneof("kind")) for e in logged_events(self.server.folder.log)]


@asynccontextmanager
async def here(
    data_dir: Path, clock: MovableClock | None = None, lines: Lines | None = None, **more: Any
) -> AsyncIterator[Here]:
    async with (
        running(data_dir, clock, lines, **more) as server,
        operator(server) as admin,
        Channel(
            LOOPBACK,
            server.endpoints.bootstrap_port,
            ClientTls(server.certificates.grpc.paths.ca.read_bytes()),
            BOOTSTRAP_PORT,
        ) as client,
    ):
        yield Here(server, admin, client)


async def refused(call: Any) -> CallFailed:
    with pytest.raises(CallFailed) as error:
        await call
    return error.value


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())

"""A machine that joins over a network that loses what the server has decided."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from nc.agent.enrolment import Invitation, ServerUnreachable, TokenRefused, redeem
from nc.agent.node_files import NodeFiles
from nc.agent.state import NodeIdentity, StateFolder, digest_of
from nc.cli.enrol import enrol
from nc.cli.options import Output
from nc.pki.certificates import ca_cert_hash
from nc.rpc import servers
from nc.rpc.api import Call
from nc.rpc.node.enrolment import EnrolmentService
from nc.secrets import SystemSecrets
from nc.server import installation
from nc.services import BOOTSTRAP_SERVICE
from tests.support.link_cluster import logged_events
from tests.support.operators import operator
from tests.support.whole_server import LOOPBACK, Lines, WholeServer, running, until

_READ_BYTES = 65536


class Relay:
    """A port before the server's, whose connections can all be cut.

    Attributes:
        port: where it listens.
        target: where it leads.
    """

    def __init__(self) -> None:
        self.port = self.target = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._open = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self._writers.append(writer)
        try:
            with contextlib.suppress(OSError):
                there = await asyncio.open_connection(LOOPBACK, self.target)
                self._writers.append(there[1])
                await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
                there[1].transport.abort()
        finally:
            writer.transport.abort()
            self._open -= 1

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Relay"]:
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            self.cut()
            await until(lambda: not self._open)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


class LostReplies:
    """The replies of a server to some calls of Enrol are lost once it has decided."""

    def __init__(self, patch: pytest.MonkeyPatch, relay: Relay, count: int) -> None:
        self.left = count
        self.decided = 0
        original = EnrolmentService.enrol

        async def enrol(service: EnrolmentService, request: Any, call: Call) -> Any:
            answer = await original(service, request, call)
            self.decided += 1
            if self.left:
                self.left -= 1
                relay.cut()
                await asyncio.sleep(0)
            return answer

        patch.setattr(EnrolmentService, "enrol", enrol)


@contextlib.asynccontextmanager
async def reached_through(relay: Relay, data_dir: Path) -> AsyncIterator[WholeServer]:
    async with running(data_dir) as server:
        relay.target = server.endpoints.bootstrap_port
        yield server


async def one_use(server: WholeServer) -> str:
    async with operator(server) as admin:
        return str((await admin.call("BootstrapTokens/Issue", lifetime_s=600, max_uses=1)).token)


def invitation(server: WholeServer, relay: Relay, token: str) -> Invitation:
    pin = ca_cert_hash(server.certificates.grpc.authority.certificate_pem)
    return Invitation(token, LOOPBACK, relay.port, pin)


async def join(folder: Path, invited: Invitation) -> tuple[NodeIdentity, Lines]:
    lines = Lines()
    log: Any = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines])
    state = StateFolder(folder)
    with state.locked():
        return await enrol(state, invited, log, Output.TEXT), lines


async def test_lost_replies_cost_neither_a_use_nor_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is good for one use; two replies to it are lost, and the third arrives."""
    relay = Relay()
    lost = LostReplies(monkeypatch, relay, 2)
    async with relay.listening(), reached_through(relay, tmp_path / "data") as server:
        invited = invitation(server, relay, await one_use(server))
        node, lines = await join(tmp_path / "state", invited)
        assert lost.decided == 3
        assert list(server.replica.state.nodes) == [node.node_id()]
        (token,) = server.replica.state.tokens.values()
        assert (token.uses, token.nodes) == (1, 1)
        assert not (tmp_path / "state" / "attempt.json").exists()
        (joined,) = lines.named("agent.joined")
        assert joined["node_id"] == node.node_id()
        assert joined["name"] == server.replica.state.nodes[joined["node_id"]].profile.name
        assert node.certificates is not None
        assert NodeFiles(node.certificates).terms() is not None
        assert (tmp_path / "state" / "certificates-1" / "grpc" / "client-key.pem").exists()


async def test_a_crash_and_a_restart_of_the_server_repeat_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine ends before it has an answer, the server is another process: one node."""
    relay = Relay()
    lost = LostReplies(monkeypatch, relay, 1)
    state = StateFolder(tmp_path / "state")
    async with relay.listening():
        async with reached_through(relay, tmp_path / "data") as server:
            invited = invitation(server, relay, await one_use(server))
            with state.locked():
                attempt = state.attempt_with(digest_of(invited.token), SystemSecrets())
            with pytest.raises(ServerUnreachable):
                await redeem(invited, attempt)
            assert lost.decided == 1
        async with reached_through(relay, tmp_path / "data") as server:
            node, _ = await join(state.path, invited)
            assert list(server.replica.state.nodes) == [node.node_id()]
        kinds = [e.WhichOneof("kind") for e in logged_events(server.folder.log)]
        assert kinds.count("node_registered") == 1
        assert kinds.count("certificates_renewed") == 1


async def test_a_refused_token_leaves_no_attempt(tmp_path: Path) -> None:
    """The next token, or the same one once it is good, begins anew."""
    relay = Relay()
    async with relay.listening(), reached_through(relay, tmp_path / "data") as server:
        invited = invitation(server, relay, "0" * 16)
        with pytest.raises(TokenRefused, match="unknown"):
            await join(tmp_path / "state", invited)
        assert not (tmp_path / "state" / "attempt.json").exists()


async def test_an_older_server_is_joined_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has only GetToken: the node cannot renew, and is told so by nobody yet."""

    def older(host: str, number: int, credentials: servers.Credentials | None) -> Any:
        port = servers.bootstrap_port(host, number, credentials)
        return replace(port, services=(BOOTSTRAP_SERVICE,))

    monkeypatch.setattr(installation, "bootstrap_port", older)
    relay = Relay()
    async with relay.listening(), reached_through(relay, tmp_path / "data") as server:
        invited = invitation(server, relay, await one_use(server))
        node, lines = await join(tmp_path / "state", invited)
        assert list(server.replica.state.nodes) == [node.node_id()]
        assert node.certificates is not None
        assert NodeFiles(node.certificates).terms() is None
        assert lines.named("agent.joined")[0]["node_id"] == node.node_id()

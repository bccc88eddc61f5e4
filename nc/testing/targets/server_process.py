"""A real server as a separate process: started, killed while it works, started again.

Over gRPC with mutual TLS, and over links that are WebSockets over mutual TLS, on real files and
free ports of the loopback. Each trial has a server of its own, on nothing.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from eventlog import LogReader
from nc.certificate_files import FolderPaths
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.contract import SERVER_FAULT
from nc.data_folder import DataFolder
from nc.domain.codec.records import entries_in
from nc.domain.events import Event
from nc.pb import network_controller_pb2
from nc.pb.events_pb2 import Entry
from nc.testing.contract import operations as ops
from nc.testing.contract.administration import STATUSES, AssignAddress, UnregisterNodesOf
from nc.testing.contract.enrolment import NODE_STATUSES
from nc.testing.contract.happenings import Crash
from nc.testing.contract.history import Answer, CertificateSet, LogView
from nc.testing.contract.operations import DENIED, MISTAKE, OK, Facts
from nc.testing.contract.overlay import assignable
from nc.testing.contract.values import (
    ADMIN,
    CONNECTED,
    IDLE,
    INIT,
    NO_LIMITS,
    Limits,
    imported_nodes,
)
from nc.testing.targets.calls import Names
from nc.testing.targets.links import Links
from nc.testing.targets.links_log import LinksLog
from nc.testing.targets.process import LOOPBACK, Process
from nc.testing.targets.remote import Remote
from nc.testing.targets.target import Ability, Reply, Request, ServerGone
from nc.testing.targets.upstream import import_nodes, upstream_of

SERVE = (str(Path(sys.executable).with_name("network-controller")), "serve")

# While a server is killed, any other code is what the connection came to.
_WHOLE_ANSWERS = {OK, MISTAKE, DENIED, SERVER_FAULT, *STATUSES.values(), *NODE_STATUSES.values()}

_MS_A_STEP = 2  # of a crash: how much of what is under way happens before the process is killed


class ServerProcess(Remote):
    """A target: this package's server, or what `command` starts that takes the same options.

    Attributes:
        tls: what an administrator trusts and shows, while a trial is under way.
    """

    tls: ClientTls
    _links: Links  # of the server's present life

    def __init__(self, command: Sequence[str] = SERVE) -> None:
        super().__init__(LOOPBACK, 0, None, skew_ms=0)
        self._runner.get_loop().set_exception_handler(_tell_unless_cut)
        self._command = tuple(command)
        self._folder: DataFolder | None = None  # of the trial
        self._process: Process | None = None
        self._network = ""

    @property
    def control_port(self) -> int:
        """Where it listens now; another port after each start."""
        return self._ports[ops.Port.CONTROL] or 0

    @property
    def abilities(self) -> frozenset[Ability]:
        """All but `CLOCK`."""
        return frozenset(Ability) - {Ability.CLOCK, Ability.MEMBERSHIP}

    def begin(self, network: str, limits: Limits = NO_LIMITS) -> str:
        """A new server, on nothing or on what was imported, without limits."""
        self.end()
        self._folder = DataFolder(Path(tempfile.mkdtemp(prefix="nc-check-")) / "data")
        self._network = network
        self._names = Names()
        self._links_log = LinksLog(self._folder.links_socket)
        try:
            if limits.imported:
                self._import(limits.imported)
            self._start()
            self._names.upstream = upstream_of(self._folder)
        except BaseException:
            self.end()
            raise
        return network

    def _import(self, count: int) -> None:
        if self._folder is not None:
            pool = assignable(self._network)
            addresses = [*pool[-1:], *[""] * count]
            tokens = map(self._names.token, imported_nodes(count))
            nodes = list(zip(tokens, addresses, strict=False))
            self._names = Names(imported=count)
            import_nodes(self._folder, self._network, nodes)

    def perform(self, requests: Sequence[Request]) -> list[Reply]:
        """As `Remote` does; then check the server's health."""
        replies = super().perform(requests)
        try:
            self._require_health()
        except ServerGone as error:
            raise ServerGone(str(error), replies) from error
        return replies

    def perform_and_crash(self, requests: Sequence[Request], crash: Crash) -> list[Reply]:
        """Kill the process (SIGKILL) while operations run, or after them."""
        replies = self._run(self._perform_and_kill(requests, crash.at_step * _MS_A_STEP / 1000))
        self._run(self._see_it_end())
        try:
            self._start()
        except ServerGone as error:
            raise ServerGone(str(error), replies) from error
        return replies

    def restart(self, network: str) -> None:
        self._network = network or self._network
        self._require_health()
        if self._process is not None:
            self._process.terminate()
        if code := self._run(self._see_it_end()):
            raise ServerGone(f"the server was told to stop, and ended with exit code {code}")
        self._start()

    def log(self) -> LogView:
        """The log; an entry about a link is matched to the step that led to it."""
        return LogView(
            [self._links_log.known_by_step(each) for each in self._entries()], None, None
        )

    def events(self) -> list[Event]:
        return [event for entry in self._entries() for event in entry.events]

    def _entries(self) -> Iterator[Entry]:
        if self._folder is not None:
            yield from entries_in(LogReader(self._folder.log).read())

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._run(self._see_it_end())
        if self._folder is not None:
            shutil.rmtree(self._folder.path.parent, ignore_errors=True)
            self._folder = None

    def close(self) -> None:
        self.end()
        super().close()

    def _start(self) -> None:
        folder = self._folder
        if folder is None:
            raise RuntimeError("no trial has begun")
        self._process = Process(self._command, folder.path, self._network)
        ports = self._process.ports
        self._ports = {
            ops.Port.CONTROL: ports["grpc_port"],
            ops.Port.BOOTSTRAP: ports["bootstrap_port"],
        }
        admin = _client_set(folder.grpc_pki)
        self._tls = self.tls = ClientTls(admin.ca, admin.key, admin.certificate)
        self._links = Links(
            LOOPBACK,
            ports["link_port"],
            self._names,
            _client_set(folder.network_pki),
            self._state_of,
            self._links_log.learn_id,
        )

    def _require_health(self) -> None:
        if self._process is not None:
            self._process.require_health()

    async def _see_it_end(self) -> int:
        """Wait for the process's end, and close all connections to it; its exit code."""
        code = 0
        if self._process is not None:
            code = await asyncio.to_thread(self._process.wait)  # the server closes links
            self._process = None
            await self._links.hang_up()
            await self._hang_up()
        return code

    async def _perform(self, requests: Sequence[Request]) -> list[Reply]:
        """As `Remote` does; after links that raced, the server has time to learn of all."""
        self._links.is_alone = len(requests) == 1
        replies = await super()._perform(requests)
        if not self._links.is_alone and any(
            isinstance(r.operation, ops.LinkOperation) for r in requests
        ):
            await self._write_something()
        return replies

    async def _perform_and_kill(self, requests: Sequence[Request], after_s: float) -> list[Reply]:
        self._links.is_alone = False

        async def kill() -> None:
            await asyncio.sleep(after_s)
            if self._process is not None:
                self._process.kill()

        _, *replies = await asyncio.gather(kill(), *map(self._reply, requests))
        return [_unless_cut(reply) for reply in replies if reply is not None]

    async def _answer(self, operation: ops.Operation, request_id: str) -> Answer | None:
        match operation:
            case ops.LinkOperation():
                return await self._on_link(operation, request_id)
            case ops.Sweep():
                return Answer(Facts(OK), links=await self._links.until_swept())
            case ops.CheckState(node) if self._links.is_alone:
                before = len(self._links.of(node))
                answer = await super()._answer(operation, request_id)
                return None if answer is None else await self._with_links(answer, node, before)
        answer = await super()._answer(operation, request_id)
        if answer is not None and answer.is_ok:
            await self._see_links_end(operation)
        return answer

    async def _on_link(self, operation: ops.LinkOperation, request_id: str) -> Answer | None:
        """A node's facts are recorded just after it was given its address."""
        answer = await self._links.carry_out(operation, request_id)
        if isinstance(operation, ops.Handshake) and answer is not None and answer.is_ok:
            await self._write_something()
        return answer

    async def _see_links_end(self, operation: ops.Operation) -> None:
        """Wait until the links that a change has cut are closed at the nodes' own ends."""
        match operation:
            case ops.Unregister(node):
                await self._links.until_at_most(0, node)
            case AssignAddress(node) if await self._state_of(node) == IDLE:
                await self._links.until_at_most(0, node)
            case UnregisterNodesOf():
                await self._links.until_swept()

    async def _with_links(self, answer: Answer, node: str, before: int) -> Answer:
        """The answer, and how many links the node itself has; one too many has time to end."""
        most = {CONNECTED: 1, INIT: 2}.get(answer.facts.state or 0, 0)
        if before > most and answer.is_ok:
            await self._links.until_at_most(most, node)
        return answer._replace(links=min(before, max(most, len(self._links.of(node)))))

    async def _state_of(self, node: str) -> int | None:
        """The node's state; None if the server refuses to say, 0 if it does not answer."""
        request = network_controller_pb2.CheckConnStateRequest(token=self._names.token(node))
        try:
            answer = await self._call(ops.Port.CONTROL, ADMIN, "CheckConnState", request)
        except CallFailed:
            return 0
        return int(answer.connState) if answer.code == OK else None

    async def _write_something(self) -> None:
        """Make the server write an event: all that it learned before is in the log then."""
        request = network_controller_pb2.GetBootStrapTokenRequest(expireTime=1)
        with suppress(CallFailed):
            await self._call(ops.Port.CONTROL, ADMIN, "GetBootStrapToken", request)


def _tell_unless_cut(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A kill cuts TLS handshakes off, which the opener of the link learns anyway."""
    if not str(context.get("message")).startswith("SSL handshake failed"):
        loop.default_exception_handler(context)


def _client_set(folder: Path) -> CertificateSet:
    paths = FolderPaths.within(folder)
    files = (paths.ca, paths.client, paths.client_key)
    return CertificateSet(*(path.read_bytes() for path in files))


def _unless_cut(reply: Reply) -> Reply:
    """The answer; None if the kill interrupted the call."""
    is_whole = reply.answer is not None and reply.answer.facts.code in _WHOLE_ANSWERS
    return reply if is_whole else reply._replace(answer=None)

"""Any running server as a black box, given where it is and an administrator's certificate.

Nothing is assumed of it but the contract, so it may be another implementation. It is left as it was
found: every node that a trial registered is unregistered at the trial's end, and bootstrap tokens
are asked for that expire by themselves within minutes.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from nc.client.channel import BOOTSTRAP_PORT, CONTROL_PORT, Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.clock import SystemClock, now_ms
from nc.pb import network_controller_pb2 as pb
from nc.services import NODE_SERVICE
from nc.testing.contract.history import Answer, LogView
from nc.testing.contract.operations import OK, SERVER_NODE, Call, Operation, Port
from nc.testing.contract.values import ADMIN, NO_LIMITS, Limits, Moment
from nc.testing.targets.calls import Names, answer_of, denied, request_of
from nc.testing.targets.target import DEFAULT_NETWORK, Ability, Reply, Request

T = TypeVar("T")

# How far the server's clock may be from ours. Expiry is tested no more finely than that.
CLOCK_SKEW_MS = 2000

# Where the server's bootstrap tokens are used is asked with one that lives no longer than it must.
_SHORTEST_MINUTES = 1

# A call that ends like this may have been carried out or not.
_UNKNOWN_OUTCOMES = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}


class Remote:
    """A target: a server that is run elsewhere.

    Args:
        host, port: its control port.
        tls: the gRPC CA, and an administrator's key and certificate; None for plain text.
        bootstrap_port: by default the one that GetBootStrapToken answers, on the same host.
        skew_ms: how far its clock may be from this machine's.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ClientTls | None,
        bootstrap_port: int | None = None,
        skew_ms: int = CLOCK_SKEW_MS,
    ) -> None:
        self._host = host
        self._ports = {Port.CONTROL: port, Port.BOOTSTRAP: bootstrap_port}
        self._tls = tls
        self._skew_ms = skew_ms
        self._clock = SystemClock()
        self._runner = asyncio.Runner()
        self._clients: dict[tuple[Port, str, ClientTls | None], Channel] = {}
        self._names = Names()

    @property
    def abilities(self) -> frozenset[Ability]:
        """Calls alone; with certificates unless it is all in plain text."""
        return frozenset({Ability.CERTIFICATES} if self._tls is not None else ())

    def begin(self, network: str, limits: Limits = NO_LIMITS) -> str:
        """Ask for the server's own address; the API does not give the prefix length."""
        del network, limits
        if self._ports[Port.BOOTSTRAP] is None:
            self._ports[Port.BOOTSTRAP] = self._run(self._find_bootstrap_port())
        request = pb.GetRegistedIpRequest(token=SERVER_NODE)
        answer = self._run(self._call(Port.CONTROL, ADMIN, "GetRegistedIp", request))
        return f"{answer.ip}/24" if answer.code == OK and answer.ip else DEFAULT_NETWORK

    def require_answers(self) -> None:
        """Check that both ports answer: a search would take silence for an unknown outcome.

        Raises:
            CallFailed: one does not.
        """
        self.begin("")
        self._run(self._require_answer(Port.BOOTSTRAP))

    def perform(self, requests: Sequence[Request]) -> list[Reply]:
        return self._run(self._perform(requests))

    def wait(self, ms: int) -> None:
        self._run(asyncio.sleep(max(ms, 0) / 1000))

    def now(self) -> Moment:
        """The server's time, as far as it can be known from here."""
        ms = now_ms(self._clock)
        return Moment(ms - self._skew_ms, ms + self._skew_ms)

    def log(self) -> LogView | None:
        """None: it cannot be read."""
        return None

    def end(self) -> None:
        """Unregister what was registered."""
        self._run(self._tidy_up())

    def close(self) -> None:
        if self._clients:
            self._run(self._hang_up())
        self._runner.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    async def _find_bootstrap_port(self) -> int:
        request = pb.GetBootStrapTokenRequest(expireTime=_SHORTEST_MINUTES)
        answer = await self._call(Port.CONTROL, ADMIN, "GetBootStrapToken", request)
        return int(answer.port)

    async def _require_answer(self, port: Port) -> None:
        try:
            await self._call(port, "", "HealthCheck", pb.HealthCheckRequest())
        except CallFailed as failed:  # any other status is an answer, which laws judge
            if failed.code.name in _UNKNOWN_OUTCOMES:
                raise

    async def _perform(self, requests: Sequence[Request]) -> list[Reply]:
        return await asyncio.gather(*map(self._reply, requests))

    async def _reply(self, request: Request) -> Reply:
        await asyncio.sleep(request.turns / 1000)
        begun = self.now()
        answer = await self._answer(request.operation, request.request_id)
        if answer is not None:
            self._names.remember(request.operation, answer)
        return Reply(Moment(begun.earliest_ms, self.now().latest_ms), answer)

    async def _answer(self, operation: Operation, request_id: str) -> Answer | None:
        if not isinstance(operation, Call):
            raise TypeError(f"{operation} is no call")
        request = request_of(operation, self._names)
        try:
            who, method = operation.shown, operation.method
            port = Port.CONTROL if who else Port.BOOTSTRAP
            response = await self._call(port, who, method, request, request_id)
            return answer_of(operation, response)
        except CallFailed as failed:
            status = failed.code.name
            return None if status in _UNKNOWN_OUTCOMES else denied(status, failed.details)

    async def _call(
        self, port: Port, caller: str, method: str, request: Any, request_id: str = ""
    ) -> Any:
        tls = self._tls_of(port, caller)
        client = self._clients.get((port, caller, tls))
        if client is None:
            services = (*CONTROL_PORT, NODE_SERVICE) if port is Port.CONTROL else BOOTSTRAP_PORT
            client = Channel(self._host, self._ports[port] or 0, tls, services)
            self._clients[port, caller, tls] = client
            await client.__aenter__()
        return await client.call(method, request, request_id=request_id)

    def _tls_of(self, port: Port, caller: str) -> ClientTls | None:
        if self._tls is None or caller == ADMIN:
            return self._tls
        if port is Port.BOOTSTRAP:
            return ClientTls(self._tls.ca_pem)
        ca, certificate, key = self._names.certificates(caller)
        return ClientTls(ca, key, certificate)

    async def _tidy_up(self) -> None:
        for node in self._names.nodes():
            with suppress(CallFailed):  # the node is unregistered already, or the server has ended
                request = pb.UnRegisterRequest(token=self._names.token(node))
                await self._call(Port.CONTROL, ADMIN, "UnRegister", request)
        await self._hang_up({key for key in self._clients if key[1] not in {"", ADMIN}})
        self._names = Names()

    async def _hang_up(self, which: set[tuple[Port, str, ClientTls | None]] | None = None) -> None:
        for key in list(self._clients) if which is None else which:
            await self._clients.pop(key).__aexit__()

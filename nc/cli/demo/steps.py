"""The demo's steps: three nodes from token to unregistering, printed as they happen."""

import asyncio
import base64
from typing import Any, NamedTuple

import typer
from rich.console import Console

from eventlog import LogReader
from nc.cli.demo.link import DemoLink, open_link
from nc.cli.entrypoint import OperationFailed
from nc.cli.log.render import text_format
from nc.client.channel import BOOTSTRAP_PORT, Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.clock import SystemClock, now_ms
from nc.contract import STATE_NAMES
from nc.domain.codec.records import events_of
from nc.net import wire
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki.identity import read_peer
from nc.server.installation import Installation
from nc.server.server import Server

LOOPBACK = "127.0.0.1"
MACHINES = ("alpha", "beta", "gamma")

_TIMEOUT_S = 10.0
_POLL_INTERVAL_S = 0.02


class DemoClock(SystemClock):
    """The system clock plus an offset, so that an expiry need not be waited for.

    Monotonic time goes on too: for the server time has passed, and nobody has set the clock.
    """

    def __init__(self) -> None:
        self._ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self._ahead_ns

    def advance(self, minutes: int) -> None:
        self._ahead_ns += minutes * 60 * 1_000_000_000


class Machine(NamedTuple):
    """What a machine keeps of GetToken's answer."""

    name: str
    token: str
    tls: ClientTls  # for the control port
    network_tls: ClientTls  # for the link


class Script:
    """The steps in order, each a call to the server or something that happens to a link."""

    def __init__(
        self, installation: Installation, server: Server, clock: DemoClock, console: Console
    ) -> None:
        self._server = server
        self._log_folder = installation.folder.log
        paths = installation.certificates.grpc.paths
        self._ca_pem = paths.ca.read_bytes()
        self._admin = ClientTls(
            self._ca_pem, paths.client_key.read_bytes(), paths.client.read_bytes()
        )
        self._endpoints = server.endpoints
        self._clock = clock
        self._console = console
        self._step = 0

    async def run(self) -> None:
        self._title("An operator starts a server")
        ends = self._endpoints
        self._say(f"control port {ends.control_port} (mutual TLS): for administrators and nodes")
        self._say(f"bootstrap port {ends.bootstrap_port} (TLS): for machines without a certificate")
        self._say(f"link port {ends.link_port} (mutual TLS): where nodes connect")
        bootstrap_token = await self._issue()
        machines = [await self._join(name, bootstrap_token) for name in MACHINES]
        await self._wrong_token()
        await self._look(machines)
        links = [await self._connect(machine) for machine in machines]
        await self._packets(*links)
        await self._unplug(machines[2], links[2])
        await self._rights(*machines)
        await self._expiry(machines[1], links[1])
        await self._unregister(machines[2])
        await self._late(bootstrap_token)

    async def _issue(self) -> str:
        self._title("The operator asks for a bootstrap token, good for ten minutes")
        async with self._control(self._admin) as admin:
            request = pb.GetBootStrapTokenRequest(expireTime=10)
            answer = _expect("200", await admin.call("GetBootStrapToken", request))
        self._say(f"answer {answer.code}: a token to use at {answer.cloudIp}:{answer.port}")
        return str(answer.bootStrapToken)

    async def _join(self, name: str, bootstrap_token: str) -> Machine:
        self._title(f"Machine {name} redeems it")
        answer = _expect("200", await self._redeem(bootstrap_token))
        self._say("answer 200: a node token, and two sets of TLS certificates of its own")
        pems = (
            (answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
            (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
        )
        tls, network_tls = (ClientTls(*map(base64.b64decode, three)) for three in pems)
        return Machine(name, answer.token, tls, network_tls)

    async def _wrong_token(self) -> None:
        self._title("A machine without a valid token")
        for kind, token in (("no token", ""), ("half a token", "12345678"), ("a guess", "0" * 16)):
            answer = _expect("400", await self._redeem(token))
            self._say(f"{kind}: {answer.code}, {answer.message}")

    async def _look(self, machines: list[Machine]) -> None:
        self._title("Each machine asks for its own state, with its own certificate")
        for machine in machines:
            answer = _expect("200", await self._state(machine))
            address = answer.bindIp or "none before its first connection"
            self._say(f"{machine.name}: {STATE_NAMES[answer.connState]}, address {address}")

    async def _connect(self, machine: Machine) -> DemoLink:
        self._title(f"{machine.name} connects")
        url = f"wss://{LOOPBACK}:{self._endpoints.link_port}{wire.PATH}"
        end = await open_link(url, machine.token, machine.network_tls)
        answer = await self._state_becomes("INIT", machine)
        self._say(f"the link is accepted: {STATE_NAMES[answer.connState]}")
        interface = await end.request_address()
        answer = await self._state_becomes("CONNECTED", machine)
        self._say(f"the server answered its address, {interface}: {STATE_NAMES[answer.connState]}")
        return end

    async def _packets(self, alpha: DemoLink, beta: DemoLink, gamma: DemoLink) -> None:
        self._title("Packets flow")
        for source, target in ((alpha, beta), (beta, gamma), (gamma, alpha)):
            source.send("are you there?", target.interface.ip)
            text, sender = await target.receive()
            self._say(f"{sender} to {target.interface.ip}: {text!r}")
        alpha.send("I am gamma", beta.interface.ip, source=gamma.interface.ip)
        alpha.send("and this is me", beta.interface.ip)  # it arrives, so the one before was dropped
        text, sender = await beta.receive()
        drops = ", ".join(
            f"{count} {reason}" for reason, count in self._server.hub.switch.drops.items()
        )
        self._say(f"alpha also sent one with a false source: {beta.interface.ip} got only {text!r}")
        self._say(f"dropped, and counted: {drops.replace('_', ' ')}")

    async def _unplug(self, machine: Machine, end: DemoLink) -> None:
        self._title(f"{machine.name} is unplugged")
        end.disconnect()
        answer = await self._state_becomes("IDLE", machine)
        self._say(
            f"{STATE_NAMES[answer.connState]}, and {answer.bindIp} stays its own. The log says:"
        )
        node_id = read_peer(machine.tls.certificate_pem or b"").common_name
        for record in LogReader(self._log_folder).read():
            for recorded in events_of(record):
                if recorded.event.state_changed.node_id == node_id:
                    typer.echo(text_format()(recorded, ""))

    async def _state_becomes(self, state: str, machine: Machine) -> Any:
        """Poll the node's state until it is as expected: the server notices a link's end later."""
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                answer = _expect("200", await self._state(machine))
                if STATE_NAMES[answer.connState] == state:
                    return answer
                await asyncio.sleep(_POLL_INTERVAL_S)

    async def _rights(self, alpha: Machine, beta: Machine, gamma: Machine) -> None:
        del gamma
        self._title(f"{alpha.name} is curious what else its certificate opens")
        async with self._control(alpha.tls) as node:
            for what, method, request in (
                ("a bootstrap token", "GetBootStrapToken", pb.GetBootStrapTokenRequest()),
                (f"unregister {beta.name}", "UnRegister", pb.UnRegisterRequest(token=beta.token)),
            ):
                await self._denied(what, node.call(method, request))

    async def _expiry(self, machine: Machine, end: DemoLink) -> None:
        self._title(f"The operator lets {machine.name} expire in a minute")
        await self._set_expiry(machine, now_ms(self._clock) // 1000 + 60)
        self._clock.advance(minutes=2)
        self._say("... two minutes later (the demo puts its clock forward)")
        self._say(f"its link was closed: {await end.close_reason()}")
        async with self._control(self._admin) as admin:
            request = pb.CheckConnStateRequest(token=machine.token)
            answer = _expect("400", await admin.call("CheckConnState", request))
        self._say(f"{machine.name}: {answer.code}, {answer.message}")
        await self._denied(f"{machine.name} itself", self._state(machine))
        await self._set_expiry(machine, 0)
        answer = _expect("200", await self._state(machine))
        self._say(f"set to never expire, it is back: {STATE_NAMES[answer.connState]}")

    async def _unregister(self, machine: Machine) -> None:
        self._title(f"{machine.name} unregisters")
        async with self._control(machine.tls) as node:
            request = pb.UnRegisterRequest(token=machine.token)
            answer = _expect("200", await node.call("UnRegister", request))
            self._say(f"answer {answer.code}, result {answer.result}")
            question = pb.CheckConnStateRequest(token=machine.token)
            await self._denied("the same connection", node.call("CheckConnState", question))

    async def _late(self, bootstrap_token: str) -> None:
        self._title("A machine comes too late")
        self._clock.advance(minutes=10)
        self._say("... ten minutes later")
        answer = _expect("400", await self._redeem(bootstrap_token))
        self._say(f"answer {answer.code}: {answer.message}")

    async def _redeem(self, bootstrap_token: str) -> Any:
        port, tls = self._endpoints.bootstrap_port, ClientTls(self._ca_pem)
        async with Channel(LOOPBACK, port, tls, BOOTSTRAP_PORT) as newcomer:
            request = pb.GetTokenRequest(bootStrapToken=bootstrap_token)
            return await newcomer.call("GetToken", request)

    async def _state(self, machine: Machine) -> Any:
        async with self._control(machine.tls) as node:
            return await node.call("CheckConnState", pb.CheckConnStateRequest(token=machine.token))

    async def _set_expiry(self, machine: Machine, expire_time_s: int) -> None:
        sensor = sensor_pb2.SensorExpire(
            deviceToken=machine.token.encode(), expireTime=expire_time_s
        )
        async with self._control(self._admin) as admin:
            request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=[sensor])
            _expect("200", await admin.call("UpdateSensorExpireTime", request))

    async def _denied(self, what: str, call: Any) -> None:
        """Print how a call was refused.

        Raises:
            OperationFailed: it was not.
        """
        try:
            await call
        except CallFailed as error:
            self._say(f"{what}: {error.code.name}, {error.details}")
        else:
            raise OperationFailed(f"{what} should have been refused, and was not")

    def _control(self, tls: ClientTls) -> Channel:
        return Channel(LOOPBACK, self._endpoints.control_port, tls)

    def _title(self, text: str) -> None:
        self._step += 1
        self._console.print(f"\n[bold]{self._step:>2}. {text}[/]")

    def _say(self, text: str) -> None:
        self._console.print(f"    {text}", markup=False, soft_wrap=True)


def _expect(code: str, answer: Any) -> Any:
    if answer.code != code:
        raise OperationFailed(f"expected {code}, got {answer.code}: {answer.message}")
    return answer

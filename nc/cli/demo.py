"""`network-controller demo`: the whole life of three nodes, told to a newcomer."""

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from rich.console import Console

from eventlog import LogReader
from nc.cli.demo_link import PacketEnd, plug_in
from nc.cli.entrypoint import OperationFailed
from nc.cli.event_loop import run_async
from nc.cli.log.app import displayer
from nc.cli.options import Output
from nc.cli.render import text_line
from nc.client.channel import BOOTSTRAP_PORT, CallFailed, Client, ClientTls
from nc.clock import SystemClock, now_ms
from nc.contract import STATE_NAMES
from nc.history.events import events_of
from nc.net import wire
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki import read_peer
from nc.secrets import SystemSecrets
from nc.server.installation import Installation, serve_installation
from nc.server.server import Server
from nc.server.settings import ServerSettings

LOOPBACK = "127.0.0.1"
MACHINES = ("alpha", "beta", "gamma")

# Far beyond what any step takes; and how often it is looked whether it is done.
_PATIENCE_S = 10.0
_ASK_AGAIN_S = 0.02


def demo() -> None:
    """Play the whole life of three nodes over real TLS, then show the log of it.

    Uses free ports on 127.0.0.1 and a temporary folder, and ends by itself.

    Example: network-controller demo
    """
    run_async(_play(Console(highlight=False)))


async def _play(console: Console) -> None:
    clock = _DemoClock()
    with tempfile.TemporaryDirectory(prefix="network-controller-demo-") as folder:
        settings = ServerSettings(
            data_dir=Path(folder) / "data",
            advertise=LOOPBACK,
            listen=LOOPBACK,
            grpc_port=0,
            bootstrap_port=0,
            link_port=0,
        )
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_silence])
        serving = serve_installation(settings, clock=clock, secrets=SystemSecrets(), logger=log)
        async with serving as (installation, server):
            await _Story(installation, server, clock, console, Path(folder)).tell()
        console.print("\n[bold]The server has stopped. This is its event log:[/]\n")
        display = displayer(console, Output.TEXT)
        for record in LogReader(installation.folder.log).read():
            display(record)
    console.print(
        "\nNo token and no key is in there: ids stand for them. "
        "Read your own with [bold]network-controller log show[/]."
    )


class _DemoClock(SystemClock):
    """The machine's clock, which can be put forward so that nobody has to wait."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns

    def put_forward(self, minutes: int) -> None:
        self._ahead_ns += minutes * 60 * 1_000_000_000


class _Machine(NamedTuple):
    """What a machine keeps of GetToken's answer."""

    name: str
    token: str
    tls: ClientTls  # for the control port
    network_tls: ClientTls  # for the link


class _Story:
    """The steps, each real calls to a real server."""

    def __init__(
        self,
        installation: Installation,
        server: Server,
        clock: _DemoClock,
        console: Console,
        folder: Path,
    ) -> None:
        self._server = server
        self._log_folder = installation.folder.log
        self._folder = folder
        paths = installation.certificates.grpc.paths
        self._ca_pem = paths.ca.read_bytes()
        self._admin = ClientTls(
            self._ca_pem, paths.client_key.read_bytes(), paths.client.read_bytes()
        )
        self._endpoints = server.endpoints
        self._clock = clock
        self._console = console
        self._step = 0

    async def tell(self) -> None:
        self._title("An operator starts a server")
        ends = self._endpoints
        self._say(f"control port {ends.control_port} (mutual TLS): certificates are the keys to it")
        self._say(f"bootstrap port {ends.bootstrap_port} (TLS): where new machines knock")
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

    async def _join(self, name: str, bootstrap_token: str) -> _Machine:
        self._title(f"Machine {name} redeems it")
        answer = _expect("200", await self._redeem(bootstrap_token))
        self._say("answer 200: a node token, and two sets of TLS certificates of its own")
        pems = (
            (answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
            (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
        )
        tls, network_tls = (ClientTls(*map(base64.b64decode, three)) for three in pems)
        return _Machine(name, answer.token, tls, network_tls)

    async def _wrong_token(self) -> None:
        self._title("A stranger tries tokens")
        for kind, token in (("no token", ""), ("half a token", "12345678"), ("a guess", "0" * 16)):
            answer = _expect("400", await self._redeem(token))
            self._say(f"{kind}: {answer.code}, {answer.message}")

    async def _look(self, machines: list[_Machine]) -> None:
        self._title("Each machine asks where it stands, with its own certificate")
        for machine in machines:
            answer = _expect("200", await self._state(machine))
            address = answer.bindIp or "none before its first connection"
            self._say(f"{machine.name}: {STATE_NAMES[answer.connState]}, address {address}")

    async def _connect(self, machine: _Machine) -> PacketEnd:
        self._title(f"{machine.name} connects")
        url = f"wss://{LOOPBACK}:{self._endpoints.link_port}{wire.PATH}"
        end = await plug_in(url, machine.token, machine.network_tls, self._folder)
        answer = await self._state_becomes("INIT", machine)
        self._say(f"the link is accepted: {STATE_NAMES[answer.connState]}")
        interface = await end.say_hello()
        answer = await self._state_becomes("CONNECTED", machine)
        self._say(f"it was told its address, {interface}: {STATE_NAMES[answer.connState]}")
        return end

    async def _packets(self, alpha: PacketEnd, beta: PacketEnd, gamma: PacketEnd) -> None:
        self._title("Packets flow")
        for source, target in ((alpha, beta), (beta, gamma), (gamma, alpha)):
            source.send("are you there?", target.interface.ip)
            text, sender = await target.receive()
            self._say(f"{sender} to {target.interface.ip}: {text!r}")
        alpha.send("I am gamma", beta.interface.ip, source=gamma.interface.ip)
        alpha.send("and this is me", beta.interface.ip)  # what comes after it, came
        text, sender = await beta.receive()
        drops = ", ".join(
            f"{count} {reason}" for reason, count in self._server.hub.switch.drops.items()
        )
        self._say(f"alpha lies about its address; {beta.interface.ip} hears only {text!r}")
        self._say(f"dropped, and counted: {drops.replace('_', ' ')}")

    async def _unplug(self, machine: _Machine, end: PacketEnd) -> None:
        self._title(f"Somebody unplugs {machine.name}")
        end.pull_the_plug()
        answer = await self._state_becomes("IDLE", machine)
        self._say(
            f"{STATE_NAMES[answer.connState]}, and {answer.bindIp} stays its own. The log says:"
        )
        node_id = read_peer(machine.tls.certificate_pem or b"").common_name
        for record in LogReader(self._log_folder).read():
            for recorded in events_of(record):
                if recorded.event.state_changed.node_id == node_id:
                    self._console.print(text_line(recorded), soft_wrap=True)

    async def _state_becomes(self, state: str, machine: _Machine) -> Any:
        """Ask until it is so: what happens to a link is known a moment later."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                answer = _expect("200", await self._state(machine))
                if STATE_NAMES[answer.connState] == state:
                    return answer
                await asyncio.sleep(_ASK_AGAIN_S)

    async def _rights(self, alpha: _Machine, beta: _Machine, gamma: _Machine) -> None:
        del gamma
        self._title(f"{alpha.name} is curious what else its certificate opens")
        async with self._control(alpha.tls) as node:
            for what, method, request in (
                ("a bootstrap token", "GetBootStrapToken", pb.GetBootStrapTokenRequest()),
                (f"unregister {beta.name}", "UnRegister", pb.UnRegisterRequest(token=beta.token)),
            ):
                await self._denied(what, node.call(method, request))

    async def _expiry(self, machine: _Machine, end: PacketEnd) -> None:
        self._title(f"The operator lets {machine.name} expire in a minute")
        await self._set_expiry(machine, now_ms(self._clock) // 1000 + 60)
        self._clock.put_forward(minutes=2)
        self._say("... two minutes later (the demo puts its clock forward)")
        self._say(f"its link was closed: {await end.farewell()}")
        async with self._control(self._admin) as admin:
            request = pb.CheckConnStateRequest(token=machine.token)
            answer = _expect("400", await admin.call("CheckConnState", request))
        self._say(f"{machine.name}: {answer.code}, {answer.message}")
        await self._denied(f"{machine.name} itself", self._state(machine))
        await self._set_expiry(machine, 0)
        answer = _expect("200", await self._state(machine))
        self._say(f"set to never expire, it is back: {STATE_NAMES[answer.connState]}")

    async def _unregister(self, machine: _Machine) -> None:
        self._title(f"{machine.name} leaves for good")
        async with self._control(machine.tls) as node:
            request = pb.UnRegisterRequest(token=machine.token)
            answer = _expect("200", await node.call("UnRegister", request))
            self._say(f"answer {answer.code}, result {answer.result}")
            question = pb.CheckConnStateRequest(token=machine.token)
            await self._denied("the same connection", node.call("CheckConnState", question))

    async def _late(self, bootstrap_token: str) -> None:
        self._title("A machine comes too late")
        self._clock.put_forward(minutes=10)
        self._say("... ten minutes later")
        answer = _expect("400", await self._redeem(bootstrap_token))
        self._say(f"answer {answer.code}: {answer.message}")

    async def _redeem(self, bootstrap_token: str) -> Any:
        port, tls = self._endpoints.bootstrap_port, ClientTls(self._ca_pem)
        async with Client(LOOPBACK, port, tls, BOOTSTRAP_PORT) as newcomer:
            request = pb.GetTokenRequest(bootStrapToken=bootstrap_token)
            return await newcomer.call("GetToken", request)

    async def _state(self, machine: _Machine) -> Any:
        async with self._control(machine.tls) as node:
            return await node.call("CheckConnState", pb.CheckConnStateRequest(token=machine.token))

    async def _set_expiry(self, machine: _Machine, expire_time_s: int) -> None:
        sensor = sensor_pb2.SensorExpire(
            deviceToken=machine.token.encode(), expireTime=expire_time_s
        )
        async with self._control(self._admin) as admin:
            request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=[sensor])
            _expect("200", await admin.call("UpdateSensorExpireTime", request))

    async def _denied(self, what: str, call: Any) -> None:
        """Say how a call was refused; that it is let through ends the demo."""
        try:
            await call
        except CallFailed as error:
            self._say(f"{what}: {error.code.name}, {error.details}")
        else:
            raise OperationFailed(f"{what} should have been refused, and was not")

    def _control(self, tls: ClientTls) -> Client:
        return Client(LOOPBACK, self._endpoints.control_port, tls)

    def _title(self, text: str) -> None:
        self._step += 1
        self._console.print(f"\n[bold]{self._step:>2}. {text}[/]")

    def _say(self, text: str) -> None:
        self._console.print(f"    {text}", markup=False, soft_wrap=True)


def _expect(code: str, answer: Any) -> Any:
    if answer.code != code:
        raise OperationFailed(f"expected {code}, got {answer.code}: {answer.message}")
    return answer


def _silence(*_: object) -> Any:
    raise structlog.DropEvent

"""`network-controller join`: this machine becomes a node, and stays connected."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.backoff import delay_s
from nc.agent.enrolment import Invitation, ServerUnreachable, is_ca_cert_hash, redeem
from nc.agent.state import CertificateSet, Node, StateFolder, digest_of
from nc.cli import structured_logs
from nc.cli.entrypoint import OperationFailed, default_data_dir
from nc.cli.event_loop import run_async
from nc.cli.server_address import ServerAddress
from nc.clock import SystemClock
from nc.contract import DEFAULT_MTU
from nc.errors import ConfigError
from nc.net.tun import TunUnavailable, require_tun
from nc.secrets import SystemSecrets
from nc.text import host_port

if TYPE_CHECKING:  # an agent that has joined, and has no configuration file, needs neither
    from nc.cli.config_file import ClientSection, ConfigFile
    from nc.pb.network_controller_pb2 import GetTokenResponse


def default_state_dir() -> Path:
    """The state folder when none is named, beside a server's data folder."""
    return default_data_dir().with_name("network-controller-node")


def join(
    invitation: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOKEN@IP:PORT]",
            help="As ncadm create-bootstrap-token prints it. A machine that has joined needs none.",
        ),
    ] = None,
    ca_cert_hash: Annotated[
        str | None,
        typer.Option(
            metavar="sha256:…", help="By which the server's CA is known; printed with the token."
        ),
    ] = None,
    insecure_bootstrap: Annotated[
        bool,
        typer.Option(
            "--insecure-bootstrap", help="Show the token to whoever answers there, without a hash."
        ),
    ] = False,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where this node's token and certificates are kept. "
            f"Default: {default_state_dir()}"
        ),
    ] = None,
    no_tun: Annotated[
        bool,
        typer.Option("--no-tun", help="Hold the link, but carry no packets: needs no privileges."),
    ] = False,
    mtu: Annotated[
        int, typer.Option(min=576, max=65_535, help="The largest packet in the overlay, bytes.")
    ] = DEFAULT_MTU,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="For a server that runs with --plaintext.")
    ] = False,
) -> None:
    """Join a network, and be connected until SIGTERM or Ctrl-C.

    Example: network-controller join c604…4954@192.0.2.7:6439 --ca-cert-hash sha256:1588…f680
    """
    invited = _invited(invitation, ca_cert_hash, plaintext=plaintext)
    folder = StateFolder(state_dir or default_state_dir())
    _known(folder, invited, insecure=insecure_bootstrap)  # before anything is made
    if not no_tun:
        _require_tun()
    log = structured_logs.configure()
    with folder.locked():
        known = _known(folder, invited, insecure=insecure_bootstrap)
        _run(_join(folder, known, log, tun=not no_tun, mtu=mtu))


def join_as_configured(path: Path, file: "ConfigFile") -> None:
    """Be the node that a configuration file describes: it has joined before.

    Raises:
        ConfigError: the file says nothing of a node.
    """
    section = file.client
    if section is None:
        raise ConfigError(f"{path}: client: is missing; with mode: client it says where to connect")
    require_tun()
    log = structured_logs.configure(debug=section.debug, log_dir=section.log_dir)
    folder = StateFolder(section.work_dir or default_state_dir())
    with folder.locked():
        _run(
            _hold(
                folder,
                _configured(section),
                log,
                mtu=section.mtu,
                redirect_gateway=section.redirect_gateway,
            )
        )


def _configured(section: "ClientSection") -> Node:
    return Node(section.token, section.server_addr, section.port, section.network_cert_dir)


def _require_tun() -> None:
    try:
        require_tun()
    except TunUnavailable as error:
        raise OperationFailed(f"{error}; or hold the link without packets (--no-tun)") from error


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Do it until it fails, or SIGTERM or Ctrl-C ends it in good order."""
    try:
        run_async(_until_told(work))
    finally:
        structured_logs.flush()


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working, told = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait((working, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


def _invited(text: str | None, ca_cert_hash: str | None, *, plaintext: bool) -> Invitation | None:
    if ca_cert_hash is not None and not is_ca_cert_hash(ca_cert_hash):
        raise typer.BadParameter(
            "expected sha256: and 64 hex digits, as ncadm create-bootstrap-token prints it",
            param_hint="--ca-cert-hash",
        )
    if ca_cert_hash is not None and plaintext:
        raise typer.BadParameter(
            "--ca-cert-hash cannot be checked without TLS (--plaintext): drop one of the two"
        )
    if text is None:
        return None
    token, _, at = text.partition("@")
    try:
        place = ServerAddress.parse(at or "none")
    except ValueError as error:
        raise typer.BadParameter("expected TOKEN@IP:PORT, as it was printed") from error
    return Invitation(token, place.host, place.port, ca_cert_hash, plaintext)


def _known(folder: StateFolder, invited: Invitation | None, *, insecure: bool) -> Node | Invitation:
    """The node to be again, or the invitation to become one with.

    Raises:
        typer.BadParameter: neither is there, or the invitation says not enough.
    """
    known = _kept(folder, invited) or invited
    if known is None:
        raise typer.BadParameter(
            f"{folder.path} remembers no node: give TOKEN@IP:PORT, as "
            "ncadm create-bootstrap-token prints it"
        )
    if isinstance(known, Invitation) and not (known.is_safe or insecure):
        raise typer.BadParameter(
            "give --ca-cert-hash, as ncadm create-bootstrap-token prints it; or say "
            "--insecure-bootstrap, and whoever answers there gets the token"
        )
    return known


def _kept(folder: StateFolder, invited: Invitation | None) -> Node | None:
    """The node to be again; with an invitation, only if it is the one that was used before.

    So one command line both joins and resumes, and a new token makes a new node.
    """
    node = folder.load()
    if node is None or invited is None or node.joined_with == digest_of(invited.text):
        return node
    return None


async def _join(
    folder: StateFolder,
    known: Node | Invitation,
    log: FilteringBoundLogger,
    *,
    tun: bool,
    mtu: int,
) -> None:
    node = await _enrol(folder, known, log) if isinstance(known, Invitation) else known
    await _hold(folder, node, log, tun=tun, mtu=mtu)


async def _hold(
    folder: StateFolder,
    node: Node,
    log: FilteringBoundLogger,
    *,
    tun: bool = True,
    mtu: int,
    redirect_gateway: bool = False,
) -> None:
    # Nothing else needs pyroute2, which takes a fifth of every command's time to import.
    from nc.agent.agent import Agent, AgentSettings, AgentStopped
    from nc.net.routes import Redirect

    settings = AgentSettings(tun, mtu, redirect_gateway)
    redirect = Redirect(folder.redirect)
    clock, secrets = SystemClock(), SystemSecrets()
    try:
        await Agent(node, settings, redirect, clock=clock, secrets=secrets, log=log).run()
    except AgentStopped as error:
        raise OperationFailed(str(error)) from error


async def _enrol(folder: StateFolder, invited: Invitation, log: FilteringBoundLogger) -> Node:
    """Redeem the token, however long the server takes to be there, and keep what it answers."""
    if invited.ca_cert_hash is None:
        problem = "no TLS: whoever is on the way can read the token, and what it is answered"
        if not invited.plaintext:
            problem = "the server is not known by a hash: whoever answers there gets the token"
        log.warning(log_events.AGENT_INSECURE, message=problem)
    failures = 0
    while True:
        folder.require_room()  # the server would have a node that nobody is
        try:
            answer = await redeem(invited)
        except ServerUnreachable as error:
            failures += 1
            wait_s = delay_s(failures, SystemSecrets())
            text = f"{error}; trying again in {wait_s:.1f} s"
            log.warning(log_events.AGENT_DISCONNECTED, reason="NotJoined", message=text)
            sd_notify.status(f"not joined: {text}")
            await asyncio.sleep(wait_s)
        else:
            break
    before = folder.load()
    name = None if before is None else before.node_id()  # its certificate does not stay
    node = _remember(folder, invited, answer)
    if before is not None:
        log.warning(
            log_events.AGENT_REPLACED,
            message=f"this machine was {name or 'another node'}, which stays registered until it "
            "is unregistered or expires, if it has not yet; its token is kept in "
            f"{folder.node_before}, for ncadm unregister --node-token",
        )
    server = host_port(node.host, node.port)
    log.info(log_events.AGENT_JOINED, server=server, state=str(folder.path))
    return node


def _remember(folder: StateFolder, invited: Invitation, answer: "GetTokenResponse") -> Node:
    node = Node(
        answer.token,
        answer.networkServerIp,
        int(answer.networkServerPort),
        certificates=None,  # said by what keeps it
        joined_with=digest_of(invited.text),
    )
    if invited.plaintext:
        return folder.keep(node, None, None)
    return folder.keep(
        node,
        CertificateSet(answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
        CertificateSet(answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
    )

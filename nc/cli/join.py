"""`network-controller join`: this machine becomes a node, and stays connected."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.backoff import delay_s
from nc.agent.device import DeviceSettings
from nc.agent.enrolment import Invitation, ServerUnreachable, redeem
from nc.agent.state import CertificateSet, NodeIdentity, StateFolder, digest_of
from nc.cli import signals, structured_logs
from nc.cli.entrypoint import OperationFailed, default_data_dir
from nc.cli.event_loop import run_async
from nc.cli.invitation import InvitationArgument, invitation_of, without_invitation
from nc.cli.token_args import BOOTSTRAP_TOKEN_VARIABLE, TokenFileOption
from nc.clock import SystemClock
from nc.contract import DEFAULT_MTU
from nc.errors import ConfigError
from nc.net.tun import TunUnavailable, require_tun
from nc.permissions import forbid_core_dumps
from nc.secrets import SystemSecrets
from nc.text import host_port

if TYPE_CHECKING:  # an agent that has joined, and has no configuration file, needs neither
    from nc.cli.config_file import ClientSection, ConfigFile
    from nc.pb.network_controller_pb2 import GetTokenResponse


_RELOADS: list[Callable[[], None]] = []  # called back at SIGHUP


def default_state_dir() -> Path:
    """The state folder when none is named, beside a server's data folder."""
    return default_data_dir().with_name("network-controller-node")


def join(
    invitation: InvitationArgument = None,
    ca_cert_hash: Annotated[
        str | None,
        typer.Option(
            metavar="sha256:…",
            help="The hash that the server's CA must have; printed with the token.",
        ),
    ] = None,
    token_file: TokenFileOption = None,
    insecure_bootstrap: Annotated[
        bool,
        typer.Option(
            "--insecure-bootstrap",
            help="Send the token to any server there, without a hash.",
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
    no_route: Annotated[
        bool,
        typer.Option("--no-route", help="Set the overlay address, but leave routes to you."),
    ] = False,
    route_metric: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**32 - 1,
            help="Set the route to the overlay with this metric, also beside one of this "
            "machine's own networks; the least metric wins.",
        ),
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="For a server that runs with --plaintext.")
    ] = False,
) -> None:
    """Join a network, and stay connected until SIGTERM or Ctrl-C.

    Example: network-controller join c604…4954@192.0.2.7:6439 --ca-cert-hash sha256:1588…f680
    """
    if no_route and route_metric is not None:
        raise typer.BadParameter("give --no-route or --route-metric, not both")
    device = DeviceSettings(mtu, has_route=not no_route, metric=route_metric)
    invited = invitation_of(invitation, token_file, ca_cert_hash, plaintext=plaintext)
    folder = StateFolder(state_dir or default_state_dir())
    _identity(folder, invited, insecure=insecure_bootstrap)  # before anything is made
    if not no_tun:
        _require_tun()
    signals.ignore_others()
    forbid_core_dumps()
    log = structured_logs.configure()
    with folder.locked():
        identity = _identity(folder, invited, insecure=insecure_bootstrap)
        if isinstance(identity, Invitation):
            if _run(_enrol(folder, identity, log)):
                _start_again(invitation)
        else:
            _run(_hold(folder, identity, log, tun=not no_tun, device=device))


def join_as_configured(path: Path, file: "ConfigFile") -> None:
    """Run the node that a configuration file describes; it has enrolled before.

    Raises:
        ConfigError: the file has no client section.
    """
    section = file.client
    if section is None:
        raise ConfigError(f"{path}: client: is missing; with mode: client it says where to connect")
    require_tun()
    signals.ignore_others()
    forbid_core_dumps()
    log = structured_logs.configure(debug=section.debug, log_dir=section.log_dir)
    folder = StateFolder(section.work_dir or default_state_dir())
    device = DeviceSettings(
        section.mtu, section.redirect_gateway, section.route, section.route_metric or None
    )
    with folder.locked():
        _run(_hold(folder, _configured(section), log, device=device))


def _configured(section: "ClientSection") -> NodeIdentity:
    return NodeIdentity(section.token, section.server_addr, section.port, section.network_cert_dir)


def _start_again(invitation: str | None) -> NoReturn:
    """Replace this process by one that resumes: gRPC, needed to enrol only, takes 17 MB.

    Its command line and environment have no token.
    """
    os.environ.pop(BOOTSTRAP_TOKEN_VARIABLE, None)
    words = without_invitation(sys.orig_argv[1:], invitation)
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - this program itself


def _require_tun() -> None:
    try:
        require_tun()
    except TunUnavailable as error:
        raise OperationFailed(f"{error}; or hold the link without packets (--no-tun)") from error


def _run(work: Coroutine[Any, Any, object]) -> bool:
    """Run it until it ends, or SIGTERM or Ctrl-C stops it in good order; whether it ended."""
    try:
        return run_async(_until_stopped(work))
    finally:
        structured_logs.flush()


def _reload() -> None:
    """Reopen the log file. Certificates are read for each link, so replaced ones need a new one."""
    structured_logs.reopen()
    for reload in _RELOADS:
        reload()


async def _until_stopped(work: Coroutine[Any, Any, object]) -> bool:
    stop = asyncio.Event()
    signals.handle(stop.set, _reload)
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    alive = asyncio.create_task(sd_notify.keep_alive())
    await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
    alive.cancel()
    stopped.cancel()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return not stop.is_set()


def _identity(
    folder: StateFolder, invited: Invitation | None, *, insecure: bool
) -> NodeIdentity | Invitation:
    """The node to resume as, or the invitation to enrol with.

    Raises:
        typer.BadParameter: there is neither, or the invitation names no CA hash.
    """
    known = _remembered(folder, invited) or invited
    if known is None:
        raise typer.BadParameter(
            f"{folder.path} remembers no node: give TOKEN@IP:PORT, as "
            "ncadm create-bootstrap-token prints it"
        )
    if isinstance(known, Invitation) and not (known.is_safe or insecure):
        raise typer.BadParameter(
            "give --ca-cert-hash, as ncadm create-bootstrap-token prints it; or say "
            "--insecure-bootstrap, and any server at that address gets the token"
        )
    return known


def _remembered(folder: StateFolder, invited: Invitation | None) -> NodeIdentity | None:
    """The node in the state folder; with an invitation, only if it enrolled with that one.

    One command line so both joins and resumes, and a new token makes a new node.
    """
    node = folder.load()
    if node is None or invited is None or node.joined_with == digest_of(invited.text):
        return node
    return None


async def _hold(
    folder: StateFolder,
    node: NodeIdentity,
    log: FilteringBoundLogger,
    *,
    tun: bool = True,
    device: DeviceSettings,
) -> None:
    from nc.agent.agent import Agent, AgentSettings
    from nc.net.redirect import Redirect

    settings = AgentSettings(tun, device)
    redirect = Redirect(folder.redirect)
    clock, secrets = SystemClock(), SystemSecrets()
    agent = Agent(node, settings, redirect, clock=clock, secrets=secrets, log=log)
    _RELOADS[:] = [agent.reload]
    await agent.run()


async def _enrol(
    folder: StateFolder, invited: Invitation, log: FilteringBoundLogger
) -> NodeIdentity:
    """Redeem the token, again and again until the server answers, and keep the answer."""
    if invited.ca_cert_hash is None:
        problem = "no TLS: anyone on the network path can read the token and the answer"
        if not invited.plaintext:
            problem = "the server is not checked against a hash: any server there gets the token"
        log.warning(log_events.AGENT_INSECURE, message=problem)
    failures = 0
    while True:
        folder.require_room()  # else the server would register a node that cannot be kept
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
    name = None if before is None else before.node_id()  # before its certificate is removed
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


def _remember(folder: StateFolder, invited: Invitation, answer: "GetTokenResponse") -> NodeIdentity:
    node = NodeIdentity(
        answer.token,
        answer.networkServerIp,
        int(answer.networkServerPort),
        certificates=None,  # `keep` sets it
        joined_with=digest_of(invited.text),
    )
    if invited.plaintext:
        return folder.keep(node, None, None)
    return folder.keep(
        node,
        CertificateSet(answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
        CertificateSet(answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
    )

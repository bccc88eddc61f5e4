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
from nc.agent.addresses import KnownAddresses
from nc.agent.device import DeviceSettings
from nc.agent.enrolment import Invitation
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity, StateFolder, digest_of
from nc.cli import signals, structured_logs
from nc.cli.enrol import enrol
from nc.cli.entrypoint import OperationFailed
from nc.cli.event_loop import run_async
from nc.cli.invitation import (
    ImportedOption,
    InvitationArgument,
    InvitationKind,
    invitation_of,
    without_invitation,
)
from nc.cli.options import DebugOption, Output, OutputOption, PlaintextOption, value_of
from nc.cli.server_moves import known_addresses
from nc.cli.token_args import BOOTSTRAP_TOKEN_VARIABLE, TokenFileOption
from nc.clock import SystemClock
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_MTU, LARGEST_UINT32
from nc.data_folder import default_data_dir
from nc.errors import ConfigError
from nc.net.tun import TunUnavailable, require_tun
from nc.permissions import forbid_core_dumps
from nc.secrets import SystemSecrets

if TYPE_CHECKING:  # an agent that has joined, and has no configuration file, does not need it
    from nc.cli.config_file import ClientSection, ConfigFile


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
            max=LARGEST_UINT32,
            help="Set the route to the overlay with this metric, also beside one of this "
            "machine's own networks; the least metric wins.",
        ),
    ] = None,
    plaintext: PlaintextOption = False,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="IP[:PORT][,…]",
            help="Where the server's link port is now, if it has moved; a machine that has joined "
            "keeps it. Several: those of several servers, or of one.",
        ),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An HTTP proxy that all connections go through, http://IP:PORT. Those that the "
            "environment names are not used.",
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(metavar="NAME", help="What to be called, if it joins now. Default: hostname."),
    ] = "",
    imported: ImportedOption = False,
    debug: DebugOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Join a network, and stay connected until SIGTERM or Ctrl-C.

    Example: network-controller join c604…4954@192.0.2.7:6439 --ca-cert-hash sha256:1588…f680
    """
    if no_route and route_metric is not None:
        raise typer.BadParameter("give --no-route or --route-metric, not both")
    proxy = _checked_proxy(proxy)
    device = DeviceSettings(mtu, has_route=not no_route, metric=route_metric)
    settings = AgentSettings(not no_tun, device, proxy)
    how = InvitationKind(plaintext, proxy, imported, name.lower())
    invited = invitation_of(invitation, token_file, ca_cert_hash, how)
    folder = StateFolder(state_dir or default_state_dir())
    _identity(folder, invited, insecure=insecure_bootstrap)  # before anything is made
    if not no_tun:
        _require_tun()
    signals.ignore_others()
    forbid_core_dumps()
    log = structured_logs.configure(debug=debug)
    with folder.locked():
        identity = _identity(folder, invited, insecure=insecure_bootstrap)
        if isinstance(identity, Invitation):
            if _run(enrol(folder, identity, log, output)):
                _start_again(invitation)
        else:
            known = known_addresses(folder, identity, invited, server, log)
            _run(_hold(folder, identity, known, settings, log))


def join_as_configured(path: Path, file: "ConfigFile", *, debug: bool = False) -> None:
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
    log = structured_logs.configure(debug=debug or section.debug, log_dir=section.log_dir)
    for note in file.notes:
        log.warning(log_events.CONFIG_OLD_KEY, message=note)
    folder, node = StateFolder(section.work_dir or default_state_dir()), _configured(section)
    device = DeviceSettings(
        section.mtu, section.redirect_gateway, section.route, section.route_metric or None
    )
    settings = AgentSettings(device=device, proxy=section.proxy)
    with folder.locked():
        servers = [(host, section.port) for host in section.server_addr]
        _run(_hold(folder, node, KnownAddresses(folder.addresses, *servers), settings, log))


def _configured(section: "ClientSection") -> NodeIdentity:
    host, *_ = section.server_addr
    return NodeIdentity(section.token, host, section.port, section.network_cert_dir)


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


def _checked_proxy(url: str | None) -> str | None:
    if url is None:
        return None
    from nc.server.setting_types import checked_proxy

    with value_of("--proxy"):
        return checked_proxy(url)


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
            f"{folder.path} remembers no node: give TOKEN@IP:PORT, as ncadm tokens issue prints it"
        )
    if isinstance(known, Invitation) and not (known.is_safe or insecure):
        raise typer.BadParameter(
            "give --ca-cert-hash, as ncadm tokens issue prints it; or say "
            "--insecure-bootstrap, and any server at that address gets the token"
        )
    return known


def _remembered(folder: StateFolder, invited: Invitation | None) -> NodeIdentity | None:
    """The node in the state folder; with an invitation, only if it enrolled with that token.

    One command line so both joins and resumes, and a new token makes a new node. The same token at
    another address says that the server has moved.
    """
    node = folder.load()
    if node is None or invited is None or node.joined_with == digest_of(invited.text):
        return node
    known = KnownAddresses(folder.addresses, (node.host, node.port))
    if known.token_digest == digest_of(invited.token):
        return node
    # Releases that kept no digest of the token alone.
    before = f"{invited.token}@{node.host}:{DEFAULT_BOOTSTRAP_PORT}"
    return node if node.joined_with == digest_of(before) else None


async def _hold(
    folder: StateFolder,
    node: NodeIdentity,
    addresses: KnownAddresses,
    settings: AgentSettings,
    log: FilteringBoundLogger,
) -> None:
    from nc.agent.agent import Agent
    from nc.agent.node_files import NodeFiles
    from nc.agent.renewal import Renewal
    from nc.agent.renewal_call import ask_in_a_process
    from nc.net.redirect import Redirect

    redirect = Redirect(folder.redirect)
    clock, secrets = SystemClock(), SystemSecrets()
    parts: dict[str, Any] = {"clock": clock, "secrets": secrets, "log": log}
    renewal = None
    if node.certificates is not None and (files := NodeFiles(node.certificates)).may_renew:
        renewal = Renewal(node.token, files, addresses, settings, **parts, ask=ask_in_a_process)
    agent = Agent(node, settings, redirect, **parts, addresses=addresses, renewal=renewal)
    _RELOADS[:] = [agent.reload]
    await agent.run()

"""`network-controller serve`: merges options and configuration, and runs the server."""

import asyncio
import gc
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from structlog.typing import FilteringBoundLogger

from nc import data_folder, log_events, sd_notify
from nc.cli import signals, structured_logs
from nc.cli.config_file import ServerSection
from nc.cli.event_loop import report_stray, run_async
from nc.cli.free_ports import require_free_ports
from nc.cli.newcomer import ReplicaInvitation, become_replica
from nc.cli.open_files import allow_open_files
from nc.cli.options import (
    AllowDestinationOption,
    CertificateLifetimeOption,
    ConfigOption,
    DebugOption,
    GuessRateOption,
    ListenOption,
    MetricsListenOption,
    ReclaimAfterOption,
)
from nc.cli.own_address import default_advertise, listen_address
from nc.cli.replica_invitation import (
    CaCertHashOption,
    InviteFileOption,
    InviteOption,
    replica_invitation,
)
from nc.cli.serve_greeting import greet
from nc.cli.server_file import load_server_file
from nc.cli.stream_address import ClusterOption, ClusterReplicasOption, require_stream_address
from nc.cli.streams import silence_stdout
from nc.clock import BootClock, SystemClock
from nc.contract import (
    DEFAULT_BOOTSTRAP_PORT,
    DEFAULT_GRPC_PORT,
    DEFAULT_LINK_PORT,
    DEFAULT_METRICS_LISTEN,
)
from nc.data_folder import DATA_DIR_VARIABLE, default_data_dir
from nc.domain.network import DEFAULT_NETWORK
from nc.errors import ConfigError
from nc.net.tun import require_tun
from nc.permissions import forbid_core_dumps
from nc.rpc.queue.selftest import require_supported
from nc.secrets import SystemSecrets
from nc.server.installation import Installation, serve_installation
from nc.server.parts import PASSING_FAILURES
from nc.server.setting_types import explain
from nc.server.settings import ServerSettings, TunMode

# How long a thread may run Python code while another one waits to. With the default of 5 ms, calls
# wait for the event loop when packets keep it busy: 1% for 85 to 105 ms, not 16 to 18.
SWITCH_INTERVAL_S = 1e-4

# New objects until the garbage collector looks at them. With the default of 700 it looks at the
# calls that are under way every fiftieth call, which took a tenth of the time of each.
GC_NEW_OBJECTS = 5_000


def serve(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the log, the certificates and the key are. "
            f"Default: ${DATA_DIR_VARIABLE}, or {default_data_dir()}",
        ),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option(
            metavar="IP[,…]",
            help="The IP address or name that machines are told to reach this server at; further "
            "ones are told to our agents only. Default: --listen if it is one address, else this "
            "machine's address on its default route.",
        ),
    ] = None,
    listen: ListenOption = None,
    grpc_listen: Annotated[
        str | None, typer.Option(metavar="IP", help="The same for the control port alone.")
    ] = None,
    bootstrap_listen: Annotated[
        str | None, typer.Option(metavar="IP", help="The same for the bootstrap port alone.")
    ] = None,
    link_listen: Annotated[
        str | None, typer.Option(metavar="IP", help="The same for the link port alone.")
    ] = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(help=f"The control port. Default: {DEFAULT_GRPC_PORT}; 0: any."),
    ] = None,
    bootstrap_port: Annotated[
        int | None,
        typer.Option(help=f"The bootstrap port. Default: {DEFAULT_BOOTSTRAP_PORT}; 0: any."),
    ] = None,
    link_port: Annotated[
        int | None,
        typer.Option(help=f"The port that nodes connect to. Default: {DEFAULT_LINK_PORT}; 0: any."),
    ] = None,
    internal_port: Annotated[
        int | None,
        typer.Option(
            help="A port for Internal alone, which asks for no certificate: who knows a node "
            "token there may change its expiry. Default: none.",
        ),
    ] = None,
    internal_listen: Annotated[
        str | None,
        typer.Option(metavar="IP", help="Where that port listens. Default: 127.0.0.1"),
    ] = None,
    network_addr: Annotated[
        str | None,
        typer.Option(
            metavar="IP/LENGTH",
            help="The overlay network, as the server's own address in it. "
            f"Default: {DEFAULT_NETWORK}, which has room for 126 nodes.",
        ),
    ] = None,
    tun: Annotated[
        TunMode,
        typer.Option(
            help="Whether this machine gets its own overlay address, on a TUN device; auto: "
            "where that is allowed. Nodes reach each other either way."
        ),
    ] = TunMode.AUTO,
    allow_destination: AllowDestinationOption = None,
    guess_rate: GuessRateOption = None,
    reclaim_after: ReclaimAfterOption = None,
    max_nodes: Annotated[
        int | None, typer.Option(help="How many nodes may be registered. Default: any number.")
    ] = None,
    cluster: ClusterOption = None,
    cluster_replicas: ClusterReplicasOption = None,
    invite: InviteOption = None,
    invite_file: InviteFileOption = None,
    ca_cert_hash: CaCertHashOption = None,
    certificate_lifetime: CertificateLifetimeOption = None,
    metrics_listen: MetricsListenOption = None,
    plaintext: Annotated[
        bool,
        typer.Option("--plaintext", help="No TLS, and no rights checked. For development only."),
    ] = False,
    debug: DebugOption = False,
    new_cluster: Annotated[
        bool,
        typer.Option(
            "--new-cluster",
            help="Where the log, its key or a CA of an earlier start is missing, begin a new "
            "cluster; what is there is kept under another name.",
        ),
    ] = False,
    config_file: ConfigOption = None,
) -> None:
    """Run the server, until SIGTERM or Ctrl-C.

    Example: network-controller serve --data-dir ./data --advertise 192.0.2.7
    """
    file = None if config_file is None else load_server_file(config_file)
    section = (file and file.server) or ServerSection()
    listen = listen or section.listen
    given = {
        "data_dir": data_dir
        or data_folder.data_dir_variable()
        or section.work_dir
        or default_data_dir(),
        "advertise": advertise or section.ip or default_advertise(listen),
        "listen": listen or listen_address(),
        "grpc_listen": grpc_listen or section.grpc_listen,
        "bootstrap_listen": bootstrap_listen or section.bootstrap_listen,
        "link_listen": link_listen or section.link_listen,
        "internal_port": _first(internal_port, section.internal_port),
        "internal_listen": internal_listen or section.internal_listen,
        "grpc_port": _first(grpc_port, section.grpc_port),
        "bootstrap_port": _first(bootstrap_port, section.bootstrap_port),
        "link_port": _first(link_port, section.port),
        "network_addr": network_addr or section.network_addr,
        "mtu": section.mtu,
        "interconnection": section.interconnection,
        "allow_destination": allow_destination or section.allow_destination,
        "guess_rate": _first(guess_rate, section.guess_rate),
        "reclaim_after": reclaim_after or section.reclaim_after,
        "max_nodes": _first(max_nodes, section.max_nodes),
        "cluster": cluster or section.cluster,
        "cluster_replicas": _first(cluster_replicas, section.cluster_replicas),
        "certificate_lifetime": certificate_lifetime or section.certificate_lifetime,
        "metrics_listen": metrics_listen or section.metrics_listen or DEFAULT_METRICS_LISTEN,
        "tun": tun,
        "plaintext": plaintext,
        "new_cluster": new_cluster,
        "grpc_cert_dir": section.grpc_cert_dir,
        "network_cert_dir": section.network_cert_dir,
        "tls_dir": section.tls_dir,
    }
    try:
        settings = ServerSettings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise ConfigError(_first_mistake(error)) from error
    invitation = replica_invitation(invite, invite_file, ca_cert_hash, section, settings.cluster)
    _check(settings, metrics_listen or section.metrics_listen)
    signals.ignore_others()
    forbid_core_dumps()
    log = structured_logs.configure(debug=debug or section.debug, log_dir=section.log_dir)
    for note in file.notes if file else ():
        log.warning(log_events.CONFIG_OLD_KEY, message=note)
    allow_open_files(log)
    try:
        run_async(_serve(settings, invitation, log))
    finally:
        structured_logs.flush()


def _check(settings: ServerSettings, metrics_listen: str | None) -> None:
    """Check what can be, before any file is made; raises what says why not."""
    if settings.inside_overlay:
        raise ConfigError(
            f"the advertised address {settings.inside_overlay} is in the overlay network "
            f"{settings.network_addr}: nodes would lead their links into it; choose another "
            "network with --network-addr, or another address with --advertise"
        )
    if settings.cluster is not None:
        require_stream_address(settings.cluster)
    elif "cluster_replicas" in settings.model_fields_set:
        raise ConfigError("--cluster-replicas: no stream is named; add --cluster or leave this out")
    if settings.tun is TunMode.ON:
        require_tun()
    require_free_ports(settings, metrics_listen)


async def _serve(
    settings: ServerSettings, invitation: ReplicaInvitation | None, log: FilteringBoundLogger
) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: report_stray(log, context))
    reload = asyncio.Event()
    signals.handle(stop.set, reload.set)
    secrets = SystemSecrets()
    clock = SystemClock() if settings.cluster is None else BootClock()
    if invitation is not None:
        await become_replica(settings, invitation, secrets, log)
    await require_supported(clock, f"unix-abstract:nc-{secrets.random_bytes(8).hex()}")
    serving = serve_installation(
        settings, clock=clock, secrets=secrets, logger=log, log_calls=structured_logs.log_calls
    )
    async with serving as (installation, server):
        try:
            greet(installation, server, Console(highlight=False))
        except OSError:  # stdout is closed, or its reader has gone
            silence_stdout()
        gc.set_threshold(GC_NEW_OBJECTS)
        gc.freeze()  # the state is no garbage, and scanning a large one would be a pause
        sd_notify.ready(f"serving at {', '.join(settings.advertise)}")
        running = [
            asyncio.create_task(_reload_whenever(reload, installation, log)),
            asyncio.create_task(sd_notify.keep_alive()),
        ]
        try:
            await stop.wait()
        finally:
            for task in running:
                task.cancel()
            sd_notify.stopping()


async def _reload_whenever(
    asked: asyncio.Event, installation: Installation, log: FilteringBoundLogger
) -> None:
    while True:
        await asked.wait()
        asked.clear()
        structured_logs.reopen()
        try:
            await installation.reload()
        except PASSING_FAILURES as error:
            log.error(log_events.SERVER_RELOADED, message=f"the old certificates stay: {error}")  # noqa: TRY400 - in a line
        except Exception:  # a bug, which must not make the next SIGHUP be ignored
            log.exception(log_events.SERVER_RELOADED, message="the old certificates may stay")
        else:
            log.info(log_events.SERVER_RELOADED)


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_input=False, include_url=False)[0]
    option = "--" + str(mistake["loc"][0]).replace("_", "-")
    return f"{option}: {explain(mistake['msg'])}"

"""What `serve` prints once the server runs: its ports, what was made, how to get a token."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from nc.contract import DEFAULT_GRPC_PORT
from nc.data_folder import default_data_dir
from nc.server.first_start import Start
from nc.server.installation import Installation
from nc.server.server import VERSION, Server
from nc.server.settings import ServerSettings
from nc.text import host_port


def greet(installation: Installation, server: Server, console: Console) -> None:
    settings, endpoints = installation.settings, server.endpoints
    secured = "plain text" if settings.plaintext else "TLS"
    mutual = "plain text" if settings.plaintext else "mutual TLS"
    at = ", ".join(settings.advertise)
    console.print(f"[bold]network-controller {VERSION}[/] at {escape(at)}")
    for label, text in (
        ("data", settings.data_dir),
        *(("made", text) for text in _made(installation)),
        ("control", f"port {endpoints.control_port}, gRPC, {mutual}"),
        ("bootstrap", f"port {endpoints.bootstrap_port}, gRPC, {secured}"),
        ("link", f"port {endpoints.link_port}, WebSocket, {mutual}"),
        *(("internal", text) for text in _internal(settings)),
        *(("metrics", text) for text in metrics_places(settings, server)),
        ("network", f"{settings.network_addr}"),
    ):
        console.print(f"  {label:<10}{escape(str(text))}", soft_wrap=True)
    if installation.start is Start.TAKES_OVER:
        console.print("  A NEW CLUSTER, with certificates that another server has left")
    if settings.plaintext:
        console.print(
            "[bold red]  NO TLS: every client that reaches these ports may do everything[/]"
        )
    console.print("get a bootstrap token with:")
    console.print(f"  {escape(token_command(installation, server))}", soft_wrap=True)


def _internal(settings: ServerSettings) -> Iterator[str]:
    if settings.internal_port is not None:
        where = host_port(settings.internal_listen.strip("[]"), settings.internal_port)
        yield f"{where}, gRPC, no certificate asked: a node token is the right to change its expiry"


def metrics_places(settings: ServerSettings, server: Server) -> Iterator[str]:
    """Where metrics are served, or why they are not; nothing where they were switched off."""
    if server.metrics is not None:
        yield server.metrics.url
    elif settings.metrics_listen is not None:
        host, port = settings.metrics_listen
        where = host_port(host.strip("[]"), port)
        yield f"none, as {where} cannot be listened on: name another with --metrics-listen"


def _made(installation: Installation) -> Iterator[str]:
    """The files that this start has made, a line for each folder."""
    by_folder: dict[Path, list[str]] = {}
    for path in (*installation.made, *(path for path, _ in installation.certificates.made)):
        by_folder.setdefault(path.parent, []).append(path.name)
    for folder, names in by_folder.items():
        yield f"{folder}: {', '.join(names)}"


def token_command(installation: Installation, server: Server) -> str:
    """A line to paste that gets a bootstrap token on this machine."""
    settings, endpoints = installation.settings, server.endpoints
    words = ["ncadm"]
    if endpoints.control_port != DEFAULT_GRPC_PORT:
        words += ["--port", str(endpoints.control_port)]
    if settings.plaintext:
        words.append("--plaintext")
    elif settings.grpc_cert_dir is not None:
        paths = installation.certificates.grpc.paths
        words += ["--cacert", str(paths.ca.absolute()), "--cert", str(paths.client.absolute())]
        words += ["--key", str(paths.client_key.absolute())]
    elif settings.data_dir != default_data_dir():
        words += ["--data-dir", str(settings.data_dir.absolute())]
    return shlex.join([*words, "tokens", "issue", "--lifetime", "10m"])

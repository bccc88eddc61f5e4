"""`network-controller links`: what goes over a running server's links, and what was dropped."""

import contextlib
import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from nc.cli.entrypoint import OperationFailed
from nc.cli.log.source import DataDirOption
from nc.cli.options import Output, OutputOption
from nc.client.link_report import read_link_report
from nc.data_folder import DataFolder, default_data_dir
from nc.text import iso_time

_WATCH_INTERVAL_S = 1.0

_NODE_ID_DIGITS = 12  # enough to tell nodes apart, and for `log why`

# What the table needs; a narrower terminal folds its lines, where rich would cut columns short.
_WIDTH = 132


def links(
    data_dir: DataDirOption = None,
    output: OutputOption = Output.TEXT,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Print it again every second, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the links of a running server. Only the owner of its data folder may.

    Example: network-controller links --data-dir ./data --watch
    """
    folder = DataFolder(data_dir or default_data_dir())
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    if output is Output.JSON:
        show_json(folder, watch=watch)
    elif watch and not console.is_terminal:
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                console.print(tables(_report_of(folder)))
                time.sleep(_WATCH_INTERVAL_S)
    elif watch:
        with contextlib.suppress(KeyboardInterrupt), Live(console=console, screen=False) as live:
            while True:
                live.update(tables(_report_of(folder)))
                time.sleep(_WATCH_INTERVAL_S)
    else:
        console.print(tables(_report_of(folder)))


def show_json(folder: DataFolder, *, watch: bool) -> None:
    """One line, or one every second."""
    with contextlib.suppress(KeyboardInterrupt):
        typer.echo(json.dumps(_report_of(folder)))
        while watch:
            time.sleep(_WATCH_INTERVAL_S)
            typer.echo(json.dumps(_report_of(folder)))


def tables(report: dict[str, Any]) -> RenderableType:
    """A line for each link, and a line for each reason why packets were dropped."""
    links = Table(box=None, pad_edge=False)
    for name in ("name", "node", "address", "peer", "since (UTC)"):
        links.add_column(name, no_wrap=True)
    for name in ("packets in", "bytes in", "packets out", "bytes out", "dropped"):
        links.add_column(name, justify="right", no_wrap=True)
    for link in sorted(report["links"], key=lambda link: int(link["since_ns"])):
        links.add_row(
            link.get("name", ""),  # a server of an older version says none
            link["node_id"][:_NODE_ID_DIGITS],
            link["address"] or "not yet",
            escape(link["peer"]),  # an IPv6 address has brackets
            _second(link["since_ns"]),
            *(f"{link[n]:,}" for n in ("packets_in", "bytes_in", "packets_out", "bytes_out")),
            f"{sum(link['drops'].values()):,}",
        )
    drops = Table(box=None, pad_edge=False)
    drops.add_column("dropped because")
    drops.add_column("packets", justify="right")
    for reason, count in report["drops"].items():
        drops.add_row(reason.replace("_", " "), f"{count:,}")
    refused = Table(box=None, pad_edge=False)
    refused.add_column("no link because")
    refused.add_column("connections", justify="right")
    for reason, count in report["refused"].items():
        refused.add_row(reason.replace("_", " "), f"{count:,}")
    turned_away = f"connections that ended before they asked for a link: {report['turned_away']:,}"
    parts: list[RenderableType] = [links, ""]
    if report.get("peers"):
        parts += [_peers(report["peers"]), ""]
    if report["drops"]:
        parts += [drops, ""]
    if report["refused"]:
        parts += [refused, ""]
    return Group(*parts, turned_away)


def _peers(peers: list[dict[str, Any]]) -> Table:
    """A line for each other server of the network."""
    table = Table(box=None, pad_edge=False)
    for name in ("server", "at", "connected"):
        table.add_column(name, no_wrap=True)
    for name in ("packets in", "bytes in", "packets out", "bytes out", "dropped"):
        table.add_column(name, justify="right", no_wrap=True)
    for peer in peers:
        table.add_row(
            peer["session"][:_NODE_ID_DIGITS],
            escape(peer["address"] or "not known now"),
            "yes" if peer["connected"] else "no",
            *(f"{peer[n]:,}" for n in ("packets_in", "bytes_in", "packets_out", "bytes_out")),
            f"{sum(peer['drops'].values()):,}",
        )
    return table


def _second(since_ns: int) -> str:
    moment = datetime.fromtimestamp(since_ns // 1_000_000_000, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _report_of(folder: DataFolder) -> dict[str, Any]:
    """The server's report, with each link's start as an ISO time beside the number.

    Raises:
        OperationFailed: the folder belongs to another user.
        NoServer: none runs.
    """
    try:
        report = read_link_report(folder.links_socket)
    except PermissionError:
        raise OperationFailed(
            f"{folder.links_socket} is not yours; ask as the user that runs the server"
        ) from None
    for link in report["links"]:
        link["since"] = iso_time(link["since_ns"])
    return report

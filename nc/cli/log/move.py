"""`network-controller log move`: takes a log from a folder to a stream, or back."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.event_loop import run_async
from nc.cli.log.source import DataDirOption, LogOption, bar, log_path
from nc.cli.options import Output, OutputOption
from nc.cli.stream_address import stream_address, stream_in
from nc.data_folder import DataFolder
from nc.text import printable


def move(
    to: Annotated[
        str,
        typer.Option(
            metavar="PLACE",
            help="Where the log goes: the stream of a cluster (nats://HOST,…/STREAM?monitor=PORT), "
            "or a folder.",
            path_type=str,  # as typed: a path has no second slash
        ),
    ],
    data_dir: DataDirOption = None,
    log: LogOption = None,
    replicas: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=5, help="How many servers of NATS keep a new stream."),
    ] = 3,
    output: OutputOption = Output.TEXT,
) -> None:
    """Move the log to a stream of NATS JetStream, or from one back to a folder.

    Stop the servers first. Every record is taken as it is, and the heads are compared; what is left
    behind is marked, and takes no events any more. After an interruption, move again.

    Example: network-controller log move --data-dir ./data --to nats://a,b,c/log?monitor=8222
    """
    here, there = stream_in(log), stream_in(to)
    if (here is None) == (there is None):
        raise typer.BadParameter(
            "--to: name a stream (nats://…) to move a folder's log there, "
            "or name a stream with --log and a folder with --to"
        )
    address = stream_address("--log", here) if here else stream_address("--to", there or "")
    from eventlog.jetstream.moving import to_folder, to_stream

    if there is not None:
        folder = log_path(data_dir, log)
        if folder.is_file():
            raise OperationFailed(f"{folder} is a file; a log's own folder can be moved, no export")
        with bar("moving") as progress:
            moving = to_stream(folder, address, replicas=replicas, progress=progress)
            head = run_async(moving)
        left, now = str(folder), str(address)
    else:
        folder = _destination(Path(to))
        head = run_async(to_folder(address, folder, str(folder.absolute())))
        left, now = str(address), str(folder)
    if output is Output.JSON:
        typer.echo(json.dumps({"from": left, "to": now, "head": head.hex()}))
    else:
        typer.echo(printable(f"the log is in {now} now, with the same head: {head.hex()}"))
        typer.echo(printable(f"{left} is a copy, to which nothing is appended any more"))


def _destination(folder: Path) -> Path:
    """The folder that a log can go to.

    Raises:
        OperationFailed: it is a data folder, or it cannot be made.
    """
    home = DataFolder(folder)
    if home.log.is_dir() or home.secret_key.exists():
        raise OperationFailed(f"{folder} is a data folder; the log's own in it is --to {home.log}")
    if folder.exists() and not folder.is_dir():
        raise OperationFailed(f"{folder} is no folder; name another place with --to")
    if not folder.absolute().parent.is_dir():
        raise OperationFailed(
            f"{folder.absolute().parent} is not there, or no folder: make it, or name another "
            "place with --to"
        )
    return folder

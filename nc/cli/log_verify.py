"""`network-controller log verify`: is the log what was written, and can it have happened?"""

import re
from typing import Annotated

import typer

from eventlog import LogReader, Snapshot
from nc.cli.log_source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.running import DAMAGED
from nc.garbage import without_collections
from nc.projections.snapshot import SNAPSHOT_SCHEMA
from nc.verification import Landmark, landmark_of
from nc.verification import verify as verify_records

_HEAD = re.compile("[0-9a-f]{64}")


def verify(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head that was printed earlier, with --seq."),
    ] = None,
    seq: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The event that it was the head after.")
    ] = None,
) -> None:
    """Verify every byte, every state and every snapshot; exit with 3 if something is wrong.

    Keep the head that it prints somewhere else: with --head and --seq it proves later that the log
    still begins with what it was then.

    Example: network-controller log verify --data-dir ./data
    """
    kept = _kept(head, seq)
    reader = open_reader(data_dir, log)
    snapshots, bad = _snapshots(reader)
    landmarks = [landmark_of(s) for s in snapshots if s.schema == SNAPSHOT_SCHEMA] + kept
    with without_collections(), progress_to(reader, "verifying") as progress:
        found = verify_records(reader.read(markers=True), landmarks, progress)
    segments = len([first for first in reader.segments() if first <= found.events + 1])
    typer.echo(f"range: {f'1 to {found.events}' if found.events else 'no events'}")
    typer.echo(f"head: {found.head.hex()}")
    if kept:
        typer.echo(f"contains: the log that ended with event {seq}, unchanged")
    if snapshots:
        others = len(snapshots) - found.snapshots
        other = f", {others} of another version not compared" if others else ""
        typer.echo(f"snapshots: {found.snapshots} with the state of a replay{other}")
    if bad:
        typer.echo(f"network-controller: {'; '.join(bad)}: delete it, the log is whole", err=True)
        raise typer.Exit(DAMAGED)
    typer.echo(f"verified {found.events} events in {segments} segment{'s' * (segments != 1)}")


def _kept(head: str | None, seq: int | None) -> list[Landmark]:
    if head is None and seq is None:
        return []
    if head is None or seq is None:
        raise typer.BadParameter("--head and --seq go together: a hash, and the event it is after")
    if not _HEAD.fullmatch(head.lower()):
        raise typer.BadParameter("--head is 64 hex digits, as `log verify` and `log info` print it")
    return [Landmark(seq, bytes.fromhex(head))]


def _snapshots(reader: LogReader) -> tuple[list[Snapshot], list[str]]:
    """Those that check out; a line for each other one that is still there at a second look."""
    first: list[str] = []
    snapshots = list(reader.snapshots(first))
    if not first:
        return snapshots, []
    second: list[str] = []
    snapshots = list(reader.snapshots(second))
    return snapshots, [warning for warning in second if warning in first]

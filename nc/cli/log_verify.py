"""`network-controller log verify`: is the log what was written, and can it have happened?"""

import re
from typing import Annotated

import typer

from eventlog import LogDamaged, LogReader, Snapshot
from eventlog.snapshots import snapshot_name
from nc.cli.log_source import DataDirOption, LogOption, open_log, progress_to
from nc.cli.running import DAMAGED, OperationFailed
from nc.past import BaseMissing, base_of
from nc.projections.snapshot import SNAPSHOT_SCHEMA
from nc.verification import Base, Landmark, landmark_of
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
    reader, is_original = open_log(data_dir, log)
    start = reader.start
    if kept and not is_original:
        raise OperationFailed("a JSONL export has no chain: it proves no head")
    if seq is not None and seq < start.last_seq:
        raise OperationFailed(
            f"event {seq} is before this slice, which begins with event {start.last_seq + 1}"
        )
    base = _base(reader, is_original)
    snapshots, bad = _snapshots(reader)
    landmarks = [landmark_of(s) for s in snapshots if s.schema == SNAPSHOT_SCHEMA] + kept
    with progress_to(reader, "verifying") as progress:
        found = verify_records(reader.read(markers=True), landmarks, progress, base)
    segments = len([first for first in reader.segments() if first <= found.last_seq + 1])
    first_seq, last_seq = start.last_seq + 1, found.last_seq
    typer.echo(f"range: {f'{first_seq} to {last_seq}' if found.events else 'no events'}")
    if base.state.seq:
        typer.echo(f"begins: with the state after event {base.state.seq}, as its snapshot has it")
    if not is_original:
        typer.echo("head: none; of a JSONL export only what it says is verified, not the bytes")
        typer.echo(f"verified the states in {found.events} events")
        return
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


def _base(reader: LogReader, is_original: bool) -> Base:
    """What a slice begins with.

    Raises:
        LogDamaged: it is missing.
        BaseMissing: it is, and a JSONL export has none.
    """
    start = reader.start
    try:
        return Base(base_of(reader), start.chain)
    except BaseMissing as error:
        if not is_original:
            raise
        path = reader.folder / snapshot_name(start.last_seq)
        found = f"a log that begins with event {start.last_seq + 1}, and no snapshot to begin with"
        advice = "put it back, or the segments before"
        raise LogDamaged(path, 0, start.last_seq + 1, found, "it", advice=advice) from error


def _kept(head: str | None, seq: int | None) -> list[Landmark]:
    if head is None and seq is None:
        return []
    if head is None or seq is None:
        raise typer.BadParameter("--head and --seq go together: a hash, and the event it is after")
    if not _HEAD.fullmatch(head.lower()):
        raise typer.BadParameter("--head is 64 hex digits, as `log verify` and `log info` print it")
    return [Landmark(seq, bytes.fromhex(head))]


def _snapshots(reader: LogReader) -> tuple[list[Snapshot], list[str]]:
    """Those after the start that check out; a line for each that twice did not."""
    first: list[str] = []
    second: list[str] = []
    snapshots = list(reader.snapshots(first))
    if first:
        snapshots = list(reader.snapshots(second))
    later = [each for each in snapshots if each.place.last_seq > reader.start.last_seq]
    return later, [warning for warning in second if warning in first]

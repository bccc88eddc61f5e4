"""`network-controller log verify`: verifies the log's bytes and that its history is possible."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import typer

from eventlog import LogDamaged, LogReader, Snapshot
from eventlog.snapshots import snapshot_name
from nc.cli.entrypoint import OperationFailed
from nc.cli.log.damage import damage_in
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.options import Output, OutputOption
from nc.contract import LARGEST_UINT64
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA
from nc.domain.invariants import InconsistentHistory
from nc.errors import DAMAGED
from nc.history.as_of import BaseMissing, base_of
from nc.history.verify import Base, KnownHead, Verified, known_head_of
from nc.history.verify import verify as verify_records

_HEAD = re.compile("[0-9a-f]{64}")


def verify(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head that was printed earlier; with --seq."),
    ] = None,
    seq: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=LARGEST_UINT64, help="The event that it was the head after."
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Verify every byte, every state and every snapshot; exit with 3 if something is wrong.

    Keep the head that it prints somewhere else: with --head and --seq it proves later that the log
    still begins with what it was then.

    Example: network-controller log verify --data-dir ./data
    """
    kept = _kept(head, seq)
    reader = open_reader(data_dir, log)
    start = reader.start
    if seq is not None and seq < start.last_seq:
        raise OperationFailed(
            f"event {seq} is before this slice, which begins with event {start.last_seq + 1}"
        )
    base = _base(reader)
    snapshots, bad = _snapshots(reader)
    landmarks = [known_head_of(s) for s in snapshots if s.schema == SNAPSHOT_SCHEMA] + kept
    try:
        with progress_to(reader, "verifying") as progress:
            found = verify_records(reader.read(markers=True), landmarks, progress, base)
    except InconsistentHistory as error:  # also for a log that ends before its newest snapshot
        raise (damage_in(reader.folder) or error) from error
    result = _Result(
        first_seq=start.last_seq + 1,
        base_seq=base.state.seq,
        found=found,
        segments=len([first for first in reader.segments() if first <= found.last_seq + 1]),
        snapshots=len(snapshots),
        bad=bad,
        contains_seq=seq,
    )
    if output is Output.JSON:
        typer.echo(json.dumps(result.fields()))
    else:
        typer.echo("\n".join(result.lines()))
    if bad:
        typer.echo(f"network-controller: {'; '.join(bad)}: delete it, the log is whole", err=True)
        raise typer.Exit(DAMAGED)


class _Result(NamedTuple):
    first_seq: int
    base_seq: int  # the event before a slice; 0: all of the log is there
    found: Verified
    segments: int
    snapshots: int  # valid ones, of any version
    bad: list[str]  # a sentence for each invalid one
    contains_seq: int | None  # the event that a head was given of

    def lines(self) -> Iterator[str]:
        found = self.found
        events = f"{self.first_seq} to {found.last_seq}" if found.events else "no events"
        yield f"range: {events}"
        if self.base_seq:
            yield f"begins: with the state after event {self.base_seq}, as its snapshot has it"
        yield f"head: {found.head.hex()}"
        if self.contains_seq is not None:
            yield f"contains: the log that ended with event {self.contains_seq}, unchanged"
        if self.snapshots:
            others = self.snapshots - found.snapshots
            other = f", {others} of another version not compared" if others else ""
            yield f"snapshots: {found.snapshots} with the state of a replay{other}"
        if not self.bad:
            plural = "s" * (self.segments != 1)
            yield f"verified {found.events} events in {self.segments} segment{plural}"

    def fields(self) -> dict[str, Any]:
        found = self.found
        return {
            "events": found.events,
            "first_seq": self.first_seq if found.events else None,
            "last_seq": found.last_seq if found.events else None,
            "base_seq": self.base_seq,
            "head": found.head.hex(),
            "contains_seq": self.contains_seq,
            "segments": self.segments,
            "snapshots": found.snapshots,
            "snapshots_not_compared": self.snapshots - found.snapshots,
            "bad_snapshots": self.bad,
        }


def _base(reader: LogReader) -> Base:
    """The state before a slice.

    Raises:
        LogDamaged: it is missing.
    """
    start = reader.start
    try:
        return Base(base_of(reader), start.chain)
    except BaseMissing as error:
        path = reader.folder / snapshot_name(start.last_seq)
        found = f"a log that begins with event {start.last_seq + 1}, and no snapshot to begin with"
        advice = "put it back, or the segments before"
        raise LogDamaged(path, 0, start.last_seq + 1, found, "it", advice=advice) from error


def _kept(head: str | None, seq: int | None) -> list[KnownHead]:
    if head is None and seq is None:
        return []
    if head is None or seq is None:
        raise typer.BadParameter("--head and --seq go together: a hash, and the event it is after")
    if not _HEAD.fullmatch(head.lower()):
        raise typer.BadParameter("--head is 64 hex digits, as `log verify` and `log info` print it")
    return [KnownHead(seq, bytes.fromhex(head))]


def _snapshots(reader: LogReader) -> tuple[list[Snapshot], list[str]]:
    """The valid snapshots after the start; a line for each that was invalid twice."""
    first: list[str] = []
    second: list[str] = []
    snapshots = list(reader.snapshots(first))
    if first:
        snapshots = list(reader.snapshots(second))
    later = [each for each in snapshots if each.position.last_seq > reader.start.last_seq]
    return later, [warning for warning in second if warning in first]

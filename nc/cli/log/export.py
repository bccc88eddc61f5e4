"""`network-controller log export`: writes a log, or a slice of one, to one file."""

import io
import json
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple, TextIO

import typer

from eventlog import LogReader, Record
from eventlog.format import NO_CHAIN, SegmentHeader
from eventlog.slices import Slice, slice_of
from nc.cli.entrypoint import OperationFailed
from nc.cli.log.filter_options import NO_OPTIONS, FilterOptions, takes_filter_options
from nc.cli.log.query import names_in
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.options import Output, OutputOption
from nc.clock import SystemClock, now_ms
from nc.domain.codec.records import events_of
from nc.domain.state import State
from nc.files import new_file
from nc.history.as_of import states_at
from nc.history.events import Point, history
from nc.history.export.binary import write_archive
from nc.history.export.html import write_page
from nc.history.export.jsonl import json_lines
from nc.history.filters import Filter
from nc.history.fold import EMPTY_STATE
from nc.history.redact.redaction import Redaction, plan_of
from nc.secrets import SystemSecrets


class Exported(NamedTuple):
    """The events in a file: how many, the first and the last; 0: there is none."""

    events: int = 0
    first_seq: int = 0
    last_seq: int = 0

    def __str__(self) -> str:
        if not self.events:
            return "no events"
        if self.first_seq == self.last_seq:
            return f"event {self.first_seq}"
        span = f"events {self.first_seq} to {self.last_seq}"
        is_all = self.events == self.last_seq - self.first_seq + 1
        return span if is_all else f"{self.events} of {span}"


def all_of(piece: Slice) -> Exported:
    events = piece.last_seq - piece.after
    return Exported(events, piece.after + 1, piece.last_seq) if events else Exported()


def export_summary(out: Path, kind: str, exported: Exported, output: Output) -> str:
    size_bytes = out.stat().st_size
    if output is Output.TEXT:
        return f"wrote {out}: {size_bytes:,} bytes, {exported}"
    wrote = {
        "file": str(out),
        "format": kind,
        "size_bytes": size_bytes,
        "events": exported.events,
        "first_seq": exported.first_seq or None,
        "last_seq": exported.last_seq or None,
    }
    return json.dumps(wrote)


_STDOUT: Final = Path("-")
_NEW_EPOCH: Final = 1


class Format(StrEnum):
    JSONL = "jsonl"  # one JSON object an event
    BINARY = "binary"  # a log's folder, zipped
    HTML = "html"  # a page for a browser


class _Chosen(NamedTuple):
    piece: Slice
    base: State  # before its first event
    redaction: Redaction | None
    filter: Filter
    progress: Callable[[int], None]

    @property
    def shown_base(self) -> State:
        return self.base if self.redaction is None else self.redaction.base

    def pairs(self) -> Iterator[tuple[Record, Record]]:
        """Each record of the log with its exported form. A redacted export has no markers."""
        for record in self.piece.records():
            self.progress(record.last_seq)
            if self.redaction is None:
                yield record, record
            elif record.count:
                yield record, self.redaction.record(record)


@takes_filter_options
def export(
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="One JSON object an event; a log's folder, zipped; a page for a browser.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write; - for standard output.")
    ] = _STDOUT,
    data_dir: DataDirOption = None,
    log: LogOption = None,
    options: FilterOptions = NO_OPTIONS,
    redact: Annotated[
        bool,
        typer.Option("--redact", help="Replace ids, addresses and actors; the file still replays."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the log, or a part of it, into one file.

    A server may be running. Every command reads a binary export with --log; it holds whole records.
    JSONL is for other programs, and a page for a browser. A binary export and a page take no other
    filter than --from and --to. A redacted binary export replays like the original.

    Example: network-controller log export --format binary --redact --out log.zip --data-dir ./data
    """
    if kind is not Format.JSONL and options.are_more_than_places:
        raise typer.BadParameter(f"--format {kind} takes --from and --to, and no other filter")
    if kind is Format.BINARY and out == _STDOUT:
        raise typer.BadParameter("--format binary needs a file: name one with --out")
    reader = open_reader(data_dir, log)
    chosen = options.filter(names_in(reader, data_dir, log))
    piece = _piece(reader, chosen, announces=kind is not Format.JSONL)
    base, redaction = EMPTY_STATE, None
    if redact or kind is not Format.JSONL:
        base = _state_before(piece)
    if redact:
        with progress_to(reader, "looking ahead") as progress:
            before = history(reader, progress=progress)
            redaction = Redaction(base, plan_of(base, before))
    with progress_to(reader, "exporting", prints=out == _STDOUT) as progress:
        exported = _Chosen(piece, base, redaction, chosen, progress)
        if out == _STDOUT:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")  # as in a file, whatever a terminal likes
            _TEXTS[kind](exported, sys.stdout)
            return
        with whole_file(out, replace=force) as file:
            if kind is Format.BINARY:
                written = _write_binary(exported, file)
            else:
                text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
                written = _TEXTS[kind](exported, text)
                text.detach()  # flushes, and leaves the file open
    typer.echo(export_summary(out, kind, written, output))


def _piece(reader: LogReader, chosen: Filter, *, announces: bool) -> Slice:
    """The records that hold what is between the two places.

    Args:
        reader: of the log.
        chosen: names the places.
        announces: print a line if it is more than that.

    Raises:
        OperationFailed: nothing of the log is there.
    """
    first_seq, last_seq = _bounds(reader, chosen)
    whole = chosen.start == chosen.end == Point()
    if first_seq > last_seq and not whole:
        before, last_seq = reader.start.last_seq, reader.last_seq
        there = Exported(last_seq - before, before + 1, last_seq)
        raise OperationFailed(f"no event of this log, which has {there}, is in that range")
    piece = slice_of(reader, first_seq, last_seq)
    if announces and (piece.after + 1 < first_seq or piece.last_seq > last_seq):
        typer.echo(
            f"network-controller: {all_of(piece)} are exported: a record is whole or not there",
            err=True,
        )
    return piece


def _bounds(reader: LogReader, chosen: Filter) -> tuple[int, int]:
    """The first and the last event between the two places; the first is larger: there is none."""
    first_seq, last_seq = reader.start.last_seq + 1, reader.last_seq
    if chosen.start.seq is not None:
        first_seq = max(first_seq, chosen.start.seq)
    if chosen.end.seq is not None:
        last_seq = min(last_seq, chosen.end.seq)
    if chosen.start.at_ns is None and chosen.end.at_ns is None:
        return first_seq, last_seq
    with progress_to(reader, "looking for the times") as progress:
        seqs = (
            each.seq for each in history(reader, first_seq - 1, progress) if chosen.chooses(each)
        )
        found = [seq for seq in seqs if seq <= last_seq]
    return (found[0], found[-1]) if found else (last_seq + 1, last_seq)


def _state_before(piece: Slice) -> State:
    """The state before a slice.

    Raises:
        BaseMissing: it is not in the log.
    """
    with progress_to(piece.reader, "reading") as progress:
        (then,) = states_at(piece.reader, [Point(seq=piece.after)], progress)
    return then.state


def _write_jsonl(exported: _Chosen, out: TextIO) -> Exported:
    written = Exported()
    for record, shown in exported.pairs():
        wanted = {each.seq for each in events_of(record) if exported.filter.chooses(each)}
        if wanted:
            out.writelines(f"{line}\n" for line in json_lines(shown, wanted))
            first_seq = written.first_seq or min(wanted)
            written = Exported(written.events + len(wanted), first_seq, max(wanted))
    return written


def _write_html(exported: _Chosen, out: TextIO) -> Exported:
    history = chain.from_iterable(events_of(shown) for _, shown in exported.pairs())
    goes_to_end = exported.filter.end == Point()
    until_ms = now_ms(SystemClock()) if goes_to_end else 0
    write_page(history, exported.shown_base, out, until_ms)
    return all_of(exported.piece)


# How each text format is written.
_TEXTS: Final[dict[Format, Callable[[_Chosen, TextIO], Exported]]] = {
    Format.JSONL: _write_jsonl,
    Format.HTML: _write_html,
}


def _write_binary(exported: _Chosen, out: BinaryIO) -> Exported:
    secrets, piece = SystemSecrets(), exported.piece
    records = (shown for _, shown in exported.pairs())
    first = next(records, None)
    is_new = exported.redaction is not None
    header = SegmentHeader(
        segment_id=int.from_bytes(secrets.random_bytes(4), "little"),
        log_id=secrets.random_bytes(16) if is_new else piece.reader.log_id,
        first_seq=piece.after + 1,
        epoch=_NEW_EPOCH if first is None else first.epoch,
        created_ns=0 if first is None else first.recorded_at_ns,  # equal slices, equal bytes
        chain=NO_CHAIN if is_new else piece.chain,
    )
    everything = chain([] if first is None else [first], records)
    write_archive(out, header, everything, exported.shown_base)
    return all_of(piece)


@contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Write a new file, readable by its owner only, that gets its name once it is complete.

    Args:
        path: where it goes.
        replace: also if there is a file; a device or a link is never replaced.

    Raises:
        OperationFailed: there is one, or it cannot be written; nothing is left behind.
    """
    with suppress(OSError):  # missing or not accessible: opening it reports that
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OperationFailed(
                f"{path} is there, and is no regular file: name another, or --out - for the "
                "standard output"
            )
        if not replace:
            raise OperationFailed(f"{path} is there already: name another file, or give --force")
    try:
        with new_file(path) as file:
            yield file
    except OSError as error:
        raise OperationFailed(f"{path} cannot be written: {error.strerror}") from error

"""`network-controller log replay`: plays a log on a terminal, or checks its digests."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from eventlog import LogReader
from nc.cli.entrypoint import OperationFailed
from nc.cli.extras import require_extra
from nc.cli.log.query import Naming, NodeOption, ToOption, filter_named, names_in
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.options import FromOption, Output, OutputOption
from nc.clock import SystemClock
from nc.domain.codec.records import Recorded
from nc.domain.state import State
from nc.history.as_of import base_of
from nc.history.events import Point, Progress, history
from nc.history.filters import Filter
from nc.history.fold import EMPTY_STATE, state_at
from nc.history.player import AS_FAST_AS_IT_GOES, Player, Recording, recording_of
from nc.history.replay_check import Checked, Fault, check, recorded_digests
from nc.replica.gc import gc_disabled

# How often the progress of reading is reported.
_PROGRESS_EVENTS: Final = 5000


def replay(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare with the digests in the log instead; exit 1 if one differs."
        ),
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="N", min=0.01, help="Play N times as fast as real time. Default: full speed."
        ),
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="Begin paused, for single steps.")] = False,
    node: NodeOption = None,
    start: FromOption = None,
    end: ToOption = None,
    context: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Play what a server has: this one of ncadm's contexts."),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="The same, at this address, with the certificate of the context or of --data-dir.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Play the history on a terminal: nodes as they change, forwards and back.

    With --context or --server it is read from a server that runs.

    With --check, fold it with this version's code instead, and compare with the digests that were
    recorded in it: whether this version understands the log as the one that wrote it did.

    Example: network-controller log replay --data-dir ./data --from -2h --speed 60
    """
    is_remote = (context, server) != (None, None)
    if is_remote and log is not None:
        raise typer.BadParameter("give --log, or --context and --server")
    if compare:
        if step or is_remote or (speed, node, start, end) != (None,) * 4:
            raise typer.BadParameter("--check is about a whole log: it goes with --output alone")
        reader = open_reader(data_dir, log)
        _print_check(_checked(reader), reader.start.last_seq, output)
        return
    if output is Output.JSON:
        raise typer.BadParameter("--output json goes with --check; `log show` has events in JSON")
    require_extra("player", "textual")
    # Textual draws the screen on stderr.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise typer.BadParameter(
            "playing needs a terminal: use `log show` to print the events, or --check"
        )
    tape, names = _of_server(context, server, data_dir) if is_remote else _of_folder(data_dir, log)
    chosen = filter_named(names, node=node, start=start, end=end)

    def load(progress: Progress) -> Player:
        with gc_disabled():
            recording = _recording(tape.load(progress), chosen, progress)
        player = Player(recording, _stops(recording, chosen), speed=speed or AS_FAST_AS_IT_GOES)
        return player if step else player.toggled()

    _play(f"network-controller log replay  {tape.title}", names.last_seq, load, chosen.node)


class _Read(NamedTuple):
    """A history that can be read again."""

    after: Callable[[int], Iterable[Recorded]]  # the events behind a sequence number
    base: State  # before the first one


class _Tape(NamedTuple):
    """What is played.

    Attributes:
        load: opens it, which may take a while.
    """

    title: str
    load: Callable[[Progress], _Read]


def _of_folder(data_dir: Path | None, log: str | None) -> tuple[_Tape, Naming]:
    reader = open_reader(data_dir, log)

    def load(_: Progress) -> _Read:
        return _Read(lambda after: history(reader, after), base_of(reader))

    return _Tape(str(reader.folder), load), names_in(reader, data_dir, log)


def _of_server(
    context: str | None, server: str | None, data_dir: Path | None
) -> tuple[_Tape, Naming]:
    from nc.cli.log.replay_server import ServerLog, place_of

    log = ServerLog(place_of(context, server, data_dir))

    def load(progress: Progress) -> _Read:
        events = log.events(progress)
        return _Read(lambda after: events[after:], EMPTY_STATE)  # the first is event 1

    return _Tape(log.title, load), log


def _play(
    title: str, last_seq: int, load: Callable[[Progress], Player], node_id: str | None
) -> None:
    from nc.cli.log.player import LogPlayer, PlayerSource

    app = LogPlayer(PlayerSource(title, last_seq, load, node_id), SystemClock())
    app.run()
    if app.failure is not None:
        raise app.failure


def _recording(read: _Read, chosen: Filter, progress: Progress) -> Recording:
    """Record the part of the history that is asked for, from the state before it on."""
    if chosen.start == chosen.end == Point():
        return recording_of(read.after(0), read.base, progress)
    base = read.base
    seqs = [each.seq for each in _followed(read.after(0), progress) if chosen.chooses(each)]
    first, last = (seqs[0], seqs[-1]) if seqs else (base.seq + 1, base.seq)
    events = takewhile(lambda each: each.seq <= last, read.after(first - 1))
    return recording_of(events, state_at(read.after(0), first - 1, base), progress)


def _stops(recording: Recording, chosen: Filter) -> Sequence[int]:
    """After each event that is asked for, and the place before the first of them."""
    if chosen == Filter():
        return range(len(recording.events) + 1)
    positions = [
        position
        for position, recorded in enumerate(recording.events, start=1)
        if chosen.chooses(recorded)
    ]
    return [positions[0] - 1, *positions] if positions else [0]


def _checked(reader: LogReader) -> Checked:
    with progress_to(reader, "collecting digests") as progress:
        digests = recorded_digests(_followed(history(reader), progress))
    with progress_to(reader, "replaying") as progress:
        return check(history(reader), digests, base_of(reader), progress)


def _followed(events: Iterable[Recorded], progress: Progress) -> Iterator[Recorded]:
    """Every event; reports progress now and then."""
    for recorded in events:
        if recorded.seq % _PROGRESS_EVENTS == 0:
            progress(recorded.seq)
        yield recorded


def _print_check(found: Checked, base_seq: int, output: Output) -> None:
    """Print which digests agree.

    Args:
        found: the result of the replay.
        base_seq: the event before the log's first one.
        output: the form.

    Raises:
        OperationFailed: a digest differs.
    """
    fault, events = found.fault, found.last_seq - base_seq
    if output is Output.JSON:
        described = found._replace(fault=None)._asdict()
        typer.echo(json.dumps({**described, "fault": fault and fault._asdict()}))
    elif found.digests or fault:
        plural = "" if found.digests == 1 else "s"
        agreed = f", up to event {found.agreed_seq}" if found.digests else ""
        typer.echo(f"replayed {events} events: {found.digests} digest{plural} agree{agreed}")
    else:
        typer.echo(f"replayed {events} events: no digest is recorded among them yet")
    if fault is not None:
        raise OperationFailed(_meaning(fault))


def _meaning(fault: Fault) -> str:
    return (
        f"the digest of event {fault.last_seq} is {fault.computed}, recorded was {fault.recorded}: "
        f"this version folds one of the events {fault.first_seq} to {fault.last_seq} differently "
        "from the version that recorded it; do not serve from this log with this version, and see "
        f"`log show --from {fault.first_seq} --to {fault.last_seq}`"
    )

"""`network-controller log replay`: plays a log on a terminal, or checks its digests."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Annotated, Final

import typer

from eventlog import LogReader
from nc.cli.entrypoint import OperationFailed
from nc.cli.extras import require_extra
from nc.cli.log.query import FromOption, NodeOption, ToOption, filter_named, names_in
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.options import Output, OutputOption
from nc.clock import SystemClock
from nc.history.as_of import base_of
from nc.history.events import Point, Recorded, history
from nc.history.filters import Filter
from nc.history.fold import state_at
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
    output: OutputOption = Output.TEXT,
) -> None:
    """Play the history on a terminal: nodes as they change, forwards and back.

    With --check, fold it with this version's code instead, and compare with the digests that were
    recorded in it: whether this version understands the log as the one that wrote it did.

    Example: network-controller log replay --data-dir ./data --from -2h --speed 60
    """
    reader = open_reader(data_dir, log)
    if compare:
        if step or (speed, node, start, end) != (None,) * 4:
            raise typer.BadParameter("--check is about the whole log: it goes with --output alone")
        _print_check(_checked(reader), reader.start.last_seq, output)
        return
    if output is Output.JSON:
        raise typer.BadParameter("--output json goes with --check; `log show` has events in JSON")
    require_extra("player", "textual")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise typer.BadParameter(
            "playing needs a terminal: use `log show` to print the events, or --check"
        )
    names = names_in(reader, data_dir, log)
    chosen = filter_named(names, node=node, start=start, end=end)

    def load(progress: Callable[[int], None]) -> Player:
        with gc_disabled():
            recording = _recording(reader, chosen, progress)
        player = Player(recording, _stops(recording, chosen), speed=speed or AS_FAST_AS_IT_GOES)
        return player if step else player.toggled()

    _play(reader, load, chosen.node)


def _play(
    reader: LogReader, load: Callable[[Callable[[int], None]], Player], node_id: str | None
) -> None:
    from nc.cli.log.player import LogPlayer, PlayerSource

    title = f"network-controller log replay  {reader.folder}"
    app = LogPlayer(PlayerSource(title, reader.last_seq, load, node_id), SystemClock())
    app.run()
    if app.failure is not None:
        raise app.failure


def _recording(reader: LogReader, chosen: Filter, progress: Callable[[int], None]) -> Recording:
    """Record the part of the history that is asked for, from the state before it on."""
    if chosen.start == chosen.end == Point():
        return recording_of(history(reader), base_of(reader), progress)
    seqs = [each.seq for each in _followed(reader, progress) if chosen.chooses(each)]
    base = base_of(reader)
    first, last = (seqs[0], seqs[-1]) if seqs else (base.seq + 1, base.seq)
    events = takewhile(lambda each: each.seq <= last, history(reader, first - 1))
    return recording_of(events, state_at(history(reader), first - 1, base), progress)


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
        digests = recorded_digests(_followed(reader, progress))
    with progress_to(reader, "replaying") as progress:
        return check(history(reader), digests, base_of(reader), progress)


def _followed(reader: LogReader, progress: Callable[[int], None]) -> Iterator[Recorded]:
    """Every event; reports progress now and then."""
    for recorded in history(reader):
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

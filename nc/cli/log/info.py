"""`network-controller log info`: a log's length, content, size and head."""

import json
from collections import Counter
from typing import Any

import typer

from eventlog import LogReader
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.options import Output, OutputOption
from nc.domain.codec.records import events_of
from nc.history.fields import kind_of
from nc.text import iso_time


def info(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print how long the log is, what is in it, how large it is, and its head.

    Example: network-controller log info --data-dir ./data
    """
    found = _gather(open_reader(data_dir, log))
    if output is Output.JSON:
        typer.echo(json.dumps(found))
        return
    first, last = found["first_time"], found["last_time"]
    typer.echo(f"log        {found['log_id']}")
    typer.echo(f"events     {found['events']}")
    if found["events"]:
        typer.echo(f"range      {found['first_seq']} to {found['last_seq']}")
        typer.echo(f"time       {first} to {last}")
    typer.echo(f"size       {found['size_bytes']:,} bytes on disk")
    typer.echo(f"segments   {len(found['segments'])}")
    snapshots = ", ".join(f"at event {seq}" for seq in found["snapshots"])
    typer.echo(f"snapshots  {snapshots or 'none'}")
    typer.echo(f"head       {found['head']}")
    for kind, count in found["counts"].items():
        typer.echo(f"{count:>9}  {kind}")


def _gather(reader: LogReader) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    head, first_seq, last_seq = reader.start.chain, 0, 0
    times_ns: list[int] = []
    with progress_to(reader, "reading") as progress:
        for record in reader.read(markers=True):
            head = record.chain
            for seq, entry, event in events_of(record):
                counts[kind_of(event)] += 1
                times_ns = [*times_ns[:1], entry.recorded_at_ns]
                first_seq, last_seq = first_seq or seq, seq
            progress(last_seq)
    warnings: list[str] = []
    files = [*reader.folder.glob("*.seg"), *reader.folder.glob("*.snapshot")]
    return {
        "log_id": reader.log_id.hex(),
        "events": counts.total(),
        "first_seq": first_seq or None,
        "last_seq": last_seq or None,
        "first_time": iso_time(times_ns[0]) if times_ns else None,
        "last_time": iso_time(times_ns[-1]) if times_ns else None,
        "counts": dict(counts.most_common()),
        "size_bytes": sum(path.stat().st_blocks * 512 for path in files if path.exists()),
        "segments": [seq for seq in reader.segments() if seq <= last_seq + 1],
        "snapshots": sorted(each.position.last_seq for each in reader.snapshots(warnings)),
        "head": head.hex(),
    }

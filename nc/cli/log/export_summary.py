"""What an export reports: which events are in the file."""

import json
from pathlib import Path
from typing import NamedTuple

from eventlog.slices import Slice
from nc.cli.options import Output


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

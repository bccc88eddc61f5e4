"""The JSONL export: one JSON object an event, and back.

An object is what `log show --output json` prints, with `record_seq` and `entry_seq`: the first
event of the record and of the entry that the event came in. So the events can be read back without
loss, in the same entries and records; the log's chain cannot: it is over their bytes there.

What does not begin with event 1 has one more object before them, of the type `Before`: the state as
a snapshot has it, base64, its schema, and the last event in it.
"""

import base64
import json
from collections.abc import Container, Iterable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

from eventlog.api import Record
from eventlog.format import NO_CHAIN
from nc.cli.render import KIND_NAMES, enum_prefix, json_fields, key_of
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.events import Batch, Entry, Event
from nc.domain.state import State
from nc.history.events import events_of
from nc.history.export.binary import ExportDamaged, ExportRefused

__all__ = ["Before", "before_in", "before_line", "json_lines", "records_in"]

_KINDS: Final = {name: kind for kind, name in KIND_NAMES.items()}
_EPOCH: Final = 1  # of what is read back: one writer wrote it
_BEFORE: Final = "Before"


class Before(NamedTuple):
    """The state before the first event, as it is exported."""

    seq: int  # the last event in it
    schema: int
    payload: bytes  # of a snapshot


def before_line(state: State) -> str:
    """The object before the first event."""
    payload = b"".join(encode(state, ordered=True))
    data = base64.b64encode(payload).decode("ascii")
    return json.dumps({"type": _BEFORE, "seq": state.seq, "schema": SNAPSHOT_SCHEMA, "state": data})


def before_in(line: str) -> Before | None:
    """What such an object holds; None: this line is none."""
    try:
        found = json.loads(line)
        if found["type"] != _BEFORE:
            return None
        before = Before(
            found["seq"], found["schema"], base64.b64decode(found["state"], validate=True)
        )
    except (ValueError, TypeError, KeyError):
        return None
    return before if all(isinstance(number, int) for number in before[:2]) else None


def json_lines(record: Record, wanted: Container[int]) -> Iterator[str]:
    """Those events of a record whose numbers are wanted, each as a line."""
    entry, entry_seq = None, 0
    for recorded in events_of(record):
        if recorded.entry is not entry:
            entry, entry_seq = recorded.entry, recorded.seq
        if recorded.seq in wanted:
            came_in = {"record_seq": record.first_seq, "entry_seq": entry_seq}
            # in ASCII: what a name in a certificate may hold must not steer a terminal
            yield json.dumps({**json_fields(recorded), **came_in})


class _Line(NamedTuple):
    """One event, and where it came in."""

    seq: int
    record_seq: int
    entry_seq: int
    recorded_at_ns: int
    actor: str
    method: str
    request_id: str
    event: Event


def records_in(lines: Iterable[str], name: str, first_number: int = 1) -> Iterator[Record]:
    """The records that were exported; their chain is not known.

    Args:
        lines: of the file.
        name: what to call it in errors.
        first_number: of the first line in the file.

    Raises:
        ExportRefused: it was filtered, or never was an export.
        ExportDamaged: a line is not as it was written.
    """
    for _, group in groupby(_in_order(lines, name, first_number), lambda line: line.record_seq):
        events = list(group)
        entries = [_entry(list(each)) for _, each in groupby(events, lambda line: line.entry_seq)]
        payload = Batch(entries=entries).SerializeToString()
        at_ns = events[-1].recorded_at_ns
        yield Record(events[0].seq, len(events), at_ns, _EPOCH, NO_CHAIN, payload)


def _in_order(lines: Iterable[str], name: str, first_number: int) -> Iterator[_Line]:
    """The lines, which have to be all of a run of events."""
    expected: int | None = None
    for number, text in enumerate(lines, first_number):
        try:
            line = _parsed(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if number == 1:
                raise ExportRefused(
                    f"{name} is no export of a log: its first line is none of an export's; "
                    "make one with `log export`"
                ) from error
            raise ExportDamaged(
                f"{name}, line {number}: no event of an export ({error!r:.80}); "
                "copy or export it again, or use the version that made it"
            ) from error
        if line.seq != (expected or line.seq):
            raise ExportRefused(
                f"{name}, line {number}: event {line.seq}, expected {expected}; an export that "
                "was filtered cannot be read back: export without filters"
            )
        expected = line.seq + 1
        yield line


def _parsed(found: dict[str, Any]) -> _Line:
    """One object; whatever it raises, it is none of ours."""
    kind = _KINDS[found["type"]]
    body = _body(Event.DESCRIPTOR.fields_by_name[kind].message_type, found)
    event = Event(**{kind: body})
    line = _Line._make([*map(found.__getitem__, _Line._fields[:-1]), event])
    if line.seq < 1 or not all(isinstance(number, int) for number in line[:4]):
        raise ValueError("numbers from 1 are expected")
    return line


def _body(descriptor: Any, found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message, as its constructor takes them."""
    return {field.name: _value(field, found[key_of(field)]) for field in descriptor.fields}


def _value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_name.get(enum_prefix(field.enum_type) + value.upper())
        return int(value) if known is None else known.number
    if field.message_type is not None:
        return [_body(field.message_type, item) for item in value]
    return value


def _entry(lines: list[_Line]) -> Entry:
    first = lines[0]
    return Entry(
        recorded_at_ns=first.recorded_at_ns,
        actor=first.actor,
        method=first.method,
        request_id=first.request_id,
        events=[line.event for line in lines],
    )

"""A history as one HTML file that needs nothing else: no server, no network, no other file.

The page is written by hand (`nc/history/export/page/`), and filled in here: its style,
its script, and what it shows, as JSON. It knows none of the controller's rules; a node at a moment
is what its timeline says (`nc.history.timelines`).

A certificate may hold any name, so nothing in the history may steer the page: the
JSON holds no `<`, the script shows texts as text, and the page's own policy lets the browser run
this script, use this style, and load nothing else.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any, Final, TextIO

from nc.domain.events import Entry
from nc.domain.fsm import ConnectionState
from nc.domain.state import State
from nc.history.events import Recorded
from nc.history.fields import KIND_NAMES, kind_and_fields
from nc.history.timelines import Change, Timeline, timelines
from nc.text import moment

# One script for the browser, in this order: what is shown, then how, then what starts it.
_SCRIPTS: Final = (
    "model.js",
    "lists.js",
    "timeline.js",
    "nodes.js",
    "events.js",
    "page.js",
)


def write_page(history: Iterable[Recorded], base: State, out: TextIO) -> None:
    """Write the page.

    Args:
        history: the events, in order; read once.
        base: the state before the first of them.
        out: takes text in UTF-8.

    Raises:
        UnknownEvent: a newer version wrote one of the events.
    """
    folder = files("nc.history.export") / "page"
    style = (folder / "page.css").read_text(encoding="utf-8")
    script = "\n".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    template = Template((folder / "page.html").read_text(encoding="utf-8"))
    shown = _Shown(base)
    data = shown.described(timelines(base, shown.noting(history)))
    out.write(
        template.substitute(policy=policy, style=style, script=script, data=_json_inside(data))
    )


def _source(inline: str) -> str:
    """What a content security policy calls an inline script or style that it lets pass."""
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"


def _json_inside(data: Any) -> str:
    """JSON that can stand in a script element: only `<` could end it, or hide its end."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


class _Table:
    """Distinct values; other arrays refer to a value by its index."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self._places.setdefault(value, len(self._places))

    def values(self) -> list[Any]:
        return list(self._places)


class _Shown:
    """What the page shows, in arrays of numbers, so that 50,000 events are a few megabytes.

    A position is a number of events that have happened: 0 is the base, 1 is after the first event.

        texts      every text once; other arrays have its index
        kinds      [name, names of fields] of each kind of event there can be
        entries    [ms since the entry before, actor, method, request id, …], four an entry
        events     [sequence numbers since the event before, entries since, kind, fields, …]
        statuses  [state, address, expiry in ms, the same in words], each once
        nodes      [id, positions since the change before, status from 1 on or 0 for none, …]
    """

    def __init__(self, base: State) -> None:
        self._base = base
        self._texts = _Table()
        self._kinds = _Table()
        self._statuses = _Table()
        self._entries: list[int] = []
        self._events: list[list[int]] = []
        self._positions = {base.seq: 0}  # by sequence number

    def noting(self, history: Iterable[Recorded]) -> Iterator[Recorded]:
        entry: Entry | None = None
        seq, recorded_at_ms = self._base.seq, 0
        for recorded in history:
            is_new = entry is not recorded.entry
            if is_new:
                entry = recorded.entry
                now_ms = entry.recorded_at_ns // 1_000_000
                by = (entry.actor, entry.method, entry.request_id)
                self._entries += [now_ms - recorded_at_ms, *map(self._texts.place, by)]
                recorded_at_ms = now_ms
            kind, fields = kind_and_fields(recorded.event)
            names = tuple(name.removesuffix("_ms") for name in fields)
            values = [self._texts.place(_text(*field)) for field in fields.items()]
            kind_place = self._kinds.place((kind, names))
            self._events.append([recorded.seq - seq, int(is_new), kind_place, *values])
            seq = recorded.seq
            self._positions[seq] = len(self._events)
            yield recorded

    def described(self, found: dict[str, Timeline]) -> dict[str, Any]:
        """All of it, once every event was noted."""
        nodes = [[self._texts.place(node_id), *self._steps(found[node_id])] for node_id in found]
        return {
            "base": self._base.seq,
            "network": str(self._base.addresses.network) if self._base.seq else "",
            "states": [state.name for state in ConnectionState],
            "types": list(KIND_NAMES.values()),
            "kinds": self._kinds.values(),
            "statuses": self._statuses.values(),
            "entries": self._entries,
            "events": self._events,
            "nodes": nodes,
            "texts": self._texts.values(),
        }

    def _steps(self, timeline: Timeline) -> Iterator[int]:
        before = 0
        for change in timeline:
            position = self._positions[change.seq]
            yield position - before
            yield self._status(change)
            before = position

    def _status(self, change: Change) -> int:
        if change.status is None:
            return 0
        state, address, expires_at_ms = change.status
        until = _text("expires_at_ms", expires_at_ms)
        return 1 + self._statuses.place((state.name, address, expires_at_ms, until))


def _text(name: str, value: Any) -> str:
    if name.endswith("_at_ms"):
        return "never" if value == 0 else moment(value)
    if isinstance(value, list):
        return "; ".join(_certificate(item) for item in value)
    return str(value)


def _certificate(fields: dict[str, Any]) -> str:
    until = moment(fields["not_after_ms"])
    return f"{fields['authority']} {fields['serial']}, until {until}"

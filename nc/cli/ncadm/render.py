"""Results as tables, JSON, YAML or names. What other machines wrote is made printable.

A table fits the terminal: its least important columns are left out where it is narrow. Elsewhere,
as in a pipe, all of them are there.
"""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import typer

from nc.cli.options import Document, Format
from nc.text import cells, filled, printable

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """A column of a table; those of the highest `rank` are left out first, those of 0 never."""

    title: str
    text: Callable[[T], str]
    rank: int = 0
    is_number: bool = False


def listed(
    items: Sequence[T],
    columns: Sequence[Column[T]],
    output: Format | Document,
    name: Callable[[T], str] = str,
    none: str = "",
) -> str:
    """Several things: a table, an array, or a name on each line."""
    if output.value == Format.NAME.value:
        return "\n".join(printable(name(item)) for item in items)
    if output.value != Format.TABLE.value:
        return as_data([plain(item) for item in items], output)
    return table(columns, items) if items else none


def echo(text: str) -> None:
    """Print it; where there is no name to print, no line either."""
    typer.echo(text, nl=bool(text))


def as_data(value: Any, output: Format | Document) -> str:
    """JSON in one line, or YAML, both in ASCII: what a note holds must not steer a terminal."""
    if output.value == Format.JSON.value:
        return json.dumps(value)
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False)).rstrip()


def plain(value: Any) -> Any:
    """A result as JSON and YAML have it: times as ISO 8601 in UTC, enums as texts."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def table(columns: Sequence[Column[T]], items: Iterable[T], width: int | None = None) -> str:
    """Lines of columns, under their titles.

    Args:
        columns: in their order; the first is never left out.
        items: one for each line.
        width: in places of a terminal; None: the terminal's, if there is one.
    """
    rows = [[printable(column.text(item)) for column in columns] for item in items]
    widths = [
        max(len(column.title), *(cells(row[n]) for row in rows)) if rows else len(column.title)
        for n, column in enumerate(columns)
    ]
    shown = _that_fit(columns, widths, terminal_width() if width is None else width)
    texts = [[columns[n].title for n in shown], *([row[n] for n in shown] for row in rows)]
    lines = (
        "  ".join(
            text.rjust(widths[n]) if columns[n].is_number else filled(text, widths[n])
            for n, text in zip(shown, row, strict=True)
        ).rstrip()
        for row in texts
    )
    return "\n".join(lines)


def _that_fit(columns: Sequence[Column[T]], widths: Sequence[int], width: int | None) -> list[int]:
    shown = list(range(len(columns)))
    while width is not None and sum(widths[n] + 2 for n in shown) - 2 > width:
        least = max(shown, key=lambda n: (columns[n].rank, n))
        if not columns[least].rank:
            break
        shown.remove(least)
    return shown


def terminal_width() -> int | None:
    """How many characters a line of the standard output has; None: it is no terminal."""
    if os.environ.get("COLUMNS") or sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None


def fields(rows: Iterable[tuple[str, str]]) -> str:
    """Lines of a name and a value; those without a value are left out."""
    present = [(name, printable(value)) for name, value in rows if value]
    width = max((len(name) for name, _ in present), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in present)


def second(moment: datetime | None, never: str = "never") -> str:
    """A moment in UTC, to the second, for a column whose title says so."""
    return never if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def second_utc(moment: datetime | None, never: str = "never") -> str:
    """The same with its zone, where no title says it."""
    return never if moment is None else f"{second(moment)} UTC"


def labels_text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" if value else key for key, value in sorted(labels.items()))


def size_text(number: float) -> str:
    """Bytes as people read them."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004 - the step of binary prefixes
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"

"""How `ncadm` prints results."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nc.cli.ncadm import render
from nc.cli.ncadm.render import Column
from nc.cli.options import Document, Format

TEXTS = st.text(max_size=12)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=5)

COLUMNS: tuple[Column[tuple[str, ...]], ...] = (
    Column("first", lambda row: row[0]),
    Column("second", lambda row: row[1], rank=1),
    Column("third", lambda row: row[2], rank=3),
    Column("fourth", lambda row: row[3], rank=2, is_number=True),
)


@given(ROWS, st.integers(1, 80))
def test_a_table_fits_its_width(rows: list[tuple[str, ...]], width: int) -> None:
    """Columns are left out from the highest rank on; the first never is."""
    titles, *lines = render.table(COLUMNS, rows, width).split("\n")
    shown = titles.split()
    assert shown in (
        ["first", "second", "third", "fourth"],
        ["first", "second", "fourth"],
        ["first", "second"],
        ["first"],
    )
    assert len(lines) == len(rows)
    assert shown == ["first"] or max(map(len, [titles, *lines])) <= width
    whole = render.table(COLUMNS, rows, 10_000).split("\n")[0].split()
    assert len(whole) == len(COLUMNS)


FOREIGN = st.text("aé漢字アｱ한🙂e\u0301", max_size=8)


@given(st.lists(st.tuples(*[FOREIGN] * 3), max_size=5), st.integers(1, 80))
def test_columns_are_straight_in_every_script(rows: list[tuple[str, ...]], width: int) -> None:
    """On a terminal, where some letters take two places, and accents none."""
    ended: list[tuple[str, ...]] = [(row[0], "|", row[2], "7") for row in rows]
    titles, *lines = render.table(COLUMNS, ended, width).split("\n")
    if "second" in titles:
        assert max(map(cell_len, [titles, *lines])) <= width
        assert {cell_len(line.partition("|")[0]) for line in lines} <= {titles.index("second")}


@given(ROWS)
def test_no_text_steers_a_terminal(rows: list[tuple[str, ...]]) -> None:
    """Whatever a note holds: each row is one line of what can be shown."""
    lines = render.table(COLUMNS, rows, 10_000).split("\n")
    assert len(lines) == 1 + len(rows)
    assert all(line.isprintable() for line in lines)
    names = render.listed(rows, COLUMNS, Format.NAME, lambda row: row[0])
    assert all(line.isprintable() for line in names.split("\n"))
    assert render.as_data([list(row) for row in rows], Document.JSON).isascii()


@given(ROWS)
def test_programs_read_what_was_there(rows: list[tuple[str, ...]]) -> None:
    """JSON and YAML give the texts back, character for character."""
    content = [list(row) for row in rows]
    assert json.loads(render.as_data(content, Document.JSON)) == content
    assert yaml.safe_load(render.as_data(content, Document.YAML)) == content

"""The player's table of nodes.

Only the visible lines are made, each from the state when it is drawn, so that the cost does not
depend on how many nodes there are, or on how far the player has jumped.
"""

from bisect import bisect_left
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from nc.domain.fsm import ConnectionState
from nc.domain.state import State
from nc.history.timelines import status_of
from nc.text import expiry_text, printable

STATE_STYLES: Final = {
    ConnectionState.CONNECTED: Style.parse("green"),
    ConnectionState.INIT: Style.parse("yellow"),
    ConnectionState.IDLE: Style.parse("dim"),
}
# What a node that was not registered had.
_NOTHING: Final = {"state": None, "name": "", "address": "", "expires_at_ms": 0}

_PLAIN: Final = Style()
_CHANGED: Final = Style(bold=True, underline=True)
_CONCERNED: Final = Style(reverse=True)

SCROLLBAR_CELLS: Final = 1

# Mark, name, node id, state, address, expiry; in cells, each with a space behind it at least.
_WIDE: Final = (2, 22, 34, 11, 17, 22)
_NARROW: Final = (2, 22, 33, 10, 16, 21)

# The columns that are cut on a narrow terminal, the first one first, and how wide they are at
# least: the beginning of an id names a node.
_CUT: Final = ((2, 10), (1, 9))


def _widths(total: int) -> list[int]:
    if total >= sum(_WIDE):
        return [*_WIDE]
    widths = [*_NARROW]
    for column, least in _CUT:
        lacking = max(sum(widths) - 1 - total, 0)  # the last space need not fit
        widths[column] = max(widths[column] - lacking, least)
    return widths


def heading(total: int) -> str:
    """The heading of a table that is so many cells wide, with its scroll bar."""
    titles = ("", "name", "node", "state", "address", "expires")
    return "".join(map(str.ljust, titles, _widths(total - SCROLLBAR_CELLS)))


class NodeTable(ScrollView, can_focus=False):
    """The nodes of a state, in the order of their ids.

    Args:
        node_id: show this one only; all by default.
    """

    DEFAULT_CSS = f"NodeTable {{ scrollbar-size: 0 {SCROLLBAR_CELLS}; scrollbar-gutter: stable; }}"

    def __init__(self, node_id: str | None) -> None:
        super().__init__()
        self._only = node_id
        self._state = State()
        self._before = State()  # what was shown before
        self._concerned = ""  # the node that the present event is about
        self._ids: list[str] = []

    def show(self, state: State, concerned: str) -> None:
        """Show a state, and mark the node that the event before it is about."""
        if state.nodes is not self._state.nodes:
            self._ids = sorted(state.nodes) if self._only is None else [self._only]
            self.virtual_size = Size(0, len(self._ids))
        self._before, self._state, self._concerned = self._state, state, concerned
        self._reveal(concerned)
        self.refresh()

    def _reveal(self, node_id: str) -> None:
        index = bisect_left(self._ids, node_id)
        top, height = round(self.scroll_y), self.size.height
        if self._ids[index : index + 1] == [node_id] and not top <= index < top + height:
            # forced: the bar that would allow it may not be there yet
            self.scroll_to(y=index - height // 2, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = y + round(self.scroll_y)
        if index >= len(self._ids):
            return Strip.blank(width, self.rich_style)
        node_id = self._ids[index]
        return (
            Strip(self._segments(node_id, _widths(width)))
            .adjust_cell_length(width)
            .apply_style(self.rich_style)
        )

    def _segments(self, node_id: str, widths: list[int]) -> list[Segment]:
        status, was = status_of(self._state, node_id), status_of(self._before, node_id)
        is_concerned = node_id == self._concerned
        mark = "▶" if is_concerned else ""
        id_style = _CONCERNED if is_concerned else _PLAIN
        if status is None:
            gone = ((mark, _PLAIN), ("", _PLAIN), (node_id, id_style), ("none", _PLAIN))
            return list(map(_cell, gone, widths))
        expires = expiry_text(status.expires_at_ms)

        def changed(field: str) -> Style:
            is_same = getattr(was, field, _NOTHING.get(field)) == getattr(status, field)
            return _PLAIN if is_same else _CHANGED

        cells = [
            (mark, _PLAIN),
            (status.name, changed("name")),
            (node_id, id_style),
            (status.state.name, STATE_STYLES[status.state] + changed("state")),
            (status.address, changed("address")),
            (expires, changed("expires_at_ms")),
        ]
        return list(map(_cell, cells, widths))


def _cell(cell: tuple[str, Style], width: int) -> Segment:
    """A text, printable, and as wide as its column: cut with an ellipsis, or filled up."""
    text, style = printable(cell[0]), cell[1]
    if cell_len(text) >= width:
        text = set_cell_size(text, width - 2) + "…"
    return Segment(set_cell_size(text, width - 1) + " ", style)

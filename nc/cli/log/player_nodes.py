"""The player's table of nodes: a window on a state.

Only the lines that are in sight are made, each from the state when it is drawn, so it does not
matter how many nodes there are, or how far the player has jumped.
"""

from bisect import bisect_left
from typing import Final

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from nc.cli.render import printable
from nc.domain.state import State
from nc.history.player import NodeStatus, row_of
from nc.text import moment

_STYLES: Final = {
    "CONNECTED": Style.parse("green"),
    "INIT": Style.parse("yellow"),
    "IDLE": Style.parse("dim"),
}
_PLAIN: Final = Style()
_CHANGED: Final = Style(bold=True, underline=True)
_CONCERNED: Final = Style(reverse=True)

# Mark, node id, state, address, expiry; in cells.
_WIDTHS: Final = (2, 34, 11, 17, 22)
HEADING: Final = "".join(
    f"{title:<{width}}"
    for title, width in zip(("", "node", "state", "address", "expires"), _WIDTHS, strict=True)
)


class NodeTable(ScrollView, can_focus=False):
    """The nodes of a state, in the order of their ids.

    Args:
        node_id: show this one only; all by default.
    """

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
            self.virtual_size = Size(sum(_WIDTHS), len(self._ids))
        self._before, self._state, self._concerned = self._state, state, concerned
        self._reveal(concerned)
        self.refresh()

    def _reveal(self, node_id: str) -> None:
        """Scroll to a node that is out of sight."""
        index = bisect_left(self._ids, node_id)
        top, height = round(self.scroll_y), self.size.height
        if self._ids[index : index + 1] == [node_id] and not top <= index < top + height:
            # forced: the bar that would allow it may not be there yet
            self.scroll_to(y=index - height // 2, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One line of those in sight."""
        width = self.size.width
        index = y + round(self.scroll_y)
        if index >= len(self._ids):
            return Strip.blank(width, self.rich_style)
        node_id = self._ids[index]
        return Strip(self._segments(node_id)).adjust_cell_length(width).apply_style(self.rich_style)

    def _segments(self, node_id: str) -> list[Segment]:
        row, was = row_of(self._state, node_id), row_of(self._before, node_id)
        is_concerned = node_id == self._concerned
        mark = "▶ " if is_concerned else "  "
        id_style = _CONCERNED if is_concerned else _PLAIN
        if row is None:
            return [_cell(mark, 0, _PLAIN), _cell(node_id, 1, id_style), _cell("none", 2, _PLAIN)]
        old = was or NodeStatus("", "", 0)
        expires = moment(row.expires_at_ms) if row.expires_at_ms else "never"
        return [
            _cell(mark, 0, _PLAIN),
            _cell(node_id, 1, id_style),
            _cell(row.state, 2, _STYLES[row.state] + _changed(row.state != old.state)),
            _cell(row.address, 3, _changed(row.address != old.address)),
            _cell(expires, 4, _changed(row.expires_at_ms != old.expires_at_ms)),
        ]


def _changed(has_changed: bool) -> Style:
    return _CHANGED if has_changed else _PLAIN


def _cell(text: str, column: int, style: Style) -> Segment:
    """A cell of the table: printable, and as wide as its column, whatever is in it."""
    width = _WIDTHS[column]
    return Segment(set_cell_size(printable(text), width - 1) + " ", style)

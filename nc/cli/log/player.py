"""The player on a terminal: the shell around `nc.history.player`, for keys, time and drawing.

The log is read in a thread, so that the screen is there at once.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final, NamedTuple

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, ProgressBar, Static

from nc.cli.log.player_nodes import NodeTable, heading
from nc.cli.log.player_texts import NEIGHBOURS, event_text, neighbours_text, position_text
from nc.cli.time_args import parse_point
from nc.clock import Clock
from nc.history.events import Point, Progress, field_of
from nc.history.player import Player
from nc.text import printable

__all__ = ["LogPlayer", "PlayerSource"]

# How often the screen is brought up to date while it plays.
_TICK_S: Final = 0.05

# After a longer pause of the process (Ctrl-Z, a busy machine) no time is skipped.
_LONGEST_TICK_NS: Final = 1_000_000_000

_PAGE: Final = 100

# An event's kind, up to five fields of it, who did it, and how; the mouse scrolls to more.
_EVENT_LINES: Final = 8


class PlayerSource(NamedTuple):
    title: str
    last_seq: int  # of the log, for the progress of reading it
    load: Callable[[Progress], Player]
    node_id: str | None  # show only this one


class _Closed(Exception):
    """The player has been closed; ends the reading thread."""


class _GoTo(ModalScreen[Point | None]):
    CSS = """
    _GoTo { align: center middle; }
    #ask { width: 60; height: auto; border: round $accent; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "back")]

    def __init__(self, now_s: int) -> None:
        super().__init__()
        self._now_s = now_s

    def compose(self) -> ComposeResult:
        with Vertical(id="ask"):
            yield Static(
                "go to: now, a sequence number, 2026-11-20T15:00 (UTC), or -2h", markup=False
            )
            yield Input()
            yield Static("", id="wrong", markup=False)

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        try:
            self.dismiss(parse_point(submitted.value, self._now_s))
        except ValueError as error:
            self.query_one("#wrong", Static).update(Text(printable(str(error)), "red"))


class LogPlayer(App[None]):
    """Plays a history.

    Args:
        source: the recording.
        clock: real time.

    Attributes:
        failure: why the log could not be read, if it could not.
    """

    CSS = f"""
    #heading {{ text-style: bold; height: 1; }}
    #title {{ height: 1; text-wrap: nowrap; text-overflow: ellipsis; }}
    NodeTable {{ height: 1fr; }}
    #event {{ height: {_EVENT_LINES + 1}; border-top: solid $accent; }}
    #neighbours {{
        height: {2 * NEIGHBOURS + 2}; border-top: solid $accent;
        text-wrap: nowrap; text-overflow: ellipsis;
    }}
    #heading, NodeTable, #event, #neighbours {{ display: none; }}
    .ready #heading, .ready NodeTable, .ready #event, .ready #neighbours {{ display: block; }}
    .ready ProgressBar {{ display: none; }}
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play_or_pause", "play"),
        Binding("right,n", "step(1)", "step", key_display="→ n"),
        Binding("left,p", "step(-1)", "back", key_display="← p"),
        Binding("g", "go_to", "go to"),
        Binding("plus,equals_sign", "faster", "speed", key_display="+ -"),
        Binding("minus", "slower", show=False),
        Binding("pageup", f"skip({-_PAGE})", f"{_PAGE}", key_display="PgUp/Dn"),
        Binding("pagedown", f"skip({_PAGE})", show=False),
        Binding("home", "first", "ends", key_display="Home End"),
        Binding("end", "last", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, source: PlayerSource, clock: Clock) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.player: Player | None = None  # once the log has been read
        self._source = source
        self._clock = clock
        # held, since a query would look on the screen that is on top
        self._position = Static(Text("reading the log"), id="position")
        self._reading = ProgressBar(total=source.last_seq or None)
        self._heading = Static(id="heading")
        self._nodes_table = NodeTable(source.node_id)
        self._present = Static()
        self._neighbours = Static(id="neighbours")
        self._read_seq = 0
        self._ticked_ns = 0
        self._is_closed = False

    def compose(self) -> ComposeResult:
        yield Static(Text(printable(self._source.title)), id="title")
        yield self._position
        yield self._reading
        yield self._heading
        yield self._nodes_table
        with VerticalScroll(id="event", can_focus=False):
            yield self._present
        yield self._neighbours
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.set_interval(_TICK_S, self._tick)
        self.run_worker(self._load())

    def on_resize(self, event: Resize) -> None:
        self._heading.update(Text(heading(event.size.width)))
        if self.player is not None:
            self._position.update(position_text(self.player, event.size.width))

    def on_unmount(self) -> None:
        self._is_closed = True

    async def _load(self) -> None:
        try:
            player = await asyncio.to_thread(self._source.load, self._follow)
        except _Closed:
            return
        except Exception as error:  # noqa: BLE001 - the command says what it is
            self.failure = error
            self.exit()
            return
        self._ticked_ns = self._clock.monotonic_ns()
        self.screen.add_class("ready")
        self._show(player)

    def _follow(self, seq: int) -> None:
        if self._is_closed:
            raise _Closed
        self._read_seq = seq

    def _tick(self) -> None:
        if self.player is None:
            self._reading.update(progress=self._read_seq)
            return
        now_ns = self._clock.monotonic_ns()
        elapsed_ns, self._ticked_ns = now_ns - self._ticked_ns, now_ns
        self._show(self.player.advanced(min(elapsed_ns, _LONGEST_TICK_NS)))

    def _show(self, player: Player) -> None:
        shown, self.player = self.player, player
        if shown is None or (shown.at, shown.playing, shown.speed) != (
            player.at,
            player.playing,
            player.speed,
        ):
            self._position.update(position_text(player, self.size.width))
        if shown is None or shown.at != player.at:
            present = player.present
            concerned = "" if present is None else field_of(present.event, "node_id")
            self._nodes_table.show(player.state, concerned)
            self._present.update(event_text(player))
            self._neighbours.update(neighbours_text(player))

    def _move(self, move: Callable[[Player], Player]) -> None:
        if self.player is not None:
            self._show(move(self.player))

    def action_play_or_pause(self) -> None:
        self._move(Player.toggled)

    def action_step(self, by: int) -> None:
        self._move(lambda player: player.stepped(by))

    def action_skip(self, by: int) -> None:
        self._move(lambda player: player.skipped(by))

    def action_first(self) -> None:
        self._move(lambda player: player.skipped(-player.last))

    def action_last(self) -> None:
        self._move(lambda player: player.skipped(player.last))

    def action_faster(self) -> None:
        self._move(Player.faster)

    def action_slower(self) -> None:
        self._move(Player.slower)

    def action_scroll(self, by: int) -> None:
        table = self._nodes_table
        table.scroll_to(y=table.scroll_y + by, animate=False, immediate=True)

    def action_go_to(self) -> None:
        def go(point: Point | None) -> None:
            if point is not None:
                self._move(lambda player: player.jumped(point))

        self.push_screen(_GoTo(self._clock.now_ns() // 1_000_000_000), go)

"""The player on a terminal: the shell around `nc.history.player`, for keys, time and drawing.

The log is read in a thread, so that the screen is there at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import ClassVar, Final, NamedTuple

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.widgets import Footer, ProgressBar, Static

from nc.cli.log.player_dialogs import Ask, Help
from nc.cli.log.player_nodes import NodeTable, heading
from nc.cli.log.player_texts import (
    NEIGHBOURS,
    event_text,
    neighbours_text,
    position_text,
    summary_text,
)
from nc.cli.time_args import parse_point
from nc.clock import Clock
from nc.history.events import Point, Progress, field_of
from nc.history.player import Player, stops_with
from nc.text import printable

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
    #title, #summary {{ height: 1; text-wrap: nowrap; text-overflow: ellipsis; }}
    NodeTable {{ height: 1fr; }}
    #event {{ height: {_EVENT_LINES + 1}; border-top: solid $accent; }}
    #neighbours {{
        height: {2 * NEIGHBOURS + 2}; border-top: solid $accent;
        text-wrap: nowrap; text-overflow: ellipsis;
    }}
    #summary, #heading, NodeTable, #event, #neighbours {{ display: none; }}
    .ready #summary, .ready #heading, .ready NodeTable, .ready #event, .ready #neighbours {{
        display: block;
    }}
    .ready #title, .ready ProgressBar {{ display: none; }}
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play_or_pause", "play"),
        Binding("right,n", "step(1)", "step", key_display="→ n"),
        Binding("left,p", "step(-1)", "back", key_display="← p"),
        Binding("g", "go_to", "go to"),
        Binding("f,slash", "filter", "filter", key_display="f"),
        Binding("plus,equals_sign", "faster", "speed", key_display="+ -"),
        Binding("minus", "slower", show=False),
        Binding("pageup", f"skip({-_PAGE})", show=False),
        Binding("pagedown", f"skip({_PAGE})", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("question_mark", "help", "help", key_display="?"),
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
        self._summary = Static(id="summary")
        self._filter = ""  # what events must have in them to be played
        self._all_stops: Sequence[int] = ()  # of the player as it was loaded
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
        yield self._summary
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
            player = await asyncio.wrap_future(self._reader())
        except _Closed:
            return
        except Exception as error:  # noqa: BLE001 - the command says what it is
            self.failure = error
            self.exit()
            return
        self._ticked_ns = self._clock.monotonic_ns()
        self._all_stops = player.stops
        self.screen.add_class("ready")
        self._show(player)

    def _reader(self) -> "Future[Player]":
        """Read in a thread that is not waited for at the program's end: a server may hang."""
        ended: Future[Player] = Future()
        ended.set_running_or_notify_cancel()

        def read() -> None:
            try:
                ended.set_result(self._source.load(self._follow))
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                ended.set_exception(error)

        Thread(target=read, name="reader", daemon=True).start()
        return ended

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
        if shown is None or (shown.at, shown.stops) != (player.at, player.stops):
            self._summary.update(summary_text(player.state, self._filter))
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

        now_s = self._clock.now_ns() // 1_000_000_000
        question = "go to: now, a sequence number, 2026-11-20T15:00 (UTC), or -2h"
        self.push_screen(Ask(question, lambda text: parse_point(text, now_s)), go)

    def action_filter(self) -> None:
        if self.player is None:
            return
        recording, stops = self.player.recording, self._all_stops

        def chosen(text: str) -> tuple[str, Sequence[int]]:
            found = stops_with(recording, stops, text.strip())
            if len(found) == 1 < len(stops):
                raise ValueError(f"no event has {text.strip()!r} in it")
            return text.strip(), found

        def play(found: tuple[str, Sequence[int]] | None) -> None:
            if found is not None:
                self._filter = found[0]
                self._move(lambda player: player.among(found[1]))

        question = "only events with this in them: a kind, a node, an actor, …"
        self.push_screen(Ask(question, chosen, self._filter), play)

    def action_help(self) -> None:
        self.push_screen(Help(self._source.title))

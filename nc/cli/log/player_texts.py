"""The texts around the player's table of nodes: the position, and the events there.

A certificate may hold any name, so every text is made of parts that are printed as they are:
nothing in them steers the terminal, and nothing is read as markup.
"""

from collections import Counter
from typing import Final

from rich.text import Text

from nc.cli.log.player_nodes import STATE_STYLES
from nc.cli.log.render import KIND_STYLES, line_parts
from nc.domain.codec.records import Recorded
from nc.domain.fsm import ConnectionState
from nc.domain.map_items import items_of
from nc.domain.state import State
from nc.history.fields import field_texts, kind_of
from nc.history.player import AS_FAST_AS_IT_GOES, LONGEST_WAIT_NS, Player
from nc.text import printable, time_text

_SECOND_NS: Final = 1_000_000_000
_BAR_CELLS: Final = 40
_SHORTEST_BAR_CELLS: Final = 5

# Events before the present one, and as many after it.
NEIGHBOURS: Final = 2


def summary_text(state: State, chosen: str) -> Text:
    """How many nodes are in which state, what else there is, and what events must have in them."""
    counts = Counter(link.state for _, link in items_of(state.links))
    counts[ConnectionState.IDLE] = len(state.nodes) - counts.total()
    text = Text.assemble((_counted(len(state.nodes), "node"), "bold"))
    for link_state in (ConnectionState.CONNECTED, ConnectionState.INIT, ConnectionState.IDLE):
        text.append(f"  {counts[link_state]} {link_state.name}", STATE_STYLES[link_state])
    text.append(f"  {_counted(len(state.addresses.by_node), 'address', 'es')}")
    text.append(f"  {_counted(len(state.tokens), 'token')}")
    if chosen:
        text.append(f"  only: {printable(chosen)}", "reverse")
    return text


def _counted(count: int, what: str, plural: str = "s") -> str:
    return f"{count} {what}{'' if count == 1 else plural}"


def position_text(player: Player, width: int) -> Text:
    """The position in the recording, the speed, and, if `width` cells have room for it, a bar."""
    present = player.present
    text = Text.assemble(
        (f"event {present.seq if present else player.recording.checkpoints[0].seq}", "bold"),
        f"  {player.at} of {player.last}  ",
        ("playing" if player.playing else "paused", "green" if player.playing else "yellow"),
        f" at {_speed(player.speed)}",
        (_waiting(player), "dim"),
    )
    cells = min(_BAR_CELLS, width - text.cell_len - 2)
    if cells < _SHORTEST_BAR_CELLS:
        return text
    done = player.at * cells // player.last if player.last else cells
    return Text.assemble(("━" * done, "green"), ("━" * (cells - done), "dim"), "  ", text)


def _speed(speed: float) -> str:
    return "full speed" if speed == AS_FAST_AS_IT_GOES else f"{speed:g} times real time"


def _waiting(player: Player) -> str:
    """The time to the next event; empty if it is less than a second."""
    gap_s = player.gap_ns(player.at) // _SECOND_NS
    if gap_s == 0 or player.at == player.last:
        return ""
    cut = f", cut to {LONGEST_WAIT_NS // _SECOND_NS} s" if player.cuts_the_gap else ""
    return f"  next event after {_duration(gap_s)}{cut}"


def _duration(seconds: int) -> str:
    """The two largest units of a duration: `2 h 5 min`."""
    parts = []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def event_text(player: Player) -> Text:
    present = player.present
    if present is None:
        return Text("before the first event")
    entry = present.entry
    heading = Text.assemble(
        ("event ", "dim"),
        f"{present.seq}  {time_text(entry.recorded_at_ns)}  ",
        (kind_of(present.event), f"bold {KIND_STYLES.get(kind_of(present.event), '')}"),
    )
    fields = {
        **field_texts(present.event),
        "by": entry.actor,
        "through": f"{entry.method}, request {entry.request_id}",
    }
    lines = [
        Text.assemble((f"{name:>17}  ", "dim"), printable(value)) for name, value in fields.items()
    ]
    return Text("\n").join([heading, *lines])


def neighbours_text(player: Player) -> Text:
    """The events around the present one, a line each; an empty line where there is none."""
    before, after = player.around(NEIGHBOURS)
    lines = [Text("") for _ in range(NEIGHBOURS - len(before))]
    lines += [Text.assemble("  ", _line(each)) for each in before]
    here = player.present
    lines.append(Text("▶ before the first event") if here is None else _here(_line(here)))
    lines += [Text.assemble("  ", _line(each)) for each in after]
    return Text("\n").join(lines)


def _line(recorded: Recorded) -> Text:
    return Text.assemble(*line_parts(recorded))


def _here(line: Text) -> Text:
    marked = Text.assemble("▶ ", line)
    marked.stylize("bold")
    return marked

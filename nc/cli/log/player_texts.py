"""What the player shows around its table of nodes, as texts: where it is, and what happened there.

Names in a log are their makers' choice, so every text is made of parts that are printed as they
are: nothing in them steers the terminal, and nothing is read as markup.
"""

from typing import Final

from rich.text import Text

from nc.cli.render import field_texts, kind_of, printable, style_of, text_line
from nc.history.player import AS_FAST_AS_IT_GOES, LONGEST_WAIT_NS, Player
from nc.text import time_text

_SECOND_NS: Final = 1_000_000_000
_BAR_CELLS: Final = 40

# Events before the present one, and as many after it.
NEIGHBOURS: Final = 2


def position_text(player: Player) -> Text:
    """A bar, how far it has come, and how it goes on."""
    done = _BAR_CELLS if not player.last else player.at * _BAR_CELLS // player.last
    present = player.present
    where = f"  event {present.seq if present else player.past.checkpoints[0].seq}"
    return Text.assemble(
        ("━" * done, "green"),
        ("━" * (_BAR_CELLS - done), "dim"),
        (where, "bold"),
        f"  {player.at} of {player.last}  ",
        ("playing" if player.playing else "paused", "green" if player.playing else "yellow"),
        f" at {_speed(player.speed)}",
        (_waiting(player), "dim"),
    )


def _speed(speed: float) -> str:
    return "full speed" if speed == AS_FAST_AS_IT_GOES else f"{speed:g} times real time"


def _waiting(player: Player) -> str:
    """How long it is to the next event, where that is to be seen."""
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
    """The event that was just played: all that is known of it."""
    present = player.present
    if present is None:
        return Text("before the first event")
    entry = present.entry
    heading = Text.assemble(
        ("event ", "dim"),
        f"{present.seq}  {time_text(entry.recorded_at_ns)}  ",
        (kind_of(present.event), f"bold {style_of(present.event)}"),
    )
    fields = {
        **field_texts(present.event),
        "by": f"{entry.actor} ({entry.method}, request {entry.request_id})",
    }
    lines = [
        Text.assemble((f"{name:>17}  ", "dim"), printable(value)) for name, value in fields.items()
    ]
    return Text("\n").join([heading, *lines])


def neighbours_text(player: Player) -> Text:
    """The events around the present one, a line each; a line for each that there is none of."""
    before, after = player.around(NEIGHBOURS)
    lines = [Text("") for _ in range(NEIGHBOURS - len(before))]
    lines += [Text.assemble("  ", text_line(each)) for each in before]
    here = player.present
    lines.append(Text("▶ before the first event") if here is None else _here(text_line(here)))
    lines += [Text.assemble("  ", text_line(each)) for each in after]
    return Text("\n").join(lines)


def _here(line: Text) -> Text:
    marked = Text.assemble("▶ ", line)
    marked.stylize("bold")
    return marked

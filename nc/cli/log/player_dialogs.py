"""What the player asks, and its help: each over the screen, until Escape."""

from collections.abc import Callable
from typing import ClassVar, Final, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from nc.text import printable

T = TypeVar("T")

_BOX: Final = "width: 70; max-width: 100%; height: auto; border: round $accent; padding: 0 1;"

HELP: Final = (
    ("space", "play, pause"),
    ("→ n, ← p", "one event on, or back"),
    ("PgDn, PgUp", "a hundred events"),
    ("Home, End", "to the beginning, to the end"),
    ("+ -", "faster, slower"),
    ("g", "go to a sequence number, a time, or now"),
    ("f", "only events with a text in them; empty: all"),
    ("↑ ↓", "scroll the nodes"),
    ("q, Ctrl-C", "quit"),
)


class Ask(ModalScreen[T | None]):
    """Asks for a text until it is understood.

    Args:
        question: above the field.
        read: what a text means; raises ValueError with a sentence.
        given: is in the field at first.
    """

    CSS = f"Ask {{ align: center middle; }} #ask {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "back")]

    def __init__(self, question: str, read: Callable[[str], T], given: str = "") -> None:
        super().__init__()
        self._question = question
        self._read = read
        self._given = given

    def compose(self) -> ComposeResult:
        with Vertical(id="ask"):
            yield Static(self._question, markup=False)
            yield Input(self._given)
            yield Static("", id="wrong", markup=False)

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        try:
            self.dismiss(self._read(submitted.value))
        except ValueError as error:
            self.query_one("#wrong", Static).update(Text(printable(str(error)), "red"))


class Help(ModalScreen[None]):
    """The keys.

    Args:
        title: what is played.
    """

    CSS = f"Help {{ align: center middle; }} #help {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,space,enter", "dismiss", "back")
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        lines = [Text.assemble((f"{key:>12}  ", "bold"), does) for key, does in HELP]
        with Vertical(id="help"):
            yield Static(Text("\n").join([Text(printable(self._title)), Text(""), *lines]))

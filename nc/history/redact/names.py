"""The names of a redacted history: numbers, in order of first use."""

from collections.abc import Callable
from typing import Final, NamedTuple

from nc.history.redact.addresses import Relocation

_TOKENS_FROM: Final = 0xB << 124  # so that no token has a node's id


class _Numbers:
    """Numbers for names, in order of first use; the empty name stays empty."""

    def __init__(self, shown: Callable[[int], str]) -> None:
        self._shown = shown
        self._known: dict[str, str] = {"": ""}

    def __call__(self, name: str) -> str:
        number = self._known.get(name)
        if number is None:
            number = self._known[name] = self._shown(len(self._known))
        return number


class Names(NamedTuple):
    node: _Numbers
    token: _Numbers
    link: _Numbers
    request: _Numbers
    replica: _Numbers
    session: _Numbers
    text: _Numbers  # names, labels, notes and facts
    serial: _Numbers  # of administrators' certificates
    hash: _Numbers  # of keys and databases
    place: Relocation
    digests: dict[int, str]  # hex, by the events that they are of


def new_names(place: Relocation) -> Names:
    """Names of a history that has none yet, in networks that move as `place` says."""
    return Names(
        node=_Numbers(lambda number: f"{number:032x}"),
        token=_Numbers(lambda number: f"{_TOKENS_FROM + number:032x}"),
        link=_Numbers(lambda number: f"link-{number}"),
        request=_Numbers(lambda number: f"request-{number}"),
        replica=_Numbers(lambda number: f"replica-{number}"),
        session=_Numbers(lambda number: f"session-{number}"),
        text=_Numbers(lambda number: f"text-{number}"),
        serial=_Numbers(lambda number: f"{number:x}"),
        hash=_Numbers(lambda number: f"{number:064x}"),
        place=place,
        digests={},
    )

"""How a bug is planted: what it is called, which laws it breaks, and where it is looked for."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from nc.testing import InProcess

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug:
    """A mistake that could be made.

    Attributes:
        name: what is wrong.
        plant: makes it so.
        laws: those that it breaks; which one shows first is chance.
        target: where it is looked for.
    """

    name: str
    plant: Patch
    laws: frozenset[str]
    target: Callable[[], InProcess] = InProcess


def into(bugs: list[Bug]) -> Callable[..., Callable[[Patch], Patch]]:
    """What declares bugs, and adds them to these: the name of each is the function's."""

    def bug(*laws: str, **target: bool) -> Callable[[Patch], Patch]:
        def declare(plant: Patch) -> Patch:
            name = re.sub(r" s\b", "'s", plant.__name__.replace("_", " "))
            bugs.append(Bug(name, plant, frozenset(laws), lambda: InProcess(**target)))
            return plant

        return declare

    return bug


def everywhere(patch: pytest.MonkeyPatch, old: Any, new: Any) -> None:
    """Replace a function under every name that a module of ours knows it by."""
    for module in [m for name, m in sys.modules.items() if name.startswith("nc.")]:
        for name, value in list(vars(module).items()):
            if value is old:
                patch.setattr(module, name, new)

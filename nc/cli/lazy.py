"""A group of commands, each imported when it is called: `--help` imports none of them.

The group's list of commands, and completion of their names, need a name and one sentence; both
stand in the group's table. A test compares the sentences with those of the commands themselves.
"""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class LazyCommand(TyperCommand):
    """A command's name and summary, and where it is: `module:function` or `module:app`."""

    def __init__(self, name: str, summary: str, place: str) -> None:
        super().__init__(name, help=summary, rich_markup_mode=None)
        self.place = place

    def load(self) -> Any:
        module, _, attribute = self.place.partition(":")
        target = getattr(importlib.import_module(module), attribute)
        if isinstance(target, typer.Typer):
            return typer.main.get_group(target)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name)(target)
        return typer.main.get_command(single)


class LazyGroup(TyperGroup):
    """Commands from a table: name → (summary, place)."""

    table: ClassVar[Mapping[str, tuple[str, str]]] = {}
    settings: ClassVar[Mapping[str, dict[str, Any]]] = {}  # of their contexts, where they have some

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (summary, place) in self.table.items():
            self.commands[name] = LazyCommand(name, summary, place)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        command: Any = found.load() if isinstance(found, LazyCommand) else found
        if name is not None and name in self.settings:
            command.context_settings = self.settings[name]
        return name, command, rest

"""The options that select events, for the commands that take all of them."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, NamedTuple, get_type_hints

from nc.cli.log.query import (
    ActorOption,
    AddressOption,
    KindsOption,
    Names,
    NodeOption,
    ToOption,
    filter_named,
)
from nc.cli.options import FromOption
from nc.history.filters import Filter

_PARAMETER: Final = "options"


class FilterOptions(NamedTuple):
    """What a command line says of them."""

    node: NodeOption = None
    address: AddressOption = None
    actor: ActorOption = None
    kinds: KindsOption = None
    start: FromOption = None
    end: ToOption = None

    @property
    def are_more_than_places(self) -> bool:
        """Whether there are others than --from and --to."""
        return bool(self.node or self.address or self.actor or self.kinds)

    def filter(self, names: Names) -> Filter:
        return filter_named(names, **self._asdict())


NO_OPTIONS: Final = FilterOptions()


def takes_filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with these options, in the place of its parameter `options: FilterOptions`."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    hints = get_type_hints(FilterOptions, include_extras=True)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
        for name, hint in hints.items()
    ]
    parameters = [
        each
        for parameter in own
        for each in (options if parameter.name == _PARAMETER else [parameter])
    ]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        chosen = FilterOptions(**{name: given.pop(name) for name in hints})
        command(**given, options=chosen)

    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    with_options.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]  # typer reads it
    with_options.__annotations__ = {each.name: each.annotation for each in named}
    return with_options

"""Options that several commands have."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from nc.contract import DEFAULT_METRICS_LISTEN

NO_EVENTS = "there are no such events"

_CHOSEN = "nc.cli.output"  # in the context's meta, which a command shares with its group


@contextmanager
def value_of(option: str) -> Iterator[None]:
    """Report a value that cannot be read as one of this option.

    Raises:
        typer.BadParameter: instead of a ValueError or an OverflowError.
    """
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


class Output(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


class Document(StrEnum):
    """How results are printed that have fields."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Format(StrEnum):
    """How results are printed that have names, too."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class AnyOutput(StrEnum):
    """What may stand before a command, each of which knows some."""

    TEXT = "text"
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


_SAME = {"text": "table", "table": "text"}


def _chosen_output(context: typer.Context, param: typer.CallbackParam, value: StrEnum) -> StrEnum:
    """The value of --output after the command, else before it, else the default."""
    source = context.get_parameter_source(str(param.name))
    if source is not None and source.name != "DEFAULT":
        context.meta[_CHOSEN] = value
    chosen = str(context.meta.get(_CHOSEN, value))
    kind = type(value)
    for text in (chosen, _SAME.get(chosen, "")):
        if text in list(kind):
            return kind(text)
    raise typer.BadParameter(f"this command prints {', '.join(kind)}", param_hint="--output")


OutputOption = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        help="For people, or JSON. Before or after the command.",
        callback=_chosen_output,
    ),
]

_FORMATS = "For people, or for programs. Before or after the command."

AnyOutputOption = Annotated[
    AnyOutput, typer.Option("--output", "-o", help=_FORMATS, callback=_chosen_output)
]
DocumentOption = Annotated[
    Document, typer.Option("--output", "-o", help=_FORMATS, callback=_chosen_output)
]
FormatOption = Annotated[
    Format, typer.Option("--output", "-o", help=_FORMATS, callback=_chosen_output)
]

WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Again every two seconds, until Ctrl-C.")
]

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="SEQ|TIME", help="The first event: 2026-11-20T15:00, 15:00, -2h, or now."
    ),
]

PlaintextOption = Annotated[
    bool, typer.Option("--plaintext", help="For a server that runs with --plaintext.")
]

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

DebugOption = Annotated[bool, typer.Option("--debug", help="Log more.")]

ListenOption = Annotated[
    str | None,
    typer.Option(metavar="IP", help="The address that all ports listen on. Default: every one."),
]

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="A configuration file, YAML. Options override it."),
]


def version_option(program: str) -> Any:
    """`--version`, for a program's own callback."""

    def show(value: bool) -> None:
        if value:
            typer.echo(f"{program} {version('litekube-network-controller')}")
            raise typer.Exit

    words = ("--version", "-v")
    return typer.Option(False, *words, callback=show, is_eager=True, help="Print the version.")


AllowDestinationOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CIDR",
        help="What nodes may reach through this server besides its overlay address, as far as "
        "its kernel forwards it; repeatable. 0.0.0.0/0, which redirectGateway needs, is "
        "everything that this machine reaches. Default: nothing.",
    ),
]

ReclaimAfterOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long an idle node keeps its address when all are used. Default: 7d",
    ),
]

CertificateLifetimeOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long a node's certificates last; it renews them after a third of that. Those "
        "that GetToken answers last a year. Default: 30d",
    ),
]

GuessRateOption = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="How many wrong tokens a second are looked at from one address, after a "
        "hundred at once; beyond that its calls with one are refused. 0: any number. Default: 1",
    ),
]

MetricsListenOption = Annotated[
    str | None,
    typer.Option(
        metavar="IP:PORT|none",
        help="Where Prometheus reads metrics, over HTTP and without a password. "
        f"Default: {DEFAULT_METRICS_LISTEN}, if that is free",
    ),
]

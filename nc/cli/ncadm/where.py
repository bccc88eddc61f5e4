"""Which server a command is for: the options before it, over a context's parts."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from nc.cli.options import value_of
from nc.cli.server_address import read_host

if TYPE_CHECKING:  # imported when a call is made, so that --help does not need it
    from nc.client.contexts import Context


class Options(NamedTuple):
    """What stands before the command; None where it was not given."""

    ip: str | None = None
    port: int | None = None
    bootport: int | None = None
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    data_dir: Path | None = None
    context: str | None = None
    plaintext: bool = False

    def resolved(self) -> "Context":
        """The server's address and certificates: each option wins over the context's part.

        Raises:
            ContextError: there is no such context, or the contexts cannot be read.
        """
        from nc.client.contexts import Context

        if self.context is not None:
            return self.over(Context.named(self.context))
        if self.data_dir is not None:
            return self.over(Context.of_data_dir(self.data_dir))
        return self.over(Context.current())

    def over(self, found: "Context") -> "Context":
        """A context with the parts that options name replaced."""
        return replace(
            found,
            host=self.ip or found.host,
            port=self.port or found.port,
            bootstrap_port=self.bootport or found.bootstrap_port,
            ca=self.cacert or found.ca,
            certificate=self.cert or found.certificate,
            key=self.key or found.key,
            plaintext=self.plaintext or found.plaintext,
        )


def options_of(context: typer.Context) -> Options:
    """The options before the command.

    Raises:
        typer.BadParameter: the address is none, or the certificates are named twice.
    """
    root = context.find_root()
    options = Options(
        **{name: root.params[name] for name in Options._fields if root.params.get(name) is not None}
    )
    typed = [
        name
        for name in ("data_dir", "context")
        if (source := root.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if len(typed) > 1:
        raise typer.BadParameter("give --data-dir or --context: both name certificates")
    if "data_dir" in typed:  # it wins over a context that the environment names
        options = options._replace(context=None)
    if options.ip is None:
        return options
    with value_of("--ip"):
        return options._replace(ip=read_host(options.ip))

"""Calls the server and prints its answer, for the commands that use LiteKube's API."""

import json
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.ncadm.where import Options
from nc.cli.options import Output
from nc.cli.pasted import doubt_of
from nc.cli.server_address import ServerAddress
from nc.cli.streams import is_of_stdout, silence_stdout
from nc.contract import OK
from nc.errors import UNREACHABLE

if TYPE_CHECKING:  # imported when a call is made, so that --help needs neither
    from google.protobuf.message import Message

    from nc.client.channel import Channel
    from nc.client.contexts import Context


class CallRefused(OperationFailed):
    """The server answered the call, with a code that is not a success."""

    kind = "refused"


def accepted(answer: Any, *tokens: str) -> Any:
    """The answer, if it is a success.

    Args:
        answer: of the server.
        tokens: node tokens that were sent; a refusal says which of them do not look like one.

    Raises:
        CallRefused: it is not.
    """
    if answer.code != OK:
        doubts = dict.fromkeys(filter(None, map(doubt_of, tokens)))
        raise CallRefused("; ".join([f"{answer.message} (code {answer.code})", *doubts]))
    return answer


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the server is, and how answers are printed."""

    options: Options
    output: Output = Output.TEXT

    @classmethod
    def of(cls, context: typer.Context, output: Output) -> "Connection":
        """The connection that the options before the command describe."""
        connection: Connection = context.obj
        return replace(connection, output=output)

    def control(self, method: str, request: "Message") -> Any:
        """Call the control port with the administrator's certificate."""
        from nc.cli.ncadm.certificates import admin_tls
        from nc.client.channel import Channel

        place = self.options.resolved()
        channel = Channel(place.host, place.port, admin_tls(place))
        return _call(channel, method, request, "CONTROL", plaintext=place.plaintext)

    def bootstrap(self, method: str, request: "Message", place: ServerAddress | None) -> Any:
        """Call the bootstrap port without a certificate, at `place` unless options name another."""
        from nc.client.channel import BOOTSTRAP_PORT, Channel
        from nc.client.tls import ClientTls

        context = self.options.resolved()
        tls = None if context.plaintext else ClientTls(self.trusted(context))
        host, port = context.host, context.bootstrap_port
        if place is not None:
            host, port = self.options.ip or place.host, self.options.bootport or place.port
        channel = Channel(host, port, tls, BOOTSTRAP_PORT)
        return _call(channel, method, request, "BOOTSTRAP", plaintext=context.plaintext)

    def trusted(self, context: "Context | None" = None) -> bytes:
        """The CA's certificate, PEM; empty in plain text."""
        from nc.cli.ncadm.certificates import read_trusted

        place = context or self.options.resolved()
        return b"" if place.plaintext else read_trusted(place.ca)

    def show(self, answer: "Message", text: str, **more: str) -> None:
        """Print an answer: the text for people, or its fields with `more` beside them as JSON.

        Raises:
            OperationFailed: the server did what was asked, but the answer cannot be printed.
        """
        if self.output is Output.JSON:
            from google.protobuf.json_format import MessageToDict

            fields = MessageToDict(answer, always_print_fields_with_no_presence=True)
            text = json.dumps({**fields, **more})
        print_result(text)


def print_result(text: str) -> None:
    """Print what the server has done.

    Raises:
        OperationFailed: it did what was asked, but the answer cannot be printed.
    """
    try:
        typer.echo(text, nl=bool(text))
        sys.stdout.flush()
    except OSError as error:
        if not (isinstance(error, BrokenPipeError) or is_of_stdout(error)):
            raise
        silence_stdout()
        raise OperationFailed(
            f"the server did what was asked, but the output cannot be written: {error.strerror}"
        ) from error


def _call(
    channel: "Channel", method: str, request: "Message", expected: str, *, plaintext: bool
) -> Any:
    from nc.cli.event_loop import run_async
    from nc.client.errors import CallFailed

    async def call() -> Any:
        async with channel:
            return await channel.call(method, request)

    try:
        return run_async(call())
    except CallFailed as error:
        if plaintext or error.exit_code != UNREACHABLE:
            raise
        raise_for_other_port(channel.host, channel.port, expected)
        raise


def raise_for_other_port(host: str, port: int, expected: str) -> None:
    """Find out whether another of the server's ports answers there.

    Raises:
        OperationFailed: one does.
    """
    from nc.cli.event_loop import run_async
    from nc.client.port_probe import PortKind, other_port
    from nc.text import host_port

    if problem := run_async(other_port(host, port, PortKind[expected])):
        raise OperationFailed(f"{host_port(host, port)}: {problem}") from None

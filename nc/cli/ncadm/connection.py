"""Calls the server and prints its answer, for every command."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.options import Output
from nc.cli.server_address import DEFAULT_IP, ServerAddress
from nc.cli.streams import is_of_stdout, silence_stdout
from nc.contract import OK
from nc.errors import UNREACHABLE

if TYPE_CHECKING:  # imported when a call is made, so that --help needs neither
    from google.protobuf.message import Message

    from nc.client.channel import Channel
    from nc.client.tls import ClientTls


class CallRefused(OperationFailed):
    """The server answered the call, with a code that is not a success."""

    kind = "refused"


def accepted(answer: Any) -> Any:
    """The answer, if it is a success.

    Raises:
        CallRefused: it is not.
    """
    if answer.code != OK:
        raise CallRefused(f"{answer.message} (code {answer.code})")
    return answer


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's address, and the files of certificates to trust and to present there."""

    ip: str | None
    port: int
    bootstrap_port: int | None
    ca: Path
    certificate: Path
    key: Path
    plaintext: bool
    output: Output = Output.TEXT

    @classmethod
    def of(cls, context: typer.Context, output: Output) -> "Connection":
        """The connection that the options before the command describe."""
        connection: Connection = context.obj
        return replace(connection, output=output)

    def control(self, method: str, request: "Message") -> Any:
        """Call the control port with the administrator's certificate."""
        from nc.client.channel import Channel

        client = Channel(self.ip or DEFAULT_IP, self.port, self.admin_tls())
        return self._call(client, method, request, "CONTROL")

    def admin_tls(self) -> "ClientTls | None":
        """The certificates for the control port; None in plain text."""
        if self.plaintext:
            return None
        from nc.cli.ncadm.certificates import read_pair, read_trusted
        from nc.client.tls import ClientTls

        return ClientTls(read_trusted(self.ca), *read_pair(self.key, self.certificate))

    def bootstrap(self, method: str, request: "Message", place: ServerAddress) -> Any:
        """Call the bootstrap port without a certificate, at `place` unless options name another."""
        from nc.client.channel import BOOTSTRAP_PORT, Channel
        from nc.client.tls import ClientTls

        tls = None
        if not self.plaintext:
            from nc.cli.ncadm.certificates import read_trusted

            tls = ClientTls(read_trusted(self.ca))
        host, port = self.ip or place.host, self.bootstrap_port or place.port
        return self._call(Channel(host, port, tls, BOOTSTRAP_PORT), method, request, "BOOTSTRAP")

    def _call(self, client: "Channel", method: str, request: "Message", expected: str) -> Any:
        """Call; if it does not get through, find out whether that is another port of the server."""
        from nc.client.errors import CallFailed

        try:
            return _call(client, method, request)
        except CallFailed as error:
            if self.plaintext or error.exit_code != UNREACHABLE:
                raise
            from nc.cli.event_loop import run_async
            from nc.client.port_probe import PortKind, other_port

            problem = run_async(other_port(client.host, client.port, PortKind[expected]))
            if not problem:
                raise
            raise OperationFailed(f"{client.target}: {problem}") from None

    def show(self, answer: "Message", text: str, **more: str) -> None:
        """Print an answer: the text for people, or its fields with `more` beside them as JSON.

        Raises:
            OperationFailed: the server did what was asked, but the answer cannot be printed.
        """
        if self.output is Output.JSON:
            from google.protobuf.json_format import MessageToDict

            fields = MessageToDict(answer, always_print_fields_with_no_presence=True)
            text = json.dumps({**fields, **more})
        try:
            typer.echo(text)
            sys.stdout.flush()
        except OSError as error:
            if not (isinstance(error, BrokenPipeError) or is_of_stdout(error)):
                raise
            silence_stdout()
            raise OperationFailed(
                f"the server did what was asked, but the output cannot be written: {error.strerror}"
            ) from error


def _call(client: "Channel", method: str, request: "Message") -> Any:
    from nc.cli.event_loop import run_async

    async def call() -> Any:
        async with client:
            return await client.call(method, request)

    return run_async(call())

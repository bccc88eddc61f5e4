"""The server itself."""

import typer

from nc.cli.ncadm.connection import CallRefused, Connection
from nc.cli.options import Output, OutputOption
from nc.contract import OK
from nc.pb import network_controller_pb2 as pb


def check_health(context: typer.Context, output: OutputOption = Output.TEXT) -> None:
    """Ask whether the server can do its work.

    Example: ncadm check-health
    """
    connection = Connection.of(context, output)
    answer = connection.control("HealthCheck", pb.HealthCheckRequest())
    if answer.code != OK:
        raise CallRefused(
            f"the server answers {answer.code}: its event log cannot be written; see its log lines"
        )
    connection.show(answer, "healthy")

"""One node: its state, its address, its expiry, its removal."""

from pathlib import Path
from typing import Annotated

import typer

from nc.cli.ncadm.connection import Connection, accepted
from nc.cli.options import Output, OutputOption, value_of
from nc.cli.time_args import parse_expiry
from nc.cli.token_args import NODE_TOKEN_VARIABLE, TokenFileOption, node_tokens
from nc.clock import SystemClock, now_ms
from nc.contract import LARGEST_EXPIRY_S, OK, STATE_NAMES, SUCCESS_MESSAGE
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pb.admin.v1 import nodes_pb2
from nc.text import expiry_text, moment, printable

NodeToken = Annotated[
    str | None,
    typer.Option(
        "--node-token",
        metavar="T",
        help="The token that the node was given; - for the standard input. "
        f"Default: ${NODE_TOKEN_VARIABLE}",
    ),
]


def check_conn_state(
    context: typer.Context,
    node_token: NodeToken = None,
    token_file: TokenFileOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print a node's state and its address.

    The state is IDLE, INIT or CONNECTED.

    Example: ncadm check-conn-state --node-token T
    """
    connection = Connection.of(context, output)
    request = pb.CheckConnStateRequest(token=_one(node_token, token_file))
    answer = accepted(connection.control("CheckConnState", request), request.token)
    state = STATE_NAMES.get(answer.connState, str(answer.connState))
    connection.show(answer, f"state: {state}\naddress: {answer.bindIp or 'none yet'}")


def get_registed_ip(
    context: typer.Context,
    node_token: NodeToken = None,
    token_file: TokenFileOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the overlay address that a node holds.

    Example: ncadm get-registed-ip --node-token T
    """
    connection = Connection.of(context, output)
    request = pb.GetRegistedIpRequest(token=_one(node_token, token_file))
    answer = accepted(connection.control("GetRegistedIp", request), request.token)
    connection.show(answer, f"address: {answer.ip or 'none yet'}")


def _one(node_token: str | None, token_file: Path | None) -> str:
    tokens = node_tokens(None if node_token is None else [node_token], token_file)
    if len(tokens) > 1:
        raise typer.BadParameter("several node tokens were given, and this command takes one")
    return tokens[0]


def unregister(
    context: typer.Context,
    node_token: NodeToken = None,
    token_file: TokenFileOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove a node for good.

    Its token and its certificates are refused from then on. Nothing is asked, as scripts expect of
    this command of LiteKube's: ncadm nodes unregister asks. To come back, the machine joins anew.

    Example: ncadm unregister --node-token T
    """
    connection = Connection.of(context, output)
    request = pb.UnRegisterRequest(token=_one(node_token, token_file))
    answer = accepted(connection.control("UnRegister", request), request.token)
    connection.show(answer, "unregistered")


def take_back(
    context: typer.Context,
    node_token: Annotated[
        list[str] | None,
        typer.Option("--node-token", metavar="T", help="A node's token. May be given again."),
    ] = None,
    token_file: TokenFileOption = None,
    all_waiting: Annotated[
        bool,
        typer.Option("--all-waiting", help="Every node that has asked for a link and waits."),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Register nodes again that an older log does not know.

    After an older backup was put back, nodes that joined since wait for this. Without an option,
    print those that wait: id, what the machine calls itself, the overlay address that it says it
    holds, the address that it asks from, and when it asked last.

    Example: ncadm take-back --all-waiting
    """
    connection = Connection.of(context, output)
    tokens = node_tokens(node_token, token_file) if node_token or token_file else ()
    request = nodes_pb2.TakeBackRequest(node_tokens=tokens, all_waiting=all_waiting)
    answer = connection.control("TakeBack", request)
    lines = [f"taken back: {node_id}" for node_id in answer.node_ids]
    waiting = {each.id: each for each in answer.waiting}  # an older server sends the ids alone
    lines += [f"waits: {_waiting(each, waiting.get(each))}" for each in answer.waiting_ids]
    text = "\n".join(lines) or "no node waits"
    connection.show(answer, text, code=OK, message=SUCCESS_MESSAGE)


def _waiting(node_id: str, node: nodes_pb2.WaitingNode | None) -> str:
    if node is None:
        return node_id
    known = (
        node.hostname,
        f"holds {node.address}" if node.address else "",
        f"from {node.peer_address}" if node.peer_address else "",
        f"asked {moment(node.asked_at_ms)}" if node.asked_at_ms else "",
    )
    return printable(", ".join(filter(None, (node_id, *known))))


def set_expiry(
    context: typer.Context,
    at: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="never, +90m (s, m, h, d, w), 2026-11-20T15:00 (UTC), Unix seconds.",
        ),
    ],
    node_token: Annotated[
        list[str] | None,
        typer.Option(
            "--node-token",
            metavar="T",
            help="May be given several times: all or none; - for the standard input. "
            f"Default: ${NODE_TOKEN_VARIABLE}",
        ),
    ] = None,
    token_file: TokenFileOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Set when nodes' tokens expire.

    A later time revives an expired node.

    Example: ncadm set-expiry --node-token T --at +30d
    """
    connection = Connection.of(context, output)
    with value_of("--at"):
        expires_at_s = parse_expiry(at, now_ms(SystemClock()) // 1000)
    if not 0 <= expires_at_s <= LARGEST_EXPIRY_S:
        raise typer.BadParameter(
            f"between 1970 and {moment(LARGEST_EXPIRY_S * 1000)}, or never", param_hint="--at"
        )
    sensors = [
        sensor_pb2.SensorExpire(deviceToken=token.encode(), expireTime=expires_at_s)
        for token in node_tokens(node_token, token_file)
    ]
    request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=sensors)
    answer = accepted(connection.control("UpdateSensorExpireTime", request))
    expires = expiry_text(expires_at_s * 1000)
    connection.show(answer, f"expires: {expires}", expires=expires)

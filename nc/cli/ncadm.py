"""`ncadm`: the administrator's client; one command a call."""

import shlex
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from nc.cli.connection import DEFAULT_IP, Connection, ServerAddress, host_and_port
from nc.cli.entrypoint import (
    DATA_DIR_VARIABLE,
    OperationFailed,
    default_data_dir,
    run,
    version_option,
)
from nc.cli.ncadm_folders import prepared, write_set
from nc.cli.render import STATES, Output
from nc.cli.time_args import parse_expiry
from nc.clock import SystemClock, now_ms
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT, DEFAULT_LIFETIME_MINUTES, OK
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki import FolderPaths
from nc.server.data_folder import DataFolder
from nc.text import moment

PROGRAM = "ncadm"

_LARGEST_EXPIRY_S = 2**32 - 1  # the API's uint32

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NodeToken = Annotated[
    str, typer.Option("--node-token", metavar="T", help="The token that the node was given.")
]


@app.callback()
def ncadm(
    context: typer.Context,
    ip: Annotated[
        str | None, typer.Option(help=f"The server's address. Default: {DEFAULT_IP}")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Its control port.")] = (
        DEFAULT_GRPC_PORT
    ),
    bootport: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help=f"Its bootstrap port. Default: {DEFAULT_BOOTSTRAP_PORT}"
        ),
    ] = None,
    cacert: Annotated[Path | None, typer.Option(help="The gRPC CA's certificate, PEM.")] = None,
    cert: Annotated[Path | None, typer.Option(help="The admin's certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="The key of --cert, PEM.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar=DATA_DIR_VARIABLE,
            help="The server's data folder, where the three files are looked for. "
            f"Default: {default_data_dir()}",
        ),
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="For a server that runs with --plaintext.")
    ] = False,
    output: Annotated[Output, typer.Option(help="For people, or JSON.")] = Output.TEXT,
    version: bool = version_option(PROGRAM),
) -> None:
    """Administer a network controller.

    Example: ncadm --ip 192.0.2.7 create-bootstrap-token --life 10
    """
    del version
    paths = FolderPaths.within(DataFolder(data_dir or default_data_dir()).grpc_pki)
    context.obj = Connection(
        ip and ip.removeprefix("[").removesuffix("]"),  # as in T@[::1]:6439
        port,
        bootport,
        cacert or paths.ca,
        cert or paths.client,
        key or paths.client_key,
        plaintext,
        output,
    )


@app.command()
def create_bootstrap_token(
    context: typer.Context,
    life: Annotated[
        int,
        typer.Option(
            metavar="MIN",
            help="Minutes that it can be redeemed for. "
            f"0: {DEFAULT_LIFETIME_MINUTES} of them; negative: it never expires.",
        ),
    ] = DEFAULT_LIFETIME_MINUTES,
) -> None:
    """Get a token that lets machines join, and the line that a machine joins with.

    Example: ncadm create-bootstrap-token --life 10
    """
    if not -(2**31) <= life < 2**31:
        raise typer.BadParameter(
            "a number of minutes, at most ten years of them", param_hint="--life"
        )
    connection: Connection = context.obj
    request = pb.GetBootStrapTokenRequest(expireTime=life)
    asked_ms = now_ms(SystemClock())
    answer = _checked(connection.control("GetBootStrapToken", request))
    expires = "never"
    if life >= 0:
        expires = moment(asked_ms + (life or DEFAULT_LIFETIME_MINUTES) * 60_000)
    token = f"{answer.bootStrapToken}@{host_and_port(answer.cloudIp, answer.port)}"
    known_by = connection.ca_cert_hash()
    trust = ("--plaintext",) if known_by is None else ("--ca-cert-hash", known_by)
    join = shlex.join(["network-controller", "join", token, *trust])
    connection.show(
        answer,
        f"token: {token}\nexpires: {expires}\njoin: {join}",
        joinToken=token,
        expires=expires,
        caCertHash=known_by or "",
        joinCommand=join,
    )


@app.command()
def get_token(
    context: typer.Context,
    bootstrap_token: Annotated[
        str,
        typer.Option(
            metavar="T[@IP:PORT]",
            help="What create-bootstrap-token printed. --ip and --bootport win over its place.",
        ),
    ],
    network_certs_dir: Annotated[
        Path, typer.Option(metavar="D", help="The folder for the link's certificates.")
    ],
    grpc_certs_dir: Annotated[
        Path, typer.Option(metavar="D", help="The folder for the control port's certificates.")
    ],
) -> None:
    """Redeem a bootstrap token: register a node, and write its certificates.

    Writes ca.pem, client.pem and client-key.pem into each folder; the keys are nowhere else, so in
    JSON their fields are empty.

    Example: ncadm get-token --bootstrap-token T --network-certs-dir net --grpc-certs-dir grpc
    """
    connection: Connection = context.obj
    if network_certs_dir.absolute() == grpc_certs_dir.absolute():
        raise typer.BadParameter(
            "the two sets of certificates have the same names: give each a folder of its own",
            param_hint="--grpc-certs-dir",
        )
    token, _, at = bootstrap_token.partition("@")
    place = ServerAddress.parse(at)
    with prepared(network_certs_dir, grpc_certs_dir):  # before the node is registered, not after
        request = pb.GetTokenRequest(bootStrapToken=token)
        answer = _checked(connection.bootstrap("GetToken", request, place))
    write_set(grpc_certs_dir, answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert)
    write_set(
        network_certs_dir, answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert
    )
    for key in ("GrpcClientKey", "NetworkClientKey"):
        answer.ClearField(key)  # they are in their files; a screen is no place for them
    connection.show(
        answer,
        f"node token: {answer.token}\n"
        f"network server: {host_and_port(answer.networkServerIp, answer.networkServerPort)}\n"
        f"grpc server: {answer.GrpcServerIp}:{answer.GrpcServerPort}\n"
        f"certificates: {network_certs_dir} {grpc_certs_dir}",
        networkCertsDir=str(network_certs_dir),
        grpcCertsDir=str(grpc_certs_dir),
    )


@app.command()
def check_conn_state(context: typer.Context, node_token: NodeToken) -> None:
    """Say whether a node is IDLE, INIT or CONNECTED, and at which address.

    Example: ncadm check-conn-state --node-token T
    """
    connection: Connection = context.obj
    request = pb.CheckConnStateRequest(token=node_token)
    answer = _checked(connection.control("CheckConnState", request))
    state = STATES.get(answer.connState, str(answer.connState))
    connection.show(answer, f"state: {state}\naddress: {answer.bindIp or 'none yet'}")


@app.command()
def get_registed_ip(context: typer.Context, node_token: NodeToken) -> None:
    """Say which overlay address a node holds.

    Example: ncadm get-registed-ip --node-token T
    """
    connection: Connection = context.obj
    request = pb.GetRegistedIpRequest(token=node_token)
    answer = _checked(connection.control("GetRegistedIp", request))
    connection.show(answer, f"address: {answer.ip or 'none yet'}")


@app.command()
def unregister(context: typer.Context, node_token: NodeToken) -> None:
    """Remove a node for good: its token and its certificates are refused from then on.

    Example: ncadm unregister --node-token T
    """
    connection: Connection = context.obj
    request = pb.UnRegisterRequest(token=node_token)
    answer = _checked(connection.control("UnRegister", request))
    connection.show(answer, "unregistered")


@app.command()
def check_health(context: typer.Context) -> None:
    """Ask whether the server can do its work.

    Example: ncadm check-health
    """
    connection: Connection = context.obj
    answer = connection.control("HealthCheck", pb.HealthCheckRequest())
    if answer.code != OK:
        raise OperationFailed(
            f"the server answers {answer.code}: its event log cannot be written; see its log lines"
        )
    connection.show(answer, "healthy")


@app.command()
def set_expiry(
    context: typer.Context,
    node_token: Annotated[
        list[str],
        typer.Option("--node-token", metavar="T", help="May be given several times: all or none."),
    ],
    at: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="never, +90m (s, m, h, d), 2026-11-20T15:00 (UTC), Unix seconds."
        ),
    ],
) -> None:
    """Set when nodes' tokens expire; a later time revives an expired node.

    Example: ncadm set-expiry --node-token T --at +30d
    """
    connection: Connection = context.obj
    try:
        expires_at_s = parse_expiry(at, now_ms(SystemClock()) // 1000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error
    if not 0 <= expires_at_s <= _LARGEST_EXPIRY_S:
        raise typer.BadParameter(
            f"between 1970 and {moment(_LARGEST_EXPIRY_S * 1000)}, or never", param_hint="--at"
        )
    sensors = [
        sensor_pb2.SensorExpire(deviceToken=token.encode(), expireTime=expires_at_s)
        for token in node_token
    ]
    request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=sensors)
    answer = _checked(connection.control("UpdateSensorExpireTime", request))
    expires = "never" if expires_at_s == 0 else moment(expires_at_s * 1000)
    connection.show(answer, f"expires: {expires}", expires=expires)


def main() -> NoReturn:
    """Run the program."""
    run(app, PROGRAM)


def _checked(answer: Any) -> Any:
    """The answer, if it is the one that was hoped for."""
    if answer.code != OK:
        raise OperationFailed(f"{answer.message} (code {answer.code})")
    return answer

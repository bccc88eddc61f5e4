"""Bootstrap tokens: making one, and redeeming one by hand."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nc.cli.ncadm.connection import Connection, accepted
from nc.cli.ncadm.folders import prepared, write_set
from nc.cli.options import Output, OutputOption, value_of
from nc.cli.pasted import read_join_line
from nc.cli.server_address import ServerAddress
from nc.cli.streams import require_stdout
from nc.cli.time_args import parse_life
from nc.cli.token_args import BOOTSTRAP_TOKEN_VARIABLE, TokenFileOption, secret_text
from nc.clock import SystemClock, now_ms
from nc.contract import DEFAULT_LIFETIME_MINUTES
from nc.pb import network_controller_pb2 as pb
from nc.text import expiry_text, host_port


def create_bootstrap_token(
    context: typer.Context,
    life: Annotated[
        str,
        typer.Option(
            metavar="MIN",
            help="For how many minutes it can be redeemed, or 90s (which is 2 minutes), 2h, 30d. "
            f"0: {DEFAULT_LIFETIME_MINUTES} minutes; negative, or never: it never expires.",
        ),
    ] = str(DEFAULT_LIFETIME_MINUTES),
    output: OutputOption = Output.TEXT,
) -> None:
    """Get a token that machines can join with.

    Prints the command line that a machine joins with.

    Example: ncadm create-bootstrap-token --life 10
    """
    minutes = _minutes(life)
    connection = Connection.of(context, output)
    require_stdout()
    request = pb.GetBootStrapTokenRequest(expireTime=minutes)
    asked_ms = now_ms(SystemClock())
    answer = accepted(connection.control("GetBootStrapToken", request))
    lifetime_ms = (minutes or DEFAULT_LIFETIME_MINUTES) * 60_000
    expires = expiry_text(0 if minutes < 0 else asked_ms + lifetime_ms)
    token = f"{answer.bootStrapToken}@{host_port(answer.cloudIp, answer.port)}"
    ca_hash = _ca_cert_hash(connection)
    trust = ("--ca-cert-hash", ca_hash) if ca_hash else ("--plaintext",)
    join = shlex.join(["network-controller", "join", token, *trust])
    connection.show(
        answer,
        f"token: {token}\nexpires: {expires}\njoin: {join}",
        joinToken=token,
        expires=expires,
        caCertHash=ca_hash,
        joinCommand=join,
    )


def _minutes(life: str) -> int:
    with value_of("--life"):
        minutes = parse_life(life)
    if not -(2**31) <= minutes < 2**31:
        raise typer.BadParameter(
            "a number of minutes, at most ten years of them", param_hint="--life"
        )
    return minutes


def _ca_cert_hash(connection: Connection) -> str:
    """The hash by which a joining machine recognises the server's CA; "" in plain text."""
    if not (pem := connection.trusted()):
        return ""
    from nc.pki.certificates import ca_cert_hash

    return ca_cert_hash(pem)


def _bootstrap_token(text: str | None, file: Path | None) -> tuple[str, ServerAddress | None]:
    option = "--bootstrap-token"
    given = secret_text(text, file, BOOTSTRAP_TOKEN_VARIABLE, option)
    if given is None:
        raise typer.BadParameter(
            f"give one with {option}, --token-file FILE (- is the standard input), or "
            f"{BOOTSTRAP_TOKEN_VARIABLE}",
            param_hint=option,
        )
    try:
        line = read_join_line(given)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected T, or T@IP:PORT as it was printed: {error}", param_hint=option
        ) from None
    if line.token is None:
        raise typer.BadParameter("this is an address without a token", param_hint=option)
    return line.token, line.place


def get_token(
    context: typer.Context,
    network_certs_dir: Annotated[
        Path, typer.Option(metavar="D", help="The folder for the link's certificates.")
    ],
    grpc_certs_dir: Annotated[
        Path, typer.Option(metavar="D", help="The folder for the control port's certificates.")
    ],
    bootstrap_token: Annotated[
        str | None,
        typer.Option(
            metavar="T[@IP:PORT]",
            help="What ncadm tokens issue printed; - for the standard input. --ip and "
            f"--bootport win over its address. Default: ${BOOTSTRAP_TOKEN_VARIABLE}",
        ),
    ] = None,
    token_file: TokenFileOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Register a node, and write its certificates.

    Redeems a bootstrap token. Writes ca.pem, client.pem and client-key.pem into each folder. The
    server keeps no copy of the keys; in JSON their fields are empty.

    Example: ncadm get-token --bootstrap-token T --network-certs-dir net --grpc-certs-dir grpc
    """
    connection = Connection.of(context, output)
    if network_certs_dir.absolute() == grpc_certs_dir.absolute():
        raise typer.BadParameter(
            "the two sets of certificates have the same names: give each a folder of its own",
            param_hint="--grpc-certs-dir",
        )
    token, place = _bootstrap_token(bootstrap_token, token_file)
    require_stdout()
    with prepared(network_certs_dir, grpc_certs_dir):  # before the node is registered, not after
        request = pb.GetTokenRequest(bootStrapToken=token)
        answer = accepted(connection.bootstrap("GetToken", request, place))
    write_set(grpc_certs_dir, answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert)
    write_set(
        network_certs_dir, answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert
    )
    for key in ("GrpcClientKey", "NetworkClientKey"):
        answer.ClearField(key)  # they are in their files; a key is not for a screen
    connection.show(
        answer,
        f"node token: {answer.token}\n"
        f"network server: {host_port(answer.networkServerIp, answer.networkServerPort)}\n"
        f"grpc server: {answer.GrpcServerIp}:{answer.GrpcServerPort}\n"
        f"certificates: {network_certs_dir} {grpc_certs_dir}",
        networkCertsDir=str(network_certs_dir),
        grpcCertsDir=str(grpc_certs_dir),
    )

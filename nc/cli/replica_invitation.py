"""The invitation to become a replica that a command line, a file or the environment gives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nc.cli.pasted import read_ca_cert_hash, read_replica_line
from nc.cli.token_args import secret_text
from nc.errors import ConfigError

if TYPE_CHECKING:  # they load what a command line may not need
    from nc.cli.config_file import ServerSection
    from nc.cli.newcomer import ReplicaInvitation

INVITE_VARIABLE: Final = "NC_INVITE"

InviteOption = Annotated[
    str | None,
    typer.Option(
        "--invite",
        metavar="CODE@IP:PORT",
        help="Fill an empty data folder with the keys of the servers that are there, as ncadm "
        "replicas invite prints it; - for the standard input. A folder that has keys ignores it. "
        f"Default: ${INVITE_VARIABLE}",
    ),
]
InviteFileOption = Annotated[
    Path | None,
    typer.Option(
        "--invite-file",
        metavar="FILE",
        help="Read it from a file: others can read command lines.",
    ),
]
CaCertHashOption = Annotated[
    str | None,
    typer.Option(
        "--ca-cert-hash",
        metavar="sha256:…",
        help="The hash that the CA of those servers must have; printed with the invitation.",
    ),
]

_EXPECTED: Final = "expected CODE@IP:PORT, as ncadm replicas invite prints it"


def replica_invitation(
    text: str | None,
    file: Path | None,
    ca_cert_hash: str | None,
    section: "ServerSection | None" = None,
    cluster: str | None = None,
) -> "ReplicaInvitation | None":
    """What was given; None: nothing was.

    Args:
        text: of the command line.
        file: of --invite-file.
        ca_cert_hash: wins over one in the text.
        section: of a configuration file, which is asked next.
        cluster: the address of the stream.

    Raises:
        ConfigError: it is not usable; the message does not repeat the code.
    """
    if section is not None:
        text = text or (None if file else section.invite)
        ca_cert_hash = ca_cert_hash or section.ca_cert_hash
    given = secret_text(text, file, INVITE_VARIABLE, "--invite", "--invite-file")
    if given is None:
        return None
    try:
        line = read_replica_line(given)
    except ValueError as error:
        raise ConfigError(f"--invite: {_EXPECTED}: {error}") from None
    try:
        pin = read_ca_cert_hash(ca_cert_hash) if ca_cert_hash else line.ca_cert_hash
    except ValueError:
        raise ConfigError(
            "--ca-cert-hash: expected sha256: and 64 hex digits, as ncadm replicas invite prints it"
        ) from None
    if pin is None:
        raise ConfigError(
            "--invite: the hash of its CA is missing: give --ca-cert-hash sha256:…, as ncadm "
            "replicas invite prints it, so that no other server gets the code"
        )
    if cluster is None:
        raise ConfigError(
            "--invite: which stream keeps the log is missing: give --cluster and the address that "
            "ncadm replicas invite prints"
        )
    from nc.cli.newcomer import ReplicaInvitation

    return ReplicaInvitation(line.code, line.place.host, line.place.port, pin)

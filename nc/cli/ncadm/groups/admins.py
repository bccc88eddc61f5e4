"""`ncadm admins …`: operators' certificates."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Final

import typer

from nc.certificate_files import FolderPaths
from nc.cli.entrypoint import OperationFailed
from nc.cli.lazy import LazyGroup
from nc.cli.ncadm import render
from nc.cli.ncadm.completion import complete_admins
from nc.cli.ncadm.connection import print_result
from nc.cli.ncadm.folders import prepared
from nc.cli.ncadm.render import Column, second, second_utc
from nc.cli.ncadm.session import client_of, confirm
from nc.cli.options import (
    AnyOutput,
    AnyOutputOption,
    Document,
    DocumentOption,
    Format,
    FormatOption,
    YesOption,
    value_of,
)
from nc.client.contexts import LOOPBACK, Context
from nc.client.types import Administrator, IssuedAdministrator, Role
from nc.contract import DEFAULT_GRPC_PORT
from nc.durations import parse_duration
from nc.files import OS_FILES, replace_file
from nc.small_files import read_small


class AdminsCommands(LazyGroup):
    table: ClassVar = {
        "issue": ("Make a certificate for an operator.", f"{__name__}:issue"),
        "list": ("List operators' certificates.", f"{__name__}:list_admins"),
        "revoke": ("Refuse an operator's certificate from now on.", f"{__name__}:revoke"),
    }


app = typer.Typer(cls=AdminsCommands, add_completion=False, rich_markup_mode=None)


class RoleName(StrEnum):
    ADMIN = "admin"
    VIEWER = "viewer"


def _ending(admin: Administrator) -> str:
    return "revoked" if admin.revoked else second(admin.certificate_ends)


def _marks(admin: Administrator) -> str:
    marks = [("this call's", admin.self), ("in the server's folder", admin.installed)]
    return ", ".join(text for text, is_it in marks if is_it)


COLUMNS: Final[tuple[Column[Administrator], ...]] = (
    Column("name", lambda admin: admin.name),
    Column("role", lambda admin: admin.role),
    Column("ends (UTC)", _ending),
    Column("serial", lambda admin: admin.serial, rank=1),
    Column("issued (UTC)", lambda admin: second(admin.issued_at, ""), rank=3),
    Column("which", _marks, rank=2),
)


@app.callback()
def admins(output: AnyOutputOption = AnyOutput.TEXT) -> None:
    """Issue, list and revoke operators' certificates.

    Example: ncadm admins issue --role viewer --name eve --out ./eve
    """
    del output


def issue(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whose it is: letters, digits and .-_@")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="The folder for ca.pem, client.pem and client-key.pem, 0600."
        ),
    ],
    role: Annotated[
        RoleName, typer.Option(help="A viewer reads everything, and changes nothing.")
    ] = RoleName.VIEWER,
    lifetime: Annotated[
        str | None, typer.Option(metavar="DURATION", help="8h, 30d, … Default: one year")
    ] = None,
    csr: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A PKCS #10 request, PEM, with the operator's own key. Without it the key is made "
            "here, and written into DIR; the server never sees it.",
        ),
    ] = None,
    output: DocumentOption = Document.TABLE,
) -> None:
    """Make a certificate for an operator.

    Example: ncadm admins issue --role viewer --name eve --out ./eve
    """
    with value_of("--lifetime"):
        duration = None if lifetime is None else parse_duration(lifetime)
    key_pem, csr_pem = _request(name) if csr is None else (b"", _read(csr))
    with client_of(context) as client, prepared(out):
        issued = client.administrators.issue(
            name, Role(role.value), lifetime=duration, csr_pem=csr_pem.decode("ascii", "replace")
        )
        place = client.context
    _write(out, issued, key_pem)
    admin = issued.administrator
    if output is not Document.TABLE:
        print_result(render.as_data({**render.plain(admin), "folder": str(out)}, output))
        return
    files = "ca.pem client.pem client-key.pem" if key_pem else "ca.pem client.pem"
    add = f"ncadm contexts add NAME {_outside(place)} --certs {shlex.quote(str(out))}"
    key = (
        "" if key_pem else f"with the key of the request as {FolderPaths.within(out).client_key}: "
    )
    print_result(
        render.fields(
            [
                ("name", f"{admin.name}, {admin.role}"),
                ("serial", admin.serial),
                ("ends", second_utc(admin.certificate_ends)),
                ("written", f"{out}: {files}"),
                ("use", f"{key}{add}"),
            ]
        )
    )


def _outside(place: Context) -> str:
    """The options with the server's address, as another machine may use it."""
    host = "SERVER" if place.host in {LOOPBACK, "localhost"} else place.host
    port = "" if place.port == DEFAULT_GRPC_PORT else f" --port {place.port}"
    return f"--ip {host}{port}"


def _request(name: str) -> tuple[bytes, bytes]:
    from nc.pki.requests import certificate_request

    return certificate_request(name[:64])


def _read(path: Path) -> bytes:
    try:
        return read_small(path)
    except OSError as error:
        raise OperationFailed(
            f"--csr {path} cannot be read: {error.strerror}; name the right file"
        ) from error


def _write(folder: Path, issued: IssuedAdministrator, key_pem: bytes) -> None:
    paths = FolderPaths.within(folder)
    files = [(paths.ca, issued.ca_pem.encode()), (paths.client, issued.certificate_pem.encode())]
    if key_pem:
        files.insert(0, (paths.client_key, key_pem))
    for path, pem in files:
        try:
            replace_file(OS_FILES, path, pem, 0o600)
        except OSError as error:
            raise OperationFailed(
                f"{path} cannot be written: {error.strerror}; revoke the certificate with ncadm "
                f"admins revoke {issued.administrator.serial}, and issue another"
            ) from error


def list_admins(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Revoked and expired ones too.")] = (
        False
    ),
    output: FormatOption = Format.TABLE,
) -> None:
    """List operators' certificates.

    Example: ncadm admins list
    """
    with client_of(context) as client:
        found = client.administrators.list(all=every)
    text = render.listed(found, COLUMNS, output, lambda admin: admin.name, "there are none")
    render.echo(text)


def revoke(
    context: typer.Context,
    admin: Annotated[
        str,
        typer.Argument(
            metavar="NAME|SERIAL",
            help="A name that one certificate has that is good now, or a serial.",
            autocompletion=complete_admins,
        ),
    ],
    yes: YesOption = False,
    output: DocumentOption = Document.TABLE,
) -> None:
    """Refuse an operator's certificate from now on.

    It is refused on open connections too.

    Example: ncadm admins revoke eve
    """
    confirm(f"Revoke the certificate of {admin}?", yes=yes)
    with client_of(context) as client:
        revoked = client.administrators.revoke(admin)
    text = f"revoked: {revoked.name}, {revoked.role}, serial {revoked.serial}"
    print_result(
        text if output is Document.TABLE else render.as_data(render.plain(revoked), output)
    )

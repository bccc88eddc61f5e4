"""`ncadm contexts …`: the addresses and certificates of several servers, in one small file."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import typer

from nc.certificate_files import FolderPaths
from nc.cli.entrypoint import OperationFailed
from nc.cli.lazy import LazyGroup
from nc.cli.ncadm import render
from nc.cli.ncadm.certificates import admin_tls
from nc.cli.ncadm.completion import complete_contexts
from nc.cli.ncadm.render import Column
from nc.cli.ncadm.where import options_of
from nc.cli.options import AnyOutput, AnyOutputOption, Format, FormatOption
from nc.client.contexts import Context, Contexts
from nc.client.tls import ClientTls
from nc.data_folder import default_data_dir
from nc.files import OS_FILES, replace_file
from nc.text import host_port


class ContextsCommands(LazyGroup):
    table: ClassVar = {
        "list": ("List your contexts.", f"{__name__}:list_contexts"),
        "use": ("Choose the context that is used when none is named.", f"{__name__}:use"),
        "add": (
            "Keep a server's address and certificates as a context.",
            f"{__name__}:add",
        ),
        "remove": ("Forget a context.", f"{__name__}:remove"),
    }


app = typer.Typer(cls=ContextsCommands, add_completion=False, rich_markup_mode=None)

ContextArgument = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=complete_contexts, help="The context.")
]

COLUMNS: Final[tuple[Column[tuple[Context, bool]], ...]] = (
    Column("name", lambda row: row[0].name),
    Column("current", lambda row: "*" if row[1] else ""),
    Column("server", lambda row: host_port(row[0].host, row[0].port)),
    Column("certificate", lambda row: _certificate(row[0]), rank=1),
)


def _certificate(context: Context) -> str:
    return "plain text" if context.plaintext else str(context.certificate)


@app.callback()
def contexts(output: AnyOutputOption = AnyOutput.TEXT) -> None:
    """Keep addresses of servers, each by a name.

    And the certificates for them. The current one is used by every command of ncadm that names no
    other with --context, NC_CONTEXT, --data-dir or NC_DATA_DIR; options such as --ip win over its
    parts.

    Example: ncadm contexts use prod
    """
    del output


def list_contexts(output: FormatOption = Format.TABLE) -> None:
    """List your contexts.

    Example: ncadm contexts list
    """
    kept = Contexts.load()
    rows = [(context, context.name == kept.current) for context in kept.all()]
    if output in {Format.JSON, Format.YAML}:
        found = [{**_plain(context), "current": is_current} for context, is_current in rows]
        typer.echo(render.as_data(found, output))
        return
    none = "there are no contexts; make one with ncadm contexts add"
    render.echo(render.listed(rows, COLUMNS, output, lambda row: row[0].name, none))


def _plain(context: Context) -> dict[str, Any]:
    paths = {
        name: None if context.plaintext else str(getattr(context, name))
        for name in ("ca", "certificate", "key")
    }
    return {
        "name": context.name,
        "server": context.host,
        "port": context.port,
        "bootstrap_port": context.bootstrap_port,
        "plaintext": context.plaintext,
        **paths,
    }


def use(name: ContextArgument) -> None:
    """Choose the context that is used when none is named.

    Example: ncadm contexts use prod
    """
    Contexts.load().using(name).save()
    typer.echo(f"current: {name}")


_REMEDY: Final = "name the folder that ncadm admins issue wrote with --certs DIR"


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it.")],
    ip: Annotated[str | None, typer.Option(help="The server's address.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Its control port, if not 6440.")
    ] = None,
    certs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A folder with ca.pem, client.pem and client-key.pem, as ncadm admins issue "
            "writes it.",
        ),
    ] = None,
    copy: Annotated[
        bool,
        typer.Option("--copy", help="Copy the three files beside the contexts; else they stay."),
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="In the place of one so called.")] = (
        False
    ),
    current: Annotated[bool, typer.Option("--use", help="Use it from now on.")] = False,
) -> None:
    """Keep a server's address and certificates as a context.

    What the options before the command say (--data-dir, --cacert, …) is kept, too. The files are
    read first, so that one that cannot be used is told now. The first context becomes the current
    one.

    Example: ncadm contexts add prod --ip 192.0.2.7 --certs ./eve --copy
    """
    kept = Contexts.load()
    if name in kept.entries and not replace:
        raise OperationFailed(f"there is a context {name} already: give --replace, or another name")
    options = options_of(context)
    options = options._replace(ip=ip or options.ip, port=port or options.port)
    # Not over the current context: nothing of another server belongs into a new one.
    found = Context.of_data_dir(options.data_dir or default_data_dir())
    place = options.over(found if certs is None else Context.of_certificates(certs))
    try:
        tls = admin_tls(place)
    except OperationFailed as error:
        if options.cacert or options.cert or options.key:
            raise
        raise OperationFailed(error.problem, remedy=_REMEDY) from error
    kept.with_entry(name, {})  # before anything is copied
    entry = _entry(place)
    if copy and tls is not None:
        entry.update(_copied(kept.path.parent / name, tls))
    kept = kept.with_entry(name, entry)
    if current or not kept.current:
        kept = kept.using(name)
    kept.save()
    typer.echo(f"added: {name}" + (", the current one" if kept.current == name else ""))


def _entry(place: Context) -> dict[str, Any]:
    entry: dict[str, Any] = {"server": place.host, "port": place.port}
    entry["bootstrap_port"] = place.bootstrap_port
    if place.plaintext:
        return {**entry, "plaintext": True}
    paths = {"ca": place.ca, "certificate": place.certificate, "key": place.key}
    return {**entry, **{role: str(path.absolute()) for role, path in paths.items()}}


def _copied(folder: Path, tls: ClientTls) -> dict[str, str]:
    """Write the three files, for their owner only; their paths, relative to the contexts' file."""
    paths = FolderPaths.within(folder)
    files = (
        ("ca", paths.ca, tls.ca_pem),
        ("certificate", paths.client, tls.certificate_pem),
        ("key", paths.client_key, tls.key_pem),
    )
    try:
        OS_FILES.make_folder(folder)
        for _, path, pem in files:
            replace_file(OS_FILES, path, pem or b"", 0o600)
    except OSError as error:
        raise OperationFailed(f"{folder} cannot be written: {error.strerror}") from error
    return {role: f"{folder.name}/{path.name}" for role, path, _ in files}


def remove(name: ContextArgument) -> None:
    """Forget a context. Its files stay.

    Example: ncadm contexts remove test
    """
    Contexts.load().without(name).save()
    typer.echo(f"removed: {name}")

"""`network-controller import-litekube`: takes over the nodes of an upstream LiteKube server."""

import json
import re
import shlex
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nc.cli.options import Output, OutputOption, value_of
from nc.data_folder import DATA_DIR_VARIABLE, DataFolder, data_dir_variable, default_data_dir

if TYPE_CHECKING:  # imported when the command runs, so that --help needs neither
    from nc.cli.config_file import ServerSection
    from nc.domain.network import Network
    from nc.server.litekube.authorities import AuthorityFolders

_OFFSET: Final = re.compile(r"([+-])(\d{2}):?([0-5]\d)")
_LONGEST_OFFSET_H: Final = 23


def import_litekube(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="The data folder to import into; it is made if it is missing. "
            f"Default: ${DATA_DIR_VARIABLE}, workDir of --config, or {default_data_dir()}",
        ),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="The upstream server's configuration file, which says where its database and "
            "certificates are, and its network. Our server is started with it, too.",
        ),
    ] = None,
    db: Annotated[
        Path | None,
        typer.Option(
            help="The upstream server's database. Default: dbPath of --config, or "
            "db/litekube-nc.db in its workDir."
        ),
    ] = None,
    timezone_name: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="The zone of the times in the database, such as Europe/Berlin, +08:00 or UTC: "
            "they are local times of the upstream server's machine.",
        ),
    ] = None,
    grpc_cert_dir: Annotated[
        Path | None,
        typer.Option(
            help="The upstream server's grpcCertDir, if --config does not say it: it is copied "
            "into the data folder."
        ),
    ] = None,
    network_cert_dir: Annotated[
        Path | None, typer.Option(help="The same for its networkCertDir.")
    ] = None,
    network_addr: Annotated[
        str | None,
        typer.Option(
            metavar="IP/LENGTH",
            help="The upstream server's networkAddr, if --config does not say it. "
            "Default: that of the data folder's log, or 10.1.1.1/24",
        ),
    ] = None,
    skip_bad_rows: Annotated[
        bool,
        typer.Option(
            "--skip-bad-rows",
            help="Leave out rows that cannot be imported, and addresses that nodes cannot keep, "
            "instead of importing nothing.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what would be imported, and change nothing; the upstream server may run.",
        ),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Import the nodes, addresses and bootstrap tokens of an upstream LiteKube server.

    Stop that server first. Its nodes then connect to ours with the certificates, tokens and
    addresses that they have. The upstream database is only read.

    Example: network-controller import-litekube --data-dir ./data --config server.yml --timezone UTC
    """
    from nc.cli.config_file import ServerSection
    from nc.cli.import_report import dry_run_lines, import_json, import_lines
    from nc.cli.server_file import load_server_file
    from nc.clock import SystemClock
    from nc.secrets import SystemSecrets
    from nc.server.litekube.database import read_database
    from nc.server.litekube.decision import Import
    from nc.server.litekube.importing import import_database, try_import

    file = None if config_file is None else load_server_file(config_file)
    section = (file and file.server) or ServerSection()
    folder = DataFolder(data_dir or data_dir_variable() or section.work_dir or default_data_dir())
    given = Import(
        database=read_database(_database(db, section, folder), may_be_in_use=dry_run),
        folder=folder,
        authorities=_authorities(folder, section, grpc_cert_dir, network_cert_dir),
        network=_network(network_addr or section.network_addr),
        zone=None if timezone_name is None else _zone(timezone_name),
        skips_bad_rows=skip_bad_rows,
    )
    run = try_import if dry_run else import_database
    outcome = run(given, SystemClock(), SystemSecrets())
    command = _start_command(folder, config_file, section, outcome.network)
    if output is Output.JSON:
        found = import_json(outcome, is_dry_run=dry_run)
        typer.echo(json.dumps({**found, "database_sha256": given.database.sha256}))
    else:
        lines = dry_run_lines(outcome) if dry_run else import_lines(outcome, folder.path, command)
        typer.echo("\n".join(lines))
    warnings = [*outcome.warnings]
    if given.database.used_by:
        warnings.append(
            f"the database is open in {given.database.used_by}: stop it before the import"
        )
    for warning in warnings:
        typer.echo(f"network-controller: warning: {warning}", err=True)
    if outcome.refusal is not None:
        raise outcome.refusal


def _database(db: Path | None, section: "ServerSection", folder: DataFolder) -> Path:
    if db or section.db_path:
        return db or section.db_path or Path()
    upstream: Path = DataFolder(section.work_dir or folder.path).upstream_database
    return upstream


def _authorities(
    folder: DataFolder, section: "ServerSection", grpc: Path | None, network: Path | None
) -> "AuthorityFolders":
    """Where the CAs are, and where our server will look for them.

    Raises:
        BadParameter: an option and the configuration both say it.
    """
    from nc.server.litekube.authorities import AuthorityFolder, AuthorityFolders

    def found(
        option: str, given: Path | None, configured: Path | None, own: Path
    ) -> AuthorityFolder:
        if given is not None and configured is not None:
            raise typer.BadParameter(
                f"the configuration names {configured}, which is used; leave the option out",
                param_hint=option,
            )
        return AuthorityFolder(given or configured or own, configured or own)

    return AuthorityFolders(
        found("--grpc-cert-dir", grpc, section.grpc_cert_dir, folder.grpc_pki),
        found("--network-cert-dir", network, section.network_cert_dir, folder.network_pki),
    )


def _network(text: str | None) -> "Network | None":
    from nc.domain.network import Network

    with value_of("--network-addr"):
        return None if text is None else Network.parse(text)


def _zone(name: str) -> tzinfo:
    """A zone by its name in the time zone database, or by its offset from UTC.

    Raises:
        BadParameter: there is none.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name.upper() in {"UTC", "Z"}:
        return UTC
    if (offset := _OFFSET.fullmatch(name)) and int(offset[2]) <= _LONGEST_OFFSET_H:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-ahead if offset[1] == "-" else ahead)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            "no such zone is known here; use a name such as Europe/Berlin, an offset such as "
            "+08:00, or UTC",
            param_hint="--timezone",
        ) from None


def _start_command(
    folder: DataFolder, config_file: Path | None, section: "ServerSection", network: "Network"
) -> str:
    from nc.domain.network import DEFAULT_NETWORK

    words = ["network-controller", "serve", "--data-dir", str(folder.path)]
    if config_file is not None:
        words += ["--config", str(config_file)]
    if section.network_addr is None and str(network) != DEFAULT_NETWORK:
        words += ["--network-addr", str(network)]
    return shlex.join(words)

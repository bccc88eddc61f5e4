"""What an upstream server leaves, imported into the data folder of a server to come."""

import contextlib
import sqlite3
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from nc.certificate_files import FolderPaths
from nc.clock import SystemClock, now_utc
from nc.data_folder import DataFolder
from nc.domain.network import Network
from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import AuthorityKind
from nc.pki.pem import load_certificates, load_private_key, private_key_pem
from nc.rpc.api import Authorities
from nc.secrets import SystemSecrets
from nc.server.litekube.authorities import AuthorityFolder, AuthorityFolders
from nc.server.litekube.database import read_database
from nc.server.litekube.decision import Import
from nc.server.litekube.importing import import_database
from nc.testing.contract.history import CertificateSet
from nc.testing.targets.server import upstream_certificates

_TABLES = (
    (
        "CREATE TABLE network_mgr (id INTEGER PRIMARY KEY, token TEXT, state INTEGER, "
        "bind_ip TEXT, create_time TIMESTAMP, update_time TIMESTAMP)"
    ),
    (
        "CREATE TABLE token_mgr (id INTEGER PRIMARY KEY, token TEXT, expire_time TEXT, "
        "create_time TIMESTAMP, update_time TIMESTAMP)"
    ),
)
_ROW = "INSERT INTO network_mgr (token, state, bind_ip) VALUES (?, 3, ?)"


def import_nodes(folder: DataFolder, network: str, nodes: Sequence[tuple[str, str]]) -> None:
    """Import nodes, each a token and an address or "", with CAs that are made for it."""
    folder.path.mkdir(parents=True, mode=0o700)
    founded = now_utc(SystemClock()) - timedelta(hours=1)
    for kind, where in (
        (AuthorityKind.GRPC, folder.grpc_pki),
        (AuthorityKind.NETWORK, folder.network_pki),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        paths = FolderPaths.within(where)
        where.mkdir(parents=True, mode=0o700)
        paths.ca.write_bytes(self_signed(kind, key, founded, serial=1).chain_pem)
        paths.ca_key.touch(mode=0o600)
        paths.ca_key.write_bytes(private_key_pem(key))
    given = Import(
        database=read_database(_database(folder.path, nodes), may_be_in_use=False),
        folder=folder,
        authorities=AuthorityFolders(
            AuthorityFolder(folder.grpc_pki, folder.grpc_pki),
            AuthorityFolder(folder.network_pki, folder.network_pki),
        ),
        network=Network.parse(network),
        zone=UTC,
        skips_bad_rows=False,
    )
    import_database(given, SystemClock(), SystemSecrets())


def upstream_of(folder: DataFolder) -> tuple[CertificateSet, CertificateSet]:
    """What all nodes of an upstream server with these CAs would show."""
    grpc, network = map(_authority, (folder.grpc_pki, folder.network_pki))
    return upstream_certificates(Authorities(grpc, network), now_utc(SystemClock()))


def _authority(folder: Path) -> CertificateAuthority:
    paths = FolderPaths.within(folder)
    (certificate,) = load_certificates(paths.ca.read_bytes())
    return CertificateAuthority(certificate, load_private_key(paths.ca_key.read_bytes()))


def _database(folder: Path, nodes: Sequence[tuple[str, str]]) -> Path:
    path = folder.parent / "upstream.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table in _TABLES:
            connection.execute(table)
        connection.executemany(_ROW, [(token, address or None) for token, address in nodes])
    return path

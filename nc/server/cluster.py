"""What a server on this machine needs to be one of several: its name, its calls to the others."""

import socket
from functools import partial
from typing import Final

from eventlog import AsyncLog
from nc.clock import Clock, now_utc
from nc.data_folder import DataFolder, DataFolderError
from nc.files import OS_FILES, replace_file
from nc.pki.certificates import REPLICA_ORGANIZATION
from nc.rpc.replication.line import GrpcLine, Identity
from nc.secrets import Secrets, new_serial
from nc.server.certificates import Certificates
from nc.server.mesh import peer_tls
from nc.server.parts import Cluster
from nc.server.settings import ServerSettings
from nc.small_files import read_small

_NAME_MODE: Final = 0o644


def replica_name(folder: DataFolder, secrets: Secrets) -> str:
    """The name of the server with this data folder: of its machine, and made unique once.

    Raises:
        DataFolderError: it cannot be read or written.
    """
    path = folder.replica_name
    try:
        return read_small(path).decode().strip()
    except FileNotFoundError:
        name = f"{socket.gethostname()}-{secrets.random_bytes(3).hex()}"
    except (OSError, UnicodeDecodeError) as error:
        raise DataFolderError(f"{path} cannot be read: {error}") from error
    try:
        replace_file(OS_FILES, path, f"{name}\n".encode(), _NAME_MODE)
    except OSError as error:
        raise DataFolderError(f"{path} cannot be written: {error.strerror}") from error
    return name


def cluster_of(
    log: AsyncLog,
    name: str,
    certificates: Certificates,
    clock: Clock,
    secrets: Secrets,
    settings: ServerSettings,
) -> Cluster | None:
    """The parts by which a server is one of several; None if the log is its own."""
    if settings.cluster is None:
        return None

    def open_line(address: str) -> GrpcLine:
        if settings.plaintext:
            return GrpcLine(address, None)
        authority = certificates.authorities.grpc
        issued = authority.issue_client(
            name[:64], REPLICA_ORGANIZATION, now_utc(clock), new_serial(secrets)
        )  # each time: every replica has the CA
        identity = Identity(authority.chain_pem, issued.key_pem, issued.certificate_pem)
        return GrpcLine(address, identity)

    tls = peer_tls(certificates.authorities, clock, secrets, is_plain=settings.plaintext)
    return Cluster(partial(getattr, log, "records"), open_line, tls)

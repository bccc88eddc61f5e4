"""What a server on this machine needs to be one of several: its name, its calls to the others."""

import socket
from functools import partial
from typing import Final

import grpc

from eventlog import AsyncLog
from nc.clock import Clock, now_utc
from nc.data_folder import DataFolder, DataFolderError
from nc.files import OS_FILES, replace_file
from nc.pki.certificates import REPLICA_ORGANIZATION
from nc.rpc.api import Authorities
from nc.rpc.replication.line import GrpcLine
from nc.secrets import Secrets, new_serial
from nc.server.parts import Cluster
from nc.small_files import read_small

__all__ = ["cluster_of", "replica_name"]

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
    authorities: Authorities,
    clock: Clock,
    secrets: Secrets,
    *,
    is_plain: bool,
) -> Cluster | None:
    """The parts by which a server is one of several; None if the log is its own."""
    count = getattr(log, "records", None)
    if count is None:
        return None

    def open_line(address: str) -> GrpcLine:
        return GrpcLine(
            address, None if is_plain else _credentials(name, authorities, clock, secrets)
        )

    return Cluster(partial(getattr, log, "records"), open_line)


def _credentials(
    name: str, authorities: Authorities, clock: Clock, secrets: Secrets
) -> grpc.ChannelCredentials:
    """With a new certificate each time: every replica has the CA."""
    authority = authorities.grpc
    issued = authority.issue_client(
        name[:64], REPLICA_ORGANIZATION, now_utc(clock), new_serial(secrets)
    )
    return grpc.ssl_channel_credentials(authority.chain_pem, issued.key_pem, issued.certificate_pem)

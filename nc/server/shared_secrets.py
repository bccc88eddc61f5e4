"""What this server shares with further replicas, and where its own NATS files are.

A newcomer's files of NATS are in its data folder, `nats/`, unless its address of the stream names
others; so is what it gives to the next newcomer.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from nc.certificate_files import FolderPaths
from nc.data_folder import DataFolder
from nc.pki.folder import PkiFolder
from nc.replica_secrets import NATS_FILES, AuthorityFiles, ReplicaSecrets
from nc.rpc.admin.errors import NotPossible
from nc.rpc.api import Inviting
from nc.server.certificates import Certificates
from nc.server.settings import ServerSettings
from nc.small_files import read_small

if TYPE_CHECKING:
    from eventlog.jetstream import StreamAddress
    from eventlog.offloop import RunBlocking

_NO_STREAM = (
    "this server keeps its log in its own data folder, which no other server can share: take it to "
    "a stream of NATS first (network-controller log move), and start with --cluster "
    "(docs/how-to/replicas.md)"
)
_PLAINTEXT = (
    "this server runs without TLS (--plaintext), and gives its keys to nobody over plain text: "
    "start it without that option"
)


def stream_address(cluster: str, folder: DataFolder) -> "StreamAddress":
    """The stream's address, with the files of the data folder where it names none.

    Raises:
        AddressWrong: it is none.
    """
    from eventlog.jetstream import StreamAddress  # noqa: PLC0415 - NATS may not be installed

    address = StreamAddress.parse(cluster)
    own = {name: folder.nats / file for name, file in NATS_FILES.items()}
    pair = None if address.certificate else own["cert"]
    is_pair = pair is not None and pair.exists() and own["key"].exists()
    ca = address.ca or (own["ca"] if own["ca"].exists() else None)
    creds = address.credentials or (own["creds"] if own["creds"].exists() else None)
    certificate, key = (pair, own["key"]) if is_pair else (address.certificate, address.key)
    return address._replace(
        ca=ca,
        certificate=certificate,
        key=key,
        credentials=creds,
        is_tls=address.is_tls or ca is not None or certificate is not None,
    )


def inviting(
    settings: ServerSettings,
    folder: DataFolder,
    certificates: Certificates,
    run_blocking: "RunBlocking",
) -> Inviting | str:
    """What a newcomer is given, or why it is given nothing."""
    if settings.cluster is None:
        return _NO_STREAM
    if settings.plaintext:
        return _PLAINTEXT
    address = stream_address(settings.cluster, folder)
    files = {
        "ca": address.ca,
        "cert": address.certificate,
        "key": address.key,
        "creds": address.credentials,
    }

    def read() -> ReplicaSecrets:
        try:
            return _read(folder.secret_key, certificates, files)
        except OSError as error:
            raise NotPossible(
                f"{error.filename} cannot be read ({error.strerror}), and a newcomer needs what is "
                "in it: see to it at this server, and try again"
            ) from error

    monitor = "" if address.monitor is None else f"?monitor={address.monitor}"
    return Inviting(f"{address}{monitor}", lambda: run_blocking(read))


def _read(
    secret_key: Path, certificates: Certificates, nats: dict[str, Path | None]
) -> ReplicaSecrets:
    grpc, network = (_authority(pki) for pki in (certificates.grpc, certificates.network))
    files = {name: read_small(path) for name, path in nats.items() if path is not None}
    return ReplicaSecrets(grpc, network, read_small(secret_key), files)


def _authority(pki: PkiFolder) -> AuthorityFiles:
    paths: FolderPaths = pki.paths
    return AuthorityFiles(read_small(paths.ca), read_small(paths.ca_key))

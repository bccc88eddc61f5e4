"""A network CA, a server's certificates and nodes', in folders as they lie in the field."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

from nc.certificate_files import FolderPaths
from nc.pki.certificates import NODE_ORGANIZATION, AuthorityKind
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.names import server_names

_SERIALS = itertools.count(1000)


def network_folder(path: Path, *names: str) -> PkiFolder:
    """The server's folder, for a server that answers to these names."""
    required = server_names(names, "10.1.1.1")
    now = datetime.now(UTC)
    return open_folder(path, AuthorityKind.NETWORK, required, now, lambda: next(_SERIALS))


def node_folder(server: PkiFolder, path: Path) -> FolderPaths:
    """A node's folder: `ca.pem client.pem client-key.pem`, as GetToken gives them."""
    path.mkdir()
    paths = FolderPaths.within(path)
    now, serial = datetime.now(UTC), next(_SERIALS)
    issued = server.authority.issue_client("2b" * 16, NODE_ORGANIZATION, now, serial)
    paths.ca.write_bytes(server.authority.certificate_pem)
    paths.client.write_bytes(issued.certificate_pem)
    paths.client_key.write_bytes(issued.key_pem)
    return paths

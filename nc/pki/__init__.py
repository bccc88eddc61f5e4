"""Certificates: what they contain, who signs them, and the folder that keeps them.

    errors        what can be wrong, each with its remedy
    names         texts → subjectAltName entries                     pure
    pem           PEM bytes ↔ certificates and keys                  pure
    certificates  what each kind of certificate contains             pure
    identity      a peer's certificate → its names                   pure
    renewal       when an existing certificate must be signed anew   pure
    authority     a CA: signs certificates
    store         reads and writes the six files of a folder
    folder        opens a folder: uses, makes or renews its files

No clock and no random numbers of its own: the time and the serial numbers come in. Only key pairs
are drawn here, by OpenSSL.
"""

from nc.certificate_files import FolderPaths
from nc.pki.authority import CertificateAuthority, IssuedCertificate, self_signed
from nc.pki.certificates import (
    ADMIN_COMMON_NAME,
    ADMIN_ORGANIZATION,
    NODE_ORGANIZATION,
    AuthorityKind,
    ca_cert_hash,
)
from nc.pki.errors import PkiError
from nc.pki.folder import PkiFolder, open_folder
from nc.pki.identity import PeerCertificate, read_peer
from nc.pki.names import LOCAL_NAMES, server_names
from nc.pki.store import Made

__all__ = [
    "ADMIN_COMMON_NAME",
    "ADMIN_ORGANIZATION",
    "LOCAL_NAMES",
    "NODE_ORGANIZATION",
    "AuthorityKind",
    "CertificateAuthority",
    "FolderPaths",
    "IssuedCertificate",
    "Made",
    "PeerCertificate",
    "PkiError",
    "PkiFolder",
    "ca_cert_hash",
    "open_folder",
    "read_peer",
    "self_signed",
    "server_names",
]

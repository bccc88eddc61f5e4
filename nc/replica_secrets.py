"""What all replicas of a cluster have in common, and no stream has."""

from typing import Final, NamedTuple

# The files that an address of a stream may name, by its options; and what they are called in a data
# folder that an invitation has filled.
NATS_FILES: Final = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem", "creds": "nats.creds"}


class AuthorityFiles(NamedTuple):
    """A CA's certificate, with those above it, and its key; PEM."""

    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "AuthorityFiles(…)"


class ReplicaSecrets(NamedTuple):
    """Both CAs, the key of the token ids, and what NATS asks for, by the names of `NATS_FILES`."""

    grpc: AuthorityFiles
    network: AuthorityFiles
    secret_key: bytes
    nats: dict[str, bytes]

    def __repr__(self) -> str:
        return "ReplicaSecrets(…)"

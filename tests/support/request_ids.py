"""Request ids for tests: a server records UUIDs as they are."""

import uuid

__all__ = ["request_id_of"]


def request_id_of(name: str) -> str:
    """The UUID that stands for a name; the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))

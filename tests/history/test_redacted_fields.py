"""Each field of each event is redacted, or declared here as one that anybody may know."""

from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor

from nc.domain.events import Event
from nc.history.redact.addresses import Block, Relocation
from nc.history.redact.events import REDACTED
from nc.history.redact.names import new_names

KINDS: Final = tuple(field.name for field in Event.DESCRIPTOR.oneofs_by_name["kind"].fields)

# What stays as it was: numbers, choices, when something ends, and a version.
PUBLIC: Final[dict[str, set[str]]] = {
    "replica_started": {"is_alone", "level", "version"},
    "leader_elected": {"epoch", "level"},
    "token_issued": {"expires_at_ms", "max_nodes", "max_uses"},
    "node_registered": {
        *("certificates.authority", "certificates.not_after_ms"),
        *("imported", "taken_back"),
    },
    "certificates_renewed": {"certificates.authority", "certificates.not_after_ms"},
    "state_changed": {"from_state", "reason", "to_state"},
    "address_bound": {"assigned"},
    "address_released": {"reason"},
    "expiry_changed": {"expires_at_ms"},
    "unregistered": {"reason", "remembered_until_ms"},
    "administrator_added": {
        *("certificate.authority", "certificate.not_after_ms"),
        *("installed", "role"),
    },
    "administrator_revoked": {"reason"},
    "replica_invited": {"expires_at_ms"},
    "invitation_ended": {"reason"},
    "litekube_imported": {"nodes", "tokens"},
    "digest_recorded": {"seq"},
    "log_repaired": {"lost_through_seq"},
}

ADDRESS, NETWORK = "172.23.45.7", "172.23.45.1/24"
PLACE: Final = Relocation([Block(0xAC172D00, 256)])


def fill(message: Any) -> None:
    """Give each field a value, of those that it can have, that is not its default."""
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            inner = getattr(message, field.name)
            fill(inner.add() if field.is_repeated else inner)
        elif field.is_repeated:
            getattr(message, field.name).append(value_of(field))
        else:
            setattr(message, field.name, value_of(field))


def value_of(field: FieldDescriptor) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        known = {"network_address": NETWORK, "address": ADDRESS}
        return known.get(field.name, f"canary of {field.full_name}")
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"canary of {field.full_name}".encode()
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        return field.enum_type.values[-1].number
    return True if field.type == FieldDescriptor.TYPE_BOOL else 7


def leaves(message: Any, above: str = "") -> dict[str, Any]:
    """The values of a message's fields, and of those within, by their names joined by dots."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        inner = list(value) if field.is_repeated else [value]
        for each in inner:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                found |= leaves(each, f"{above}{field.name}.")
            else:
                found[f"{above}{field.name}"] = each
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_is_redacted_or_declared_public(kind: str) -> None:
    """One that is added to an event is neither before somebody has decided which."""
    event = getattr(Event(), kind)
    fill(event)
    before = leaves(event)
    after = leaves(REDACTED[kind](new_names(PLACE), event))
    assert {name for name in before if after.get(name) == before[name]} == PUBLIC.get(kind, set())


def test_every_kind_has_its_redaction() -> None:
    """And nothing else has one."""
    assert set(REDACTED) == set(KINDS)

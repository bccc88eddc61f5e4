"""One event as data: its kind, and its fields as JSON for programs and as text for people."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from nc.domain.events import Event, Label, Labels
from nc.history.events import Recorded
from nc.text import iso_time, moment

__all__ = [
    "KIND_NAMES",
    "Field",
    "field_texts",
    "fields_of",
    "json_fields",
    "json_line",
    "kind_and_fields",
    "kind_of",
]

_KINDS: Any = Event.DESCRIPTOR.oneofs_by_name["kind"]

# The names of the members of `Event.kind`, as the catalogue has them.
KIND_NAMES: Final[dict[str, str]] = {field.name: field.message_type.name for field in _KINDS.fields}


# Fields that most events leave empty: people see them only where they say something.
_ONLY_IF_SET: Final = frozenset(
    {
        *("grpc_authority", "network_authority", "taken_back", "imported", "assigned", "installed"),
        *("name", "label", "labels", "note", "facts"),
        *("max_uses", "max_nodes", "node_labels", "node_name_prefix"),
    }
)

# Fields that only programs see: they say nothing to people, or nothing where a log has one server.
_FOR_PROGRAMS: Final = frozenset({"is_alone", "session", "key_sha256", "attempt_id"})

# Where nothing else says which server is meant; ReplicaStarted then says whose session it is.
_SESSION_SAYS_WHICH: Final = frozenset({"LeaderElected", "ReplicaLost", "ReplicaAddressBound"})


class Field(NamedTuple):
    """How a field of an event's body is read."""

    name: str
    key: str  # in JSON, where `seq` is the number of the event that has the field
    plain: Callable[[Any], Any]  # its value in JSON
    is_optional: bool  # None in JSON where it is absent
    is_text: bool  # a text that is always there


def json_line(recorded: Recorded) -> str:
    """One JSON object; times in ISO 8601, UTC, as well as the numbers that the log holds."""
    # in ASCII: what a name in a certificate may hold must not steer a terminal
    return json.dumps(json_fields(recorded))


def json_fields(recorded: Recorded) -> dict[str, Any]:
    kind, fields = kind_and_fields(recorded.event)
    entry = recorded.entry
    return {
        "seq": recorded.seq,
        "time": iso_time(entry.recorded_at_ns),
        "recorded_at_ns": entry.recorded_at_ns,
        "type": kind,
        **fields,
        "actor": entry.actor,
        "method": entry.method,
        "request_id": entry.request_id,
    }


def field_texts(event: Event) -> dict[str, str]:
    """The fields of an event's body, each as people read it; not yet `printable`."""
    kind, fields = kind_and_fields(event)
    return {
        name.removesuffix("_ms"): _text(name, value)
        for name, value in fields.items()
        if (name not in _FOR_PROGRAMS or (name == "session" and _needs_session(kind, fields)))
        and value is not None
        and (value or name not in _ONLY_IF_SET or kind == "NodeUpdated")
    }


def _needs_session(kind: str, fields: Mapping[str, Any]) -> bool:
    """Whether people need an event's session; of older servers there is none."""
    is_shared = kind == "ReplicaStarted" and not fields["is_alone"]
    return bool(fields["session"]) and (is_shared or kind in _SESSION_SAYS_WHICH)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, dict):  # labels, facts, or a certificate, whose serial is in the JSON
        shown = {key: text for key, text in value.items() if text}
        pairs = ",".join(f"{key}={text}" for key, text in shown.items())
        return shown.get("authority") or pairs or '""'
    if name.endswith(("_at_ms", "_until_ms")):
        return moment(value) if value else "never"
    if isinstance(value, list):
        return ",".join(item["authority"] for item in value)  # their serials are in the JSON
    return str(value)


def kind_of(event: Event) -> str:
    """The kind of an event, as the catalogue calls it."""
    kind = event.WhichOneof("kind")
    return "unknown" if kind is None else KIND_NAMES[kind]


def kind_and_fields(event: Event) -> tuple[str, dict[str, Any]]:
    """The kind of an event, and every field that its kind has, absent ones with their default."""
    name = event.WhichOneof("kind")
    if name is None:
        return "unknown", {}
    return KIND_NAMES[name], _plain(getattr(event, name))


def _plain(message: Any) -> dict[str, Any]:
    fields = fields_of(message.DESCRIPTOR)
    return {
        key: None if is_optional and not message.HasField(name) else plain(getattr(message, name))
        for name, key, plain, is_optional, _ in fields
    }


@cache
def fields_of(descriptor: Any) -> tuple[Field, ...]:
    """The fields of a message of the events proto, in its order."""
    return tuple(
        Field(
            field.name,
            "of_seq" if field.name == "seq" else field.name,
            _converter(field),
            field.has_presence,
            field.type == field.TYPE_STRING and not field.has_presence and not field.is_repeated,
        )
        for field in descriptor.fields
    )


def _converter(field: Any) -> Callable[[Any], Any]:
    if field.enum_type is not None:
        # `CONNECTION_STATE_IDLE` is `idle` where the field says that it is a connection state
        numbers = field.enum_type.values_by_number
        prefix = numbers[0].name.removesuffix("UNSPECIFIED")
        names = {n: value.name.removeprefix(prefix).lower() for n, value in numbers.items()}
        return lambda number: names.get(number) or str(number)
    kind = field.message_type
    if kind is None:
        return lambda value: value
    if kind is Label.DESCRIPTOR:  # as an object: keys and values
        return _label_fields
    if kind is Labels.DESCRIPTOR:
        return lambda message: _label_fields(message.labels)
    if not field.has_presence:  # repeated
        return lambda items: [_plain(item) for item in items]
    return _plain


def _label_fields(labels: Iterable[Label]) -> dict[str, str]:
    return {label.key: label.value for label in labels}

"""One event, as people read it and as programs do."""

import json
from typing import Any

from google.protobuf.message import Message
from rich.text import Text

from nc.domain.events import Event
from nc.history.events import Recorded
from nc.text import expiry_text, iso_time, time_text

_KIND_FIELDS: Any = Event.DESCRIPTOR.oneofs_by_name["kind"].fields

# What the catalogue calls the members of `Event.kind`.
KIND_NAMES: dict[str, str] = {field.name: field.message_type.name for field in _KIND_FIELDS}

_STYLES = {
    "ReplicaStarted": "blue",
    "ReplicaStopped": "blue",
    "TokenIssued": "cyan",
    "TokenExpired": "cyan",
    "NodeRegistered": "green",
    "StateChanged": "yellow",
    "AddressBound": "magenta",
    "AddressReleased": "magenta",
    "ExpiryChanged": "yellow",
    "Unregistered": "red",
    "DigestRecorded": "dim",
    "LogRepaired": "bold red",
}


def json_line(recorded: Recorded) -> str:
    """One JSON object; times in ISO 8601, UTC, as well as the numbers that the log holds."""
    # in ASCII: what a name in a certificate may hold must not steer a terminal
    return json.dumps(json_fields(recorded))


def json_fields(recorded: Recorded) -> dict[str, Any]:
    """What an event is in JSON."""
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


def text_line(recorded: Recorded) -> Text:
    """One line, coloured by type: number, time (UTC), what happened, who did it through what."""
    kind = kind_of(recorded.event)
    entry = recorded.entry
    details = " ".join(f"{name}={value}" for name, value in field_texts(recorded.event).items())
    return Text.assemble(
        (f"{recorded.seq:>7}  ", "dim"),
        f"{time_text(entry.recorded_at_ns, ' ')}  ",
        (f"{kind:<15} ", style_of(recorded.event)),
        printable(details),
        (
            printable(f"  by {entry.actor} ({entry.method}, request {entry.request_id})"),
            "dim",
        ),
    )


def field_texts(event: Event) -> dict[str, str]:
    """The fields of an event's body, each as people read it; not yet `printable`."""
    _, fields = kind_and_fields(event)
    return {name.removesuffix("_ms"): _short(name, value) for name, value in fields.items()}


def style_of(event: Event) -> str:
    """The colour of an event of its kind on a terminal."""
    return _STYLES.get(kind_of(event), "")


def kind_of(event: Event) -> str:
    """What kind of event it is, as the catalogue calls it."""
    kind = event.WhichOneof("kind")
    return "unknown" if kind is None else KIND_NAMES[kind]


def kind_and_fields(event: Event) -> tuple[str, dict[str, Any]]:
    """What kind of event it is, and every field that its kind has."""
    name = event.WhichOneof("kind")
    if name is None:
        return "unknown", {}
    body = getattr(event, name)
    return body.DESCRIPTOR.name, _plain(body)


def _plain(message: Message) -> dict[str, Any]:
    """Every field, absent ones with their default: an expiry of 0 means something."""
    fields: Any = message.DESCRIPTOR.fields
    return {key_of(field): _value(field, getattr(message, field.name)) for field in fields}


def key_of(field: Any) -> str:
    """What a field is called in JSON, where `seq` is the number of the event that has it."""
    return "of_seq" if field.name == "seq" else str(field.name)


def enum_prefix(enum: Any) -> str:
    """What all the names of an enum begin with."""
    return str(enum.values_by_number[0].name.removesuffix("UNSPECIFIED"))


def _value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        # `CONNECTION_STATE_IDLE` is `idle` where the field says that it is a connection state
        known = field.enum_type.values_by_number.get(value)
        prefix = enum_prefix(field.enum_type)
        return str(value) if known is None else known.name.removeprefix(prefix).lower()
    if field.message_type is not None:
        return [_plain(item) for item in value]
    return value


def _short(name: str, value: Any) -> str:
    if name.endswith("_at_ms"):
        return expiry_text(value)
    if isinstance(value, list):
        return ",".join(item["authority"] for item in value)  # their serials are in the JSON
    return str(value) or '""'


def printable(text: str) -> str:
    """Without what would steer a terminal: names in certificates are their makers' choice."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)

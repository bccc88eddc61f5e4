"""Messages to dataclasses: the one place that knows how a field of proto/nc/admin/v1 is typed here.

    message                          dataclass
    int64 NAME_ms, NAME_ns           NAME: datetime in UTC, None for 0
    enum STATE_IDLE                  a StrEnum's member IDLE, UNKNOWN for what it does not have
    message or optional, absent      None, where the type allows it
    repeated, map                    tuple, dict

The rest is taken as it is. What a dataclass does not have is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, partial
from operator import attrgetter
from types import UnionType
from typing import Any, Final, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.message import Message

from nc.contract import LARGEST_UINT32, LARGEST_UINT64

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Convert = Callable[[Any], Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = ("_ms", "_ns")
_UNKNOWN: Final = "UNKNOWN"


class _Field(NamedTuple):
    name: str
    source: str  # its name in the message
    convert: Convert | None
    may_be_absent: bool


def convert(kind: type[T], message: Message) -> T:
    read_all = _as_it_is(cast("Any", kind), message.DESCRIPTOR)
    if read_all is not None:
        return kind(*read_all(message))
    values: dict[str, Any] = {}
    for name, source, to, may_be_absent in _plan(cast("Any", kind), message.DESCRIPTOR):
        if may_be_absent and not message.HasField(source):
            values[name] = None
            continue
        value = getattr(message, source)
        values[name] = value if to is None else to(value)
    return kind(**values)


def time_of(number: int, unit: str) -> datetime | None:
    """A message's time; None for 0, and for what no calendar has."""
    if not number:
        return None
    try:
        if unit == "_ns":
            return _EPOCH + timedelta(microseconds=number // 1000)
        return _EPOCH + timedelta(milliseconds=number)
    except OverflowError:
        return None


def ms_of(moment: datetime | None) -> int:
    """Unix milliseconds of a moment, 0 for None; a moment without a zone is in UTC."""
    if moment is None:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def uint32(name: str, value: int) -> int:
    """A number for a field that holds 32 bits; raises ValueError if it does not fit."""
    return _within(name, value, LARGEST_UINT32)


def uint64(name: str, value: int) -> int:
    """A number for a field that holds 64 bits; raises ValueError if it does not fit."""
    return _within(name, value, LARGEST_UINT64)


def whole_seconds(name: str, duration: timedelta) -> int:
    """A duration for a field in seconds, at least 1; raises ValueError if it is no time at all."""
    if duration <= timedelta():
        raise ValueError(f"{name} is {duration}: expected more than no time")
    return max(1, round(duration.total_seconds()))


def _within(name: str, value: int, largest: int) -> int:
    if not 0 <= value <= largest:
        raise ValueError(f"{name} is {value}: expected 0 to {largest}")
    return value


def number_of(member: StrEnum, enum: EnumDescriptor) -> int:
    return next(v.number for v in enum.values if v.name.endswith(f"_{member.name}"))


@cache
def _as_it_is(kind: Any, descriptor: Descriptor) -> Callable[[Any], tuple[Any, ...]] | None:
    """Reads the values of a dataclass of which each is taken as it is, such as an event's."""
    plan = _plan(kind, descriptor)
    if len(plan) == 1 or any(each.convert or each.may_be_absent for each in plan):
        return None
    return attrgetter(*(each.source for each in plan))


@cache
def _plan(kind: Any, descriptor: Descriptor) -> tuple[_Field, ...]:
    hints = get_type_hints(kind)
    return tuple(_planned(field.name, hints[field.name], descriptor) for field in fields(kind))


def _planned(name: str, hint: Any, descriptor: Descriptor) -> _Field:
    names = descriptor.fields_by_name
    unit = next((unit for unit in ("", *_UNITS) if name + unit in names), None)
    if unit is None:
        raise TypeError(f"{descriptor.full_name} has no field for {name}")
    source = names[name + unit]
    may_be_absent = get_origin(hint) is UnionType and source.has_presence
    if unit:
        return _Field(name, source.name, partial(time_of, unit=unit), may_be_absent=False)
    return _Field(name, source.name, _converter(hint, source), may_be_absent)


def _converter(hint: Any, source: Any) -> Convert | None:
    if get_origin(hint) is tuple:
        each = _converter(get_args(hint)[0], source)
        return tuple if each is None else lambda values: tuple(map(each, values))
    if get_origin(hint) is Mapping:
        return dict
    if get_origin(hint) is UnionType:
        hint = get_args(hint)[0]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return members_of(hint, source.enum_type).__getitem__
    if source.message_type is not None and hint is not Any:
        return partial(convert, hint)
    return None


class Members(dict[int, E]):
    """An enum's members by their numbers; UNKNOWN for any other."""

    def __init__(self, unknown: E) -> None:
        self._unknown = unknown

    def __missing__(self, number: int) -> E:
        return self._unknown


def members_of(kind: type[E], enum: EnumDescriptor) -> Members[E]:
    members = Members(kind[_UNKNOWN])
    for value in enum.values:
        for member in kind:
            if value.name.endswith(f"_{member.name}"):
                members[value.number] = member
    return members

"""What is given to the SDK, checked against the annotations before anything is called.

    annotation           may also be given as
    a StrEnum's member   its value or its name, as a text
    Path                 a text
    Iterable             anything that is iterated, but for one text

Messages name the argument, and repeat no text but one that should be an enum's: it may be a token.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache, wraps
from operator import index
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from nc.text import quoted

P = ParamSpec("P")
T = TypeVar("T")

_EXPECTED: Final[Mapping[Any, str]] = {
    str: "a text",
    int: "an integer",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
    Path: "a path",
}

_UNKNOWN: Final = "UNKNOWN"  # what answers of newer servers have; nobody can ask for it


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Have a function's arguments checked, and converted, at each call.

    Raises:
        TypeError: an argument has another type, is missing, or is none of the function's.
        ValueError: an argument is no member of its enum, or a text that cannot be sent.
    """
    plain: Any = function

    @wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = _bound(plain, args, kwargs)
        return plain(*given.args, **given.kwargs)

    @wraps(plain)
    async def call_later(*args: Any, **kwargs: Any) -> Any:
        given = _bound(plain, args, kwargs)
        return await plain(*given.args, **given.kwargs)

    return cast("Callable[P, T]", call_later if inspect.iscoroutinefunction(plain) else call)


def check_fields(made: Any) -> None:
    """Check, and convert, the fields of a frozen dataclass; raises as `checked`."""
    for name, hint in _hints(cast("Any", type(made))).items():
        object.__setattr__(made, name, check(name, getattr(made, name), hint))


def check(name: str, value: Any, hint: Any) -> Any:
    """A value as its annotation has it; raises as `checked`."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        return _check_union(name, value, args)
    if is_typeddict(hint):
        return _check_dict(name, value, hint, "{} of " + name)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(name, value, "a mapping, such as a dict")
        return {
            check(f"a key of {name}", key, args[0]): check(f"a value of {name}", each, args[1])
            for key, each in value.items()
        }
    if origin is not None and issubclass(origin, Iterable):
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise _wrong(name, value, "several, such as a list")
        return tuple(check(f"{name}[{n}]", each, args[0]) for n, each in enumerate(value))
    return _check_one(name, value, hint)


def _check_union(name: str, value: Any, hints: tuple[Any, ...]) -> Any:
    # the literals are texts of an enum that is there, too
    possible = [each for each in hints if each is not NoneType and get_origin(each) is not Literal]
    if value is None and NoneType in hints:
        return None
    if value is not None and len(possible) == 1:
        return check(name, value, possible[0])
    for hint in possible:
        try:
            return check(name, value, hint)
        except TypeError:
            continue
    raise _wrong(name, value, " or ".join(map(_expected, hints)))


def _check_dict(name: str, value: Any, hint: Any, called: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a mapping, such as a dict")
    hints = _hints(hint)
    for key in value:
        if key not in hints:
            raise TypeError(f"{name} has no {quoted(str(key))}: it takes {', '.join(hints)}")
    return {key: check(called.format(key), each, hints[key]) for key, each in value.items()}


def _check_one(name: str, value: Any, kind: Any) -> Any:
    if issubclass(kind, StrEnum):
        return _member(name, value, kind)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if isinstance(value, bool) and kind is not bool:
        raise _wrong(name, value, _expected(kind))
    if kind is int and hasattr(value, "__index__"):
        return index(value)
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind):
        raise _wrong(name, value, _expected(kind))
    if kind is str and not _is_sendable(value):
        raise ValueError(f"{name} has characters that no text has: half of a surrogate pair")
    return value


def _member(name: str, value: Any, kind: type[StrEnum]) -> StrEnum:
    members = [member for member in kind if member.name != _UNKNOWN]
    if not isinstance(value, str):
        raise _wrong(name, value, _expected(kind))
    for member in members:
        if value.lower() in (member.value.lower(), member.name.lower()):
            return member
    raise ValueError(f"{name} is {quoted(value)}: expected {_expected(kind)}")


def _expected(hint: Any) -> str:
    """What is expected, in words."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return " or ".join(str(member) for member in hint if member.name != _UNKNOWN)
    return _EXPECTED.get(hint) or f"a {getattr(hint, '__name__', hint)}"


def _wrong(name: str, value: Any, expected: str) -> TypeError:
    what = "None" if value is None else f"of type {type(value).__name__}"
    return TypeError(f"{name} is {what}: expected {expected}")


def _is_sendable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bound(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
    signature, hints = _signature(function), _hints(function)
    given = signature.bind(*args, **kwargs)
    for name, value in given.arguments.items():
        if name not in hints:  # `self`, `cls`
            continue
        match signature.parameters[name].kind:
            case inspect.Parameter.VAR_POSITIONAL:
                values = (check(f"{name}[{n}]", each, hints[name]) for n, each in enumerate(value))
                given.arguments[name] = tuple(values)
            case inspect.Parameter.VAR_KEYWORD:
                (expected,) = get_args(hints[name])  # Unpack[…]
                given.arguments[name] = _check_dict(f"{function.__name__}()", value, expected, "{}")
            case _:
                given.arguments[name] = check(name, value, hints[name])
    return given


_signature = cache(inspect.signature)
_hints = cache(get_type_hints)

"""Label selectors, as Kubernetes writes them but for sets: `zone=eu,!canary,tier!=db,gpu`.

`key!=value` also fits what has no such label, as in Kubernetes.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from nc.rpc.admin.errors import InvalidField
from nc.text import quoted

Fits = Callable[[Mapping[str, str]], bool]

_KEY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_COMPARED: Final = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_PRESENT: Final = re.compile(rf"(!?)\s*({_KEY})")


def selector(text: str, field: str = "selector") -> list[Fits]:
    """What a selector asks of labels: each of these.

    Raises:
        InvalidField: it is not written as above.
    """
    return [_requirement(part.strip(), field) for part in text.split(",")] if text.strip() else []


def _requirement(part: str, field: str) -> Fits:
    if compared := _COMPARED.fullmatch(part):
        key, operator, value = compared.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if present := _PRESENT.fullmatch(part):
        absent, key = present.groups()
        return lambda labels: (key not in labels) if absent else (key in labels)
    raise InvalidField(
        field,
        f"{quoted(part)} is not `key=value`, `key!=value`, `key` or `!key`; several have commas "
        "between them",
    )

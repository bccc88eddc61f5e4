"""What the console answers its page: JSON of what the SDK gives, and its refusals."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nc.client import errors

Handler = Callable[[Request], Awaitable[Any]]

_STATUSES: Final[tuple[tuple[type[errors.CallFailed], int], ...]] = (
    (errors.PermissionDenied, 403),
    (errors.Unauthenticated, 403),
    (errors.NotFound, 404),
    (errors.InvalidArgument, 422),
    (errors.AlreadyExists, 409),
    (errors.FailedPrecondition, 409),
    (errors.Refused, 409),
    (errors.Unavailable, 503),
    (errors.DeadlineExceeded, 504),
)


class BadRequest(ValueError):
    """The page asked for something that cannot be; the message says what."""


def as_json(value: Any) -> Any:
    """A result of the SDK: times are Unix ms, or null for never and not known."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return value


def answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A route that answers with what the handler gives, or says why there is none."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(as_json(await handler(request)))
        except BadRequest as error:
            return JSONResponse({"error": str(error)}, 422)
        except errors.CallFailed as error:
            status = next((s for kind, s in _STATUSES if isinstance(error, kind)), 502)
            return JSONResponse({"error": error.details or str(error)}, status)

    return answer


def number(request: Request, name: str) -> int:
    """A number of the query.

    Raises:
        BadRequest: it is none.
    """
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):  # noqa: PLR2004 - 64 bits
        raise BadRequest(f"{name}: a number is expected")
    return int(text)

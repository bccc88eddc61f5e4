"""What is counted of calls: by method, in plain numbers, for whoever gathers them now and then."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from nc.histogram import Histogram
from nc.rpc.methods import Methods, StreamMethod

# Most of our calls take a tenth of a millisecond, or one sync of the disk.
DURATION_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

# What stands for the service and the method of a path that is none of ours: it may be anything.
UNKNOWN: Final = "unknown"

_UNARY: Final = "unary"
_SERVER_STREAM: Final = "server_stream"
_BIDI_STREAM: Final = "bidi_stream"


class MethodName(NamedTuple):
    """A method as the ecosystem's metrics name it."""

    kind: str
    service: str
    method: str


class MethodCounts:
    """Of one method, on all ports.

    Attributes:
        started: calls whose headers have come.
        ended: calls that are over, by what they were answered with: a status, or the `code` of a
            response of LiteKube's.
        durations: from the headers to the end.
    """

    __slots__ = ("durations", "ended", "started")

    def __init__(self) -> None:
        self.started = 0
        self.ended: dict[str, int] = {}
        self.durations = Histogram(DURATION_BOUNDS_S)

    def end(self, code: str, duration_ns: int) -> None:
        ended = self.ended
        ended[code] = ended.get(code, 0) + 1
        self.durations.observe(duration_ns)


class CallCounts:
    """Of all methods, on all ports; written in the thread that receives calls.

    Attributes:
        unknown: of the calls to no method of ours.
    """

    def __init__(self) -> None:
        self._by_name: dict[MethodName, MethodCounts] = {}
        self.unknown = self._counts(MethodName(_UNARY, UNKNOWN, UNKNOWN))

    def of(self, methods: Methods) -> dict[bytes, MethodCounts]:
        return {path: self._counts(_name(path, methods)) for path in methods}

    def by_method(self) -> Iterable[tuple[MethodName, MethodCounts]]:
        return list(self._by_name.items())

    def _counts(self, name: MethodName) -> MethodCounts:
        return self._by_name.setdefault(name, MethodCounts())


def _name(path: bytes, methods: Methods) -> MethodName:
    service, _, method = path.decode().removeprefix("/").rpartition("/")
    kind = _UNARY
    if isinstance(methods[path], StreamMethod):
        kind = _BIDI_STREAM if service.startswith("grpc.reflection.") else _SERVER_STREAM
    return MethodName(kind, service, method)

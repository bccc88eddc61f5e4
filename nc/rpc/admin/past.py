"""Answers one request of nc.admin.v1.History: a program, which `history.py` runs.

It gets a line of JSON and the request on its standard input, and writes the response; or it ends
with 1, and what it writes is JSON: the name of a refusal in `errors`, and its sentence.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from eventlog import LogError, LogReader
from nc.domain.errors import DomainError
from nc.domain.evolve import UnknownEvent
from nc.domain.invariants import InconsistentHistory
from nc.domain.operator_errors import NodeReferenceAmbiguous, NodeReferenceUnknown
from nc.errors import OperatorError
from nc.pb.admin.v1 import history_pb2 as pb
from nc.rpc.admin import errors
from nc.rpc.admin.past_answers import at, diff, why

_NICENESS: Final = 10

Answering = Callable[[LogReader, Any, str], Awaitable[Message]]

_METHODS: Final[dict[str, tuple[type[Message], Answering]]] = {
    "At": (pb.AtRequest, at),
    "Diff": (pb.DiffRequest, diff),
    "Why": (pb.WhyRequest, why),
}


async def answer(data: bytes) -> Message:
    """The response to what is on the standard input; raises one of `errors`."""
    first, _, rest = data.partition(b"\n")
    head = json.loads(first)
    request_class, answering = _METHODS[head["method"]]
    try:
        reader = LogReader(head["folder"])
        return await answering(reader, request_class.FromString(rest), head["node_id"])
    except NodeReferenceUnknown as error:
        raise errors.NotFound(str(error)) from error
    except NodeReferenceAmbiguous as error:
        raise errors.Ambiguous(str(error)) from error
    except DomainError as error:
        raise errors.NotPossible(str(error)) from error
    except (LogError, InconsistentHistory) as error:
        raise errors.LogUnreadable(str(error)) from error
    except (UnknownEvent, OperatorError) as error:
        raise errors.NotPossible(str(error)) from error
    except DecodeError as error:
        raise errors.BadRequest("the request is not a message of this method") from error


def main() -> None:
    os.nice(_NICENESS)
    try:
        response = asyncio.run(answer(sys.stdin.buffer.read()))
    except tuple(errors.REFUSALS.values()) as error:
        kind = next(name for name, kind in errors.REFUSALS.items() if isinstance(error, kind))
        sys.stdout.write(json.dumps([kind, str(error)]))
        sys.exit(1)
    sys.stdout.buffer.write(response.SerializeToString())


if __name__ == "__main__":
    main()

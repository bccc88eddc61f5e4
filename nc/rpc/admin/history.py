"""nc.admin.v1.History: the past, computed by another process from the log's files.

A thread would share the interpreter with whoever answers queries, for as long as a long log takes
to be read. The process is of the lowest priority, answers one request, and ends (`past.py`).
"""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf.message import Message

from nc.domain.operator_errors import NodeReferenceAmbiguous, NodeReferenceUnknown
from nc.domain.references import node_meant
from nc.pb.admin.v1 import history_pb2 as pb
from nc.replica.errors import Stopping
from nc.rpc.admin.context import Context
from nc.rpc.admin.errors import REFUSALS, InvalidField, NotPossible, TooMuchWork
from nc.rpc.admin.turns import Turns
from nc.rpc.api import Call
from nc.text import duration_text

M = TypeVar("M", bound=Message)

# Processes at once, each with the memory of one state, and requests that wait for one.
WORKING: Final = 2
WAITING: Final = 16

# Longer than any log takes that fits a server's memory.
_PATIENCE_S: Final = 300.0


class HistoryService:
    """The operations of the service; the errors are those of `errors`.

    Args:
        folder: of the log; None: it is in no folder, and the past cannot be asked for.
        require_in_log: raises OutOfLog for a sequence number that the log does not have.
    """

    def __init__(
        self, context: Context, folder: Path | None, require_in_log: Callable[[int], None]
    ) -> None:
        self._context = context
        self._folder = folder
        self._require_in_log = require_in_log
        self._working = Turns("look into the past", WORKING, WAITING)
        self._processes: set[Process] = set()
        self._is_over = False

    def stop(self) -> None:
        self._is_over = True
        for process in self._processes:
            _kill(process)

    async def at(self, request: pb.AtRequest, _call: Call) -> pb.AtResponse:
        self._check(request.moment)
        return await self._compute("At", request, pb.AtResponse)

    async def diff(self, request: pb.DiffRequest, _call: Call) -> pb.DiffResponse:
        self._check(getattr(request, "from"), request.to)
        return await self._compute("Diff", request, pb.DiffResponse)

    async def why(self, request: pb.WhyRequest, call: Call) -> pb.WhyResponse:
        if not request.node:
            raise InvalidField("node", "it is empty; give a node's name, id, address or token")
        self._check(request.moment)
        node_id, state = self._context.token_ids.id_of(request.node), self._context.state
        with contextlib.suppress(NodeReferenceUnknown, NodeReferenceAmbiguous):
            call.means(state, node_meant(state, request.node, lambda _: node_id))
        return await self._compute("Why", request, pb.WhyResponse, node_id)

    def _check(self, *moments: pb.Moment) -> None:
        for moment in moments:
            self._require_in_log(moment.seq)
            if moment.time_ms < 0:
                raise InvalidField("moment", "time_ms is Unix time in milliseconds")

    async def _compute(
        self, method: str, request: Message, response: type[M], node_id: str = ""
    ) -> M:
        """Have a process answer.

        Args:
            method: of the service.
            request: its request.
            response: the class of its response.
            node_id: the id of the node whose token the request's reference is, if it is one.
        """
        if self._folder is None:
            raise NotPossible(
                "this server's log is not in a folder, so its past cannot be computed"
            )
        head = {"folder": str(self._folder), "method": method, "node_id": node_id}
        sent = json.dumps(head).encode() + b"\n" + request.SerializeToString()
        async with self._working.taken():
            code, output = await self._run(method, sent)
        if code == 0:
            return response.FromString(output)
        if self._is_over:
            raise Stopping
        try:
            kind, sentence = json.loads(output)
        except ValueError:
            raise TooMuchWork(
                "the process that computes the past ended without an answer, as where memory is "
                f"short; try again in a moment, or {_elsewhere(method)}"
            ) from None
        raise REFUSALS[kind](sentence)

    async def _run(self, method: str, sent: bytes) -> tuple[int, bytes]:
        if self._is_over:
            raise Stopping
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "nc.rpc.admin.past"), stdin=PIPE, stdout=PIPE
        )
        self._processes.add(process)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                output, _ = await process.communicate(sent)
        except TimeoutError:
            raise TooMuchWork(
                f"this look into the past was ended after {duration_text(_PATIENCE_S)}: the log is "
                f"long; {_elsewhere(method)}"
            ) from None
        finally:
            _kill(process)
            self._processes.discard(process)
        return process.returncode or 0, output


def _elsewhere(method: str) -> str:
    """What computes the same without the server."""
    return (
        f"run network-controller log {method.lower()} on the server's machine or on a copy of its "
        "log, which takes as long as it needs"
    )


def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()

"""The edge of one replica among several: who may be answered here, and what the leader has to do.

query     answered here once this replica may answer; the status always
command   carried out here if this replica leads; else by the leader, for the same caller. While it
          hands over, it waits for the next leader
health    always answered
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from nc.pb.replica.v1 import replication_pb2 as pb
from nc.replica.errors import NotCurrent, NotLeading
from nc.replica.role import Role
from nc.replica.touch import CHANGE_WAIT_S
from nc.rpc.abuse import WrongToken
from nc.rpc.call_records import Record, WireCall
from nc.rpc.edge import Edge
from nc.rpc.methods import Method, StreamMethod
from nc.rpc.permissions import Permission
from nc.rpc.replication.changes import error_of, target_of
from nc.rpc.replication.following import Following
from nc.rpc.streams import RefusedWith, WireMessages


class SharedEdge(Edge):
    """See `Edge`, and the module.

    Attributes:
        role: of this replica.
        following: reaches the leader.
    """

    role: Role
    following: Following

    def handle(self, wire: WireCall, data: bytes) -> Coroutine[Any, Any, None] | None:
        method: Any = wire.context.served.method
        if not _is_of_the_state(method):
            return super().handle(wire, data)
        if self.role.may_answer() and (method.reads or self.role.replica.decides):
            return super().handle(wire, data)
        return self._later(wire, data)

    async def converse(self, wire: WireCall, messages: WireMessages) -> None:
        if _is_of_the_state(wire.context.served.method):
            try:
                await self.role.current()
            except Exception as error:
                raise RefusedWith(self._status_of(wire.context, error)) from error
        await super().converse(wire, messages)

    def _require(self, record: Record) -> None:
        is_asked_again = _is_of_the_state(record.served.method) and record.place is None
        if is_asked_again and not self.role.may_answer():
            return
        super()._require(record)

    async def _later(self, wire: WireCall, data: bytes) -> None:
        """Answer once this replica may, or have the leader do it."""
        record: Record = wire.context
        method: Any = record.served.method
        try:
            if method.reads:
                try:
                    await self.role.current()
                except NotCurrent:
                    if not method.tells_if_out_of_touch:
                        raise
            elif not self.role.replica.decides and await self._is_forwarded(wire, data):
                return
            else:
                await self.role.current(CHANGE_WAIT_S)
        except WrongToken as wrong:
            await self._refuse_late(wire, record, wrong)
            return
        except Exception as error:  # noqa: BLE001 - every error has an answer
            self._answer_error(wire, record, error)
            return
        left = super().handle(wire, data)
        if left is not None:
            await left

    async def _is_forwarded(self, wire: WireCall, data: bytes) -> bool:
        """Have the leader carry out a command, and answer; False if this replica leads by now."""
        record: Record = wire.context
        method: Any = record.served.method
        caller = record.caller
        if self.role.may_answer():
            self._require(record)
            request = method.parse(data)
            if method.check_token is not None:
                self._abuse.judge(caller, wire.party, partial(method.check_token, request, record))
        if method.wrong_token is not None:
            self._abuse.require_guesses_left(caller, wire.party)
        call = pb.Call(
            path=wire.path.decode(),
            request=data,
            request_id=record.request_id,
            caller_kind=caller.kind.value,
            actor=caller.actor,
            node_id=caller.node_id,
            not_after_ms=caller.not_after_ms,
            serial=caller.serial,
            peer=record.peer,
        )
        request = pb.ForwardRequest(session=self.role.replica.session, call=call)
        try:
            response = await self.following.forward(request, CHANGE_WAIT_S)
        except NotLeading:
            return False
        await self._pass_on(wire, response)
        return True

    async def _pass_on(self, wire: WireCall, response: pb.ForwardResponse) -> None:
        record: Record = wire.context
        if response.is_wrong_token:
            await asyncio.sleep(self._abuse.note_guess(record.caller, wire.party))
        if response.HasField("target"):
            record.target = target_of(response.target)
        match response.WhichOneof("outcome"):
            case "answer":
                record.code, record.message = response.answer.code, response.answer.message
                wire.reply(response.answer.response)
            case "status":
                record.message = response.status.message
                wire.refuse(response.status.code, response.status.message)
            case _:
                self._answer_error(wire, record, error_of(response.refusal))


def _is_of_the_state(method: Method | StreamMethod | None) -> bool:
    """Whether a method's answer depends on the state."""
    if method is None or method.is_standard or method.permission is Permission.REPLICA:
        return False
    return isinstance(method, StreamMethod) or not method.is_health

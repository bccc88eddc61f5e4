"""The start and the stop of a server that has the log to itself, as it records them."""

import asyncio
import contextlib

from nc.domain.decide import decide
from nc.domain.replicas import AuthorityKeys, StartReplica, StopReplica
from nc.replica.errors import OutcomeOpen, Unwritable, WriteRefused
from nc.replica.replica import Replica
from nc.server.parts import Parts
from nc.server.tasks import Submit


def start_command(parts: Parts, replica: Replica, version: str) -> StartReplica:
    """The command by which a server starts.

    Raises:
        DomainError: its own state refuses it, as that of another cluster's log does, whose other
            servers could not be asked. Nothing is recorded then.
    """
    command = StartReplica(
        parts.name,
        version,
        str(parts.network),
        parts.token_ids.key_check,
        AuthorityKeys(parts.authorities.grpc.key_hash, parts.authorities.network.key_hash),
        replica.session,
        is_alone=not parts.shares_log,
        level=parts.level,
    )
    decide(replica.state, command)
    return command


class OwnSession:
    """See the module.

    Args:
        submit: makes changes.
        version: this program's.
    """

    def __init__(self, parts: Parts, replica: Replica, submit: Submit, version: str) -> None:
        self._parts = parts
        self._replica = replica
        self._submit = submit
        self._version = version

    async def begin(self) -> None:
        command = start_command(self._parts, self._replica, self._version)
        try:
            # together, so that they are one record
            await asyncio.gather(self._submit(command, "start"), self.record_installed("start"))
        except Unwritable as error:
            raise self._replica.failure or error from None

    async def end(self, writer: "asyncio.Task[None]") -> None:
        if writer.done():
            return  # it failed or crashed, and takes no command any more
        # what it raises was reported when it happened
        with contextlib.suppress(Unwritable, WriteRefused, OutcomeOpen):
            await self._submit(StopReplica(self._parts.name, self._replica.session), "stop")

    async def record_installed(self, method: str = "certificates") -> None:
        """Record the administrator's certificate of the server's folder, if it is another one."""
        command = self._parts.installed()
        known = self._replica.state.administrators.installed
        if command is not None and command.certificate.serial != known:
            await self._submit(command, method)

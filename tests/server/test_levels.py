"""Servers of different versions on one stream: what one of them cannot read is not written."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from nc.domain.events import Batch, Entry, Event
from nc.domain.evolve import UnknownEvent
from nc.domain.levels import LEVEL
from nc.server.installation import Tuning
from tests.server.test_replicas import share_secrets
from tests.support.nats_servers import NatsServer, address_of
from tests.support.operators import Operator, Refused, operator
from tests.support.whole_server import running

pytestmark = [
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

OLD = Tuning(level=1)
OF_A_LATER_VERSION = Event.FromString(b"\x9a\x06\x00")  # field 99


async def levels(caller: Operator) -> list[int]:
    """As listed, the server that answers first."""
    listed = (await caller.call("Replicas/List")).replicas
    return [each.level for each in sorted(listed, key=lambda each: not each.self)]


async def test_servers_of_two_levels(data_dir: Path, tmp_path: Path, nats: NatsServer) -> None:
    """What the older one does not know is refused, by its name, until it is upgraded or stopped.

    A server that reads what it does not know ends, and says what to run instead.
    """
    address, second = address_of(nats, stream="levels"), tmp_path / "second"
    on_stream: dict[str, Any] = {"cluster": address, "cluster_replicas": 1}
    async with running(data_dir, **on_stream) as leader, operator(leader) as caller:
        share_secrets(data_dir, second)
        async with running(second, tuning=OLD, **on_stream) as old, operator(old) as there:
            name = old.folder.replica_name.read_text().strip()
            for each in (caller, there):
                with pytest.raises(Refused, match=name) as refused:
                    await each.call("Replicas/Invite")
                assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
                assert "upgrade it, or stop it" in refused.value.details
            assert await levels(caller) == [LEVEL, 1]
        async with running(second, **on_stream):
            assert await levels(caller) == [LEVEL, LEVEL]
            await caller.call("Replicas/Invite")
    with pytest.raises(UnknownEvent, match="run the version that wrote the log"):
        await serve_and_append(second, on_stream, OF_A_LATER_VERSION)


async def serve_and_append(folder: Path, on_stream: dict[str, Any], event: Event) -> None:
    """Run a server, append an event behind its back, and wait for its end."""
    async with running(folder, **on_stream) as server:
        payload = Batch(entries=[Entry(actor="newer", events=[event])]).SerializeToString()
        replica: Any = server.replica
        await replica._log.append(payload, 1, replica.state.seq)
        await asyncio.Event().wait()
